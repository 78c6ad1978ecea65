package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificateLife is how long a certificate of one's own making is good.
const certificateLife = 5 * 365 * 24 * time.Hour

// Certificate is one of one's own making, as PEM.
type Certificate struct {
	Authority []byte // the certificate of the authority, which clients have to trust (tlsCAFile)
	Cert, Key []byte // what the server shows, and its key
}

// SelfSigned makes a certificate for hosts, names or addresses, and an authority that
// has signed it, and whose key is forgotten. There is no way without one: the official
// clients send passwords over TLS only, and some take no certificate that stands for
// itself.
func SelfSigned(now time.Time, hosts ...string) (Certificate, error) {
	authority := &x509.Certificate{
		Subject: pkix.Name{CommonName: "chatledger gateway, its own authority"},
		IsCA:    true, KeyUsage: x509.KeyUsageCertSign, MaxPathLenZero: true,
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("gateway: make a key: %w", err)
	}
	var c Certificate
	if c.Authority, err = sign(now, authority, authority, &secret.PublicKey, secret); err != nil {
		return Certificate{}, err
	}
	leaf := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "chatledger gateway"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("gateway: make a key: %w", err)
	}
	if c.Cert, err = sign(now, leaf, authority, &own.PublicKey, secret); err != nil {
		return Certificate{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return Certificate{}, fmt.Errorf("gateway: encode the key: %w", err)
	}
	c.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return c, nil
}

// sign completes a certificate and returns it as PEM, signed by another or by itself.
func sign(now time.Time, c, by *x509.Certificate, key *ecdsa.PublicKey, secret *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("gateway: make a serial number: %w", err)
	}
	c.SerialNumber, c.BasicConstraintsValid = serial, true
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(certificateLife)
	der, err := x509.CreateCertificate(rand.Reader, c, by, key, secret)
	if err != nil {
		return nil, fmt.Errorf("gateway: make a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// TLS returns the settings of a server with a certificate and its key.
func TLS(cert, key []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("gateway: certificate and key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

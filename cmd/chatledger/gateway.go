package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// Gateway says whether the log is served to clients of EventStoreDB and KurrentDB.
type Gateway struct {
	Listen       string `placeholder:"HOST:PORT" help:"Serve the log to clients of KurrentDB at this address, over gRPC and TLS; their password is the token of an analyst, an auditor or an admin. See docs/gateway.md."`
	Cert         string `type:"existingfile" placeholder:"FILE" help:"Certificate for it, as PEM (default: one of its own making, esdb-ca.pem in --data, which clients then have to trust)."`
	Key          string `type:"existingfile" placeholder:"FILE" help:"Key of the certificate."`
	AllowAppends bool   `help:"For tests: tokens of admins may append to the log and delete streams, of all workspaces, past every rule."`
}

// check refuses what cannot be meant.
func (s Serving) check() error {
	g := s.Gateway
	switch {
	case g.Listen == "" && (g.Cert != "" || g.Key != "" || g.AllowAppends):
		return errors.New("--esdb-cert, --esdb-key and --esdb-allow-appends need --esdb-listen")
	case (g.Cert == "") != (g.Key == ""):
		return errors.New("--esdb-cert and --esdb-key go together")
	case g.AllowAppends && (s.has(roleReactors) || s.has(roleProjections)):
		return errors.New("--esdb-allow-appends needs --roles api: what others append is theirs to act on, and would be acted on twice")
	}
	return nil
}

// Files of the certificate that the gateway makes for itself, in the data folder.
const (
	gatewayAuthority = "esdb-ca.pem"
	gatewayCert      = "esdb-cert.pem"
	gatewayKey       = "esdb-key.pem"
)

// certificate returns certificate and key of the gateway, and the file that clients
// have to trust, if they do not anyway. selfSigned makes a certificate for some hosts.
func (g Gateway) certificate(data string, selfSigned func(hosts ...string) (authority, cert, key []byte, err error)) (cert, key []byte, trust string, err error) {
	certFile, keyFile := g.Cert, g.Key
	if certFile == "" {
		trust, certFile, keyFile = filepath.Join(data, gatewayAuthority), filepath.Join(data, gatewayCert), filepath.Join(data, gatewayKey)
		if _, err := os.Stat(trust); errors.Is(err, fs.ErrNotExist) {
			if err := g.makeCertificate(data, trust, certFile, keyFile, selfSigned); err != nil {
				return nil, nil, "", err
			}
		}
	}
	if cert, err = os.ReadFile(certFile); err == nil {
		key, err = os.ReadFile(keyFile)
	}
	return cert, key, trust, err
}

func (g Gateway) makeCertificate(data, trust, certFile, keyFile string, selfSigned func(hosts ...string) (authority, cert, key []byte, err error)) error {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(g.Listen); err == nil && host != "" && !slices.Contains(hosts, host) {
		hosts = append(hosts, host)
	}
	if name, err := os.Hostname(); err == nil && !slices.Contains(hosts, name) {
		hosts = append(hosts, name)
	}
	authority, cert, key, err := selfSigned(hosts...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	// The authority last: by it the others are known to be there.
	for _, f := range []struct {
		name string
		pem  []byte
	}{{keyFile, key}, {certFile, cert}, {trust, authority}} {
		if err := os.WriteFile(f.name, f.pem, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// connection shows how a client connects.
func (Gateway) connection(address, trust string) string {
	c := "esdb://token:TOKEN@" + address
	if trust != "" {
		c += "?tlsCAFile=" + url.QueryEscape(trust)
	}
	return c
}

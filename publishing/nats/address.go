package nats

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatledger/chatledger/publishing"
)

// IsAddress reports whether an address is one of NATS.
func IsAddress(s string) bool {
	return strings.HasPrefix(s, "nats://") || strings.HasPrefix(s, "tls://")
}

// defaultPrefix is what subjects begin with if the address does not say.
const defaultPrefix = "chatledger"

// target is what an address says.
type target struct {
	servers string // of nats.Connect
	options []nats.Option
	prefix  string            // of subjects
	stream  nats.StreamConfig // what it is made as, if it is missing
}

// covers is what the stream has to take.
func (t target) covers() string { return t.prefix + ".>" }

// parse reads an address:
//
//	nats://USER:PASSWORD@HOST:PORT,HOST:PORT/SUBJECT-PREFIX?stream=NAME&…
//
// A user without a password is a token. See docs/publishing.md for the options.
func parse(address string) (t target, err error) {
	a, err := publishing.Parse(address)
	if err != nil {
		return t, err
	}
	if err := a.Known("stream", "replicas", "max-age", "max-bytes", "duplicates", "creds", "ca", "cert", "key"); err != nil {
		return t, err
	}
	t.prefix = defaultPrefix
	if a.Name != "" {
		t.prefix = a.Name
	}
	if !isSubject(t.prefix) {
		return t, errors.New("the subject prefix is not words with dots between")
	}
	for i, host := range a.Hosts {
		if i > 0 {
			t.servers += ","
		}
		t.servers += a.Scheme + "://" + host
	}
	if t.stream, err = stream(a, t.prefix); err != nil {
		return t, err
	}
	switch {
	case a.HasPassword():
		t.options = append(t.options, nats.UserInfo(a.User, a.Password))
	case a.User != "":
		t.options = append(t.options, nats.Token(a.User))
	}
	if file := a.Option("creds"); file != "" {
		t.options = append(t.options, nats.UserCredentials(file))
	}
	if file := a.Option("ca"); file != "" {
		t.options = append(t.options, nats.RootCAs(file))
	}
	cert, key := a.Option("cert"), a.Option("key")
	if (cert == "") != (key == "") {
		return t, errors.New("cert and key go together")
	}
	if cert != "" {
		t.options = append(t.options, nats.ClientCert(cert, key))
	}
	return t, nil
}

// stream returns the stream that is made if there is none.
func stream(a publishing.Address, prefix string) (c nats.StreamConfig, err error) {
	c = nats.StreamConfig{
		Name: strings.ReplaceAll(prefix, ".", "-"), Description: "events of chatledger, as CloudEvents",
		Subjects: []string{prefix + ".>"}, Storage: nats.FileStorage, Retention: nats.LimitsPolicy, Discard: nats.DiscardOld,
		Replicas: 1, MaxAge: 30 * 24 * time.Hour, MaxBytes: -1, Duplicates: 2 * time.Minute,
	}
	if name := a.Option("stream"); name != "" {
		if strings.ContainsAny(name, " \t\r\n.*>/\\") {
			return c, errors.New("the name of the stream has a character that NATS does not allow")
		}
		c.Name = name
	}
	if s := a.Option("replicas"); s != "" {
		if c.Replicas, err = strconv.Atoi(s); err != nil || c.Replicas < 1 || c.Replicas > 5 {
			return c, errors.New("replicas is 1 to 5")
		}
	}
	if s := a.Option("max-bytes"); s != "" {
		if c.MaxBytes, err = strconv.ParseInt(s, 10, 64); err != nil || c.MaxBytes < 1 {
			return c, errors.New("max-bytes is a number of bytes")
		}
	}
	for name, d := range map[string]*time.Duration{"max-age": &c.MaxAge, "duplicates": &c.Duplicates} {
		if s := a.Option(name); s != "" {
			if *d, err = time.ParseDuration(s); err != nil || *d < 100*time.Millisecond {
				return c, fmt.Errorf("%s is a time such as 720h, and at least 100ms", name)
			}
		}
	}
	c.Duplicates = min(c.Duplicates, c.MaxAge) // as the server wants it
	return c, nil
}

// isSubject reports whether s is words with dots between.
func isSubject(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == '*' || r == '>' || r == '/' || r >= 0x7f }) {
			return false
		}
	}
	return !strings.HasPrefix(s, "$")
}

// takes reports whether one of the subjects of a stream is all that we publish to.
func takes(subjects []string, prefix string) bool {
	for _, s := range subjects {
		if all, ok := strings.CutSuffix(s, ">"); ok && strings.HasPrefix(prefix+".", all) && !strings.Contains(all, "*") {
			return true
		}
	}
	return false
}

package publishing

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Address says where events are published to:
//
//	SCHEME://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?OPTION=VALUE
//
// All but scheme and a host may be left out. It is no URL for want of the one host.
type Address struct {
	Scheme      string
	User        string
	Password    string
	Hosts       []string // HOST or HOST:PORT
	Name        string
	options     url.Values
	hasPassword bool
}

// Parse reads an address. Its errors do not repeat it, since it may hold a password.
func Parse(s string) (a Address, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return a, errors.New("an address begins with nats:// or kafka://")
	}
	a.Scheme = scheme
	rest, query, _ := strings.Cut(rest, "?")
	if a.options, err = url.ParseQuery(query); err != nil {
		return a, errors.New("what is behind the question mark of the address is not well-formed")
	}
	// The last of each: a password may hold them.
	authority := rest
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, password, found := strings.Cut(rest[:at], ":")
		a.hasPassword, authority = found, rest[at+1:]
		var bad error
		a.User, err = url.PathUnescape(user)
		a.Password, bad = url.PathUnescape(password)
		if err != nil || bad != nil || a.User == "" {
			return a, errors.New("user or password of the address is not well-formed: write % as %25")
		}
	}
	hosts, name, _ := strings.Cut(authority, "/")
	a.Name = name
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("//" + host)
		if err != nil || u.Host == "" || u.Hostname() == "" || u.Host != host {
			return a, errors.New("the address has no well-formed HOST:PORT; in a password write / as %2F and @ as %40")
		}
		a.Hosts = append(a.Hosts, host)
	}
	return a, nil
}

// HasPassword reports whether the address has a password, perhaps an empty one.
func (a Address) HasPassword() bool { return a.hasPassword }

// Option returns the value of an option, or "".
func (a Address) Option(name string) string { return a.options.Get(name) }

// Known refuses options but those that are named.
func (a Address) Known(names ...string) error {
	for name, values := range a.options {
		switch {
		case strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }): // perhaps the rest of a password
			return errors.New("what is behind the question mark of the address is not NAME=VALUE: write ? of a password as %3F")
		case !slices.Contains(names, name):
			return fmt.Errorf("an address of %s has no option %q: there are %s", a.Scheme, name, strings.Join(names, ", "))
		case len(values) > 1:
			return fmt.Errorf("option %q is there twice", name)
		}
	}
	return nil
}

package publishing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/publishing"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]struct {
		user, password string
		hosts          []string
		name           string
	}{
		"nats://127.0.0.1:4222":                       {"", "", []string{"127.0.0.1:4222"}, ""},
		"nats://a:1,b,[::1]:3/x.y?stream=s":           {"", "", []string{"a:1", "b", "[::1]:3"}, "x.y"},
		"kafka://u:p@a:1,b:2/topic":                   {"u", "p", []string{"a:1", "b:2"}, "topic"},
		"nats://token@a":                              {"token", "", []string{"a"}, ""},
		"nats://u:p%40s%2Fw%25@a/x":                   {"u", "p@s/w%", []string{"a"}, "x"},
		"nats://u:p@ss:word/@a/x":                     {"u", "p@ss:word/", []string{"a"}, "x"},
		"nats://a/x?creds=%2Fetc%2Fnats.creds&ca=b.c": {"", "", []string{"a"}, "x"},
	} {
		a, err := publishing.Parse(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if a.User != want.user || a.Password != want.password || !slices.Equal(a.Hosts, want.hosts) || a.Name != want.name {
			t.Errorf("%s: got %+v", s, a)
		}
	}
}

// No error tells a part of a password, in whichever way the address is wrong.
func TestParseErrorsKeepSecrets(t *testing.T) {
	for _, s := range []string{
		"", "nats", "u:secret", "nats:u:secret@a", "nats://", "nats:///x", "nats://u:secret@", "nats://u:secret@/x", "nats://u:secret%zz@a",
		"nats://:secret@a", "nats://u:secret/a", "nats://u:secret", "nats://u:sec?ret@a/x%", "nats://u:secret@a,,b", "nats://u:secret@a b", "nats://u:secret@a?%zz=secret",
	} {
		a, err := publishing.Parse(s)
		if err == nil {
			t.Errorf("%s: got %+v", s, a)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestOptions(t *testing.T) {
	a, err := publishing.Parse("nats://a/x?stream=s&ca=f")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Known("stream", "ca"); err != nil || a.Option("stream") != "s" || a.Option("none") != "" {
		t.Errorf("%v, %+v", err, a)
	}
	if err := a.Known("stream"); err == nil || !strings.Contains(err.Error(), `no option "ca"`) {
		t.Errorf("got %v", err)
	}
	if a, err = publishing.Parse("nats://u:12?secret@a/x"); err != nil {
		t.Fatal(err)
	}
	if err := a.Known("stream"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if a, err = publishing.Parse("nats://a/x?stream=s&stream=t"); err != nil {
		t.Fatal(err)
	}
	if err := a.Known("stream"); err == nil {
		t.Error("an option twice is taken")
	}
}

package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/blob/blobtest"
	"github.com/chatledger/chatledger/internal/blob/s3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket starts a server that speaks the protocol, with an empty bucket, and
// returns its address.
func bucket(t *testing.T) string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

func open(t *testing.T, address string) *s3.Store {
	t.Helper()
	s, err := s3.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, "s3://files?region=eu-central-1&endpoint="+bucket(t)) })
}

func TestStoreWithAPrefix(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		return open(t, "s3://files/a/b/?region=eu-central-1&endpoint="+bucket(t))
	})
}

func TestPrefixesAreApart(t *testing.T) {
	at := "?region=us-east-1&endpoint=" + bucket(t)
	one, two := open(t, "s3://files/one"+at), open(t, "s3://files/two"+at)
	if _, err := one.Put(t.Context(), "acme", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	for b, err := range two.List(t.Context()) {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestCheck(t *testing.T) {
	at := "?region=us-east-1&endpoint=" + bucket(t)
	if err := open(t, "s3://files"+at).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := open(t, "s3://nothing"+at).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v", err)
	}
}

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"s3://files": true, "s3://files/a/b": true, "s3://files?region=eu-central-1": true, "s3://files?endpoint=http://127.0.0.1:9000": true,
		"": false, "files": false, "https://files": false, "s3://": false, "s3://key:secret@files": false, "s3://files?key=secret": false,
		"s3://files?endpoint=ftp://x": false, "s3://files?endpoint=s3.example.com": false, "s3://files?endpoint=https://x/path": false, "s3://files?;": false,
	} {
		s, err := s3.Open(address)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if s != nil {
			_ = s.Close()
		}
	}
}

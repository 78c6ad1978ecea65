package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/blob/blobtest"
	"github.com/chatledger/chatledger/internal/blob/dir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, folder string) *dir.Store {
	t.Helper()
	s, err := dir.Open(folder, time.Now())
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
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, filepath.Join(t.TempDir(), "media")) })
}

// Nothing is left over of what was broken off, nobody else can read what is kept,
// and what others put into the folder is left alone.
func TestTheFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "media")
	s := open(t, folder)
	if _, err := s.Put(t.Context(), "acme", iotest.ErrReader(errors.New("gone"))); err == nil {
		t.Fatal("want an error")
	}
	b, err := s.Put(t.Context(), "acme", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "acme", "README"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(folder, ".unfinished"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	at, err := os.Stat(filepath.Join(folder, "acme", b.SHA256[:2], b.SHA256))
	if err != nil || at.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", at, err)
	}
	n := 0
	for _, err := range open(t, folder).List(t.Context()) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d files", n)
	}

	// Given what a process left that died, and what one is writing now.
	for name, age := range map[string]time.Duration{"put-1": 25 * time.Hour, "put-2": time.Hour} {
		path := filepath.Join(folder, ".unfinished", name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	open(t, folder)
	if left, err = os.ReadDir(filepath.Join(folder, ".unfinished")); err != nil || len(left) != 1 || left[0].Name() != "put-2" {
		t.Errorf("%v, %v", left, err)
	}
}

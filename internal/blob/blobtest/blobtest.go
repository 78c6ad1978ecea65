// Package blobtest is the suite that every store of files passes.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/internal/blob"
)

// Run tests the stores that open returns: each time it is called, a new and empty
// one.
func Run(t *testing.T, open func(*testing.T) blob.Store) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"what is put can be opened", opened},
		{"workspaces are apart", apart},
		{"a file that breaks off is not kept", broken},
		{"put again it is there once", again},
		{"many put the same at once", atOnce},
		{"an open file stays readable", stays},
		{"delete", deleted},
		{"names that are none", names},
		{"a context that ended", ended},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func put(t *testing.T, s blob.Store, workspace, content string) blob.Blob {
	t.Helper()
	b, err := s.Put(t.Context(), workspace, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func get(t *testing.T, s blob.Store, workspace, sum string) (string, error) {
	t.Helper()
	f, err := s.Open(t.Context(), workspace, sum)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), nil
}

// kept lists what is there as "workspace content".
func kept(t *testing.T, s blob.Store) (all []string) {
	t.Helper()
	for b, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		content, err := get(t, s, b.Workspace, b.SHA256)
		if err != nil || int64(len(content)) != b.Size || sumOf(content) != b.SHA256 {
			t.Errorf("%+v holds %q: %v", b, content, err)
		}
		all = append(all, b.Workspace+" "+content)
	}
	slices.Sort(all)
	return all
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func opened(t *testing.T, s blob.Store) {
	large := strings.Repeat("0123456789abcdef", 1<<17) // 2 MB
	for _, content := range []string{"hello", large} {
		b := put(t, s, "acme", content)
		if b.Workspace != "acme" || b.Size != int64(len(content)) || b.SHA256 != sumOf(content) || b.PutAt.IsZero() {
			t.Errorf("%+v of %d bytes", b, len(content))
		}
		if got, err := get(t, s, "acme", b.SHA256); got != content || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	f, err := s.Open(t.Context(), "acme", sumOf(large))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); end != int64(len(large)) || err != nil {
		t.Errorf("the end is at %d, %v", end, err)
	}
	if _, err := f.Seek(1<<20+3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 4)
	if _, err := io.ReadFull(f, part); err != nil || string(part) != "3456" {
		t.Errorf("%q, %v", part, err)
	}
}

func apart(t *testing.T, s blob.Store) {
	b := put(t, s, "acme", "mine")
	for _, stranger := range []string{"acme2", "ACME", "acm", "acme/", "..", "."} {
		if _, err := get(t, s, stranger, b.SHA256); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", stranger, err)
		}
	}
	odd := []string{"..", "a/b", "A", "a b", "é", "%61", "a\\b", "con:"}
	want := []string{"acme mine"}
	for _, w := range odd {
		put(t, s, w, "theirs")
		want = append(want, w+" theirs")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, kept(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func broken(t *testing.T, s blob.Store) {
	put(t, s, "acme", "there")
	gone := errors.New("the line is gone")
	for _, r := range []io.Reader{
		iotest.ErrReader(gone),
		io.MultiReader(strings.NewReader("half"), iotest.ErrReader(gone)),
		io.MultiReader(strings.NewReader("there"), iotest.ErrReader(gone)),
		io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), iotest.ErrReader(gone)),
	} {
		if _, err := s.Put(t.Context(), "acme", r); !errors.Is(err, gone) {
			t.Errorf("%v", err)
		}
	}
	for _, tt := range []struct {
		r    io.Reader
		want error
	}{
		{blob.Check(strings.NewReader("hello"), 4, ""), blob.ErrTooLarge},
		{blob.Check(strings.NewReader("hello"), 5, sumOf("hullo")), blob.ErrDamaged},
		{blob.Check(iotest.DataErrReader(strings.NewReader("hello")), 5, sumOf("hullo")), blob.ErrDamaged},
		{blob.Check(strings.NewReader(""), 5, ""), blob.ErrEmpty},
	} {
		if _, err := s.Put(t.Context(), "acme", tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
	if diff := cmp.Diff([]string{"acme there"}, kept(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := s.Put(t.Context(), "acme", blob.Check(strings.NewReader("hello"), 5, sumOf("hello"))); err != nil {
		t.Error(err)
	}
}

func again(t *testing.T, s blob.Store) {
	first := put(t, s, "acme", "twice")
	second := put(t, s, "acme", "twice")
	if second.PutAt.Before(first.PutAt) || second.SHA256 != first.SHA256 {
		t.Errorf("%+v, then %+v", first, second)
	}
	if diff := cmp.Diff([]string{"acme twice"}, kept(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func atOnce(t *testing.T, s blob.Store) {
	content := strings.Repeat("same", 50_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b, err := s.Put(t.Context(), "acme", strings.NewReader(content))
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := get(t, s, "acme", b.SHA256); got != content || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if got := kept(t, s); len(got) != 1 {
		t.Errorf("%d files", len(got))
	}
}

func stays(t *testing.T, s blob.Store) {
	b := put(t, s, "acme", "to be read")
	f, err := s.Open(t.Context(), "acme", b.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put(t, s, "acme", "to be read")
	if content, err := io.ReadAll(f); string(content) != "to be read" || err != nil {
		t.Errorf("%q, %v", content, err)
	}
}

func deleted(t *testing.T, s blob.Store) {
	first := put(t, s, "acme", "old")
	put(t, s, "acme", "other")
	put(t, s, "beta", "old")
	before := first
	before.PutAt = first.PutAt.Add(-1)
	if err := s.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, s, "acme", first.SHA256); got != "old" || err != nil {
		t.Errorf("it was put later than what was deleted, and is gone: %q, %v", got, err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get(t, s, "acme", first.SHA256); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff([]string{"acme other", "beta old"}, kept(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range s.List(t.Context()) {
		break // of a list that nobody reads to its end
	}
}

func names(t *testing.T, s blob.Store) {
	put(t, s, "acme", "there")
	for _, name := range []string{"", "x", "../" + sumOf("there"), strings.ToUpper(sumOf("there")), sumOf("there") + "0", sumOf("not there")} {
		if _, err := get(t, s, "acme", name); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := s.Put(t.Context(), "", strings.NewReader("nobody's")); err == nil {
		t.Error("a file of no workspace was kept")
	}
}

func ended(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, "acme", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := kept(t, s); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

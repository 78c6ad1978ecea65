// Package blob is the contract of what keeps files: images, sounds, films and
// documents of conversations, which are too large for the log.
//
// A file is kept under what it holds, its SHA-256, and under the workspace it
// belongs to: so it is there once however often it comes, and nothing crosses from
// one workspace to another. What a file means is in the log; a store knows nothing
// of it, and decides about nothing.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"
	"time"
)

// ErrNotFound says that there is no such file.
var ErrNotFound = errors.New("blob: no such file")

// Blob is a file that is kept.
type Blob struct {
	Workspace string
	SHA256    string    // in hex
	Size      int64     // bytes
	PutAt     time.Time // the last time that it was put, by the store's clock
}

// Store keeps files. All methods may be called at once, from several processes.
type Store interface {
	// Put keeps what r holds, at least a byte, and returns where. Once it has returned, the file is
	// there after a crash. Put again, it is there once, and its PutAt is later. If
	// r fails, Put returns r's error and keeps nothing. Of a file that is not
	// complete nothing is ever seen.
	Put(ctx context.Context, workspace string, r io.Reader) (Blob, error)

	// Open opens a file, or returns ErrNotFound. It stays readable until it is closed
	// or ctx ends, also if it is put again meanwhile.
	Open(ctx context.Context, workspace, sha256 string) (io.ReadSeekCloser, error)

	// Delete removes a file unless it was put again after b.PutAt. One that is not
	// there is no error.
	Delete(ctx context.Context, b Blob) error

	// List returns all files of all workspaces, in no order. What is put or deleted
	// meanwhile may be among them or not.
	List(ctx context.Context) iter.Seq2[Blob, error]
}

// Key returns the name of a file in a store: three parts, divided by slashes, of
// letters, digits, "-", "_" and "%", the same on a file system that does not tell
// capital letters from small ones.
func Key(workspace, sum string) (string, error) {
	if workspace == "" {
		return "", errors.New("blob: a file needs a workspace")
	}
	if !isSum(sum) {
		return "", fmt.Errorf("%w: its name is no SHA-256", ErrNotFound)
	}
	return escape(workspace) + "/" + sum[:2] + "/" + sum, nil
}

// ParseKey is the inverse of Key; ok is false for what is no key.
func ParseKey(key string) (workspace, sum string, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 || !isSum(parts[2]) || parts[1] != parts[2][:2] {
		return "", "", false
	}
	workspace, ok = unescape(parts[0])
	return workspace, parts[2], ok && workspace != ""
}

func isSum(s string) bool {
	return len(s) == hex.EncodedLen(sha256.Size) && strings.Trim(s, "0123456789abcdef") == ""
}

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), escape(b.String()) == s
}

// Faults of a file, found while it is read.
var (
	ErrTooLarge = errors.New("blob: the file is too large")
	ErrEmpty    = errors.New("blob: the file is empty")
	ErrDamaged  = errors.New("blob: the file is not the one that was announced")
)

// Check returns r, which fails at its end if it held nothing or something else than
// sum, a SHA-256 in hex, and earlier if it holds more than most bytes. An empty sum
// is that of every file.
func Check(r io.Reader, most int64, sum string) io.Reader {
	return &checked{r: r, left: most, sum: sum, hash: sha256.New()}
}

type checked struct {
	r    io.Reader
	left int64
	sum  string
	hash hash.Hash
	some bool
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.some = c.some || n > 0
	if c.left -= int64(n); c.left < 0 {
		return 0, ErrTooLarge
	}
	_, _ = c.hash.Write(p[:n]) // never fails
	if errors.Is(err, io.EOF) {
		switch {
		case !c.some:
			return n, ErrEmpty
		case c.sum != "" && hex.EncodeToString(c.hash.Sum(nil)) != c.sum:
			return n, ErrDamaged
		}
	}
	return n, err
}

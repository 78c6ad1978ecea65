// Package dir keeps files in a folder. Several processes may use the same one, also
// on several machines, if it is on a file system that they share.
//
// A file is written beside where it is to be, brought to the disk and then renamed:
// whoever opens it finds all of it. Two who put the same file at once write the
// same bytes, so it does not matter who is last.
package dir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chatledger/chatledger/internal/blob"
)

// Store keeps files in a folder.
type Store struct {
	root *os.Root
}

var _ blob.Store = (*Store)(nil)

// unfinished is where files are until they are complete. It is no workspace's: a
// workspace's name has no dot in it.
const unfinished = ".unfinished"

// abandoned is how old a file is that was not finished and never will be: its
// process has died.
const abandoned = 24 * time.Hour

// Open returns the store in a folder, which it makes for its owner alone if it is
// not there. What processes left behind that died is removed.
func Open(folder string, now time.Time) (*Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of files: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open folder of files: %w", err)
	}
	if err := root.MkdirAll(unfinished, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make folder of files: %w", err), root.Close())
	}
	s := &Store{root}
	if err := s.tidy(now); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

func (s *Store) tidy(now time.Time) error {
	left, err := fs.ReadDir(s.root.FS(), unfinished)
	if err != nil {
		return fmt.Errorf("list unfinished files: %w", err)
	}
	for _, f := range left {
		at, err := f.Info()
		if err == nil && now.Sub(at.ModTime()) > abandoned {
			err = s.root.Remove(unfinished + "/" + f.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove unfinished file: %w", err)
		}
	}
	return nil
}

// Close lets go of the folder. Files that are open stay so.
func (s *Store) Close() error { return s.root.Close() }

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, workspace string, r io.Reader) (b blob.Blob, err error) {
	temp, err := os.CreateTemp(filepath.Join(s.root.Name(), unfinished), "put-*")
	if err != nil {
		return b, fmt.Errorf("make file: %w", err)
	}
	name := unfinished + "/" + filepath.Base(temp.Name())
	defer func() {
		if err != nil {
			_ = temp.Close()        // if it is not closed yet
			_ = s.root.Remove(name) // if it is still there
		}
	}()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(temp, sum), &reader{ctx, r})
	if err != nil {
		return b, err
	}
	if err := temp.Sync(); err != nil {
		return b, fmt.Errorf("sync file: %w", err)
	}
	at, err := temp.Stat()
	if err != nil {
		return b, fmt.Errorf("look at file: %w", err)
	}
	if err := temp.Close(); err != nil {
		return b, fmt.Errorf("close file: %w", err)
	}
	b = blob.Blob{Workspace: workspace, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size, PutAt: at.ModTime()}
	key, err := blob.Key(b.Workspace, b.SHA256)
	if err != nil {
		return b, err
	}
	folder, _ := filepath.Split(key)
	if err := s.root.MkdirAll(strings.TrimSuffix(folder, "/"), 0o700); err != nil {
		return b, fmt.Errorf("make folder: %w", err)
	}
	if err := s.root.Rename(name, key); err != nil {
		return b, fmt.Errorf("rename file: %w", err)
	}
	// A name is on the disk once its folder is, and so on upwards.
	for folder := filepath.Dir(key); ; folder = filepath.Dir(folder) {
		if err := s.sync(folder); err != nil {
			return b, err
		}
		if folder == "." {
			return b, nil
		}
	}
}

func (s *Store) sync(folder string) error {
	f, err := s.root.Open(folder)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	err = f.Sync()
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Open implements blob.Store.
func (s *Store) Open(_ context.Context, workspace, sum string) (io.ReadSeekCloser, error) {
	key, err := blob.Key(workspace, sum)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, blob.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}

// Delete implements blob.Store. A file is taken aside before it is looked at, so that one
// that is put just then is not deleted unseen.
func (s *Store) Delete(_ context.Context, b blob.Blob) error {
	key, err := blob.Key(b.Workspace, b.SHA256)
	if err != nil {
		return err
	}
	switch at, err := s.root.Stat(key); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at file: %w", err)
	case at.ModTime().After(b.PutAt):
		return nil
	}
	aside := unfinished + "/" + strings.ReplaceAll(key, "/", " ")
	if err := s.root.Rename(key, aside); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("take file aside: %w", err)
	}
	at, err := s.root.Stat(aside)
	if err != nil {
		return fmt.Errorf("look at file: %w", err)
	}
	if at.ModTime().After(b.PutAt) {
		if err := s.root.Rename(aside, key); err != nil {
			return fmt.Errorf("put file back: %w", err)
		}
		return nil
	}
	if err := s.root.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete file: %w", err)
	}
	return nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context) iter.Seq2[blob.Blob, error] {
	return func(yield func(blob.Blob, error) bool) {
		stop := errors.New("enough")
		err := fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
				return nil
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case d.IsDir() && name == unfinished:
				return fs.SkipDir
			case d.IsDir():
				return nil
			}
			workspace, sum, ok := blob.ParseKey(name)
			if !ok { // not ours
				return nil
			}
			at, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(blob.Blob{Workspace: workspace, SHA256: sum, Size: at.Size(), PutAt: at.ModTime()}, nil) {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			yield(blob.Blob{}, fmt.Errorf("list files: %w", err))
		}
	}
}

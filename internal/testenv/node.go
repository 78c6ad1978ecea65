package testenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// ErrNoNode reports that there is no Node.js, or no npm.
var ErrNoNode = errors.New("no Node.js with npm on this machine: install them with `apt-get install -y nodejs npm`")

// nodeTime bounds the installation of packages.
const nodeTime = 5 * time.Minute

// HasNode returns ErrNoNode if programs of Node.js cannot be run.
func HasNode() error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return ErrNoNode
		}
	}
	return nil
}

// Node returns a folder with a copy of the programs in dir and the packages that its
// package-lock.json names, from npm's registry. The packages are kept for the next run
// in the user's cache, and none of their scripts is run.
func Node(t testing.TB, dir string) string {
	t.Helper()
	if err := HasNode(); err != nil {
		t.Fatal(err)
	}
	modules, err := nodeModules(t.Context(), dir)
	if err != nil {
		t.Fatalf("install packages of %s: %v", dir, err)
	}
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(to, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return to
}

// nodeModules returns the folder of the packages, which it installs if need be.
func nodeModules(ctx context.Context, dir string) (string, error) {
	hash := sha256.New()
	files := []string{"package.json", "package-lock.json"}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		hash.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	kept := filepath.Join(cache, "chatledger-test-node", hex.EncodeToString(hash.Sum(nil)[:8]))
	modules := filepath.Join(kept, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	// Beside it, then moved into place: others may do the same, and this may be killed.
	fresh, err := os.MkdirTemp(filepath.Dir(kept), "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, name), b, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, nodeTime)
	defer cancel()
	var said bytes.Buffer
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir, npm.Stdout, npm.Stderr = fresh, &said, &said
	if err := npm.Run(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, said.Bytes())
	}
	if err := os.Rename(fresh, kept); err != nil {
		if _, there := os.Stat(modules); there != nil {
			return "", err
		}
	}
	return modules, nil
}

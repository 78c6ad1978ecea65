package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// npm runs npm in dir.
func npm(ctx context.Context, dir string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("npm %s: %w: %s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// npmPack returns the files of a package, by name. It is fetched once in a run.
func (b *bench) npmPack(ctx context.Context, name string) (map[string]string, error) {
	dir := filepath.Join(b.dir, "pack")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		return nil, err
	}
	if len(archives) == 0 {
		if _, err := npm(ctx, dir, "pack", "--silent", name); err != nil {
			return nil, err
		}
		if archives, err = filepath.Glob(filepath.Join(dir, "*.tgz")); err != nil || len(archives) != 1 {
			return nil, errors.Join(fmt.Errorf("npm pack %s made %d archives", name, len(archives)), err)
		}
	}
	f, err := os.Open(archives[0])
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		text, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		files[h.Name] = string(text)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// nodePeer is a store for Node. It drives itself, in a process of its own.
type nodePeer struct {
	folder   string
	script   []byte
	manifest string // package.json
}

//go:embed drive.mjs
var driveScript []byte

//go:embed emmett.mjs
var emmettScript []byte

func emmett() nodePeer {
	return nodePeer{"emmett", emmettScript, `{
		"private": true,
		"dependencies": {"@event-driven-io/emmett": "0.42.0", "@event-driven-io/emmett-postgresql": "0.42.0"}
	}`}
}

//go:embed dcb.mjs
var dcbScript []byte

// Its package asks for "workspace:*" of the other, which npm refuses: it was
// published without the version.
func dcb() nodePeer {
	return nodePeer{"dcb", dcbScript, `{
		"private": true,
		"dependencies": {"@dcb-es/event-store": "7.0.1", "@dcb-es/event-store-postgres": "7.0.1"},
		"overrides": {"@dcb-es/event-store": "$@dcb-es/event-store"}
	}`}
}

// open fetches the store, once in a run.
func (p nodePeer) open(ctx context.Context, b *bench) (meter, func() error, error) {
	dir := filepath.Join(b.dir, p.folder)
	script := filepath.Join(dir, "append.mjs")
	if _, err := os.Stat(script); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make folder: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(p.manifest), 0o600); err != nil {
			return nil, nil, fmt.Errorf("write manifest: %w", err)
		}
		if _, err := npm(ctx, dir, "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir); err != nil {
			return nil, nil, err
		}
		for name, text := range map[string][]byte{filepath.Join(dir, "drive.mjs"): driveScript, script: p.script} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				return nil, nil, fmt.Errorf("write script: %w", err)
			}
		}
	}
	url, err := b.servers.database()
	if err != nil {
		return nil, nil, err
	}
	data, meta := sample()
	measure := func(ctx context.Context, writers, batch int, warm, span time.Duration) (float64, error) {
		if batch != 1 {
			return 0, errOneEvent
		}
		ctx, cancel := context.WithTimeout(ctx, warm+span+time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", script, url, strconv.Itoa(b.conns), strconv.Itoa(writers),
			strconv.FormatInt(warm.Milliseconds(), 10), strconv.FormatInt(span.Milliseconds(), 10), strconv.Itoa(streamLength), string(data), string(meta))
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("node: %w: %.300s", err, bytes.TrimSpace(said.Bytes()))
		}
		var rate float64
		if err := json.Unmarshal(out, &rate); err != nil {
			return 0, fmt.Errorf("node said %.100q: %w", out, err)
		}
		return rate, nil
	}
	return measure, func() error { return nil }, nil
}

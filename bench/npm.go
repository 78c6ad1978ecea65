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

//go:embed emmett.mjs
var emmettScript []byte

// emmettVersion of npm's @event-driven-io/emmett-postgresql.
const emmettVersion = "0.42.0"

// openEmmett measures Emmett in a Node process of its own, which drives itself.
func openEmmett(ctx context.Context, b *bench) (meter, func() error, error) {
	dir := filepath.Join(b.dir, "emmett")
	script := filepath.Join(dir, "append.mjs")
	if _, err := os.Stat(script); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make folder: %w", err)
		}
		_, err := npm(ctx, dir, "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir,
			"@event-driven-io/emmett@"+emmettVersion, "@event-driven-io/emmett-postgresql@"+emmettVersion)
		if err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(script, emmettScript, 0o600); err != nil {
			return nil, nil, fmt.Errorf("write script: %w", err)
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
		cmd := exec.CommandContext(ctx, "node", script, url, strconv.Itoa(writers),
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

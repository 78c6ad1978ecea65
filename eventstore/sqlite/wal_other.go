//go:build !linux

package sqlite

import sqlite3 "zombiezen.com/go/sqlite"

// walFiles does what it can on Linux only: see there.
type walFiles struct{}

func newWALFiles() (*walFiles, error) { return &walFiles{}, nil }

func (*walFiles) close() {}

func (*walFiles) connect(path string) (*sqlite3.Conn, error) {
	return sqlite3.OpenConn(path, sqlite3.OpenReadWrite)
}

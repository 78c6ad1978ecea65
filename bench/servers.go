package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chatledger/chatledger/internal/testenv"
)

// servers hands out databases on a PostgreSQL that does fsync.
type servers struct {
	testing.TB // so that it can stand for a test; only the methods below are called
	cleanups   []func()
}

type refusal string

// database returns the URL of a new, empty database.
func (s *servers) database() (url string, err error) {
	defer func() {
		if r, ok := recover().(refusal); ok {
			err = fmt.Errorf("PostgreSQL: %s", string(r))
		}
	}()
	return testenv.PostgresDurable(s), nil
}

// Helper does nothing.
func (*servers) Helper() {}

// Fatalf makes database return an error.
func (*servers) Fatalf(format string, args ...any) { panic(refusal(fmt.Sprintf(format, args...))) }

// Cleanup keeps fn for close.
func (s *servers) Cleanup(fn func()) { s.cleanups = append(s.cleanups, fn) }

// close drops the databases. The server goes away with the process.
func (s *servers) close() {
	for _, fn := range slices.Backward(s.cleanups) {
		func() {
			defer func() { _ = recover() }() // a database that cannot be dropped goes with its server
			fn()
		}()
	}
	s.cleanups = nil
}

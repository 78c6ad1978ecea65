package sqldb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// crowd runs writes that have to wait for each other's turn, the first of them
// until all the others have queued up, and returns their errors, a panic's value
// among them.
// alone says who writes by WriteAlone; nil: nobody.
func crowd(t *testing.T, db DB, alone func(i int) bool, ctx func(i int) context.Context, writes ...func(Tx) error) []error {
	t.Helper()
	out := make([]error, len(writes))
	queued := make(chan struct{})
	var all sync.WaitGroup
	for i, write := range writes {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					out[i] = fmt.Errorf("panic: %v", v)
				}
			}()
			write, begin := write, db.Write
			if alone != nil && alone(i) {
				begin = func(ctx context.Context, fn func(Tx) error) error { return WriteAlone(ctx, db, fn) }
			}
			out[i] = begin(ctx(i), func(tx Tx) error {
				if i == 0 {
					<-queued
				}
				return write(tx)
			})
		})
		synctest.Wait()
	}
	close(queued)
	all.Wait()
	return out
}

// Writes that wait for each other share a transaction, and each is whole or
// leaves nothing.
func TestWritesTogether(t *testing.T) {
	errNo := errors.New("no")
	put := func(tx Tx, n int) error {
		_, err := tx.Exec(context.Background(), "INSERT INTO numbers VALUES ($1)", n)
		return err
	}
	ok := func(n int) func(Tx) error { return func(tx Tx) error { return put(tx, n) } }
	fails := func(n int) func(Tx) error {
		return func(tx Tx) error { return errors.Join(put(tx, n), errNo) }
	}
	panics := func(n int) func(Tx) error {
		return func(tx Tx) error { panic(put(tx, n)) }
	}
	undoes := func(n int) func(Tx) error { // as SQLite does by itself when the disk is full
		return func(tx Tx) error {
			_, err := tx.Exec(context.Background(), "INSERT OR ROLLBACK INTO numbers VALUES ($1)", n)
			return err
		}
	}
	many := []func(Tx) error{ok(100)}
	for n := range 2 * maxTurns {
		many = append(many, ok(n))
	}
	for name, tt := range map[string]struct {
		writes []func(Tx) error
		failed []int
		found  int // numbers, afterwards
		alone  func(i int) bool
	}{
		"all are well":                 {[]func(Tx) error{ok(1), ok(2), ok(3)}, nil, 3, nil},
		"one alone":                    {[]func(Tx) error{fails(1)}, []int{0}, 0, nil},
		"the first fails":              {[]func(Tx) error{fails(1), ok(2), ok(3)}, []int{0}, 2, nil},
		"one between fails":            {[]func(Tx) error{ok(1), fails(2), ok(3)}, []int{1}, 2, nil},
		"the last panics":              {[]func(Tx) error{ok(1), ok(2), panics(3)}, []int{2}, 2, nil},
		"all fail":                     {[]func(Tx) error{fails(1), panics(2), fails(3)}, []int{0, 1, 2}, 0, nil},
		"more than a transaction has":  {many, nil, len(many), nil},
		"SQLite undoes all":            {[]func(Tx) error{ok(1), ok(2), undoes(1), ok(4)}, []int{0, 1, 2}, 1, nil},
		"a number that is there twice": {[]func(Tx) error{ok(1), ok(1), ok(2)}, []int{1}, 2, nil},
		// What SQLite does to one that is alone is nothing to the others.
		"the second is alone, undone":  {[]func(Tx) error{ok(1), undoes(1), ok(2)}, []int{1}, 2, func(i int) bool { return i == 1 }},
		"the first is alone and fails": {[]func(Tx) error{fails(1), ok(2), ok(3)}, []int{0}, 2, func(i int) bool { return i == 0 }},
		"all are alone":                {[]func(Tx) error{ok(1), ok(2), fails(3), ok(4)}, []int{2}, 3, func(int) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				}()
				err = db.Write(t.Context(), func(tx Tx) error {
					_, err := tx.Exec(t.Context(), "CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				var failed []int
				for i, err := range crowd(t, db, tt.alone, func(int) context.Context { return t.Context() }, tt.writes...) {
					if err != nil {
						failed = append(failed, i)
					}
				}
				var found int64
				err = db.Read(t.Context(), func(tx Tx) (err error) {
					found, err = Get[int64](t.Context(), tx, "SELECT count(*) FROM numbers")
					return err
				})
				if err != nil || !slices.Equal(failed, tt.failed) || int(found) != tt.found {
					t.Errorf("error %v; %v failed, want %v; %d numbers, want %d", err, failed, tt.failed, found, tt.found)
				}
			})
		})
	}
}

// Whoever stops waiting for a turn leaves the others theirs.
func TestWriteGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		ran := make([]bool, 4)
		run := func(i int) func(Tx) error {
			return func(Tx) error {
				ran[i] = true
				if i == 0 {
					cancel()
					synctest.Wait()
				}
				return nil
			}
		}
		errs := crowd(t, db, nil, func(i int) context.Context {
			if i == 2 {
				return gone
			}
			return t.Context()
		}, run(0), run(1), run(2), run(3))
		if !slices.Equal(ran, []bool{true, true, false, true}) || !errors.Is(errs[2], context.Canceled) || errors.Join(errs[0], errs[1], errs[3]) != nil {
			t.Errorf("ran %v, errors %v", ran, errs)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Write(t.Context(), func(Tx) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
	})
}

// Who is to go first does so, before those who have waited for longer, but for others
// of the same kind.
func TestFirstGoesFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := OpenSQLite(t.Context(), path, Rebuildable)
		if err != nil {
			t.Fatal(err)
		}
		ahead := First(db)
		var order []int
		queued := make(chan struct{})
		var all sync.WaitGroup
		for i, as := range []DB{db, db, db, ahead, db, ahead} {
			all.Go(func() {
				err := as.Write(t.Context(), func(Tx) error {
					if i == 0 {
						<-queued
					}
					order = append(order, i) // one writes at a time
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(queued)
		all.Wait()
		if want := []int{0, 3, 5, 1, 2, 4}; !slices.Equal(order, want) {
			t.Errorf("they wrote in the order %v, want %v", order, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

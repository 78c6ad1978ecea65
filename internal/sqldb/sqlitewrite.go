package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// SQLite has one writer at a time. Whoever has to wait for it joins the
// transaction that is open: each Write but the first runs in a savepoint of its
// own, so that one which fails takes nothing with it, and they are committed
// together. A commit costs more than what most of them write, and, where it is
// durable, the disk does one sync for all of them.
//
// In a savepoint SQLite copies each page before a statement changes it, so who
// writes much has a transaction of its own: WriteAlone.

const maxTurns = 32 // Writes in a transaction

// shared is an open transaction.
type shared struct {
	conn  *liteConn
	alone bool         // nobody may join
	done  []chan error // of the Writes in it: receives what became of the transaction
	runs  int          // Writes that have run in it, those that failed among them
}

// turns is the queue of those who write.
type turns struct {
	mu      sync.Mutex
	taken   bool // somebody has the turn
	waiting []turn
}

// turn is one who waits.
type turn struct {
	tx    chan *shared // has room for one
	alone bool         // does not join a transaction
	first bool         // goes before those who are not
}

// wait returns when it is the caller's turn, with the transaction to join, or
// nil to begin one. The caller passes the turn on.
func (t *turns) wait(ctx context.Context, closed <-chan struct{}, alone, first bool) (*shared, error) {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil, nil //nolint:nilnil // as it says above
	}
	mine := turn{make(chan *shared, 1), alone, first}
	at := len(t.waiting)
	if first {
		if behind := slices.IndexFunc(t.waiting, func(o turn) bool { return !o.first }); behind >= 0 {
			at = behind
		}
	}
	t.waiting = slices.Insert(t.waiting, at, mine)
	t.mu.Unlock()
	var err error
	select {
	case tx := <-mine.tx:
		return tx, nil
	case <-closed:
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	t.mu.Lock()
	if i := slices.Index(t.waiting, mine); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.mu.Unlock()
		return nil, err
	}
	t.mu.Unlock()
	return <-mine.tx, nil // it was just given: to be used, or passed on
}

// pass gives the turn to the next in the queue, with the transaction that is
// open, if any. It reports whether there was one; a transaction that nobody took
// keeps the turn.
func (t *turns) pass(tx *shared) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.taken = tx != nil
		return false
	}
	if tx != nil && t.waiting[0].alone {
		return false
	}
	t.waiting[0].tx <- tx // never blocks
	t.waiting = slices.Delete(t.waiting, 0, 1)
	return true
}

func (db *liteDB) Write(ctx context.Context, fn func(Tx) error) error {
	return db.write(ctx, fn, false, false)
}

// First returns db for those who write little and are waited for: on SQLite, where one
// writes at a time, they go before all others in the queue. There have to be few.
func First(db DB) DB {
	if lite, ok := db.(*liteDB); ok {
		return first{lite}
	}
	return db
}

type first struct{ *liteDB }

func (db first) Write(ctx context.Context, fn func(Tx) error) error {
	return db.write(ctx, fn, false, true)
}

// WriteAlone is db.Write for whoever writes much.
func WriteAlone(ctx context.Context, db DB, fn func(Tx) error) error {
	if lite, ok := db.(*liteDB); ok {
		return lite.write(ctx, fn, true, false)
	}
	return db.Write(ctx, fn)
}

func (db *liteDB) write(ctx context.Context, fn func(Tx) error, alone, first bool) (err error) {
	tx, err := db.turns.wait(ctx, db.closed, alone, first)
	if err != nil {
		return err
	}
	if tx == nil {
		if tx, err = db.begin(ctx); err != nil {
			db.turns.pass(nil)
			return err
		}
		tx.alone = alone
	}
	written := false
	defer func() { // also if fn panics
		if !written {
			db.next(tx)
		}
	}()
	if err := tx.run(ctx, fn); err != nil {
		return err
	}
	written = true
	done := make(chan error, 1)
	tx.done = append(tx.done, done)
	db.next(tx)
	return <-done
}

// begin opens a transaction that holds the write lock of the file.
func (db *liteDB) begin(ctx context.Context) (*shared, error) {
	c, err := db.lend(ctx, db.writer)
	if err != nil {
		return nil, err
	}
	err = c.within(ctx, busyTimeout, func() error {
		_, err := c.exec("BEGIN IMMEDIATE", nil)
		return err
	})
	if err != nil {
		db.writer.put(c)
		return nil, fmt.Errorf("begin: %w", err)
	}
	return &shared{conn: c}, nil
}

// run runs one Write in the transaction. If it fails, or panics, nothing is left
// of it; in the worst case nothing of the transaction.
func (tx *shared) run(ctx context.Context, fn func(Tx) error) (err error) {
	c := tx.conn
	tx.runs++
	if ctx.Err() != nil { // the turn came when the caller was about to go
		return context.Cause(ctx)
	}
	first := tx.runs == 1
	if !first {
		if _, err := c.exec("SAVEPOINT turn", nil); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	done := false
	defer func() {
		switch {
		case done || c.conn.AutocommitEnabled():
		case first:
			err = errors.Join(err, c.rollback())
		default:
			_, err1 := c.exec("ROLLBACK TO turn", nil)
			_, err2 := c.exec("RELEASE turn", nil)
			if e := errors.Join(err1, err2); e != nil {
				err = errors.Join(err, fmt.Errorf("roll back: %w", e), c.rollback())
			}
		}
	}()
	arming := ctx
	if len(tx.done) > 0 {
		// SQLite undoes the whole transaction of a statement that is interrupted.
		arming = context.WithoutCancel(ctx)
	}
	if err := c.call(arming, fn); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !first {
		if _, err := c.exec("RELEASE turn", nil); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	done = true
	return nil
}

var errUndone = errors.New("another write of the same transaction failed, and SQLite undid them all")

// next has the next Write run in the transaction, or ends it.
func (db *liteDB) next(tx *shared) {
	alive := !tx.conn.conn.AutocommitEnabled()
	if alive && !tx.alone && tx.runs < maxTurns && db.turns.pass(tx) {
		return
	}
	var err error
	switch {
	case !alive:
		err = errUndone
	case len(tx.done) == 0:
		err = tx.conn.rollback()
	default:
		err = tx.conn.beforeCommit(tx.alone)
		if err == nil {
			_, err = tx.conn.exec("COMMIT", nil)
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("commit: %w", err), tx.conn.rollback())
		}
	}
	for _, done := range tx.done {
		done <- err
	}
	c := tx.conn
	switch {
	case !c.conn.AutocommitEnabled(): // it is not used again
		_ = c.close() // err has said what is wrong
		c = nil
	case err == nil && !tx.alone && len(tx.done) > 0:
		db.afterCommit(c)
	}
	db.writer.put(c)
	db.turns.pass(nil)
}

package sqldb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"
)

const (
	walPages      = 4_000 // in the WAL after which a transaction of WriteAlone moves it into the file
	walStatements = 1_000 // of shared transactions after which the WAL is moved beside them
	walMoves      = 4     // after which the writer moves what is left, and the WAL begins anew

	walPatience = 100 * time.Millisecond // with readers that keep the WAL from beginning anew
)

// walMover moves the WAL into the file beside the transactions. To move some
// thousand pages takes as long as dozens of small transactions, and who commits
// would have everybody wait for it. What is written meanwhile is little: once in
// a while the writer moves that by itself, so that the next transaction begins
// the WAL anew.
//
// It moves little at a time: while the disk takes a sync of many MB, it keeps
// those waiting who sync other files, such as the log.
type walMover struct {
	state   atomic.Int32
	running sync.WaitGroup

	// Of whoever has the turn to write:
	since int // statements of the writer when it was last begun
	moves int // since the WAL began anew

	conn *liteConn // of the goroutine that moves, and of Close when it has ended; nil until it is needed
}

// States of a walMover.
const (
	walIdle = iota
	walMoving
	walMoved // but for what was written meanwhile
)

const moveWAL = "PRAGMA wal_checkpoint(PASSIVE)" // waits for nobody

// beforeCommit says who moves the WAL after this transaction.
func (c *liteConn) beforeCommit(alone bool) error {
	if c.ownWAL == alone {
		return nil
	}
	pages := 0
	if alone {
		pages = walPages
	}
	// It takes effect when it is prepared, so it cannot be kept.
	if err := sqlitex.ExecuteTransient(c.conn, fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pages), nil); err != nil {
		return err
	}
	c.ownWAL = alone
	return nil
}

// afterCommit moves, or has moved, what is due. The caller has the turn to write.
func (db *liteDB) afterCommit(c *liteConn) {
	m := &db.wal
	switch m.state.Load() {
	case walIdle:
		if c.runs-m.since < walStatements && c.runs >= m.since { // less: it is a new connection
			return
		}
		m.since = c.runs
		m.state.Store(walMoving)
		m.running.Go(func() {
			db.moveWAL()
			m.state.Store(walMoved)
		})
	case walMoved:
		m.state.Store(walIdle)
		if m.moves++; m.moves < walMoves {
			return
		}
		if m.moves = 0; !c.beginWAL() {
			m.moves = walMoves / 2
		}
	}
}

// beginWAL moves what is left, and waits for those who still read it in the WAL:
// as long as there is one, and where many read there always is, the WAL would only
// grow. Who begins to read meanwhile finds everything in the file. It returns
// false if a reader takes too long: then it is tried again before long.
func (c *liteConn) beginWAL() bool {
	busy := true
	err := c.within(context.Background(), walPatience, func() error {
		return c.query("PRAGMA wal_checkpoint(RESTART)", nil, func(r Row) error {
			busy = r.lite.ColumnBool(0)
			return nil
		})
	})
	return err == nil && !busy
}

// moveWAL moves on a connection of its own. If it fails, there will be more to
// move the next time.
func (db *liteDB) moveWAL() {
	m := &db.wal
	if m.conn == nil {
		c, err := openLite(context.Background(), db.path, db.opts, true)
		if err != nil {
			return
		}
		m.conn = c
	}
	if _, err := m.conn.exec(moveWAL, nil); err != nil {
		_ = m.conn.close() // the next one may do better
		m.conn = nil
	}
}

// close waits for what is being moved.
func (m *walMover) close() error {
	m.running.Wait()
	return m.conn.close()
}

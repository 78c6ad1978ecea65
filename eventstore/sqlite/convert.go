package sqlite

import (
	"context"
	"errors"
	"fmt"

	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/chatledger/chatledger/eventstore"
)

// Limits of one transaction that moves events into blocks.
const (
	convertEvents = 10_000
	convertBytes  = 16 << 20
)

// convert moves the events of a log of schema 1, in which each is a row of the
// table events, into blocks. It may be interrupted and goes on at the next Open;
// nobody appends before it is done.
func (s *Store) convert(ctx context.Context, conn *sqlite3.Conn) error {
	for moved := 0; ; {
		if old, err := hasOld(conn); err != nil || !old {
			return err
		}
		n, err := s.convertSome(conn)
		if err != nil {
			return fmt.Errorf("move events into blocks: %w", err)
		}
		if moved += n; n > 0 {
			s.log.Info("move events of an older log into blocks", "moved", moved)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func hasOld(conn *sqlite3.Conn) (bool, error) {
	stmt, err := conn.Prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'events'")
	if err != nil {
		return false, err
	}
	n, err := one(stmt)
	return n > 0, err
}

// convertSome moves some events in one transaction, or drops the old tables if
// there are none left.
func (s *Store) convertSome(conn *sqlite3.Conn) (n int, err error) {
	err = s.untilFree(func() error { return sqlitex.ExecuteTransient(conn, "BEGIN IMMEDIATE", nil) })
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil && !conn.AutocommitEnabled() {
			err = errors.Join(err, sqlitex.ExecuteTransient(conn, "ROLLBACK", nil))
		}
	}()
	if old, err := hasOld(conn); err != nil || !old { // another process has just finished
		return 0, errors.Join(err, sqlitex.ExecuteTransient(conn, "ROLLBACK", nil))
	}
	c := converter{pieces: pieces{}}
	if err := c.open(conn); err != nil {
		return 0, err
	}
	if err := c.move(); err != nil {
		return 0, err
	}
	if c.moved == 0 {
		for _, table := range []string{"events", "types"} {
			if err := sqlitex.ExecuteTransient(conn, "DROP TABLE IF EXISTS "+table, nil); err != nil {
				return 0, err
			}
		}
	} else if err := sqlitex.Execute(conn, "DELETE FROM events WHERE position <= ?", &sqlitex.ExecOptions{Args: []any{c.last}}); err != nil {
		return 0, err
	}
	return c.moved, sqlitex.ExecuteTransient(conn, "COMMIT", nil)
}

// converter makes blocks, and their index, of rows of the table events.
type converter struct {
	rows, add *sqlite3.Stmt
	index     indexer
	target    int // bytes of a block

	blocks builder
	at     int64 // when the block's first event was recorded
	last   int64 // position of the last event
	moved  int
	pieces pieces
}

func (c *converter) open(conn *sqlite3.Conn) error {
	pageSize, err := pragma(conn, "page_size")
	if err != nil {
		return err
	}
	c.target = pageSize - leafHeader - rowHeader - leafSpare
	c.rows, err = conn.Prepare("SELECT e.position, e.name, e.revision, t.name, e.recorded_at, e.id, e.meta, e.data" +
		" FROM events e JOIN types t ON t.id = e.type ORDER BY e.position LIMIT ?")
	if err != nil {
		return err
	}
	if c.add, err = conn.Prepare(insertBlock); err != nil {
		return err
	}
	r, err := newReader(conn)
	if err != nil {
		return err
	}
	return c.index.open(r)
}

// move moves the first events that there are.
func (c *converter) move() (err error) {
	defer func() {
		if e := c.rows.Reset(); err == nil {
			err = e
		}
	}()
	c.rows.BindInt64(1, convertEvents)
	for size := 0; size < convertBytes; {
		row, err := c.rows.Step()
		if err != nil {
			return err
		}
		if !row {
			break
		}
		n, err := c.event()
		if err != nil {
			return err
		}
		size += n
	}
	if err := c.endBlock(); err != nil || c.moved == 0 {
		return err
	}
	c.index.take(c.pieces, c.last, c.moved)
	_, err = c.index.move(len(c.pieces))
	return err
}

// event moves the event in the row and returns its size.
func (c *converter) event() (size int, err error) {
	row := c.rows
	stream, rev, at := row.ColumnText(1), eventstore.Revision(row.ColumnInt64(2)), row.ColumnInt64(4)
	e := eventstore.Event{Type: row.ColumnText(3), Meta: make([]byte, row.ColumnLen(6)), Data: make([]byte, row.ColumnLen(7))}
	row.ColumnBytes(5, e.ID[:])
	row.ColumnBytes(6, e.Meta)
	row.ColumnBytes(7, e.Data)
	size = sizeInBlock(stream, &e)
	if c.blocks.size()+size > c.target || at < c.at {
		if err := c.endBlock(); err != nil {
			return 0, err
		}
	}
	if c.blocks.n == 0 {
		c.at = at
	}
	c.blocks.add(stream, rev, &e, at-c.at)
	c.last = row.ColumnInt64(0)
	c.moved++
	p := c.pieces[stream]
	if p == nil {
		p = &piece{first: rev}
		c.pieces[stream] = p
	}
	p.entries = append(p.entries, entry{c.last, fingerprint(e.ID)})
	return size, nil
}

func (c *converter) endBlock() error {
	n := c.blocks.n
	if n == 0 {
		return nil
	}
	heads, body := c.blocks.finish()
	err := addBlock(c.add, c.last, n, c.at, heads, body)
	c.blocks.reset()
	return err
}

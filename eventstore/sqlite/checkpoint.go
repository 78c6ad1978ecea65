package sqlite

import (
	"errors"
	"fmt"

	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// defaultWAL is after how many bytes the WAL is moved into the file.
const defaultWAL = 16 << 20

// mover moves the WAL into the file beside the appends. What they add meanwhile
// is little: the writer moves that by itself, between two transactions, so that
// the next one begins the WAL anew. Without that it would grow without end.
type mover struct {
	begin chan struct{} // receives when there is enough to move
	moved chan struct{} // receives when most of it has been moved
}

func newMover() mover {
	return mover{begin: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
}

// run moves, until Close.
func (m *mover) run(s *Store) {
	for {
		select {
		case <-m.begin:
		case <-s.done:
			return
		}
		err := m.move(s)
		if err != nil {
			s.log.Warn("move WAL into the log", "error", err)
		}
		m.moved <- struct{}{}
	}
}

// move uses a connection of its own, which is opened each time: it is not often,
// and there is none that could fail for ever.
func (m *mover) move(s *Store) (err error) {
	conn, err := sqlite3.OpenConn(s.path, sqlite3.OpenReadWrite)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA checkpoint_fullfsync = on", nil); err != nil {
		return fmt.Errorf("set full fsync: %w", err)
	}
	return moveWAL(conn)
}

// moveWAL moves as much as it can without waiting for anybody.
func moveWAL(conn *sqlite3.Conn) error {
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(PASSIVE)", nil); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

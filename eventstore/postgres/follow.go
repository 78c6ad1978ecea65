package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatledger/chatledger/eventstore"
)

// growth wakes followers when the log has grown.
type growth struct {
	mu    sync.Mutex
	head  eventstore.Position
	grown chan struct{} // closed and replaced when head grows
}

// watch returns a channel that is closed when the log grows. Watch first, then
// read: what the read has missed closes the channel.
func (g *growth) watch() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.grown
}

// advance says that the log is known to reach p.
func (g *growth) advance(p eventstore.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p > g.head {
		g.head = p
		close(g.grown)
		g.grown = make(chan struct{})
	}
}

// tellOthers asks for a notification to the other processes.
func (s *Store) tellOthers() {
	select {
	case s.changed <- struct{}{}:
	default: // one that is not out yet will do
	}
}

// notifySpacing bounds how often other processes are woken. Each time is a
// transaction, small as it is, beside the appends.
const notifySpacing = 10 * time.Millisecond

// notify sends what tellOthers asks for. It is not part of an append: NOTIFY
// takes a lock on the whole server at its commit. What gets lost is made good by
// the poll of listen.
func (s *Store) notify() {
	for {
		select {
		case <-s.changed:
		case <-s.life.Done():
			return
		}
		ctx, cancel := s.operation(context.Background())
		_, err := s.pool.Exec(ctx, "SELECT pg_notify($1, '') FROM set_config('synchronous_commit', 'off', true)", s.opts.schema)
		cancel()
		if err != nil && s.life.Err() == nil {
			s.opts.logger.Debug("event log: notification not sent", slog.Any("error", err))
		}
		s.pause(notifySpacing)
	}
}

// pause waits for d or the end of the store.
func (s *Store) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.life.Done():
	}
}

// listenOnce starts listen with the first follower: a store without followers
// needs no connection for it.
func (s *Store) listenOnce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.listening && s.life.Err() == nil {
		s.listening = true
		s.wg.Go(s.listen)
	}
}

// listen looks where the log ends whenever it is notified and at each poll, for
// all followers. If the database is away, it tries again at each poll.
func (s *Store) listen() {
	for warned := false; s.life.Err() == nil; s.pause(s.opts.poll) {
		err := s.listenWith(&warned)
		if s.life.Err() == nil && !warned {
			warned = true
			s.opts.logger.Warn("event log: connection for followers lost", slog.Any("error", err))
		}
	}
}

// listenWith listens on a new connection until that fails. It clears warned when
// the connection works.
func (s *Store) listenWith(warned *bool) error {
	ctx, cancel := s.operation(context.Background())
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // it is given up either way
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.opts.schema}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	*warned = false
	for {
		if err := s.look(conn); err != nil {
			return err
		}
		// The payload is not believed: anyone may notify.
		wait, cancel := context.WithTimeout(s.life, s.opts.poll)
		_, err := conn.WaitForNotification(wait)
		timedOut := wait.Err() != nil
		cancel()
		if s.life.Err() != nil || err != nil && (!timedOut || conn.IsClosed()) {
			return err
		}
	}
}

// look reads where the log ends.
func (s *Store) look(conn *pgx.Conn) error {
	ctx, cancel := s.operation(context.Background())
	defer cancel()
	var head eventstore.Position
	if err := conn.QueryRow(ctx, headSQL).Scan(&head); err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	s.growth.advance(head)
	return nil
}

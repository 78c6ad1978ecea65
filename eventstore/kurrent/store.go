// Package kurrent keeps the log in KurrentDB (EventStoreDB), a server or a cluster,
// over its gRPC protocol.
//
// Positions are the server's commit positions: they grow, with holes. What is in the
// same database and not ours is passed on as it is, but for what the server writes
// for itself: events whose type begins with "$", links among them.
//
// It speaks the protocol with the messages of EventStore-Client-Go rather than with
// its client, whose calls wait without regard to their context while it looks for a
// node, and which cannot filter what it reads; docs/adr/0014-kurrentdb.md says more.
//
// The server must tell the position of each event that is read from a stream, and
// when a subscription has caught up: EventStoreDB 23.10 and later do, and KurrentDB.
// It refuses an append of more than its MaxAppendSize, which is 1 MB unless it is set.
package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Bounds of one store.
const (
	callTime    = 10 * time.Second // for an append, unless the connection string says otherwise
	answerTime  = 30 * time.Second // for the next event of a read
	pageEvents  = 500              // events that are read at a time
	pageBytes   = 8 << 20          // bytes of them, about
	retryTime   = 30 * time.Second // how long a read tries to go on after the connection was lost
	soon        = 100 * time.Millisecond
	firstPause  = 50 * time.Millisecond
	longPause   = 2 * time.Second
	knownEvents = 500_000 // ids of events that are kept, to find repeats
)

// LookBack is how many events at the end of a stream are searched for those of an
// append, to tell a repeat of it. The server itself knows only those right behind
// the expected revision.
const LookBack = 10_000

// ErrDeleted reports a stream that was deleted for ever (tombstoned): it can neither
// be read nor written to again.
var ErrDeleted = errors.New("kurrent: the stream was deleted for ever")

// The store's id is kept as metadata of a stream that has no events, so that no
// reader of the log meets it.
const (
	idStream     = "$$chatledger"
	idProperty   = "chatledger_store"
	metadataType = "$metadata"
)

// Store implements eventstore.Store.
type Store struct {
	nodes *nodes // for calls
	subs  *nodes // for subscriptions, which would use up the streams of a connection
	wait  time.Duration
	id    uuid.UUID
	known *known

	life  context.Context
	close context.CancelFunc
	busy  sync.WaitGroup
	enter sync.Mutex // nobody becomes busy once Close waits
}

var _ eventstore.Store = (*Store)(nil)

// Open connects to the server that a connection string names, esdb://… or
// kurrentdb://…, see docs/operations.md. A database without an id of ours gets one.
func Open(ctx context.Context, connection string) (*Store, error) {
	cfg, err := parseConnection(connection)
	if err != nil {
		return nil, err
	}
	s := &Store{nodes: newNodes(cfg), subs: newNodes(cfg), wait: callTime, known: newKnown(knownEvents)}
	if cfg.DefaultDeadline != nil {
		s.wait = *cfg.DefaultDeadline
	}
	//nolint:contextcheck // what the store does ends with it, not with its opening
	s.life, s.close = context.WithCancel(context.Background())
	opening, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	if s.id, err = s.identify(opening); err != nil {
		return nil, errors.Join(fmt.Errorf("open KurrentDB: %w", err), s.Close())
	}
	return s, nil
}

// Close ends what is going on and refuses what comes later with ErrClosed. It may be
// called more than once.
func (s *Store) Close() error {
	s.enter.Lock()
	s.close()
	s.enter.Unlock()
	s.busy.Wait()
	return errors.Join(s.nodes.close(), s.subs.close())
}

// begin returns the context of something that Close ends, and what to call after it.
func (s *Store) begin(ctx context.Context) (context.Context, func(), error) {
	s.enter.Lock()
	defer s.enter.Unlock()
	if s.life.Err() != nil {
		return nil, nil, eventstore.ErrClosed
	}
	s.busy.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		s.busy.Done()
	}, nil
}

// because returns err, or what led to it: that the store was closed, or the caller's
// context ended.
func (s *Store) because(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case s.life.Err() != nil:
		return eventstore.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	// The end of a context's time may be noticed by gRPC a moment before the context
	// says so.
	if at, ok := ctx.Deadline(); ok && errors.Is(err, context.DeadlineExceeded) && time.Until(at) < soon { //nolint:forbidigo // compared with a deadline of the real clock
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// identify reads the id of the database, and gives it one if it has none.
func (s *Store) identify(ctx context.Context) (uuid.UUID, error) {
	for range 3 { // others may do the same at this moment
		page, err := s.page(ctx, readStream(idStream, false, 0, 1))
		if err != nil {
			return uuid.Nil, err
		}
		if len(page.events) > 0 {
			var m map[string]any
			if err := json.Unmarshal(page.events[0].Data, &m); err != nil {
				return uuid.Nil, fmt.Errorf("metadata of %s: %w", idStream[2:], err)
			}
			text, _ := m[idProperty].(string)
			id, err := uuid.Parse(text)
			if err != nil {
				return uuid.Nil, fmt.Errorf("the metadata of stream %s has no %s: somebody else uses that name", idStream[2:], idProperty)
			}
			return id, nil
		}
		data, err := json.Marshal(map[string]string{idProperty: uuid.NewString()})
		if err != nil {
			return uuid.Nil, err
		}
		_, err = s.send(ctx, idStream, eventstore.NoStream, []eventstore.Event{{ID: uuid.New(), Type: metadataType, Data: data}})
		if err != nil && !errors.Is(err, eventstore.ErrConflict) {
			return uuid.Nil, fmt.Errorf("give the database an id: %w", err)
		}
	}
	return uuid.Nil, errors.New("the database's id cannot be read back")
}

// Head implements eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Head, error) {
	within, end, err := s.begin(ctx)
	if err != nil {
		return eventstore.Head{}, err
	}
	defer end()
	at, err := s.head(within)
	return eventstore.Head{Store: s.id, Position: at, Sparse: true}, s.because(ctx, err)
}

// head returns the position of the last event that is not the server's own.
func (s *Store) head(ctx context.Context) (eventstore.Position, error) {
	page, err := s.page(ctx, readAll(true, 0, 1, ownEvents()))
	return page.end(), err
}

// end returns the position of the event that a page of one has, or 0 if it has none.
func (p page) end() eventstore.Position {
	if len(p.events) == 0 {
		return 0
	}
	return p.events[0].Position
}

// sameStore makes sure that the server, to which the connection was lost, still has
// the same database.
func (s *Store) sameStore(ctx context.Context) error {
	id, err := s.identify(ctx)
	if err != nil {
		return err
	}
	if id != s.id {
		return fmt.Errorf("kurrent: the database was exchanged for another: its id is %s, it was %s", id, s.id)
	}
	return nil
}

// pause waits before another try, longer each time.
func pause(ctx context.Context, attempt int) {
	wait := min(firstPause<<min(attempt, 10), longPause)
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

package viewstest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// Ledger is a log and the views that the real runner makes of it.
type Ledger struct {
	DB     sqldb.DB
	cfg    projections.Config
	codec  codec.Codec[codec.Event]
	waiter *projections.Waiter
	names  []string
	last   eventstore.Position
}

// Parts are what only tests may know: a driver, a server and a clock.
type Parts struct {
	Log      func() eventstore.Store // a new, empty one
	Postgres func(testing.TB) string // URL of a new, empty database
	Now      func() time.Time
}

// OnBoth runs a test with an empty ledger on each database.
func OnBoth(t *testing.T, parts Parts, views []func() projections.Projection, test func(*testing.T, *Ledger)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "views.db"), sqldb.Rebuildable)
		run(t, parts, db, err, views, test)
	})
	t.Run("postgres", func(t *testing.T) {
		db, err := sqldb.OpenPostgres(t.Context(), parts.Postgres(t), "test_views", sqldb.Rebuildable)
		run(t, parts, db, err, views, test)
	})
}

func run(t *testing.T, parts Parts, db sqldb.DB, err error, views []func() projections.Projection, test func(*testing.T, *Ledger)) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &Ledger{DB: db, codec: codec.New(catalogue()), waiter: projections.NewWaiter(db)}
	l.cfg = projections.Config{
		Store: parts.Log(), DB: db, Waiter: l.waiter, Projections: views, Now: parts.Now, BatchSize: 100,
		Decode: func(r eventstore.Recorded) (any, error) { return l.codec.Decode(r) },
	}
	for _, view := range views {
		l.names = append(l.names, view().Name())
	}
	runner, err := projections.NewRunner(t.Context(), l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	test(t, l)
}

func catalogue() (all []codec.Event) {
	add(&all, chat.Events)
	add(&all, order.Events)
	add(&all, agent.Events)
	add(&all, team.Events)
	add(&all, tag.Events)
	add(&all, status.Events)
	add(&all, channel.Events)
	add(&all, workspace.Events)
	add(&all, webhook.Events)
	add(&all, bulk.Events)
	add(&all, contact.Events)
	add(&all, attribute.Events)
	add(&all, quickreply.Events)
	add(&all, savedview.Events)
	add(&all, template.Events)
	add(&all, customview.Events)
	add(&all, call.Events)
	add(&all, group.Events)
	add(&all, members.Events)
	add(&all, campaign.Events)
	return all
}

func add[E codec.Event](all *[]codec.Event, events []E) {
	for _, e := range events {
		*all = append(*all, e)
	}
}

// Record appends facts to a stream, as done by agent ann of Workspace; what a
// customer does is done by Customer.
func (l *Ledger) Record(t testing.TB, stream string, facts ...codec.Event) {
	t.Helper()
	l.RecordIn(t, Workspace, stream, facts...)
}

// RecordIn is Record in another workspace.
func (l *Ledger) RecordIn(t testing.TB, workspace, stream string, facts ...codec.Event) {
	t.Helper()
	events := make([]eventstore.Event, len(facts))
	for i, f := range facts {
		meta := eventstore.Metadata{Workspace: workspace, Actor: "ann", ActorKind: "agent", Command: "test"}
		switch f.(type) {
		case chat.Opened, chat.MessageReceived, chat.ReactionReceived, chat.SystemNoticed:
			meta.Actor, meta.ActorKind = Customer, "customer"
		}
		e, err := l.codec.Encode(uuid.New(), f, meta)
		if err != nil {
			t.Fatal(err)
		}
		events[i] = e
	}
	r, err := l.cfg.Store.Append(t.Context(), stream, eventstore.Any, events...)
	if err != nil {
		t.Fatal(err)
	}
	l.last = r.Position
}

// Replay appends a story as it was recorded.
func (l *Ledger) Replay(t testing.TB, events []projections.Event) {
	t.Helper()
	for _, e := range events {
		r, err := l.codec.Encode(e.ID, e.Fact.(codec.Event), e.Meta)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.cfg.Store.Append(t.Context(), e.Stream, eventstore.Any, r)
		if err != nil {
			t.Fatal(err)
		}
		l.last = max(l.last, res.Position) // a story may tell a thing twice
	}
}

// Read calls fn with a transaction once the views show all that was recorded.
func (l *Ledger) Read(t testing.TB, fn func(tx sqldb.Tx)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.waiter.Wait(ctx, l.last, l.names...); err != nil {
		t.Fatal(err)
	}
	err := l.DB.Read(ctx, func(tx sqldb.Tx) error {
		fn(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Rebuild rebuilds every view; Rollback brings the tables before that back.
func (l *Ledger) Rebuild(t testing.TB) {
	t.Helper()
	if err := projections.RebuildAll(t.Context(), l.cfg, l.names, nil); err != nil {
		t.Fatal(err)
	}
}

// Rollback undoes a Rebuild.
func (l *Ledger) Rollback(t testing.TB) {
	t.Helper()
	for _, name := range l.names {
		if err := projections.Rollback(t.Context(), l.cfg, name); err != nil {
			t.Fatal(err)
		}
	}
}

// Verify fails t unless every view is, row for row, what a rebuild gives, and
// nothing was parked.
func (l *Ledger) Verify(t testing.TB) {
	t.Helper()
	l.Read(t, func(sqldb.Tx) {})
	for _, name := range l.names {
		diff, err := projections.Verify(t.Context(), l.cfg, name)
		if err != nil {
			t.Fatal(err)
		}
		if diff.Different > 0 || diff.Checkpoint < l.last {
			t.Errorf("%s differs from its rebuild: %s", name, fmt.Sprintf("%+v", diff))
		}
	}
	parked, err := projections.ReadStatus(t.Context(), l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range parked {
		if s.Parked > 0 {
			t.Errorf("%s has parked %d events: %+v", s.Name, s.Parked, s)
		}
	}
}

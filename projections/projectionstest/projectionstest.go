// Package projectionstest folds events for the tests of views, without a
// database. It must not be imported by anything but tests.
package projectionstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

// Tables holds the rows of each table, by its name, sorted by key.
type Tables = map[string][]any

// Fold folds events into empty tables and returns them. It does so twice, as
// one batch and one event at a time, and fails t if the results differ: a view
// must not depend on where batches are cut. It takes p over.
//
// Positions, revisions and times that are zero are filled in: 1, 2, 3 …, from 0
// in each stream, and as many seconds after 1970 as the position says.
func Fold(t testing.TB, p projections.Projection, events ...projections.Event) Tables {
	t.Helper()
	events = Fill(events...)
	one := projections.NewMemory(p)
	for _, e := range events {
		if err := one.Apply(e); err != nil {
			t.Fatalf("fold %s@%d: %v", e.Stream, e.Revision, err)
		}
	}
	single := one.Tables()
	all := projections.NewMemory(p)
	if err := all.Apply(events...); err != nil {
		t.Fatalf("fold: %v", err)
	}
	got := all.Tables()
	if diff := cmp.Diff(single, got); diff != "" {
		t.Errorf("one batch (+) gives other rows than one event at a time (-):\n%s", diff)
	}
	return got
}

// Rows returns the rows of the table called name. R is the type of its rows.
func Rows[R any](tables Tables, name string) []R {
	rows, ok := tables[name]
	if !ok {
		panic(fmt.Sprintf("projectionstest: no table %s", name))
	}
	out := make([]R, len(rows))
	for i, r := range rows {
		out[i] = r.(R)
	}
	return out
}

// Event returns the event that fact happened in stream.
func Event(stream string, fact any) projections.Event {
	e := projections.Event{Fact: fact}
	e.Stream = stream
	if f, ok := fact.(interface{ EventType() string }); ok {
		e.Type = f.EventType()
	}
	return e
}

// Fill returns events with the positions, revisions and times that they lack.
func Fill(events ...projections.Event) []projections.Event {
	out := make([]projections.Event, len(events))
	next := map[string]eventstore.Revision{}
	var position eventstore.Position
	for i, e := range events {
		if e.Position == 0 {
			e.Position = position + 1
		}
		position = e.Position
		if e.Revision == 0 {
			e.Revision = next[e.Stream]
		}
		next[e.Stream] = e.Revision + 1
		if e.Time.IsZero() {
			e.Time = time.Unix(int64(e.Position), 0).UTC()
		}
		if e.Type == "" {
			e.Type = "test.v1"
		}
		out[i] = e
	}
	return out
}

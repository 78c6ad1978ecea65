package reactors_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/views"
)

// Every view is rebuilt from event zero, while the reactors run: nothing is sent
// again, nothing is handled again, and the log stays as it is. What is queued
// meanwhile goes out.
func TestARebuildHasNoEffect(t *testing.T) {
	s := newShop(t)
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "views.db"), sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	catalogue := commands.Codec()
	cfg := projections.Config{
		Store: s.store, DB: db, Projections: views.All(), Now: time.Now, Logger: slog.New(slog.DiscardHandler), Waiter: projections.NewWaiter(db),
		Decode: func(r eventstore.Recorded) (any, error) { return catalogue.Decode(r) },
	}
	runner, err := projections.NewRunner(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	running, stopViews := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := runner.Run(running); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stopViews()

	s.graph.Next(graphtest.Behaviour{}, graphtest.Behaviour{Status: 400, Code: 131026, Title: "Message undeliverable"}, graphtest.Behaviour{Cut: true, Take: true})
	for _, name := range []string{"01-text.json", "10-contact-card.json", "18-order.json", "42-call.json"} {
		s.post(fixture(t, name))
	}
	messages := map[chat.ID][]chat.MessageID{}
	for c := range 3 {
		id := s.open(fmt.Sprint("1555987000", c))
		for i := range 4 {
			messages[id] = append(messages[id], s.answer(id, fmt.Sprint(i)))
		}
	}
	h, _ := s.start()
	all := func() bool {
		for id, list := range messages {
			if !s.settled(id, list) {
				return false
			}
		}
		return s.count("webhook.translated.v1")+s.count("webhook.set_aside.v1") == 4
	}
	until(t, "everything has an outcome", all)
	until(t, "everything is handled", func() bool { return h.Stats()[0].Handled == 4 && h.Stats()[1].Handled == 12 })

	head, err := s.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	requests := s.graph.Requests()
	for _, newView := range views.All() {
		if err := projections.Rebuild(t.Context(), cfg, newView().Name(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := s.store.Head(t.Context()); err != nil || again != head {
		t.Errorf("the log grew from %d to %d, %v", head.Position, again.Position, err)
	}
	if got := s.graph.Requests(); got != requests || h.Stats()[0].Handled != 4 || h.Stats()[1].Handled != 12 {
		t.Errorf("%d requests, before %d; %+v", got, requests, h.Stats())
	}

	for id := range messages {
		messages[id] = append(messages[id], s.answer(id, "after"))
	}
	until(t, "what came after goes out", all)
	if got := s.graph.Requests(); got != requests+len(messages) {
		t.Errorf("%d requests, want %d", got, requests+len(messages))
	}
}

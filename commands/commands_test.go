package commands_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/ids"
)

const acme = "acme"

var (
	ann = ids.Agent(acme, "ann@example.com")
	bob = ids.Agent(acme, "bob@example.com")
	one = chat.ID(ids.Chat(acme, "shop", "15551230001"))
)

// world is a workspace with two agents and one open chat.
type world struct {
	*testing.T
	store eventstore.Store
	*commands.Commands
}

func newWorld(t *testing.T) world {
	t.Helper()
	store := memory.New(time.Now)
	t.Cleanup(func() { store.Close() })
	w := world{t, store, commands.New(store, commands.Options{})}
	w.ok(w.Workspaces.Create(t.Context(), system(), workspace.Create{Name: "Acme"}))
	w.ok(w.Agents.Invite(t.Context(), system(), agent.ID(ann), agent.Invite{Name: "Ann", Email: "ann@example.com", Role: agent.RoleAgent}))
	w.ok(w.Agents.Invite(t.Context(), system(), agent.ID(bob), agent.Invite{Name: "Bob", Email: "bob@example.com", Role: agent.RoleAgent}))
	w.ok(w.receive("wamid.1"))
	return w
}

func (w world) ok(r commands.Result, err error) commands.Result {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w world) receive(wamid string) (commands.Result, error) {
	o := system()
	o.Command = ids.Command("whatsapp", "shop", wamid)
	return w.Chats.Receive(w.Context(), o, one, chat.ReceiveMessage{
		Workspace: acme, Channel: "shop", Customer: "15551230001", Message: chat.MessageID(ids.Message(string(one), wamid)),
		ProviderID: wamid, Content: chat.Content{Kind: "text", Text: "hi"}, At: time.Unix(1_790_000_000, 0).UTC(),
	})
}

func (w world) types(stream string) (types []string) {
	w.Helper()
	for r, err := range w.store.ReadStream(w.Context(), stream, eventstore.StreamQuery{}) {
		if err != nil {
			w.Fatal(err)
		}
		types = append(types, r.Type)
	}
	return types
}

func system() commands.Origin {
	return commands.Origin{Workspace: acme, Actor: "test", ActorKind: commands.ActorSystem}
}

func by(agent string) commands.Origin {
	return commands.Origin{Workspace: acme, Actor: agent, ActorKind: commands.ActorAgent}
}

// keyed is the Origin of a request with an idempotency key.
func keyed(agent, key, body string) commands.Origin {
	o := by(agent)
	o.Command, o.Keyed, o.Fingerprint = ids.Command("http", acme, agent, key), true, body
	return o
}

func TestRepeatGetsTheFirstResult(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first := w.ok(w.Chats.Claim(ctx, keyed(ann, "k", "{}"), one, chat.Claim{By: chat.AgentID(ann)}))
	w.ok(w.Chats.Unassign(ctx, by(ann), one, chat.Unassign{}))
	w.ok(w.Chats.Claim(ctx, by(bob), one, chat.Claim{By: chat.AgentID(bob)}))

	// The world has moved on, the process was restarted, the answer stays.
	w.Commands = commands.New(w.store, commands.Options{})
	again := w.ok(w.Chats.Claim(ctx, keyed(ann, "k", "{}"), one, chat.Claim{By: chat.AgentID(ann)}))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("repeat (-first +repeat):\n%s", diff)
	}
	if _, err := w.Chats.Claim(ctx, keyed(ann, "k", "{other}"), one, chat.Claim{By: chat.AgentID(ann)}); !errors.Is(err, commands.ErrKeyReused) {
		t.Errorf("another body = %v, want %v", err, commands.ErrKeyReused)
	}
}

func TestRepeatOfARefusalIsRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.ok(w.Chats.Claim(ctx, by(bob), one, chat.Claim{By: chat.AgentID(bob)}))
	if _, err := w.Chats.Claim(ctx, keyed(ann, "k", "{}"), one, chat.Claim{By: chat.AgentID(ann)}); !errors.Is(err, chat.ErrClaimed) {
		t.Fatalf("Claim = %v", err)
	}
	w.ok(w.Chats.Unassign(ctx, by(bob), one, chat.Unassign{}))
	_, err := w.Chats.Claim(ctx, keyed(ann, "k", "{}"), one, chat.Claim{By: chat.AgentID(ann)})
	var f *fault.Error
	if !errors.As(err, &f) || *f != *chat.ErrClaimed {
		t.Errorf("repeat = %#v, want the first refusal", err)
	}
	w.ok(w.Chats.Claim(ctx, keyed(ann, "k2", "{}"), one, chat.Claim{By: chat.AgentID(ann)}))
}

func TestRepeatOfANoOpDoesNothing(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	add := commands.ChangeTags{Add: []string{"VIP"}, MayCreate: true}
	w.ok(w.Chats.ChangeTags(ctx, by(ann), one, add))
	first := w.ok(w.Chats.ChangeTags(ctx, keyed(ann, "k", "{}"), one, add))
	if first.Changed {
		t.Fatal("adding a tag twice changed something")
	}
	w.ok(w.Chats.ChangeTags(ctx, by(ann), one, commands.ChangeTags{Remove: []string{"vip"}}))
	again := w.ok(w.Chats.ChangeTags(ctx, keyed(ann, "k", "{}"), one, add))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("repeat (-first +repeat):\n%s", diff)
	}
	if got, want := w.types("chat-"+string(one)), []string{"chat.opened.v1", "chat.message_received.v1", "chat.tags_changed.v1", "chat.tags_changed.v1"}; !cmp.Equal(got, want) {
		t.Errorf("events = %v, want %v", got, want)
	}
}

func TestRepeatOnANewStream(t *testing.T) {
	w := newWorld(t)
	place := func(o commands.Origin) (commands.Result, error) {
		return w.Orders.Place(t.Context(), o, commands.NewOrder(o, ""), order.Place{
			Workspace: acme, Source: "api", Currency: "EUR", At: time.Unix(1, 0).UTC(),
			Lines: []order.PlaceLine{{Product: "hat", Quantity: 2, UnitPrice: 1999}},
		})
	}
	first := w.ok(place(keyed(ann, "k", "{}")))
	if again := w.ok(place(keyed(ann, "k", "{}"))); again != first {
		t.Errorf("repeat = %+v, want %+v", again, first)
	}
	if _, err := place(keyed(ann, "k", "{other}")); !errors.Is(err, commands.ErrKeyReused) {
		t.Errorf("another body = %v", err)
	}
}

// A message that is delivered twice, the second time to a closed chat, neither
// counts again nor reopens it.
func TestLateDuplicateDoesNotReopen(t *testing.T) {
	w := newWorld(t)
	w.ok(w.Chats.Close(t.Context(), by(ann), one, ""))
	before := w.types("chat-" + string(one))
	res := w.ok(w.receive("wamid.1"))
	if res.Revision != 1 {
		t.Errorf("repeat = revision %d, want that of the first, 1", res.Revision)
	}
	if diff := cmp.Diff(before, w.types("chat-"+string(one))); diff != "" {
		t.Errorf("events changed:\n%s", diff)
	}
	w.ok(w.receive("wamid.2"))
	got := w.types("chat-" + string(one))
	if want := append(before, "chat.message_received.v1", "chat.reopened.v1"); !cmp.Equal(got, want) {
		t.Errorf("events = %v, want %v", got, want)
	}
}

func TestManyAtOnceWithOneKey(t *testing.T) {
	w := newWorld(t)
	other := commands.New(w.store, commands.Options{}) // another process
	var wg sync.WaitGroup
	results := make([]commands.Result, 20)
	for i := range results {
		c := w.Commands
		if i%2 == 0 {
			c = other
		}
		wg.Go(func() {
			o := keyed(ann, "k", "{}")
			var err error
			results[i], err = c.Chats.AddNote(t.Context(), o, one, chat.AddNote{Note: commands.NewNote(o), Text: "call back", By: chat.AgentID(ann), At: time.Unix(1, 0)})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		if r != results[0] {
			t.Errorf("results differ: %+v and %+v", results[0], r)
		}
	}
	if got := w.types("chat-" + string(one)); len(got) != 3 {
		t.Errorf("events = %v, want one note", got)
	}
}

func TestStale(t *testing.T) {
	w := newWorld(t)
	seen := eventstore.Revision(1)
	o := by(ann)
	o.IfMatch = &seen
	w.ok(w.Chats.Claim(t.Context(), o, one, chat.Claim{By: chat.AgentID(ann)}))
	_, err := w.Chats.Close(t.Context(), o, one, "")
	var stale *commands.Stale
	if !errors.As(err, &stale) || stale.Got != 2 || len(stale.Since) != 1 || stale.Since[0].Type != "chat.claimed.v1" {
		t.Errorf("Close = %v %+v, want it stale by a chat.claimed.v1", err, stale)
	}
}

func TestClaimRace(t *testing.T) {
	w := newWorld(t)
	other := commands.New(w.store, commands.Options{})
	for range 50 {
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, who := range []string{ann, bob} {
			c := []*commands.Commands{w.Commands, other}[i]
			wg.Go(func() { _, errs[i] = c.Chats.Claim(t.Context(), by(who), one, chat.Claim{By: chat.AgentID(who)}) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), chat.ErrClaimed) {
			t.Fatalf("claims = %v and %v, want one to win", errs[0], errs[1])
		}
		w.ok(w.Chats.Unassign(t.Context(), by(ann), one, chat.Unassign{}))
	}
}

func TestConditionsOutsideTheChat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.ok(w.Agents.Deactivate(ctx, system(), agent.ID(bob), agent.Deactivate{}))
	stranger := by(ann)
	stranger.Workspace = "other"
	tests := []struct {
		name string
		do   func() (commands.Result, error)
		want error
	}{
		{"assign to a deactivated agent", func() (commands.Result, error) {
			return w.Chats.Assign(ctx, by(ann), one, chat.Assign{To: chat.AgentID(bob)})
		}, agent.ErrInactive},
		{"assign to a stranger", func() (commands.Result, error) {
			return w.Chats.Assign(ctx, by(ann), one, chat.Assign{To: "nobody"})
		}, agent.ErrNotFound},
		{"a tag that nobody made", func() (commands.Result, error) {
			return w.Chats.ChangeTags(ctx, by(ann), one, commands.ChangeTags{Add: []string{"vip"}})
		}, tag.ErrNotFound},
		{"a chat of another workspace", func() (commands.Result, error) {
			return w.Chats.MarkRead(ctx, stranger, one, chat.MarkRead{By: chat.AgentID(ann)})
		}, chat.ErrNotFound},
		{"a chat that is none", func() (commands.Result, error) {
			return w.Chats.MarkRead(ctx, by(ann), "none", chat.MarkRead{By: chat.AgentID(ann)})
		}, chat.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.do(); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
}

// lossy is a store whose next appends succeed and say that they did not.
type lossy struct {
	eventstore.Store
	lose int
}

var errLost = errors.New("connection lost")

func (s *lossy) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	res, err := s.Store.Append(ctx, stream, want, events...)
	if s.lose > 0 {
		s.lose--
		return eventstore.Result{}, errLost
	}
	return res, err
}

// However often the store's answer is lost, the command has one effect.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t)
	store := &lossy{Store: w.store}
	c := commands.New(store, commands.Options{})
	for i, o := range []commands.Origin{keyed(ann, "k", "{}"), by(ann)} {
		note := func() (commands.Result, error) {
			return c.Chats.AddNote(t.Context(), o, one, chat.AddNote{Note: chat.NoteID(fmt.Sprint("note-", i)), Text: "call back", By: chat.AgentID(ann), At: time.Unix(1, 0)})
		}
		store.lose = 2
		first := w.ok(note())
		if want := eventstore.Revision(2 + i); first.Revision != want || !first.Changed {
			t.Errorf("AddNote = %+v, want revision %d", first, want)
		}
	}
}

// reads counts the events that a store hands out.
type reads struct {
	eventstore.Store
	n int
}

func (s *reads) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadStream(ctx, stream, q) {
			if s.n++; !yield(r, err) {
				return
			}
		}
	}
}

func TestOnlyWhatIsNewIsRead(t *testing.T) {
	w := newWorld(t)
	store := &reads{Store: w.store}
	c := commands.New(store, commands.Options{})
	for i := range 500 {
		w.ok(w.receive(fmt.Sprint("wamid.more-", i)))
	}
	w.ok(c.Chats.Claim(t.Context(), by(ann), one, chat.Claim{By: chat.AgentID(ann)}))
	store.n = 0
	w.ok(c.Chats.MarkRead(t.Context(), by(ann), one, chat.MarkRead{By: chat.AgentID(ann)}))
	if store.n > 1 {
		t.Errorf("%d events were read for the second command", store.n)
	}
}

func TestEveryEventSaysWhoAndWhy(t *testing.T) {
	w := newWorld(t)
	o := by(ann)
	o.Command, o.Causation, o.Traceparent = uuid.New(), "event-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.ok(w.Chats.Claim(t.Context(), o, one, chat.Claim{By: chat.AgentID(ann)}))
	for r, err := range w.store.ReadStream(t.Context(), "chat-"+string(one), eventstore.StreamQuery{From: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := eventstore.DecodeMetadata(r)
		if err != nil {
			t.Fatal(err)
		}
		m.OccurredAt = time.Time{}
		want := eventstore.Metadata{
			Workspace: acme, Actor: ann, ActorKind: "agent", Command: "chat.claim", CommandID: o.Command.String(),
			Correlation: o.Command.String(), Causation: "event-1", Traceparent: o.Traceparent,
		}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	}
}

// down is a store that cannot be reached.
type down struct{ eventstore.Store }

func (down) Append(context.Context, string, eventstore.Revision, ...eventstore.Event) (eventstore.Result, error) {
	return eventstore.Result{}, errLost
}

func TestLogNotAvailable(t *testing.T) {
	w := newWorld(t)
	c := commands.New(down{w.store}, commands.Options{})
	_, err := c.Chats.Claim(t.Context(), by(ann), one, chat.Claim{By: chat.AgentID(ann)})
	if !errors.Is(err, commands.ErrUnavailable) || !errors.Is(err, errLost) || commands.IsRefusal(err) {
		t.Errorf("Claim = %v, want that the log is not available", err)
	}
}

// That others keep changing the same is no answer: whoever has time tries again.
func TestBusyIsNoRefusal(t *testing.T) {
	if commands.IsRefusal(fmt.Errorf("do it: %w", commands.ErrBusy)) || !commands.IsRefusal(chat.ErrNotFound) {
		t.Error("what is a refusal has changed")
	}
}

package commands_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/internal/ids"
)

// request is a command that a client sends until it is answered.
type request struct {
	origin commands.Origin
	send   func(context.Context, *commands.Commands) (commands.Result, error)

	result  commands.Result // the answer
	refusal error
}

// randomRequest returns the n-th request of a client. Webhooks come from
// several at once, and have no key.
func randomRequest(rnd *rand.Rand, client, n int) *request {
	who := []string{ann, bob}[client%2]
	r := &request{origin: keyed(who, fmt.Sprint(client, "-", n), "{}")}
	switch me := chat.AgentID(who); rnd.IntN(6) {
	case 0, 1:
		r.send = func(ctx context.Context, c *commands.Commands) (commands.Result, error) {
			return c.Chats.AddNote(ctx, r.origin, one, chat.AddNote{Note: commands.NewNote(r.origin), Text: "call back", By: me, At: time.Unix(1, 0)})
		}
	case 2:
		r.send = func(ctx context.Context, c *commands.Commands) (commands.Result, error) {
			return c.Chats.Claim(ctx, r.origin, one, chat.Claim{By: me})
		}
	case 3:
		r.send = func(ctx context.Context, c *commands.Commands) (commands.Result, error) {
			return c.Chats.Unassign(ctx, r.origin, one, chat.Unassign{})
		}
	case 4:
		r.send = func(ctx context.Context, c *commands.Commands) (commands.Result, error) {
			return c.Chats.MarkRead(ctx, r.origin, one, chat.MarkRead{By: me})
		}
	default:
		wamid := fmt.Sprint("wamid.", 100+n)
		r.origin = system()
		r.origin.Command = ids.Command("whatsapp", "shop", wamid)
		r.send = func(ctx context.Context, c *commands.Commands) (commands.Result, error) {
			return world{Commands: c}.receiveWith(ctx, r.origin, wamid)
		}
	}
	return r
}

func (w world) receiveWith(ctx context.Context, o commands.Origin, wamid string) (commands.Result, error) {
	return w.Chats.Receive(ctx, o, one, chat.ReceiveMessage{
		Workspace: acme, Channel: "shop", Customer: "15551230001", Message: chat.MessageID(ids.Message(string(one), wamid)),
		ProviderID: wamid, Content: chat.Content{Kind: "text", Text: "hi"}, At: time.Unix(1_790_000_000, 0).UTC(),
	})
}

// A store that loses requests and answers and tears reads: every command that
// was answered has happened once, or not at all if it was refused, and the
// answer stays the same.
func TestOnAFaultyStore(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { onAFaultyStore(t, seed) })
		})
	}
}

func onAFaultyStore(t *testing.T, seed uint64) {
	const clients, each = 8, 15
	w := newWorld(t)
	store := faulty.New(w.store, faulty.Options{
		Seed: seed, LoseRequest: 0.15, LoseAnswer: 0.25, FailRead: 0.1, TearRead: 0.2,
		Delay: 0.2, MaxDelay: 50 * time.Millisecond, Sleep: sleep,
	})
	processes := []*commands.Commands{commands.New(store, commands.Options{}), commands.New(store, commands.Options{CacheSize: 1})}
	all := make([][]*request, clients)
	var wg sync.WaitGroup
	for client := range clients {
		rnd := rand.New(rand.NewPCG(seed, uint64(client)))
		wg.Go(func() {
			for n := range each {
				r := randomRequest(rnd, client, n)
				for answered := false; !answered; {
					r.result, r.refusal = r.send(t.Context(), processes[rnd.IntN(2)])
					answered = r.refusal == nil || commands.IsRefusal(r.refusal) && !errors.Is(r.refusal, commands.ErrBusy)
				}
				all[client] = append(all[client], r)
			}
		})
	}
	wg.Wait()
	if c := store.Counts(); c.LostRequests == 0 || c.LostAnswers == 0 || c.FailedReads == 0 || c.TornReads == 0 || c.Delays == 0 {
		t.Errorf("too little went wrong: %+v", c)
	}

	effects := map[string][]eventstore.Recorded{} // by command
	for r, err := range w.store.ReadStream(t.Context(), "chat-"+string(one), eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			t.Fatal(err)
		}
		effects[meta.CommandID] = append(effects[meta.CommandID], r)
	}
	changed, refused := 0, 0
	for _, r := range slices.Concat(all...) {
		got := effects[r.origin.Command.String()]
		switch {
		case !r.result.Changed && len(got) > 0:
			t.Errorf("%+v, %v was the answer, but it led to %d events", r.result, r.refusal, len(got))
		case r.result.Changed && len(got) == 0:
			t.Errorf("%+v was the answer, but it led to no event", r.result)
		case r.result.Changed:
			changed++
			last := got[len(got)-1]
			if last.Revision != r.result.Revision || last.Position != r.result.Position || int(last.Revision-got[0].Revision) != len(got)-1 {
				t.Errorf("%+v was the answer; its %d events go from revision %d to %d", r.result, len(got), got[0].Revision, last.Revision)
			}
			for i, e := range got {
				if e.ID != ids.Event(r.origin.Command, i) {
					t.Errorf("event %d of %s has the id of another", i, r.origin.Command)
				}
			}
		default:
			refused++
		}
		// On a good day, in a new process, the answer is still the same.
		result, refusal := r.send(t.Context(), w.Commands)
		if diff := cmp.Diff(r.result, result); diff != "" || fmt.Sprint(r.refusal) != fmt.Sprint(refusal) {
			t.Errorf("repeat: %v, at first %v (-first +repeat):\n%s", refusal, r.refusal, diff)
		}
	}
	if changed == 0 || refused == 0 {
		t.Errorf("%d commands changed something and %d did not", changed, refused)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

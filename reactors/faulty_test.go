package reactors_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/reactors"
)

var seeds = flag.Int("reactors.seeds", 2, "how many seeds of failures to try")

// eachSeed runs test with some seeds, at the same time.
func eachSeed(t *testing.T, test func(t *testing.T, seed uint64)) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			test(t, seed)
		})
	}
}

// dice decide what goes wrong; they are for concurrent use.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{rnd: rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) hit(share float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64() < share
}

var errDatabase = errors.New("the database did not answer")

// shaky fails a call to a database before or after it took effect.
func shaky[T any](d *dice, do func() (T, error)) (v T, err error) {
	if d.hit(0.1) {
		return v, errDatabase
	}
	if v, err = do(); err == nil && d.hit(0.1) {
		var none T
		return none, errDatabase
	}
	return v, err
}

func shake(d *dice, do func() error) error {
	_, err := shaky(d, func() (nothing, error) { return nothing{}, do() })
	return err
}

// shakyParking, shakyLeases and shakyAttempts are the accounts on a bad day.
type shakyParking struct {
	reactors.Parking
	*dice
}

func (p shakyParking) Park(ctx context.Context, e reactors.Parked) error {
	return shake(p.dice, func() error { return p.Parking.Park(ctx, e) })
}

func (p shakyParking) Unpark(ctx context.Context, reactor string, at eventstore.Position) error {
	return shake(p.dice, func() error { return p.Parking.Unpark(ctx, reactor, at) })
}

func (p shakyParking) ListParked(ctx context.Context, q reactors.ParkedQuery) ([]reactors.Parked, error) {
	return shaky(p.dice, func() ([]reactors.Parked, error) { return p.Parking.ListParked(ctx, q) })
}

func (p shakyParking) CountParked(ctx context.Context, reactor string) (reactors.ParkedCount, error) {
	return shaky(p.dice, func() (reactors.ParkedCount, error) { return p.Parking.CountParked(ctx, reactor) })
}

type shakyLeases struct {
	reactors.Leases
	*dice
}

func (l shakyLeases) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (int64, error) {
	return shaky(l.dice, func() (int64, error) { return l.Leases.Acquire(ctx, name, holder, ttl) })
}

func (l shakyLeases) Renew(ctx context.Context, name string, epoch int64) (bool, error) {
	return shaky(l.dice, func() (bool, error) { return l.Leases.Renew(ctx, name, epoch) })
}

func (l shakyLeases) Checkpoints(epoch int64) feed.Checkpoints {
	return shakyCheckpoints{l.Leases.Checkpoints(epoch), l.dice}
}

type shakyCheckpoints struct {
	feed.Checkpoints
	*dice
}

func (c shakyCheckpoints) Load(ctx context.Context, consumer string) (feed.Checkpoint, error) {
	return shaky(c.dice, func() (feed.Checkpoint, error) { return c.Checkpoints.Load(ctx, consumer) })
}

func (c shakyCheckpoints) Save(ctx context.Context, consumer string, at feed.Checkpoint) error {
	return shake(c.dice, func() error { return c.Checkpoints.Save(ctx, consumer, at) })
}

type shakyAttempts struct {
	reactors.Attempts
	*dice
}

func (a shakyAttempts) EndAttempt(ctx context.Context, reactor string, at eventstore.Position, to reactors.Attempt) error {
	return shake(a.dice, func() error { return a.Attempts.EndAttempt(ctx, reactor, at, to) })
}

func (a shakyAttempts) ForgetAttempt(ctx context.Context, reactor string, at eventstore.Position) error {
	return shake(a.dice, func() error { return a.Attempts.ForgetAttempt(ctx, reactor, at) })
}

// order checks, as events are handled, that none is before its turn and no two
// of a key are at once.
type order struct {
	t *testing.T

	mu      sync.Mutex
	done    map[string]eventstore.Revision // how many events of a stream are handled
	busy    map[string]bool
	handled int
}

func (o *order) begin(e eventstore.Recorded) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.Revision > o.done[e.Stream] {
		o.t.Errorf("%s@%d is before its turn: %d are handled", e.Stream, e.Revision, o.done[e.Stream])
	}
	if o.busy[e.Stream] {
		o.t.Errorf("two events of %s are handled at once", e.Stream)
	}
	o.busy[e.Stream] = true
}

func (o *order) end(e eventstore.Recorded, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[e.Stream] = false
	if ok && e.Revision == o.done[e.Stream] {
		o.done[e.Stream]++
		o.handled++
	}
}

func (o *order) count(stream string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if stream == "" {
		return o.handled
	}
	return int(o.done[stream])
}

// A log that fails and tears, a database that loses requests and answers, a
// handler that fails, panics and meets poison, restarts: events of a key are
// handled in order, one at a time; poison holds back its own key and no other;
// when the cause is gone, what was parked is handled in order, and nothing is
// left out.
func TestOrderWhateverFails(t *testing.T) { eachSeed(t, orderWhateverFails) }

func orderWhateverFails(t *testing.T, seed uint64) {
	const streams, each = 12, 15
	within := memory.New(time.Now)
	store := faulty.New(within, faulty.Options{Seed: seed, FailRead: 0.1, TearRead: 0.8, TearWithin: 20, Delay: 0.1, MaxDelay: 2 * time.Millisecond, Sleep: sleep})
	a, d := newAccounts(t), newDice(seed, 1)
	seen := &order{t: t, done: map[string]eventstore.Revision{}, busy: map[string]bool{}}
	var mu sync.Mutex
	healed := false
	r := reactors.Reactor{
		Name: "r.v1", Categories: []string{"x"}, Window: 16, Retry: reactors.Retry{Tries: 12, Min: 100 * time.Microsecond, Max: time.Millisecond},
		Handle: func(ctx context.Context, e eventstore.Recorded) (err error) {
			seen.begin(e)
			ok := false
			defer func() { seen.end(e, ok) }()
			if d.hit(0.1) {
				if err := sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			mu.Lock()
			poison := !healed && strings.Contains(string(e.Data), "poison")
			mu.Unlock()
			switch {
			case poison:
				return reactors.Permanent(errors.New("poison"))
			case d.hit(0.15):
				return errors.New("it failed")
			case d.hit(0.05):
				panic("a bug")
			}
			ok = true
			return nil
		},
	}
	poisoned := func(s, i int) bool { return s%4 == 3 && i == 5+s/4 }
	var appending sync.WaitGroup
	appending.Go(func() {
		for i := range each {
			for s := range streams {
				data := `"fine"`
				if poisoned(s, i) {
					data = `"poison"`
				}
				appendEvent(t, within, fmt.Sprint("x-", s), data)
			}
			_ = sleep(t.Context(), time.Millisecond)
		}
	})
	shaken := newDice(seed, 2)
	cfg := reactors.Config{
		Store: store, Reactors: []reactors.Reactor{r}, Alone: true, LeaseTTL: 400 * time.Millisecond,
		Leases: shakyLeases{a, shaken}, Parking: shakyParking{a, shaken},
	}
	_, stop := host(t, cfg)
	until(t, "some are handled", func() bool { return seen.count("") > streams*each/4 })
	stop() // and the checkpoint may not be saved
	h, stop := host(t, cfg)
	appending.Wait()
	for s := range streams {
		want := each
		if s%4 == 3 {
			want = 5 + s/4
		}
		until(t, fmt.Sprintf("%d of x-%d are handled", want, s), func() bool { return seen.count(fmt.Sprint("x-", s)) == want })
	}
	until(t, "the rest is parked", func() bool { return h.Stats()[0].Position == streams*each })
	list, err := a.ListParked(t.Context(), reactors.ParkedQuery{Reactor: "r.v1", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	behind := 0
	for s := 3; s < streams; s += 4 {
		behind += each - 5 - s/4
	}
	for _, p := range list {
		if !strings.Contains(p.Error, "poison") && !strings.Contains(p.Error, "behind") {
			t.Errorf("%s@%d is parked: %s", p.Stream, p.Position, p.Error)
		}
	}
	if len(list) != behind {
		t.Errorf("%d are parked, want %d", len(list), behind)
	}

	mu.Lock()
	healed = true
	mu.Unlock()
	until(t, "all is handled", func() bool {
		if _, err := a.RetryParked(t.Context(), "r.v1"); err != nil {
			t.Fatal(err)
		}
		n, err := a.CountParked(t.Context(), "r.v1")
		return err == nil && n.Events == 0 && seen.count("") == streams*each
	})
	stop()
	if c := store.Counts(); c.FailedReads == 0 || c.TornReads == 0 || c.Delays == 0 {
		t.Errorf("too little went wrong: %+v", c)
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

// The real reactors on a bad day of the log, the database and the provider: no
// message is sent twice, each has one outcome, those of a chat go out in order,
// and each webhook leads to its events once.
func TestNothingTwiceWhateverFails(t *testing.T) { eachSeed(t, nothingTwiceWhateverFails) }

func nothingTwiceWhateverFails(t *testing.T, seed uint64) {
	const chats, each = 4, 8
	within := memory.New(time.Now)
	s := newShopOn(t, within, newAccounts(t), openFiles(t, t.TempDir()))
	store := faulty.New(within, faulty.Options{
		Seed: seed, LoseRequest: 0.2, LoseAnswer: 0.25, FailRead: 0.05, TearRead: 0.5, TearWithin: 3, Delay: 0.1, MaxDelay: 2 * time.Millisecond, Sleep: sleep,
	})
	s.fail(store, newDice(seed, 2))
	s.graph.Decide(behaveBadly())
	s.graph.Next(graphtest.Behaviour{}, graphtest.Behaviour{Cut: true, Take: true}, graphtest.Behaviour{}, graphtest.Behaviour{Cut: true})

	messages := map[chat.ID][]chat.MessageID{}
	for c := range chats {
		id := s.open(fmt.Sprint("1555987000", c))
		for i := range each {
			messages[id] = append(messages[id], s.say(id, i))
		}
	}
	names := []string{"01-text.json", "02-text-second.json", "10-contact-card.json", "18-order.json", "25-two-visitors-one-payload.json"}
	for _, name := range names {
		if got := s.post(fixture(t, name)); got != http.StatusOK {
			t.Fatalf("%s: %d", name, got)
		}
	}
	_, stop := s.start()
	// What the log's failures have parked is tried again, as an operator would.
	retry := func() {
		for _, r := range s.reactors() {
			if _, err := s.accounts.RetryParked(t.Context(), r.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "a quarter is sent", func() bool { retry(); return len(s.graph.Taken()) >= chats*each/4 })
	stop()
	s.start()
	until(t, "all have an outcome", func() bool {
		retry()
		for id, list := range messages {
			if !s.settled(id, list) {
				return false
			}
		}
		return s.count("webhook.translated.v1") == len(names)
	})
	unknown := 0
	for id, list := range messages {
		_, n := s.sent(id, list)
		unknown += n
	}
	if most := chats * each / 2; unknown > most || unknown < 1 {
		t.Errorf("of %d messages nobody knows the outcome", unknown)
	}
	for what, want := range map[string]int{"chat.opened.v1": 3 + chats, "chat.message_received.v1": 7 + chats, "order.placed.v1": 1, "chat.details_shared.v1": 1, "webhook.set_aside.v1": 0} {
		if got := s.count(what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	if c := store.Counts(); c.LostRequests == 0 || c.LostAnswers == 0 || c.FailedReads == 0 || c.TornReads == 0 {
		t.Errorf("too little went wrong: %+v", c)
	}
}

// fail puts the reactors, and the commands that they give, on a store that
// fails, and their databases on a bad day.
func (s *shop) fail(store eventstore.Store, d *dice) {
	good := s.commands
	s.log = store
	s.commands = newCommands(store)
	s.lookup = s.newLookup()
	s.attempts = shakyAttempts{s.accounts, d}
	s.leases, s.parking = shakyLeases{s.accounts, d}, shakyParking{s.accounts, d}
	s.reacting = s.commands
	s.commands = good
}

package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/reactors"
)

// gatherer runs FillGroups with what is to be chosen given.
type gatherer struct {
	*desk
	chosen atomic.Pointer[[]string]
	fails  atomic.Pointer[error]
}

func newGatherer(t *testing.T) *gatherer {
	g := &gatherer{desk: newDesk(t, 0)}
	g.choose()
	return g
}

func (g *gatherer) choose(ids ...string) { g.chosen.Store(&ids) }

func (g *gatherer) start() (stop func()) {
	r := reactors.FillGroups{
		Groups: newCommands(g.log).Groups, Now: time.Now,
		Choose: func(_ context.Context, req members.Requested, at eventstore.Position) ([]string, int, int64, error) {
			if fails := g.fails.Load(); fails != nil {
				return nil, 0, 0, *fails
			}
			if req.IDs != nil {
				return req.IDs, 0, int64(at), nil
			}
			return *g.chosen.Load(), 0, int64(at), nil
		},
	}.Reactor()
	r.Retry = reactors.Retry{Tries: 1_000, Min: time.Millisecond, Max: 2 * time.Millisecond}
	_, stop = host(g.t, reactors.Config{Store: g.store, Reactors: []reactors.Reactor{r}, Leases: g.accounts, Parking: g.accounts})
	return stop
}

func (g *gatherer) create(id group.ID, filter string, named ...string) {
	g.t.Helper()
	cmd := group.Create{Group: id, Name: string(id), Kind: group.Static, Named: len(named) > 0, By: sue, At: time.Unix(2, 0).UTC()}
	if filter != "" {
		cmd.Filter = []byte(filter)
	}
	g.must(g.commands.Groups.Create(g.t.Context(), g.origin(sue), cmd, named))
}

func (g *gatherer) await(id group.ID, choice int) (s members.State) {
	g.t.Helper()
	until(g.t, fmt.Sprint("choice ", choice, " of ", id, " is over"), func() bool {
		var err error
		if s, err = g.commands.Groups.Look(g.t.Context(), id); err != nil {
			g.t.Fatal(err)
		}
		return s.Choice == choice && !s.Pending
	})
	return s
}

func (g *gatherer) has(id group.ID, want ...string) {
	g.t.Helper()
	got, err := g.commands.Groups.Members(g.t.Context(), id)
	if err != nil || !slices.Equal(got, want) {
		g.t.Errorf("members of %s: %d, %v; want %d", id, len(got), err, len(want))
	}
}

func (g *gatherer) refresh(id group.ID) error {
	_, err := g.commands.Groups.Refresh(g.t.Context(), g.origin(sue), id, members.Request{By: sue, At: time.Unix(3, 0).UTC()})
	return err
}

// Whatever fails, each choice is made once, and all of it.
func TestAGroupIsFilledWhateverFails(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		g := newGatherer(t)
		g.log = faulty.New(g.store, faulty.Options{
			Seed: seed, LoseRequest: 0.1, LoseAnswer: 0.1, FailRead: 0.05, TearRead: 0.5, TearWithin: 3, Sleep: sleep,
		})
		var first, second []string
		for i := range 3_000 {
			id := fmt.Sprintf("c%05d", i)
			if i < 2_000 {
				first = append(first, id)
			}
			if i >= 700 {
				second = append(second, id)
			}
		}
		g.choose(first...)
		g.create("g", `{}`)
		g.create("n", "", "b", "a")
		stop := g.start()
		g.await("g", 1)
		g.has("g", first...)
		stop()
		g.choose(second...)
		if err := g.refresh("g"); err != nil {
			t.Fatal(err)
		}
		stop = g.start()
		g.await("g", 2)
		g.await("n", 1)
		g.has("g", second...)
		g.has("n", "a", "b")
		g.must(g.commands.Groups.Delete(t.Context(), g.origin(sue), group.Delete{Group: "g", By: sue}))
		g.await("g", 3)
		g.has("g")
		stop()
		if n := g.count("members.chosen.v1"); n != 4 {
			t.Errorf("%d choices were made, want 4", n)
		}
	})
}

func TestWhatFillsNoGroup(t *testing.T) {
	g := newGatherer(t)
	stop := g.start()
	defer stop()
	g.choose(make([]string, members.MaxMembers+1)...)
	g.create("many", `{}`)
	if s := g.await("many", 1); s.Members != 0 || g.count("members.refused.v1") != 1 {
		t.Errorf("too many: %+v", s)
	}
	var refusal error = members.ErrMembers
	g.fails.Store(&refusal)
	g.create("refused", `{}`)
	if s := g.await("refused", 1); s.Members != 0 || g.count("members.refused.v1") != 2 {
		t.Errorf("refused: %+v", s)
	}
	g.fails.Store(nil)
	g.choose("a")
	if err := g.refresh("refused"); err != nil {
		t.Errorf("another try: %v", err)
	}
	g.await("refused", 2)
	g.has("refused", "a")
	if err := g.refresh("none"); !errors.Is(err, group.ErrNotFound) {
		t.Errorf("refresh of none: %v", err)
	}
	taken := group.Create{Group: "again", Name: "many", Kind: group.Static, Named: true, By: sue}
	if _, err := g.commands.Groups.Create(t.Context(), g.origin(sue), taken, []string{"a"}); !errors.Is(err, group.ErrNameTaken) {
		t.Errorf("the same name: %v", err)
	}
	if s, err := g.commands.Groups.Look(t.Context(), "again"); err != nil || s.Choice != 0 {
		t.Errorf("members were named for no group: %+v %v", s, err)
	}
}

package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/chat"
	wsdomain "github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/faulty"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/reactors"
)

// desk is a workspace with chats and jobs over them.
type desk struct {
	t        *testing.T
	store    *memory.Store
	log      eventstore.Store // what the reactor sees
	accounts *accounts.Accounts
	commands *commands.Commands // of people
	chats    []chat.ID
	chosen   func() // called between the selection and the first chunk

	selects func(bulk.Requested) ([]string, error) // ids by a filter; every chat by default
}

const ann, sue = agent.ID("ann"), "sue"

func newDesk(t *testing.T, chats int) *desk {
	t.Helper()
	d := &desk{t: t, store: memory.New(time.Now), accounts: newAccounts(t), chosen: func() {}}
	d.log, d.commands = d.store, newCommands(d.store)
	d.selects = func(bulk.Requested) (all []string, _ error) {
		for _, id := range d.chats {
			all = append(all, string(id))
		}
		return all, nil
	}
	d.must(d.commands.Workspaces.Create(t.Context(), d.origin("test"), wsdomain.Create{Name: "Acme"}))
	d.must(d.commands.Agents.Invite(t.Context(), d.origin("test"), ann, agent.Invite{Workspace: workspace, Name: "Ann", Role: agent.RoleAgent}))
	for i := range chats {
		id := chat.ID(fmt.Sprintf("c%05d", i))
		cmd := chat.ReceiveMessage{
			Workspace: workspace, Channel: "ch", Customer: fmt.Sprint("1555", i), Message: "m", ProviderID: "wamid.1",
			Content: chat.Content{Kind: "text", Text: "hello"}, At: time.Unix(1, 0).UTC(),
		}
		d.must(d.commands.Chats.Receive(t.Context(), d.origin("test"), id, cmd))
		d.chats = append(d.chats, id)
	}
	return d
}

func (d *desk) origin(actor string) commands.Origin {
	return commands.Origin{Workspace: workspace, Actor: actor, ActorKind: commands.ActorAgent}
}

func (d *desk) must(_ commands.Result, err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// choose chooses what is named, or what selects returns.
func (d *desk) choose(ctx context.Context, req bulk.Requested, at eventstore.Position) (s bulk.Selection, err error) {
	s.Position = int64(at)
	if s.IDs = req.IDs; s.IDs == nil {
		if s.IDs, err = d.selects(req); err != nil {
			return s, err
		}
	}
	for _, id := range s.IDs {
		revision := eventstore.NoStream
		for r, err := range d.log.ReadStream(ctx, strings.TrimSuffix(req.Target, "s")+"-"+id, eventstore.StreamQuery{Backwards: true, Limit: 1}) {
			if err != nil {
				return s, err
			}
			revision = r.Revision
		}
		s.Revisions = append(s.Revisions, int64(revision))
	}
	d.chosen()
	return s, nil
}

func (d *desk) start() (stop func()) {
	r := reactors.RunBulk{Bulk: newCommands(d.log).Bulk, Select: d.choose, Now: time.Now}.Reactor()
	r.Retry = reactors.Retry{Tries: 1_000, Min: time.Millisecond, Max: 2 * time.Millisecond}
	_, stop = host(d.t, reactors.Config{Store: d.store, Reactors: []reactors.Reactor{r}, Leases: d.accounts, Parking: d.accounts})
	return stop
}

func (d *desk) request(change func(*bulk.Request)) bulk.ID {
	d.t.Helper()
	cmd := bulk.Request{Workspace: workspace, Action: bulk.Close, Target: "chats", Filter: []byte("{}"), By: sue, At: time.Unix(2, 0).UTC()}
	if change != nil {
		change(&cmd)
	}
	id := bulk.ID(fmt.Sprint("job", d.count("bulk.requested.v1")))
	d.must(d.commands.Bulk.Request(d.t.Context(), d.origin(sue), id, cmd))
	return id
}

func (d *desk) phase(id bulk.ID) (p bulk.Phase) {
	d.t.Helper()
	err := d.commands.Bulk.Look(d.t.Context(), id, func(s bulk.State) error {
		p = s.Phase
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *desk) await(id bulk.ID, want bulk.Phase) {
	d.t.Helper()
	until(d.t, "the job is "+string(want), func() bool { return d.phase(id) == want })
}

// items returns what a job recorded of its items.
func (d *desk) items(id bulk.ID) (all []bulk.Item) {
	d.t.Helper()
	jobs := codec.New(bulk.Events)
	for r, err := range d.store.ReadStream(d.t.Context(), "bulk-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			d.t.Fatal(err)
		}
		e, err := jobs.Decode(r)
		if err != nil {
			d.t.Fatal(err)
		}
		switch e := e.(type) {
		case bulk.Worked:
			all = append(all, e.Items...)
		case bulk.Reversed:
			all = append(all, e.Items...)
		default:
		}
	}
	return all
}

// outcomes returns what a job recorded of each item at last, and how often it did.
func (d *desk) outcomes(id bulk.ID) (last map[string]bulk.Outcome, times int) {
	d.t.Helper()
	last = map[string]bulk.Outcome{}
	for _, i := range d.items(id) {
		last[i.ID] = i.Outcome
		times++
	}
	return last, times
}

func tally(last map[string]bulk.Outcome) map[bulk.Outcome]int {
	n := map[bulk.Outcome]int{}
	for _, o := range last {
		n[o]++
	}
	return n
}

func (d *desk) count(typ string) (n int) {
	d.t.Helper()
	for _, err := range d.store.ReadAll(d.t.Context(), eventstore.AllQuery{Types: []string{typ}}) {
		if err != nil {
			d.t.Fatal(err)
		}
		n++
	}
	return n - 1 // the mark at the end
}

func (d *desk) state(id chat.ID) (out chat.State) {
	d.t.Helper()
	err := d.commands.Chats.Look(d.t.Context(), workspace, id, func(s chat.State) error {
		out = chat.State{Status: s.Status, Category: s.Category, Assignee: s.Assignee, Deleted: s.Deleted}
		return nil
	})
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		d.t.Fatal(err)
	}
	return out
}

// While agents work, the log fails and processes end in the middle, each chat is
// closed once or left alone, the counts are exact, and the undo brings back all but
// what was touched.
func TestABulkCloseAndItsUndoWhateverFails(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		const chats = 1_200
		d := newDesk(t, chats)
		d.log = faulty.New(d.store, faulty.Options{
			Seed: seed, LoseRequest: 0.005, LoseAnswer: 0.005, FailRead: 0.002, TearRead: 0.5, TearWithin: 3, Sleep: sleep,
		})
		taken := d.chats[100:110]
		d.chosen = func() {
			for _, id := range taken {
				d.must(d.commands.Chats.Assign(t.Context(), d.origin("ann"), id, chat.Assign{To: chat.AgentID(ann)}))
			}
			d.chosen = func() {}
		}
		id := d.request(nil)
		stop := d.start()
		until(t, "a chunk is done", func() bool { return d.count("bulk.worked.v1") > 0 })
		stop()
		stop = d.start()
		d.await(id, bulk.Finished)
		stop()

		last, times := d.outcomes(id)
		n := tally(last)
		if n[bulk.Done] != chats-len(taken) || n[bulk.Conflict] != len(taken) || times != chats {
			t.Fatalf("outcomes %v, %d records", n, times)
		}
		if closed := d.count("chat.closed.v1"); closed != n[bulk.Done] {
			t.Fatalf("%d chats were closed, %d say the outcomes", closed, n[bulk.Done])
		}
		for _, id := range taken {
			if s := d.state(id); s.Closed() || s.Assignee != chat.AgentID(ann) {
				t.Errorf("%s was trampled: %+v", id, s)
			}
		}

		touched := d.chats[700:705]
		for _, id := range touched {
			d.must(d.commands.Chats.AddNote(t.Context(), d.origin("ann"), id, chat.AddNote{Note: "n", Text: "mine", By: "ann", At: time.Unix(3, 0).UTC()}))
		}
		d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue, At: time.Unix(4, 0).UTC()}))
		stop = d.start()
		until(t, "a chunk is undone", func() bool { return d.count("bulk.reversed.v1") > 0 })
		stop()
		d.start()
		d.await(id, bulk.Reverted)
		last, _ = d.outcomes(id)
		if n := tally(last); n[bulk.Undone] != chats-len(taken)-len(touched) || n[bulk.Touched] != len(touched) || n[bulk.Conflict] != len(taken) {
			t.Fatalf("after the undo %v", n)
		}
		for i, id := range d.chats {
			if closed := d.state(id).Closed(); closed != (i >= 700 && i < 705) {
				t.Fatalf("%s is closed: %v", id, closed)
			}
		}
	})
}

func TestWhatABulkJobDoes(t *testing.T) {
	d := newDesk(t, 6)
	d.start()
	run := func(change func(*bulk.Request)) bulk.ID {
		t.Helper()
		id := d.request(change)
		d.await(id, bulk.Finished)
		return id
	}
	undo := func(id bulk.ID) {
		t.Helper()
		d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue}))
		d.await(id, bulk.Reverted)
	}
	every := func(what string, ok func(chat.State) bool) {
		t.Helper()
		for _, id := range d.chats {
			if s := d.state(id); !ok(s) {
				t.Errorf("%s: %s is %+v", what, id, s)
			}
		}
	}
	open := func(s chat.State) bool { return s.Status == "OPEN" && s.Assignee == "" && !s.Deleted }

	id := run(func(r *bulk.Request) { r.Action, r.Agent = bulk.Assign, string(ann) })
	every("assign", func(s chat.State) bool { return s.Assignee == chat.AgentID(ann) })
	again := run(func(r *bulk.Request) { r.Action, r.Agent = bulk.Assign, string(ann) })
	if last, _ := d.outcomes(again); tally(last)[bulk.NoChange] != 6 {
		t.Errorf("assigned again: %v", last)
	}
	undo(id)
	every("assign undone", open)

	id = run(func(r *bulk.Request) { r.Action, r.Status = bulk.SetStatus, "REVIEW" })
	every("set status", func(s chat.State) bool { return s.Status == "REVIEW" })
	undo(id)
	every("status undone", open)

	id = run(func(r *bulk.Request) { r.Action = bulk.Delete })
	every("delete", func(s chat.State) bool { return s.Deleted })
	undo(id)
	every("delete undone", open)

	id = run(func(r *bulk.Request) { r.Action, r.Tags = bulk.Tag, []string{"Spring sale"} })
	if n := d.count("chat.tags_changed.v1"); n != 6 {
		t.Errorf("%d chats were tagged", n)
	}
	undo(id)

	id = run(func(r *bulk.Request) { r.Filter, r.IDs = nil, []string{"c00001", "none"} })
	if last, _ := d.outcomes(id); last["c00001"] != bulk.Done || last["none"] != bulk.Missing || len(last) != 2 {
		t.Errorf("by ids: %v", last)
	}
	undo(id)
}

// What failed is tried again, whatever happened since; then it is done.
func TestARetryOfABulkJob(t *testing.T) {
	d := newDesk(t, 3)
	d.chosen = func() {
		d.must(d.commands.Chats.MarkRead(t.Context(), d.origin("ann"), d.chats[1], chat.MarkRead{By: "ann"}))
		d.chosen = func() {}
	}
	id := d.request(nil)
	d.start()
	d.await(id, bulk.Finished)
	if last, _ := d.outcomes(id); last["c00001"] != bulk.Conflict || tally(last)[bulk.Done] != 2 {
		t.Fatalf("first: %v", last)
	}
	d.must(d.commands.Bulk.Retry(t.Context(), d.origin(sue), id, bulk.Retry{By: sue}))
	until(t, "it was tried again", func() bool { return d.count("bulk.completed.v1") == 2 })
	last, times := d.outcomes(id)
	if tally(last)[bulk.Done] != 3 || times != 4 {
		t.Errorf("second: %v, %d records", last, times)
	}
	if _, err := d.commands.Bulk.Retry(t.Context(), d.origin(sue), id, bulk.Retry{By: sue}); !errors.Is(err, bulk.ErrNothingFailed) {
		t.Errorf("a third try: %v", err)
	}
	d.must(d.commands.Bulk.Undo(t.Context(), d.origin("sam"), id, bulk.Undo{By: "sam"}))
	d.await(id, bulk.Reverted)
	if last, _ := d.outcomes(id); tally(last)[bulk.Undone] != 3 {
		t.Errorf("undone: %v", last)
	}
	for r, err := range d.store.ReadAll(t.Context(), eventstore.AllQuery{Types: []string{"chat.reopened.v1", "chat.closed.v1"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.IsMark() {
			continue
		}
		want := map[string]string{"chat.reopened.v1": "sam", "chat.closed.v1": sue}[r.Type]
		if meta, err := eventstore.DecodeMetadata(r); err != nil || meta.Actor != want {
			t.Errorf("%s was done by %s, %v; want %s", r.Type, meta.Actor, err, want)
		}
	}
}

// A cancelled job records what it had done, and that alone is undone.
func TestACancelledBulkJob(t *testing.T) {
	const chats = 1_600
	d := newDesk(t, chats)
	id := d.request(nil)
	stop := d.start()
	until(t, "a chunk is done", func() bool { return d.count("bulk.worked.v1") > 0 })
	d.must(d.commands.Bulk.Cancel(t.Context(), d.origin(sue), id, bulk.Cancel{By: sue}))
	d.await(id, bulk.Cancelled)
	stop()
	last, _ := d.outcomes(id)
	if n, closed := len(last), d.count("chat.closed.v1"); n != closed || n == 0 || n == chats {
		t.Fatalf("%d outcomes, %d chats closed", n, closed)
	}
	d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue}))
	d.start()
	d.await(id, bulk.Reverted)
	for _, id := range d.chats {
		if d.state(id).Closed() {
			t.Fatalf("%s is still closed", id)
		}
	}
}

// A process that died in the middle of a chunk leaves chats that no outcome tells
// of. The cancellation finds them.
func TestACancelledBulkJobWhoseProcessDied(t *testing.T) {
	d := newDesk(t, 10)
	id := d.request(nil)
	ids, revisions := []string{}, []int64{}
	for _, c := range d.chats {
		ids, revisions = append(ids, string(c)), append(revisions, 1)
	}
	o := d.origin(sue)
	d.must(d.commands.Bulk.Freeze(t.Context(), o, id, bulk.Freeze{Selection: bulk.Selection{IDs: ids, Revisions: revisions}}))
	for _, c := range ids[:4] {
		req := bulk.Requested{Action: bulk.Close, By: sue}
		if i, err := d.commands.Bulk.Do(t.Context(), o, id, 1, req, c); err != nil || i.Outcome != bulk.Done {
			t.Fatalf("%+v, %v", i, err)
		}
	}
	d.must(d.commands.Bulk.Cancel(t.Context(), o, id, bulk.Cancel{By: sue}))
	d.start()
	d.await(id, bulk.Cancelled)
	if last, _ := d.outcomes(id); tally(last)[bulk.Done] != 4 || len(last) != 4 {
		t.Errorf("%v", last)
	}
}

// Of two supervisors in two processes who undo and retry the same job at once, and a
// third who cancels it, one has their way, and the others are told why not.
func TestSupervisorsWhoDisagree(t *testing.T) {
	for range 20 {
		d := newDesk(t, 3)
		d.chosen = func() {
			d.must(d.commands.Chats.MarkRead(t.Context(), d.origin("ann"), d.chats[1], chat.MarkRead{By: "ann"}))
			d.chosen = func() {}
		}
		id := d.request(nil)
		stop := d.start()
		d.await(id, bulk.Finished)
		stop()
		errs := map[string]error{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for name, do := range map[string]func(commands.Bulk) (commands.Result, error){
			"undo": func(b commands.Bulk) (commands.Result, error) {
				return b.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue})
			},
			"retry": func(b commands.Bulk) (commands.Result, error) {
				return b.Retry(t.Context(), d.origin("sam"), id, bulk.Retry{By: "sam"})
			},
			"cancel": func(b commands.Bulk) (commands.Result, error) {
				return b.Cancel(t.Context(), d.origin("sid"), id, bulk.Cancel{By: "sid"})
			},
		} {
			process := newCommands(d.store).Bulk
			wg.Go(func() {
				_, err := do(process)
				mu.Lock()
				defer mu.Unlock()
				errs[name] = err
			})
		}
		wg.Wait()
		undone, retried, cancelled := d.count("bulk.undo_requested.v1"), d.count("bulk.retry_requested.v1"), d.count("bulk.cancel_requested.v1")
		switch {
		case undone == 1:
			if retried+cancelled != 0 || errs["undo"] != nil || !errors.Is(errs["retry"], bulk.ErrUndoing) ||
				!errors.Is(errs["cancel"], bulk.ErrUndoing) && !errors.Is(errs["cancel"], bulk.ErrFinished) {
				t.Fatalf("undone, and: %v", errs)
			}
		case retried == 1:
			if errs["retry"] != nil || !errors.Is(errs["undo"], bulk.ErrRunning) || errs["cancel"] != nil && !errors.Is(errs["cancel"], bulk.ErrFinished) {
				t.Fatalf("retried, and: %v", errs)
			}
		default:
			t.Fatalf("nobody had their way: %v", errs)
		}
	}
}

// What ended with what a job did is back after its undo, or the item says that it is not.
func TestAnUndoBringsBackWhatHadEnded(t *testing.T) {
	for name, change := range map[string]func(*bulk.Request){
		"closed":           func(*bulk.Request) {},
		"in a closed one":  func(r *bulk.Request) { r.Action, r.Status = bulk.SetStatus, "CLOSED" },
		"in the recycling": func(r *bulk.Request) { r.Action = bulk.Delete },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 5)
			until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
			for _, name := range []agent.ID{"bob", "cid"} {
				d.must(d.commands.Agents.Invite(t.Context(), d.origin("test"), name, agent.Invite{Workspace: workspace, Name: string(name), Role: agent.RoleAgent}))
			}
			d.must(d.commands.Chats.Snooze(t.Context(), d.origin("ann"), d.chats[0], chat.PutAside{Until: until, By: "ann", At: time.Now()}))
			d.must(d.commands.Chats.Snooze(t.Context(), d.origin("ann"), d.chats[1], chat.PutAside{UntilReply: true, By: "ann", At: time.Now()}))
			for i, to := range []string{2: "bob", 3: "cid"} {
				if to != "" {
					d.must(d.commands.Chats.Claim(t.Context(), d.origin("ann"), d.chats[i], chat.Claim{By: "ann"}))
					d.must(d.commands.Chats.OfferTransfer(t.Context(), d.origin("ann"), d.chats[i], chat.OfferTransfer{Kind: chat.ToAgent, To: to, By: "ann", At: time.Now()}))
				}
			}
			type waits struct {
				snooze, reply bool
				offered       string
			}
			look := func() (all []waits) {
				for _, id := range d.chats {
					err := d.commands.Chats.Look(t.Context(), workspace, id, func(s chat.State) error {
						var w waits
						if s.Snooze != nil {
							w.snooze, w.reply = s.Snooze.Until.Equal(until), s.Snooze.Until.IsZero()
						}
						if s.Offer != nil {
							w.offered = s.Offer.To
						}
						all = append(all, w)
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				return all
			}
			want := []waits{{snooze: true}, {reply: true}, {offered: "bob"}, {offered: "cid"}, {}}
			if got := look(); !slices.Equal(got, want) {
				t.Fatalf("before: %+v", got)
			}
			id := d.request(change)
			d.start()
			d.await(id, bulk.Finished)
			d.must(d.commands.Agents.Deactivate(t.Context(), d.origin("test"), "cid", agent.Deactivate{}))
			d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue}))
			d.await(id, bulk.Reverted)
			want[3].offered = ""
			if got := look(); !slices.Equal(got, want) {
				t.Errorf("after: %+v, want %+v", got, want)
			}
			if last, _ := d.outcomes(id); tally(last)[bulk.Undone] != 5 {
				t.Errorf("undone: %v", last)
			}
			codes := map[string]string{}
			for _, i := range d.items(id) {
				if i.Code != "" {
					codes[i.ID] = i.Code
				}
			}
			if !maps.Equal(codes, map[string]string{string(d.chats[3]): bulk.CodeOfferOver}) {
				t.Errorf("codes: %v", codes)
			}
		})
	}
}

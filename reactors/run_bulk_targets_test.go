package reactors_test

import (
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	orders "github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/internal/ids"
)

// Orders are tagged and assigned, and the undo brings back all but what was touched.
func TestBulkOfOrders(t *testing.T) {
	d := newDesk(t, 0)
	var all []string
	for _, external := range []string{"a", "b"} {
		o := d.origin("ann")
		id := commands.NewOrder(o, external)
		d.must(d.commands.Orders.Place(t.Context(), o, id, orders.Place{
			Workspace: workspace, Source: "api", External: external, Currency: "EUR", At: time.Unix(1, 0).UTC(),
			Lines: []orders.PlaceLine{{Product: "hat", Quantity: 2, UnitPrice: 1999}},
		}))
		all = append(all, string(id))
	}
	d.start()
	id := d.request(func(c *bulk.Request) {
		c.Target, c.Action, c.Agent, c.Filter, c.IDs = "orders", bulk.Assign, string(ann), nil, append([]string{"none"}, all...)
	})
	d.await(id, bulk.Finished)
	last, _ := d.outcomes(id)
	if n := tally(last); n[bulk.Done] != 2 || n[bulk.Missing] != 1 {
		t.Fatalf("outcomes: %v", last)
	}
	d.must(d.commands.Orders.Unassign(t.Context(), d.origin("ann"), orders.ID(all[0]), orders.Unassign{}))
	d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue, At: time.Unix(3, 0).UTC()}))
	d.await(id, bulk.Reverted)
	last, _ = d.outcomes(id)
	if last[all[0]] != bulk.Touched || last[all[1]] != bulk.Undone {
		t.Errorf("undo: %v", last)
	}
}

// Every action on contacts does what it says to each, and its undo brings that back. A
// part of another contact is a conflict, what was touched since is left alone.
func TestBulkOfContacts(t *testing.T) {
	type step struct {
		action bulk.Action
		change func(*bulk.Request)
		done   func(contact.State) bool
		before func(contact.State) bool
	}
	d := newDesk(t, 0)
	var all []string
	for _, name := range []string{"Ana", "Bob", "Cem"} {
		o := d.origin(string(ann))
		o.Command = ids.Command("test", name)
		res, err := d.commands.Contacts.Add(t.Context(), o, contact.Add{
			Workspace: workspace, Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}}, At: time.Unix(1, 0).UTC(),
			Source: contact.Source{Reason: contact.ByAgent, By: contact.AgentID(ann)},
		})
		d.must(res, err)
		all = append(all, res.ID)
	}
	d.must(d.commands.Contacts.Merge(t.Context(), d.origin(string(ann)), contact.ID(all[0]), contact.ID(all[2]), contact.Merge{By: contact.AgentID(ann), At: time.Unix(1, 0).UTC()}))
	d.selects = func(bulk.Requested) ([]string, error) { return all, nil }
	d.start()
	run := func(change func(*bulk.Request)) bulk.ID {
		t.Helper()
		id := d.request(func(c *bulk.Request) { c.Target = "contacts"; change(c) })
		d.await(id, bulk.Finished)
		last, _ := d.outcomes(id)
		if last[all[0]] != bulk.Done || last[all[1]] != bulk.Done || last[all[2]] == bulk.Done {
			t.Errorf("outcomes: %v", last)
		}
		return id
	}
	undo := func(id bulk.ID) map[string]bulk.Outcome {
		t.Helper()
		d.must(d.commands.Bulk.Undo(t.Context(), d.origin(sue), id, bulk.Undo{By: sue, At: time.Unix(3, 0).UTC()}))
		d.await(id, bulk.Reverted)
		last, _ := d.outcomes(id)
		return last
	}
	every := func(what string, ok func(contact.State) bool) {
		t.Helper()
		for _, id := range all[:2] {
			err := d.commands.Contacts.Look(t.Context(), workspace, contact.ID(id), func(s contact.State) error {
				if !ok(s) {
					t.Errorf("%s: %s is %+v", what, id, s)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []step{
		{bulk.Assign, func(r *bulk.Request) { r.Agent = string(ann) }, held, free},
		{bulk.SetStatus, func(r *bulk.Request) { r.Status = "REVIEW" }, func(s contact.State) bool { return s.Status == "REVIEW" }, func(s contact.State) bool { return s.Status == "OPEN" }},
		{bulk.Tag, func(r *bulk.Request) { r.Tags = []string{"Sale"} }, tagged, untagged},
		{bulk.Delete, func(r *bulk.Request) { r.Reason = "test" }, gone, there},
	} {
		id := run(func(r *bulk.Request) { r.Action = tc.action; tc.change(r) })
		every(string(tc.action), tc.done)
		undo(id)
		every(string(tc.action)+" undone", tc.before)
	}
	// The same from the other side.
	run(func(r *bulk.Request) { r.Action, r.Agent = bulk.Assign, string(ann) })
	run(func(r *bulk.Request) { r.Action, r.Tags = bulk.Tag, []string{"Sale"} })
	for _, tc := range []step{
		{bulk.Unassign, func(*bulk.Request) {}, free, held},
		{bulk.Untag, func(r *bulk.Request) { r.Tags = []string{"Sale"} }, untagged, tagged},
	} {
		id := run(func(r *bulk.Request) { r.Action = tc.action; tc.change(r) })
		every(string(tc.action), tc.done)
		undo(id)
		every(string(tc.action)+" undone", tc.before)
	}
	run(func(r *bulk.Request) { r.Action = bulk.Delete })
	id := run(func(r *bulk.Request) { r.Action = bulk.Restore })
	every("restore", there)
	undo(id)
	every("restore undone", gone)

	id = run(func(r *bulk.Request) { r.Action = bulk.Restore })
	d.must(d.commands.Contacts.SetStatus(t.Context(), d.origin(string(ann)), contact.ID(all[1]), "ONHOLD"))
	if last := undo(id); last[all[0]] != bulk.Undone || last[all[1]] != bulk.Touched {
		t.Errorf("undo: %v", last)
	}
}

func held(s contact.State) bool     { return s.Assignee == contact.AgentID(ann) }
func free(s contact.State) bool     { return s.Assignee == "" }
func tagged(s contact.State) bool   { return len(s.Tags) == 1 }
func untagged(s contact.State) bool { return len(s.Tags) == 0 }
func gone(s contact.State) bool     { return s.Deleted }
func there(s contact.State) bool    { return !s.Deleted }

// A selection that is refused ends the job and says why; the next is worked.
func TestABulkJobWhoseSelectionIsRefused(t *testing.T) {
	d := newDesk(t, 1)
	d.selects = func(req bulk.Requested) ([]string, error) {
		if req.Target == "contacts" {
			return nil, filter.ErrField.With("the workspace has no such attribute")
		}
		return []string{string(d.chats[0])}, nil
	}
	d.start()
	id := d.request(func(c *bulk.Request) { c.Target, c.Action, c.Agent = "contacts", bulk.Assign, string(ann) })
	d.await(id, bulk.Rejected)
	d.await(d.request(nil), bulk.Finished)
}

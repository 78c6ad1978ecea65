package commands_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
)

// since returns what was appended behind a position, with its metadata.
func (w world) since(after eventstore.Position) (events []eventstore.Recorded, metas []eventstore.Metadata) {
	w.Helper()
	for r, err := range w.store.ReadAll(w.Context(), eventstore.AllQuery{After: after}) {
		if err != nil {
			w.Fatal(err)
		}
		if r.IsMark() {
			continue
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			w.Fatal(err)
		}
		events, metas = append(events, r), append(metas, meta)
	}
	return events, metas
}

func (w world) end() eventstore.Position {
	w.Helper()
	head, err := w.store.Head(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return head.Position
}

func (w world) contact(name string) contact.ID {
	w.Helper()
	o := keyed(ann, "add "+name, "{}")
	return contact.ID(w.ok(w.Contacts.Add(w.Context(), o, contact.Add{
		Workspace: acme, Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}},
		Source: contact.Source{Reason: contact.ByAgent, By: contact.AgentID(ann)}, At: time.Unix(1, 0),
	})).ID)
}

func (w world) calls() {
	w.Helper()
	w.ok(w.Channels.Connect(w.Context(), system(), "shop", channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: "1555"}))
	w.ok(w.Channels.SetCalls(w.Context(), system(), "shop", channel.SetCalls{Provider: call.Webhook}))
}

// What one request writes to several streams has one correlation, and says which
// command caused it.
func TestTheStreamsOfARequestBelongTogether(t *testing.T) {
	at := time.Unix(2, 0).UTC()
	tags := commands.ChangeTags{Add: []string{"Spring"}, MayCreate: true}
	for name, c := range map[string]struct {
		types []string // the command's own first, then, sorted, those of its parts
		run   func(w world) func(o commands.Origin) (commands.Result, error)
	}{
		"a call": {[]string{"chat.call_requested.v1", "call.requested.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			w.calls()
			return func(o commands.Origin) (commands.Result, error) {
				return w.Calls.Request(t.Context(), o, one, chat.RequestCall{Call: "k1", Phone: "+15551230001", By: chat.AgentID(ann), At: at})
			}
		}},
		"a new tag of a chat": {[]string{"chat.tags_changed.v1", "tag.created.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) { return w.Chats.ChangeTags(t.Context(), o, one, tags) }
		}},
		"a new tag of a contact": {[]string{"contact.tags_changed.v1", "tag.created.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			id := w.contact("Cid")
			return func(o commands.Origin) (commands.Result, error) {
				return w.Contacts.ChangeTags(t.Context(), o, id, tags)
			}
		}},
		"a new tag of an order": {[]string{"order.tags_changed.v1", "tag.created.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			w.ok(w.Orders.Place(t.Context(), system(), "o1", order.Place{
				Workspace: acme, Source: order.SourceAPI, Currency: "EUR", At: at,
				Lines: []order.PlaceLine{{Product: "hat", Quantity: 2, UnitPrice: 1999}},
			}))
			return func(o commands.Origin) (commands.Result, error) {
				return w.Orders.ChangeTags(t.Context(), o, "o1", tags)
			}
		}},
		"a new tag of a bulk job": {[]string{"bulk.requested.v1", "tag.created.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) {
				return w.Bulk.Request(t.Context(), o, "j1", bulk.Request{Workspace: acme, Action: bulk.Tag, Target: "chats", Filter: []byte("{}"), Tags: []string{"Spring"}, By: ann, At: at})
			}
		}},
		"a status for the first time": {[]string{"chat.status_set.v1", "status.used.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) {
				return w.Chats.SetStatus(t.Context(), o, one, "REVIEW")
			}
		}},
		"a close for the first time": {[]string{"chat.closed.v1", "status.used.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) { return w.Chats.Close(t.Context(), o, one, "") }
		}},
		"a status of a contact": {[]string{"contact.status_set.v1", "status.used.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			id := w.contact("Cid")
			return func(o commands.Origin) (commands.Result, error) {
				return w.Contacts.SetStatus(t.Context(), o, id, "REVIEW")
			}
		}},
		"a group with names": {[]string{"group.created.v1", "members.requested.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) {
				return w.Groups.Create(t.Context(), o, group.Create{Group: "g1", Name: "VIP", Kind: group.Static, Named: true, By: ann, At: at}, []string{"c1"})
			}
		}},
		"a merge": {[]string{"contact.absorbed.v1", "contact.merged.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			x, y := w.contact("X"), w.contact("Y")
			return func(o commands.Origin) (commands.Result, error) {
				return w.Contacts.Merge(t.Context(), o, x, y, contact.Merge{By: contact.AgentID(ann), At: at})
			}
		}},
		"the end of a merge": {[]string{"contact.released.v1", "contact.unmerged.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			x, y := w.contact("X"), w.contact("Y")
			w.ok(w.Contacts.Merge(t.Context(), system(), x, y, contact.Merge{By: contact.AgentID(ann), At: at}))
			return func(o commands.Origin) (commands.Result, error) {
				return w.Contacts.Unmerge(t.Context(), o, x, y, contact.Unmerge{By: contact.AgentID(ann), At: at})
			}
		}},
		"a workspace": {[]string{"workspace.created.v1", "status.created.v1"}, func(w world) func(commands.Origin) (commands.Result, error) {
			return func(o commands.Origin) (commands.Result, error) {
				o.Workspace = "other"
				return w.Workspaces.Create(t.Context(), o, workspace.Create{Name: "Other"})
			}
		}},
	} {
		for kind, o := range map[string]commands.Origin{"with a key": keyed(ann, "k", "{}"), "without": by(ann)} {
			t.Run(name+", "+kind, func(t *testing.T) {
				w := newWorld(t)
				run := c.run(w)
				began := w.end()
				w.ok(run(o))
				events, metas := w.since(began)
				own := slices.IndexFunc(events, func(r eventstore.Recorded) bool { return r.Type == c.types[0] })
				if own < 0 {
					t.Fatalf("no %s", c.types[0])
				}
				command, types := metas[own].CommandID, []string{c.types[0]}
				for i, r := range events {
					if !slices.Contains(types, r.Type) {
						types = append(types, r.Type)
					}
					if m := metas[i]; m.Correlation != command || m.Causation != command || (m.CommandID == command) != (r.Type == c.types[0]) {
						t.Errorf("%s: command %s, correlation %s, causation %s; the request's is %s", r.Type, m.CommandID, m.Correlation, m.Causation, command)
					}
				}
				slices.Sort(types[1:])
				if diff := cmp.Diff(c.types, types); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// What a request is answered that changed nothing belongs to it.
func TestTheAnswerToARequestBelongsToIt(t *testing.T) {
	w := newWorld(t)
	began := w.end()
	o := keyed(ann, "k", "{}")
	w.ok(w.Chats.Unassign(t.Context(), o, one, chat.Unassign{}))
	events, metas := w.since(began)
	if len(events) != 1 || metas[0].Correlation != o.Command.String() || metas[0].Causation != o.Command.String() {
		t.Errorf("%+v", metas)
	}
}

// Parts of a command that something else led to keep what that says.
func TestAPartKeepsWhatLedToItsCommand(t *testing.T) {
	w := newWorld(t)
	began := w.end()
	o := by(ann)
	o.Correlation, o.Causation = uuid.NewString(), uuid.NewString()
	w.ok(w.Chats.ChangeTags(t.Context(), o, one, commands.ChangeTags{Add: []string{"Spring"}, MayCreate: true}))
	events, metas := w.since(began)
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	for i, m := range metas {
		if m.Correlation != o.Correlation || m.Causation != o.Causation {
			t.Errorf("%s: %+v", events[i].Type, m)
		}
	}
}

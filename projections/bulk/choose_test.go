package bulk_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	domain "github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/choosing"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/views/viewstest"
	"github.com/chatledger/chatledger/projections/visitor"
)

const acme, other = viewstest.Workspace, "other"

// shop records chats, contacts and orders in two workspaces. Of the chats and contacts
// 0 to 5 the odd ones are deleted; 1 and 2 have the tag vip.
func shop(t *testing.T, l *viewstest.Ledger) {
	t.Helper()
	vip := func(i int) bool { return i == 1 || i == 2 }
	for i := range 6 {
		for _, ws := range []string{acme, other} {
			id := fmt.Sprint(ws, i)
			ofChat := []codec.Event{chat.Opened{Workspace: ws, Channel: "ch", Customer: fmt.Sprint(1555, i), Status: "OPEN", Category: chat.CategoryOpen, At: at(i)}}
			ofContact := []codec.Event{contact.Added{Workspace: ws, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, Status: "OPEN", Category: "open", At: at(i)}}
			ofOrder := []codec.Event{order.Placed{Workspace: ws, Source: "api", External: id, Currency: "EUR", Items: 1, Lines: []order.Line{{Product: "hat", Quantity: 1}}, At: at(i)}}
			if vip(i) {
				ofChat = append(ofChat, chat.TagsChanged{Added: []chat.TagID{"vip"}})
				ofContact = append(ofContact, contact.TagsChanged{Added: []contact.TagID{"vip"}})
				ofOrder = append(ofOrder, order.TagsChanged{Added: []string{"vip"}})
			}
			if i%2 == 1 {
				ofChat = append(ofChat, chat.Deleted{By: "ann"})
				ofContact = append(ofContact, contact.Deleted{By: "ann"})
			}
			l.RecordIn(t, ws, "chat-"+id, ofChat...)
			l.RecordIn(t, ws, "contact-"+id, ofContact...)
			l.RecordIn(t, ws, "order-"+id, ofOrder...)
		}
	}
	// Contact 4 becomes a part of contact 0.
	l.Record(t, "contact-acme0", contact.Absorbed{Contact: "acme4", By: "ann", At: at(9)})
	l.Record(t, "contact-acme4", contact.Merged{Into: "acme0", By: "ann", At: at(9)})
}

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	views := []func() projections.Projection{inbox.New, orders.New, visitor.New, directory.New, contacts.New, groups.New, offers.New}
	viewstest.OnBoth(t, parts, views, test)
}

// What a job chooses of each target, by ids and by filters, each with its revision, and
// nothing of another workspace. A restore chooses among what is deleted.
func TestChoosing(t *testing.T) {
	const all, vip, notVip = `{}`, `{"field":"tag","op":"eq","value":"vip"}`, `{"field":"tag","op":"ne","value":"vip"}`
	named := []string{"acme0", "acme1", "acme4", "none", "other0"}
	cases := []struct {
		target, action, filter string
		ids, except, want      []string
	}{
		{"chats", "close", all, nil, nil, []string{"acme0 0", "acme2 1", "acme4 0"}},
		{"chats", "close", vip, nil, nil, []string{"acme2 1"}},
		{"chats", "close", all, nil, []string{"acme2"}, []string{"acme0 0", "acme4 0"}},
		{"chats", "close", "", named, []string{"acme1"}, []string{"acme0 0", "acme4 0", "none -1", "other0 -1"}},
		{"chats", "restore", all, nil, nil, []string{"acme1 2", "acme3 1", "acme5 1"}},
		{"chats", "restore", vip, nil, nil, []string{"acme1 2"}},
		{"chats", "restore", notVip, nil, []string{"acme5"}, []string{"acme3 1"}},
		{"chats", "restore", "", named, nil, []string{"acme0 0", "acme1 2", "acme4 0", "none -1", "other0 -1"}},
		{"contacts", "tag", all, nil, nil, []string{"acme0 1", "acme2 1"}},
		{"contacts", "tag", vip, nil, nil, []string{"acme2 1"}},
		{"contacts", "tag", notVip, nil, []string{"acme2"}, []string{"acme0 1"}},
		{"contacts", "tag", "", named, nil, []string{"acme0 1", "acme1 2", "acme4 1", "none -1", "other0 -1"}},
		{"contacts", "restore", all, nil, nil, []string{"acme1 2", "acme3 1", "acme5 1"}},
		{"contacts", "restore", vip, nil, nil, []string{"acme1 2"}},
		{"contacts", "restore", notVip, nil, []string{"acme5"}, []string{"acme3 1"}},
		{"orders", "assign", all, nil, []string{"acme3", "acme4", "acme5"}, []string{"acme0 0", "acme1 1", "acme2 1"}},
		{"orders", "assign", vip, nil, nil, []string{"acme1 1", "acme2 1"}},
		{"orders", "assign", "", named, []string{"acme4"}, []string{"acme0 0", "acme1 1", "none -1", "other0 -1"}},
	}
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		shop(t, l)
		l.Read(t, func(sqldb.Tx) {}) // waits
		c := bulk.Chooser{From: choosing.From{DB: l.DB, Waiter: projections.NewWaiter(l.DB)}}
		for _, tc := range cases {
			req := domain.Requested{Workspace: acme, Action: domain.Action(tc.action), Target: tc.target, IDs: tc.ids, Except: tc.except, By: "ann", At: at(100)}
			if tc.filter != "" {
				req.Filter = []byte(tc.filter)
			}
			got, err := c.Choose(t.Context(), req, 1)
			if err != nil {
				t.Fatalf("%+v: %v", tc, err)
			}
			var chosen []string
			for i, id := range got.IDs {
				chosen = append(chosen, fmt.Sprint(id, " ", got.Revisions[i]))
			}
			slices.Sort(chosen)
			if !slices.Equal(chosen, tc.want) || got.Position == 0 {
				t.Errorf("%s %s by %s%v but %v: %v at %d, want %v", tc.action, tc.target, tc.filter, tc.ids, tc.except, chosen, got.Position, tc.want)
			}
		}
	})
}

// Pages and counts of what is deleted, whatever the filter asks, and nothing that there
// is no way to tell.
func TestFindingWhatIsDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		shop(t, l)
		l.Read(t, func(tx sqldb.Tx) {
			for _, target := range []filter.Target{filter.Chats, filter.Contacts} {
				for _, raw := range []string{
					`{}`, `{"field":"status","op":"eq","value":"OPEN"}`, `{"field":"assignee","op":"exists","value":false}`,
					`{"field":"created","op":"lt","value":"+1d"}`, `{"not":{"field":"group","op":"exists"}}`, `{"not":{"field":"gender","op":"eq","value":"x"}}`,
				} {
					f, err := filter.Parse(target, []byte(raw))
					if err != nil {
						t.Fatal(err)
					}
					ids, n := deleted(t, tx, f)
					if want := []string{"acme5", "acme3", "acme1"}; !slices.Equal(ids, want) || n.N != 3 || !n.Exact {
						t.Errorf("%s by %s: %v of %+v, want %v", target, raw, ids, n, want)
					}
				}
			}
			f, err := filter.Parse(filter.Contacts, []byte(`{"field":"attributes.size","op":"exists"}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := contacts.Find(t.Context(), tx, contacts.Search{Workspace: acme, Filter: f, Deleted: true}); !errors.Is(err, filter.ErrDeleted) {
				t.Errorf("by an attribute: %v", err)
			}
		})
	})
}

// deleted returns the deleted chats or contacts that pass a filter, page by page, and
// their number.
func deleted(t *testing.T, tx sqldb.Tx, f filter.Filter) (ids []string, n filtersql.Counted) {
	t.Helper()
	scope := filtersql.Scope{Now: at(0)}
	ofChats := inbox.Search{Workspace: acme, Filter: f, Deleted: true, Scope: scope, Sort: inbox.ByCreated, Limit: 2}
	ofContacts := contacts.Search{Workspace: acme, Filter: f, Deleted: true, Scope: scope, Limit: 2}
	count := func() (filtersql.Counted, error) { return inbox.Count(t.Context(), tx, ofChats) }
	find := func(cursor string) (string, error) {
		ofChats.Cursor = cursor
		page, err := inbox.Find(t.Context(), tx, ofChats)
		for _, c := range page.Chats {
			ids = append(ids, c.ID)
		}
		return page.Next, err
	}
	if f.Target == filter.Contacts {
		count = func() (filtersql.Counted, error) { return contacts.Count(t.Context(), tx, ofContacts) }
		find = func(cursor string) (string, error) {
			ofContacts.Cursor = cursor
			page, err := contacts.Find(t.Context(), tx, ofContacts)
			for _, c := range page.Contacts {
				ids = append(ids, c.ID)
			}
			return page.Next, err
		}
	}
	n, err := count()
	for cursor, more := "", true; more && err == nil; more = cursor != "" {
		cursor, err = find(cursor)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ids, n
}

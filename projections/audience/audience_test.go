package audience_test

import (
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
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

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

// Contacts are found by their chats and orders, chats and orders by their contact, also
// by what was merged into it.
func TestFoundByWhatBelongsToThem(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	views := []func() projections.Projection{contacts.New, directory.New, groups.New, inbox.New, offers.New, orders.New, visitor.New}
	viewstest.OnBoth(t, parts, views, func(t *testing.T, l *viewstest.Ledger) {
		given(t, l)
		for _, tt := range []struct {
			target filter.Target
			filter string
			want   []string
		}{
			{filter.Contacts, `{"field":"channel","op":"eq","value":"ch2"}`, []string{"ana"}},
			{filter.Contacts, `{"field":"channel","op":"ne","value":"ch2"}`, []string{"bob", "eve", "zoe"}},
			{filter.Contacts, `{"field":"channel","op":"exists"}`, []string{"ana", "zoe"}},
			{filter.Contacts, `{"field":"team","op":"in","value":["care","sales"]}`, []string{"ana"}},
			{filter.Contacts, `{"field":"team","op":"exists","value":false}`, []string{"bob", "eve", "zoe"}},
			{filter.Contacts, `{"field":"unread","op":"eq","value":true}`, []string{"ana"}},
			{filter.Contacts, `{"field":"unread","op":"eq","value":false}`, []string{"bob", "eve", "zoe"}},
			{filter.Contacts, `{"field":"last_activity","op":"gt","value":"1970-01-01T00:00:15Z"}`, []string{"ana"}},
			{filter.Contacts, `{"field":"last_activity","op":"exists","value":false}`, []string{"bob", "eve"}},
			{filter.Contacts, `{"field":"last_message_by","op":"eq","value":"customer"}`, []string{"ana"}},
			{filter.Contacts, `{"field":"is_contact","op":"eq","value":true}`, []string{"ana", "bob", "eve", "zoe"}},
			{filter.Contacts, `{"field":"has_ordered","op":"eq","value":true}`, []string{"ana", "bob"}},
			{filter.Contacts, `{"not":{"field":"has_ordered","op":"eq","value":true}}`, []string{"eve", "zoe"}},
			{filter.Contacts, `{"field":"order_status","op":"eq","value":"shipped"}`, []string{"bob"}},
			{filter.Contacts, `{"field":"email","op":"eq","value":"ANA2@x.example"}`, []string{"ana"}},
			{filter.Contacts, `{"field":"email","op":"prefix","value":"mia@"}`, []string{"ana"}},
			{filter.Contacts, `{"field":"email","op":"ne","value":"ana2@x.example"}`, []string{"bob", "eve", "zoe"}},
			{filter.Contacts, `{"field":"phone","op":"contains","value":"15550009"}`, []string{"ana"}},

			{filter.Chats, `{"field":"phone","op":"contains","value":"15550009"}`, []string{"c1", "c2"}},
			{filter.Chats, `{"field":"email","op":"eq","value":"mia@x.example"}`, []string{"c1", "c2"}},
			{filter.Chats, `{"field":"email","op":"ne","value":"mia@x.example"}`, []string{"c4"}},

			{filter.Orders, `{"field":"email","op":"eq","value":"mia@x.example"}`, []string{"o1"}},
			{filter.Orders, `{"field":"language","op":"eq","value":"pt"}`, []string{"o1"}},
			{filter.Orders, `{"field":"gender","op":"exists","value":false}`, []string{"o1", "o2", "o3"}},
			{filter.Orders, `{"field":"blocked","op":"eq","value":true}`, []string{"o2"}},
			{filter.Orders, `{"field":"group","op":"eq","value":"vips"}`, []string{"o1"}},
			{filter.Orders, `{"field":"attributes.size","op":"gt","value":41}`, []string{"o1"}},
			{filter.Orders, `{"field":"team","op":"eq","value":"care"}`, nil},
			{filter.Orders, `{"field":"unread","op":"eq","value":true}`, []string{"o1"}},
			{filter.Orders, `{"field":"last_activity","op":"exists","value":false}`, []string{"o3"}},
			{filter.Orders, `{"field":"last_message_by","op":"eq","value":"customer"}`, []string{"o1"}},
			{filter.Orders, `{"field":"is_contact","op":"eq","value":false}`, []string{"o1", "o2", "o3"}},
		} {
			if got := found(t, l, tt.target, tt.filter); !slices.Equal(got, tt.want) {
				t.Errorf("%s by %s: %v, want %v", tt.target, tt.filter, got, tt.want)
			}
		}
	})
}

// given records Ana, who is Mia, too, with two chats and an order in the first; Bob,
// whose chat was deleted; Eve, who has none; Zoe, whose chat is silent; and an order of
// no chat.
func given(t *testing.T, l *viewstest.Ledger) {
	t.Helper()
	by := contact.Source{Reason: contact.ByAgent, By: "ann"}
	person := func(id string, facts ...contact.Event) {
		l.Record(t, "contact-"+id, contact.Added{Workspace: viewstest.Workspace, Source: by, Status: "OPEN", Category: "open", At: sec(1)})
		for _, f := range facts {
			l.Record(t, "contact-"+id, f)
		}
	}
	set := func(field string, values ...string) contact.Event {
		return contact.DetailsSet{Changes: []contact.Change{{Field: field, Values: values}}, Source: by, At: sec(2)}
	}
	of := func(id string) contact.Event {
		return contact.ChatLinked{Link: contact.Link{Chat: id, Channel: "ch", Customer: "1555"}, At: sec(3)}
	}
	open := func(id, channel string) {
		l.Record(t, "chat-"+id, chat.Opened{Workspace: viewstest.Workspace, Channel: channel, Customer: "1555000" + id[1:], Status: "OPEN", Category: chat.CategoryOpen, At: sec(10)})
	}
	placed := func(id, of string) {
		l.Record(t, "order-"+id, order.Placed{Workspace: viewstest.Workspace, Chat: of, Source: "api", Lines: []order.Line{{Product: "p", Quantity: 1, UnitPrice: 5, Total: 5}}, Items: 1, Total: 5, Currency: "EUR", At: sec(12)})
	}
	l.Record(t, "attributes-"+viewstest.Workspace, attribute.Defined{Attribute: "size", Name: "Size", Kind: attribute.Number})
	for _, id := range []string{"c1", "c3", "c4"} {
		open(id, "ch")
	}
	open("c2", "ch2")
	l.Record(t, "chat-c1", chat.MessageReceived{Message: "m", ProviderID: "w", Content: chat.Content{Kind: "text", Text: "Hi"}, At: sec(20)})
	l.Record(t, "chat-c2", chat.Transferred{Kind: chat.ToTeam, To: "care"})
	l.Record(t, "chat-c3", chat.Deleted{})
	person("ana", set("emails", "ana@x.example", "ana2@x.example"), set("language", "pt"), set("attributes.size", "42"), of("c1"), of("c2"))
	l.Record(t, "groups-"+viewstest.Workspace, group.Created{Group: "vips", Name: "VIPs", Kind: group.Static, By: "ann", At: sec(1)})
	l.Record(t, "members-vips", members.Changed{Choice: 1, Added: []string{"ana"}})
	person("mia", set("emails", "mia@x.example"), set("phones", "+15550009"))
	l.Record(t, "contact-mia", contact.Merged{Into: "ana", By: "ann", At: sec(9)})
	person("bob", of("c3"), contact.Blocked{By: "ann", At: sec(9)})
	person("eve")
	person("zoe", of("c4"))
	placed("o1", "c1")
	placed("o2", "c3")
	placed("o3", "")
	l.Record(t, "order-o2", order.Shipped{})
}

func found(t *testing.T, l *viewstest.Ledger, target filter.Target, raw string) (ids []string) {
	t.Helper()
	f, err := filter.Parse(target, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	l.Read(t, func(tx sqldb.Tx) {
		visit := func(r filtersql.Ref) error {
			ids = append(ids, r.ID)
			return nil
		}
		switch target {
		case filter.Contacts:
			err = contacts.Each(t.Context(), tx, contacts.Search{Workspace: viewstest.Workspace, Filter: f}, visit)
		case filter.Orders:
			err = orders.Each(t.Context(), tx, orders.Search{Workspace: viewstest.Workspace, Filter: f}, visit)
		case filter.Chats:
			err = inbox.Each(t.Context(), tx, inbox.Search{Workspace: viewstest.Workspace, Filter: f}, visit)
		}
	})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	slices.Sort(ids)
	return ids
}

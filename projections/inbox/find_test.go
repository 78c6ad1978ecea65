package inbox_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
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

// known is a chat with all that filters can ask for.
type known struct {
	inbox.Chat
	company, city, country string
	offeredTo              string
	orders                 []string // statuses
	groups                 []string // of the contact
}

const manyChats = 420 // more than the first window of a page

// population records chats that differ in everything a filter can ask for, and
// returns them as the view has them.
func population(t *testing.T, l *viewstest.Ledger) (all []known) {
	extra := map[string]known{}
	var grouped []string // whose contacts are in a group
	pick := func(i int, from ...string) string { return from[i%len(from)] }
	for i := range manyChats {
		id := fmt.Sprintf("c%03d", i)
		o := opened(1000 + i/3)
		o.Status, o.Channel, o.Customer = pick(i/2, "OPEN", "REVIEW", "CLOSED"), pick(i, "ch", "ch2"), fmt.Sprint(15550000+i)
		o.Category = map[string]chat.Category{"OPEN": chat.CategoryOpen, "REVIEW": chat.CategoryPending, "CLOSED": chat.CategoryClosed}[o.Status]
		facts := []codec.Event{o}
		if i%4 != 0 {
			facts = append(facts, text(2000+i*7%100, "hi"))
		}
		if i%6 == 1 {
			facts = append(facts, answer(2100+i, "hello"))
		}
		if i%5 > 1 {
			facts = append(facts, chat.Assigned{To: chat.AgentID(pick(i, "ann", "bob", "me"))})
		}
		if i%7 == 2 {
			facts = append(facts, chat.Transferred{Kind: chat.ToTeam, To: pick(i, "sales", "care")})
		}
		if i%3 != 0 {
			facts = append(facts, chat.TagsChanged{Added: []chat.TagID{chat.TagID(pick(i, "vip", "spam", `a"b`))}})
		}
		switch i % 13 {
		case 5:
			facts = append(facts, chat.Snoozed{By: "ann"})
		case 6:
			facts = append(facts, chat.Snoozed{Until: sec(i), By: "ann"})
		case 7:
			facts = append(facts, chat.Snoozed{By: "ann"}, chat.Woken{Reason: chat.WokenByReply})
		}
		if i%9 == 0 {
			facts = append(facts, chat.TagsChanged{Added: []chat.TagID{"late", "vip"}})
		}
		var k known
		if i%8 == 3 {
			k.company, k.city, k.country = pick(i, "ACME", "Über AG"), pick(i/8, "Wien", "WIEN", "Rome"), pick(i, "AT", "IT")
			facts = append(facts, chat.DetailsShared{Reason: chat.ByForm, Name: "Name " + id, Emails: []string{id + "@x.example"}, Company: k.company, City: k.city, Country: k.country, At: sec(1)})
		}
		if i%17 == 4 {
			k.offeredTo = pick(i, "ann", "care", "me")
			facts = append(facts, chat.TransferOffered{Kind: chat.ToAgent, To: k.offeredTo, From: "bob", By: "bob", Expires: sec(5000), At: sec(2)})
		}
		if i%34 == 21 {
			k.offeredTo = ""
			facts = append(facts, chat.TransferLapsed{Cause: chat.LapsedByTime})
		}
		if i%50 == 49 {
			facts = append(facts, chat.Deleted{})
		}
		l.Record(t, "chat-"+id, facts...)
		for n := range i % 11 / 8 {
			at := viewstest.Base()
			line := order.Line{Product: "tea", Quantity: 1, UnitPrice: 5, Total: 5}
			placed := order.Placed{Workspace: viewstest.Workspace, Chat: id, Source: "api", Currency: "EUR", Lines: []order.Line{line}, Items: 1, Total: 5, At: at}
			stream := fmt.Sprintf("order-%s-%d", id, n)
			l.Record(t, stream, placed)
			k.orders = append(k.orders, "placed")
			if i%2 == 0 {
				l.Record(t, stream, order.Confirmed{})
				k.orders[n] = "confirmed"
			}
		}
		if i%6 == 1 {
			link := contact.Link{Chat: id, Channel: "ch", Customer: id}
			l.Record(t, "contact-"+id, contact.Added{Workspace: viewstest.Workspace, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, Status: "OPEN", Category: "open", At: sec(1)}, contact.ChatLinked{Link: link, At: sec(1)})
			k.groups = []string{pick(i, "gold", "silver")}
			grouped = append(grouped, id)
			l.Record(t, "members-"+k.groups[0], membersOf(id))
		}
		extra[id] = k
	}
	for i, id := range grouped {
		if i%5 == 0 {
			l.Record(t, "contact-"+id, contact.Deleted{})
			k := extra[id]
			k.groups = nil
			extra[id] = k
		}
	}
	for _, id := range []group.ID{"gold", "silver"} {
		l.Record(t, "groups-"+viewstest.Workspace, group.Created{Group: id, Name: string(id), Kind: group.Static, By: "ann", At: sec(1)})
	}
	l.Read(t, func(tx sqldb.Tx) {
		rows, err := sqldb.Select[inbox.Row](t.Context(), tx, "SELECT * FROM inbox_v3_chats WHERE listed <> ''")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			k := extra[r.ID]
			k.Chat = r.Chat
			all = append(all, k)
		}
	})
	if len(all) < manyChats*9/10 {
		t.Fatalf("only %d chats", len(all))
	}
	return all
}

func membersOf(ids ...string) members.Changed { return members.Changed{Choice: 1, Added: ids} }

// passes is what a filter means, said a second time.
func passes(n filter.Node, k *known, s filtersql.Scope) bool {
	switch n := n.(type) {
	case nil:
		return true
	case filter.And:
		return !slices.ContainsFunc(n, func(n filter.Node) bool { return !passes(n, k, s) })
	case filter.Or:
		return slices.ContainsFunc(n, func(n filter.Node) bool { return passes(n, k, s) })
	case filter.Not:
		return !passes(n.Of, k, s)
	}
	c := n.(filter.Cond)
	if c.Op == filter.Ne {
		c.Op = filter.Eq
		return !passes(c, k, s)
	}
	texts := map[string][]string{
		"id": {k.ID}, "status": {k.Status}, "status_category": {k.Category}, "assignee": {k.Assignee}, "team": {k.Team}, "offered_to": {k.offeredTo}, "channel": {k.Channel},
		"last_message_by": {k.LastBy}, "name": {k.Name}, "phone": {k.Phone}, "email": {k.Email},
		"company": {k.company}, "city": {k.city}, "country": {k.country}, "tag": k.Tags, "group": k.groups, "order_status": k.orders,
	}
	bools := map[string]bool{"unread": k.Unread > 0, "is_contact": k.IsContact, "has_ordered": len(k.orders) > 0, "snoozed": k.Snoozed}
	times := map[string]int64{"created": k.CreatedAt, "last_activity": k.LastActivityAt, "waiting_since": k.WaitingSince, "snoozed_until": k.SnoozedUntil}
	switch c.Kind {
	case filter.Bool:
		return bools[c.Field] == c.Values[0].Bool
	case filter.Time:
		at := times[c.Field]
		value := func(i int) int64 { return c.Values[i].At(s.Now).UnixMicro() }
		switch c.Op {
		case filter.Exists:
			return (at != 0) == c.Want
		case filter.Eq:
			return at == value(0)
		case filter.Lt:
			return at != 0 && at < value(0)
		case filter.Gt:
			return at != 0 && at > value(0)
		}
		return at != 0 && at >= value(0) && at <= value(1)
	}
	small := func(s string) string { return s }
	if c.Kind == filter.Word {
		small = func(s string) string {
			return strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r + 32
				}
				return r
			}, s)
		}
	}
	one := func(have string) bool {
		have = small(have)
		for _, v := range c.Values {
			want := small(v.Text)
			if v.Me {
				want = s.Me
			}
			switch {
			case c.Op == filter.Contains && c.Kind == filter.Word && strings.Contains(have, want),
				c.Op == filter.Prefix && strings.HasPrefix(have, want),
				(c.Op == filter.Eq || c.Op == filter.In || c.Op == filter.Contains && c.Kind == filter.Set) && have == want:
				return true
			}
		}
		return false
	}
	if c.Op == filter.Exists {
		return slices.ContainsFunc(texts[c.Field], func(s string) bool { return s != "" }) == c.Want
	}
	return slices.ContainsFunc(texts[c.Field], one)
}

// draw draws the JSON of a filter: every field, every operator, values that occur
// and some that do not.
func draw(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 9).Draw(t, "node")
	if depth > 1 && kind < 4 {
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			parts = append(parts, draw(t, depth-1))
		}
		list := "[" + strings.Join(parts, ",") + "]"
		return []string{`{"and":` + list + `}`, `{"or":` + list + `}`, `{"not":` + parts[0] + `}`, `{"and":` + list + `}`}[kind]
	}
	f := rapid.SampledFrom(filter.Fields(filter.Chats)).Draw(t, "field")
	op := rapid.SampledFrom(f.Kind.Ops()).Draw(t, "op")
	value := func() string {
		switch f.Kind {
		case filter.Bool:
			return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")
		case filter.Time:
			return rapid.SampledFrom([]string{`"-1h"`, `"1970-01-01T00:17:30Z"`, `"1970-01-01T00:34:00Z"`, `"+1d"`, `"2020-01-01"`}).Draw(t, "time")
		case filter.Number, filter.ID, filter.Word, filter.Set:
		}
		if f.Words != nil && op != filter.Prefix {
			return fmt.Sprintf("%q", rapid.SampledFrom(f.Words).Draw(t, "word"))
		}
		values := map[string][]string{
			"id": {"c001", "c0"}, "status": {"OPEN", "CLOSED", "none"}, "assignee": {"ann", "bob", "me"}, "team": {"sales", "care"}, "offered_to": {"ann", "care", "me", "c"},
			"tag": {"vip", "spam", `a"b`, `"`, "late"}, "group": {"gold", "silver"}, "channel": {"ch", "ch2"}, "order_status": {"placed", "confirmed"},
			"city": {"wien", "Rome", "W"}, "company": {"über ag", "Über", "acme"}, "name": {"name c1", "1555", "c"}, "email": {"C00", "@x"},
		}[f.Name]
		if f.Kind == filter.ID && op != filter.Prefix && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			return "null"
		}
		return fmt.Sprintf("%q", rapid.SampledFrom(append(values, "zzz", "A")).Draw(t, "text"))
	}
	v := value()
	switch op {
	case filter.In, filter.Between:
		v = "[" + v + "," + value() + "]"
	case filter.Exists:
		v = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "exists")
	}
	return fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, f.Name, op, v)
}

func TestFindIsWhatTheFilterMeans(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	views := []func() projections.Projection{inbox.New, offers.New, visitor.New, orders.New, directory.New, contacts.New, groups.New}
	viewstest.OnBoth(t, parts, views, func(t *testing.T, l *viewstest.Ledger) {
		all := population(t, l)
		scope := filtersql.Scope{Now: sec(2200 + 3600), Me: "ann"}
		found := 0
		rapid.Check(t, func(rt *rapid.T) {
			raw := draw(rt, 4)
			f, err := filter.Parse(filter.Chats, []byte(raw))
			if err != nil {
				rt.Fatalf("%s: %v", raw, err)
			}
			sort := rapid.SampledFrom([]inbox.Sort{inbox.ByActivity, inbox.ByCreated, inbox.ByWaiting}).Draw(rt, "sort")
			except := rapid.SliceOfN(rapid.SampledFrom([]string{"c001", "c010", "c100", "c'"}), 0, 3).Draw(rt, "except")
			only := rapid.SliceOfN(rapid.SampledFrom([]string{"c001", "c010", "c011", "c100", "c200", "c'"}), 0, 5).Draw(rt, "only")
			var want []known
			for _, k := range all {
				if passes(f.Root, &k, scope) && !slices.Contains(except, k.ID) && (len(only) == 0 || slices.Contains(only, k.ID)) {
					want = append(want, k)
				}
			}
			slices.SortFunc(want, func(a, b known) int { return inOrder(sort, &a, &b) })
			s := inbox.Search{Workspace: viewstest.Workspace, Filter: f, Scope: scope, Only: only, Except: except, Sort: sort, Limit: rapid.IntRange(20, 200).Draw(rt, "limit")}
			var ids, got []string
			for _, k := range want {
				ids = append(ids, k.ID)
			}
			var n filtersql.Counted
			var each []string
			l.Read(t, func(tx sqldb.Tx) {
				if got, err = everyPage(t, tx, s); err == nil {
					n, err = inbox.Count(t.Context(), tx, s)
				}
				if err == nil {
					err = inbox.Each(t.Context(), tx, s, func(r filtersql.Ref) error {
						each = append(each, r.ID)
						return nil
					})
				}
			})
			if err != nil {
				rt.Fatalf("%s: %v", raw, err)
			}
			if !slices.Equal(got, ids) {
				rt.Fatalf("%s by %s:\ngot  %v\nwant %v", raw, sort, got, ids)
			}
			if !slices.Equal(each, ids) {
				rt.Fatalf("%s by %s, each:\ngot  %v\nwant %v", raw, sort, each, ids)
			}
			if !n.Exact || int(n.N) != len(ids) {
				rt.Fatalf("%s: count %+v; want %d", raw, n, len(ids))
			}
			found += len(got)
		})
		if found == 0 {
			t.Error("no filter let anything pass")
		}
	})
}

func everyPage(t *testing.T, tx sqldb.Tx, s inbox.Search) (all []string, err error) {
	for range manyChats {
		page, err := inbox.Find(t.Context(), tx, s)
		if err != nil {
			return nil, err
		}
		for _, c := range page.Chats {
			all = append(all, c.ID)
		}
		if s.Cursor = page.Next; s.Cursor == "" {
			return all, nil
		}
	}
	return nil, errors.New("the list has no end")
}

func inOrder(sort inbox.Sort, a, b *known) int {
	switch sort {
	case inbox.ByCreated:
		return -cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	case inbox.ByWaiting:
		waits := func(k *known) int { return cmp.Compare(0, k.WaitingSince) } // -1 if so
		if n := cmp.Compare(waits(a), waits(b)); n != 0 {
			return n
		}
		if a.WaitingSince != 0 {
			return cmp.Or(cmp.Compare(a.WaitingSince, b.WaitingSince), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(-cmp.Compare(a.LastActivityAt, b.LastActivityAt), cmp.Compare(a.ID, b.ID))
	}
	return -cmp.Or(cmp.Compare(a.LastActivityAt, b.LastActivityAt), cmp.Compare(a.ID, b.ID))
}

// What is offered is few, and found among all chats at once, in every order.
func TestFindWhatIsOffered(t *testing.T) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	views := []func() projections.Projection{inbox.New, offers.New, visitor.New, orders.New, directory.New, contacts.New, groups.New}
	viewstest.OnBoth(t, parts, views, func(t *testing.T, l *viewstest.Ledger) {
		all := population(t, l)
		scope := filtersql.Scope{Now: sec(6000), Me: "ann"}
		for _, raw := range []string{
			`{"field":"offered_to","op":"eq","value":"me"}`,
			`{"field":"offered_to","op":"eq","value":"care"}`,
			`{"field":"offered_to","op":"eq","value":null}`,
			`{"field":"offered_to","op":"ne","value":"me"}`,
			`{"field":"offered_to","op":"in","value":["me","care"]}`,
			`{"field":"offered_to","op":"in","value":["me",null]}`,
			`{"field":"offered_to","op":"prefix","value":"c"}`,
			`{"field":"offered_to","op":"exists"}`,
			`{"field":"offered_to","op":"exists","value":false}`,
			`{"and":[{"field":"offered_to","op":"exists"},{"field":"status","op":"eq","value":"OPEN"},{"not":{"field":"email","op":"exists"}}]}`,
			`{"and":[{"field":"snoozed","op":"eq","value":false},{"field":"offered_to","op":"in","value":["me","care"]}]}`,
			`{"or":[{"field":"offered_to","op":"eq","value":"me"},{"field":"assignee","op":"eq","value":"me"}]}`,
		} {
			f, err := filter.Parse(filter.Chats, []byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			for _, sort := range []inbox.Sort{inbox.ByActivity, inbox.ByCreated, inbox.ByWaiting} {
				var want []known
				for _, k := range all {
					if passes(f.Root, &k, scope) {
						want = append(want, k)
					}
				}
				slices.SortFunc(want, func(a, b known) int { return inOrder(sort, &a, &b) })
				var ids, got []string
				for _, k := range want {
					ids = append(ids, k.ID)
				}
				l.Read(t, func(tx sqldb.Tx) {
					got, err = everyPage(t, tx, inbox.Search{Workspace: viewstest.Workspace, Filter: f, Scope: scope, Sort: sort, Limit: 3})
				})
				if err != nil || len(want) == 0 || !slices.Equal(got, ids) {
					t.Errorf("%s by %s: %v\ngot  %v\nwant %v", raw, sort, err, got, ids)
				}
			}
		}
	})
}

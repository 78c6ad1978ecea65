package contacts_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
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
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

const acme = viewstest.Workspace

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{contacts.New, directory.New, groups.New, inbox.New, orders.New}, test)
}

var typed = contact.Source{Reason: contact.ByAgent, By: "ann"}

func added(n int) contact.Added {
	return contact.Added{Workspace: acme, Source: typed, Status: "OPEN", Category: "open", At: sec(n)}
}

func set(n int, s contact.Source, fieldAndValues ...string) contact.DetailsSet {
	return contact.DetailsSet{Changes: []contact.Change{{Field: fieldAndValues[0], Values: fieldAndValues[1:]}}, Source: s, At: sec(n)}
}

func get(t *testing.T, tx sqldb.Tx, id string) contacts.Full {
	t.Helper()
	c, err := contacts.Get(t.Context(), tx, acme, id)
	if err != nil {
		t.Fatalf("get %s: %v", id, err)
	}
	return c
}

func TestEachValueKeepsItsSource(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		card := contact.Source{Reason: contact.ByContactCard, Chat: "c", Message: "m"}
		l.Record(t, "contact-1", added(1), set(1, typed, "emails", "a@x", "b@x"), set(5, card, "emails", "c@x", "a@x", "b@x"),
			set(6, card, "name", "Ana"), set(7, typed, "name"), set(8, typed, "attributes.size", "M"), contact.ChatLinked{Link: contact.Link{Chat: "c", Channel: "ch", Customer: "1555"}, At: sec(5)})
		l.Read(t, func(tx sqldb.Tx) {
			c := get(t, tx, "1")
			var got []string
			for _, v := range c.Values(contact.Emails) {
				got = append(got, fmt.Sprint(v.Text, " ", v.Source.Reason, " ", v.Source.At/1e6))
			}
			if diff := cmp.Diff([]string{"c@x contact_card 5", "a@x typed_in 1", "b@x typed_in 1"}, got); diff != "" {
				t.Errorf("emails (-want +got):\n%s", diff)
			}
			if c.Email != "c@x" || c.Name != "" || !c.HasChat || c.Reason != "typed_in" || c.Revision != 6 || c.Values("attributes.size")[0].Text != "M" {
				t.Errorf("contact %+v", c)
			}
		})
		l.Verify(t)
	})
}

// Whatever happens between a merge and its end, each gets what is its own.
func TestUnmergeGivesEachItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		card := contact.Source{Reason: contact.ByContactCard, Chat: "cb", Message: "m"}
		l.Record(t, "contact-a", added(1), set(1, typed, "name", "Ana"), set(1, typed, "phones", "+15550001"), contact.TagsChanged{Added: []contact.TagID{"vip"}})
		l.Record(t, "contact-b", added(2), set(2, typed, "name", "Ana L."), set(2, typed, "emails", "b@x"), contact.NoteAdded{Note: "nb", Text: "of b", By: "ann", At: sec(2)})
		l.Record(t, "contact-a", contact.Absorbed{Contact: "b", By: "ann", At: sec(3)})
		l.Record(t, "contact-b", contact.Merged{Into: "a", By: "ann", At: sec(3)})
		var ofA, ofB []codec.Event
		for i := range 10 {
			ofA = append(ofA, set(10+i, typed, "city", fmt.Sprint("A", i)))
			ofB = append(ofB, set(10+i, card, "company", fmt.Sprint("B", i)))
		}
		ofA = append(ofA, contact.NoteAdded{Note: "na", Text: "of a", By: "ann", At: sec(30)}, contact.TagsChanged{Added: []contact.TagID{"new"}})
		ofB = append(ofB, set(31, card, "emails", "b2@x", "b@x"))
		l.Record(t, "contact-a", ofA...)
		l.Record(t, "contact-b", ofB...)
		l.Read(t, func(tx sqldb.Tx) {
			a, b := get(t, tx, "a"), get(t, tx, "b")
			if a.ID != "a" || b.ID != "a" || a.Name != "Ana" || a.Email != "b2@x" || a.City != "A9" || a.Company != "B9" || len(a.Notes) != 2 || !slices.Equal(a.Tags, []string{"new", "vip"}) || len(a.Parts) != 2 {
				t.Errorf("merged: %+v and %+v", a.Listed, b.Listed)
			}
			page, err := contacts.Find(t.Context(), tx, contacts.Search{Workspace: acme})
			if err != nil || len(page.Contacts) != 1 {
				t.Errorf("listed %+v, %v", page, err)
			}
		})
		l.Verify(t)
		l.Record(t, "contact-a", contact.Released{Contact: "b", By: "ann", At: sec(40)})
		l.Record(t, "contact-b", contact.Unmerged{From: "a", By: "ann", At: sec(40)})
		l.Read(t, func(tx sqldb.Tx) {
			a, b := get(t, tx, "a"), get(t, tx, "b")
			if a.Name != "Ana" || a.Email != "" || a.City != "A9" || a.Company != "" || a.Phone != "+15550001" || len(a.Notes) != 1 || !slices.Equal(a.Tags, []string{"new", "vip"}) {
				t.Errorf("a: %+v", a)
			}
			if b.ID != "b" || b.Name != "Ana L." || b.Email != "b2@x" || b.City != "" || b.Company != "B9" || b.Phone != "" || len(b.Notes) != 1 || len(b.Tags) != 0 {
				t.Errorf("b: %+v", b)
			}
		})
		l.Verify(t)
	})
}

// A name that somebody has told is shown before one of a profile, of whichever part.
func TestProfilesCountLast(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		profile := contact.Source{Reason: contact.ByProfile, Chat: "c"}
		l.Record(t, "contact-a", added(1), set(1, profile, "name", "~ana~"))
		l.Record(t, "contact-b", added(2), set(2, typed, "name", "Ana Lima"))
		shown := func(want string, from contact.Reason) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				c := get(t, tx, "a")
				if v := c.Values(contact.Name); c.Name != want || len(v) != 1 || v[0].Source.Reason != from {
					t.Errorf("name %q, %+v; want %q %s", c.Name, v, want, from)
				}
			})
		}
		shown("~ana~", contact.ByProfile)
		l.Record(t, "contact-b", contact.Merged{Into: "a", By: "ann", At: sec(3)})
		shown("Ana Lima", contact.ByAgent)
		l.Record(t, "contact-b", contact.Unmerged{From: "a", By: "ann", At: sec(4)})
		l.Record(t, "contact-a", set(5, typed, "name", "~ana~"))
		shown("~ana~", contact.ByAgent)
		l.Verify(t)
	})
}

func TestDuplicates(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "contact-1", added(1), set(1, typed, "emails", "Ana@x"), set(1, typed, "phones", "+15550001"))
		l.Record(t, "contact-2", added(2), set(2, typed, "emails", "o@x", "ana@X"))
		l.Record(t, "contact-3", added(3), set(3, typed, "phones", "+15550001"))
		l.Record(t, "contact-4", added(4), set(4, typed, "phones", "+15550001"), contact.Deleted{By: "sue"})
		l.Record(t, "contact-5", added(5), set(5, typed, "phones", "+15550005"))
		of := func(want ...string) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				list, err := contacts.Duplicates(t.Context(), tx, acme, "1")
				var got []string
				for _, d := range list {
					got = append(got, d.ID+" "+d.Kind+" "+d.Value)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("duplicates %q, %v; want %q", got, err, want)
				}
				if other, err := contacts.Duplicates(t.Context(), tx, "other", "1"); err != nil || len(other) > 0 {
					t.Errorf("of another workspace: %v, %v", other, err)
				}
			})
		}
		of("2 email ana@x", "3 phone +15550001")
		all := func(want ...string) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				var got []string
				for from := ""; ; {
					page, next, err := contacts.AllShared(t.Context(), tx, acme, from, 1)
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range page {
						text := fmt.Sprintf("%s %s %d", s.Kind, s.Value, s.Count)
						for _, c := range s.Contacts {
							text += " " + c.ID
						}
						got = append(got, text)
					}
					if from = next; from == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("shared %q, want %q", got, want)
				}
			})
		}
		all("email ana@x 2 1 2", "phone +15550001 2 1 3")
		l.Record(t, "contact-3", contact.Merged{Into: "1", By: "ann", At: sec(9)})
		of("2 email ana@x")
		all("email ana@x 2 1 2")
		l.Record(t, "contact-3", contact.Unmerged{From: "1", By: "ann", At: sec(9)})
		l.Record(t, "contact-2", set(10, typed, "emails", "o@x"))
		of("3 phone +15550001")
		l.Verify(t)
	})
}

func TestGetRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "contact-1", added(1))
		l.Record(t, "contact-2", added(1), contact.Deleted{By: "sue"})
		l.Record(t, "contact-3", added(1), contact.Merged{Into: "2", By: "ann", At: sec(2)})
		l.Read(t, func(tx sqldb.Tx) {
			get(t, tx, "1")
			for _, at := range [][2]string{{"other", "1"}, {acme, "2"}, {acme, "3"}, {acme, "none"}, {acme, "\x00"}, {"", "2"}} {
				if _, err := contacts.Get(t.Context(), tx, at[0], at[1]); !errors.Is(err, contact.ErrNotFound) {
					t.Errorf("get %q: %v", at, err)
				}
			}
		})
		parts := func(want []string, workspace, id string, deleted bool) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				got, err := contacts.Parts(t.Context(), tx, workspace, id, deleted)
				if !slices.Equal(got, want) || (err != nil) != (want == nil) || err != nil && !errors.Is(err, contact.ErrNotFound) {
					t.Errorf("parts of %q: %q, %v; want %q", id, got, err, want)
				}
			})
		}
		parts([]string{"1"}, acme, "1", false)
		parts([]string{"2", "3"}, acme, "3", true)
		for _, id := range []string{"2", "3", "none", "\x00"} {
			parts(nil, acme, id, false)
		}
		parts(nil, "other", "1", true)
		parts(nil, "", "1", true)
		l.Record(t, "contact-2", contact.Restored{By: "sue"})
		l.Read(t, func(tx sqldb.Tx) {
			if c := get(t, tx, "3"); c.ID != "2" {
				t.Errorf("got %s", c.ID)
			}
		})
	})
}

// Every page of every filter is what the list holds, in its order.
func TestFind(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		const many = 250
		type known struct {
			id, status, assignee, city string
			vip, blocked               bool
		}
		var all []known
		for i := range many {
			k := known{id: fmt.Sprintf("c%03d", i), status: "OPEN", city: []string{"Rome", "Wien", ""}[i%3]}
			facts := []codec.Event{added(i / 2)}
			if k.city != "" {
				facts = append(facts, set(i, typed, "city", k.city))
			}
			if i%4 == 0 {
				k.status = "REVIEW"
				facts = append(facts, contact.StatusSet{Status: "REVIEW", Category: "pending", From: "OPEN"})
			}
			if i%5 == 0 {
				k.assignee = "ann"
				facts = append(facts, contact.Assigned{To: "ann"})
			}
			if i%6 == 0 {
				k.vip = true
				facts = append(facts, contact.TagsChanged{Added: []contact.TagID{"vip"}})
			}
			if i%7 == 0 {
				k.blocked = true
				facts = append(facts, contact.Blocked{By: "ann", At: sec(i)})
			}
			l.Record(t, "contact-"+k.id, facts...)
			all = append(all, k)
		}
		for _, tt := range []struct {
			filter string
			passes func(known) bool
		}{
			{`{}`, func(known) bool { return true }},
			{`{"field":"status","op":"eq","value":"REVIEW"}`, func(k known) bool { return k.status == "REVIEW" }},
			{`{"field":"status_category","op":"ne","value":"open"}`, func(k known) bool { return k.status == "REVIEW" }},
			{`{"field":"assignee","op":"eq","value":"me"}`, func(k known) bool { return k.assignee == "ann" }},
			{`{"field":"assignee","op":"exists","value":false}`, func(k known) bool { return k.assignee == "" }},
			{`{"and":[{"field":"tag","op":"eq","value":"vip"},{"field":"blocked","op":"eq","value":true}]}`, func(k known) bool { return k.vip && k.blocked }},
			{`{"or":[{"field":"city","op":"prefix","value":"wi"},{"not":{"field":"tag","op":"exists"}}]}`, func(k known) bool { return k.city == "Wien" || !k.vip }},
			{`{"and":[{"field":"reason","op":"eq","value":"typed_in"},{"field":"city","op":"exists","value":false},{"field":"has_chat","op":"eq","value":false}]}`, func(k known) bool { return k.city == "" }},
			{`{"field":"created","op":"gt","value":"-1d"}`, func(known) bool { return false }},
		} {
			f, err := filter.Parse(filter.Contacts, []byte(tt.filter))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, k := range slices.Backward(all) {
				if tt.passes(k) {
					want = append(want, k.id)
				}
			}
			for _, sort := range []contacts.Sort{contacts.ByCreated, contacts.ByUpdated} {
				l.Read(t, func(tx sqldb.Tx) {
					s := contacts.Search{Workspace: acme, Filter: f, Scope: filtersql.Scope{Now: time.Now(), Me: "ann"}, Sort: sort, Limit: 60}
					n, err := contacts.Count(t.Context(), tx, s)
					if err != nil || n != (filtersql.Counted{N: int64(len(want)), Exact: true}) {
						t.Errorf("%s: count %+v, %v; want %d", tt.filter, n, err, len(want))
					}
					var got []string
					for {
						page, err := contacts.Find(t.Context(), tx, s)
						if err != nil {
							t.Fatal(err)
						}
						for _, c := range page.Contacts {
							got = append(got, c.ID)
						}
						if s.Cursor = page.Next; s.Cursor == "" {
							break
						}
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s by %s: %d contacts %v; want %d %v", tt.filter, sort, len(got), got, len(want), want)
					}
				})
			}
		}
		l.Read(t, func(tx sqldb.Tx) {
			if _, err := contacts.Find(t.Context(), tx, contacts.Search{Workspace: acme, Sort: "size"}); !errors.Is(err, contacts.ErrSort) {
				t.Errorf("by size: %v", err)
			}
		})
		l.Verify(t)
	})
}

// Every field and operator of a filter makes a statement that the databases take.
func TestEveryFieldCanBeAskedFor(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "contact-1", added(1))
		l.Read(t, func(tx sqldb.Tx) {
			for _, field := range filter.Fields(filter.Contacts) {
				for _, op := range field.Kind.Ops() {
					value := map[filter.Kind]string{filter.Bool: `true`, filter.Time: `"-1d"`}[field.Kind]
					switch {
					case op == filter.Exists:
						value = `true`
					case field.Words != nil:
						value = `"` + field.Words[0] + `"`
					case value == "":
						value = `"x"`
					}
					switch op {
					case filter.In:
						value = `[` + value + `]`
					case filter.Between:
						value = `[` + value + `,` + value + `]`
					}
					raw := fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, field.Name, op, value)
					f, err := filter.Parse(filter.Contacts, []byte(raw))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := contacts.Count(t.Context(), tx, contacts.Search{Workspace: acme, Filter: f}); err != nil {
						t.Errorf("%s: %v", raw, err)
					}
				}
			}
		})
	})
}

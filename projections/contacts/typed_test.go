package contacts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// The workspace's own attributes compare as their kinds do, also those of a contact
// that was merged; what cannot be compared is refused by its place.
func TestOwnAttributes(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		for id, kind := range map[attribute.ID]attribute.Kind{
			"size": attribute.Number, "since": attribute.Date, "vip": attribute.Bool, "tier": attribute.Choice, "hobby": attribute.Text,
		} {
			l.Record(t, "attributes-"+acme, attribute.Defined{Attribute: id, Name: string(id), Kind: kind, Choices: map[attribute.Kind][]string{attribute.Choice: {"Gold", "Silver"}}[kind]})
		}
		const field = contact.Custom
		l.Record(t, "contact-a", added(1), set(2, typed, field+"size", "9.5"), set(3, typed, field+"since", "2024-02-29"), set(4, typed, field+"vip", "true"))
		l.Record(t, "contact-b", added(1), set(2, typed, field+"size", "10"), set(3, typed, field+"tier", "Gold"), set(4, typed, field+"hobby", "Chess and Go"))
		l.Record(t, "contact-c", added(1), set(2, typed, field+"size", "-100.25"), set(3, typed, field+"since", "2025-01-01"), set(4, typed, field+"vip", "false"))
		l.Record(t, "contact-d", added(1))
		l.Record(t, "contact-e", added(1), set(2, typed, field+"tier", "Silver"))
		l.Record(t, "contact-e", contact.Merged{Into: "d", By: "ann", At: sec(9)})
		l.Record(t, "contact-d", contact.Absorbed{Contact: "e", By: "ann", At: sec(9)})
		for filter, want := range map[string]string{
			`{"field":"attributes.size","op":"gt","value":9.5}`:                        "b",
			`{"field":"attributes.size","op":"between","value":[-101,"9.50"]}`:         "a c",
			`{"field":"attributes.size","op":"lt","value":"9.5"}`:                      "c",
			`{"field":"attributes.size","op":"in","value":[10.0,7]}`:                   "b",
			`{"field":"attributes.size","op":"exists","value":false}`:                  "d",
			`{"field":"attributes.size","op":"ne","value":10}`:                         "a c d",
			`{"field":"attributes.since","op":"lt","value":"2024-12-31"}`:              "a",
			`{"field":"attributes.vip","op":"eq","value":false}`:                       "c",
			`{"field":"attributes.vip","op":"eq","value":"yes"}`:                       "a",
			`{"field":"attributes.tier","op":"in","value":["gold","silver"]}`:          "b d",
			`{"field":"attributes.hobby","op":"contains","value":"chess"}`:             "b",
			`{"not":{"field":"attributes.hobby","op":"prefix","value":"chess and g"}}`: "a c d",
		} {
			if got := strings.Join(find(t, l, filter), " "); got != want {
				t.Errorf("%s: %s, want %s", filter, got, want)
			}
		}
		for raw, at := range map[string]string{
			`{"field":"attributes.shoe","op":"eq","value":1}`:                             "filter.field filter.unknown_field",
			`{"and":[{"field":"attributes.size","op":"contains","value":"1"}]}`:           "filter.and[0].op filter.unknown_operator",
			`{"not":{"field":"attributes.size","op":"eq","value":"large"}}`:               "filter.not.value filter.bad_value",
			`{"or":[{"field":"attributes.since","op":"in","value":["2024-01-01","x"]}]}`:  "filter.or[0].value[1] filter.bad_value",
			`{"or":[{"field":"attributes.vip","op":"between","value":["true","false"]}]}`: "filter.or[0].op filter.unknown_operator",
		} {
			f, err := filter.Parse(filter.Contacts, []byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			l.Read(t, func(tx sqldb.Tx) {
				_, err = contacts.Count(t.Context(), tx, contacts.Search{Workspace: acme, Filter: f})
			})
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || fmt.Sprintf("%s %s", e.Field, e.Code) != at {
				t.Errorf("%s: %v, want %s", raw, err, at)
			}
		}
		l.Verify(t)
	})
}

// find returns the ids of the contacts that pass a filter, sorted.
func find(t *testing.T, l *viewstest.Ledger, raw string) (ids []string) {
	t.Helper()
	f, err := filter.Parse(filter.Contacts, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	l.Read(t, func(tx sqldb.Tx) {
		page, err := contacts.Find(t.Context(), tx, contacts.Search{Workspace: acme, Filter: f})
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		for _, c := range page.Contacts {
			ids = append(ids, c.ID)
		}
	})
	slices.Sort(ids)
	return ids
}

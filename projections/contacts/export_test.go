package contacts_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// A file has what a contact and those merged into it have, but nothing of a deleted one.
func TestWhatFilesHave(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "contact-a", added(1), set(1, typed, "emails", "a@x", "b@x"), set(1, typed, "attributes.size", "4"),
			contact.ChatLinked{Link: contact.Link{Chat: "c1", Channel: "ch", Customer: "1"}, At: sec(1)})
		l.Record(t, "contact-b", added(2), set(2, typed, "emails", "c@x"), set(2, typed, "phones", "+1555"), set(2, typed, "attributes.size", "5"), set(2, typed, "attributes.colour", "red"),
			contact.ChatLinked{Link: contact.Link{Chat: "c2", Channel: "ch", Customer: "2"}, At: sec(2)},
			contact.NoteAdded{Note: "n", Text: "of b", By: "ann", At: sec(3)}, contact.Merged{Into: "a", By: "ann", At: sec(4)})
		l.Record(t, "contact-a", contact.Absorbed{Contact: "b", By: "ann", At: sec(4)})
		l.Record(t, "contact-c", added(5), contact.Deleted{By: "ann"})
		for i := range 205 {
			l.Record(t, "contact-a", contact.NoteAdded{Note: contact.NoteID(fmt.Sprint(i)), Text: fmt.Sprint(i), By: "ann", At: sec(i)})
		}
		l.Read(t, func(tx sqldb.Tx) {
			details, err := contacts.DetailsOf(t.Context(), tx, acme, []string{"a", "b", "c", "none"})
			want := map[string]contacts.Details{"a": {
				Emails: []string{"a@x", "b@x", "c@x"}, Phones: []string{"+1555"}, Attributes: map[string]string{"size": "4", "colour": "red"}, Parts: []string{"a", "b"},
			}}
			if diff := cmp.Diff(want, details); diff != "" || err != nil {
				t.Errorf("details (-want +got):\n%s%v", diff, err)
			}
			notes, err := contacts.NotesOf(t.Context(), tx, []string{"a", "b"})
			if err != nil || len(notes["a"]) != 200 || notes["a"][0].Text != "5" || notes["a"][199].Text != "204" || len(notes["b"]) != 1 {
				t.Errorf("notes %v, %v", notes, err)
			}
			whose, err := contacts.OfChats(t.Context(), tx, acme, []string{"c1", "c2", "c3"})
			if err != nil || len(whose) != 2 || whose["c1"].ID != "a" || whose["c2"].ID != "a" {
				t.Errorf("chats of %v, %v", whose, err)
			}
			if other, err := contacts.OfChats(t.Context(), tx, "other", []string{"c1"}); err != nil || len(other) != 0 {
				t.Errorf("chats of another workspace: %v, %v", other, err)
			}
			many := slices.Repeat([]string{"x"}, 1200)
			if _, err := contacts.DetailsOf(t.Context(), tx, acme, many); err != nil {
				t.Error(err)
			}
		})
		l.Verify(t)
	})
}

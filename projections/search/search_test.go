package search_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/search"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{search.New}, test)
}

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func opens(customer string) chat.Opened {
	return chat.Opened{Workspace: viewstest.Workspace, Channel: "ch", Customer: customer, At: sec(1)}
}

func received(id, text string) chat.MessageReceived {
	return chat.MessageReceived{Message: chat.MessageID(id), Content: chat.Content{Kind: "text", Text: text}, At: sec(2)}
}

func queued(id, text string) chat.MessageQueued {
	return chat.MessageQueued{Message: chat.MessageID(id), Text: text, By: "ann", At: sec(3)}
}

// found returns the ids of what a query finds, of all pages, as kind:id.
func found(t testing.TB, l *viewstest.Ledger, q search.Query) (ids []string) {
	t.Helper()
	l.Read(t, func(tx sqldb.Tx) {
		for _, f := range all(t, tx, q) {
			ids = append(ids, f.Kind+":"+f.Ref)
		}
	})
	return ids
}

func all(t testing.TB, tx sqldb.Tx, q search.Query) (list []search.Found) {
	t.Helper()
	if q.Workspace == "" {
		q.Workspace = viewstest.Workspace
	}
	for {
		page, err := search.Find(t.Context(), tx, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		list = append(list, page.Found...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return list
		}
	}
}

// expect fails unless each query finds what is behind it.
func expect(t *testing.T, l *viewstest.Ledger, want map[string]string) {
	t.Helper()
	for q, ids := range want {
		if got := strings.Join(found(t, l, search.Query{Text: q}), " "); got != ids {
			t.Errorf("%q finds %q, want %q", q, got, ids)
		}
	}
}

func TestTextsAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("4915112345678"),
			received("m1", "Grüße aus Zürich, wo ist meine BESTELLUNG?"),
			queued("m2", "Ihre Bestellung ist unterwegs: Straße 12"),
			chat.MessageReceived{Message: "m3", At: sec(4), Content: chat.Content{
				Kind: "document", Text: "the receipt", Media: &chat.Media{ID: "1", Filename: "Rechnung-2024.pdf"},
			}},
			chat.MessageReceived{Message: "m4", At: sec(5), Content: chat.Content{
				Kind: "contacts", Cards: []chat.Card{{Name: "Łukasz Øster", Phones: []string{"+48 22 555 66 77"}, Emails: []string{"lukasz@poczta.pl"}}},
			}},
			chat.MessageQueued{Message: "m7", Text: "bitte sehr", By: "ann", At: sec(6), Media: &chat.FileUse{ID: "2", Kind: "document", Filename: "Angebot Müller.pdf"}},
			chat.MessageQueued{Message: "m8", Text: "Hallo", By: "ann", At: sec(7), Template: &chat.TemplateUse{Header: &chat.TemplateHeader{Kind: "document", File: &chat.FileUse{ID: "3", Filename: "Lieferschein.pdf"}}}},
			chat.MessageQueued{Message: "m9", Text: "Hallo", By: "ann", At: sec(7), Template: &chat.TemplateUse{Header: &chat.TemplateHeader{Kind: "document", Link: "https://x", Filename: "Mahnung.pdf"}}},
			chat.MessageReceived{Message: "m10", At: sec(8), Content: chat.Content{Kind: "flow", Flow: &chat.Flow{
				Name: "address", Body: "Sent", Answers: json.RawMessage(`{"flow_token":"t0ken","street":{"name":"Gärtnerweg","no":12345},"floors":["Erdgeschoss",true,null]}`),
			}}},
			received("m5", "東京都に住んでいます 🎉"),
			received("m6", "Καλημέρα ΚΌΣΜΕ, Ёлка й"),
		)
		expect(t, l, map[string]string{
			"bestell":          "message:m2 message:m1",
			"BESTELLUNG":       "message:m2 message:m1",
			"gruße":            "message:m1",
			"grüsse zurich":    "message:m1", // ß is ss, ü is u
			"zür best":         "message:m1",
			"strasse 12":       "message:m2",
			"best zurich wien": "",
			"echnung":          "", // words are found from their beginning
			"rechnung pdf":     "message:m3",
			"muller pdf":       "message:m7",
			"bitte angebot":    "message:m7",
			"lieferschein":     "message:m8",
			"mahnung":          "message:m9",
			"gartnerweg 12345": "message:m10",
			"erdgeschoss sent": "message:m10",
			"t0ken":            "",
			"grusse zurich":    "message:m1",
			"2024":             "message:m3",
			"lukasz oster":     "message:m4",
			"lukasz@poczta.pl": "message:m4",
			"poczta":           "message:m4",
			"225556677":        "message:m4",
			"022 555 6677":     "message:m4",
			"+48 22 555-66-77": "message:m4",
			"東京":               "message:m5",
			"京都":               "message:m5",
			"都":                "message:m5",
			"京東":               "",
			"🎉":                "message:m5",
			"καλημερα κοσμε":   "message:m6",
			"ΕΛΚΑ":             "", // that one is Greek
			"елка":             "message:m6",
		})
		l.Verify(t)
	})
}

func TestVisitorsAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("4915112345678"))
		named := received("m1", "hi")
		named.ProfileName = "José"
		l.Record(t, "chat-1", named)
		l.Record(t, "chat-2", opens("some.customer"))
		expect(t, l, map[string]string{
			"jose": "visitor:1", "5678": "visitor:1", "12345678": "visitor:1", "0151 12345678": "visitor:1",
			"0049 (0)151 1234 5678": "visitor:1", "+49151": "visitor:1", "+49 151 12345679": "", "678": "",
			"some customer": "visitor:2",
		})
		l.Record(t, "chat-1", chat.DetailsShared{
			Reason: chat.ByForm, Name: "José García", Emails: []string{"jg@example.org"}, Phones: []string{"+34600111222", "+4915112345678"}, Company: "Ñandú SL", At: sec(9),
		})
		l.Record(t, "chat-1",
			chat.DetailsShared{Reason: chat.ByAgent, Name: "Maria", Emails: []string{"m@example.org"}, By: "ann", At: sec(10)},
			chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name", "emails"}, By: "ann", At: sec(11)},
			chat.DetailsShared{Reason: chat.ByContactCard, Emails: []string{"late@example.org"}, Message: "m0", At: sec(10)},
		)
		expect(t, l, map[string]string{"maria": "", "m@example": "", "jg@example": "", "late@example": "", "nandu": "visitor:1"})
		l.Record(t, "chat-1", chat.DetailsShared{
			Reason: chat.ByForm, Name: "José García", Emails: []string{"jg@example.org"}, Phones: []string{"+34600111222", "+4915112345678"}, Company: "Ñandú SL", At: sec(12),
		})
		late := received("m2", "x")
		late.ProfileName, late.At = "Pepe", sec(1) // before "José": it came late
		l.Record(t, "chat-1", late)
		again := received("m0", "x") // at the time of "José", and behind it in the log
		again.ProfileName = "Pepita"
		l.Record(t, "chat-1", again)
		expect(t, l, map[string]string{
			"pepita": "visitor:1", "garcia": "visitor:1", "jg@example": "visitor:1", "nandu": "visitor:1", "600111222": "visitor:1", "jose": "visitor:1", "pepe": "", "5678": "visitor:1",
		})
		l.Read(t, func(tx sqldb.Tx) {
			list := all(t, tx, search.Query{Text: "hi"})
			if len(list) != 1 || list[0].Name != "José García" || list[0].Phone != "+4915112345678" || list[0].Position != 2 || list[0].Chat != "1" || list[0].By != viewstest.Customer {
				t.Errorf("found %+v", list)
			}
		})
		l.Verify(t)
	})
}

func TestContactsAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		set := func(field string, values ...string) contact.DetailsSet {
			return contact.DetailsSet{Changes: []contact.Change{{Field: field, Values: values}}, At: sec(2)}
		}
		l.Record(t, "contact-k", contact.Added{Workspace: viewstest.Workspace, At: sec(1)}, set(contact.Name, "Zoë Müller"), set(contact.Emails, "zoe@example.com", "z@work.example"),
			set(contact.Phones, "+4930123456"), set("attributes.size", "unfindable"), contact.NoteAdded{Note: "n", Text: "prefers noon", By: "ann", At: sec(3)})
		expect(t, l, map[string]string{"zoe mull": "contact:k", "z@work": "contact:k", "030 123456": "contact:k", "noon": "note:n", "unfindable": ""})
		l.Read(t, func(tx sqldb.Tx) {
			if list := all(t, tx, search.Query{Text: "noon"}); len(list) != 1 || list[0].Contact != "k" || list[0].Name != "Zoë Müller" {
				t.Errorf("found %+v", list)
			}
		})
		l.Record(t, "contact-k", set(contact.Name, "Zoe Meier"), set(contact.Phones))
		expect(t, l, map[string]string{"muller": "", "meier": "contact:k", "123456": ""})
		l.Record(t, "contact-k", contact.Deleted{By: "ann"})
		expect(t, l, map[string]string{"meier": "", "noon": ""})
		l.Record(t, "contact-k", set(contact.Company, "Acme"), contact.Restored{By: "ann"})
		expect(t, l, map[string]string{"acme": "contact:k", "noon": "note:n"})
		// One that is shown as a part of another goes with it.
		l.Record(t, "contact-o", contact.Added{Workspace: viewstest.Workspace, At: sec(1)}, set(contact.Name, "Other"))
		l.Record(t, "contact-k", contact.Merged{Into: "o", By: "ann"})
		expect(t, l, map[string]string{"acme": "contact:k", "noon": "note:n"})
		l.Record(t, "contact-o", contact.Deleted{By: "ann"})
		expect(t, l, map[string]string{"acme": "", "noon": ""})
		l.Record(t, "contact-k", contact.Unmerged{From: "o", By: "ann"})
		expect(t, l, map[string]string{"acme": "contact:k", "noon": "note:n"})
		l.Verify(t)
	})
}

func TestNotesAreFoundAsTheyReadNow(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("1555"), chat.NoteAdded{Note: "n1", Text: "calls at noon", By: "ann", At: sec(2)},
			chat.NoteAdded{Note: "n2", Text: "prefers noon", By: "ann", At: sec(3)})
		expect(t, l, map[string]string{"noon": "note:n2 note:n1"})
		l.Record(t, "chat-1", chat.NoteEdited{Note: "n1", Text: "calls at night, not noon", By: "bob", At: sec(4)})
		expect(t, l, map[string]string{"noon": "note:n1 note:n2", "calls": "note:n1", "night": "note:n1"})
		l.Record(t, "chat-1", chat.NoteEdited{Note: "n1", Text: "calls at night", By: "bob", At: sec(5)})
		expect(t, l, map[string]string{"noon": "note:n2"})
		l.Record(t, "chat-1", chat.NoteDeleted{Note: "n2", By: "ann", At: sec(6)}, chat.NoteEdited{Note: "n2", Text: "noon", At: sec(7)})
		expect(t, l, map[string]string{"noon": "", "night": "note:n1"})
		l.Verify(t)
	})
}

func TestOrdersAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		placed := order.Placed{Workspace: viewstest.Workspace, Chat: "1", External: "shop-17", Comment: "as a gift", Lines: []order.Line{{Product: "SKU-77", Name: "Crème brûlée"}}, At: sec(1)}
		l.Record(t, "chat-1", opens("1555"), chat.Deleted{By: "ann"})
		l.Record(t, "order-5f3a", placed)
		l.Record(t, "order-2024000123", order.Refused{Workspace: viewstest.Workspace, Lines: []order.RefusedLine{{Product: "sku-78"}}, At: sec(1)})
		expect(t, l, map[string]string{
			"sku": "order:2024000123 order:5f3a", "sku 77": "order:5f3a", "creme brulee gift": "order:5f3a", "5f3a": "order:5f3a", "000123": "order:2024000123",
			"2024000123": "order:2024000123", "shop 17": "order:5f3a",
		})
		l.Record(t, "order-5f3a", order.NoteAdded{Note: "n", Text: "wrap it", By: "ann", At: sec(2)}, order.NoteAdded{Note: "m", Text: "wrap", By: "ann", At: sec(2)},
			order.NoteEdited{Note: "n", Text: "wrap it well", By: "bob", At: sec(3)}, order.NoteDeleted{Note: "m", By: "ann", At: sec(4)})
		expect(t, l, map[string]string{"wrap": "note:n", "well": "note:n"})
		l.Read(t, func(tx sqldb.Tx) {
			if list := all(t, tx, search.Query{Text: "wrap"}); len(list) != 1 || list[0].Order != "5f3a" || list[0].Chat != "" {
				t.Errorf("found %+v", list)
			}
		})
		l.Verify(t)
	})
}

func TestWhatMayNotBeSeenIsNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("1555123456"), received("m1", "needle"), chat.NoteAdded{Note: "n1", Text: "needle", By: "ann", At: sec(2)})
		theirs := opens("1555123456")
		theirs.Workspace = "other"
		l.RecordIn(t, "other", "chat-2", theirs, received("m2", "needle"))
		expect(t, l, map[string]string{"needle": "note:n1 message:m1", "1555123456": "visitor:1"})
		if got := found(t, l, search.Query{Workspace: "other", Text: "needle"}); !slices.Equal(got, []string{"message:m2"}) {
			t.Errorf("found %q", got)
		}
		if got := found(t, l, search.Query{Text: "needle", Kind: search.KindNote}); !slices.Equal(got, []string{"note:n1"}) {
			t.Errorf("notes: found %q", got)
		}
		l.Record(t, "chat-1", chat.Deleted{By: "ann"})
		expect(t, l, map[string]string{"needle": "", "1555123456": ""})
		l.Record(t, "chat-1", received("m3", "needle"))
		expect(t, l, map[string]string{"needle": ""})
		l.Record(t, "chat-1", chat.Restored{By: "ann"})
		expect(t, l, map[string]string{"needle": "message:m3 note:n1 message:m1", "1555123456": "visitor:1"})
		l.Verify(t)
	})
}

// Pages come to the whole, newest first, also where most of what has the words may
// not be seen, and across the drawers of the index.
func TestPages(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-gone", opens("1"), chat.Deleted{By: "ann"})
		l.Record(t, "chat-1", opens("1"))
		var want []string
		var facts, hidden []codec.Event
		for i := range 6_000 {
			text := "filler " + string(rune('a'+i%26))
			if i%100 == 7 {
				text = "needle in the hay"
				want = append([]string{fmt.Sprintf("message:m%d", i)}, want...)
			}
			facts = append(facts, received(fmt.Sprintf("m%d", i), text))
			if i%20 == 0 {
				hidden = append(hidden, received(fmt.Sprintf("g%d", i), "needle too"))
			}
		}
		for part := range slices.Chunk(facts, 1_000) {
			l.Record(t, "chat-1", part...)
			if len(hidden) > 0 {
				l.Record(t, "chat-gone", hidden...)
				hidden = nil
			}
		}
		for _, limit := range []int{1, 7, 60, 200} {
			if diff := cmp.Diff(want, found(t, l, search.Query{Text: "NEEDLE", Limit: limit})); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
			}
		}
		l.Read(t, func(tx sqldb.Tx) {
			page, err := search.Find(t.Context(), tx, search.Query{Workspace: viewstest.Workspace, Text: "needle", Limit: 60})
			if err != nil || page.Next != "" {
				t.Errorf("what is all has a next page %q, %v", page.Next, err)
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("1555"), received("m1", "a b NOT OR"))
		l.Read(t, func(tx sqldb.Tx) {
			for _, tt := range []struct {
				query search.Query
				want  error
			}{
				{search.Query{Text: ""}, search.ErrEmpty},
				{search.Query{Text: `"*()-^:,' \`}, search.ErrEmpty},
				{search.Query{Text: strings.Repeat("x", 201)}, search.ErrLong},
				{search.Query{Text: strings.Repeat("é", 200)}, nil},
				{search.Query{Text: strings.Repeat("a ", 17)}, search.ErrLong},
				{search.Query{Text: strings.Repeat("a ", 16)}, nil},
				{search.Query{Text: strings.Repeat("12 ", 17)}, search.ErrLong},
				{search.Query{Text: "a", Kind: "chat"}, search.ErrKind},
				{search.Query{Text: "a", Limit: 201}, cursor.ErrLimit},
				{search.Query{Text: "a", Cursor: "x"}, cursor.ErrInvalid},
				{search.Query{Text: "a", Cursor: cursor.Encode("search", map[string]int64{"i": -1})}, nil},
				{search.Query{Text: "a", Cursor: cursor.Encode("search", map[string]int64{"i": 1 << 62})}, nil},
				{search.Query{Text: "a\x00b"}, nil},
				{search.Query{Text: "a AND (b) NEAR NOT \"or\""}, nil},
				{search.Query{Text: "\xff\xfea"}, nil},
			} {
				tt.query.Workspace = viewstest.Workspace
				if _, err := search.Find(t.Context(), tx, tt.query); !errors.Is(err, tt.want) {
					t.Errorf("%+v: %v, want %v", tt.query, err, tt.want)
				}
			}
		})
		expect(t, l, map[string]string{"not": "message:m1", "NOT or": "message:m1", `a* "b"`: "message:m1", "near": "", "a^b": "message:m1", "a:b": "message:m1"})
	})
}

// What is found is the same after a rebuild, and after that is rolled back, and the
// index goes on with what is recorded then.
func TestIndexIsRebuilt(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("1555123456"), received("m1", "needle one"), chat.NoteAdded{Note: "n1", Text: "needle", By: "ann", At: sec(2)},
			chat.NoteAdded{Note: "n2", Text: "needle", By: "ann", At: sec(2)}, chat.NoteEdited{Note: "n1", Text: "needle again", By: "ann", At: sec(3)},
			chat.NoteDeleted{Note: "n2", By: "ann", At: sec(4)})
		expect(t, l, map[string]string{"needle": "note:n1 message:m1"})
		l.Rebuild(t)
		expect(t, l, map[string]string{"needle": "note:n1 message:m1", "1555": "visitor:1"})
		l.Record(t, "chat-1", received("m2", "needle two"), chat.NoteEdited{Note: "n1", Text: "other", By: "ann", At: sec(5)})
		expect(t, l, map[string]string{"needle": "message:m2 message:m1", "other": "note:n1"})
		l.Rollback(t)
		expect(t, l, map[string]string{"needle": "message:m2 message:m1", "other": "note:n1", "one": "message:m1"})
		l.Rebuild(t)
		expect(t, l, map[string]string{"needle": "message:m2 message:m1", "other": "note:n1", "one": "message:m1"})
		l.Verify(t)
	})
}

// A search that takes too long ends its page, and the next one goes on.
func TestPagesEndWhenItIsEnough(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "chat-1", opens("1"), received("m1", "needle"))
		facts := make([]codec.Event, 1_000)
		var thimbles []string
		for n := range 70 { // more than one query looks through
			if n%9 == 1 { // in small drawers, and in large ones
				name := fmt.Sprintf("t%d", n)
				l.Record(t, "chat-1", received(name, "thimble"))
				thimbles = append([]string{"message:" + name}, thimbles...)
			}
			for i := range facts {
				facts[i] = chat.MarkedRead{By: "ann"}
			}
			l.Record(t, "chat-2", facts...)
		}
		l.Record(t, "chat-1", received("m2", "hay"))
		l.Read(t, func(tx sqldb.Tx) {
			q := search.Query{Workspace: viewstest.Workspace, Text: "needle", Enough: func() bool { return true }}
			page, err := search.Find(t.Context(), tx, q)
			if err != nil || len(page.Found) != 0 || page.Next == "" {
				t.Fatalf("found %+v, %v; want an empty page and another", page, err)
			}
			if list := all(t, tx, q); len(list) != 1 {
				t.Errorf("found %+v", list)
			}
		})
		// What lies in both is found once, and in its order.
		for _, limit := range []int{2, 5, 50} {
			if diff := cmp.Diff(thimbles, found(t, l, search.Query{Text: "thimble", Limit: limit})); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
			}
		}
	})
}

// FuzzWords: whatever is in a text and in a question, the words can be indexed, the
// snippet is valid, and a text is found by itself.
func FuzzWords(f *testing.F) {
	for _, s := range []string{
		"", "Grüße", "\"*()-^:AND OR NEAR(a b, 2)", "a\x00b", "\xff\xfe", "+49 (0)151 123-45678", "東京都ที่", "🎉\u200d🎉", "½ ① ﷺ", "İıßſ", strings.Repeat("a", 10_000),
		strings.Repeat("1", 100), "e\u0301\u0302", "\u0301", "+", "((((((", "1 2 3 4 5 6 7 8 9 0", "'; DROP TABLE x; --", `\\`, "ab1234567cd", "१२३ १२३४", "\u0e33",
	} {
		f.Add(s, "needle "+s)
	}
	f.Fuzz(func(t *testing.T, query, text string) {
		for _, w := range search.WordsOf(text) {
			if !indexable(w) || len(w) > 80 {
				t.Errorf("%q has a word %q", text, w)
			}
		}
		if !utf8.ValidString(text) {
			return // the runtime has made it so
		}
		snippet, err := search.TrySnippet(query, text)
		if err != nil {
			return
		}
		whole := ""
		for _, part := range snippet {
			whole += part.Text
		}
		if part := strings.TrimSuffix(strings.TrimPrefix(whole, "…"), "…"); !utf8.ValidString(whole) || !strings.Contains(text, part) && !strings.Contains(text, strings.TrimSuffix(whole, "…")) && !strings.Contains(text, whole) && !strings.Contains(text, strings.TrimPrefix(whole, "…")) {
			t.Errorf("%q in %q: snippet %q", query, text, whole)
		}
		if utf8.ValidString(query) && !search.Matches(t, query, query+" "+text) {
			t.Errorf("%q is not found by itself: words %q", query, search.WordsOf(query))
		}
	})
}

// hits returns a snippet with the words that were found in brackets.
func hits(snippet []search.Fragment) string {
	var b strings.Builder
	for _, f := range snippet {
		if f.Hit {
			b.WriteString("[" + f.Text + "]")
		} else {
			b.WriteString(f.Text)
		}
	}
	return b.String()
}

func TestSnippets(t *testing.T) {
	long := strings.Repeat("lorem ipsum ", 30)
	for _, tt := range []struct{ text, query, want string }{
		{"Grüße aus Zürich", "zur", "Grüße aus [Zürich]"},
		{"a-b a", "A", "[a]-b [a]"},
		{"call +49 (0)151 123-45678 now", "15112345", "call [+49 (0)151 123-45678] now"},
		{"東京都", "東京", "[東京]都"},
		{"東京都", "東京都", "[東京都]"},
		{"Straße", "strass", "[Straße]"},
		{"<b>needle</b> & co", "needle", "<b>[needle]</b> & co"},
		{long + "needle " + long, "needle", "…lorem ipsum lorem ipsum lorem ipsum [needle] " + long[:157] + "…"},
		{"ok 🎉🎉", "🎉", "ok [🎉🎉]"},
	} {
		if got := hits(search.Snippet(t, tt.query, tt.text)); got != tt.want {
			t.Errorf("%q in %q: %q, want %q", tt.query, tt.text, got, tt.want)
		}
	}
}

// Whatever is recorded, what is found is what a look at each text finds, on both
// databases.
func TestFindAgreesWithALookAtEachText(t *testing.T) {
	words := []string{"a", "ab", "abc", "Ábc", "b", "ba", "1234", "0123456", "+49 151 1234567", "1234567", "東京", "京都", "ß", "ss", "not", "🎉"}
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			if n > 30 {
				return
			}
			workspace := fmt.Sprintf("w%d", n)
			text := func() string {
				return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 5).Draw(rt, "text"), rapid.SampledFrom([]string{" ", ", ", "-"}).Draw(rt, "sign"))
			}
			o := opens("x")
			o.Workspace = workspace
			l.RecordIn(t, workspace, "chat-"+workspace, o)
			texts := map[string]string{}
			for i := range rapid.IntRange(1, 8).Draw(rt, "messages") {
				id := fmt.Sprintf("m%d", i)
				texts[id] = text()
				l.RecordIn(t, workspace, "chat-"+workspace, received(id, texts[id]))
			}
			q := text()
			var want []string
			for i := len(texts) - 1; i >= 0; i-- {
				if id := fmt.Sprintf("m%d", i); search.Matches(rt, q, texts[id]) {
					want = append(want, "message:"+id)
				}
			}
			got := found(t, l, search.Query{Workspace: workspace, Text: q, Kind: search.KindMessage, Limit: rapid.IntRange(1, 10).Draw(rt, "limit")})
			if !slices.Equal(got, want) {
				rt.Fatalf("%q in %q: found %q, want %q", q, texts, got, want)
			}
		})
	})
}

// indexable says whether sqldb takes a word.
func indexable(w string) bool {
	for _, r := range w {
		if r < utf8.RuneSelf && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return w != "" && utf8.ValidString(w)
}

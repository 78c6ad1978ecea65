package contact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []contact.Event

func at(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

var (
	typed  = contact.Source{Reason: contact.ByAgent, By: "ann"}
	card   = contact.Source{Reason: contact.ByContactCard, Chat: "c", Message: "m"}
	link   = contact.Link{Chat: "c", Channel: "ch", Customer: "15551230001"}
	added  = contact.Added{Workspace: "acme", Source: typed, Status: "OPEN", Category: "open", At: at(1)}
	ana    = contact.DetailsSet{Changes: []contact.Change{set("name", "Ana"), set("phones", "+15551230001")}, Source: typed, At: at(1)}
	hidden = contact.Deleted{By: "sue"}
	inB    = contact.Merged{Into: "b", By: "ann", At: at(5)}
)

func set(field string, values ...string) contact.Change {
	return contact.Change{Field: field, Values: values}
}

func add(changes ...contact.Change) contact.Add {
	return contact.Add{Workspace: "acme", Changes: changes, Source: typed, Status: "OPEN", Category: "open", At: at(1)}
}

func share(second int, changes ...contact.Change) contact.Record {
	return contact.Record{Workspace: "acme", Changes: changes, Source: card, Link: link, Status: "OPEN", Category: "open", At: at(second), Revive: true}
}

// nowhere is the record of what did not come from a chat.
func nowhere(r contact.Record) contact.Record {
	r.Link = contact.Link{}
	return r
}

func edit(second int, changes ...contact.Change) contact.Edit {
	return contact.Edit{Changes: changes, By: "ann", At: at(second)}
}

// in returns a refusal about another field.
func in(e *fault.Error, field string) *fault.Error {
	c := *e
	c.Field = field
	return &c
}

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, contact.Events) }

func TestDetails(t *testing.T) {
	shared := added
	shared.Source = card
	linked := contact.ChatLinked{Link: link, At: at(1)}
	said := func(second int, changes ...contact.Change) contact.DetailsSet {
		return contact.DetailsSet{Changes: changes, Source: card, At: at(second)}
	}
	by := func(second int, changes ...contact.Change) contact.DetailsSet {
		return contact.DetailsSet{Changes: changes, Source: typed, At: at(second)}
	}
	flow := contact.Source{Reason: contact.ByChatflow, Flow: "f", Question: "q", By: "bot"}
	marked := added
	marked.Source = flow
	revived := card
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{Name: "add", When: add(set("name", " Ana "), set("phones", "+1 (555) 123-0001", "0015551230001")), Then: past{added, ana}},
		{Name: "add what is there", Given: past{added}, When: add(set("name", "Ana")), Err: contact.ErrExists},
		{Name: "add what was deleted", Given: past{added, hidden}, When: add(set("name", "Ana")), Err: contact.ErrDeleted},
		{Name: "add nobody", When: add(set("city", "Rome")), Err: contact.ErrNoDetails},
		{Name: "add an empty name", When: add(set("name", " ")), Err: contact.ErrNoDetails},
		{Name: "add with a bad address", When: add(set("emails", "ana at example.com")), Err: contact.ErrEmail},
		{Name: "add with a bad number", When: add(set("phones", "call me")), Err: contact.ErrPhone},
		{Name: "add an unknown field", When: add(set("shoe", "41")), Err: contact.ErrField},
		{Name: "add a field twice", When: add(set("name", "a"), set("name", "b")), Err: in(contact.ErrFieldTwice, "name")},
		{Name: "add two names", When: add(set("name", "a", "b")), Err: in(contact.ErrValues, "name")},
		{Name: "add NUL", When: add(set("name", "a\x00")), Err: in(contact.ErrValue, "name")},
		{Name: "add a long name", When: add(set("name", strings.Repeat("a", 1001))), Err: in(contact.ErrValue, "name")},
		{Name: "add by nobody", When: contact.Add{Workspace: "acme", Changes: []contact.Change{set("name", "a")}, Source: contact.Source{Reason: contact.ByAgent}}, Err: contact.ErrByMissing},
		{Name: "add for no reason", When: contact.Add{Workspace: "acme", Changes: []contact.Change{set("name", "a")}}, Err: contact.ErrReason},
		{Name: "add nowhere", When: contact.Add{Source: typed}, Err: contact.ErrWorkspace},

		{Name: "a card makes a contact", When: share(1, set("name", "Ana"), set("emails")), Then: past{shared, said(1, set("name", "Ana"), set("phones", "+15551230001")), linked}},
		{Name: "a card again", Given: past{shared, said(1, set("name", "Ana")), linked}, When: share(1, set("name", "Ana"))},
		{Name: "a card of nothing", When: nowhere(share(1, set("name", ""))), Err: contact.ErrNoDetails},
		{
			Name: "a later name", Given: past{shared, said(1, set("name", "Ana")), linked}, When: share(2, set("name", "Ana Lima")),
			Then: past{said(2, set("name", "Ana Lima"))},
		},
		{Name: "an earlier name", Given: past{shared, said(3, set("name", "Ana")), linked}, When: share(2, set("name", "Ana Lima"))},
		{
			Name: "another address", Given: past{shared, said(1, set("emails", "a@x", "b@x")), linked}, When: share(2, set("emails", "c@x", "A@X")),
			Then: past{said(2, set("emails", "c@x", "A@X", "b@x"))},
		},
		{
			Name: "an earlier address", Given: past{shared, said(3, set("emails", "a@x")), linked}, When: share(2, set("emails", "c@x")),
			Then: past{said(2, set("emails", "a@x", "c@x"))},
		},
		{Name: "an address known", Given: past{shared, said(1, set("emails", "a@x", "b@x")), linked}, When: share(2, set("emails", "b@x"))},
		{Name: "an odd number is kept as it is", When: share(1, set("phones", "ext. 12")), Then: past{shared, said(1, set("phones", "ext. 12", "+15551230001")), linked}},
		{
			Name: "a long name is cut", Given: past{linked}, When: share(1, set("name", strings.Repeat("ü", 1001))),
			Then: past{shared, said(1, set("name", strings.Repeat("ü", 1000)))},
		},
		{
			Name: "a card from a deleted contact", Given: past{added, ana, hidden, linked}, When: share(2, set("city", "Rome")),
			Then: past{contact.Restored{Source: &revived}, said(2, set("city", "Rome"))},
		},
		{
			Name: "an import of a deleted contact", Given: past{added, ana, hidden},
			When: contact.Record{Workspace: "acme", Changes: []contact.Change{set("city", "Rome")}, Source: contact.Source{Reason: contact.ByImport, By: "ann"}}, Err: contact.ErrDeleted,
		},
		{
			Name: "a card from a merged contact stays its own", Given: past{added, ana, linked, inB}, When: share(6, set("city", "Rome")),
			Then: past{said(6, set("city", "Rome"))},
		},
		{
			Name: "a chatflow marks without details", When: contact.Record{Workspace: "acme", Source: flow, Status: "OPEN", Category: "open", At: at(1)},
			Then: past{marked},
		},

		{Name: "edit", Given: past{added, ana}, When: edit(2, set("name", "Ann"), set("city", "Rome")), Then: past{by(2, set("name", "Ann"), set("city", "Rome"))}},
		{Name: "edit to the same", Given: past{added, ana}, When: edit(2, set("name", "Ana "))},
		{Name: "edit back in time", Given: past{added, ana}, When: edit(0, set("name", "Ann")), Then: past{by(0, set("name", "Ann"))}},
		{Name: "take a value away", Given: past{added, ana}, When: edit(2, set("phones")), Then: past{by(2, contact.Change{Field: "phones"})}},
		{Name: "take nothing away", Given: past{added, ana}, When: edit(2, set("city", " "))},
		{Name: "replace a list", Given: past{added, ana}, When: edit(2, set("phones", "12345", "+49301234567")), Then: past{by(2, set("phones", "12345", "+49301234567"))}},
		{Name: "edit an attribute", Given: past{added, ana}, When: edit(2, set("attributes.size", "M")), Then: past{by(2, set("attributes.size", "M"))}},
		{Name: "edit an attribute without a name", Given: past{added, ana}, When: edit(2, set("attributes.", "M")), Err: contact.ErrField},
		{Name: "edit all away", Given: past{added, said(1, set("name", "Ana"))}, When: edit(2, set("name")), Err: contact.ErrNoDetails},
		{Name: "edit away all of several", Given: past{added, said(1, set("name", "Ana"), set("emails", "a@x"))}, When: edit(2, set("name", ""), set("emails")), Err: contact.ErrNoDetails},
		{
			Name: "edit one for another", Given: past{added, said(1, set("name", "Ana"))}, When: edit(2, set("name"), set("emails", "ana@example.com")),
			Then: past{contact.DetailsSet{Changes: []contact.Change{set("name"), set("emails", "ana@example.com")}, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: at(2)}},
		},
		{
			Name: "edit who never had any", Given: past{marked}, When: edit(2, set("city", "Rome")),
			Then: past{contact.DetailsSet{Changes: []contact.Change{set("city", "Rome")}, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: at(2)}},
		},
		{Name: "edit by nobody", Given: past{added, ana}, When: contact.Edit{Changes: []contact.Change{set("name", "a")}}, Err: contact.ErrByMissing},
		{Name: "edit nobody", When: edit(2, set("name", "Ann")), Err: contact.ErrNotFound},
		{Name: "edit a deleted contact", Given: past{added, ana, hidden}, When: edit(2, set("name", "Ann")), Err: contact.ErrNotFound},
		{Name: "edit a merged contact", Given: past{added, ana, inB}, When: edit(2, set("name", "Ann")), Err: contact.ErrMerged},
	})
}

func TestWork(t *testing.T) {
	note := contact.NoteAdded{Note: "n", Text: "careful", By: "ann", At: at(2)}
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{Name: "tag", Given: past{added}, When: contact.ChangeTags{Add: []contact.TagID{"vip", "vip"}}, Then: past{contact.TagsChanged{Added: []contact.TagID{"vip"}}}},
		{Name: "tag again", Given: past{added, contact.TagsChanged{Added: []contact.TagID{"vip"}}}, When: contact.ChangeTags{Add: []contact.TagID{"vip"}, Remove: []contact.TagID{"new"}}},
		{Name: "untag", Given: past{added, contact.TagsChanged{Added: []contact.TagID{"vip"}}}, When: contact.ChangeTags{Remove: []contact.TagID{"vip"}}, Then: past{contact.TagsChanged{Removed: []contact.TagID{"vip"}}}},
		{Name: "tag both ways", Given: past{added}, When: contact.ChangeTags{Add: []contact.TagID{"vip"}, Remove: []contact.TagID{"vip"}}, Err: contact.ErrTagBothWays},
		{Name: "tag with nothing", Given: past{added}, When: contact.ChangeTags{Add: []contact.TagID{""}}, Err: contact.ErrTagToAdd},
		{Name: "untag nothing", Given: past{added}, When: contact.ChangeTags{Remove: []contact.TagID{""}}, Err: contact.ErrTagToRemove},
		{Name: "tag nobody", When: contact.ChangeTags{Add: []contact.TagID{"vip"}}, Err: contact.ErrNotFound},

		{Name: "note", Given: past{added}, When: contact.AddNote{Note: "n", Text: "careful", By: "ann", At: at(2)}, Then: past{note}},
		{Name: "note without a text", Given: past{added}, When: contact.AddNote{Note: "n", By: "ann"}, Err: contact.ErrTextMissing},
		{Name: "note by nobody", Given: past{added}, When: contact.AddNote{Note: "n", Text: "x"}, Err: contact.ErrByMissing},
		{Name: "edit a note", Given: past{added, note}, When: contact.EditNote{Note: "n", Text: "kind", By: "ann", At: at(3)}, Then: past{contact.NoteEdited{Note: "n", Text: "kind", By: "ann", At: at(3)}}},
		{Name: "edit a note to the same", Given: past{added, note}, When: contact.EditNote{Note: "n", Text: "careful", By: "ann", At: at(3)}},
		{Name: "edit another's note", Given: past{added, note}, When: contact.EditNote{Note: "n", Text: "kind", By: "bob"}, Err: contact.ErrNoteOther},
		{Name: "delete another's note", Given: past{added, note}, When: contact.DeleteNote{Note: "n", By: "sue", At: at(3), Any: true}, Then: past{contact.NoteDeleted{Note: "n", By: "sue", At: at(3)}}},
		{Name: "edit no note", Given: past{added}, When: contact.EditNote{Note: "n", Text: "kind", By: "ann"}, Err: contact.ErrNoteNotFound},

		{Name: "status", Given: past{added}, When: contact.SetStatus{Status: "REVIEW", Category: "pending"}, Then: past{contact.StatusSet{Status: "REVIEW", Category: "pending", From: "OPEN"}}},
		{Name: "the same status", Given: past{added}, When: contact.SetStatus{Status: "OPEN", Category: "open"}},
		{Name: "no status", Given: past{added}, When: contact.SetStatus{}, Err: contact.ErrStatusMissing},
		{Name: "assign", Given: past{added, contact.Assigned{To: "ann"}}, When: contact.Assign{To: "bob"}, Then: past{contact.Assigned{To: "bob", From: "ann"}}},
		{Name: "assign again", Given: past{added, contact.Assigned{To: "ann"}}, When: contact.Assign{To: "ann"}},
		{Name: "assign to nobody", Given: past{added}, When: contact.Assign{}, Err: contact.ErrAgentMissing},
		{Name: "unassign", Given: past{added, contact.Assigned{To: "ann"}}, When: contact.Unassign{}, Then: past{contact.Unassigned{From: "ann"}}},
		{Name: "unassign nobody's", Given: past{added}, When: contact.Unassign{}},

		{
			Name: "link a chat", Given: past{added}, When: contact.LinkChat{Link: contact.Link{Chat: "c", Channel: "ch", Customer: "1555"}, At: at(2)},
			Then: past{contact.ChatLinked{Link: contact.Link{Chat: "c", Channel: "ch", Customer: "1555"}, At: at(2)}},
		},
		{Name: "link it again", Given: past{added, contact.ChatLinked{Link: contact.Link{Chat: "c"}}}, When: contact.LinkChat{Link: contact.Link{Chat: "c"}}},
		{Name: "link a chat to nobody", When: contact.LinkChat{Link: contact.Link{Chat: "c"}}},
		{Name: "link a chat to one that is deleted", Given: past{added, contact.Deleted{By: "ann"}}, When: contact.LinkChat{Link: contact.Link{Chat: "c"}}},
		{Name: "block", Given: past{added}, When: contact.Block{By: "ann", Reason: "spam", At: at(2)}, Then: past{contact.Blocked{By: "ann", Reason: "spam", At: at(2)}}},
		{Name: "block again", Given: past{added, contact.Blocked{By: "ann"}}, When: contact.Block{By: "bob"}},
		{Name: "unblock", Given: past{added, contact.Blocked{By: "ann"}}, When: contact.Unblock{By: "bob", At: at(3)}, Then: past{contact.Unblocked{By: "bob", At: at(3)}}},
		{Name: "unblock again", Given: past{added}, When: contact.Unblock{By: "bob"}},
		{Name: "unblock for a part", Given: past{added}, When: contact.Unblock{By: "bob", At: at(3), Parts: []contact.ID{"b"}}, Anew: true, Then: past{contact.Unblocked{By: "bob", At: at(3), Parts: []contact.ID{"b"}}}},
		{Name: "unblock a part", Given: past{added, contact.Blocked{By: "ann", At: at(2)}, inB}, When: contact.UnblockPart{Of: "b", By: "bob", At: at(6)}, Then: past{contact.Unblocked{By: "bob", At: at(6)}}},
		{Name: "unblock a part by nobody", Given: past{added, contact.Blocked{By: "ann", At: at(2)}, inB}, When: contact.UnblockPart{Of: "b"}, Err: contact.ErrByMissing},
		{Name: "unblock a part that is not blocked", Given: past{added, inB}, When: contact.UnblockPart{Of: "b", By: "bob", At: at(6)}},
		{Name: "unblock what is no part", Given: past{added, contact.Blocked{By: "ann", At: at(2)}}, When: contact.UnblockPart{Of: "b", By: "bob", At: at(6)}},
		{Name: "unblock a part that was blocked since", Given: past{added, contact.Blocked{By: "ann", At: at(7)}, inB}, When: contact.UnblockPart{Of: "b", By: "bob", At: at(6)}},
		{Name: "block by nobody", Given: past{added}, When: contact.Block{}, Err: contact.ErrByMissing},
		{Name: "unblock by nobody", Given: past{added}, When: contact.Unblock{}, Err: contact.ErrByMissing},
		{Name: "block for a long reason", Given: past{added}, When: contact.Block{By: "ann", Reason: strings.Repeat("a", 1001)}, Err: contact.ErrReasonTooLong},

		{Name: "delete", Given: past{added}, When: contact.Delete{By: "sue", Reason: "asked"}, Then: past{contact.Deleted{By: "sue", Reason: "asked"}}},
		{Name: "delete again", Given: past{added, hidden}, When: contact.Delete{By: "sue"}, Err: contact.ErrNotFound},
		{Name: "delete by nobody", Given: past{added}, When: contact.Delete{}, Err: contact.ErrByMissing},
		{Name: "revive", Given: past{added, hidden}, When: contact.Revive{Source: card}, Then: past{contact.Restored{Source: &card}}},
		{Name: "revive what is there", Given: past{added}, When: contact.Revive{Source: card}},
		{Name: "revive for no reason", Given: past{added, hidden}, When: contact.Revive{}, Err: contact.ErrReason},
		{Name: "restore", Given: past{added, hidden}, When: contact.Restore{By: "sue"}, Then: past{contact.Restored{By: "sue"}}},
		{Name: "restore what is there", Given: past{added}, When: contact.Restore{By: "sue"}},
		{Name: "restore nobody", When: contact.Restore{By: "sue"}, Err: contact.ErrNotFound},
		{Name: "restore by nobody", Given: past{added, hidden}, When: contact.Restore{}, Err: contact.ErrByMissing},
	})
}

// Whoever is added from a chat is its customer.
func TestAddingFromAChat(t *testing.T) {
	in := func(c contact.Add, l contact.Link) contact.Add { c.Link, c.Profile = l, "~ana~"; return c }
	hidden := contact.Link{Chat: "c", Channel: "ch", Customer: "US.13491208655302741918"} // who hides the number
	linked := func(l contact.Link) contact.ChatLinked { return contact.ChatLinked{Link: l, At: at(1)} }
	details := func(changes ...contact.Change) contact.DetailsSet {
		return contact.DetailsSet{Changes: changes, Source: typed, At: at(1)}
	}
	profile := contact.DetailsSet{Changes: []contact.Change{set("name", "~ana~")}, Source: contact.Source{Reason: contact.ByProfile, Chat: "c"}, At: at(1)}
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{
			Name: "with an address", When: in(add(set("emails", "ana@x")), link),
			Then: past{added, details(set("emails", "ana@x"), set("phones", "+15551230001")), linked(link), profile},
		},
		{
			Name: "with another number", When: in(add(set("name", "Ana"), set("phones", "+1 555 999")), link),
			Then: past{added, details(set("name", "Ana"), set("phones", "+15551230001", "+1555999")), linked(link)},
		},
		{
			Name: "with the same number", When: in(add(set("phones", "+1555999", "+1 555 123 0001")), link),
			Then: past{added, details(set("phones", "+15551230001", "+1555999")), linked(link), profile},
		},
		{Name: "without a number", When: in(add(set("emails", "ana@x")), hidden), Then: past{added, details(set("emails", "ana@x")), linked(hidden), profile}},
		{Name: "with nothing else", When: in(add(), link), Err: contact.ErrNoDetails},
		{Name: "with nothing of that", When: in(add(set("name", " "), set("city", "Rome")), link), Err: contact.ErrNoDetails},
		{Name: "with no address", When: in(add(set("emails", "x")), link), Err: contact.ErrEmail},
		{Name: "who is one", Given: past{added}, When: in(add(set("emails", "ana@x")), link), Err: contact.ErrExists},
	})
}

// The name of a profile is better than none, and worse than any other.
func TestProfiles(t *testing.T) {
	from := func(r contact.Record, name string) contact.Record { r.Profile = name; return r }
	given := func(second int, name string) contact.DetailsSet {
		return contact.DetailsSet{Changes: []contact.Change{set("name", name)}, Source: contact.Source{Reason: contact.ByProfile, Chat: "c"}, At: at(second)}
	}
	shared := func(second int, changes ...contact.Change) contact.DetailsSet {
		return contact.DetailsSet{Changes: changes, Source: card, At: at(second)}
	}
	linked, mail := contact.ChatLinked{Link: link, At: at(2)}, contact.Change{Field: "emails", Values: []string{"a@x"}}
	flow := contact.Source{Reason: contact.ByChatflow, Chat: "c", Flow: "f", Question: "q", By: "bot"}
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{
			Name: "an answer that marks",
			When: contact.Answer{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Marks: true, Link: link, Profile: " Ana ", Status: "OPEN", Category: "open", At: at(2)},
			Then: past{
				contact.Answered{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Chat: "c", At: at(2), Marks: true},
				contact.Added{Workspace: "acme", Source: flow, Status: "OPEN", Category: "open", At: at(2)},
				contact.DetailsSet{Changes: []contact.Change{set("phones", "+15551230001")}, Source: flow, At: at(2)},
				linked, given(2, "Ana"),
			},
		},
		{
			Name: "an answer of nobody", When: contact.Answer{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Link: link, Profile: "Ana", At: at(2)},
			Then: past{contact.Answered{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Chat: "c", At: at(2)}},
		},
		{Name: "an address without a name", Given: past{added, linked}, When: from(share(3, mail), "Ana"), Then: past{shared(3, mail), given(3, "Ana")}},
		{Name: "a name, too", Given: past{added, linked}, When: from(share(3, set("name", "Ana Lima")), "Ana"), Then: past{shared(3, set("name", "Ana Lima"))}},
		{Name: "to somebody with a name", Given: past{added, ana, linked}, When: from(share(3, mail), "Annie"), Then: past{shared(3, mail)}},
		{Name: "to somebody whose name was taken away", Given: past{added, ana, shared(2, set("name")), linked}, When: from(share(3, mail), "Ana"), Then: past{shared(3, mail)}},
		{Name: "another profile", Given: past{added, linked, given(2, "Ana")}, When: from(share(3), "Annie")},
		{Name: "then a name", Given: past{added, linked, given(9, "Ana")}, When: share(3, set("name", "Ana Lima")), Then: past{shared(3, set("name", "Ana Lima"))}},
		{Name: "then an older name", Given: past{added, linked, given(9, "Ana"), shared(3, set("name", "Ana Lima"))}, When: share(2, set("name", "A. Lima"))},
		{
			Name: "then the same name, typed in", Given: past{added, given(2, "Ana")}, When: edit(3, set("name", "Ana")),
			Then: past{contact.DetailsSet{Changes: []contact.Change{set("name", "Ana")}, Source: typed, At: at(3)}},
		},
		{Name: "with a new chat", Given: past{added}, When: contact.LinkChat{Link: link, Profile: "Ana", At: at(2)}, Then: past{linked, given(2, "Ana")}},
		{Name: "what is no text", Given: past{added}, When: contact.LinkChat{Link: link, Profile: "A\x00", At: at(2)}, Then: past{linked}},
		{Name: "a profile makes nobody a contact", When: contact.Record{Workspace: "acme", Changes: []contact.Change{set("name", "Ana")}, Source: contact.Source{Reason: contact.ByProfile}}, Err: contact.ErrReason},
	})
}

func TestAnswers(t *testing.T) {
	ask := func(second int, value string) contact.Answer {
		return contact.Answer{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Value: value, Link: link, Status: "OPEN", Category: "open", At: at(second)}
	}
	marks := func(a contact.Answer) contact.Answer { a.Marks = true; return a }
	fills := func(a contact.Answer) contact.Answer {
		a.Changes = []contact.Change{set("attributes.size", a.Value)}
		return a
	}
	said := func(second int, value string) contact.Answered {
		return contact.Answered{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Value: value, Chat: "c", At: at(second)}
	}
	size := func(a contact.Answered) contact.Answered { a.Attribute = "size"; return a }
	flow := contact.Source{Reason: contact.ByChatflow, Chat: "c", Flow: "f", Question: "q", By: "bot"}
	filled := func(second int, value string) contact.DetailsSet {
		return contact.DetailsSet{Changes: []contact.Change{set("attributes.size", value)}, Source: flow, At: at(second)}
	}
	marked := contact.Added{Workspace: "acme", Source: flow, Status: "OPEN", Category: "open", At: at(2)}
	number := contact.DetailsSet{Changes: []contact.Change{set("phones", "+15551230001")}, Source: flow, At: at(2)}
	linked := contact.ChatLinked{Link: link, At: at(2)}
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{Name: "an answer", When: ask(1, "M"), Then: past{said(1, "M")}},
		{Name: "the same answer", Given: past{said(1, "M")}, When: ask(2, "M")},
		{Name: "another answer", Given: past{said(1, "M")}, When: ask(2, "L"), Then: past{said(2, "L")}},
		{Name: "an answer that fills a field of no contact", When: fills(ask(1, "M")), Then: past{size(said(1, "M")), filled(1, "M")}},
		{Name: "an answer that marks", Given: past{said(1, "M")}, When: marks(ask(2, "M")), Then: past{marked, number, linked}},
		{
			Name: "what was filled before stays", Given: past{said(1, "M"), filled(1, "M")}, When: fills(marks(ask(2, "M"))),
			Then: past{marked, number, linked},
		},
		{
			Name: "an answer of a contact", Given: past{added, ana, linked}, When: fills(ask(3, "M")), Then: past{size(said(3, "M")), filled(3, "M")},
		},
		{Name: "an answer of a deleted contact", Given: past{added, ana, linked, hidden}, When: fills(ask(3, "M")), Then: past{size(said(3, "M")), filled(3, "M")}},
		{
			Name: "an answer that marks a deleted contact", Given: past{added, ana, linked, hidden}, When: marks(ask(3, "M")),
			Then: past{contact.Answered{Workspace: "acme", Bot: "bot", Flow: "f", Question: "q", Value: "M", Chat: "c", At: at(3), Marks: true}, contact.Restored{By: "bot", Source: &flow}},
		},
		{Name: "an answer to no bot", When: contact.Answer{Workspace: "acme", Flow: "f", Question: "q"}, Err: contact.ErrBotMissing},
		{Name: "an answer in no flow", When: contact.Answer{Workspace: "acme", Bot: "b", Question: "q"}, Err: contact.ErrFlowMissing},
		{Name: "an answer to nothing", When: contact.Answer{Workspace: "acme", Bot: "b", Flow: "f"}, Err: contact.ErrQuestionMissing},
		{Name: "a long answer", When: ask(1, strings.Repeat("a", 10_001)), Err: contact.ErrAnswer},
		{Name: "an answer nowhere", When: contact.Answer{}, Err: contact.ErrWorkspace},
	})
}

func TestMerging(t *testing.T) {
	hasB := contact.Absorbed{Contact: "b", By: "ann", At: at(5)}
	domaintest.Run(t, contact.Evolve, []domaintest.Case[contact.State, contact.Event]{
		{Name: "absorb", Given: past{added}, When: contact.Absorb{Contact: "b", Self: "a", By: "ann", At: at(5)}, Then: past{hasB}},
		{Name: "absorb again", Given: past{added, hasB}, When: contact.Absorb{Contact: "b", Self: "a", By: "ann", At: at(6)}},
		{Name: "absorb itself", Given: past{added}, When: contact.Absorb{Contact: "a", Self: "a", By: "ann"}, Err: contact.ErrMergeSelf},
		{Name: "absorb nothing", Given: past{added}, When: contact.Absorb{Self: "a", By: "ann"}, Err: contact.ErrOther},
		{Name: "absorb by nobody", Given: past{added}, When: contact.Absorb{Contact: "b", Self: "a"}, Err: contact.ErrByMissing},
		{Name: "absorb in what is merged", Given: past{added, inB}, When: contact.Absorb{Contact: "c", Self: "a", By: "ann"}, Err: contact.ErrMerged},
		{Name: "absorb in nobody", When: contact.Absorb{Contact: "b", Self: "a", By: "ann"}, Err: contact.ErrNotFound},
		{Name: "merge", Given: past{added}, When: contact.Merge{Into: "b", By: "ann", At: at(5)}, Then: past{inB}},
		{Name: "merge again", Given: past{added, inB}, When: contact.Merge{Into: "b", By: "ann", At: at(6)}},
		{Name: "merge elsewhere", Given: past{added, inB}, When: contact.Merge{Into: "c", By: "ann"}, Err: contact.ErrMerged},
		{Name: "merge what has merged", Given: past{added, hasB}, When: contact.Merge{Into: "c", By: "ann"}, Err: contact.ErrHasMerged},
		{Name: "merge into nothing", Given: past{added}, When: contact.Merge{By: "ann"}, Err: contact.ErrOther},
		{Name: "merge by nobody", Given: past{added}, When: contact.Merge{Into: "b"}, Err: contact.ErrByMissing},
		{Name: "unmerge", Given: past{added, inB}, When: contact.Unmerge{From: "b", By: "ann", At: at(9)}, Then: past{contact.Unmerged{From: "b", By: "ann", At: at(9)}}},
		{Name: "unmerge from another", Given: past{added, inB}, When: contact.Unmerge{From: "c", By: "ann"}, Err: contact.ErrNotMerged},
		{Name: "unmerge what is not merged", Given: past{added}, When: contact.Unmerge{From: "b", By: "ann"}},
		{Name: "unmerge nobody", When: contact.Unmerge{From: "b", By: "ann"}, Err: contact.ErrNotFound},
		{Name: "unmerge by nobody", Given: past{added, inB}, When: contact.Unmerge{From: "b"}, Err: contact.ErrByMissing},
		{Name: "release", Given: past{added, hasB}, When: contact.Release{Contact: "b", By: "ann", At: at(9)}, Then: past{contact.Released{Contact: "b", By: "ann", At: at(9)}}},
		{Name: "release again", Given: past{added}, When: contact.Release{Contact: "b", By: "ann"}},
		{Name: "release from nobody", When: contact.Release{Contact: "b", By: "ann"}, Err: contact.ErrNotFound},
		{Name: "release by nobody", Given: past{added, hasB}, When: contact.Release{Contact: "b"}, Err: contact.ErrByMissing},
	})
}

func TestLimits(t *testing.T) {
	s := domaintest.Fold(contact.Evolve, past{added, ana})
	for i := range contact.MaxNotes {
		s = contact.Evolve(s, contact.NoteAdded{Note: contact.NoteID(fmt.Sprint(i)), By: "ann"})
	}
	var tags []contact.TagID
	for i := range contact.MaxTags + 1 {
		tags = append(tags, contact.TagID(fmt.Sprint(i)))
	}
	for i := range contact.MaxAbsorbed {
		s = contact.Evolve(s, contact.Absorbed{Contact: contact.ID(fmt.Sprint(i))})
	}
	var many []contact.Change
	for i := range contact.MaxFields {
		many = append(many, set(fmt.Sprint("attributes.a", i), "x"))
	}
	for i := range contact.MaxAnswers {
		s = contact.Evolve(s, contact.Answered{Workspace: "acme", Flow: "f", Question: fmt.Sprint(i)})
	}
	for name, tt := range map[string]struct {
		cmd  domaintest.Command[contact.State, contact.Event]
		want error
	}{
		"notes":    {contact.AddNote{Note: "x", Text: "x", By: "ann"}, contact.ErrTooManyNotes},
		"tags":     {contact.ChangeTags{Add: tags}, contact.ErrTooManyTags},
		"answers":  {contact.Answer{Workspace: "acme", Bot: "b", Flow: "f", Question: "x"}, contact.ErrTooManyAnswers},
		"absorbed": {contact.Absorb{Contact: "x", Self: "y", By: "ann"}, contact.ErrTooManyParts},
		"fields":   {edit(9, many...), contact.ErrTooMany},
		"changes":  {edit(9, append(many, set("name", "x"))...), contact.ErrTooMany},
	} {
		if _, err := tt.cmd.Decide(s); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestPhone(t *testing.T) {
	for given, want := range map[string]string{
		"+1 555 123-0001": "+15551230001", "0043 (664) 123.456": "+43664123456", " +49/30 1234 ": "+49301234",
		"0664 123456": "", "5551230001": "", "+0123456789": "", "+12345": "", "+1234567890123456": "", "+1 555 x": "", "": "", "++1555123": "",
	} {
		got, ok := contact.Phone(given)
		if ok != (want != "") || ok && got != want || !ok && got != strings.TrimSpace(given) {
			t.Errorf("Phone(%q) = %q, %v; want %q", given, got, ok, want)
		}
	}
}

// In whatever order cards come, a field has what the latest of them said.
func TestCardsComeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cards := make([]contact.Record, rapid.IntRange(1, 6).Draw(t, "cards"))
		for i := range cards {
			cards[i] = share(i+1, set("name", fmt.Sprint("Ana ", i)), set("phones", fmt.Sprintf("+1555123000%d", rapid.IntRange(0, 3).Draw(t, "phone"))))
		}
		var s contact.State
		for _, c := range rapid.Permutation(cards).Draw(t, "order") {
			s = domaintest.Do(t, contact.Evolve, s, domaintest.Command[contact.State, contact.Event](c))
		}
		if got := s.Fields["name"].Values; len(got) != 1 || got[0] != fmt.Sprint("Ana ", len(cards)-1) {
			t.Fatalf("the name is %q", got)
		}
		for _, c := range cards {
			if !strings.Contains(strings.Join(s.Fields["phones"].Values, " "), c.Changes[1].Values[0]) {
				t.Fatalf("%q lacks %q", s.Fields["phones"].Values, c.Changes[1].Values[0])
			}
		}
	})
}

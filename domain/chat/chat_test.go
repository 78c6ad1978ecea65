package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type (
	past  = []chat.Event
	cases = []domaintest.Case[chat.State, chat.Event]
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later  = noon.Add(time.Minute)
	opened = chat.Opened{Workspace: "acme", Channel: "wa", Customer: "5511", Status: "OPEN", Category: chat.CategoryOpen, At: noon}
	closed = chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed, From: "OPEN"}
	gone   = chat.Deleted{By: "sue"}
	bobs   = chat.Assigned{To: "bob"}
	hello  = chat.MessageReceived{Message: "m1", ProviderID: "wamid.1", Content: chat.Content{Kind: "text", Text: "hello"}, At: noon}
	queued = chat.MessageQueued{Message: "o1", Text: "hi", By: "bob", At: noon}
	taken  = chat.MessageAccepted{Message: "o1", ProviderID: "wamid.o1", At: noon}
)

func run(t *testing.T, c cases) { t.Helper(); domaintest.Run(t, chat.Evolve, c) }

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, chat.Events) }

func TestReceiveMessage(t *testing.T) {
	in := chat.ReceiveMessage{
		Workspace: "acme", Channel: "wa", Customer: "5511", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen,
		Message: "m1", ProviderID: "wamid.1", ProfileName: "Ana", Content: chat.Content{Kind: "text", Text: "hello"},
		Context: &chat.Context{ProviderID: "wamid.0"}, Referral: &chat.Referral{SourceID: "ad"}, At: noon,
	}
	got := chat.MessageReceived{
		Message: "m1", ProviderID: "wamid.1", ProfileName: "Ana", Content: in.Content, Context: in.Context, Referral: in.Referral, At: noon,
	}
	reopened := chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED", Message: "m1"}
	with := func(change func(*chat.ReceiveMessage)) chat.ReceiveMessage { c := in; change(&c); return c }
	run(t, cases{
		{Name: "first contact", When: in, Then: past{opened, got}, Anew: true},
		{Name: "known chat", Given: past{opened}, When: in, Then: past{got}, Anew: true},
		{Name: "closed chat", Given: past{opened, closed}, When: in, Then: past{got, reopened}, Anew: true},
		{Name: "deleted chat", Given: past{opened, gone}, When: in, Then: past{got, chat.Restored{Message: "m1"}}, Anew: true},
		{Name: "closed and deleted", Given: past{opened, closed, gone}, When: in, Then: past{got, chat.Restored{Message: "m1"}, reopened}, Anew: true},
		{Name: "after a report for an unknown message", Given: past{chat.DeliveryRecorded{ProviderID: "wamid.o1", State: chat.Read}}, When: in, Then: past{opened, got}, Anew: true},
		{Name: "no status needed", Given: past{opened}, When: with(func(c *chat.ReceiveMessage) { c.DefaultStatus = "" }), Then: past{got}, Anew: true},
		{Name: "no message", When: with(func(c *chat.ReceiveMessage) { c.Message = "" }), Err: chat.ErrMessageMissing},
		{Name: "no provider id", When: with(func(c *chat.ReceiveMessage) { c.ProviderID = "" }), Err: chat.ErrProviderIDMissing},
		{Name: "no customer", When: with(func(c *chat.ReceiveMessage) { c.Customer = "" }), Err: chat.ErrOpening},
		{Name: "no status", When: with(func(c *chat.ReceiveMessage) { c.DefaultStatus = "" }), Err: chat.ErrStatusMissing},
		{Name: "opened as closed", When: with(func(c *chat.ReceiveMessage) { c.DefaultCategory = chat.CategoryClosed }), Err: chat.ErrStatusClosed},
		{Name: "reopened as closed", Given: past{opened, closed}, When: with(func(c *chat.ReceiveMessage) { c.DefaultCategory = chat.CategoryClosed }), Err: chat.ErrStatusClosed},
	})
}

func TestReceiveReaction(t *testing.T) {
	in := chat.ReceiveReaction{
		Workspace: "acme", Channel: "wa", Customer: "5511", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen,
		ProviderID: "wamid.r", Target: "wamid.1", Emoji: "👍", At: noon,
	}
	got := chat.ReactionReceived{ProviderID: "wamid.r", Target: "wamid.1", Emoji: "👍", At: noon}
	run(t, cases{
		{Name: "before all else", When: in, Then: past{opened, got}, Anew: true},
		{Name: "closed stays closed", Given: past{opened, closed}, When: in, Then: past{got}, Anew: true},
		{Name: "deleted stays deleted", Given: past{opened, gone}, When: in, Then: past{got}, Anew: true},
		{Name: "no provider id", When: chat.ReceiveReaction{Target: "wamid.1"}, Err: chat.ErrProviderIDMissing},
		{Name: "no target", When: chat.ReceiveReaction{ProviderID: "wamid.r"}, Err: chat.ErrTargetMissing},
		{Name: "no customer", When: chat.ReceiveReaction{ProviderID: "wamid.r", Target: "wamid.1"}, Err: chat.ErrOpening},
	})
}

func TestNoticeSystem(t *testing.T) {
	in := chat.NoticeSystem{
		Workspace: "acme", Channel: "wa", Customer: "5511", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen,
		ProviderID: "wamid.s", Kind: "user_changed_number", Text: "changed", NewNumber: "5522", At: noon,
	}
	got := chat.SystemNoticed{ProviderID: "wamid.s", Kind: "user_changed_number", Text: "changed", NewNumber: "5522", At: noon}
	run(t, cases{
		{Name: "before all else", When: in, Then: past{opened, got}, Anew: true},
		{Name: "closed stays closed", Given: past{opened, closed}, When: in, Then: past{got}, Anew: true},
		{Name: "no provider id", When: chat.NoticeSystem{}, Err: chat.ErrProviderIDMissing},
		{Name: "no customer", When: chat.NoticeSystem{ProviderID: "wamid.s"}, Err: chat.ErrOpening},
	})
}

func TestSendMessage(t *testing.T) {
	with := func(text string) chat.SendMessage {
		return chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: text}, By: "bob", At: noon}
	}
	long := strings.Repeat("é", chat.MaxText)
	run(t, cases{
		{Name: "queued", Given: past{opened}, When: with("hi"), Then: past{queued}},
		{
			Name: "by a bot", Given: past{opened}, When: chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: "hi"}, By: "flow", Bot: true, At: noon},
			Then: past{chat.MessageQueued{Message: "o1", Text: "hi", By: "flow", Bot: true, At: noon}},
		},
		{Name: "spaces around stay", Given: past{opened}, When: with(" hi\n"), Then: past{chat.MessageQueued{Message: "o1", Text: " hi\n", By: "bob", At: noon}}},
		{Name: "as long as can be", Given: past{opened}, When: with(long), Then: past{chat.MessageQueued{Message: "o1", Text: long, By: "bob", At: noon}}},
		{Name: "too long", Given: past{opened}, When: with(long + "é"), Err: chat.ErrTextTooLong},
		{Name: "sent already", Given: past{opened, queued, taken}, When: with("hi")},
		{Name: "spaces only", Given: past{opened}, When: with(" \t\n"), Err: chat.ErrTextMissing},
		{Name: "NUL", Given: past{opened}, When: with("a\x00b"), Err: chat.ErrTextInvalid},
		{Name: "not UTF-8", Given: past{opened}, When: with("a\xff"), Err: chat.ErrTextInvalid},
		{Name: "no message", Given: past{opened}, When: chat.SendMessage{Outgoing: chat.Outgoing{Text: "hi"}, By: "bob"}, Err: chat.ErrMessageMissing},
		{Name: "by nobody", Given: past{opened}, When: chat.SendMessage{Message: "o1", Outgoing: chat.Outgoing{Text: "hi"}}, Err: chat.ErrByMissing},
		{Name: "closed", Given: past{opened, closed}, When: with("hi"), Err: chat.ErrClosed},
		{Name: "deleted", Given: past{opened, gone}, When: with("hi"), Err: chat.ErrNotFound},
		{Name: "unknown", When: with("hi"), Err: chat.ErrNotFound},
	})
}

func TestAcceptMessage(t *testing.T) {
	in := chat.AcceptMessage{Message: "o1", ProviderID: "wamid.o1", At: noon}
	run(t, cases{
		{Name: "taken", Given: past{opened, queued}, When: in, Then: past{taken}},
		{Name: "again", Given: past{opened, queued, taken}, When: in},
		{Name: "under another id", Given: past{opened, queued, taken}, When: chat.AcceptMessage{Message: "o1", ProviderID: "wamid.o2"}, Err: chat.ErrAccepted},
		{Name: "id of another message", Given: past{opened, queued, taken, chat.MessageQueued{Message: "o2"}}, When: chat.AcceptMessage{Message: "o2", ProviderID: "wamid.o1"}, Err: chat.ErrProviderIDTaken},
		{Name: "after we gave up", Given: past{opened, queued, chat.DeliveryRecorded{Message: "o1", State: chat.Failed}}, When: in, Then: past{taken}},
		{Name: "in a deleted chat", Given: past{opened, queued, gone}, When: in, Then: past{taken}},
		{Name: "unknown message", Given: past{opened}, When: in, Err: chat.ErrMessageNotFound},
		{Name: "no message", When: chat.AcceptMessage{ProviderID: "wamid.o1"}, Err: chat.ErrMessageMissing},
		{Name: "no provider id", When: chat.AcceptMessage{Message: "o1"}, Err: chat.ErrProviderIDMissing},
	})
}

func TestRecordDelivery(t *testing.T) {
	failure := &chat.DeliveryError{Code: 131047, Title: "Re-engagement message"}
	by := func(state chat.Delivery) chat.RecordDelivery {
		return chat.RecordDelivery{ProviderID: "wamid.o1", State: state, At: later}
	}
	is := func(state chat.Delivery) chat.DeliveryRecorded {
		return chat.DeliveryRecorded{ProviderID: "wamid.o1", State: state, At: later}
	}
	run(t, cases{
		{Name: "further", Given: past{opened, queued, taken}, When: by(chat.Delivered), Then: past{is(chat.Delivered)}},
		{Name: "the same", Given: past{opened, queued, taken, is(chat.Delivered)}, When: by(chat.Delivered)},
		{Name: "late", Given: past{opened, queued, taken, is(chat.Read)}, When: by(chat.Delivered)},
		{Name: "sent is known from accepting", Given: past{opened, queued, taken}, When: by(chat.Sent)},
		{Name: "failed after delivered", Given: past{opened, queued, taken, is(chat.Delivered)}, When: by(chat.Failed)},
		{Name: "delivered after failed", Given: past{opened, queued, taken, is(chat.Failed)}, When: by(chat.Delivered), Then: past{is(chat.Delivered)}},
		{
			Name: "failed with its error", Given: past{opened, queued, taken}, When: chat.RecordDelivery{ProviderID: "wamid.o1", State: chat.Failed, Error: failure, At: later},
			Then: past{chat.DeliveryRecorded{ProviderID: "wamid.o1", State: chat.Failed, Error: failure, At: later}},
		},
		{Name: "an error without failure", Given: past{opened, queued, taken}, When: chat.RecordDelivery{ProviderID: "wamid.o1", State: chat.Read, Error: failure, At: later}, Then: past{is(chat.Read)}},
		{
			Name: "our own failure", Given: past{opened, queued}, When: chat.RecordDelivery{Message: "o1", State: chat.Failed, Error: failure, At: later},
			Then: past{chat.DeliveryRecorded{Message: "o1", State: chat.Failed, Error: failure, At: later}},
		},
		{Name: "no chat: kept", When: by(chat.Delivered), Then: past{is(chat.Delivered)}},
		{Name: "no chat: no news", Given: past{is(chat.Read)}, When: by(chat.Delivered)},
		{Name: "no chat: the same", Given: past{is(chat.Read)}, When: by(chat.Read)},
		{Name: "unknown message: further", Given: past{opened, is(chat.Sent)}, When: by(chat.Read), Then: past{is(chat.Read)}},
		{Name: "known to be read when it was taken", Given: past{opened, queued, is(chat.Read), taken}, When: by(chat.Delivered)},
		{Name: "deleted chat", Given: past{opened, queued, taken, gone}, When: by(chat.Read), Then: past{is(chat.Read)}},
		{Name: "queued says nothing", When: by(chat.Queued)},
		{Name: "unknown state", When: by("seen"), Err: chat.ErrDelivery},
		{Name: "of our own: unknown message", Given: past{opened}, When: chat.RecordDelivery{Message: "o1", State: chat.Failed}, Err: chat.ErrMessageNotFound},
		{Name: "of no message", When: chat.RecordDelivery{State: chat.Read}, Err: chat.ErrMessageMissing},
	})
}

func TestClaim(t *testing.T) {
	run(t, cases{
		{Name: "free", Given: past{opened}, When: chat.Claim{By: "bob"}, Then: past{chat.Claimed{By: "bob"}}},
		{Name: "let go of", Given: past{opened, bobs, chat.Unassigned{From: "bob"}}, When: chat.Claim{By: "ann"}, Then: past{chat.Claimed{By: "ann"}}},
		{Name: "the same agent", Given: past{opened, chat.Claimed{By: "bob"}}, When: chat.Claim{By: "bob"}},
		{Name: "somebody else", Given: past{opened, chat.Claimed{By: "bob"}}, When: chat.Claim{By: "ann"}, Err: chat.ErrClaimed},
		{Name: "assigned to somebody else", Given: past{opened, bobs}, When: chat.Claim{By: "ann"}, Err: chat.ErrClaimed},
		{Name: "of a team", Given: past{opened, chat.Transferred{Kind: chat.ToTeam, To: "sales"}}, When: chat.Claim{By: "ann"}, Then: past{chat.Claimed{By: "ann"}}},
		{Name: "closed", Given: past{opened, closed}, When: chat.Claim{By: "bob"}, Err: chat.ErrClosed},
		{Name: "deleted", Given: past{opened, gone}, When: chat.Claim{By: "bob"}, Err: chat.ErrNotFound},
		{Name: "unknown", When: chat.Claim{By: "bob"}, Err: chat.ErrNotFound},
		{Name: "nobody", Given: past{opened}, When: chat.Claim{}, Err: chat.ErrAgentMissing},
	})
}

func TestAssign(t *testing.T) {
	run(t, cases{
		{Name: "first assignee", Given: past{opened}, When: chat.Assign{To: "bob"}, Then: past{bobs}},
		{Name: "another", Given: past{opened, bobs}, When: chat.Assign{To: "ann"}, Then: past{chat.Assigned{To: "ann", From: "bob"}}},
		{Name: "has it", Given: past{opened, bobs}, When: chat.Assign{To: "bob"}},
		{Name: "closed", Given: past{opened, closed}, When: chat.Assign{To: "bob"}, Err: chat.ErrClosed},
		{Name: "deleted", Given: past{opened, gone}, When: chat.Assign{To: "bob"}, Err: chat.ErrNotFound},
		{Name: "unknown", When: chat.Assign{To: "bob"}, Err: chat.ErrNotFound},
		{Name: "nobody", Given: past{opened}, When: chat.Assign{}, Err: chat.ErrAgentMissing},
	})
}

func TestUnassign(t *testing.T) {
	run(t, cases{
		{Name: "let go", Given: past{opened, bobs}, When: chat.Unassign{}, Then: past{chat.Unassigned{From: "bob"}}},
		{Name: "nobody has it", Given: past{opened}, When: chat.Unassign{}},
		{Name: "closed", Given: past{opened, bobs, closed}, When: chat.Unassign{}, Then: past{chat.Unassigned{From: "bob"}}},
		{Name: "deleted", Given: past{opened, bobs, gone}, When: chat.Unassign{}, Err: chat.ErrNotFound},
		{Name: "unknown", When: chat.Unassign{}, Err: chat.ErrNotFound},
	})
}

func TestTransfer(t *testing.T) {
	sales := chat.Transferred{Kind: chat.ToTeam, To: "sales"}
	run(t, cases{
		{
			Name: "to an agent", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToAgent, To: "ann", Reason: "speaks Greek", By: "bob"},
			Then: past{chat.Transferred{Kind: chat.ToAgent, To: "ann", From: "bob", Reason: "speaks Greek"}},
		},
		{
			Name: "to an agent: the team stays", Given: past{opened, sales, bobs, chat.Transferred{Kind: chat.ToAgent, To: "ann", From: "bob"}}, When: chat.Transfer{Kind: chat.ToTeam, To: "support"},
			Then: past{chat.Transferred{Kind: chat.ToTeam, To: "support", From: "ann", FromTeam: "sales"}},
		},
		{Name: "to an agent: nobody has it", Given: past{opened}, When: chat.Transfer{Kind: chat.ToAgent, To: "ann"}, Err: chat.ErrNotAssigned},
		{Name: "to the agent who has it", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToAgent, To: "bob"}, Err: chat.ErrTransferToSelf},
		{
			Name: "to a team", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToTeam, To: "sales"},
			Then: past{chat.Transferred{Kind: chat.ToTeam, To: "sales", From: "bob"}},
		},
		{Name: "to a team: nobody has it", Given: past{opened}, When: chat.Transfer{Kind: chat.ToTeam, To: "sales"}, Then: past{sales}},
		{Name: "to the team that has it", Given: past{opened, sales}, When: chat.Transfer{Kind: chat.ToTeam, To: "sales"}},
		{
			Name: "to the assignee's team", Given: past{opened, sales, bobs}, When: chat.Transfer{Kind: chat.ToTeam, To: "sales"},
			Then: past{chat.Transferred{Kind: chat.ToTeam, To: "sales", From: "bob", FromTeam: "sales"}},
		},
		{
			Name: "to the bot", Given: past{opened, sales, bobs}, When: chat.Transfer{Kind: chat.ToBot, To: "ignored"},
			Then: past{chat.Transferred{Kind: chat.ToBot, From: "bob", FromTeam: "sales"}},
		},
		{Name: "to the bot that has it", Given: past{opened}, When: chat.Transfer{Kind: chat.ToBot}},
		{Name: "no agent", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToAgent}, Err: chat.ErrAgentMissing},
		{Name: "no team", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToTeam}, Err: chat.ErrTeamMissing},
		{Name: "no kind", Given: past{opened, bobs}, When: chat.Transfer{To: "ann"}, Err: chat.ErrTransferKind},
		{Name: "long reason", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToBot, Reason: strings.Repeat("a", chat.MaxReason+1)}, Err: chat.ErrReasonTooLong},
		{Name: "NUL in the reason", Given: past{opened, bobs}, When: chat.Transfer{Kind: chat.ToBot, Reason: "\x00"}, Err: chat.ErrReasonInvalid},
		{Name: "closed", Given: past{opened, bobs, closed}, When: chat.Transfer{Kind: chat.ToBot}, Err: chat.ErrClosed},
		{Name: "unknown", When: chat.Transfer{Kind: chat.ToBot}, Err: chat.ErrNotFound},
	})
}

func TestChangeTags(t *testing.T) {
	tagged := chat.TagsChanged{Added: []chat.TagID{"vip", "late"}}
	var many []chat.TagID
	for i := range chat.MaxTags {
		many = append(many, chat.TagID("t"+strings.Repeat("x", i)))
	}
	run(t, cases{
		{Name: "added in the order given", Given: past{opened}, When: chat.ChangeTags{Add: []chat.TagID{"vip", "late"}}, Then: past{tagged}},
		{
			Name: "only what is new", Given: past{opened, tagged}, When: chat.ChangeTags{Add: []chat.TagID{"vip", "new"}, Remove: []chat.TagID{"late", "other"}},
			Then: past{chat.TagsChanged{Added: []chat.TagID{"new"}, Removed: []chat.TagID{"late"}}},
		},
		{Name: "each once", Given: past{opened}, When: chat.ChangeTags{Add: []chat.TagID{"vip", "vip"}}, Then: past{chat.TagsChanged{Added: []chat.TagID{"vip"}}}},
		{Name: "nothing new", Given: past{opened, tagged}, When: chat.ChangeTags{Add: []chat.TagID{"vip"}, Remove: []chat.TagID{"other"}}},
		{Name: "nothing at all", Given: past{opened}, When: chat.ChangeTags{}},
		{Name: "closed", Given: past{opened, closed}, When: chat.ChangeTags{Add: []chat.TagID{"vip", "late"}}, Then: past{tagged}},
		{Name: "as many as can be", Given: past{opened}, When: chat.ChangeTags{Add: many}, Then: past{chat.TagsChanged{Added: many}}},
		{Name: "too many", Given: past{opened, chat.TagsChanged{Added: many}}, When: chat.ChangeTags{Add: []chat.TagID{"vip"}}, Err: chat.ErrTooManyTags},
		{
			Name: "one for another", Given: past{opened, chat.TagsChanged{Added: many}}, When: chat.ChangeTags{Add: []chat.TagID{"vip"}, Remove: many[:1]},
			Then: past{chat.TagsChanged{Added: []chat.TagID{"vip"}, Removed: many[:1]}},
		},
		{Name: "no id to add", Given: past{opened}, When: chat.ChangeTags{Add: []chat.TagID{""}}, Err: chat.ErrTagToAdd},
		{Name: "no id to remove", Given: past{opened}, When: chat.ChangeTags{Remove: []chat.TagID{""}}, Err: chat.ErrTagToRemove},
		{Name: "both ways", Given: past{opened}, When: chat.ChangeTags{Add: []chat.TagID{"vip"}, Remove: []chat.TagID{"vip"}}, Err: chat.ErrTagBothWays},
		{Name: "deleted", Given: past{opened, gone}, When: chat.ChangeTags{Add: []chat.TagID{"vip"}}, Err: chat.ErrNotFound},
		{Name: "unknown", When: chat.ChangeTags{Add: []chat.TagID{"vip"}}, Err: chat.ErrNotFound},
	})
}

func TestNotes(t *testing.T) {
	note := chat.NoteAdded{Note: "n1", Text: "call back", By: "bob", At: noon}
	edited := chat.NoteEdited{Note: "n1", Text: "called", By: "bob", At: later}
	deleted := chat.NoteDeleted{Note: "n1", By: "bob", At: later}
	add := chat.AddNote{Note: "n1", Text: "call back", By: "bob", At: noon}
	edit := chat.EditNote{Note: "n1", Text: "called", By: "bob", At: later}
	del := chat.DeleteNote{Note: "n1", By: "bob", At: later}
	long := strings.Repeat("ü", chat.MaxNote)
	run(t, cases{
		{Name: "add", Given: past{opened}, When: add, Then: past{note}},
		{Name: "add to a closed chat", Given: past{opened, closed}, When: add, Then: past{note}},
		{Name: "add again", Given: past{opened, note}, When: add},
		{Name: "add a deleted one", Given: past{opened, note, deleted}, When: add},
		{Name: "add as long as can be", Given: past{opened}, When: chat.AddNote{Note: "n1", Text: long, By: "bob", At: noon}, Then: past{chat.NoteAdded{Note: "n1", Text: long, By: "bob", At: noon}}},
		{Name: "add too long", Given: past{opened}, When: chat.AddNote{Note: "n1", Text: long + "ü", By: "bob"}, Err: chat.ErrTextTooLong},
		{Name: "add spaces", Given: past{opened}, When: chat.AddNote{Note: "n1", Text: " ", By: "bob"}, Err: chat.ErrTextMissing},
		{Name: "add NUL", Given: past{opened}, When: chat.AddNote{Note: "n1", Text: "\x00", By: "bob"}, Err: chat.ErrTextInvalid},
		{Name: "add without id", Given: past{opened}, When: chat.AddNote{Text: "a", By: "bob"}, Err: chat.ErrNoteMissing},
		{Name: "add by nobody", Given: past{opened}, When: chat.AddNote{Note: "n1", Text: "a"}, Err: chat.ErrByMissing},
		{Name: "add to a deleted chat", Given: past{opened, gone}, When: add, Err: chat.ErrNotFound},

		{Name: "edit", Given: past{opened, note}, When: edit, Then: past{edited}},
		{Name: "edit to the same", Given: past{opened, note, edited}, When: edit},
		{Name: "edit back", Given: past{opened, note, edited}, When: chat.EditNote{Note: "n1", Text: "call back", By: "bob", At: later}, Then: past{chat.NoteEdited{Note: "n1", Text: "call back", By: "bob", At: later}}},
		{Name: "edit another's", Given: past{opened, note}, When: chat.EditNote{Note: "n1", Text: "x", By: "ann"}, Err: chat.ErrNoteOfAnother},
		{Name: "edit another's as supervisor", Given: past{opened, note}, When: chat.EditNote{Note: "n1", Text: "x", By: "sue", At: later, Any: true}, Then: past{chat.NoteEdited{Note: "n1", Text: "x", By: "sue", At: later}}},
		{Name: "edit one's own after a supervisor", Given: past{opened, note, chat.NoteEdited{Note: "n1", Text: "x", By: "sue"}}, When: edit, Then: past{edited}},
		{Name: "edit a deleted one", Given: past{opened, note, deleted}, When: edit, Err: chat.ErrNoteNotFound},
		{Name: "edit an unknown one", Given: past{opened}, When: edit, Err: chat.ErrNoteNotFound},
		{Name: "edit none", Given: past{opened}, When: chat.EditNote{Text: "x", By: "bob"}, Err: chat.ErrNoteMissing},
		{Name: "edit by nobody", Given: past{opened, note}, When: chat.EditNote{Note: "n1", Text: "x"}, Err: chat.ErrByMissing},
		{Name: "edit to nothing", Given: past{opened, note}, When: chat.EditNote{Note: "n1", By: "bob"}, Err: chat.ErrTextMissing},
		{Name: "edit in a deleted chat", Given: past{opened, note, gone}, When: edit, Err: chat.ErrNotFound},

		{Name: "delete", Given: past{opened, note}, When: del, Then: past{deleted}},
		{Name: "delete again", Given: past{opened, note, deleted}, When: del},
		{Name: "delete another's", Given: past{opened, note}, When: chat.DeleteNote{Note: "n1", By: "ann"}, Err: chat.ErrNoteOfAnother},
		{Name: "delete another's as supervisor", Given: past{opened, note}, When: chat.DeleteNote{Note: "n1", By: "sue", At: later, Any: true}, Then: past{chat.NoteDeleted{Note: "n1", By: "sue", At: later}}},
		{Name: "delete an unknown one", Given: past{opened}, When: del, Err: chat.ErrNoteNotFound},
	})
}

func TestStatus(t *testing.T) {
	review := chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending, From: "OPEN"}
	reopened := chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED"}
	toReview := chat.SetStatus{Status: "REVIEW", Category: chat.CategoryPending}
	run(t, cases{
		{Name: "set", Given: past{opened}, When: toReview, Then: past{review}},
		{Name: "set again", Given: past{opened, review}, When: toReview},
		{Name: "set a closed one", Given: past{opened}, When: chat.SetStatus{Status: "CLOSED", Category: chat.CategoryClosed}, Then: past{closed}},
		{Name: "set an open one of a closed chat", Given: past{opened, closed}, When: chat.SetStatus{Status: "OPEN", Category: chat.CategoryOpen}, Then: past{reopened}},
		{Name: "set none", Given: past{opened}, When: chat.SetStatus{Category: chat.CategoryOpen}, Err: chat.ErrStatusMissing},
		{Name: "set one of no category", Given: past{opened}, When: chat.SetStatus{Status: "REVIEW"}, Err: chat.ErrCategory},
		{Name: "set in a deleted chat", Given: past{opened, gone}, When: toReview, Err: chat.ErrNotFound},

		{Name: "close", Given: past{opened}, When: chat.Close{Status: "CLOSED"}, Then: past{closed}},
		{Name: "close again", Given: past{opened, closed}, When: chat.Close{Status: "CLOSED"}},
		{Name: "close otherwise", Given: past{opened, closed}, When: chat.Close{Status: "SPAM"}, Then: past{chat.Closed{Status: "SPAM", Category: chat.CategoryClosed, From: "CLOSED"}}},
		{Name: "close with the open status", Given: past{opened}, When: chat.Close{Status: "OPEN"}, Err: chat.ErrStatusNotClosed},
		{Name: "close with none", Given: past{opened}, When: chat.Close{}, Err: chat.ErrStatusMissing},
		{Name: "close a deleted chat", Given: past{opened, gone}, When: chat.Close{Status: "CLOSED"}, Err: chat.ErrNotFound},
		{Name: "close an unknown chat", When: chat.Close{Status: "CLOSED"}, Err: chat.ErrNotFound},

		{Name: "reopen", Given: past{opened, closed}, When: chat.Reopen{Status: "OPEN", Category: chat.CategoryOpen}, Then: past{reopened}},
		{Name: "reopen an open chat", Given: past{opened, review}, When: chat.Reopen{Status: "OPEN", Category: chat.CategoryOpen}},
		{Name: "reopen as closed", Given: past{opened, closed}, When: chat.Reopen{Status: "CLOSED", Category: chat.CategoryClosed}, Err: chat.ErrStatusClosed},
		{Name: "reopen as nothing", Given: past{opened, closed}, When: chat.Reopen{}, Err: chat.ErrStatusMissing},
		{Name: "reopen a deleted chat", Given: past{opened, closed, gone}, When: chat.Reopen{Status: "OPEN", Category: chat.CategoryOpen}, Err: chat.ErrNotFound},
	})
}

func TestMarkRead(t *testing.T) {
	run(t, cases{
		{Name: "unread", Given: past{opened, hello}, When: chat.MarkRead{By: "bob"}, Then: past{chat.MarkedRead{By: "bob"}}},
		{Name: "read", Given: past{opened, hello, chat.MarkedRead{By: "ann"}}, When: chat.MarkRead{By: "bob"}},
		{Name: "a reaction is not unread", Given: past{opened, chat.ReactionReceived{}}, When: chat.MarkRead{By: "bob"}},
		{Name: "closed", Given: past{opened, hello, closed}, When: chat.MarkRead{By: "bob"}, Then: past{chat.MarkedRead{By: "bob"}}},
		{Name: "by nobody", Given: past{opened, hello}, When: chat.MarkRead{}, Err: chat.ErrByMissing},
		{Name: "deleted", Given: past{opened, hello, gone}, When: chat.MarkRead{By: "bob"}, Err: chat.ErrNotFound},
	})
}

func TestMarkUnread(t *testing.T) {
	read := chat.MarkedRead{By: "ann"}
	run(t, cases{
		{Name: "read", Given: past{opened, hello, read}, When: chat.MarkUnread{By: "bob"}, Then: past{chat.MarkedUnread{By: "bob"}}},
		{Name: "unread", Given: past{opened, hello}, When: chat.MarkUnread{By: "bob"}},
		{Name: "twice", Given: past{opened, hello, read, chat.MarkedUnread{By: "ann"}}, When: chat.MarkUnread{By: "bob"}},
		{Name: "and read again", Given: past{opened, hello, read, chat.MarkedUnread{By: "ann"}}, When: chat.MarkRead{By: "bob"}, Then: past{chat.MarkedRead{By: "bob"}}},
		{Name: "by nobody", Given: past{opened, hello, read}, When: chat.MarkUnread{}, Err: chat.ErrByMissing},
		{Name: "deleted", Given: past{opened, hello, read, gone}, When: chat.MarkUnread{By: "bob"}, Err: chat.ErrNotFound},
	})
}

func TestDeleteAndRestore(t *testing.T) {
	run(t, cases{
		{Name: "delete", Given: past{opened}, When: chat.Delete{By: "sue", Reason: "spam"}, Then: past{chat.Deleted{By: "sue", Reason: "spam"}}},
		{Name: "delete again", Given: past{opened, gone}, When: chat.Delete{By: "sue"}, Err: chat.ErrNotFound},
		{Name: "delete an unknown chat", When: chat.Delete{By: "sue"}, Err: chat.ErrNotFound},
		{Name: "delete by nobody", Given: past{opened}, When: chat.Delete{}, Err: chat.ErrByMissing},
		{Name: "delete with a long reason", Given: past{opened}, When: chat.Delete{By: "sue", Reason: strings.Repeat("a", chat.MaxReason+1)}, Err: chat.ErrReasonTooLong},
		{Name: "restore", Given: past{opened, gone}, When: chat.Restore{By: "sue"}, Then: past{chat.Restored{By: "sue"}}},
		{Name: "restore again", Given: past{opened, gone, chat.Restored{By: "sue"}}, When: chat.Restore{By: "sue"}},
		{Name: "restore an unknown chat", When: chat.Restore{By: "sue"}, Err: chat.ErrNotFound},
		{Name: "restore by nobody", Given: past{opened, gone}, When: chat.Restore{}, Err: chat.ErrByMissing},
	})
}

func TestShareDetails(t *testing.T) {
	card := chat.ShareDetails{Reason: chat.ByContactCard, Name: " Ben ", Emails: []string{"ben@example.com", "ben@example.com", ""}, Phones: []string{" +44 1"}, Message: "m1", At: noon}
	shared := chat.DetailsShared{Reason: chat.ByContactCard, Name: "Ben", Emails: []string{"ben@example.com"}, Phones: []string{"+44 1"}, Message: "m1", At: noon}
	typed := func(change func(*chat.ShareDetails)) chat.ShareDetails {
		c := chat.ShareDetails{Reason: chat.ByAgent, Name: "Ben", By: "bob", At: noon}
		change(&c)
		return c
	}
	run(t, cases{
		{Name: "a card", Given: past{opened}, When: card, Then: past{shared}},
		{Name: "the same card", Given: past{opened, shared}, When: card},
		{Name: "the same details later", Given: past{opened, shared}, When: chat.ShareDetails{Reason: chat.ByForm, Name: "Ben", At: later}, Then: past{chat.DetailsShared{Reason: chat.ByForm, Name: "Ben", At: later}}},
		{Name: "a phone alone", Given: past{opened}, When: chat.ShareDetails{Reason: chat.ByImport, Phones: []string{"1"}}, Then: past{chat.DetailsShared{Reason: chat.ByImport, Phones: []string{"1"}}}},
		{Name: "mark who is not known", Given: past{opened}, When: chat.MarkVisitor{At: noon}, Then: past{chat.DetailsShared{Reason: chat.ByChatflow, At: noon}}},
		{Name: "mark whose details are known", Given: past{opened, shared}, When: chat.MarkVisitor{At: later}},
		{Name: "mark in no chat", When: chat.MarkVisitor{At: noon}, Err: chat.ErrNotFound},
		{Name: "a chatflow needs none", Given: past{opened}, When: chat.ShareDetails{Reason: chat.ByChatflow}, Then: past{chat.DetailsShared{Reason: chat.ByChatflow}}},
		{Name: "typed in", Given: past{opened, closed}, When: typed(func(*chat.ShareDetails) {}), Then: past{chat.DetailsShared{Reason: chat.ByAgent, Name: "Ben", By: "bob", At: noon}}},
		{Name: "typed in by nobody", Given: past{opened}, When: typed(func(c *chat.ShareDetails) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "a city alone", Given: past{opened}, When: chat.ShareDetails{Reason: chat.ByForm, City: "Lima"}, Err: chat.ErrNoDetails},
		{Name: "NUL", Given: past{opened}, When: typed(func(c *chat.ShareDetails) { c.Company = "a\x00" }), Err: chat.ErrDetailsInvalid},
		{Name: "too long", Given: past{opened}, When: typed(func(c *chat.ShareDetails) { c.City = strings.Repeat("a", 1001) }), Err: chat.ErrDetailsInvalid},
		{Name: "too many", Given: past{opened}, When: typed(func(c *chat.ShareDetails) {
			for i := range 101 {
				c.Phones = append(c.Phones, strings.Repeat("1", i+1))
			}
		}), Err: chat.ErrTooManyDetails},
		{Name: "no reason", Given: past{opened}, When: chat.ShareDetails{Name: "Ben"}, Err: chat.ErrContactReason},
		{Name: "deleted", Given: past{opened, gone}, When: card, Err: chat.ErrNotFound},
		{Name: "unknown", When: card, Err: chat.ErrNotFound},
	})
}

func TestDownloadTranscript(t *testing.T) {
	in := chat.DownloadTranscript{Format: chat.TranscriptHTML, Notes: true, Zone: "Europe/Berlin", AsOf: 7, By: "bob"}
	got := chat.TranscriptDownloaded{Format: "html", Notes: true, Zone: "Europe/Berlin", AsOf: 7, By: "bob"}
	proof := got
	proof.Format = "proof"
	with := func(change func(*chat.DownloadTranscript)) chat.DownloadTranscript { c := in; change(&c); return c }
	run(t, cases{
		{Name: "taken", Given: past{opened}, When: in, Then: past{got}, Anew: true},
		{Name: "of a closed chat", Given: past{opened, closed}, When: in, Then: past{got}, Anew: true},
		{Name: "of a deleted chat", Given: past{opened, gone}, When: in, Err: chat.ErrNotFound},
		{Name: "of a deleted chat, by an auditor", Given: past{opened, gone}, When: with(func(c *chat.DownloadTranscript) { c.Hidden = true }), Then: past{got}, Anew: true},
		{Name: "of no chat", When: with(func(c *chat.DownloadTranscript) { c.Hidden = true }), Err: chat.ErrNotFound},
		{
			Name: "the events with their proofs", Given: past{opened}, When: with(func(c *chat.DownloadTranscript) { c.Format = chat.TranscriptProof }),
			Then: past{proof}, Anew: true,
		},
		{Name: "in no format", Given: past{opened}, When: with(func(c *chat.DownloadTranscript) { c.Format = "pdf" }), Err: chat.ErrTranscriptFormat},
		{Name: "by nobody", Given: past{opened}, When: with(func(c *chat.DownloadTranscript) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "before the log", Given: past{opened}, When: with(func(c *chat.DownloadTranscript) { c.AsOf = 0 }), Err: chat.ErrAsOf},
	})
}

func TestAssignByRule(t *testing.T) {
	toSales := chat.Transferred{Kind: chat.ToTeam, To: "sales"}
	choice := chat.Choice{Team: "sales", Rule: "round_robin", Reason: "next in turn", Able: 2}
	assign := chat.AssignByRule{To: "ann", Choice: choice}
	run(t, cases{
		{Name: "waiting", Given: past{opened, toSales}, When: assign, Then: past{chat.Assigned{To: "ann", Choice: &choice}}},
		{Name: "taken meanwhile", Given: past{opened, toSales, chat.Claimed{By: "bob"}}, When: assign},
		{Name: "handed on meanwhile", Given: past{opened, toSales, chat.Transferred{Kind: chat.ToBot}}, When: assign},
		{Name: "closed meanwhile", Given: past{opened, toSales, chat.Closed{Status: "CLOSED", Category: chat.CategoryClosed}}, When: assign},
		{Name: "deleted meanwhile", Given: past{opened, toSales, gone}, When: assign},
		{Name: "to nobody", Given: past{opened, toSales}, When: chat.AssignByRule{Choice: choice}, Err: chat.ErrAgentMissing},
		{Name: "of no team", Given: past{opened, toSales}, When: chat.AssignByRule{To: "ann"}, Err: chat.ErrTeamMissing},
	})
}

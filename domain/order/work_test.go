package order_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/order"
)

func TestSetPayment(t *testing.T) {
	paid := order.PaymentSet{Payment: order.Paid, From: order.Unpaid, Reference: "pi_1"}
	run(t, cases{
		{Name: "paid", Given: past{placed}, When: order.SetPayment{Payment: order.Paid, Reference: "pi_1"}, Then: past{paid}},
		{Name: "paid again", Given: past{placed, paid}, When: order.SetPayment{Payment: order.Paid, Reference: "pi_1"}},
		{Name: "paid otherwise", Given: past{placed, paid}, When: order.SetPayment{Payment: order.Paid, Reference: "pi_2"}, Then: past{order.PaymentSet{Payment: order.Paid, From: order.Paid, Reference: "pi_2"}}},
		{Name: "unpaid from the start", Given: past{placed}, When: order.SetPayment{Payment: order.Unpaid}},
		{Name: "failed", Given: past{placed}, When: order.SetPayment{Payment: order.Failed, Reason: "no cover"}, Then: past{order.PaymentSet{Payment: order.Failed, From: order.Unpaid, Reason: "no cover"}}},
		{Name: "refunded", Given: past{placed, paid}, When: order.SetPayment{Payment: order.Refunded}, Then: past{order.PaymentSet{Payment: order.Refunded, From: order.Paid}}},
		{Name: "refunded in part, then all", Given: past{placed, paid, order.PaymentSet{Payment: order.PartlyRefunded, From: order.Paid}}, When: order.SetPayment{Payment: order.Refunded}, Then: past{order.PaymentSet{Payment: order.Refunded, From: order.PartlyRefunded}}},
		{Name: "refunded before it was paid", Given: past{placed}, When: order.SetPayment{Payment: order.Refunded}, Err: order.ErrNotPaid},
		{Name: "refunded in part before it was paid", Given: past{placed}, When: order.SetPayment{Payment: order.PartlyRefunded}, Err: order.ErrNotPaid},
		{Name: "unknown word", Given: past{placed}, When: order.SetPayment{Payment: "maybe"}, Err: order.ErrPayment},
		{Name: "long reference", Given: past{placed}, When: order.SetPayment{Payment: order.Paid, Reference: strings.Repeat("a", 201)}, Err: order.ErrReferenceLong},
		{Name: "NUL in the reference", Given: past{placed}, When: order.SetPayment{Payment: order.Paid, Reference: "\x00"}, Err: order.ErrReference},
		{Name: "long reason", Given: past{placed}, When: order.SetPayment{Payment: order.Paid, Reason: strings.Repeat("a", 1001)}, Err: order.ErrReasonTooLong},
		{Name: "of a refused order", Given: past{refused}, When: order.SetPayment{Payment: order.Paid}, Err: order.ErrRefused},
		{Name: "of an unknown order", When: order.SetPayment{Payment: order.Paid}, Err: order.ErrNotFound},
	})
}

func TestTags(t *testing.T) {
	vip := order.TagsChanged{Added: []string{"vip"}}
	var full []string
	for i := range order.MaxTags {
		full = append(full, fmt.Sprint("t", i))
	}
	run(t, cases{
		{Name: "add and remove", Given: past{placed, vip}, When: order.ChangeTags{Add: []string{"vip", "late", "late"}, Remove: []string{"new"}}, Then: past{order.TagsChanged{Added: []string{"late"}}}},
		{Name: "remove", Given: past{placed, vip}, When: order.ChangeTags{Remove: []string{"vip"}}, Then: past{order.TagsChanged{Removed: []string{"vip"}}}},
		{Name: "nothing to do", Given: past{placed, vip}, When: order.ChangeTags{Add: []string{"vip"}}},
		{Name: "too many", Given: past{placed, order.TagsChanged{Added: full}}, When: order.ChangeTags{Add: []string{"one"}}, Err: order.ErrTooManyTags},
		{Name: "as many as go", Given: past{placed, order.TagsChanged{Added: full}}, When: order.ChangeTags{Add: []string{"one"}, Remove: []string{"t0"}}, Then: past{order.TagsChanged{Added: []string{"one"}, Removed: []string{"t0"}}}},
		{Name: "add none", Given: past{placed}, When: order.ChangeTags{Add: []string{""}}, Err: order.ErrTagToAdd},
		{Name: "remove none", Given: past{placed}, When: order.ChangeTags{Remove: []string{""}}, Err: order.ErrTagToRemove},
		{Name: "both ways", Given: past{placed}, When: order.ChangeTags{Add: []string{"a"}, Remove: []string{"a"}}, Err: order.ErrTagBothWays},
		{Name: "of an unknown order", When: order.ChangeTags{Add: []string{"a"}}, Err: order.ErrNotFound},
	})
}

func TestAssign(t *testing.T) {
	ann := order.Assigned{To: "ann"}
	run(t, cases{
		{Name: "assign", Given: past{placed}, When: order.Assign{To: "ann"}, Then: past{ann}},
		{Name: "again", Given: past{placed, ann}, When: order.Assign{To: "ann"}},
		{Name: "to another", Given: past{placed, ann}, When: order.Assign{To: "bob"}, Then: past{order.Assigned{To: "bob", From: "ann"}}},
		{Name: "to nobody", Given: past{placed}, When: order.Assign{}, Err: order.ErrAgentMissing},
		{Name: "unassign", Given: past{placed, ann}, When: order.Unassign{}, Then: past{order.Unassigned{From: "ann"}}},
		{Name: "unassign again", Given: past{placed}, When: order.Unassign{}},
		{Name: "a refused order", Given: past{refused}, When: order.Assign{To: "ann"}, Err: order.ErrRefused},
		{Name: "unassign an unknown order", When: order.Unassign{}, Err: order.ErrNotFound},
	})
}

func TestNotes(t *testing.T) {
	added := order.NoteAdded{Note: "n", Text: "careful", By: "ann", At: noon}
	gone := order.NoteDeleted{Note: "n", By: "ann", At: noon}
	edit := func(text, by string, anyone bool) order.EditNote {
		return order.EditNote{Note: "n", Text: text, By: by, At: noon, Any: anyone}
	}
	run(t, cases{
		{Name: "add", Given: past{placed}, When: order.AddNote{Note: "n", Text: "careful", By: "ann", At: noon}, Then: past{added}},
		{Name: "add to a refused order", Given: past{refused}, When: order.AddNote{Note: "n", Text: "careful", By: "ann", At: noon}, Then: past{added}},
		{Name: "add again", Given: past{placed, added}, When: order.AddNote{Note: "n", Text: "other", By: "ann"}},
		{Name: "add without text", Given: past{placed}, When: order.AddNote{Note: "n", Text: " ", By: "ann"}, Err: order.ErrNoteText},
		{Name: "add too much", Given: past{placed}, When: order.AddNote{Note: "n", Text: strings.Repeat("a", order.MaxNote+1), By: "ann"}, Err: order.ErrNoteTextLong},
		{Name: "add NUL", Given: past{placed}, When: order.AddNote{Note: "n", Text: "\x00", By: "ann"}, Err: order.ErrNoteTextInvalid},
		{Name: "add without an id", Given: past{placed}, When: order.AddNote{Text: "a", By: "ann"}, Err: order.ErrNoteMissing},
		{Name: "add by nobody", Given: past{placed}, When: order.AddNote{Note: "n", Text: "a"}, Err: order.ErrByMissing},
		{Name: "add to an unknown order", When: order.AddNote{Note: "n", Text: "a", By: "ann"}, Err: order.ErrNotFound},
		{Name: "edit", Given: past{placed, added}, When: edit("very", "ann", false), Then: past{order.NoteEdited{Note: "n", Text: "very", By: "ann", At: noon}}},
		{Name: "edit to the same", Given: past{placed, added}, When: edit("careful", "ann", false)},
		{Name: "edit another's", Given: past{placed, added}, When: edit("very", "bob", false), Err: order.ErrNoteOfAnother},
		{Name: "edit another's as a senior", Given: past{placed, added}, When: edit("very", "sue", true), Then: past{order.NoteEdited{Note: "n", Text: "very", By: "sue", At: noon}}},
		{Name: "edit a deleted one", Given: past{placed, added, gone}, When: edit("very", "ann", false), Err: order.ErrNoteNotFound},
		{Name: "edit an unknown one", Given: past{placed}, When: edit("very", "ann", false), Err: order.ErrNoteNotFound},
		{Name: "delete", Given: past{placed, added}, When: order.DeleteNote{Note: "n", By: "ann", At: noon}, Then: past{gone}},
		{Name: "delete again", Given: past{placed, added, gone}, When: order.DeleteNote{Note: "n", By: "ann"}},
		{Name: "delete by nobody", Given: past{placed, added}, When: order.DeleteNote{Note: "n"}, Err: order.ErrByMissing},
		{Name: "delete without an id", Given: past{placed, added}, When: order.DeleteNote{By: "ann"}, Err: order.ErrNoteMissing},
		{Name: "delete on an unknown order", When: order.DeleteNote{Note: "n", By: "ann"}, Err: order.ErrNotFound},
	})
	s := domaintest.Fold(order.Evolve, past{placed})
	for i := range order.MaxNotes {
		s = order.Evolve(s, order.NoteAdded{Note: order.NoteID(fmt.Sprint(i)), By: "ann", Text: "a"})
	}
	if _, err := (order.AddNote{Note: "one", Text: "a", By: "ann"}).Decide(s); err == nil {
		t.Error("a note too many is taken")
	}
}

func TestTell(t *testing.T) {
	inChat := placed
	inChat.Chat = "c"
	named := inChat
	named.External = "A-1"
	tell := func(step order.Step, text string) order.Tell {
		return order.Tell{Step: step, Message: "m", Text: text, By: "ann", At: noon}
	}
	asked := func(status order.Status, text string) order.NoticeRequested {
		return order.NoticeRequested{Message: "m", Chat: "c", Status: status, Text: text, By: "ann", At: noon}
	}
	confirmed := asked(order.StatusConfirmed, "Your order is confirmed.")
	queued := order.NoticeQueued{Message: "m"}
	formed, form := tell(order.Confirm{}, "Dear Ana"), asked(order.StatusConfirmed, "Dear Ana")
	formed.Template = &order.NoticeTemplate{ID: "t", Body: map[string]string{"1": "Ana"}}
	form.Template = formed.Template
	run(t, cases{
		{Name: "confirmed", Given: past{inChat}, When: tell(order.Confirm{}, ""), Then: past{order.Confirmed{}, confirmed}},
		{Name: "in other words", Given: past{inChat}, When: tell(order.Confirm{}, "Thanks!"), Then: past{order.Confirmed{}, asked(order.StatusConfirmed, "Thanks!")}},
		{Name: "by a template", Given: past{inChat}, When: formed, Then: past{order.Confirmed{}, form}},
		{Name: "confirmed before", Given: past{inChat, order.Confirmed{}}, When: tell(order.Confirm{}, "")},
		{
			Name: "shipped", Given: past{named, order.Confirmed{}, order.ProcessingStarted{}}, When: tell(order.Ship{Carrier: "DHL", Tracking: "123"}, ""),
			Then: past{shipped, asked(order.StatusShipped, "Your order A-1 is on its way with DHL. The tracking number is 123.")},
		},
		{Name: "a step that is refused", Given: past{inChat}, When: tell(order.Deliver{}, ""), Err: order.ErrWrongStatus},
		{Name: "an order without a chat", Given: past{placed}, When: tell(order.Confirm{}, ""), Err: order.ErrNoChat},
		{Name: "by nobody", Given: past{inChat}, When: order.Tell{Step: order.Confirm{}, Message: "m"}, Err: order.ErrByMissing},
		{Name: "without a message", Given: past{inChat}, When: order.Tell{Step: order.Confirm{}, By: "ann"}, Err: order.ErrMessageMissing},
		{Name: "it is in the chat", Given: past{inChat, order.Confirmed{}, confirmed}, When: order.EndNotice{Message: "m"}, Then: past{queued}},
		{Name: "it was refused", Given: past{inChat, order.Confirmed{}, confirmed}, When: order.EndNotice{Message: "m", Code: "chat.closed", Reason: "closed"}, Then: past{order.NoticeRefused{Message: "m", Code: "chat.closed", Reason: "closed"}}},
		{Name: "what is known", Given: past{inChat, order.Confirmed{}, confirmed, queued}, When: order.EndNotice{Message: "m", Code: "chat.closed"}},
		{Name: "nobody asked", Given: past{inChat}, When: order.EndNotice{Message: "m"}, Err: order.ErrNoticeNotFound},
		{Name: "an unknown order", When: order.EndNotice{Message: "m"}, Err: order.ErrNotFound},
	})
}

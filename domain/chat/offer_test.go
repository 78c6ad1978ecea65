package chat_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestOfferTransfer(t *testing.T) {
	taken := chat.Claimed{By: "ann"}
	mine := past{opened, taken}
	until := noon.Add(15 * time.Minute)
	ask := chat.OfferTransfer{Kind: chat.ToAgent, To: "bob", Reason: "Speaks French.", By: "ann", For: 15 * time.Minute, At: noon}
	with := func(change func(*chat.OfferTransfer)) chat.OfferTransfer { c := ask; change(&c); return c }
	offered := chat.TransferOffered{Kind: chat.ToAgent, To: "bob", From: "ann", Reason: "Speaks French.", Expires: until, By: "ann", At: noon}
	toTeam := chat.TransferOffered{Kind: chat.ToTeam, To: "care", From: "ann", Expires: until, By: "sue", At: noon}
	pending, teamPending := past{opened, taken, offered}, past{opened, taken, toTeam}
	plus := func(p past, more ...chat.Event) past { return append(slices.Clip(p), more...) }
	handed := chat.Transferred{Kind: chat.ToAgent, To: "bob", From: "ann", Reason: "Speaks French.", Accepted: true}
	expired := chat.TransferLapsed{Cause: chat.LapsedByTime}
	accept := func(by chat.AgentID, member bool) chat.AcceptTransfer {
		return chat.AcceptTransfer{By: by, Member: member, At: later}
	}
	run(t, cases{
		{Name: "to an agent", Given: mine, When: ask, Then: past{offered}},
		{Name: "to a team", Given: mine, When: chat.OfferTransfer{Kind: chat.ToTeam, To: "care", By: "sue", For: 15 * time.Minute, At: noon}, Then: past{toTeam}},
		{
			Name: "by a bot, from a team", Given: past{opened, chat.Transferred{Kind: chat.ToTeam, To: "sales"}, taken}, When: with(func(c *chat.OfferTransfer) { c.By, c.Bot = "token:1", true }),
			Then: past{chat.TransferOffered{Kind: chat.ToAgent, To: "bob", From: "ann", FromTeam: "sales", Reason: "Speaks French.", Expires: until, By: "token:1", Bot: true, At: noon}},
		},
		{Name: "for a week", Given: mine, When: with(func(c *chat.OfferTransfer) { c.For = chat.MaxOfferTime; c.Reason = "" }), Then: past{
			chat.TransferOffered{Kind: chat.ToAgent, To: "bob", From: "ann", Expires: noon.Add(chat.MaxOfferTime), By: "ann", At: noon},
		}},
		{Name: "for longer", Given: mine, When: with(func(c *chat.OfferTransfer) { c.For = chat.MaxOfferTime + 1 }), Err: chat.ErrOfferTime},
		{Name: "for a moment", Given: mine, When: with(func(c *chat.OfferTransfer) { c.For = time.Second }), Err: chat.ErrOfferTime},
		{Name: "to the bot", Given: mine, When: with(func(c *chat.OfferTransfer) { c.Kind, c.To = chat.ToBot, "" }), Err: chat.ErrOfferToBot},
		{Name: "to nobody", Given: mine, When: with(func(c *chat.OfferTransfer) { c.To = "" }), Err: chat.ErrAgentMissing},
		{Name: "to no team", Given: mine, When: with(func(c *chat.OfferTransfer) { c.Kind, c.To = chat.ToTeam, "" }), Err: chat.ErrTeamMissing},
		{Name: "to something else", Given: mine, When: with(func(c *chat.OfferTransfer) { c.Kind = "moon" }), Err: chat.ErrTransferKind},
		{Name: "by nobody", Given: mine, When: with(func(c *chat.OfferTransfer) { c.By = "" }), Err: chat.ErrByMissing},
		{Name: "with too long a reason", Given: mine, When: with(func(c *chat.OfferTransfer) { c.Reason = strings.Repeat("x", chat.MaxReason+1) }), Err: chat.ErrReasonTooLong},
		{Name: "to who has it", Given: mine, When: with(func(c *chat.OfferTransfer) { c.To = "ann" }), Err: chat.ErrTransferToSelf},
		{Name: "of nobody's chat", Given: past{opened}, When: ask, Err: chat.ErrNotAssigned},
		{Name: "of nobody's chat to a team", Given: past{opened}, When: with(func(c *chat.OfferTransfer) { c.Kind, c.To = chat.ToTeam, "care" }), Err: chat.ErrNotAssigned},
		{Name: "of a closed chat", Given: plus(mine, closed), When: ask, Err: chat.ErrClosed},
		{Name: "of no chat", When: ask, Err: chat.ErrNotFound},
		{Name: "while another waits", Given: teamPending, When: ask, Err: chat.ErrOfferPending},
		{Name: "after another was declined", Given: plus(teamPending, chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "sue"}), When: ask, Then: past{offered}},
		{Name: "after another's time, which nobody noted yet", Given: teamPending, When: with(func(c *chat.OfferTransfer) { c.At = until }), Then: past{
			expired, chat.TransferOffered{Kind: chat.ToAgent, To: "bob", From: "ann", Reason: "Speaks French.", Expires: until.Add(15 * time.Minute), By: "ann", At: until},
		}},

		{Name: "accepted", Given: pending, When: accept("bob", false), Then: past{handed}},
		{Name: "accepted again", Given: plus(pending, handed), When: accept("bob", false)},
		{Name: "accepted by another", Given: pending, When: accept("cid", true), Err: chat.ErrOfferOfAnother},
		{Name: "accepted by who has it", Given: pending, When: accept("ann", false), Err: chat.ErrOfferOfAnother},
		{Name: "accepted by nobody", Given: pending, When: accept("", false), Err: chat.ErrAgentMissing},
		{Name: "accepted for a team", Given: teamPending, When: accept("cid", true), Then: past{
			chat.Transferred{Kind: chat.ToTeam, To: "care", From: "ann", Accepted: true}, chat.Claimed{By: "cid"},
		}},
		{Name: "accepted second", Given: plus(teamPending, chat.Transferred{Kind: chat.ToTeam, To: "care", From: "ann", Accepted: true}, chat.Claimed{By: "cid"}), When: accept("bob", true), Err: chat.ErrNoOffer},
		{Name: "accepted by no member", Given: teamPending, When: accept("bob", false), Err: chat.ErrOfferOfAnother},
		{Name: "accepted by a member who has it", Given: teamPending, When: accept("ann", true), Err: chat.ErrTransferToSelf},
		{Name: "accepted too late", Given: pending, When: chat.AcceptTransfer{By: "bob", At: until}, Err: chat.ErrNoOffer},
		{Name: "accepted when it is closed", Given: plus(pending, closed), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted when it is open again", Given: plus(pending, closed, chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen}), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted when it is deleted", Given: plus(pending, gone), When: accept("bob", false), Err: chat.ErrNotFound},
		{Name: "accepted when it was restored", Given: plus(pending, gone, chat.Restored{By: "sue"}), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted when it was assigned", Given: plus(pending, chat.Assigned{To: "cid", From: "ann"}), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted when it was unassigned", Given: plus(pending, chat.Unassigned{From: "ann"}), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted when it was transferred", Given: plus(pending, chat.Transferred{Kind: chat.ToBot, From: "ann"}), When: accept("bob", false), Err: chat.ErrNoOffer},
		{Name: "accepted without an offer", Given: mine, When: accept("bob", true), Err: chat.ErrNoOffer},
		{Name: "accepted in no chat", When: accept("bob", true), Err: chat.ErrNotFound},

		{Name: "declined", Given: pending, When: chat.DeclineTransfer{Reason: "Busy.", By: "bob", At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "bob", Reason: "Busy."}}},
		{Name: "declined by another", Given: pending, When: chat.DeclineTransfer{By: "cid", At: later}, Err: chat.ErrOfferOfAnother},
		{Name: "declined for another", Given: pending, When: chat.DeclineTransfer{By: "sue", Any: true, At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "sue"}}},
		{Name: "declined by one of the team", Given: teamPending, When: chat.DeclineTransfer{By: "care", At: later}, Err: chat.ErrOfferOfAnother},
		{Name: "declined for the team", Given: teamPending, When: chat.DeclineTransfer{By: "sue", Any: true, At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "sue"}}},
		{Name: "declined by nobody", Given: pending, When: chat.DeclineTransfer{At: later}, Err: chat.ErrByMissing},
		{Name: "declined with too long a reason", Given: pending, When: chat.DeclineTransfer{By: "bob", Reason: strings.Repeat("x", chat.MaxReason+1), At: later}, Err: chat.ErrReasonTooLong},
		{Name: "declined without an offer", Given: mine, When: chat.DeclineTransfer{By: "bob", At: later}, Err: chat.ErrNoOffer},

		{Name: "withdrawn by who has it", Given: teamPending, When: chat.WithdrawTransfer{Reason: "Done.", By: "ann", At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByWithdrawal, By: "ann", Reason: "Done."}}},
		{Name: "withdrawn by who offered it", Given: teamPending, When: chat.WithdrawTransfer{By: "sue", At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByWithdrawal, By: "sue"}}},
		{Name: "withdrawn by who may", Given: pending, When: chat.WithdrawTransfer{By: "sue", Any: true, At: later}, Then: past{chat.TransferLapsed{Cause: chat.LapsedByWithdrawal, By: "sue"}}},
		{Name: "withdrawn by another", Given: pending, When: chat.WithdrawTransfer{By: "bob", At: later}, Err: chat.ErrOfferOfAnother},
		{Name: "withdrawn too late", Given: pending, When: chat.WithdrawTransfer{By: "ann", At: until}, Err: chat.ErrNoOffer},

		{Name: "its time", Given: pending, When: chat.ExpireTransfer{At: until}, Then: past{expired}},
		{Name: "before its time", Given: pending, When: chat.ExpireTransfer{At: until.Add(-time.Microsecond)}},
		{Name: "the time of one that was accepted", Given: plus(pending, handed), When: chat.ExpireTransfer{At: until}},
		{Name: "the time of an earlier one", Given: plus(pending, expired, chat.TransferOffered{Kind: chat.ToAgent, To: "cid", From: "ann", Expires: until.Add(time.Hour), By: "ann"}), When: chat.ExpireTransfer{At: until}},
		{Name: "its time in no chat", When: chat.ExpireTransfer{At: until}},
	})
}

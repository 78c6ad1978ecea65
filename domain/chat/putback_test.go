package chat_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

func TestPutBack(t *testing.T) {
	snoozed := chat.Snoozed{Until: noon.Add(time.Hour), By: "ann", At: noon}
	untilReply := chat.Snoozed{By: "ann", At: noon}
	offered := chat.TransferOffered{Kind: chat.ToAgent, To: "bob", From: "ann", Reason: "French", Expires: noon.Add(time.Hour), By: "ann", At: noon}
	reopened := chat.Reopened{Status: "OPEN", Category: chat.CategoryOpen, From: "CLOSED"}
	held := chat.Claimed{By: "ann"}
	soon, late := noon.Add(time.Minute), noon.Add(time.Hour)
	again := func(s chat.Snoozed) chat.Snoozed { s.At = soon; return s }
	offer := offered
	offer.At = soon
	for name, c := range map[string]struct {
		before past
		did    chat.Event
		undoes past
		at     time.Time
		gone   bool // whom it was offered to cannot have it
		want   past // besides what undoes
	}{
		"a snooze":                       {past{opened, snoozed}, closed, past{reopened}, soon, false, past{again(snoozed)}},
		"one until a reply":              {past{opened, untilReply}, closed, past{reopened}, soon, false, past{again(untilReply)}},
		"one whose time has come":        {past{opened, snoozed}, closed, past{reopened}, late, false, past{chat.Woken{Reason: chat.WokenByTime}}},
		"one that was over before":       {past{opened, snoozed, chat.Woken{Reason: chat.WokenByAgent, By: "ann"}}, closed, past{reopened}, soon, false, nil},
		"one that went on":               {past{opened, snoozed}, chat.Assigned{To: "bob"}, past{chat.Unassigned{From: "bob"}}, soon, false, nil},
		"in a chat that stays closed":    {past{opened, snoozed}, closed, past{chat.Closed{Status: "SPAM", Category: chat.CategoryClosed, From: "CLOSED"}}, soon, false, nil},
		"with nothing to undo":           {past{opened, snoozed}, closed, nil, soon, false, nil},
		"an offer":                       {past{opened, held, offered}, closed, past{reopened}, soon, false, past{offer}},
		"an offer that is over":          {past{opened, held, offered}, closed, past{reopened}, late, false, nil},
		"an offer to one who is gone":    {past{opened, held, offered}, closed, past{reopened}, soon, true, nil},
		"an offer that was declined":     {past{opened, held, offered, chat.TransferLapsed{Cause: chat.LapsedByRefusal, By: "bob"}}, closed, past{reopened}, soon, false, nil},
		"an offer of one who had it":     {past{opened, held, offered}, chat.Assigned{To: "cid", From: "ann"}, past{chat.Assigned{To: "ann", From: "cid"}}, soon, false, past{offer}},
		"an offer of one who lost it":    {past{opened, held, offered}, chat.Unassigned{From: "ann"}, past{chat.Assigned{To: "ann"}}, soon, false, past{offer}},
		"an offer of a chat in the bin":  {past{opened, held, offered}, gone, past{chat.Restored{By: "ann"}}, soon, false, past{offer}},
		"an offer and a snooze together": {past{opened, held, snoozed, offered}, closed, past{reopened}, soon, false, past{again(snoozed), offer}},
	} {
		t.Run(name, func(t *testing.T) {
			var w chat.Waiting
			var s chat.State
			for _, e := range c.before {
				w, s = w.Evolve(e), chat.Evolve(s, e)
			}
			ended, s := w.EndedBy(c.did), chat.Evolve(s, c.did)
			got := chat.PutBack{Ended: ended, Taken: !c.gone, At: c.at, Undoes: c.undoes}.Decide(s)
			if want := append(append(past{}, c.undoes...), c.want...); !reflect.DeepEqual(append(past{}, got...), want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

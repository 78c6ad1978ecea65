package call_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []call.Event

func at(s int) time.Time { return time.Unix(1_790_000_000+int64(s), 0).UTC() }

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, call.Events) }

func TestDecisions(t *testing.T) {
	asked := call.Requested{Workspace: "acme", Chat: "c1", Channel: "shop", Customer: "4915", Phone: "+4915", Provider: call.Webhook, By: "ann", At: at(0)}
	with := func(change func(*call.Requested)) call.Request {
		r := asked
		change(&r)
		return call.Request{Requested: r}
	}
	placed, rings, talks := call.Placed{ProviderID: "p1", At: at(1)}, call.Ringing{At: at(2)}, call.Answered{At: at(5)}
	done := call.Ended{Outcome: call.Completed, Duration: 60, At: at(65)}
	stop := call.EndRequested{By: "bob", At: at(9)}
	report := func(p call.Phase, s int) call.Report { return call.Report{Phase: p, At: at(s)} }
	long := strings.Repeat("a", 201)
	domaintest.Run(t, call.Evolve, []domaintest.Case[call.State, call.Event]{
		{Name: "request", When: call.Request{Requested: asked}, Then: past{asked}},
		{Name: "request again", Given: past{asked}, When: call.Request{Requested: asked}},
		{Name: "request for another chat", Given: past{asked}, When: with(func(r *call.Requested) { r.Chat = "c2" }), Err: call.ErrExists},
		{Name: "request without a phone", When: with(func(r *call.Requested) { r.Phone = "" }), Err: call.ErrIncomplete},
		{Name: "request of a stranger", When: with(func(r *call.Requested) { r.Provider = "pigeon" }), Err: call.ErrProvider},
		{Name: "request of WhatsApp without an offer", When: with(func(r *call.Requested) { r.Provider = call.WhatsApp }), Err: call.ErrOfferMissing},
		{Name: "request with a long offer", When: with(func(r *call.Requested) { r.Offer = strings.Repeat("a", call.MaxSession+1) }), Err: call.ErrOffer},

		{Name: "placed", Given: past{asked}, When: call.Report{ProviderID: "p1", Phase: call.Asked, At: at(1)}, Then: past{placed}},
		{Name: "placed twice as another", Given: past{asked, placed}, When: call.Report{ProviderID: "p2", Phase: call.Asked, At: at(1)}, Err: call.ErrOfAnother},
		{Name: "rings", Given: past{asked, placed}, When: call.Report{ProviderID: "p1", Phase: call.Rings, At: at(2)}, Then: past{rings}},
		{Name: "rings before it is known to be placed", Given: past{asked}, When: call.Report{ProviderID: "p1", Phase: call.Rings, At: at(2)}, Then: past{call.Placed{ProviderID: "p1", At: at(2)}, rings}},
		{Name: "rings after it was answered", Given: past{asked, placed, talks}, When: report(call.Rings, 2)},
		{Name: "answered", Given: past{asked, placed, rings}, When: report(call.InProgress, 5), Then: past{talks}},
		{Name: "completed", Given: past{asked, placed, rings, talks}, When: call.Report{Phase: call.Completed, Duration: 60, At: at(65)}, Then: past{done}},
		{Name: "completed, by our count", Given: past{asked, placed, talks}, When: report(call.Completed, 65), Then: past{done}},
		{Name: "completed without a sign before", Given: past{asked}, When: call.Report{Phase: call.Completed, Duration: 60, At: at(65)}, Then: past{done}},
		{Name: "no answer", Given: past{asked, placed, rings}, When: report(call.NoAnswer, 30), Then: past{call.Ended{Outcome: call.NoAnswer, At: at(30)}}},
		{Name: "rejected has no duration", Given: past{asked}, When: call.Report{Phase: call.Rejected, Duration: 3, Reason: "busy", At: at(3)}, Then: past{call.Ended{Outcome: call.Rejected, Reason: "busy", At: at(3)}}},
		{Name: "a report after the end", Given: past{asked, placed, done}, When: report(call.Failed, 70)},
		{Name: "a report about nothing", When: report(call.Rings, 1), Err: call.ErrNotFound},
		{Name: "a report of nothing", Given: past{asked}, When: report("exploded", 1), Err: call.ErrPhase},
		{Name: "an endless call", Given: past{asked}, When: call.Report{Phase: call.Completed, Duration: call.MaxDuration + 1}, Err: call.ErrDuration},
		{Name: "a long reason", Given: past{asked}, When: call.Report{Phase: call.Failed, Reason: long}, Err: call.ErrReason},

		{Name: "a session", Given: past{asked}, When: call.AnswerSession{ProviderID: "p1", Answer: "v=0", At: at(1)}, Then: past{placed, call.SessionAnswered{Answer: "v=0", At: at(1)}}},
		{Name: "a second session", Given: past{asked, placed, call.SessionAnswered{Answer: "v=0", At: at(1)}}, When: call.AnswerSession{Answer: "v=1", At: at(2)}},
		{Name: "no session", Given: past{asked}, When: call.AnswerSession{}, Err: call.ErrAnswer},

		{Name: "end", Given: past{asked, placed, rings}, When: call.RequestEnd{By: "bob", At: at(9)}, Then: past{stop}},
		{Name: "end twice", Given: past{asked, stop}, When: call.RequestEnd{By: "ann", At: at(10)}},
		{Name: "end what is over", Given: past{asked, done}, When: call.RequestEnd{By: "ann", At: at(70)}, Err: call.ErrOver},
		{Name: "end nothing", When: call.RequestEnd{By: "ann"}, Err: call.ErrNotFound},
		{Name: "cancelled", Given: past{asked, rings, stop}, When: call.End{At: at(10)}, Then: past{call.Ended{Outcome: call.NoAnswer, Reason: call.Cancelled, By: "bob", At: at(10)}}},
		{Name: "hung up", Given: past{asked, talks, stop}, When: call.End{At: at(10)}, Then: past{call.Ended{Outcome: call.Completed, Reason: call.HungUp, Duration: 5, By: "bob", At: at(10)}}},
		{Name: "not hung up", Given: past{asked, talks, stop}, When: call.End{Failed: true, At: at(10)}, Then: past{call.Ended{Outcome: call.Failed, Reason: call.NotHungUp, By: "bob", At: at(10)}}},
		{Name: "silent", Given: past{asked, placed}, When: call.TimeOut{At: at(3600)}, Then: past{call.Ended{Outcome: call.Failed, Reason: call.NoReport, At: at(3600)}}},
		{Name: "silent before it was placed", Given: past{asked}, When: call.TimeOut{At: at(3600)}, Then: past{call.Ended{Outcome: call.Failed, Reason: call.NoReport, At: at(3600)}}},
		{Name: "silent while it rings, and staff wants it to end", Given: past{asked, rings, stop}, When: call.TimeOut{At: at(3600)}, Then: past{call.Ended{Outcome: call.Failed, Reason: call.NoReport, By: "bob", At: at(3600)}}},
		{Name: "silent, but answered since", Given: past{asked, rings, talks}, When: call.TimeOut{At: at(3600)}},
		{Name: "an endless talk", Given: past{asked, rings, talks}, When: call.TimeOut{Answered: true, At: at(86405)}, Then: past{call.Ended{Outcome: call.Failed, Reason: call.NoReport, At: at(86405)}}},
		{Name: "an endless talk that was none", Given: past{asked, rings}, When: call.TimeOut{Answered: true, At: at(86405)}},
		{Name: "silent after the end", Given: past{asked, placed, done}, When: call.TimeOut{At: at(3600)}},
		{Name: "silent and nothing", When: call.TimeOut{At: at(3600)}, Err: call.ErrNotFound},
		{Name: "a report after it was given up", Given: past{asked, call.Ended{Outcome: call.Failed, Reason: call.NoReport, At: at(3600)}}, When: call.Report{Phase: call.Completed, Duration: 9, At: at(3700)}},
		{Name: "ended by itself before", Given: past{asked, stop, done}, When: call.End{At: at(70)}},
	})
}

// In whatever order reports come, a call ends once and never moves back.
func TestAnyLifeOfACall(t *testing.T) {
	commands := rapid.Custom(func(t *rapid.T) domaintest.Command[call.State, call.Event] {
		when := at(rapid.IntRange(0, 100).Draw(t, "at"))
		switch rapid.IntRange(0, 4).Draw(t, "command") {
		case 3:
			return call.TimeOut{Answered: rapid.Bool().Draw(t, "answered"), At: when}
		case 0:
			return call.RequestEnd{By: "ann", At: when}
		case 1:
			return call.End{At: when, Failed: rapid.Bool().Draw(t, "failed")}
		case 2:
			return call.AnswerSession{Answer: "v=0", At: when}
		}
		phase := rapid.SampledFrom([]call.Phase{call.Asked, call.Rings, call.InProgress, call.Completed, call.NoAnswer, call.Failed, call.Rejected}).Draw(t, "phase")
		return call.Report{ProviderID: rapid.SampledFrom([]string{"", "p"}).Draw(t, "id"), Phase: phase, Duration: rapid.Int64Range(0, 9).Draw(t, "duration"), At: when}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := domaintest.Do(t, call.Evolve, call.State{}, call.Request{Requested: call.Requested{Workspace: "acme", Chat: "c", Phone: "+1", Provider: call.Webhook, By: "ann"}})
		for _, c := range rapid.SliceOfN(commands, 1, 30).Draw(t, "commands") {
			before := s
			s = domaintest.Do(t, call.Evolve, s, c)
			switch {
			case before.Phase.Over() && (s.Phase != before.Phase || s.Outcome != before.Outcome):
				t.Fatalf("from %+v to %+v", before, s)
			case s.Phase == call.Asked && before.Phase != call.Asked, s.Phase == call.Rings && before.Phase == call.InProgress:
				t.Fatalf("back from %s to %s", before.Phase, s.Phase)
			case s.Phase.Over() && s.Phase != call.Completed && s.Outcome.Duration != 0:
				t.Fatalf("%+v", s.Outcome)
			}
		}
	})
}

package whatsapp

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
)

// CallReport is what Meta says about a call that we made.
type CallReport struct {
	ID       string // Meta's, such as "wacid.…"
	Call     string // ours, if we sent it along
	Customer string
	Phase    call.Phase
	Answer   string // SDP of the other end
	Duration int64  // seconds
	Reason   string
	At       time.Time
}

const userInitiated = "USER_INITIATED"

// parseCalls reads a change of the field "calls": reports about calls, and what
// happened to them. Calls that customers make are kept for later.
func (c *Change) parseCalls(value node, received time.Time) {
	for _, n := range value.get("statuses").list(math.MaxInt) {
		k := CallReport{
			ID: n.get("id").id(), Call: n.get("biz_opaque_callback_data").id(), Customer: customer(n.get("recipient_id")),
			At: at(n.get("timestamp"), received),
		}
		switch word := strings.ToUpper(n.get("status").id()); word {
		case "RINGING":
			k.Phase = call.Rings
		case "ACCEPTED":
			k.Phase = call.InProgress
		case "REJECTED":
			k.Phase = call.Rejected
		default:
			c.ignore("calls: status " + clip(scrub(word), 100))
			continue
		}
		c.report(k)
	}
	failure := ""
	for _, e := range value.get("errors").list(1) {
		failure = "whatsapp_" + e.get("code").id()
	}
	for _, n := range value.get("calls").list(math.MaxInt) {
		if n.get("direction").id() == userInitiated {
			c.ignore("calls: by a customer")
			continue
		}
		k := CallReport{
			ID: n.get("id").id(), Call: n.get("biz_opaque_callback_data").id(), Customer: customer(n.get("to")),
			At: at(n.get("timestamp"), received),
		}
		switch event := n.get("event").id(); event {
		case "connect":
			k.Phase, k.Answer = call.Asked, n.get("session", "sdp").text(call.MaxSession)
		case "terminate":
			k.Phase, k.Duration = terminated(n)
			if k.Phase == call.Failed {
				k.Reason = failure
			}
			if end := n.get("end_time"); end.id() != "" {
				k.At = at(end, received)
			}
		default:
			c.ignore("calls: event " + clip(scrub(event), 100))
			continue
		}
		c.report(k)
	}
}

func (c *Change) report(k CallReport) {
	if k.ID == "" || k.Customer == "" || len(k.ID) > maxCallID {
		c.ignore("calls: one without id or customer")
		return
	}
	c.Calls = append(c.Calls, k)
}

// terminated says how a call ended: Meta gives the times only of one that the
// customer took. Its documentation shows the status as a word and as a list.
func terminated(n node) (call.Phase, int64) {
	status := n.get("status").id()
	if list := n.get("status").list(1); len(list) > 0 {
		status = list[0].id()
	}
	start, end := n.get("start_time").int(), n.get("end_time").int()
	duration := n.get("duration").int()
	if duration == 0 && start > 0 && end > start {
		duration = end - start
	}
	switch {
	case strings.EqualFold(status, "FAILED"):
		return call.Failed, 0
	case duration == 0 && start == 0:
		return call.NoAnswer, 0
	}
	return call.Completed, min(max(duration, 0), call.MaxDuration)
}

// call records a report. One without our id is of the call that the chat has now.
func (r *translation) call(ctx context.Context, k CallReport) error {
	id := call.ID(k.Call)
	if id == "" {
		err := r.t.Commands.Chats.Look(ctx, r.d.Workspace, chat.ID(ids.Chat(r.d.Workspace, r.d.Channel, k.Customer)), func(s chat.State) error {
			id = call.ID(s.Call)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if id == "" {
		return call.ErrNotFound
	}
	err := r.t.Commands.Calls.Look(ctx, r.d.Workspace, id, func(s call.State) error {
		if s.Request.Channel != r.d.Channel || s.Request.Provider != call.WhatsApp {
			return call.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return err
	}
	if k.Answer != "" {
		o := r.t.origin(r.d, "call session", k.ID)
		o.OccurredAt = k.At
		_, err := r.t.Commands.Calls.AnswerSession(ctx, o, id, call.AnswerSession{ProviderID: k.ID, Answer: k.Answer, At: k.At})
		return err
	}
	o := r.t.origin(r.d, "call", k.ID, string(k.Phase))
	o.OccurredAt = k.At
	_, err = r.t.Commands.Calls.Report(ctx, o, id, call.Report{
		ProviderID: k.ID, Phase: k.Phase, Reason: k.Reason, Duration: k.Duration, At: k.At,
	})
	return err
}

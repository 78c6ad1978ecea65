package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/chatledger/chatledger/channels/calling"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// PlaceCallsName names the reactor.
const PlaceCallsName = "place_calls.v1"

// Caller makes calls. Neither method panics, and both return within a minute.
type Caller interface {
	// Place makes a call, once: what may have been made is not made again.
	Place(ctx context.Context, k calling.Call) calling.Answer

	// HangUp ends a call. It does no harm to ask again.
	HangUp(ctx context.Context, k calling.Call) calling.Answer
}

// PlaceCalls makes calls and ends them, and tells the chat how they ended.
//
// No call is made twice: see SendMessages, whose record of attempts it keeps in the
// same way.
type PlaceCalls struct {
	Callers  map[call.Provider]Caller
	Calls    commands.Calls
	Chats    commands.Chats
	Attempts Attempts
	Now      func() time.Time
	Logger   *slog.Logger
	Retry    Retry // default: 5 tries, 1 s to 10 s apart: a call that comes late is worse than none
}

// Reactor returns it, ready for a Host.
func (p PlaceCalls) Reactor() Reactor {
	if p.Retry == (Retry{}) {
		p.Retry = Retry{Tries: 5, Min: time.Second, Max: 10 * time.Second}
	}
	asked, calls := codec.New([]chat.CallRequested{{}}), codec.New([]call.Event{call.Requested{}, call.EndRequested{}, call.Ended{}})
	open := func(e eventstore.Recorded) (*placing, error) {
		meta, err := eventstore.DecodeMetadata(e)
		if err != nil {
			return nil, err
		}
		r := &placing{PlaceCalls: p, e: e, meta: meta}
		_, r.subject, _ = strings.Cut(e.Stream, "-")
		if e.Category() == "chat" {
			r.asked, err = asked.Decode(e)
		} else {
			r.fact, err = calls.Decode(e)
		}
		return r, err
	}
	return Reactor{
		Name:       PlaceCallsName,
		Categories: []string{"chat", "call"},
		Types:      append(asked.Types(), calls.Types()...),
		Retry:      p.Retry,
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			r, err := open(e)
			if err != nil {
				return Permanent(err)
			}
			return r.handle(ctx)
		},
		GiveUp: func(ctx context.Context, e eventstore.Recorded, last error) error {
			var failed *callError
			r, err := open(e)
			if !errors.As(last, &failed) || err != nil {
				return errors.Join(last, err)
			}
			if _, ends := r.fact.(call.EndRequested); ends {
				return r.end(ctx, true)
			}
			return r.fail(ctx, failed.Answer)
		},
	}
}

// callError is a request to a provider that may be repeated.
type callError struct{ calling.Answer }

func (e *callError) Error() string {
	if e.Cause != nil {
		return "ask for a call: " + e.Cause.Error()
	}
	return "ask for a call: the provider says " + e.Reason
}

func (e *callError) Unwrap() error { return e.Cause }

// placing is the work on one event.
type placing struct {
	PlaceCalls
	e       eventstore.Recorded
	meta    eventstore.Metadata
	subject string // the chat's or the call's id
	asked   chat.CallRequested
	fact    call.Event
}

func (r *placing) handle(ctx context.Context) error {
	switch f := r.fact.(type) {
	case call.Requested:
		return r.place(ctx, f)
	case call.EndRequested:
		return r.hangUp(ctx)
	case call.Ended:
		return r.tell(ctx, f)
	}
	// Mostly it is open already.
	_, err := r.Calls.Open(ctx, r.origin("open"), chat.ID(r.subject), r.asked)
	return err
}

func (r *placing) origin(what string) commands.Origin {
	return commands.Origin{
		Workspace: r.meta.Workspace, Actor: PlaceCallsName, ActorKind: commands.ActorSystem, Channel: r.meta.Channel,
		Command:     ids.Command("place call", r.e.ID.String(), what),
		Correlation: r.meta.Correlation, Causation: r.e.ID.String(), Traceparent: r.meta.Traceparent,
	}
}

func (r *placing) look(ctx context.Context) (s call.State, err error) {
	err = r.Calls.Look(ctx, r.meta.Workspace, call.ID(r.subject), func(now call.State) error {
		s = now
		return nil
	})
	return s, err
}

func (r *placing) call(s call.State) calling.Call {
	q := s.Request
	return calling.Call{
		ID: r.subject, Workspace: q.Workspace, Chat: q.Chat, Channel: q.Channel, Customer: q.Customer,
		Phone: q.Phone, By: q.By, ProviderID: s.ProviderID,
	}
}

func (r *placing) place(ctx context.Context, f call.Requested) error {
	s, err := r.look(ctx)
	if err != nil {
		return err
	}
	if s.Phase != call.Asked || s.ProviderID != "" { // by an earlier run of this event, or it ended
		return r.Attempts.ForgetAttempt(ctx, PlaceCallsName, r.e.Position)
	}
	caller := r.Callers[f.Provider]
	if caller == nil {
		return r.fail(ctx, calling.Answer{Reason: call.NotSetUp})
	}
	return once{
		attempts: r.Attempts, reactor: PlaceCallsName, at: r.e.Position,
		done: func(ctx context.Context) (done bool, err error) {
			s, err = r.look(ctx)
			switch {
			case err != nil:
				return false, err
			case s.Phase != call.Asked || s.ProviderID != "":
				return true, nil
			case s.EndBy != "": // and no request was made, or none was taken
				return true, r.end(ctx, false)
			}
			return false, nil
		},
		ask: func(ctx context.Context) answer {
			asked := r.call(s)
			asked.Offer = f.Offer // the state has none
			a := caller.Place(ctx, asked)
			out := answer{taken: a.Outcome == calling.Accepted, providerID: a.ProviderID, refused: func(ctx context.Context) error { return r.refuse(ctx, a) }}
			if a.Outcome == calling.Again {
				out.again = Later(&callError{a}, a.After)
			}
			return out
		},
		accepted: r.placed,
		unknown:  func(ctx context.Context) error { return r.fail(ctx, calling.Answer{Reason: call.OutcomeUnknown}) },
	}.do(ctx)
}

// refuse fails a call that is not made. Of what no person can see from it the log tells.
func (r *placing) refuse(ctx context.Context, a calling.Answer) error {
	if a.Cause != nil {
		r.Logger.LogAttrs(ctx, slog.LevelError, "a call failed", slog.Int64("position", int64(r.e.Position)), slog.Any("error", a.Cause))
	}
	return r.fail(ctx, a)
}

// placed records that the provider makes the call. One that gives it no id is
// known by ours.
func (r *placing) placed(ctx context.Context, providerID string) error {
	if providerID == "" {
		providerID = r.subject
	}
	_, err := r.Calls.Report(ctx, r.origin("placed"), call.ID(r.subject), call.Report{ProviderID: providerID, Phase: call.Asked, At: r.Now().UTC()})
	if errors.Is(err, call.ErrOfAnother) { // a report came first and gave another id
		err = nil
	}
	if err != nil {
		return err
	}
	return r.Attempts.ForgetAttempt(ctx, PlaceCallsName, r.e.Position)
}

func (r *placing) fail(ctx context.Context, a calling.Answer) error {
	_, err := r.Calls.Report(ctx, r.origin("failed"), call.ID(r.subject), call.Report{
		Phase: call.Failed, Reason: a.Reason, Details: a.Details, At: r.Now().UTC(),
	})
	if err != nil {
		return err
	}
	return r.Attempts.ForgetAttempt(ctx, PlaceCallsName, r.e.Position)
}

func (r *placing) hangUp(ctx context.Context) error {
	s, err := r.look(ctx)
	if err != nil || s.Phase.Over() {
		return err
	}
	caller := r.Callers[s.Request.Provider]
	if caller == nil || s.ProviderID == "" { // it was never made
		return r.end(ctx, false)
	}
	a := caller.HangUp(ctx, r.call(s))
	switch a.Outcome {
	case calling.Accepted:
		return r.end(ctx, false)
	case calling.Refused:
		return r.end(ctx, true)
	default:
		return Later(&callError{a}, a.After)
	}
}

// end records the end that staff asked for.
func (r *placing) end(ctx context.Context, failed bool) error {
	ctx, cancel := outlast(ctx)
	defer cancel()
	_, err := r.Calls.End(ctx, r.origin("end"), call.ID(r.subject), call.End{Failed: failed, At: r.Now().UTC()})
	return err
}

// tell gives the chat its line back, with the outcome.
func (r *placing) tell(ctx context.Context, f call.Ended) error {
	s, err := r.look(ctx)
	if err != nil {
		return err
	}
	_, err = r.Chats.EndCall(ctx, r.origin("tell"), chat.ID(s.Request.Chat), chat.EndCall{CallEnded: chat.CallEnded{
		Call: r.subject, Outcome: string(f.Outcome), Reason: f.Reason, Duration: f.Duration, At: f.At,
	}})
	if err != nil {
		return fmt.Errorf("end call in chat: %w", err)
	}
	return nil
}

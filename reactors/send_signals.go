package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// SendSignalsName names the reactor.
const SendSignalsName = "send_signals.v1"

// signalAge is how late a customer is still shown that their message was read.
const signalAge = time.Hour

// SendSignals hands to the provider what is no message: reactions, and that a message
// was read.
//
// No reaction is sent twice, as no message is: see SendMessages. One that another was
// asked for instead, before its turn came, is left out. That something was read is
// shown at most a few times if the program ends between, which the customer does not
// see, and not at all if the provider does not take it: nobody waits for it. So it is
// with that somebody writes an answer, which is of no use later than it would be seen.
type SendSignals struct {
	Accounts whatsapp.Accounts
	Client   *whatsapp.Client
	Chats    commands.Chats
	Attempts Attempts
	Now      func() time.Time
	Logger   *slog.Logger
	Retry    Retry // default: 5 tries, 1 s to 30 s apart
}

// Reactor returns it, ready for a Host.
func (s SendSignals) Reactor() Reactor {
	if s.Retry == (Retry{}) {
		s.Retry = Retry{Tries: 5, Min: time.Second, Max: 30 * time.Second}
	}
	events := codec.New([]chat.Event{chat.ReactionQueued{}, chat.ReadShown{}})
	return Reactor{
		Name:       SendSignalsName,
		Categories: []string{"chat"},
		Types:      events.Types(),
		Retry:      s.Retry,
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			w, err := s.open(events, e)
			if err != nil {
				return Permanent(err)
			}
			switch f := w.fact.(type) {
			case chat.ReactionQueued:
				return w.react(ctx, f)
			case chat.ReadShown:
				return w.showRead(ctx, f)
			}
			return nil
		},
		GiveUp: func(ctx context.Context, e eventstore.Recorded, last error) error {
			failed, ok := errors.AsType[*sendError](last)
			w, err := s.open(events, e)
			if !ok || err != nil {
				return errors.Join(last, err)
			}
			if f, ok := w.fact.(chat.ReactionQueued); ok {
				return w.fail(ctx, f, failed.Sent)
			}
			w.warn(ctx, failed.Sent)
			return nil
		},
	}
}

// signal is the work on one event.
type signal struct {
	SendSignals
	e    eventstore.Recorded
	meta eventstore.Metadata
	chat chat.ID
	fact chat.Event
}

func (s SendSignals) open(events codec.Codec[chat.Event], e eventstore.Recorded) (*signal, error) {
	fact, err := events.Decode(e)
	if err != nil {
		return nil, err
	}
	meta, err := eventstore.DecodeMetadata(e)
	return &signal{s, e, meta, chat.ID(strings.TrimPrefix(e.Stream, "chat-")), fact}, err
}

func (w *signal) look(ctx context.Context) (now chat.State, err error) {
	err = w.Chats.Look(ctx, w.meta.Workspace, w.chat, func(s chat.State) error {
		now = chat.State{Channel: s.Channel, Customer: s.Customer, ReadShown: s.ReadShown}
		if f, ok := w.fact.(chat.ReactionQueued); ok {
			now.Reactions = map[chat.MessageID]chat.OwnReaction{f.Message: s.Reactions[f.Message]}
		}
		return nil
	})
	return now, err
}

func (w *signal) react(ctx context.Context, f chat.ReactionQueued) error {
	waits := func(s chat.State) bool {
		r := s.Reactions[f.Message]
		return r.ID == f.Reaction && !r.Settled
	}
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	if !waits(s) { // it was sent by an earlier run of this event, or another is wanted
		return w.forget(ctx)
	}
	account, err := w.Accounts(ctx, s.Channel)
	if errors.Is(err, whatsapp.ErrUnknownChannel) {
		return w.fail(ctx, f, whatsapp.Sent{Error: &chat.DeliveryError{Code: whatsapp.CodeNoChannel, Title: "The channel was disconnected"}})
	} else if err != nil {
		return err
	}
	return once{
		attempts: w.Attempts, reactor: SendSignalsName, at: w.e.Position,
		done: func(ctx context.Context) (done bool, err error) {
			s, err = w.look(ctx)
			return err == nil && !waits(s), err
		},
		ask: func(ctx context.Context) answer {
			sent := w.Client.React(ctx, account, s.Customer, f.Target, f.Emoji)
			return answered(sent, func(ctx context.Context) error { return w.fail(ctx, f, sent) })
		},
		accepted: func(ctx context.Context, providerID string) error { return w.settle(ctx, f, providerID) },
		unknown: func(ctx context.Context) error {
			return w.fail(ctx, f, whatsapp.Sent{Error: whatsapp.OutcomeUnknown()})
		},
	}.do(ctx)
}

func (w *signal) showRead(ctx context.Context, f chat.ReadShown) error {
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	age := w.Now().Sub(f.At)
	if s.ReadShown != f.Message || age > signalAge { // a later one says it, too
		return nil
	}
	account, err := w.Accounts(ctx, s.Channel)
	if errors.Is(err, whatsapp.ErrUnknownChannel) {
		return nil
	} else if err != nil {
		return err
	}
	switch sent := w.Client.ShowRead(ctx, account, f.ProviderID, f.Typing && age < chat.TypingShown); sent.Outcome {
	case whatsapp.Accepted:
	case whatsapp.Again:
		return Later(&sendError{sent}, sent.After)
	default:
		w.warn(ctx, sent)
	}
	return nil
}

func (w *signal) forget(ctx context.Context) error {
	return w.Attempts.ForgetAttempt(ctx, SendSignalsName, w.e.Position)
}

func (w *signal) warn(ctx context.Context, sent whatsapp.Sent) {
	err := sent.Cause
	if err == nil {
		err = fmt.Errorf("error %d of the Graph API", sent.Error.Code)
	}
	w.Logger.LogAttrs(ctx, slog.LevelWarn, "a signal to a customer failed", slog.Int64("position", int64(w.e.Position)), slog.Any("error", err))
}

func (w *signal) settle(ctx context.Context, f chat.ReactionQueued, providerID string) error {
	return w.record(ctx, "sent", chat.SettleReaction{ID: f.Reaction, Message: f.Message, ProviderID: providerID})
}

func (w *signal) fail(ctx context.Context, f chat.ReactionQueued, sent whatsapp.Sent) error {
	if sent.Cause != nil {
		w.warn(ctx, sent)
	}
	return w.record(ctx, "failed", chat.SettleReaction{ID: f.Reaction, Message: f.Message, Error: sent.Error})
}

func (w *signal) record(ctx context.Context, what string, cmd chat.SettleReaction) error {
	cmd.At = w.Now().UTC()
	_, err := w.Chats.SettleReaction(ctx, commands.Origin{
		Workspace: w.meta.Workspace, Actor: SendSignalsName, ActorKind: commands.ActorSystem, Channel: w.meta.Channel,
		Command:     ids.Command("send signal", w.e.ID.String(), what),
		Correlation: w.meta.Correlation, Causation: w.e.ID.String(), Traceparent: w.meta.Traceparent,
	}, w.chat, cmd)
	if err != nil {
		return err
	}
	return w.forget(ctx)
}

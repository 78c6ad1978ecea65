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
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/ids"
)

// SendMessagesName names the reactor.
const SendMessagesName = "send_messages.v1"

// SendMessages hands queued messages to the provider, those of a chat one after
// the other.
//
// No message is sent twice. A record is made, durably, before each call; if it
// is found later without an outcome, because the process died or the answer
// never came, the message fails as "outcome unknown" and an agent decides. See
// whatsapp.Client.Send.
type SendMessages struct {
	Accounts whatsapp.Accounts
	Client   *whatsapp.Client
	Files    blob.Store
	Chats    commands.Chats
	Attempts Attempts
	Now      func() time.Time
	Logger   *slog.Logger
	Retry    Retry // default: 10 tries, 1 s to 60 s apart
}

// sendError is a try that may be repeated.
type sendError struct{ whatsapp.Sent }

func (e *sendError) Error() string {
	if e.Cause != nil {
		return "send a message: " + e.Cause.Error()
	}
	return fmt.Sprintf("send a message: error %d of the Graph API", e.Sent.Error.Code)
}

func (e *sendError) Unwrap() error { return e.Cause }

// Reactor returns it, ready for a Host.
func (s SendMessages) Reactor() Reactor {
	if s.Retry == (Retry{}) {
		s.Retry = Retry{Tries: 10, Min: time.Second, Max: time.Minute}
	}
	events := codec.New([]chat.MessageQueued{{}})
	return Reactor{
		Name:       SendMessagesName,
		Categories: []string{"chat"},
		Types:      events.Types(),
		Retry:      s.Retry,
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			m, err := s.open(events, e)
			if err != nil {
				return Permanent(err)
			}
			return s.send(ctx, m)
		},
		GiveUp: func(ctx context.Context, e eventstore.Recorded, last error) error {
			var failed *sendError
			if !errors.As(last, &failed) {
				return last
			}
			m, err := s.open(events, e)
			if err != nil {
				return err
			}
			return s.fail(ctx, m, failed.Sent.Error)
		},
	}
}

// queued is a message to be sent, and the event that says so.
type queued struct {
	chat.MessageQueued
	chat chat.ID
	e    eventstore.Recorded
	meta eventstore.Metadata
}

func (s SendMessages) open(events codec.Codec[chat.MessageQueued], e eventstore.Recorded) (queued, error) {
	fact, err := events.Decode(e)
	if err != nil {
		return queued{}, err
	}
	meta, err := eventstore.DecodeMetadata(e)
	return queued{fact, chat.ID(strings.TrimPrefix(e.Stream, "chat-")), e, meta}, err
}

func (s SendMessages) send(ctx context.Context, m queued) error {
	var channel, customer string
	done := false
	look := func(c chat.State) error {
		channel, customer = c.Channel, c.Customer
		o := c.Outbound[m.Message]
		done = o.ProviderID != "" || o.State.Rank() > chat.Queued.Rank()
		return nil
	}
	if err := s.Chats.Look(ctx, m.meta.Workspace, m.chat, look); err != nil {
		return err
	}
	if done { // by an earlier run of this event
		return s.Attempts.ForgetAttempt(ctx, SendMessagesName, m.e.Position)
	}
	account, err := s.Accounts(ctx, channel)
	if errors.Is(err, whatsapp.ErrUnknownChannel) {
		return s.fail(ctx, m, &chat.DeliveryError{Code: whatsapp.CodeNoChannel, Title: "The channel was disconnected"})
	} else if err != nil {
		return err
	}
	uploaded, err := s.upload(ctx, m, account)
	if err != nil {
		return err
	}
	if uploaded.Outcome == whatsapp.Refused {
		return s.refuse(ctx, m, uploaded)
	}
	return once{
		attempts: s.Attempts, reactor: SendMessagesName, at: m.e.Position,
		done: func(ctx context.Context) (bool, error) {
			err := s.Chats.Look(ctx, m.meta.Workspace, m.chat, look)
			return err == nil && done, err
		},
		ask: func(ctx context.Context) answer {
			sent := s.Client.Send(ctx, account, customer, m.Message, m.Outgoing(), uploaded.ProviderID)
			return answered(sent, func(ctx context.Context) error { return s.refuse(ctx, m, sent) })
		},
		accepted: func(ctx context.Context, providerID string) error { return s.accept(ctx, m, providerID) },
		unknown:  func(ctx context.Context) error { return s.fail(ctx, m, whatsapp.OutcomeUnknown()) },
	}.do(ctx)
}

// answered is what the provider said to a request for WhatsApp.
func answered(sent whatsapp.Sent, refused func(context.Context) error) answer {
	a := answer{taken: sent.Outcome == whatsapp.Accepted, providerID: sent.ProviderID, refused: refused}
	if sent.Outcome == whatsapp.Again {
		a.again = Later(&sendError{sent}, sent.After)
	}
	return a
}

// refuse fails a message that was not sent, or may have been. Of what no person can see
// from it the log tells.
func (s SendMessages) refuse(ctx context.Context, m queued, sent whatsapp.Sent) error {
	if sent.Cause != nil {
		s.Logger.LogAttrs(ctx, slog.LevelError, "a message failed", slog.Int64("position", int64(m.e.Position)), slog.Any("error", sent.Cause))
	}
	return s.fail(ctx, m, sent.Error)
}

// upload brings the file of a message to the provider, before the attempt to send it
// begins: nobody sees a file until a message names it, so it may go there twice. If an
// earlier attempt may have sent the message, its file does not matter any more. With
// Refused, the message fails; the zero Sent says that there was nothing to do.
func (s SendMessages) upload(ctx context.Context, m queued, a whatsapp.Account) (up whatsapp.Sent, err error) {
	file := m.Outgoing().File()
	if file == nil {
		return up, nil
	}
	known, err := s.Attempts.LookAttempt(ctx, SendMessagesName, m.e.Position)
	if err != nil || known.State == AttemptBegun || known.State == AttemptAccepted {
		return up, err
	}
	content, err := s.Files.Open(ctx, m.meta.Workspace, file.SHA256)
	if errors.Is(err, blob.ErrNotFound) {
		return whatsapp.Sent{Outcome: whatsapp.Refused, Cause: err, Error: &chat.DeliveryError{
			Code: whatsapp.CodeNoFile, Title: "The file is missing", Details: "It was kept, but is not there any more. The message was not sent.",
		}}, nil
	}
	if err != nil {
		return up, fmt.Errorf("open a file: %w", err)
	}
	defer content.Close()
	if up = s.Client.Upload(ctx, a, *file, content); up.Outcome == whatsapp.Again {
		return up, Later(&sendError{up}, up.After)
	}
	return up, nil
}

func (s SendMessages) origin(m queued, what string) commands.Origin {
	return commands.Origin{
		Workspace: m.meta.Workspace, Actor: SendMessagesName, ActorKind: commands.ActorSystem, Channel: m.meta.Channel,
		Command:     ids.Command("send message", m.e.ID.String(), what),
		Correlation: m.meta.Correlation, Causation: m.e.ID.String(), Traceparent: m.meta.Traceparent,
	}
}

func (s SendMessages) accept(ctx context.Context, m queued, providerID string) error {
	_, err := s.Chats.Accept(ctx, s.origin(m, "accepted"), m.chat, chat.AcceptMessage{Message: m.Message, ProviderID: providerID, At: s.Now().UTC()})
	if err != nil {
		return err
	}
	return s.Attempts.ForgetAttempt(ctx, SendMessagesName, m.e.Position)
}

func (s SendMessages) fail(ctx context.Context, m queued, why *chat.DeliveryError) error {
	_, err := s.Chats.RecordDelivery(ctx, s.origin(m, "failed"), m.chat, chat.RecordDelivery{
		Message: m.Message, State: chat.Failed, Error: why, At: s.Now().UTC(),
	})
	if err != nil {
		return err
	}
	return s.Attempts.ForgetAttempt(ctx, SendMessagesName, m.e.Position)
}

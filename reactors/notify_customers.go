package reactors

import (
	"context"
	"errors"
	"strings"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// NotifyCustomersName names the reactor.
const NotifyCustomersName = "notify_customers.v1"

// NotifyCustomers puts the messages that tell customers of an order's status into
// their chats, each once, and says at the order what became of it. From there
// they go the way of all messages.
type NotifyCustomers struct {
	Orders    commands.Orders
	Chats     commands.Chats
	Templates commands.Templates
}

// Reactor returns it, ready for a Host.
func (n NotifyCustomers) Reactor() Reactor {
	events := codec.New([]order.NoticeRequested{{}})
	return Reactor{
		Name:       NotifyCustomersName,
		Categories: []string{"order"},
		Types:      events.Types(),
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			fact, err := events.Decode(e)
			if err != nil {
				return Permanent(err)
			}
			meta, err := eventstore.DecodeMetadata(e)
			if err != nil {
				return Permanent(err)
			}
			return n.tell(ctx, e, meta, fact)
		},
	}
}

func (n NotifyCustomers) tell(ctx context.Context, e eventstore.Recorded, meta eventstore.Metadata, f order.NoticeRequested) error {
	origin := func(what string) commands.Origin {
		return commands.Origin{
			Workspace: meta.Workspace, Actor: NotifyCustomersName, ActorKind: commands.ActorSystem,
			Command:     ids.Command("notify customer", e.ID.String(), what),
			Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
		}
	}
	// The message is of whoever moved the order on.
	o := origin("send")
	o.Actor, o.ActorKind = meta.Actor, commands.ActorKind(meta.ActorKind)
	end := order.EndNotice{Message: f.Message}
	send := chat.SendMessage{Message: chat.MessageID(f.Message), By: chat.AgentID(f.By), Bot: f.Bot, At: f.At}
	var err error
	if use := commands.TemplateOf(f); use != nil {
		_, err = n.Templates.Send(ctx, o, chat.ID(f.Chat), send, *use)
	} else {
		send.Outgoing = chat.Outgoing{Text: f.Text}
		_, err = n.Chats.Send(ctx, o, chat.ID(f.Chat), send)
	}
	if refusal, ok := errors.AsType[*fault.Error](err); ok && !errors.Is(err, commands.ErrBusy) {
		end.Code, end.Reason = refusal.Code, refusal.Msg // it was closed meanwhile, say
	} else if err != nil {
		return err
	}
	_, err = n.Orders.EndNotice(ctx, origin("end"), order.ID(strings.TrimPrefix(e.Stream, "order-")), end)
	return err
}

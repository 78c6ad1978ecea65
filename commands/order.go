package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/internal/ids"
)

// Orders runs the commands of package order.
type Orders struct {
	orders *aggregate[order.State, order.Event]
	chats  *aggregate[chat.State, chat.Event]
}

// Place starts an order. If it names a chat, that must be one of the workspace.
func (c Orders) Place(ctx context.Context, o Origin, id order.ID, cmd order.Place) (Result, error) {
	return c.orders.do(ctx, o, "order.place", string(id), func(ctx context.Context, s order.State) ([]order.Event, error) {
		var err error
		if cmd.Chat != "" && cmd.Message == "" { // one placed by a message comes with its chat
			err = c.chats.with(ctx, cmd.Chat, func(s chat.State) error {
				if !s.Exists || s.Deleted || s.Workspace != o.Workspace {
					return chat.ErrNotFound
				}
				cmd.Channel, cmd.Customer = s.Channel, s.Customer
				return nil
			})
		}
		return after(err, cmd.Decide, s)
	})
}

// Refuse keeps an order that cannot be taken, with the reason.
func (c Orders) Refuse(ctx context.Context, o Origin, id order.ID, cmd order.Refuse) (Result, error) {
	return c.orders.do(ctx, o, "order.refuse", string(id), decides(cmd.Decide))
}

// Confirm says that the shop takes the order.
func (c Orders) Confirm(ctx context.Context, o Origin, id order.ID, cmd order.Confirm) (Result, error) {
	return c.orders.do(ctx, o, "order.confirm", string(id), decides(cmd.Decide))
}

// Process says that the shop works on the order.
func (c Orders) Process(ctx context.Context, o Origin, id order.ID, cmd order.Process) (Result, error) {
	return c.orders.do(ctx, o, "order.process", string(id), decides(cmd.Decide))
}

// Ship says that the order is on its way.
func (c Orders) Ship(ctx context.Context, o Origin, id order.ID, cmd order.Ship) (Result, error) {
	return c.orders.do(ctx, o, "order.ship", string(id), decides(cmd.Decide))
}

// Deliver says that the customer has it.
func (c Orders) Deliver(ctx context.Context, o Origin, id order.ID, cmd order.Deliver) (Result, error) {
	return c.orders.do(ctx, o, "order.deliver", string(id), decides(cmd.Decide))
}

// Cancel ends an order that was not shipped.
func (c Orders) Cancel(ctx context.Context, o Origin, id order.ID, cmd order.Cancel) (Result, error) {
	return c.orders.do(ctx, o, "order.cancel", string(id), decides(cmd.Decide))
}

// Return says that the customer sent it back.
func (c Orders) Return(ctx context.Context, o Origin, id order.ID, cmd order.Return) (Result, error) {
	return c.orders.do(ctx, o, "order.return", string(id), decides(cmd.Decide))
}

// NewOrder returns the id of the order that the command o places.
func NewOrder(o Origin) order.ID { return order.ID(ids.Of(o.Command, "order")) }

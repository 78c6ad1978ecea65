package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
)

// AskToCall asks the customer to allow calls.
func (c Chats) AskToCall(ctx context.Context, o Origin, id chat.ID, cmd chat.AskToCall) (Result, error) {
	return c.chats.do(ctx, o, "chat.ask_to_call", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		if cmd.Blocked, cmd.Window, err = c.reach(ctx, s); err != nil {
			return nil, err
		}
		err = c.channels.channels.with(ctx, s.Channel, func(s channel.State) error {
			if s.Connected {
				cmd.Provider = s.Calls
			}
			return nil
		})
		return after(err, cmd.Decide, s)
	})
}

// RecordCallPermission records what the provider says about calls to the customer.
func (c Chats) RecordCallPermission(ctx context.Context, o Origin, id chat.ID, cmd chat.RecordCallPermission) (Result, error) {
	return c.chats.do(ctx, o, "chat.record_call_permission", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		err := c.initial(ctx, o.Workspace, s, &cmd.DefaultStatus, &cmd.DefaultCategory)
		return after(err, cmd.Decide, s)
	})
}

package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/chat"
)

// ChangeScheduled changes a message that waits for its time.
func (c Chats) ChangeScheduled(ctx context.Context, o Origin, id chat.ID, cmd chat.ChangeScheduled) (Result, error) {
	return c.scheduled(ctx, o, id, cmd.Message, "chat.change_scheduled", cmd.Decide)
}

// CancelScheduled takes back a message that waits for its time.
func (c Chats) CancelScheduled(ctx context.Context, o Origin, id chat.ID, cmd chat.CancelScheduled) (Result, error) {
	return c.scheduled(ctx, o, id, cmd.Message, "chat.cancel_scheduled", cmd.Decide)
}

// SendDue queues a scheduled message whose time has come, or records why not.
func (c Chats) SendDue(ctx context.Context, o Origin, id chat.ID, cmd chat.SendDue) (Result, error) {
	res, err := c.chats.do(ctx, o, "chat.send_due", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		cmd.Blocked, cmd.Window, err = c.reach(ctx, s)
		return after(err, cmd.Decide, s)
	})
	res.ID = string(cmd.Message)
	return res, err
}

func (c Chats) scheduled(ctx context.Context, o Origin, id chat.ID, m chat.MessageID, name string, decide func(chat.State) ([]chat.Event, error)) (Result, error) {
	res, err := c.chats.do(ctx, o, name, string(id), decides(decide))
	res.ID = string(m)
	return res, err
}

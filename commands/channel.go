package commands

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
)

// Channels runs the commands of package channel.
type Channels struct {
	channels *aggregate[channel.State, channel.Event]
}

// Connect makes an account one that customers can write to. The id is
// ids.Channel of the account.
func (c Channels) Connect(ctx context.Context, o Origin, id channel.ID, cmd channel.Connect) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.channels.do(ctx, o, "channel.connect", string(id), decides(cmd.Decide))
}

// Rename gives a channel another name.
func (c Channels) Rename(ctx context.Context, o Origin, id channel.ID, cmd channel.Rename) (Result, error) {
	return c.channels.do(ctx, o, "channel.rename", string(id), decides(cmd.Decide))
}

// ReplaceSecrets records that the channel's secrets were set anew.
func (c Channels) ReplaceSecrets(ctx context.Context, o Origin, id channel.ID, cmd channel.ReplaceSecrets) (Result, error) {
	return c.channels.do(ctx, o, "channel.replace_secrets", string(id), decides(cmd.Decide))
}

// SetCalls says who makes calls for the channel.
func (c Channels) SetCalls(ctx context.Context, o Origin, id channel.ID, cmd channel.SetCalls) (Result, error) {
	return c.channels.do(ctx, o, "channel.set_calls", string(id), decides(cmd.Decide))
}

// SetReadMarks says when the channel shows customers that something was read.
func (c Channels) SetReadMarks(ctx context.Context, o Origin, id channel.ID, cmd channel.SetReadMarks) (Result, error) {
	return c.channels.do(ctx, o, "channel.set_read_marks", string(id), decides(cmd.Decide))
}

// Disconnect ends the channel.
func (c Channels) Disconnect(ctx context.Context, o Origin, id channel.ID, cmd channel.Disconnect) (Result, error) {
	return c.channels.do(ctx, o, "channel.disconnect", string(id), decides(cmd.Decide))
}

// window returns how long after a customer's message a channel takes free messages
// to them; 0 if it always does. A channel that was never connected has no rules.
func (c Channels) window(ctx context.Context, id string) (open time.Duration, err error) {
	err = c.channels.with(ctx, id, func(s channel.State) error {
		if s.Kind == channel.WhatsApp {
			open = chat.WhatsAppWindow
		}
		return nil
	})
	return open, err
}

// readMarks returns when a channel shows read marks.
func (c Channels) readMarks(ctx context.Context, id string) (marks channel.ReadMarks, err error) {
	err = c.channels.with(ctx, id, func(s channel.State) error {
		marks = s.ReadMarks.Set()
		return nil
	})
	return marks, err
}

// Look calls use with the present state of a channel of any workspace: a
// webhook knows no other name for it.
func (c Channels) Look(ctx context.Context, id channel.ID, use func(channel.State) error) error {
	return c.channels.with(ctx, string(id), func(s channel.State) error {
		if !s.Exists {
			return channel.ErrNotFound
		}
		return use(s)
	})
}

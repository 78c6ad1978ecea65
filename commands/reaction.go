package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
)

// React puts an emoji on a message of the customer, or takes it away. The reactor that
// hands it to the provider follows.
func (c Chats) React(ctx context.Context, o Origin, id chat.ID, cmd chat.React) (Result, error) {
	cmd.ID = ids.Of(o.Command, "reaction")
	target, err := answered(ctx, c.chats, o.Workspace, id, &chat.RepliedTo{Message: cmd.Message})
	if err != nil {
		return Result{}, err
	}
	cmd.Target = target.ProviderID // of ours it has none
	return c.chats.do(ctx, o, "chat.react", string(id), func(ctx context.Context, s chat.State) (_ []chat.Event, err error) {
		cmd.Blocked, cmd.Window, err = c.reach(ctx, s)
		return after(err, cmd.Decide, s)
	})
}

// SettleReaction records how the sending of a reaction ended.
func (c Chats) SettleReaction(ctx context.Context, o Origin, id chat.ID, cmd chat.SettleReaction) (Result, error) {
	return c.chats.do(ctx, o, "chat.settle_reaction", string(id), decides(cmd.Decide))
}

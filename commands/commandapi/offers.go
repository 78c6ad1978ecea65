package commandapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/web"
)

// transfer hands a chat on, now or once somebody accepts.
func (a *api) transfer(ctx context.Context, c caller, in *chatWith[TransferBody]) (result, error) {
	b := in.Body
	cmd, err := b.command(c)
	if err != nil {
		return result{}, err
	}
	accept := b.Accept != nil && *b.Accept
	switch {
	case !accept && b.ExpiresIn != 0:
		return result{}, web.BadRequest(web.CodeInvalid, "body.expires_in", "only with accept")
	case b.Accept == nil:
		if accept, err = a.Chats.Offers(ctx, c.Workspace, in.Chat, cmd.Kind); err != nil {
			return result{}, err
		}
	}
	if !accept {
		return a.Chats.Transfer(ctx, c.Origin, in.Chat, cmd)
	}
	return a.Chats.OfferTransfer(ctx, c.Origin, in.Chat, chat.OfferTransfer{
		Kind: cmd.Kind, To: cmd.To, Reason: cmd.Reason, By: c.By, Bot: c.Bot, For: time.Duration(b.ExpiresIn) * time.Minute, At: c.At,
	})
}

// offers is the table of what becomes of transfers that have to be accepted.
func (a *api) offers() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		write(a, "POST /v1/chats/{chat}/transfer/accept", staff, "Take a chat that is offered to the caller, or to a team of theirs",
			func(ctx ctx, c caller, in *inChat) (result, error) {
				if c.Agent == "" {
					return result{}, ErrNoAgent
				}
				return a.Chats.AcceptTransfer(ctx, c.Origin, in.Chat, chat.AcceptTransfer{By: c.By, At: c.At})
			}, "Of two members of a team who accept at once, one gets the chat and the other a 409."),
		write(a, "POST /v1/chats/{chat}/transfer/decline", staff, "Decline a chat that is offered",
			func(ctx ctx, c caller, in *chatWith[*ReasonBody]) (result, error) {
				return a.Chats.DeclineTransfer(ctx, c.Origin, in.Chat, chat.DeclineTransfer{Reason: in.Body.reason(), By: c.By, Any: c.Senior, At: c.At})
			}, "The agent whom it is offered to may; for others, and for a team, supervisors and admins. The chat stays with the one who has it."),
		write(a, "POST /v1/chats/{chat}/transfer/withdraw", anyone, "Take back the offer of a chat",
			func(ctx ctx, c caller, in *chatWith[*ReasonBody]) (result, error) {
				return a.Chats.WithdrawTransfer(ctx, c.Origin, in.Chat, chat.WithdrawTransfer{Reason: in.Body.reason(), By: c.By, Any: c.Senior, At: c.At})
			}, "Who made it may, who has the chat, and supervisors and admins."),
	}
}

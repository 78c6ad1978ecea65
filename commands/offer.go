package commands

import (
	"context"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/team"
)

// OfferTransfer hands the chat on to an active agent or a team as soon as they accept.
// Without a time it is offered for as long as the workspace says.
func (c Chats) OfferTransfer(ctx context.Context, o Origin, id chat.ID, cmd chat.OfferTransfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.offer_transfer", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		if cmd.For == 0 {
			settings, err := c.spaces.Settings(ctx, o.Workspace)
			if err != nil {
				return nil, err
			}
			cmd.For = time.Duration(settings.Transfers.Minutes) * time.Minute
		}
		return after(c.mayReceive(ctx, o.Workspace, cmd.Kind, cmd.To), cmd.Decide, s)
	})
}

// Offers reports whether a transfer that does not say has to be accepted: as the
// workspace wants it, if there is somebody to keep the chat until then.
func (c Chats) Offers(ctx context.Context, workspace string, id chat.ID, kind chat.TransferKind) (offers bool, err error) {
	settings, err := c.spaces.Settings(ctx, workspace)
	if err != nil || !settings.Transfers.Accept || kind == chat.ToBot {
		return false, err
	}
	err = c.Look(ctx, workspace, id, func(s chat.State) error {
		offers = s.Assignee != ""
		return nil
	})
	return offers, err
}

// mayReceive refuses whom no chat can be handed to.
func (c Chats) mayReceive(ctx context.Context, workspace string, kind chat.TransferKind, to string) error {
	switch {
	case kind == chat.ToAgent && to != "":
		return c.agents.mayHold(ctx, workspace, to)
	case kind == chat.ToTeam && to != "":
		return c.teams.exists(ctx, workspace, team.ID(to))
	}
	return nil
}

// AcceptTransfer takes the chat that is offered to an agent, or to a team of theirs.
func (c Chats) AcceptTransfer(ctx context.Context, o Origin, id chat.ID, cmd chat.AcceptTransfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.accept_transfer", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		if err := c.agents.mayHold(ctx, o.Workspace, string(cmd.By)); err != nil {
			return nil, err
		}
		if offer := s.Offer; offer != nil && offer.Kind == chat.ToTeam {
			err := c.teams.Look(ctx, o.Workspace, func(t team.State) error {
				cmd.Member = slices.Contains(t.Members(team.ID(offer.To)), string(cmd.By))
				return t.Check(team.ID(offer.To))
			})
			if err != nil {
				return nil, err
			}
		}
		return cmd.Decide(s)
	})
}

// DeclineTransfer says no to a chat that is offered.
func (c Chats) DeclineTransfer(ctx context.Context, o Origin, id chat.ID, cmd chat.DeclineTransfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.decline_transfer", string(id), decides(cmd.Decide))
}

// WithdrawTransfer takes an offer back.
func (c Chats) WithdrawTransfer(ctx context.Context, o Origin, id chat.ID, cmd chat.WithdrawTransfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.withdraw_transfer", string(id), decides(cmd.Decide))
}

// ExpireTransfer ends an offer whose time is over.
func (c Chats) ExpireTransfer(ctx context.Context, o Origin, id chat.ID, cmd chat.ExpireTransfer) (Result, error) {
	return c.chats.do(ctx, o, "chat.expire_transfer", string(id), decides(cmd.Decide))
}

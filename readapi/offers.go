package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/offers"
)

// Offer is a transfer of a chat that waits to be accepted.
type Offer struct {
	To        string    `json:"to" enum:"agent,team"`
	Agent     string    `json:"agent,omitempty" doc:"With to agent: whom it is offered to."`
	Team      string    `json:"team,omitempty" doc:"With to team: one of its members may accept."`
	Reason    string    `json:"reason,omitempty"`
	By        Author    `json:"by"`
	At        time.Time `json:"at"`
	ExpiresAt time.Time `json:"expires_at" doc:"Then it is over, unless it is accepted."`
}

// newChats returns chats as they are shown, with what is offered.
func newChats(ctx context.Context, tx sqldb.Tx, workspace string, chats ...inbox.Chat) ([]Chat, error) {
	out := make([]Chat, len(chats))
	ids := make([]string, len(chats))
	for i, c := range chats {
		out[i], ids[i] = newChat(c), c.ID
	}
	offered, err := offers.Of(ctx, tx, workspace, ids)
	for i := range out {
		o, ok := offered[out[i].ID]
		if !ok {
			continue
		}
		shown := Offer{To: o.Kind, Reason: o.Reason, By: Author{"agent", o.By}, At: moment(o.At), ExpiresAt: moment(o.Expires)}
		if o.Bot {
			shown.By.Kind = "bot"
		}
		if shown.Agent = o.To; o.Kind == "team" {
			shown.Agent, shown.Team = "", o.To
		}
		out[i].Offer = &shown
	}
	return out, err
}

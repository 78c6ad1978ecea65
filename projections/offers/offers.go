// Package offers is the transfers of chats that wait to be accepted: a row for each
// chat that is offered to somebody, and none for all the others.
//
// It is a view of its own since it came after the inbox, which is read together with
// it. It folds and reads; it decides nothing.
package offers

import (
	"context"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// Offer is a row of offers_pending. Times are in microseconds since 1970 UTC.
type Offer struct {
	Chat      string `db:"chat_id,key"`
	Workspace string `db:"workspace"`
	Kind      string `db:"kind"` // agent or team
	To        string `db:"offered_to"`
	From      string `db:"from_agent"`
	FromTeam  string `db:"from_team"`
	Reason    string `db:"reason"`
	By        string `db:"offered_by"`
	Bot       bool   `db:"by_bot"`
	At        int64  `db:"offered_at"`
	Expires   int64  `db:"expires_at"`
}

// Projection keeps the offers up to date.
type Projection struct {
	offers *projections.Rows[string, Offer]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("offers_pending", func(o *Offer) string { return o.Chat },
		projections.Index{Name: "by_workspace", Columns: "workspace, offered_to"})}
}

// Name returns the name under which the offers were first published.
func (*Projection) Name() string { return "offers.v1" }

// Categories returns the one category of streams that tells of offers.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of offers.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.offers} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case chat.TransferOffered:
		p.offers.Put(Offer{
			Chat: e.Subject(), Workspace: e.Meta.Workspace, Kind: string(f.Kind), To: f.To, From: string(f.From), FromTeam: string(f.FromTeam),
			Reason: f.Reason, By: string(f.By), Bot: f.Bot, At: f.At.UnixMicro(), Expires: f.Expires.UnixMicro(),
		})
	case chat.TransferLapsed, chat.Assigned, chat.Unassigned, chat.Transferred, chat.Closed, chat.Deleted:
		p.offers.Delete(e.Subject())
	}
}

// Of returns the offers of those of some chats of a workspace that are offered, by
// chat.
func Of(ctx context.Context, tx sqldb.Tx, workspace string, chats []string) (map[string]Offer, error) {
	const atOnce = 500
	found := map[string]Offer{}
	for part := range slices.Chunk(chats, atOnce) {
		args := []any{workspace}
		rows, err := sqldb.Select[Offer](ctx, tx, "SELECT * FROM offers_pending WHERE workspace = $1 AND chat_id IN "+sqldb.In(&args, part), args...)
		if err != nil {
			return nil, fmt.Errorf("look for offers: %w", err)
		}
		for _, o := range rows {
			found[o.Chat] = o
		}
	}
	return found, nil
}

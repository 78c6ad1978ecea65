// Package audience chooses contacts for groups and campaigns, from the views.
//
// It reads and decides nothing.
package audience

import (
	"context"
	"errors"
	"slices"

	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/choosing"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
)

// Chooser chooses contacts.
type Chooser struct{ choosing.From }

var errEnough = errors.New("more than can be chosen")

// Members returns the contacts that a request chooses, sorted, as the views have them
// once they have come to a position: of more than members.MaxMembers one more than
// that. It says how many of those that are named there are not, and what position
// that reflects. Who was merged into another counts as the other.
func (c Chooser) Members(ctx context.Context, req members.Requested, at eventstore.Position) (ids []string, missing int, position int64, err error) {
	f, err := groups.Meant(string(req.Filter), req.Me)
	if err != nil {
		return nil, 0, 0, err
	}
	views := []projections.Projection{contacts.New(), groups.New(), directory.New(), inbox.New(), orders.New()}
	shown, err := c.Snapshot(ctx, at, views, func(ctx context.Context, tx sqldb.Tx) error {
		ids, missing = nil, 0
		if len(req.IDs) > 0 {
			found, err := contacts.Shown(ctx, tx, req.Workspace, req.IDs)
			for _, l := range found {
				ids = append(ids, l.ID)
			}
			missing = len(req.IDs) - len(found)
			return err
		}
		s := contacts.Search{Workspace: req.Workspace, Filter: f, Scope: filtersql.Scope{Now: req.At, Me: req.Me}}
		err := contacts.Each(ctx, tx, s, func(r filtersql.Ref) error {
			if len(ids) > members.MaxMembers {
				return errEnough
			}
			ids = append(ids, r.ID)
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	slices.Sort(ids)
	return slices.Compact(ids), missing, int64(shown), err
}

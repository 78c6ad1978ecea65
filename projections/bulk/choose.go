package bulk

import (
	"context"
	"errors"
	"slices"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/choosing"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/visitor"
)

// Chooser chooses the items of jobs from the views.
type Chooser struct{ choosing.From }

// Choose returns the items of a request as the views have them once they have come to a
// position, each with its revision: in one snapshot, whose position it says. Of more
// than bulk.MaxItems it returns one more than that.
func (c Chooser) Choose(ctx context.Context, req bulk.Requested, at eventstore.Position) (out bulk.Selection, err error) {
	f, err := filter.Parse(filter.Target(req.Target), req.Filter)
	if err != nil {
		return out, err
	}
	views := []projections.Projection{inbox.New(), offers.New(), orders.New(), visitor.New(), directory.New(), contacts.New(), groups.New()}
	shown, err := c.Snapshot(ctx, at, views, func(ctx context.Context, tx sqldb.Tx) error {
		if len(req.IDs) > 0 {
			return named(ctx, tx, req, &out)
		}
		err := each(ctx, tx, req, f, func(r filtersql.Ref) error {
			if len(out.IDs) > bulk.MaxItems {
				return errEnough
			}
			out.IDs, out.Revisions = append(out.IDs, r.ID), append(out.Revisions, r.Revision)
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	out.Position = int64(shown)
	return out, err
}

var errEnough = errors.New("more than can be chosen")

// each calls visit for every item that passes the filter of a request. A filter of
// what is to be restored chooses among what is deleted: all else is as it should be.
func each(ctx context.Context, tx sqldb.Tx, req bulk.Requested, f filter.Filter, visit func(filtersql.Ref) error) error {
	scope, deleted := filtersql.Scope{Now: req.At, Me: req.By}, req.Action == bulk.Restore
	switch filter.Target(req.Target) {
	case filter.Contacts:
		s := contacts.Search{Workspace: req.Workspace, Filter: f, Except: req.Except, Deleted: deleted, Scope: scope}
		return contacts.Each(ctx, tx, s, visit)
	case filter.Orders:
		s := orders.Search{Workspace: req.Workspace, Filter: f, Except: req.Except, Scope: scope}
		return orders.Each(ctx, tx, s, visit)
	case filter.Chats:
	}
	s := inbox.Search{Workspace: req.Workspace, Filter: f, Except: req.Except, Deleted: deleted, Scope: scope}
	return inbox.Each(ctx, tx, s, visit)
}

// named chooses the items that a request names. Both its lists are sorted.
func named(ctx context.Context, tx sqldb.Tx, req bulk.Requested, out *bulk.Selection) error {
	revisions := inbox.Revisions
	switch filter.Target(req.Target) {
	case filter.Contacts:
		revisions = contacts.Revisions
	case filter.Orders:
		revisions = orders.Revisions
	case filter.Chats:
	}
	have, err := revisions(ctx, tx, req.Workspace, req.IDs)
	if err != nil {
		return err
	}
	for _, id := range req.IDs {
		if _, left := slices.BinarySearch(req.Except, id); left {
			continue
		}
		revision, ok := have[id]
		if !ok {
			revision = int64(eventstore.NoStream)
		}
		out.IDs, out.Revisions = append(out.IDs, id), append(out.Revisions, revision)
	}
	return nil
}

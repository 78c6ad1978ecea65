package contacts

import (
	"context"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/groups"
)

// Meaning returns what a filter of chats, contacts or orders asks for as things are
// now: of dynamic groups their filters, of attributes their kinds, of what was merged or
// remapped all that stands for it; and what stands for what. What is deleted cannot
// be chosen by everything: see filter.Filter.OfDeleted.
func Meaning(ctx context.Context, tx sqldb.Tx, workspace string, f filter.Filter, deleted bool) (filter.Filter, directory.Aliases, error) {
	f, err := groups.Expand(ctx, tx, workspace, f)
	if err == nil && deleted {
		err = f.OfDeleted() // the filter of a group, perhaps
	}
	if err == nil {
		f, err = Typed(ctx, tx, workspace, f)
	}
	if err != nil {
		return f, directory.Aliases{}, err
	}
	aliases, err := directory.ReadAliases(ctx, tx, workspace)
	return aliases.Expand(f), aliases, err
}

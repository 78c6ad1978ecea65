package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/internal/ids"
)

// Exports runs the commands of package export.
type Exports struct {
	exports *aggregate[export.State, export.Event]
}

// Request asks for a file with a list.
func (c Exports) Request(ctx context.Context, o Origin, id export.ID, cmd export.Request) (Result, error) {
	return c.exports.do(ctx, o, "export.request", string(id), decides(cmd.Decide))
}

// there reports whether a workspace has an export.
func (c Exports) there(ctx context.Context, workspace string, id export.ID) (there bool, err error) {
	err = c.exports.with(ctx, string(id), func(s export.State) error {
		there = s.Workspace == workspace
		return nil
	})
	return there, err
}

// NewExport returns the id of the export that the command o asks for.
func NewExport(o Origin) export.ID { return export.ID(ids.Of(o.Command, "export")) }

package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/internal/ids"
)

// Exports runs the commands of package export.
type Exports struct {
	exports    *aggregate[export.State, export.Event]
	attributes *aggregate[attribute.State, attribute.Event]
	views      *aggregate[customview.State, customview.Event]
}

// Request asks for a file with a list.
func (c Exports) Request(ctx context.Context, o Origin, id export.ID, cmd export.Request) (Result, error) {
	return c.exports.do(ctx, o, "export.request", string(id), func(ctx context.Context, s export.State) (events []export.Event, err error) {
		err = c.attributes.with(ctx, o.Workspace, func(own attribute.State) error {
			cmd := cmd
			cmd.Attributes = map[string]bool{}
			for a := range own.All() {
				cmd.Attributes[string(a.ID)] = !a.Archived
			}
			events, err = cmd.Decide(s)
			return err
		})
		return events, err
	})
}

// there reports whether a workspace has an export.
func (c Exports) there(ctx context.Context, workspace string, id export.ID) (there bool, err error) {
	err = c.exports.with(ctx, string(id), func(s export.State) error {
		there = s.Workspace == workspace
		return nil
	})
	return there, err
}

// RequestView asks for a file with a table of a custom view: of the version that is
// published, if cmd names none. The Result's ID is that of the export.
func (c Exports) RequestView(ctx context.Context, o Origin, id export.ID, cmd export.RequestView) (Result, error) {
	return c.exports.do(ctx, o, "export.request_view", string(id), func(ctx context.Context, s export.State) (events []export.Event, err error) {
		err = c.views.with(ctx, o.Workspace, func(v customview.State) error {
			l, err := v.Find(customview.Name(cmd.View), customview.Version(cmd.Version))
			if err != nil {
				return err
			}
			if _, ok := l.Definition.Table(cmd.Table); !ok {
				return customview.ErrTable
			}
			cmd := cmd // another try may find another version published
			cmd.Version = int64(l.Version)
			events, err = cmd.Decide(s)
			return err
		})
		return events, err
	})
}

// NewExport returns the id of the export that the command o asks for.
func NewExport(o Origin) export.ID { return export.ID(ids.Of(o.Command, "export")) }

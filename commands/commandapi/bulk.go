package commandapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/fault"
)

type inJob struct {
	Job bulk.ID `path:"job"`
}

type jobWith[B any] struct {
	Job  bulk.ID `path:"job"`
	Body B
}

// BulkBody says what to do to many chats, contacts or orders at once.
type BulkBody struct {
	Action    string         `json:"action" enum:"close,set_status,assign,unassign,tag,untag,delete,restore,export"`
	Target    string         `json:"target" enum:"chats,contacts,orders"`
	Selection BulkSelectBody `json:"selection"`
	Status    string         `json:"status,omitempty" doc:"The id or name of a status, with set_status; with close it may be left out."`
	Agent     string         `json:"agent,omitempty" doc:"The id of an active agent, with assign."`
	Tags      []string       `json:"tags,omitempty" doc:"Ids or names, with tag and untag; a name to add that is no tag yet becomes one."`
	Reason    string         `json:"reason,omitempty"`
	Format    string         `json:"format,omitempty" enum:"csv,ndjson" doc:"Of the file, with export."`
	Columns   []string       `json:"columns,omitempty" doc:"Of the file, with export, in their order; all but notes if none are given."`
}

// BulkSelectBody chooses the items: by ids, or by a filter with exceptions.
type BulkSelectBody struct {
	IDs    []string        `json:"ids,omitempty" doc:"At most 10,000."`
	Filter json.RawMessage `json:"filter,omitempty" doc:"As the query of the target takes it, such as POST /v1/chats/query; {} chooses everything. With restore it chooses among what is deleted."`
	Except []string        `json:"except,omitempty" doc:"Ids that are left out, at most 10,000."`
}

func (b BulkSelectBody) filters() bool { return len(b.Filter) > 0 && string(b.Filter) != "null" }

func (b BulkBody) command(c caller) bulk.Request {
	r := bulk.Request{
		Workspace: c.Workspace, Action: bulk.Action(b.Action), Target: b.Target,
		IDs: b.Selection.IDs, Except: b.Selection.Except, Status: b.Status, Agent: b.Agent, Tags: b.Tags,
		Reason: b.Reason, By: string(c.By), At: c.At,
	}
	if b.Selection.filters() {
		r.Filter = b.Selection.Filter
	}
	return r
}

// export returns what is asked for with the action export: a file with what is chosen.
func (b BulkBody) export(c caller) (export.Request, error) {
	r := export.Request{
		Workspace: c.Workspace, Target: b.Target, Format: export.Format(b.Format), Columns: b.Columns,
		IDs: b.Selection.IDs, Except: b.Selection.Except, By: string(c.By), At: c.At,
	}
	if b.Selection.filters() {
		r.Filter = b.Selection.Filter
	}
	switch {
	case b.Status != "":
		return r, bulk.ErrParameter.At("status")
	case b.Agent != "":
		return r, bulk.ErrParameter.At("agent")
	case len(b.Tags) > 0:
		return r, bulk.ErrParameter.At("tags")
	case b.Reason != "":
		return r, bulk.ErrParameter.At("reason")
	case len(r.IDs) > 0 == (r.Filter != nil):
		return r, bulk.ErrSelection
	}
	return r, nil
}

// requestBulk asks for a job, or for a file.
func (a *api) requestBulk(ctx context.Context, c caller, in *with[BulkBody]) (result, error) {
	b := in.Body
	if bulk.Action(b.Action) != bulk.Export {
		switch {
		case b.Format != "":
			return result{}, bulk.ErrParameter.At("format")
		case len(b.Columns) > 0:
			return result{}, bulk.ErrParameter.At("columns")
		}
		return a.Bulk.Request(ctx, c.Origin, commands.NewJob(c.Origin), b.command(c))
	}
	cmd, err := b.export(c)
	if err != nil {
		return result{}, err
	}
	res, err := a.Exports.Request(ctx, c.Origin, commands.NewExport(c.Origin), cmd)
	if f, ok := errors.AsType[*fault.Error](err); ok && strings.HasPrefix(f.Field, "filter") {
		err = bulk.InSelection(err)
	}
	return res, err
}

// RequestedBulk is the answer to the request for a bulk operation: of an export, it has
// what that has.
type RequestedBulk struct {
	Written
	File string `json:"file,omitempty" example:"/v1/exports/5f0c7a5e/file" doc:"With export: where the file is, for an hour."`
	Life int64  `json:"expires_in_seconds,omitempty" doc:"With export."`
}

func requestedBulk(r result, _ caller, in *with[BulkBody]) RequestedBulk {
	out := RequestedBulk{Written: written(r)}
	if bulk.Action(in.Body.Action) == bulk.Export {
		out.File, out.Life = fileOf(r)
	}
	return out
}

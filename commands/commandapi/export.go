package commandapi

import (
	"encoding/json"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/export"
)

// takers may take lists with them.
var takers = []agent.Role{agent.RoleSupervisor, agent.RoleAnalyst, agent.RoleAdmin}

// ExportBody says what to put into a file.
type ExportBody struct {
	Target  string          `json:"target" enum:"chats,contacts,orders"`
	Format  string          `json:"format" enum:"csv,ndjson"`
	Filter  json.RawMessage `json:"filter,omitempty" doc:"As POST /v1/chats/query takes it; everything if it is not given."`
	Columns []string        `json:"columns,omitempty" doc:"In the order of the file; all but notes if none are given. attributes. and an id is an attribute of the workspace."`
}

func (b ExportBody) command(c caller) export.Request {
	return export.Request{
		Workspace: c.Workspace, Target: b.Target, Format: export.Format(b.Format), Filter: b.Filter, Columns: b.Columns, By: string(c.By), At: c.At,
	}
}

// RequestedExport is the answer to the request for a file.
type RequestedExport struct {
	Written
	File string `json:"file" example:"/v1/exports/5f0c7a5e/file" doc:"Where it is, for an hour; with the token of whoever may ask for exports."`
	Life int64  `json:"expires_in_seconds"`
}

func requestedExport(r commands.Result, _ caller, _ *with[ExportBody]) RequestedExport {
	file, life := fileOf(r)
	return RequestedExport{written(r), file, life}
}

// fileOf returns where the file of an export is, and for how many seconds.
func fileOf(r commands.Result) (path string, seconds int64) {
	return "/v1/exports/" + r.ID + "/file", int64(export.Life / time.Second)
}

package commandapi

import (
	"encoding/json"

	"github.com/chatledger/chatledger/domain/bulk"
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
	Action    string         `json:"action" enum:"close,set_status,assign,unassign,tag,untag,delete,restore"`
	Target    string         `json:"target" enum:"chats,contacts,orders"`
	Selection BulkSelectBody `json:"selection"`
	Status    string         `json:"status,omitempty" doc:"The id or name of a status, with set_status; with close it may be left out."`
	Agent     string         `json:"agent,omitempty" doc:"The id of an active agent, with assign."`
	Tags      []string       `json:"tags,omitempty" doc:"Ids or names, with tag and untag; a name to add that is no tag yet becomes one."`
	Reason    string         `json:"reason,omitempty"`
}

// BulkSelectBody chooses the items: by ids, or by a filter with exceptions.
type BulkSelectBody struct {
	IDs    []string        `json:"ids,omitempty" doc:"At most 10,000."`
	Filter json.RawMessage `json:"filter,omitempty" doc:"As the query of the target takes it, such as POST /v1/chats/query; {} chooses everything. With restore it chooses among what is deleted."`
	Except []string        `json:"except,omitempty" doc:"Ids that are left out, at most 10,000."`
}

func (b BulkBody) command(c caller) bulk.Request {
	r := bulk.Request{
		Workspace: c.Workspace, Action: bulk.Action(b.Action), Target: b.Target,
		IDs: b.Selection.IDs, Except: b.Selection.Except, Status: b.Status, Agent: b.Agent, Tags: b.Tags,
		Reason: b.Reason, By: string(c.By), At: c.At,
	}
	if len(b.Selection.Filter) > 0 && string(b.Selection.Filter) != "null" {
		r.Filter = b.Selection.Filter
	}
	return r
}

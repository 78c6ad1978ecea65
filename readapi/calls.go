package readapi

import (
	"context"
	"errors"
	"time"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/calls"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/permissions"
)

type inCalls struct {
	web.Read
	Paging
	Chat string `path:"chat"`
}

type inCall struct {
	web.Read
	Call string `path:"call"`
}

// Call is a call to a customer.
type Call struct {
	ID         string `json:"id"`
	Revision   int64  `json:"revision" doc:"For If-Match."`
	Chat       string `json:"chat"`
	State      string `json:"state" enum:"requested,ringing,in_progress,completed,no_answer,failed,rejected"`
	Ending     bool   `json:"ending" doc:"Somebody wants it to end, and it has not yet."`
	Phone      string `json:"phone"`
	Provider   string `json:"provider" enum:"webhook,whatsapp"`
	ProviderID string `json:"provider_id,omitempty"`
	Answer     string `json:"answer,omitempty" doc:"The SDP of the other end, for RTCPeerConnection.setRemoteDescription, while the call goes on."`
	Duration   int64  `json:"duration_seconds" doc:"0 unless completed."`
	Reason     string `json:"reason,omitempty" example:"cancelled" doc:"Why it ended so: a code."`
	Details    string `json:"details,omitempty" doc:"The same for people."`
	By         string `json:"by" doc:"Who called."`
	EndedBy    string `json:"ended_by,omitempty" doc:"Who of staff ended it."`

	RequestedAt time.Time  `json:"requested_at"`
	RingingAt   *time.Time `json:"ringing_at"`
	AnsweredAt  *time.Time `json:"answered_at"`
	EndedAt     *time.Time `json:"ended_at" doc:"Null while it goes on."`
}

func newCall(c *calls.Call) Call {
	return Call{
		ID: c.ID, Revision: c.Revision, Chat: c.Chat, State: c.Phase, Ending: c.EndedBy != "" && c.EndedAt == 0,
		Phone: c.Phone, Provider: c.Provider, ProviderID: c.ProviderID, Answer: c.Answer,
		Duration: c.Duration, Reason: c.Reason, Details: c.Details, By: c.By, EndedBy: c.EndedBy,
		RequestedAt: moment(c.RequestedAt), RingingAt: momentOrNull(c.RingingAt), AnsweredAt: momentOrNull(c.AnsweredAt), EndedAt: momentOrNull(c.EndedAt),
	}
}

func listCalls(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCalls) (out web.List[Call], _ eventstore.Revision, _ error) {
	if _, err := inbox.Get(ctx, tx, r.Workspace, in.Chat); err != nil {
		return out, none, err
	}
	page, err := calls.List(ctx, tx, calls.Query{Workspace: r.Workspace, Chat: in.Chat, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return out, none, err
	}
	items := make([]Call, len(page.Calls))
	for i := range page.Calls {
		items[i] = newCall(&page.Calls[i])
	}
	return web.NewList(items, page.Next), none, nil
}

// getCall shows a call to those who may see its chat.
func getCall(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCall) (Call, eventstore.Revision, error) {
	c, err := calls.Get(ctx, tx, r.Workspace, in.Call)
	if err != nil {
		return Call{}, none, err
	}
	if _, err := inbox.Get(ctx, tx, r.Workspace, c.Chat); errors.Is(err, inbox.ErrNotFound) {
		return Call{}, none, call.ErrNotFound
	} else if err != nil {
		return Call{}, none, err
	}
	return newCall(&c), eventstore.Revision(c.Revision), nil
}

// CallPermission is whether a customer allows calls.
type CallPermission struct {
	Allowed *bool      `json:"allowed" doc:"Null if they were asked and have not answered."`
	Until   *time.Time `json:"until" doc:"If they are allowed: when that ends, perhaps in the past. Null: not by itself."`
	Reason  string     `json:"reason,omitempty" enum:"customer,provider" doc:"Who changed it last."`
	At      *time.Time `json:"at" doc:"When that was."`
	AskedAt *time.Time `json:"asked_at" doc:"When they were asked last; null if never."`
}

func callPermission(ctx context.Context, tx sqldb.Tx, workspace, chatID string) (*CallPermission, error) {
	c, ok, err := permissions.Calls(ctx, tx, workspace, chatID)
	if err != nil || !ok {
		return nil, err
	}
	out := &CallPermission{Reason: c.Reason, Until: momentOrNull(c.Until), At: momentOrNull(c.At), AskedAt: momentOrNull(c.AskedAt)}
	if c.Known {
		out.Allowed = &c.Allowed
	}
	return out, nil
}

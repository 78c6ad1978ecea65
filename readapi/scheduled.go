package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/scheduled"
)

type inAllScheduled struct {
	web.Read
	Paging
	By    string `query:"by" example:"me" doc:"Who scheduled it: me or the id of an agent."`
	State string `query:"state" enum:"waiting,failed" doc:"waiting if it is not given."`
}

type inChatScheduled struct {
	web.Read
	Paging
	Chat  string `path:"chat"`
	State string `query:"state" enum:"waiting,failed" doc:"waiting if it is not given."`
}

// Scheduled is a message that waits for its time, or whose time came in vain.
type Scheduled struct {
	ID    string `json:"id" doc:"That of the message once it is sent."`
	Chat  string `json:"chat"`
	State string `json:"state" enum:"waiting,failed"`
	chat.Outgoing
	By            Author           `json:"by"`
	SendAt        time.Time        `json:"send_at"`
	CancelOnReply bool             `json:"cancel_on_reply"`
	ScheduledAt   time.Time        `json:"scheduled_at"`
	ChangedAt     *time.Time       `json:"changed_at" doc:"Null if never."`
	ChangedBy     *string          `json:"changed_by"`
	Failure       *ScheduleFailure `json:"failure,omitempty" doc:"With state failed: why."`
}

// ScheduleFailure is why a message could not be sent when its time came.
type ScheduleFailure struct {
	Code   string    `json:"code" example:"chat.closed"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

func newScheduled(m scheduled.Message) Scheduled {
	out := Scheduled{
		ID: m.Message, Chat: m.Chat, State: m.State, Outgoing: m.Outgoing, By: Author{Kind: "agent", ID: m.By}, SendAt: moment(m.SendAt), CancelOnReply: m.CancelOnReply,
		ScheduledAt: moment(m.ScheduledAt), ChangedAt: momentOrNull(m.ChangedAt), ChangedBy: orNull(m.ChangedBy),
	}
	if m.Bot {
		out.By.Kind = "bot"
	}
	if m.State == scheduled.Failed {
		out.Failure = &ScheduleFailure{m.Code, m.Reason, moment(m.FailedAt)}
	}
	return out
}

func listAllScheduled(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inAllScheduled) (web.List[Scheduled], eventstore.Revision, error) {
	q := scheduled.Query{Workspace: r.Workspace, State: in.State, By: in.By, Cursor: in.Cursor, Limit: in.Limit}
	if in.By == "me" {
		q.By = r.Actor()
	}
	page, err := scheduled.List(ctx, tx, q)
	return list(page, err, newScheduled)
}

func listChatScheduled(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChatScheduled) (web.List[Scheduled], eventstore.Revision, error) {
	if _, err := inbox.Get(ctx, tx, r.Workspace, in.Chat); err != nil {
		return web.List[Scheduled]{}, none, err
	}
	page, err := scheduled.List(ctx, tx, scheduled.Query{Workspace: r.Workspace, Chat: in.Chat, State: in.State, Cursor: in.Cursor, Limit: in.Limit})
	return list(page, err, newScheduled)
}

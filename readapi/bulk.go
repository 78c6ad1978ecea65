package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	bulkview "github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
)

type inJobs struct {
	web.Read
	Paging
}

type inJob struct {
	web.Read
	Job string `path:"job"`
}

type inJobItems struct {
	web.Read
	Paging
	Job     string `path:"job"`
	Outcome string `query:"outcome" enum:"done,no_change,conflict,forbidden,missing,undone,touched" doc:"Every item that was worked if it is not given."`
}

// BulkJob is a bulk operation and how far it is.
type BulkJob struct {
	ID       string      `json:"id"`
	Revision int64       `json:"revision" doc:"For If-Match."`
	Action   string      `json:"action" enum:"close,set_status,assign,unassign,tag,untag,delete,restore"`
	Target   string      `json:"target" enum:"chats,contacts,orders"`
	Chosen   BulkChosen  `json:"selection"`
	Status   string      `json:"status,omitempty" doc:"With close and set_status."`
	Agent    string      `json:"agent,omitempty" doc:"With assign."`
	Tags     []string    `json:"tags,omitempty" doc:"With tag and untag."`
	Reason   string      `json:"reason,omitempty"`
	By       string      `json:"by" doc:"Who asked for it."`
	State    string      `json:"state" enum:"selecting,running,finished,cancelling,cancelled,rejected,undoing,undone" doc:"rejected: refusal says why there is no selection."`
	Refusal  *BulkReject `json:"refusal" doc:"With state rejected, else null."`
	Attempt  int64       `json:"attempt" doc:"2 after the first retry."`
	Position int64       `json:"selected_at_position" doc:"What the selection reflects: no item has come to it or left it since."`
	Items    int64       `json:"items" doc:"In the selection."`
	Outcomes BulkCounts  `json:"outcomes" doc:"Items by what became of them at last."`
	Progress Progress    `json:"progress"`

	RequestedAt time.Time  `json:"requested_at"`
	StartedAt   *time.Time `json:"started_at" doc:"The present attempt, or the undo."`
	EndedAt     *time.Time `json:"ended_at" doc:"Null while it goes on."`
	CancelledBy string     `json:"cancelled_by,omitempty"`
	UndoneBy    string     `json:"undone_by,omitempty"`
}

// BulkChosen is how the items were chosen.
type BulkChosen struct {
	IDs    int64           `json:"ids,omitempty" doc:"So many were named."`
	Filter json.RawMessage `json:"filter,omitempty"`
	Except int64           `json:"except,omitempty" doc:"So many were left out."`
}

// BulkReject is why a job has no selection.
type BulkReject struct {
	Code   string `json:"code" example:"bulk.too_many_items"`
	Reason string `json:"reason"`
}

// BulkCounts are the items by outcome.
type BulkCounts struct {
	Done      int64 `json:"done"`
	NoChange  int64 `json:"no_change" doc:"It was so already."`
	Conflict  int64 `json:"conflict" doc:"Somebody was there since the selection, or the state forbids it."`
	Forbidden int64 `json:"forbidden"`
	Missing   int64 `json:"missing"`
	Undone    int64 `json:"undone"`
	Touched   int64 `json:"touched" doc:"Not undone: somebody has changed it since."`
	Waiting   int64 `json:"waiting" doc:"Not worked, or not yet."`
}

// newJob shows a job as the view has it, and its progress as of live, which may be further.
func newJob(j, live *bulkview.Job, now time.Time) BulkJob {
	out := BulkJob{
		ID: j.ID, Revision: j.Revision, Action: j.Action, Target: j.Target,
		Chosen: BulkChosen{IDs: j.Named, Except: j.Except},
		Status: j.Status, Agent: j.Agent, Tags: j.Tags, Reason: j.Reason, By: j.By, State: j.Phase, Attempt: j.Attempt,
		Position: j.Position, Items: j.Items,
		Outcomes: BulkCounts{Done: j.Done, NoChange: j.NoChange, Conflict: j.Conflict, Forbidden: j.Forbidden, Missing: j.Missing, Undone: j.Undone, Touched: j.Touched},
		Progress: newProgress(live, now),

		RequestedAt: moment(j.RequestedAt), StartedAt: momentOrNull(j.StartedAt), EndedAt: momentOrNull(j.EndedAt),
		CancelledBy: j.CancelledBy, UndoneBy: j.UndoneBy,
	}
	if j.Filter != "" {
		out.Chosen.Filter = json.RawMessage(j.Filter)
	}
	if j.Code != "" {
		out.Refusal = &BulkReject{j.Code, j.Refusal}
	}
	c := &out.Outcomes
	c.Waiting = j.Items - c.Done - c.NoChange - c.Conflict - c.Forbidden - c.Missing - c.Undone - c.Touched
	return out
}

func (a *API) listJobs(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inJobs) (web.List[BulkJob], eventstore.Revision, error) {
	page, err := bulkview.List(ctx, tx, bulkview.Query{Workspace: r.Workspace, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return web.List[BulkJob]{}, none, err
	}
	items := make([]BulkJob, len(page.Items))
	for i := range page.Items {
		live, err := a.liveJob(ctx, page.Items[i])
		if err != nil {
			return web.List[BulkJob]{}, none, err
		}
		items[i] = newJob(&page.Items[i], &live, a.Now())
	}
	return web.NewList(items, page.Next), none, nil
}

func (a *API) getJob(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inJob) (BulkJob, eventstore.Revision, error) {
	j, err := bulkview.Get(ctx, tx, r.Workspace, in.Job)
	if errors.Is(err, bulk.ErrNotFound) {
		if _, none := a.requestedExport(ctx, r.Workspace, in.Job); none == nil {
			err = bulk.ErrNotFound.With("this is an export, which is no job: its file is at /v1/exports/" + in.Job + "/file")
		}
	}
	if err != nil {
		return BulkJob{}, none, err
	}
	live, err := a.liveJob(ctx, j)
	return newJob(&j, &live, a.Now()), eventstore.Revision(j.Revision), err
}

// BulkItem is what became of one item.
type BulkItem struct {
	ID       string    `json:"id"`
	Outcome  string    `json:"outcome" enum:"done,no_change,conflict,forbidden,missing,undone,touched"`
	Code     string    `json:"code,omitempty" example:"revision.stale" doc:"Why it was not done; of one that was undone, what was not: bulk.offer_over."`
	Revision *int64    `json:"revision" doc:"Of the item, after it was done; null if it was not."`
	At       time.Time `json:"at"`
}

func listJobItems(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inJobItems) (web.List[BulkItem], eventstore.Revision, error) {
	var out web.List[BulkItem]
	if _, err := bulkview.Get(ctx, tx, r.Workspace, in.Job); err != nil {
		return out, none, err
	}
	page, err := bulkview.Items(ctx, tx, in.Job, in.Outcome, bulkview.Query{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return out, none, err
	}
	items := make([]BulkItem, len(page.Items))
	for i, it := range page.Items {
		items[i] = BulkItem{ID: it.Item, Outcome: it.Outcome, Code: it.Code, At: moment(it.At)}
		if it.Revision != 0 {
			items[i].Revision = &page.Items[i].Revision
		}
	}
	return web.NewList(items, page.Next), none, nil
}

type inBulkPreview struct {
	web.Read
	Body struct {
		Action    string        `json:"action,omitempty" enum:"close,set_status,assign,unassign,tag,untag,delete,restore,export" doc:"With restore, what is deleted is looked through, as the job does; any other makes no difference."`
		Target    string        `json:"target" enum:"chats,contacts,orders"`
		Selection BulkSelection `json:"selection"`
	}
}

// BulkSelection chooses the items of a job.
type BulkSelection struct {
	Filter json.RawMessage `json:"filter,omitempty" doc:"As the query of the target takes it, such as POST /v1/chats/query."`
	Except []string        `json:"except,omitempty" maxItems:"10000" doc:"Ids that are left out."`
}

// BulkPreview is what a job would be about.
type BulkPreview struct {
	Counted
	Items    []Chat          `json:"items" nullable:"false" doc:"The first 20 chats, the latest activity first; empty with another target."`
	Contacts []ListedContact `json:"contacts,omitempty" doc:"With target contacts: the first 20, the newest first."`
	Orders   []Order         `json:"orders,omitempty" doc:"With target orders: the first 20, the latest first."`
}

const previewed = 20

func (a *API) previewBulk(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inBulkPreview) (out BulkPreview, _ eventstore.Revision, _ error) {
	target, except := filter.Target(in.Body.Target), in.Body.Selection.Except
	action := bulk.Action(in.Body.Action)
	deleted := action == bulk.Restore
	if !bulk.Takes(target, action) {
		return out, none, bulk.ErrTargetAction
	}
	f, err := filter.Parse(target, in.Body.Selection.Filter)
	if err == nil && deleted {
		err = f.OfDeleted()
	}
	if err != nil {
		return out, none, bulk.InSelection(err)
	}
	out.Items = []Chat{}
	switch target {
	case filter.Contacts:
		s := contacts.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Except: except, Deleted: deleted, Limit: previewed}
		n, err := contacts.Count(ctx, tx, s)
		if err != nil {
			return out, none, err
		}
		page, _, err := contactPage(ctx, tx, s)
		out.Counted, out.Contacts = Counted{n.N, n.Exact}, page.Items
		return out, none, err
	case filter.Orders:
		s := orders.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Except: except, Limit: previewed}
		n, err := orders.Count(ctx, tx, s)
		if err != nil {
			return out, none, err
		}
		page, err := orders.Find(ctx, tx, s)
		out.Counted = Counted{n.N, n.Exact}
		for _, o := range page.Orders {
			out.Orders = append(out.Orders, newOrder(o))
		}
		return out, none, err
	case filter.Chats:
	}
	s := inbox.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Except: except, Deleted: deleted, Limit: previewed}
	n, err := inbox.Count(ctx, tx, s)
	if err != nil {
		return out, none, err
	}
	page, err := inbox.Find(ctx, tx, s)
	if err != nil {
		return out, none, err
	}
	out.Counted = Counted{n.N, n.Exact}
	out.Items, err = newChats(ctx, tx, r.Workspace, page.Chats...)
	return out, none, err
}

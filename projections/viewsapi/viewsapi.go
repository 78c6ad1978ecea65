// Package viewsapi is the HTTP API for those who look after the views: how far
// they are, what they could not take, and what to do about it.
//
// A view is of all workspaces, a caller of one: streams, and events, of others
// are as if they were not there. What is common to all is left to the operator
// at the command line: rebuilds, rollbacks, and events whose workspace cannot be
// told. It never runs a command and never appends to the log.
package viewsapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Refusals.
var (
	ErrView     = fault.New(fault.NotFound, "view.not_found", "there is no such view")
	ErrReason   = fault.Bad("reason", "view.reason_too_long", "the reason is longer than 1,000 characters")
	ErrStream   = fault.Bad("stream", "view.stream_missing", "a stream is required")
	ErrPosition = fault.Bad("position", "view.position_missing", "a position is required")
)

const maxReason = 1_000 // characters

type api struct{ cfg projections.Config }

// Endpoints returns the routes about the views of cfg.
func Endpoints(cfg projections.Config) []web.Endpoint {
	a := &api{cfg}
	return []web.Endpoint{
		endpoint(http.MethodGet, "/v1/views", "How far each view is, and what is wrong with it", a.list),
		endpoint(http.MethodGet, "/v1/views/{view}/parked", "List the streams that a view could not take, the longest stuck first", a.parked,
			"Of the caller's workspace. Later events of such a stream wait; all other streams go on. A page may have fewer items than asked for and not be the last."),
		endpoint(http.MethodGet, "/v1/views/{view}/skipped", "List the events that were left out of a view", a.skipped,
			"Those that were taken back, too."),
		endpoint(http.MethodPost, "/v1/views/{view}/retry", "Apply the parked events of a stream again, in order", a.retry,
			"What is still parked afterwards is in the answer."),
		endpoint(http.MethodPost, "/v1/views/{view}/skip", "Leave a parked event out of a view", a.skip,
			"It must be the first that is parked of its stream. Those behind it are applied. The decision is kept with who made it, and holds in rebuilds, too. To repeat it does no harm."),
		endpoint(http.MethodPost, "/v1/views/{view}/unskip", "Take a skip back", a.unskip,
			"The event comes in by the next rebuild of the view."),
	}
}

func endpoint[I, B any](method, path, summary string, handle func(context.Context, *web.Request, *I) (B, eventstore.Position, error), description ...string) web.Endpoint {
	route := web.Route{Method: method, Path: path, Tag: "views", Summary: summary, Roles: []agent.Role{agent.RoleAdmin}}
	for _, d := range description {
		route.Description = d
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *I) (*answer[B], error) {
		body, at, err := handle(ctx, r, in)
		if errors.Is(err, projections.ErrUnknown) {
			err = ErrView
		}
		if err != nil {
			return nil, err
		}
		return &answer[B]{web.Position(at), body}, nil
	}, nil)
}

type answer[B any] struct {
	Position string `header:"Position" doc:"The position of the log that the view reflects."`
	Body     B
}

// View is how a view is.
type View struct {
	Name       string    `json:"name" example:"inbox.v3"`
	State      string    `json:"state" doc:"running, waiting (no process moves it), failing, other log or other shape."`
	Position   int64     `json:"position" doc:"Every event up to here is in the view, or parked, or left out."`
	Head       int64     `json:"head" doc:"Where the log ends."`
	Lag        int64     `json:"lag" doc:"Events between the two."`
	Estimated  bool      `json:"lag_estimated,omitempty" doc:"The lag is an estimate: the positions of this log have holes."`
	Stale      float64   `json:"stale_seconds" doc:"Age of the oldest event that is not in the view, parked ones among them."`
	Parked     int64     `json:"parked_events" doc:"In all workspaces, as is the next."`
	Streams    int64     `json:"parked_streams"`
	Skipped    int64     `json:"skipped_events" doc:"That were left out on somebody's word."`
	ProgressAt time.Time `json:"progress_at" doc:"When the position moved last."`
	Owner      string    `json:"owner,omitempty" doc:"The process that moves it."`
	Rebuilding bool      `json:"rebuilding"`
}

// ParkedStream is a stream that waits behind an event that a view could not take.
type ParkedStream struct {
	Stream   string     `json:"stream" example:"chat-0190a1b2"`
	Events   int64      `json:"events" doc:"That are parked: the first, and those that wait behind it."`
	Position int64      `json:"position" doc:"Of the first, as is what follows."`
	Revision int64      `json:"revision"`
	Type     string     `json:"type" example:"chat.message_received.v1"`
	Error    string     `json:"error,omitempty" doc:"Why it could not be taken; absent if it was not tried yet."`
	Attempts int64      `json:"attempts"`
	TriedAt  time.Time  `json:"tried_at"`
	Since    *time.Time `json:"since,omitempty" doc:"When it was recorded: since then the view is stale there."`
}

// Skipped is an event that was left out of a view.
type Skipped struct {
	Stream   string     `json:"stream"`
	Position int64      `json:"position"`
	Revision int64      `json:"revision"`
	Type     string     `json:"type"`
	Error    string     `json:"error,omitempty" doc:"That it was parked with."`
	By       string     `json:"by"`
	Reason   string     `json:"reason,omitempty"`
	At       time.Time  `json:"at"`
	UndoneBy string     `json:"undone_by,omitempty"`
	UndoneAt *time.Time `json:"undone_at,omitempty"`
}

// Retried is what became of a stream.
type Retried struct {
	Applied int           `json:"applied" doc:"Parked events that are in the view now."`
	Parked  *ParkedStream `json:"parked,omitempty" doc:"What is still parked of the stream; absent if nothing is."`
}

// WasSkipped is what became of an event, and of the stream behind it.
type WasSkipped struct {
	Skipped Skipped `json:"skipped"`
	Retried
}

// OfView names the view that a request is about.
type OfView struct {
	View string `path:"view" example:"inbox.v3"`
}

type inPage struct {
	OfView
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"50 if it is not given."`
}

type inRetry struct {
	OfView
	Body struct {
		Stream string `json:"stream" example:"chat-0190a1b2" maxLength:"500"`
	}
}

type inSkip struct {
	OfView
	Body struct {
		Position int64  `json:"position" minimum:"1" doc:"Of the event."`
		Reason   string `json:"reason,omitempty" doc:"For those who come after you."`
	}
}

type inUnskip struct {
	OfView
	Body struct {
		Position int64 `json:"position" minimum:"1" doc:"Of the event."`
	}
}

func (a *api) list(ctx context.Context, _ *web.Request, _ *struct{}) (out web.List[View], at eventstore.Position, err error) {
	list, err := projections.ReadStatus(ctx, a.cfg)
	if err != nil {
		return out, 0, err
	}
	items := make([]View, len(list))
	for i, s := range list {
		items[i] = View{
			s.Name, s.State, int64(s.Checkpoint), int64(s.Head), s.Lag, s.Estimated, s.Unapplied.Seconds(), s.Parked, s.Streams, s.Skipped,
			s.ProgressAt, s.Owner, s.Rebuild != nil,
		}
		if i == 0 || s.Checkpoint < at {
			at = s.Checkpoint
		}
	}
	return web.NewList(items, ""), at, nil
}

// at returns the checkpoint of a view.
func (a *api) at(ctx context.Context, view string) (at eventstore.Position, err error) {
	known := false
	for _, newView := range a.cfg.Projections {
		known = known || newView().Name() == view
	}
	if !known {
		return 0, ErrView
	}
	err = a.cfg.DBOf(view).Read(ctx, func(tx sqldb.Tx) error {
		at, err = projections.Checkpoints(ctx, tx, view)
		return err
	})
	return at, err
}

func (a *api) parked(ctx context.Context, r *web.Request, in *inPage) (out web.List[ParkedStream], at eventstore.Position, err error) {
	const list = "parked"
	q := projections.ParkedQuery{Projection: in.View, Workspace: r.Workspace}
	if q.Limit, q.After, err = page(list, in); err != nil {
		return out, 0, err
	}
	if at, err = a.at(ctx, in.View); err != nil {
		return out, 0, err
	}
	found, next, err := projections.ListParkedStreams(ctx, a.cfg, q)
	if err != nil {
		return out, 0, err
	}
	items := make([]ParkedStream, len(found))
	for i, s := range found {
		items[i] = newParked(s)
	}
	if next != 0 {
		out.NextCursor = cursor.Encode(list, next)
	}
	return web.NewList(items, out.NextCursor), at, nil
}

func page(list string, in *inPage) (limit int, after eventstore.Position, err error) {
	if limit, err = cursor.Limit(in.Limit); err == nil && in.Cursor != "" {
		err = cursor.Decode(list, in.Cursor, &after)
	}
	return limit, after, err
}

func newParked(s projections.ParkedStream) ParkedStream {
	p := ParkedStream{
		Stream: s.Stream, Events: s.Events, Position: int64(s.Position), Revision: int64(s.Revision), Type: s.Type,
		Error: s.Error, Attempts: s.Attempts, TriedAt: moment(s.TriedAt),
	}
	if !s.Since.IsZero() {
		p.Since = &s.Since
	}
	return p
}

func (a *api) skipped(ctx context.Context, r *web.Request, in *inPage) (out web.List[Skipped], at eventstore.Position, err error) {
	const list = "skipped"
	limit, after, err := page(list, in)
	if err != nil {
		return out, 0, err
	}
	if at, err = a.at(ctx, in.View); err != nil {
		return out, 0, err
	}
	var items []Skipped
	found, err := projections.ListSkipped(ctx, a.cfg.DBOf(in.View), in.View, after, limit)
	for _, s := range found {
		after = s.Position
		of, err := a.workspaceOf(ctx, s.Stream, s.Revision)
		if err != nil {
			return out, 0, err
		}
		if of == r.Workspace {
			items = append(items, newSkipped(s))
		}
	}
	if len(found) == limit {
		out.NextCursor = cursor.Encode(list, after)
	}
	return web.NewList(items, out.NextCursor), at, err
}

func newSkipped(s projections.Skipped) Skipped {
	out := Skipped{
		Stream: s.Stream, Position: int64(s.Position), Revision: int64(s.Revision), Type: s.Type, Error: s.Error,
		By: s.By, Reason: s.Reason, At: moment(s.At), UndoneBy: s.UndoneBy,
	}
	if s.UndoneAt != 0 {
		undone := moment(s.UndoneAt)
		out.UndoneAt = &undone
	}
	return out
}

// workspaceOf returns the workspace that an event is about, "" if it cannot be
// told.
func (a *api) workspaceOf(ctx context.Context, stream string, revision eventstore.Revision) (string, error) {
	for e, err := range a.cfg.Store.ReadStream(ctx, stream, eventstore.StreamQuery{From: revision, Limit: 1}) {
		if err != nil {
			return "", err
		}
		meta, err := eventstore.DecodeMetadata(e)
		if err != nil {
			return "", nil // that is what cannot be told
		}
		return meta.Workspace, nil
	}
	return "", nil
}

// own returns a parked stream of the caller's workspace.
func (a *api) own(ctx context.Context, r *web.Request, view, stream string, position eventstore.Position) (projections.ParkedStream, error) {
	s, err := projections.FindParked(ctx, a.cfg, view, stream, position)
	if err == nil && s.Workspace != r.Workspace {
		err = projections.ErrNotParked
	}
	return s, err
}

func (a *api) retry(ctx context.Context, r *web.Request, in *inRetry) (out Retried, at eventstore.Position, err error) {
	if in.Body.Stream == "" {
		return out, 0, ErrStream
	}
	if at, err = a.at(ctx, in.View); err != nil {
		return out, 0, err
	}
	if _, err := a.own(ctx, r, in.View, in.Body.Stream, 0); err != nil {
		return out, 0, err
	}
	n, err := projections.Retry(ctx, a.cfg, in.View, in.Body.Stream)
	out, err = a.retried(ctx, in.View, in.Body.Stream, n, err)
	return out, at, err
}

// retried says what became of a stream. That an event failed again is no
// failure of the request.
func (a *api) retried(ctx context.Context, view, stream string, applied int, err error) (Retried, error) {
	out := Retried{Applied: applied}
	if _, poison := errors.AsType[*projections.PoisonError](err); err != nil && !poison {
		return out, err
	}
	switch left, err := projections.FindParked(ctx, a.cfg, view, stream, 0); {
	case err == nil:
		p := newParked(left)
		out.Parked = &p
	case !errors.Is(err, projections.ErrNotParked):
		return out, err
	}
	return out, nil
}

func (a *api) skip(ctx context.Context, r *web.Request, in *inSkip) (out WasSkipped, at eventstore.Position, err error) {
	position := eventstore.Position(in.Body.Position)
	switch {
	case position == 0:
		return out, 0, ErrPosition
	case len([]rune(in.Body.Reason)) > maxReason:
		return out, 0, ErrReason
	}
	if at, err = a.at(ctx, in.View); err != nil {
		return out, 0, err
	}
	if _, err := a.own(ctx, r, in.View, "", position); err != nil {
		if !errors.Is(err, projections.ErrNotParked) {
			return out, 0, err
		}
		if err := a.ownSkip(ctx, r, in.View, position); err != nil { // unless this is a repeat
			return out, 0, projections.ErrNotParked
		}
	}
	done, n, err := projections.Skip{Projection: in.View, Position: position, By: r.Actor(), Reason: in.Body.Reason}.Do(ctx, a.cfg)
	if done.Position == 0 {
		return out, 0, err
	}
	out.Skipped = newSkipped(done)
	out.Retried, err = a.retried(ctx, in.View, done.Stream, n, err)
	return out, at, err
}

// ownSkip returns ErrNotSkipped unless an event of the caller's workspace was
// left out.
func (a *api) ownSkip(ctx context.Context, r *web.Request, view string, position eventstore.Position) error {
	list, err := projections.ListSkipped(ctx, a.cfg.DBOf(view), view, position-1, 1)
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].Position != position {
		return projections.ErrNotSkipped
	}
	of, err := a.workspaceOf(ctx, list[0].Stream, list[0].Revision)
	if err == nil && of != r.Workspace {
		err = projections.ErrNotSkipped
	}
	return err
}

func (a *api) unskip(ctx context.Context, r *web.Request, in *inUnskip) (out Skipped, at eventstore.Position, err error) {
	position := eventstore.Position(in.Body.Position)
	if position == 0 {
		return out, 0, ErrPosition
	}
	if at, err = a.at(ctx, in.View); err != nil {
		return out, 0, err
	}
	if err := a.ownSkip(ctx, r, in.View, position); err != nil {
		return out, 0, err
	}
	undone, err := projections.Unskip(ctx, a.cfg, in.View, position, r.Actor())
	return newSkipped(undone), at, err
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

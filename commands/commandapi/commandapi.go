// Package commandapi is the POST, PUT, PATCH and DELETE side of the HTTP API:
// each route turns a request into one command and its Result into an answer.
//
// A transcript is a GET of it, and so is a proof, since their download is an event.
//
// It decides nothing and reads no view. An answer is a function of the request
// and the Result alone, so that the repeat of a request is answered alike.
package commandapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/web"
)

// ErrNoAgent refuses what only a member of staff can do.
var ErrNoAgent = fault.New(fault.Forbidden, "auth.no_agent", "the token belongs to no member of staff")

type api struct {
	*commands.Commands
	store  eventstore.Store
	files  Files
	proofs Proofs
	now    func() time.Time

	downloads *downloads
}

// Endpoints returns the routes that change something.
func Endpoints(c *commands.Commands, store eventstore.Store, files Files, proofs Proofs, now func() time.Time) []web.Endpoint {
	a := &api{c, store, files, proofs, now, &downloads{underWay: map[string]int{}}}
	return slices.Concat(a.routes(), []web.Endpoint{a.uploadFile()}, a.quickReplies(), a.savedViews(), a.customViews(), a.groups(), a.campaigns(), a.templates(), a.schedules(), a.settings(), a.offers())
}

// caller is on whose behalf a command runs, in the forms that commands take.
type caller struct {
	commands.Origin
	By     chat.AgentID // the agent, or the token of a program
	Agent  string       // "" if the token belongs to no member of staff
	Bot    bool
	Senior bool // may change what is somebody else's
	At     time.Time
}

// Written is what the answer to a write says.
type Written struct {
	ID       string              `json:"id" doc:"Of the thing that was changed or made."`
	Revision eventstore.Revision `json:"revision" doc:"The new revision, for If-Match."`
	Position eventstore.Position `json:"position" doc:"Of the write in the log, for min_position."`
	Changed  bool                `json:"changed" doc:"False if nothing had to be done."`
}

// QueuedMessage is the answer to a message.
type QueuedMessage struct {
	Written
	Chat  string `json:"chat"`
	State string `json:"state" enum:"queued" doc:"The message is on its way; the conversation shows how far it got."`
}

// WrittenNote is the answer to a new note.
type WrittenNote struct {
	Written
	Chat string `json:"chat"`
}

// WrittenOrderNote is the answer to a new note on an order.
type WrittenOrderNote struct {
	Written
	Order string `json:"order"`
}

func written(r commands.Result) Written {
	return Written{r.ID, r.Revision, r.Position, r.Changed}
}

// answers is the status of the answer to a write, if it is not 200.
type answers int

// write returns the endpoint of a command whose answer is a Written.
func write[I any](a *api, route string, roles []agent.Role, summary string, do func(context.Context, caller, *I) (commands.Result, error), options ...any) web.Endpoint {
	return respond(a, route, roles, summary, do, func(r commands.Result, _ caller, _ *I) Written { return written(r) }, options...)
}

// respond returns the endpoint of a command with an answer of its own. The
// options are a status and a longer description.
func respond[I, B any](a *api, route string, roles []agent.Role, summary string, do func(context.Context, caller, *I) (commands.Result, error), body func(commands.Result, caller, *I) B, options ...any) web.Endpoint {
	method, path, _ := strings.Cut(route, " ")
	r := web.Route{Method: method, Path: path, Tag: tagOf(path), Summary: summary, Roles: roles}
	for _, o := range options {
		switch o := o.(type) {
		case answers:
			r.Status = int(o)
		case string:
			r.Description = o
		}
	}
	return web.NewEndpoint(r, func(ctx context.Context, req *web.Request, in *I) (*web.Answer[B], error) {
		c, err := a.caller(req)
		if err != nil {
			return nil, err
		}
		res, err := do(ctx, c, in)
		if err != nil {
			return nil, refusal(err)
		}
		return &web.Answer[B]{ETag: web.ETag(res.Revision), Position: web.Position(res.Position), Body: body(res, c, in)}, nil
	}, nil)
}

// tagOf returns "chats" for /v1/chats/{chat}/claim.
func tagOf(path string) string {
	tag, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	return tag
}

func (a *api) caller(r *web.Request) (caller, error) {
	c := caller{
		Origin: commands.Origin{
			Workspace: r.Workspace, Actor: r.Actor(), ActorKind: commands.ActorAgent, Traceparent: r.Traceparent,
		},
		By: chat.AgentID(r.Actor()), Agent: r.Agent, At: a.now().UTC().Truncate(time.Microsecond),
		Bot:    r.Role == agent.RoleBot,
		Senior: r.Role == agent.RoleSupervisor || r.Role == agent.RoleAdmin,
	}
	if c.Bot {
		c.ActorKind = commands.ActorBot
	}
	if r.IfMatch != nil {
		revision := eventstore.Revision(*r.IfMatch)
		c.IfMatch = &revision
	}
	if r.Key != "" {
		c.Keyed, c.Fingerprint = true, r.Fingerprint()
		c.Command = ids.Command("http", r.Workspace, r.Actor(), r.Method, r.Path, r.Key)
		return c, nil
	}
	var err error
	if c.Command, err = uuid.NewV7(); err != nil {
		return c, fmt.Errorf("make a command id: %w", err)
	}
	return c, nil
}

// change runs what a PATCH asks for.
func change[S, E any](ctx context.Context, c caller, run func(context.Context, commands.Origin, ...func(S) ([]E, error)) (result, error), changes []func(S) ([]E, error)) (result, error) {
	if len(changes) == 0 {
		return result{}, web.BadRequest(web.CodeInvalid, "body", "nothing to change is given")
	}
	return run(ctx, c.Origin, changes...)
}

// made returns r with the id of what the command made, which is in its first
// event under name: the things of one list share a stream.
func (a *api) made(ctx context.Context, c caller, stream, name string, r commands.Result, err error) (commands.Result, error) {
	if err != nil || !r.Changed {
		return r, err
	}
	return a.madeIn(ctx, c, stream+"-"+c.Workspace, name, r)
}

// madeIn is made for a stream that is not named after the workspace.
func (a *api) madeIn(ctx context.Context, c caller, stream, name string, r commands.Result) (commands.Result, error) {
	q := eventstore.StreamQuery{Event: ids.Event(c.Command, 0), Limit: 1}
	for e, err := range a.store.ReadStream(ctx, stream, q) {
		if err != nil {
			return r, fmt.Errorf("read %s: %w", stream, err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(e.Data, &fields); err != nil {
			return r, fmt.Errorf("decode %s: %w", e.Type, err)
		}
		if err := json.Unmarshal(fields[name], &r.ID); err != nil {
			return r, fmt.Errorf("decode %s of %s: %w", name, e.Type, err)
		}
	}
	return r, nil
}

// called returns r as the result about the thing with this id.
func called(id string, r commands.Result, err error) (commands.Result, error) {
	r.ID = id
	return r, err
}

// outside names the place of a refusal that is about no part of the body.
func outside(err error, what *fault.Error, location string) error {
	if errors.Is(err, what) {
		return web.BadRequest(what.Code, location, what.Msg)
	}
	return err
}

// refusal makes the answer to a stale If-Match, which says what happened since,
// and tells a log that cannot be reached from a fault of ours.
func refusal(err error) error {
	if errors.Is(err, commands.ErrUnavailable) {
		return fmt.Errorf("%w: %w", web.ErrUnavailable, err)
	}
	var stale *commands.Stale
	if !errors.As(err, &stale) {
		return err
	}
	since := make([]web.Change, 0, len(stale.Since))
	for _, r := range stale.Since {
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			return err
		}
		c := web.Change{Revision: int64(r.Revision), Type: r.Type, At: r.Time, Actor: meta.Actor, Data: r.Data}
		if r.Category() == "webhook" {
			c.Data = json.RawMessage("{}") // what a provider delivered is not for everybody, and large
		}
		since = append(since, c)
	}
	return web.StaleProblem(fmt.Sprintf("the present revision is %d, not %d", stale.Got, stale.Want), int64(stale.Got), since)
}

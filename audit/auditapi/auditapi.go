// Package auditapi is the HTTP API for auditors: how far the proof of the log is,
// what was signed, and that one checkpoint follows from another.
//
// The proof of a chat is not here but in commands/commandapi, since whoever takes
// it with them is in the log. It never runs a command and never appends to the log.
package auditapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Refusals.
var (
	ErrNoCheckpoint = fault.New(fault.NotFound, "audit.no_checkpoint", "nothing was signed at that size")
	ErrSize         = fault.Bad("to", "audit.bad_size", "there is no tree of such a size")
)

type api struct{ tree *audit.Tree }

// Endpoints returns the routes about a tree.
func Endpoints(tree *audit.Tree) []web.Endpoint {
	a := &api{tree}
	return []web.Endpoint{
		endpoint("/v1/audit", "How far the proof of the log is", a.status,
			"The log is hashed into a Merkle tree, whose size and root are signed. Keep the key and some checkpoints where nobody who runs this server can change them: then they prove what the log held (docs/audit.md)."),
		endpoint("/v1/audit/checkpoints", "List what was signed, the last first", a.list,
			"Of the present tree."),
		a.checkpoint(),
		endpoint("/v1/audit/consistency", "Prove that a newer tree has all that an older one had", a.consistency,
			"The hashes are those of RFC 6962, section 2.1.2. `chatledger audit consistency` checks them against two checkpoints."),
	}
}

// auditors are those who may ask for proofs.
func auditors() []agent.Role { return []agent.Role{agent.RoleAuditor, agent.RoleAdmin} }

func endpoint[I, B any](path, summary string, handle func(context.Context, *web.Request, *I) (B, eventstore.Position, error), description string) web.Endpoint {
	route := web.Route{Method: http.MethodGet, Path: path, Tag: "audit", Summary: summary, Description: description, Roles: auditors()}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *I) (*answer[B], error) {
		body, at, err := handle(ctx, r, in)
		if err != nil {
			return nil, refusal(err)
		}
		return &answer[B]{web.Position(at), body}, nil
	}, nil)
}

func refusal(err error) error {
	switch {
	case errors.Is(err, audit.ErrNoCheckpoint):
		return ErrNoCheckpoint
	case errors.Is(err, audit.ErrSize):
		return ErrSize
	}
	return err
}

type answer[B any] struct {
	Position string `header:"Position" doc:"The position of the log that the tree reflects."`
	Body     B
}

// Proven is how far the tree is.
type Proven struct {
	Origin    string            `json:"origin" example:"chatledger/0190a1b2-0000-7000-8000-000000000000/1" doc:"Names the tree, in its checkpoints and its key."`
	Key       string            `json:"key" doc:"The public key that checks what was signed. Get it on another way, too: who can alter the log can alter this answer."`
	Size      int64             `json:"size" doc:"Events in the tree."`
	Position  int64             `json:"position" doc:"Of the last event in it."`
	Head      int64             `json:"head" doc:"Where the log ends."`
	UpdatedAt time.Time         `json:"updated_at" doc:"When the tree grew last."`
	Problem   string            `json:"problem,omitempty" doc:"Why the tree is not extended: the log is another, ends earlier, or was altered."`
	Last      *SignedCheckpoint `json:"last_checkpoint,omitempty" doc:"What was signed last."`
}

// SignedCheckpoint is what was signed of the tree.
type SignedCheckpoint struct {
	Size     int64     `json:"size" doc:"Events in the tree."`
	Root     string    `json:"root" doc:"The root of the tree, in base64."`
	Position int64     `json:"position" doc:"Of the last event in it."`
	SignedAt time.Time `json:"signed_at"`
	Note     string    `json:"note" doc:"The signed text, of the form of c2sp.org/tlog-checkpoint."`
}

func newCheckpoint(c audit.Checkpoint) SignedCheckpoint {
	return SignedCheckpoint{c.Size, c.Root.String(), int64(c.Position), c.SignedAt, c.Note}
}

func (a *api) status(ctx context.Context, r *web.Request, in *struct{ web.Read }) (out Proven, at eventstore.Position, err error) {
	if err := in.Await(ctx, r, a.tree.Wait); err != nil {
		return out, 0, err
	}
	s, err := a.tree.Status(ctx)
	if err != nil {
		return out, 0, err
	}
	out = Proven{Origin: s.Origin, Size: s.Size, Position: int64(s.Position), Head: int64(s.Head), UpdatedAt: s.UpdatedAt}
	if s.Problem != nil {
		out.Problem = s.Problem.Error()
	}
	if out.Key, err = a.tree.Key(ctx); err != nil {
		return out, 0, err
	}
	list, err := a.tree.Checkpoints(ctx, 0, 1)
	if len(list) > 0 {
		last := newCheckpoint(list[0])
		out.Last = &last
	}
	return out, s.Position, err
}

type inList struct {
	Cursor string `query:"cursor" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"50 if it is not given."`
}

func (a *api) list(ctx context.Context, _ *web.Request, in *inList) (out web.List[SignedCheckpoint], at eventstore.Position, err error) {
	const name = "checkpoints"
	limit, err := cursor.Limit(in.Limit)
	if err != nil {
		return out, 0, err
	}
	var below int64
	if in.Cursor != "" {
		if err := cursor.Decode(name, in.Cursor, &below); err != nil {
			return out, 0, err
		}
	}
	list, err := a.tree.Checkpoints(ctx, below, limit+1)
	if err != nil {
		return out, 0, err
	}
	var next string
	if len(list) > limit {
		list = list[:limit]
		next = cursor.Encode(name, list[limit-1].Size)
	}
	items := make([]SignedCheckpoint, len(list))
	for i, c := range list {
		items[i] = newCheckpoint(c)
		at = max(at, c.Position)
	}
	return web.NewList(items, next), at, nil
}

// noteText is a checkpoint as it is to be kept: every byte of it counts.
type noteText struct {
	ContentType string `header:"Content-Type"`
	Position    string `header:"Position" doc:"Of the last event in the checkpoint."`
	Body        []byte
}

func (a *api) checkpoint() web.Endpoint {
	type input struct {
		web.Read
		Size int64 `query:"size" minimum:"1" doc:"The checkpoint of this size; the last one if it is not given."`
	}
	route := web.Route{
		Method: http.MethodGet, Path: "/v1/audit/checkpoint", Tag: "audit", Summary: "Download a signed checkpoint",
		Description: "A text of a few lines: the name of the tree, its size, its root, and the signature. With min_position it is the first that has the events up to there; the tree is signed for it if need be.",
		Roles:       auditors(), ContentType: "text/plain",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *input) (*noteText, error) {
		if err := in.Await(ctx, r, a.tree.Wait); err != nil {
			return nil, err
		}
		c, err := a.find(ctx, in.Size, in.Min())
		if err != nil {
			return nil, refusal(err)
		}
		return &noteText{"text/plain; charset=utf-8", web.Position(c.Position), []byte(c.Note)}, nil
	}, func(op *huma.Operation) {
		op.Responses["200"].Description = "The checkpoint"
	})
}

func (a *api) find(ctx context.Context, size int64, covering eventstore.Position) (c audit.Checkpoint, err error) {
	switch {
	case size > 0:
		return a.tree.CheckpointAt(ctx, size)
	case covering > 0:
		return a.tree.Covering(ctx, covering)
	}
	list, err := a.tree.Checkpoints(ctx, 0, 1)
	if err == nil && len(list) == 0 {
		err = audit.ErrNoCheckpoint
	}
	if err != nil {
		return c, err
	}
	return list[0], nil
}

// Consistency proves that one tree follows from another.
type Consistency struct {
	From  int64    `json:"from"`
	To    int64    `json:"to"`
	Proof []string `json:"proof" nullable:"false" doc:"Hashes in base64."`
}

type inConsistency struct {
	From int64 `query:"from" minimum:"1" required:"true" doc:"The size of the older tree."`
	To   int64 `query:"to" minimum:"1" required:"true" doc:"The size of the newer tree."`
}

func (a *api) consistency(ctx context.Context, _ *web.Request, in *inConsistency) (out Consistency, at eventstore.Position, err error) {
	proof, err := a.tree.Consistency(ctx, in.From, in.To)
	if errors.Is(err, audit.ErrSize) {
		return out, 0, ErrSize.With(fmt.Sprintf("want 1 ≤ from ≤ to, and to no more than the tree has: %v", err))
	}
	if err != nil {
		return out, 0, err
	}
	s, err := a.tree.Status(ctx)
	out = Consistency{in.From, in.To, make([]string, len(proof))}
	for i, h := range proof {
		out.Proof[i] = h.String()
	}
	return out, s.Position, err
}

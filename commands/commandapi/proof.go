package commandapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/transcript"
	"github.com/chatledger/chatledger/internal/web"
)

// Proofs proves what the log has. It is an audit.Tree.
type Proofs interface {
	Wait(ctx context.Context, at eventstore.Position) error
	NewBundle(ctx context.Context, q audit.BundleQuery) (*audit.Bundle, error)
}

type inProof struct {
	Chat chat.ID `path:"chat"`
	AsOf int64   `query:"as_of" minimum:"1" doc:"A position of the log: nothing behind it is in the proof. The end of the log if it is not given. To check a transcript, its as_of."`
	Wait int     `query:"wait" minimum:"1" maximum:"10" doc:"How many seconds to wait until the events are hashed; 5 if it is not given. If that takes too long the answer is 503, and nothing is recorded."`
}

// hashedTime is how many seconds a request waits for events to be hashed.
const hashedTime = 5

// proof takes the events of a chat out, as a transcript does its text: who takes
// them is in the log before the first byte is sent.
func (a *api) proof() web.Endpoint {
	route := web.Route{
		Method: http.MethodGet, Path: "/v1/chats/{chat}/proof", Tag: "audit", Summary: "Download the proof of a chat",
		Description: "The events of the chat as they were recorded, and those with the names that a transcript of it has, each with the hashes that lead from it to a signed checkpoint: lines of JSON, which `chatledger audit verify` checks without a server. " +
			"Each download is an event of the chat, as that of a transcript is, with the format `proof`; a repeat with the same Idempotency-Key is not another one.",
		Roles: []agent.Role{agent.RoleAuditor, agent.RoleAdmin}, Stream: true, Records: true, ContentType: "application/x-ndjson",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *inProof) (_ *web.Stream, err error) {
		leave, err := a.beginDownload(r)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				leave()
			}
		}()
		c, err := a.caller(r)
		if err != nil {
			return nil, err
		}
		cmd := chat.DownloadTranscript{Format: chat.TranscriptProof, Notes: true, Events: true, Zone: "UTC", By: c.By, Hidden: true}
		if cmd.AsOf, err = a.asOf(ctx, r.Workspace, in.Chat, in.AsOf); err != nil {
			return nil, refusal(err)
		}
		if err := a.hashed(ctx, eventstore.Position(cmd.AsOf), in.Wait); err != nil {
			return nil, err
		}
		res, err := a.Chats.DownloadTranscript(ctx, c.Origin, in.Chat, cmd)
		if err != nil {
			return nil, refusal(err)
		}
		recorded, err := a.downloaded(ctx, c, in.Chat)
		if err != nil {
			return nil, err
		}
		b, err := a.bundle(ctx, in.Chat, eventstore.Position(recorded.AsOf))
		if err != nil {
			return nil, err
		}
		return web.NewStream(func(w http.ResponseWriter, r *http.Request) {
			defer leave()
			h := w.Header()
			h.Set("Content-Type", "application/x-ndjson")
			h.Set("Content-Disposition", `attachment; filename="`+filename(in.Chat, recorded)+`.ndjson"`)
			h.Set("Position", web.Position(eventstore.Position(recorded.AsOf)))
			h.Set("ETag", web.ETag(res.Revision))
			out := &patient{w: w, control: http.NewResponseController(w), now: a.now}
			if err := b.Write(r.Context(), out); err != nil {
				panic(http.ErrAbortHandler) // half a proof must not look like a whole one
			}
		}), nil
	}, func(op *huma.Operation) {
		ok := op.Responses["200"]
		ok.Description = "The proof: a line with the checkpoint, one for each event, and one that says how many they are"
		text := &huma.Schema{Type: huma.TypeString}
		ok.Headers = map[string]*huma.Param{
			"Position": {Schema: text, Description: "The position of the log that the proof reflects."},
			"ETag":     {Schema: text, Description: "The chat's revision after the download, for If-Match."},
		}
	})
}

// hashed waits until the events up to a position can be proven.
func (a *api) hashed(ctx context.Context, at eventstore.Position, seconds int) error {
	soon, cancel := context.WithTimeout(ctx, time.Duration(cmp.Or(seconds, hashedTime))*time.Second)
	defer cancel()
	err := a.proofs.Wait(soon, at)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return web.Unavailable(web.CodeNotReached, fmt.Sprintf("position %d is not hashed yet: GET /v1/audit says how far the proof is", at), time.Second)
	}
	return err
}

// bundle returns the proof of all that a transcript of the chat is made from.
func (a *api) bundle(ctx context.Context, id chat.ID, at eventstore.Position) (*audit.Bundle, error) {
	streams, err := transcript.Sources(ctx, a.store, string(id), at)
	if err != nil {
		return nil, refusal(fmt.Errorf("%w: read chat: %w", commands.ErrUnavailable, err))
	}
	return a.proofs.NewBundle(ctx, audit.BundleQuery{Chat: string(id), Streams: streams, AsOf: at})
}

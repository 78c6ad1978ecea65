package readapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/web"
)

// Codes of the stream.
const (
	codeStreams  = "stream.too_many"
	codeResume   = "stream.resume_point"
	codeStarting = "stream.starting"
)

// startTimeout bounds how long a client waits for a server that is starting.
const startTimeout = 2 * time.Second

// inChanges says where to begin. The header is what a browser sends when it
// reconnects; it is newer than the address it was given first.
type inChanges struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event received."`
	After       string `query:"after" doc:"The position to begin behind, such as the Position of a list. Without it and without Last-Event-ID: from now."`
}

func (in inChanges) after() (p eventstore.Position, given bool, err error) {
	location, value := "header.Last-Event-ID", in.LastEventID
	if value == "" {
		location, value = "query.after", in.After
	}
	if value == "" {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != value {
		return 0, false, web.BadRequest(codeResume, location, "want a position of the log")
	}
	return eventstore.Position(n), true, nil
}

func (a *API) changes() web.Endpoint {
	route := web.Route{
		Method: http.MethodGet, Path: "/v1/changes", Tag: "changes", Summary: "Follow what happens",
		Description: "Server-sent events, as the role may see them. The id of each is its position in the log. " +
			"Now and then an event without data moves the id on, so that a client that reconnects resumes where it was. " +
			"A client that does not keep up gets an event named cutoff, whose data says where to resume, and is disconnected.",
		Roles: anyone, Stream: true, ContentType: "text/event-stream",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *inChanges) (*web.Stream, error) {
		after, given, err := in.after()
		if err != nil {
			return nil, err
		}
		starting, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		select {
		case <-a.hub.started:
		case <-starting.Done():
			return nil, web.Unavailable(codeStarting, "the server has just started", time.Second)
		}
		head, err := a.Store.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the head: %w", err)
		}
		if !given {
			after = head.Position
		}
		if after > head.Position {
			return nil, web.NewProblem(http.StatusBadRequest, codeResume, fmt.Sprintf("the log ends at %d: was it restored?", head.Position))
		}
		leave, ok := a.hub.enter(r.TokenID)
		if !ok {
			return nil, web.NewProblem(http.StatusTooManyRequests, codeStreams, fmt.Sprintf("a token may have %d streams at once", a.Stream.PerToken))
		}
		s := &stream{api: a, request: r, after: after, role: r.Role}
		return web.NewStream(func(w http.ResponseWriter, r *http.Request) {
			defer leave()
			s.serve(r.Context(), w)
		}), nil
	}, func(op *huma.Operation) {
		op.Responses["200"].Content["text/event-stream"].Example = "id: 42\nevent: chat.claimed.v1\n" +
			`data: {"position":42,"type":"chat.claimed.v1","subject":{"kind":"chat","id":"0b5…"},"revision":3,"at":"2026-01-31T12:00:00Z","actor":"6fa…","actor_kind":"agent","data":{"by":"6fa…"}}` + "\n\n"
	})
}

// stream is one client of the stream of changes.
type stream struct {
	api     *API
	request *web.Request
	after   eventstore.Position // up to here, the client has got everything
	role    agent.Role

	w       http.ResponseWriter
	control *http.ResponseController
}

// Reasons why a stream ends, as the cutoff event gives them.
const (
	cutSlow     = "slow"     // the client did not keep up
	cutToken    = "token"    // the token is no longer valid
	cutShutdown = "shutdown" // the server stops
	cutFailure  = "failure"  // the log could not be read
)

func (s *stream) serve(ctx context.Context, w http.ResponseWriter) {
	s.w, s.control = w, http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Position", web.Position(s.after))
	h.Set("X-Accel-Buffering", "no")
	if s.write([]byte(": chatledger\n\n")) != nil {
		return
	}
	m := &member{workspace: s.request.Workspace, sees: sees(s.role)}
	reason, err := s.catchUp(ctx, m)
	if err == nil && reason == "" {
		defer s.api.hub.leave(m)
		reason, err = s.live(ctx, m)
	}
	if reason != "" && ctx.Err() == nil && err == nil {
		_ = s.write(fmt.Appendf(nil, "id: %d\nevent: cutoff\ndata: {\"reason\":%q,\"resume_after\":%d}\n\n", s.after, reason, s.after))
	}
}

// catchUp reads the log up to its end, joins the hub, and reads what came in
// between. It returns a reason or an error if the stream is over.
func (s *stream) catchUp(ctx context.Context, m *member) (reason string, err error) {
	if reason, err = s.replay(ctx, m, 0); reason != "" || err != nil {
		return reason, err
	}
	joined := s.api.hub.join(m, s.after)
	if joined > s.after {
		reason, err = s.replay(ctx, m, joined)
	}
	if reason != "" || err != nil {
		s.api.hub.leave(m)
	}
	return reason, err
}

// replay writes what the log holds behind s.after, up to a position (0: to the
// end).
func (s *stream) replay(ctx context.Context, m *member, upTo eventstore.Position) (reason string, err error) {
	recheck := s.api.Now().Add(s.api.Stream.Recheck)
	for r, err := range s.api.Store.ReadAll(ctx, eventstore.AllQuery{After: s.after, Categories: streamed}) {
		if err != nil {
			if ctx.Err() == nil {
				s.api.Log.Error("read the log for a stream", "error", err, "request", s.request.ID)
			}
			return cutFailure, nil
		}
		if upTo > 0 && r.Position > upTo {
			break
		}
		f, err := newFrame(r)
		if err != nil {
			continue // the hub says so when it comes by, and it goes to nobody
		}
		if f.text != nil && m.wants(f) {
			if err := s.write(f.text); err != nil {
				return "", err
			}
		}
		s.after = max(s.after, f.position)
		if now := s.api.Now(); now.After(recheck) {
			if s.revoked(ctx) {
				return cutToken, nil
			}
			recheck = now.Add(s.api.Stream.Recheck)
		}
	}
	s.after = max(s.after, upTo)
	return "", nil
}

// live writes what the hub hands over, until the client goes or is let go.
func (s *stream) live(ctx context.Context, m *member) (reason string, err error) {
	heartbeat := time.NewTicker(s.api.Stream.Heartbeat)
	defer heartbeat.Stop()
	recheck := time.NewTicker(s.api.Stream.Recheck)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case f, open := <-m.queue:
			switch {
			case !open && m.slow:
				return cutSlow, nil
			case !open:
				return cutShutdown, nil
			case f.position <= s.after:
				continue // came while the log was read
			}
			if err := s.write(f.text); err != nil {
				return "", err
			}
			s.after = f.position
		case <-heartbeat.C:
			if at, idle := s.api.hub.reached(m); idle {
				s.after = max(s.after, at)
			}
			if err := s.write(fmt.Appendf(nil, ": still here\nid: %d\n\n", s.after)); err != nil {
				return "", err
			}
		case <-recheck.C:
			if s.revoked(ctx) {
				return cutToken, nil
			}
		}
	}
}

// revoked reports whether the token was revoked or has expired. That it cannot
// be found out just now is no reason to end the stream.
func (s *stream) revoked(ctx context.Context) bool {
	return errors.Is(s.request.Recheck(ctx), web.ErrToken)
}

// write sends text at once, and gives up on a client that does not take it.
func (s *stream) write(text []byte) error {
	if err := s.control.SetWriteDeadline(s.api.Now().Add(s.api.Stream.Write)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}

package readapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
)

// A hub follows the log once for all streams of the process. A stream reads the
// log itself until it is near the end, then joins.
type hub struct {
	store  eventstore.Store
	config StreamConfig
	log    *slog.Logger

	started chan struct{} // closed once position is known

	mu       sync.Mutex
	position eventstore.Position // up to here, everything was handed to the members
	members  map[*member]struct{}
	tokens   map[string]int // streams, by token
	stopped  bool
}

// member is a stream that has joined.
type member struct {
	workspace string
	sees      map[string]bool     // categories
	after     eventstore.Position // up to here it read the log itself
	queue     chan frame          // closed when the hub lets go of the member
	slow      bool                // why it did; set before queue is closed
}

// frame is an event, ready to be written.
type frame struct {
	position  eventstore.Position
	workspace string
	category  string
	text      []byte
}

func newHub(store eventstore.Store, c StreamConfig, log *slog.Logger) *hub {
	return &hub{
		store: store, config: c, log: log, started: make(chan struct{}),
		members: map[*member]struct{}{}, tokens: map[string]int{},
	}
}

// streamed lists the categories that anybody sees in the stream. What providers
// delivered and what requests were answered are not among them.
var streamed = []string{"chat", "order", "agent", "teams", "tags", "statuses", "channel", "workspace", "bulk", "contact", "attributes", "groups", "members", "campaign", "call"}

// sees returns the categories that a role sees.
func sees(role agent.Role) map[string]bool {
	all := map[string]bool{}
	for _, c := range streamed {
		all[c] = true
	}
	if role == agent.RoleAgent || role == agent.RoleBot {
		delete(all, "workspace")
		delete(all, "bulk")
		delete(all, "campaign")
	}
	return all
}

// run follows the log until ctx ends, then lets go of every member.
func (h *hub) run(ctx context.Context) error {
	defer h.stop()
	begun := false
	for pause := 100 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		err := h.follow(ctx, &begun)
		if ctx.Err() != nil || errors.Is(err, eventstore.ErrClosed) {
			break
		}
		h.log.Error("follow the log for streams", slog.Any("error", err))
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
	return nil
}

func (h *hub) follow(ctx context.Context, begun *bool) error {
	if !*begun {
		head, err := h.store.Head(ctx)
		if err != nil {
			return fmt.Errorf("read the head: %w", err)
		}
		h.mu.Lock()
		h.position = head.Position
		h.mu.Unlock()
		*begun = true
		close(h.started)
	}
	h.mu.Lock()
	after := h.position
	h.mu.Unlock()
	for r, err := range h.store.ReadAll(ctx, eventstore.AllQuery{After: after, Categories: streamed, Follow: true}) {
		if err != nil {
			return err
		}
		f, err := newFrame(r)
		if err != nil {
			h.log.Error("show an event to streams", slog.String("type", r.Type), slog.Int64("position", int64(r.Position)), slog.Any("error", err))
			f = frame{position: r.Position} // goes to nobody; the stream goes on
		}
		h.publish(f)
	}
	return nil
}

// publish hands an event to who may see it. Who has no room for it is let go.
func (h *hub) publish(f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = max(h.position, f.position)
	if f.text == nil {
		return
	}
	for m := range h.members {
		if !m.wants(f) || f.position <= m.after {
			continue
		}
		select {
		case m.queue <- f:
		default:
			m.slow = true
			h.drop(m)
		}
	}
}

func (m *member) wants(f frame) bool { return m.workspace == f.workspace && m.sees[f.category] }

func (h *hub) drop(m *member) {
	if _, there := h.members[m]; there {
		delete(h.members, m)
		close(m.queue)
	}
}

func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for m := range h.members {
		h.drop(m)
	}
}

// join makes m, which has read the log up to after, a member, and returns the
// position behind which it gets everything. A hub that is behind m does not
// repeat what m has. A hub that has stopped lets go of it at once.
func (h *hub) join(m *member, after eventstore.Position) eventstore.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.after = after
	m.queue = make(chan frame, h.config.Buffer)
	h.members[m] = struct{}{}
	if h.stopped {
		h.drop(m)
	}
	return h.position
}

func (h *hub) leave(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(m)
}

// reached returns the position up to which m, whose queue the caller alone
// empties, has got everything.
func (h *hub) reached(m *member) (p eventstore.Position, idle bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position, len(m.queue) == 0
}

// enter counts a stream of a token, unless it has too many.
func (h *hub) enter(token string) (leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens[token] >= h.config.PerToken {
		return nil, false
	}
	h.tokens[token]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.tokens[token]--; h.tokens[token] == 0 {
			delete(h.tokens, token)
		}
	}, true
}

// StreamedEvent is the data of one server-sent event.
type StreamedEvent struct {
	Position  eventstore.Position `json:"position"`
	Type      string              `json:"type" example:"chat.assigned.v1"`
	Subject   Subject             `json:"subject"`
	Revision  eventstore.Revision `json:"revision"`
	At        time.Time           `json:"at"`
	Actor     string              `json:"actor"`
	ActorKind string              `json:"actor_kind" example:"agent"`
	Data      json.RawMessage     `json:"data"`
}

// Subject is what an event is about.
type Subject struct {
	Kind string `json:"kind" example:"chat" doc:"chat, call, order, contact, agent, teams, tags, statuses, attributes, groups, members, campaign, channel, workspace or bulk"`
	ID   string `json:"id" doc:"Of the chat, call, order, contact, agent, channel, campaign or bulk operation, of members their group's; of teams, tags, statuses, attributes and groups the workspace's."`
}

// newFrame returns a mark as a frame without text.
func newFrame(r eventstore.Recorded) (frame, error) {
	f := frame{position: r.Position}
	if r.IsMark() {
		return f, nil
	}
	meta, err := eventstore.DecodeMetadata(r)
	if err != nil {
		return f, err
	}
	at := r.Time
	if !meta.OccurredAt.IsZero() {
		at = meta.OccurredAt
	}
	kind, id, _ := strings.Cut(r.Stream, "-")
	switch {
	case kind == "bulk", kind == "members", kind == "campaign":
		r.Data, err = withoutItems(r.Data)
	case kind == "call", r.Type == chat.CallRequested{}.EventType():
		r.Data, err = withoutOffer(r.Data)
	}
	if err != nil {
		return f, fmt.Errorf("shorten %s: %w", r.Type, err)
	}
	data, err := json.Marshal(StreamedEvent{
		Position: r.Position, Type: r.Type, Subject: Subject{kind, id}, Revision: r.Revision, At: at.UTC(),
		Actor: meta.Actor, ActorKind: meta.ActorKind, Data: r.Data,
	})
	if err != nil {
		return f, fmt.Errorf("encode %s: %w", r.Type, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", r.Position, r.Type, data)
	f.workspace, f.category, f.text = meta.Workspace, kind, b.Bytes()
	return f, nil
}

// withoutItems leaves the items of a bulk operation, or the members of a group, out of
// an event: there are hundreds. GET /v1/bulk/{job}/items and the like have them.
func withoutItems(data []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	for _, name := range []string{"items", "ids", "revisions", "except", "added", "removed", "contacts", "recipients"} {
		if v, ok := fields[name]; ok && len(v) > 0 && v[0] == '[' {
			delete(fields, name)
		}
	}
	return json.Marshal(fields)
}

// withoutOffer leaves the caller's end of a call out of an event: nobody but the
// provider is shown it.
func withoutOffer(data []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	delete(fields, "offer")
	return json.Marshal(fields)
}

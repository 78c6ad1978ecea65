package eventstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Metadata is what Event.Meta holds: who, why and when. The two names with a
// dollar sign are EventStoreDB's convention, so that its own projections by
// correlation work on our events.
type Metadata struct {
	Workspace   string    `json:"workspace,omitempty"`
	Actor       string    `json:"actor,omitempty"`      // an agent's id, a customer's id in the channel, or a reactor's name
	ActorKind   string    `json:"actor_kind,omitempty"` // agent, bot, customer or system
	Channel     string    `json:"channel,omitempty"`    // the channel's id, if one was involved
	Command     string    `json:"command,omitempty"`    // the name of the command, such as "chat.claim"
	CommandID   string    `json:"command_id,omitempty"` // equal for a command and its repeats
	Request     string    `json:"request,omitempty"`    // fingerprint of what was asked, to tell a repeat from a reuse
	Correlation string    `json:"$correlationId,omitempty"`
	Causation   string    `json:"$causationId,omitempty"` // id of the event or command that led to this one
	OccurredAt  time.Time `json:"occurred_at,omitzero"`   // UTC; when it happened outside, if known
	Traceparent string    `json:"traceparent,omitempty"`  // W3C Trace Context
}

// Encode returns m as JSON.
func (m Metadata) Encode() ([]byte, error) { return json.Marshal(m) }

// DecodeMetadata returns the Metadata of a recorded event. Fields it does not
// know are ignored; no metadata at all is the zero Metadata.
func DecodeMetadata(r Recorded) (m Metadata, err error) {
	if len(r.Meta) == 0 {
		return m, nil
	}
	// This is done for every event that is read, and nearly all are as Encode
	// writes them. The rest is for the coming encoding/json/v2, as lenient as the
	// present one.
	if m.scan(string(r.Meta)) {
		return m, nil
	}
	m = Metadata{}
	err = jsonv2.Unmarshal(r.Meta, &m, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		return m, fmt.Errorf("eventstore: %s@%d: metadata: %w", r.Stream, r.Revision, err)
	}
	return m, nil
}

// scan reads an object of plain strings: without white space, escapes or fields
// it does not know. It reports whether s was one; if not, m is undefined. The
// fields share the memory of s.
func (m *Metadata) scan(s string) bool {
	if len(s) < 2 || s[0] != '{' {
		return false
	}
	for s = s[1:]; ; {
		name, rest, ok := plainString(s)
		if !ok || rest == "" || rest[0] != ':' {
			return false
		}
		value, rest, ok := plainString(rest[1:])
		if !ok || rest == "" || !m.set(name, value) {
			return false
		}
		if rest == "}" {
			return true
		}
		if rest[0] != ',' {
			return false
		}
		s = rest[1:]
	}
}

// plainString returns what is between the quotes that s begins with, and what is
// behind them.
func plainString(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[1:i], s[i+1:], true
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return "", "", false
		}
	}
	return "", "", false
}

func (m *Metadata) set(name, value string) bool {
	switch name {
	case "workspace":
		m.Workspace = value
	case "actor":
		m.Actor = value
	case "actor_kind":
		m.ActorKind = value
	case "channel":
		m.Channel = value
	case "command":
		m.Command = value
	case "command_id":
		m.CommandID = value
	case "request":
		m.Request = value
	case "$correlationId":
		m.Correlation = value
	case "$causationId":
		m.Causation = value
	case "traceparent":
		m.Traceparent = value
	case "occurred_at":
		at, err := time.Parse(time.RFC3339Nano, value)
		m.OccurredAt = at
		return err == nil && len(value) >= len("2006-01-02T15:04:05Z") && value[len(value)-1] == 'Z' && !strings.Contains(value, ",")
	default:
		return false
	}
	return true
}

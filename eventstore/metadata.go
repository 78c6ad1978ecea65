package eventstore

import (
	"encoding/json"
	"fmt"
	"time"

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
	// The coming encoding/json/v2, as lenient as the present one, in a third of
	// the time: this is done for every event that is read.
	err = jsonv2.Unmarshal(r.Meta, &m, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		return m, fmt.Errorf("eventstore: %s@%d: metadata: %w", r.Stream, r.Revision, err)
	}
	return m, nil
}

// Package publishing makes CloudEvents of the events of the log, for others to read.
//
// It says what is published and how it is addressed. Which events are, and when, is up
// to the reactor that publishes them; each broker has a folder of its own.
package publishing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// ContentType is that of an encoded Event.
const ContentType = "application/cloudevents+json"

// MaxData is how many bytes of data an Event has at most. NATS and Kafka take messages
// of 1 MB unless they are set up otherwise.
const MaxData = 512 << 10

// Event is an event of the log as a CloudEvent 1.0 in structured mode: attributes and
// data are one JSON object, which reads the same whatever it came through.
//
// An integer of CloudEvents has 32 bits, so that positions are strings.
type Event struct {
	SpecVersion string    `json:"specversion"`
	ID          uuid.UUID `json:"id"`
	Source      string    `json:"source"` // the log: see Source
	Type        string    `json:"type"`
	Subject     string    `json:"subject"` // the stream
	Time        time.Time `json:"time"`    // when the log took it
	ContentType string    `json:"datacontenttype"`

	Position    eventstore.Position `json:"position,string"`
	Revision    eventstore.Revision `json:"revision,string"`
	Workspace   string              `json:"workspace,omitempty"`
	Actor       string              `json:"actor,omitempty"`
	ActorKind   string              `json:"actorkind,omitempty"`
	Correlation string              `json:"correlationid,omitempty"`
	Causation   string              `json:"causationid,omitempty"`
	Traceparent string              `json:"traceparent,omitempty"`

	DataSize int             `json:"datasize,string,omitempty"` // bytes of data that were left out, being too many
	Data     json.RawMessage `json:"data,omitempty"`
	Binary   []byte          `json:"data_base64,omitempty"` // data that is no JSON
}

// Source names a log as the source of its events.
func Source(store uuid.UUID) string { return store.URN() }

// New returns the CloudEvent of an event of a log.
func New(source string, r eventstore.Recorded) Event {
	// Metadata that cannot be read is of somebody else's making: the event is published
	// without.
	meta, err := eventstore.DecodeMetadata(r)
	if err != nil {
		meta = eventstore.Metadata{}
	}
	e := Event{
		SpecVersion: "1.0", ID: r.ID, Source: source, Type: r.Type, Subject: r.Stream, Time: r.Time.UTC(), ContentType: "application/json",
		Position: r.Position, Revision: r.Revision,
		Workspace: meta.Workspace, Actor: meta.Actor, ActorKind: meta.ActorKind,
		Correlation: meta.Correlation, Causation: meta.Causation, Traceparent: meta.Traceparent,
	}
	switch {
	case len(r.Data) > MaxData:
		e.DataSize = len(r.Data)
	case json.Valid(r.Data):
		e.Data = r.Data
	default:
		e.ContentType, e.Binary = "application/octet-stream", r.Data
	}
	return e
}

// Encode returns e as JSON.
func (e Event) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode CloudEvent of %s: %w", e.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode returns the Event that Encode has written.
func Decode(b []byte) (e Event, err error) {
	if err := json.Unmarshal(b, &e); err != nil {
		return Event{}, fmt.Errorf("decode CloudEvent: %w", err)
	}
	if e.SpecVersion != "1.0" || e.ID == uuid.Nil || e.Position <= 0 || e.Subject == "" {
		return Event{}, fmt.Errorf("decode CloudEvent: it is none of ours")
	}
	return e, nil
}

// InLog returns what tells whether an event that was published is still in a log, where
// it was: in one that was restored from a backup it may not be.
func InLog(store eventstore.Store) func(context.Context, Event) (bool, error) {
	return func(ctx context.Context, e Event) (bool, error) {
		for r, err := range store.ReadStream(ctx, e.Subject, eventstore.StreamQuery{Event: e.ID, Limit: 1}) {
			if err != nil {
				return false, fmt.Errorf("look for %s in %s: %w", e.ID, e.Subject, err)
			}
			return r.ID == e.ID && r.Position == e.Position, nil
		}
		return false, nil
	}
}

package feed

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Metadata keys of a message. Its UUID is the event's id, its payload the
// event's data.
const (
	MetaStream      = "stream"
	MetaRevision    = "revision"
	MetaPosition    = "position"
	MetaType        = "type"
	MetaRecorded    = "recorded_at"    // RFC 3339 with microseconds
	MetaEvent       = "meta"           // the event's metadata, JSON
	MetaCorrelation = "correlation_id" // as Watermill's middleware calls it
	MetaDelivery    = "delivery"       // counted from 1
)

// newMessage returns the message for the n-th delivery of r.
func newMessage(ctx context.Context, r eventstore.Recorded, n int) *message.Message {
	m := message.NewMessageWithContext(ctx, r.ID.String(), r.Data)
	m.Metadata = message.Metadata{
		MetaStream:   r.Stream,
		MetaRevision: strconv.FormatInt(int64(r.Revision), 10),
		MetaPosition: strconv.FormatInt(int64(r.Position), 10),
		MetaType:     r.Type,
		MetaRecorded: r.Time.UTC().Format(time.RFC3339Nano),
		MetaEvent:    string(r.Meta),
		MetaDelivery: strconv.Itoa(n),
	}
	if meta, err := eventstore.DecodeMetadata(r); err == nil && meta.Correlation != "" {
		m.Metadata[MetaCorrelation] = meta.Correlation
	}
	return m
}

// Recorded returns the event that a message of a Feed carries.
func Recorded(m *message.Message) (r eventstore.Recorded, err error) {
	fail := func(what string, err error) (eventstore.Recorded, error) {
		return eventstore.Recorded{}, fmt.Errorf("feed: read %s of message %s: %w", what, m.UUID, err)
	}
	if r.ID, err = uuid.Parse(m.UUID); err != nil {
		return fail("id", err)
	}
	rev, err := strconv.ParseInt(m.Metadata[MetaRevision], 10, 64)
	if err != nil {
		return fail("revision", err)
	}
	pos, err := strconv.ParseInt(m.Metadata[MetaPosition], 10, 64)
	if err != nil {
		return fail("position", err)
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, m.Metadata[MetaRecorded]); err != nil {
		return fail("time", err)
	}
	r.Type, r.Stream = m.Metadata[MetaType], m.Metadata[MetaStream]
	r.Data, r.Meta = m.Payload, []byte(m.Metadata[MetaEvent])
	r.Revision, r.Position = eventstore.Revision(rev), eventstore.Position(pos)
	return r, nil
}

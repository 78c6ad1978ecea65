package publishing

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/chatledger/chatledger/eventstore"
)

// Metadata of a message. Its UUID is the event's id, its payload the encoded Event.
const (
	metaStream   = "stream"
	metaPosition = "position"
)

// Message returns the Watermill message that carries e.
func (e Event) Message(ctx context.Context) (*message.Message, error) {
	payload, err := e.Encode()
	if err != nil {
		return nil, err
	}
	m := message.NewMessageWithContext(ctx, e.ID.String(), payload)
	m.Metadata = message.Metadata{metaStream: e.Subject, metaPosition: strconv.FormatInt(int64(e.Position), 10)}
	return m, nil
}

// Stream returns the stream of the event that a message carries.
func Stream(m *message.Message) string { return m.Metadata[metaStream] }

// Position returns the position of the event that a message carries.
func Position(m *message.Message) (eventstore.Position, error) {
	at, err := strconv.ParseInt(m.Metadata[metaPosition], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read position of message %s: %w", m.UUID, err)
	}
	return eventstore.Position(at), nil
}

// Topic returns WORKSPACE.TYPE, such as "acme.chat.opened.v1": what a subscriber can
// choose events by. The workspace is one word of it whatever it is called; of an event
// without one it is "_".
func (e Event) Topic() string {
	if e.Workspace == "" {
		return "_." + e.Type
	}
	return word(e.Workspace) + "." + e.Type
}

// word writes what must not be in a word of a topic as %XX, as URLs do.
func word(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

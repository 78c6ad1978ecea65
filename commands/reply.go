package commands

import (
	"bytes"
	"context"
	"fmt"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
)

// replyReach is how many events of a chat are looked through for the message of the
// customer that one is to answer: the state does not keep them. It costs half a second at
// most; a message of late is found in a few milliseconds.
const replyReach = 50_000

// answered completes what a message is to answer with what the provider calls that, if
// it is one of the customer. What is not found is for the decision to refuse. It is found
// before the decision, which holds the chat: what it is called never changes, and whoever
// else is at the chat is not to wait for a long look at it.
func answered(ctx context.Context, chats *aggregate[chat.State, chat.Event], workspace string, id chat.ID, r *chat.RepliedTo) (*chat.RepliedTo, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // it answers nothing
	}
	known := false
	err := chats.with(ctx, string(id), func(s chat.State) error {
		known = s.Workspace != workspace || s.Ours(r.Message)
		return nil
	})
	if err != nil || known {
		return r, err
	}
	out := chat.RepliedTo{Message: r.Message}
	if r.Message == "" {
		return &out, nil
	}
	latest := eventstore.StreamQuery{Backwards: true, Limit: replyReach}
	for rec, err := range chats.store.ReadStream(ctx, "chat-"+string(id), latest) {
		if err != nil {
			return nil, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		if rec.Type != (chat.MessageReceived{}).EventType() || !bytes.Contains(rec.Data, []byte(r.Message)) {
			continue
		}
		e, err := chats.codec.Decode(rec)
		if err != nil {
			return nil, err
		}
		if m, ok := e.(chat.MessageReceived); ok && m.Message == r.Message {
			out.ProviderID = m.ProviderID
			break
		}
	}
	return &out, nil
}

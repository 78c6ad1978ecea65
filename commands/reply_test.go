package commands_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
)

// lookedThrough is a log in which something happens while a stream is read backwards.
type lookedThrough struct {
	eventstore.Store
	meanwhile func()
}

func (l *lookedThrough) ReadStream(ctx context.Context, stream string, q eventstore.StreamQuery) iter.Seq2[eventstore.Recorded, error] {
	if q.Backwards {
		l.meanwhile()
	}
	return l.Store.ReadStream(ctx, stream, q)
}

// While a chat is looked through for the message that one is to answer, others go on in
// it: whoever makes up a message holds up nobody.
func TestTheMessageToAnswerIsLookedForBesides(t *testing.T) {
	w := newWorld(t)
	log := &lookedThrough{Store: w.store}
	w.Commands = commands.New(log, commands.Options{})
	looked := 0
	log.meanwhile = func() {
		looked++
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o := by(ann)
		w.ok(w.Chats.AddNote(ctx, o, one, chat.AddNote{Note: commands.NewNote(o), Text: "call back", By: chat.AgentID(ann), At: time.Now()}))
	}
	for _, send := range []func() error{
		func() error {
			_, err := w.Chats.Send(t.Context(), by(bob), one, chat.SendMessage{
				Message: "m1", Outgoing: chat.Outgoing{Text: "hi", ReplyTo: &chat.RepliedTo{Message: "made up"}}, By: chat.AgentID(bob), At: time.Now(),
			})
			return err
		},
		func() error {
			_, err := w.QuickReplies.Send(t.Context(), by(bob), one, chat.SendMessage{
				Message: "m1", Outgoing: chat.Outgoing{ReplyTo: &chat.RepliedTo{Message: "made up"}}, By: chat.AgentID(bob), At: time.Now(),
			}, commands.Use{})
			return err
		},
	} {
		if err := send(); !errors.Is(err, chat.ErrReplyUnknown) {
			t.Errorf("%v", err)
		}
	}
	if _, err := w.Chats.React(t.Context(), by(bob), one, chat.React{Message: "made up", Emoji: "👍", By: chat.AgentID(bob), At: time.Now()}); !commands.IsRefusal(err) {
		t.Errorf("%v", err)
	}
	if looked != 3 {
		t.Errorf("looked %d times", looked)
	}
}

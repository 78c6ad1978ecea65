package commands

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Calls runs the commands of package call.
type Calls struct {
	calls    *aggregate[call.State, call.Event]
	chats    *aggregate[chat.State, chat.Event]
	channels *aggregate[channel.State, channel.Event]
	contacts Contacts
}

// Request calls the customer of a chat: it takes the chat's line, then opens the
// call. The result is the call's. If the program ends between the two, the reactor
// that makes calls opens it.
func (c Calls) Request(ctx context.Context, o Origin, in chat.ID, cmd chat.RequestCall) (Result, error) {
	o = o.identified()
	_, err := c.chats.do(ctx, o, "chat.request_call", string(in), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		cmd := cmd
		err := c.channels.with(ctx, s.Channel, func(s channel.State) error {
			if s.Connected {
				cmd.Provider = s.Calls
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if s.Call != "" && s.Call != cmd.Call {
			err := c.calls.with(ctx, s.Call, func(k call.State) error {
				if k.Phase.Over() {
					cmd.Over = s.Call
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		if cmd.Blocked, err = c.contacts.blocked(ctx, o.Workspace, s.Customer); err != nil {
			return nil, err
		}
		events, err := cmd.Decide(s)
		if err != nil || len(events) == 0 {
			return events, err
		}
		// What the call itself would refuse is refused before the line is taken.
		_, err = newCall(o.Workspace, in, s, events[0].(chat.CallRequested)).Decide(call.State{})
		return events, err
	})
	if err != nil {
		return Result{}, err
	}
	// What the log has counts: this may be a repeat, whose first run asked at another
	// time.
	var asked chat.CallRequested
	for r, err := range c.chats.store.ReadStream(ctx, "chat-"+string(in), eventstore.StreamQuery{Event: ids.Event(o.Command, 0), Limit: 1}) {
		if err != nil {
			return Result{}, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		e, err := c.chats.codec.Decode(r)
		if err != nil {
			return Result{}, err
		}
		asked, _ = e.(chat.CallRequested)
	}
	if asked.Call == "" {
		return Result{}, call.ErrNotFound
	}
	return c.Open(ctx, o, in, asked)
}

// Open begins the call that a chat asks for. Once more gives the first result.
func (c Calls) Open(ctx context.Context, o Origin, in chat.ID, asked chat.CallRequested) (Result, error) {
	o = o.part(ids.Command("open call", asked.Call))
	var cmd call.Request
	err := c.chats.with(ctx, string(in), func(s chat.State) error {
		if s.Workspace != o.Workspace {
			return chat.ErrNotFound
		}
		cmd = newCall(o.Workspace, in, s, asked)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	return c.calls.do(ctx, o, "call.request", asked.Call, decides(cmd.Decide))
}

func newCall(workspace string, in chat.ID, s chat.State, e chat.CallRequested) call.Request {
	return call.Request{Requested: call.Requested{
		Workspace: workspace, Chat: string(in), Channel: s.Channel, Customer: s.Customer,
		Phone: e.Phone, Provider: call.Provider(e.Provider), Offer: e.Offer, By: string(e.By), At: e.At,
	}}
}

// Report records how far a call got.
func (c Calls) Report(ctx context.Context, o Origin, id call.ID, cmd call.Report) (Result, error) {
	return c.calls.do(ctx, o, "call.report", string(id), decides(cmd.Decide))
}

// AnswerSession records the other end of a call's media.
func (c Calls) AnswerSession(ctx context.Context, o Origin, id call.ID, cmd call.AnswerSession) (Result, error) {
	return c.calls.do(ctx, o, "call.answer_session", string(id), decides(cmd.Decide))
}

// RequestEnd cancels a call or hangs up.
func (c Calls) RequestEnd(ctx context.Context, o Origin, id call.ID, cmd call.RequestEnd) (Result, error) {
	return c.calls.do(ctx, o, "call.request_end", string(id), decides(cmd.Decide))
}

// End records that a call which staff wanted to end has ended.
func (c Calls) End(ctx context.Context, o Origin, id call.ID, cmd call.End) (Result, error) {
	return c.calls.do(ctx, o, "call.end", string(id), decides(cmd.Decide))
}

// TimeOut ends a call whose provider has said nothing for too long.
func (c Calls) TimeOut(ctx context.Context, o Origin, id call.ID, cmd call.TimeOut) (Result, error) {
	return c.calls.do(ctx, o, "call.time_out", string(id), decides(cmd.Decide))
}

// Look calls use with the present state of a call of the workspace.
func (c Calls) Look(ctx context.Context, workspace string, id call.ID, use func(call.State) error) error {
	return c.calls.with(ctx, string(id), func(s call.State) error {
		if s.Phase == "" || s.Request.Workspace != workspace {
			return call.ErrNotFound
		}
		return use(s)
	})
}

// NewCall returns the id of the call that the command o makes.
func NewCall(o Origin) call.ID { return call.ID(ids.Of(o.Command, "call")) }

package commands

import (
	"context"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/internal/ids"
)

// Orders runs the commands of package order.
type Orders struct {
	orders *aggregate[order.State, order.Event]
	chats  *aggregate[chat.State, chat.Event]
	agents Agents
	tags   Tags

	talk      *Chats
	templates *Templates
}

// Place starts an order. If it names a chat, that must be one of the workspace.
func (c Orders) Place(ctx context.Context, o Origin, id order.ID, cmd order.Place) (Result, error) {
	return c.orders.do(ctx, o, "order.place", string(id), func(ctx context.Context, s order.State) ([]order.Event, error) {
		var err error
		if cmd.Chat != "" && cmd.Message == "" { // one placed by a message comes with its chat
			err = c.chats.with(ctx, cmd.Chat, func(s chat.State) error {
				if !s.Exists || s.Deleted || s.Workspace != o.Workspace {
					return chat.ErrNotFound
				}
				cmd.Channel, cmd.Customer = s.Channel, s.Customer
				return nil
			})
		}
		return after(err, cmd.Decide, s)
	})
}

// Refuse keeps an order that cannot be taken, with the reason.
func (c Orders) Refuse(ctx context.Context, o Origin, id order.ID, cmd order.Refuse) (Result, error) {
	return c.orders.do(ctx, o, "order.refuse", string(id), decides(cmd.Decide))
}

// Notice asks for the customer to be told of an order's new status, by a message
// in the order's chat.
type Notice struct {
	Text     string       // "": a sentence that names the status
	Template *UseTemplate // to be sent instead of a text
	By       string
	Bot      bool // By is a bot, not a person
	At       time.Time
}

// Confirm says that the shop takes the order. As with the other steps, tell may
// be nil; if it is not, the step is refused if the chat would refuse the message
// now.
func (c Orders) Confirm(ctx context.Context, o Origin, id order.ID, cmd order.Confirm, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.confirm", id, cmd, tell)
}

// Process says that the shop works on the order.
func (c Orders) Process(ctx context.Context, o Origin, id order.ID, cmd order.Process, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.process", id, cmd, tell)
}

// Ship says that the order is on its way.
func (c Orders) Ship(ctx context.Context, o Origin, id order.ID, cmd order.Ship, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.ship", id, cmd, tell)
}

// Deliver says that the customer has it.
func (c Orders) Deliver(ctx context.Context, o Origin, id order.ID, cmd order.Deliver, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.deliver", id, cmd, tell)
}

// Cancel ends an order that was not shipped.
func (c Orders) Cancel(ctx context.Context, o Origin, id order.ID, cmd order.Cancel, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.cancel", id, cmd, tell)
}

// Return says that the customer sent it back.
func (c Orders) Return(ctx context.Context, o Origin, id order.ID, cmd order.Return, tell *Notice) (Result, error) {
	return c.step(ctx, o, "order.return", id, cmd, tell)
}

// step moves an order on, and asks for the customer to be told in the same
// append: the reactor that tells them finds it there.
func (c Orders) step(ctx context.Context, o Origin, name string, id order.ID, cmd order.Step, tell *Notice) (Result, error) {
	if tell == nil {
		return c.orders.do(ctx, o, name, string(id), decides(cmd.Decide))
	}
	o = o.identified()
	told := order.Tell{Step: cmd, Message: string(NewMessage(o)), Text: tell.Text, By: tell.By, Bot: tell.Bot, At: tell.At}
	return c.orders.do(ctx, o, name, string(id), func(ctx context.Context, s order.State) ([]order.Event, error) {
		told := told
		events, err := told.Decide(s)
		if err != nil || len(events) == 0 {
			return nil, err
		}
		if tell.Template != nil {
			if told.Text, told.Template, err = c.fill(ctx, o, s.Chat, *tell.Template); err != nil {
				return nil, err
			}
			if events, err = told.Decide(s); err != nil {
				return nil, err
			}
		}
		n, ok := events[len(events)-1].(order.NoticeRequested)
		if !ok {
			return nil, fmt.Errorf("tell of %s: the last event is a %s", name, events[len(events)-1].EventType())
		}
		err = c.chats.with(ctx, n.Chat, func(cs chat.State) error {
			if cs.Workspace != o.Workspace {
				return chat.ErrNotFound
			}
			send := chat.SendMessage{
				Message: chat.MessageID(n.Message), Outgoing: chat.Outgoing{Text: n.Text}, By: chat.AgentID(n.By), Bot: n.Bot, At: n.At,
			}
			var err error
			if send.Blocked, send.Window, err = c.talk.reach(ctx, cs); err != nil {
				return err
			}
			if n.Template != nil {
				send.Window = 0 // a template can always be sent
			}
			_, err = send.Decide(cs)
			return err
		})
		return events, err
	})
}

// fill returns how a template reads in the chat of an order, and what is to be sent.
func (c Orders) fill(ctx context.Context, o Origin, id string, u UseTemplate) (text string, use *order.NoticeTemplate, err error) {
	err = c.chats.with(ctx, id, func(s chat.State) error {
		if !s.Exists || s.Workspace != o.Workspace {
			return chat.ErrNotFound
		}
		out, err := c.templates.fillFor(ctx, o.Workspace, s, &u)
		if err != nil {
			return err
		}
		text, use = out.Text, &order.NoticeTemplate{ID: string(u.Template), Header: u.Values.Header, Body: u.Values.Body, Buttons: u.Values.Buttons}
		if u.Values.Media != nil {
			file := order.NoticeFile(*u.Values.Media)
			use.Media = &file
		}
		return nil
	})
	return text, use, err
}

// TemplateOf returns which template a notice is; nil if it is a text.
func TemplateOf(n order.NoticeRequested) *UseTemplate {
	t := n.Template
	if t == nil {
		return nil
	}
	u := &UseTemplate{Template: template.ID(t.ID), Values: template.Values{Header: t.Header, Body: t.Body, Buttons: t.Buttons}}
	if t.Media != nil {
		file := template.File(*t.Media)
		u.Values.Media = &file
	}
	return u
}

// Chat returns the chat of an order of the workspace; "" if it has none.
func (c Orders) Chat(ctx context.Context, workspace string, id order.ID) (of chat.ID, err error) {
	err = c.orders.with(ctx, string(id), func(s order.State) error {
		if !s.Exists || s.Workspace != workspace {
			return order.ErrNotFound
		}
		of = chat.ID(s.Chat)
		return nil
	})
	return of, err
}

// SetPayment says how the payment of the order stands.
func (c Orders) SetPayment(ctx context.Context, o Origin, id order.ID, cmd order.SetPayment) (Result, error) {
	return c.orders.do(ctx, o, "order.set_payment", string(id), decides(cmd.Decide))
}

// Assign makes an active agent responsible for the order.
func (c Orders) Assign(ctx context.Context, o Origin, id order.ID, cmd order.Assign) (Result, error) {
	return c.orders.do(ctx, o, "order.assign", string(id), func(ctx context.Context, s order.State) ([]order.Event, error) {
		var err error
		if cmd.To != "" {
			err = c.agents.mayHold(ctx, o.Workspace, cmd.To)
		}
		return after(err, cmd.Decide, s)
	})
}

// Unassign leaves the order to nobody.
func (c Orders) Unassign(ctx context.Context, o Origin, id order.ID, cmd order.Unassign) (Result, error) {
	return c.orders.do(ctx, o, "order.unassign", string(id), decides(cmd.Decide))
}

// ChangeTags adds and removes tags of an order, as Chats.ChangeTags does of a
// chat.
func (c Orders) ChangeTags(ctx context.Context, o Origin, id order.ID, cmd ChangeTags) (Result, error) {
	o = o.identified()
	return c.orders.do(ctx, o, "order.change_tags", string(id), func(ctx context.Context, s order.State) ([]order.Event, error) {
		// Decide first on what is known, so that no tag is made for an order that
		// cannot be tagged.
		if _, err := (order.ChangeTags{Add: cmd.Add, Remove: cmd.Remove}).Decide(s); err != nil {
			return nil, err
		}
		delta, err := c.tags.resolve(ctx, o, cmd, func(id string) bool { _, there := s.Tags[id]; return there })
		if err != nil || len(delta.Add)+len(delta.Remove) == 0 {
			return nil, err
		}
		return order.ChangeTags{Add: delta.Add, Remove: delta.Remove}.Decide(s)
	})
}

// AddNote puts a private note on the order.
func (c Orders) AddNote(ctx context.Context, o Origin, id order.ID, cmd order.AddNote) (Result, error) {
	return c.orders.do(ctx, o, "order.add_note", string(id), decides(cmd.Decide))
}

// EditNote replaces the text of a note.
func (c Orders) EditNote(ctx context.Context, o Origin, id order.ID, cmd order.EditNote) (Result, error) {
	return c.orders.do(ctx, o, "order.edit_note", string(id), decides(cmd.Decide))
}

// DeleteNote takes a note away.
func (c Orders) DeleteNote(ctx context.Context, o Origin, id order.ID, cmd order.DeleteNote) (Result, error) {
	return c.orders.do(ctx, o, "order.delete_note", string(id), decides(cmd.Decide))
}

// EndNotice says what became of a message that tells the customer of a status.
func (c Orders) EndNotice(ctx context.Context, o Origin, id order.ID, cmd order.EndNotice) (Result, error) {
	return c.orders.do(ctx, o, "order.end_notice", string(id), decides(cmd.Decide))
}

// NewOrder returns the id of the order that the command o places: made of the
// caller's own id for it, if there is one.
func NewOrder(o Origin, external string) order.ID {
	if external != "" {
		return order.ID(ids.ExternalOrder(o.Workspace, external))
	}
	return order.ID(ids.Of(o.Command, "order"))
}

// NewOrderNote returns the id of the note that the command o makes.
func NewOrderNote(o Origin) order.NoteID { return order.NoteID(ids.Of(o.Command, "note")) }

package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/ids"
)

// QuickReplies runs the commands of package quickreply, and sends messages made
// from quick replies. All quick replies of a place are in one stream; a Result's
// revision is that stream's.
type QuickReplies struct {
	replies    *aggregate[quickreply.State, quickreply.Event]
	chats      *aggregate[chat.State, chat.Event]
	agents     Agents
	teams      Teams
	statuses   Statuses
	channels   Channels
	contacts   Contacts
	attributes Attributes
	workspaces *aggregate[workspace.State, workspace.Event]
}

// Writer is who uses or changes quick replies.
type Writer struct {
	Agent  string // the id of a member of staff; "" for a program
	Senior bool   // may change those of teams and the workspace, and use those of every team
}

// Create adds a quick reply to a place. Its id is made from its shortcut.
func (c QuickReplies) Create(ctx context.Context, o Origin, w Writer, cmd quickreply.Create) (Result, error) {
	cmd.Workspace, cmd.By = o.Workspace, o.Actor
	return c.do(ctx, o, mayChange(w, cmd.Place), "quickreply.create", cmd.Place.String(), func(ctx context.Context, s quickreply.State) ([]quickreply.Event, error) {
		if cmd.Place.Scope == quickreply.Team && cmd.Place.Of != "" {
			if err := c.teams.exists(ctx, o.Workspace, team.ID(cmd.Place.Of)); err != nil {
				return nil, err
			}
		}
		if r, ok := s.Find(cmd.Shortcut); ok {
			cmd.Reply = r.ID
		} else {
			slug := freeSlug(quickreply.Shortcut(cmd.Shortcut), func(slug string) bool { _, used := s.Get(cmd.Place.ID(slug)); return used })
			cmd.Reply = cmd.Place.ID(slug)
		}
		var err error
		cmd.Attributes, err = c.named(ctx, o, cmd.Text)
		return after(err, cmd.Decide, s)
	})
}

// named returns the ids of the workspace's attributes that a text names. What is
// wrong with the text is for the command to refuse.
func (c QuickReplies) named(ctx context.Context, o Origin, text string) (known []string, err error) {
	var ids []string
	if t, err := quickreply.Parse(text); err == nil {
		ids = t.Attributes()
	}
	if len(ids) == 0 {
		return nil, nil
	}
	err = c.attributes.attributes.with(ctx, o.Workspace, func(s attribute.State) error {
		for _, id := range ids {
			if a, ok := s.Find(id); ok && string(a.ID) == id {
				known = append(known, id)
			}
		}
		return nil
	})
	return known, err
}

// Edit makes a new version of a quick reply.
func (c QuickReplies) Edit(ctx context.Context, o Origin, w Writer, cmd quickreply.Edit) (Result, error) {
	cmd.By = o.Actor
	return c.change(ctx, o, w, "quickreply.edit", cmd.Reply, func(ctx context.Context, s quickreply.State) (_ []quickreply.Event, err error) {
		if cmd.Text != nil {
			cmd.Attributes, err = c.named(ctx, o, *cmd.Text)
		}
		return after(err, cmd.Decide, s)
	})
}

// Archive takes a quick reply out of use.
func (c QuickReplies) Archive(ctx context.Context, o Origin, w Writer, cmd quickreply.Archive) (Result, error) {
	cmd.By = o.Actor
	return c.change(ctx, o, w, "quickreply.archive", cmd.Reply, decides(cmd.Decide))
}

// Restore takes an archived quick reply back into use.
func (c QuickReplies) Restore(ctx context.Context, o Origin, w Writer, cmd quickreply.Restore) (Result, error) {
	cmd.By = o.Actor
	return c.change(ctx, o, w, "quickreply.restore", cmd.Reply, decides(cmd.Decide))
}

func (c QuickReplies) change(ctx context.Context, o Origin, w Writer, name string, id quickreply.ID, decide decideFunc[quickreply.State, quickreply.Event]) (Result, error) {
	at, ok := id.Place()
	refusal := mayChange(w, at)
	if !ok {
		refusal = quickreply.ErrNotFound
	}
	res, err := c.do(ctx, o, refusal, name, at.String(), decide)
	res.ID = string(id)
	return res, err
}

// do runs a command on the quick replies of a place. If it is refused from the
// start, the answer is kept all the same; what an old If-Match has missed is then
// not for the caller.
func (c QuickReplies) do(ctx context.Context, o Origin, refusal error, name, place string, decide decideFunc[quickreply.State, quickreply.Event]) (Result, error) {
	if refusal != nil {
		o.IfMatch = nil
		decide = func(context.Context, quickreply.State) ([]quickreply.Event, error) { return nil, refusal }
	}
	return c.replies.do(ctx, o, name, ids.QuickReplies(o.Workspace, place), decide)
}

// Find returns the quick reply in use that has a shortcut in a place.
func (c QuickReplies) Find(ctx context.Context, workspace string, at quickreply.Place, shortcut string) (id quickreply.ID, err error) {
	err = c.replies.with(ctx, ids.QuickReplies(workspace, at.String()), func(s quickreply.State) error {
		r, ok := s.Find(shortcut)
		if !ok {
			return quickreply.ErrNotFound
		}
		id = r.ID
		return nil
	})
	return id, err
}

// stream returns the id of the stream of a place.
func stream(o Origin, at quickreply.Place) string { return ids.QuickReplies(o.Workspace, at.String()) }

// mayChange refuses whoever a place is not to be changed by. A personal quick
// reply is nobody else's business.
func mayChange(w Writer, at quickreply.Place) error {
	switch {
	case at.Scope == quickreply.Personal && (w.Agent == "" || at.Of != w.Agent):
		return quickreply.ErrNotFound
	case at.Scope != quickreply.Personal && !w.Senior:
		return quickreply.ErrNotYours
	}
	return nil
}

// mayUse refuses whoever does not see a place.
func (c QuickReplies) mayUse(ctx context.Context, o Origin, w Writer, at quickreply.Place) error {
	switch at.Scope {
	case quickreply.Personal:
		return mayChange(w, at)
	case quickreply.Team:
		return c.teams.teams.with(ctx, o.Workspace, func(s team.State) error {
			id := team.ID(at.Of)
			if !s.Exists(id) || !w.Senior && !slices.Contains(s.Members(id), w.Agent) {
				return quickreply.ErrNotFound
			}
			return nil
		})
	}
	return nil
}

// Use is what a text is to be made of.
type Use struct {
	Reply   quickreply.ID
	Version int64             // that the caller has seen; 0 if any will do
	Values  map[string]string // of the custom placeholders
	By      Writer
}

// Filled is a text made from a quick reply.
type Filled struct {
	Reply   quickreply.ID
	Version int64
	Text    string
}

// Preview returns the text as it would be sent in a chat now.
func (c QuickReplies) Preview(ctx context.Context, o Origin, id chat.ID, u Use) (f Filled, err error) {
	err = c.chats.with(ctx, string(id), func(s chat.State) error {
		if !s.Exists || s.Deleted || s.Workspace != o.Workspace {
			return chat.ErrNotFound
		}
		f, err = c.fill(ctx, o, id, s, u)
		return err
	})
	return f, err
}

// Send queues a message made from a quick reply. The text and the version are
// decided together: what was previewed is what is sent, or it is refused.
func (c QuickReplies) Send(ctx context.Context, o Origin, id chat.ID, cmd chat.SendMessage, u Use) (Result, error) {
	var err error
	if cmd.ReplyTo, err = answered(ctx, c.chats, o.Workspace, id, cmd.ReplyTo); err != nil {
		return Result{}, err
	}
	return c.chats.do(ctx, o, "chat.send_message", string(id), func(ctx context.Context, s chat.State) ([]chat.Event, error) {
		// Whether the chat takes a message at all comes first: of one that does
		// not, no value is to be told.
		var err error
		if cmd.Window, err = c.channels.window(ctx, s.Channel); err != nil {
			return nil, err
		}
		if cmd.Blocked, err = c.contacts.blocked(ctx, o.Workspace, s.Customer); err != nil {
			return nil, err
		}
		probe := cmd
		probe.Text = "text"
		if events, err := probe.Decide(s); err != nil || len(events) == 0 {
			return nil, err
		}
		f, err := c.fill(ctx, o, id, s, u)
		if err != nil {
			return nil, err
		}
		cmd.Text, cmd.QuickReply = f.Text, &chat.QuickReplyUse{ID: string(f.Reply), Version: f.Version}
		return cmd.Decide(s)
	})
}

// fill makes the text of a quick reply for a chat.
func (c QuickReplies) fill(ctx context.Context, o Origin, id chat.ID, s chat.State, u Use) (f Filled, err error) {
	at, ok := u.Reply.Place()
	if !ok {
		return f, quickreply.ErrNotFound
	}
	if err := c.mayUse(ctx, o, u.By, at); err != nil {
		return f, err
	}
	var r quickreply.Reply
	err = c.replies.with(ctx, stream(o, at), func(s quickreply.State) error {
		var ok bool
		r, ok = s.Get(u.Reply)
		switch {
		case !ok:
			return quickreply.ErrNotFound
		case r.Archived:
			return quickreply.ErrArchived
		case u.Version != 0 && u.Version != r.Version:
			return quickreply.ErrVersion.With(fmt.Sprintf("the quick reply is in version %d, not %d", r.Version, u.Version))
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	t, err := quickreply.Parse(r.Text)
	if err != nil {
		return f, err
	}
	var known map[string]string
	if slices.ContainsFunc(t.Names(), func(name string) bool { return strings.HasPrefix(name, "contact.") }) {
		if known, err = c.contact(ctx, o, s); err != nil {
			return f, err
		}
	}
	values := map[string]string{}
	for _, name := range t.Names() {
		if values[name], err = c.value(ctx, o, id, s, known, u.By, name); err != nil {
			return f, err
		}
	}
	text, err := t.Fill(values, u.Values)
	return Filled{Reply: r.ID, Version: r.Version, Text: text}, err
}

// value returns what a placeholder stands for, as the log has it; "" if there
// is nothing.
func (c QuickReplies) value(ctx context.Context, o Origin, id chat.ID, s chat.State, known map[string]string, w Writer, name string) (v string, err error) {
	about, field, _ := strings.Cut(name, ".")
	switch about {
	case "contact":
		return known[field], nil
	case "agent":
		err = c.agents.Look(ctx, o.Workspace, agent.ID(w.Agent), func(a agent.State) error {
			v = map[string]string{"name": a.Name, "first_name": firstName(a.Name), "email": a.Email}[field]
			return nil
		})
	case "workspace":
		err = c.workspaces.with(ctx, o.Workspace, func(s workspace.State) error {
			v = s.Name
			return nil
		})
	case "chat":
		return c.chatValue(ctx, o, id, s, field)
	}
	return v, absent(err)
}

// contact returns what is known of the customer of a chat: what the contact says,
// and until there is one what was shared in the chat itself.
func (c QuickReplies) contact(ctx context.Context, o Origin, s chat.State) (map[string]string, error) {
	k := s.Known
	known := map[string]string{
		"name": k.Name.Value, "phone": k.Phone.Value, "email": k.Email.Value, "company": k.Company.Value, "city": k.City.Value, "country": k.Country.Value,
	}
	who, err := c.contacts.person(ctx, o.Workspace, ContactID(o.Workspace, s.Customer))
	if err != nil {
		return nil, err
	}
	if who != nil {
		known = who.fields
	}
	known["name"] = cmp.Or(known["name"], k.Profile.Value)
	known["first_name"] = firstName(known["name"])
	if known["phone"] == "" && s.Customer != "" && strings.Trim(s.Customer, "0123456789") == "" {
		known["phone"] = "+" + s.Customer // WhatsApp's id of a customer
	}
	return known, nil
}

func (c QuickReplies) chatValue(ctx context.Context, o Origin, id chat.ID, s chat.State, field string) (v string, err error) {
	switch field {
	case "id":
		return string(id), nil
	case "customer":
		return s.Customer, nil
	case "channel":
		err = c.channels.Look(ctx, channel.ID(s.Channel), func(ch channel.State) error {
			v = ch.Name
			return nil
		})
	case "status":
		err = c.statuses.statuses.with(ctx, o.Workspace, func(all status.State) error {
			item, _ := all.Get(all.Resolve(status.ID(s.Status)))
			v = cmp.Or(item.Name, s.Status)
			return nil
		})
	case "assignee":
		err = c.agents.Look(ctx, o.Workspace, agent.ID(s.Assignee), func(a agent.State) error {
			v = a.Name
			return nil
		})
	case "team":
		err = c.teams.teams.with(ctx, o.Workspace, func(all team.State) error {
			v = all.Name(team.ID(s.Team))
			return nil
		})
	}
	return v, absent(err)
}

// absent makes of what is not there a value that is missing.
func absent(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.NotFound {
		return nil
	}
	return err
}

// firstName is the first word of a name.
func firstName(name string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(name), " ")
	return first
}

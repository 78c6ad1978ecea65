package commands

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
)

// known is what others need to know of a contact, with all its parts.
type known struct {
	fields  map[string]string // by placeholder, without "contact."
	profile bool              // the name is that of a profile
	emails  []string
	phones  []string
	chats   []string
	blocked bool
	deleted bool
	source  contact.Source // of the last details of the one that is shown
	last    time.Time      // that they wrote where Customer is
}

// person returns what is known of a contact, or of the one that it is shown as a part
// of, with all parts of that; nil if it is not there any more.
func (c Contacts) person(ctx context.Context, ws string, id contact.ID) (*known, error) {
	k, err := c.whole(ctx, ws, id)
	if k != nil && k.deleted {
		k = nil
	}
	return k, err
}

// whole is person also for one that was deleted.
func (c Contacts) whole(ctx context.Context, ws string, id contact.ID) (k *known, err error) {
	look := func(id contact.ID, use func(contact.State)) error {
		return absent(c.Look(ctx, ws, id, func(s contact.State) error {
			use(s)
			return nil
		}))
	}
	var root contact.ID
	var parts []contact.ID
	shown := func(s contact.State) {
		if root = s.Into; root != "" || !s.Exists {
			return
		}
		k = &known{fields: map[string]string{}, source: s.Source, deleted: s.Deleted}
		k.add(s)
		for part := range s.Absorbed {
			parts = append(parts, part)
		}
	}
	if err = look(id, shown); err == nil && root != "" {
		err = look(root, shown)
	}
	slices.Sort(parts)
	for _, part := range parts {
		if err == nil {
			err = look(part, k.add)
		}
	}
	return k, err
}

// blocked reports whether a customer is blocked, as a contact or a part of one.
func (c Contacts) blocked(ctx context.Context, workspace, customer string) (bool, error) {
	k, err := c.person(ctx, workspace, ContactID(workspace, customer))
	return k != nil && k.blocked, err
}

// language returns the language of a customer, "" if it is not known.
func (c Contacts) language(ctx context.Context, workspace, customer string) (string, error) {
	k, err := c.person(ctx, workspace, ContactID(workspace, customer))
	if k == nil {
		return "", err
	}
	return k.fields[contact.Language], err
}

// add adds what a contact has, or a part of it: the first that has a value counts, but a
// name that was told before one of a profile.
func (k *known) add(s contact.State) {
	k.blocked = k.blocked || s.Blocked
	k.emails = append(k.emails, s.Fields[contact.Emails].Values...)
	k.phones = append(k.phones, s.Fields[contact.Phones].Values...)
	for id := range s.Chats {
		k.chats = append(k.chats, id)
	}
	for name, v := range held(s) {
		profile := s.Fields[name].Profile
		if k.fields[name] == "" || name == contact.Name && k.profile && !profile {
			k.fields[name] = v
			k.profile = k.profile && name != contact.Name || profile
		}
	}
}

// held returns what a contact has, by placeholder.
func held(s contact.State) map[string]string {
	out := map[string]string{}
	for field, h := range s.Fields {
		switch {
		case len(h.Values) == 0:
		case contact.Many(field): // the first of emails or phones
			out[strings.TrimSuffix(field, "s")] = h.Values[0]
		default:
			out[field] = strings.Join(h.Values, ", ")
		}
	}
	return out
}

// LinkChat links a chat to the contact that its customer is, if they are one.
func (c Contacts) LinkChat(ctx context.Context, o Origin, cmd contact.LinkChat) (Result, error) {
	return c.contacts.do(ctx, o, "contact.link_chat", string(ContactID(o.Workspace, cmd.Link.Customer)), decides(cmd.Decide))
}

// Tell has the chats of a contact, and of those that it is made of, know what it has
// by now. at is when it got it, from the chat where it comes from, which knows; of
// the fields that were emptied they forget what they have. Of a contact that was deleted
// they forget all.
func (c Contacts) Tell(ctx context.Context, o Origin, id contact.ID, at time.Time, from string, emptied ...string) error {
	k, err := c.whole(ctx, o.Workspace, id)
	if err != nil || k == nil {
		return err
	}
	return c.tell(ctx, o, k, from, chat.FollowContact{ShareDetails: chat.ShareDetails{Emptied: emptied, At: at}})
}

// TellApart has the chats of two contacts that were one know what each has, and forget
// what is the other's alone.
func (c Contacts) TellApart(ctx context.Context, o Origin, a, b contact.ID, at time.Time) error {
	one, err := c.person(ctx, o.Workspace, a)
	if err != nil {
		return err
	}
	other, err := c.person(ctx, o.Workspace, b)
	if err != nil {
		return err
	}
	for _, p := range [][2]*known{{one, other}, {other, one}} {
		if p[0] == nil {
			continue
		}
		cmd := chat.FollowContact{ShareDetails: chat.ShareDetails{At: at}}
		if p[1] != nil {
			cmd.Emptied = chat.Details()
			cmd.Only = p[1].values()
		}
		if err := c.tell(ctx, o, p[0], "", cmd); err != nil {
			return err
		}
	}
	return nil
}

// values returns all that others may show of k.
func (k *known) values() []string {
	v := slices.Concat(k.emails, k.phones)
	for _, field := range []string{contact.Name, contact.Company, contact.City, contact.Country} {
		if k.fields[field] != "" {
			v = append(v, k.fields[field])
		}
	}
	return v
}

func (c Contacts) tell(ctx context.Context, o Origin, k *known, from string, cmd chat.FollowContact) error {
	o = o.identified()
	d := &cmd.ShareDetails
	d.Reason, d.By = chat.ContactReason(k.source.Reason), chat.AgentID(k.source.By)
	d.Emails, d.Phones = k.emails, k.phones
	if !k.profile { // which each chat has of its own
		d.Name = k.fields[contact.Name]
	}
	d.Company, d.City, d.Country = k.fields[contact.Company], k.fields[contact.City], k.fields[contact.Country]
	decide := cmd.Decide
	if k.deleted {
		decide = chat.ForgetContact{At: d.At}.Decide
	}
	slices.Sort(k.chats)
	for _, id := range k.chats {
		if id == from {
			continue
		}
		if _, err := c.chats.do(ctx, part(o, "tell "+id), "chat.follow_contact", id, decides(decide)); err != nil {
			return err
		}
	}
	return nil
}

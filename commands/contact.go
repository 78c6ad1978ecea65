package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Contacts runs the commands of package contact. What they say about agents, tags,
// statuses and attributes is checked against the log first.
//
// The id of a contact is derived from its first phone number with a country code,
// which for WhatsApp is the customer's id, else from its first e-mail address. So
// the same person, seen twice, is the same contact, whoever saw it first.
type Contacts struct {
	contacts   *aggregate[contact.State, contact.Event]
	chats      *aggregate[chat.State, chat.Event]
	attributes Attributes
	agents     Agents
	tags       Tags
	statuses   Statuses
}

// ContactID returns the id of the contact that a customer of a channel is.
func ContactID(workspace, customer string) contact.ID {
	return contact.ID(ids.Contact(workspace, customer))
}

// identify returns what a contact's id is derived from, "" if it has nothing that
// only one person has.
func identify(changes []contact.Change) (field, unique string) {
	values := func(field string) []string {
		i := slices.IndexFunc(changes, func(c contact.Change) bool { return c.Field == field })
		if i < 0 {
			return nil
		}
		return changes[i].Values
	}
	for _, v := range values(contact.Phones) {
		if number, ok := contact.Phone(v); ok {
			return contact.Phones, number[1:]
		}
	}
	for _, v := range values(contact.Emails) {
		if v = contact.Email(v); v != "" {
			return contact.Emails, v
		}
	}
	return "", ""
}

// Add makes a contact by hand. If there is one with the number or the address, it
// is refused; one that had it when it was made, and has it no more, is another. Of a
// chat, only the id is given in the command's Link: it is of who its customer is.
func (c Contacts) Add(ctx context.Context, o Origin, cmd contact.Add) (Result, error) {
	changes, err := c.attributes.check(ctx, o.Workspace, cmd.Changes)
	if errors.Is(err, ErrUnavailable) {
		return Result{}, err
	}
	refused := err
	if refused == nil {
		cmd.Changes = changes
	}
	if cmd.Link.Chat != "" {
		err := c.ofChat(ctx, o.Workspace, &cmd)
		if errors.Is(err, ErrUnavailable) {
			return Result{}, err
		}
		refused = cmp.Or(refused, err)
	}
	own := contact.ID(ids.Of(o.Command, "contact"))
	id := own
	if cmd.Link.Customer != "" {
		id = ContactID(o.Workspace, cmd.Link.Customer)
	} else if field, unique := identify(cmd.Changes); unique != "" {
		derived := ContactID(o.Workspace, unique)
		// A repeat belongs where the first run made its contact, whatever that is
		// called by now.
		_, made, err := c.contacts.original(ctx, Origin{}, o.Command, "contact-"+string(derived), string(derived))
		if err != nil {
			return Result{}, err
		}
		if id = derived; !made {
			if id, err = c.vacant(ctx, own, derived, field, unique); err != nil {
				return Result{}, err
			}
		}
	}
	return c.contacts.do(ctx, o, "contact.add", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		if refused != nil {
			return nil, refused
		}
		err := c.initial(ctx, o.Workspace, &cmd.Status, &cmd.Category)
		return after(err, cmd.Decide, s)
	})
}

// ofChat sets what a command has to know of the chat that it names.
func (c Contacts) ofChat(ctx context.Context, workspace string, cmd *contact.Add) error {
	return c.chats.with(ctx, cmd.Link.Chat, func(s chat.State) error {
		if !s.Exists || s.Workspace != workspace {
			return chat.ErrNotFound.At("chat")
		}
		cmd.Link.Channel, cmd.Link.Customer, cmd.Profile = s.Channel, s.Customer, s.Known.Profile.Value
		if s.Deleted {
			return chat.ErrNotFound.At("chat")
		}
		return nil
	})
}

// vacant returns derived, unless own is in use already, or derived is the id of
// somebody who does not have what it was derived from any more.
func (c Contacts) vacant(ctx context.Context, own, derived contact.ID, field, unique string) (contact.ID, error) {
	id := derived
	err := c.contacts.with(ctx, string(own), func(s contact.State) error {
		if s.Exists {
			id = own
		}
		return nil
	})
	if err != nil || id == own {
		return id, err
	}
	err = c.contacts.with(ctx, string(derived), func(s contact.State) error {
		has := slices.ContainsFunc(s.Fields[field].Values, func(v string) bool {
			return strings.TrimPrefix(contact.Email(v), "+") == unique
		})
		if s.Exists && !has {
			id = own
		}
		return nil
	})
	return id, err
}

// initial sets the status that a new contact begins with.
func (c Contacts) initial(ctx context.Context, workspace string, id *string, category *contact.Category) error {
	item, err := c.statuses.initial(ctx, workspace)
	*id, *category = string(item.ID), contact.Category(item.Category)
	return err
}

// Share records what is known of the customer of a chat, who becomes a contact. If a deleted
// one is to come back, so does one that they are a part of.
func (c Contacts) Share(ctx context.Context, o Origin, cmd contact.Record) (Result, error) {
	id := ContactID(o.Workspace, cmd.Link.Customer)
	res, err := c.record(ctx, o, "contact.share", id, cmd)
	if err != nil || !cmd.Revive {
		return res, err
	}
	return c.revive(ctx, o, "contact.share", id, cmd.Source, res)
}

// revive brings back the contact that somebody is a part of, after what led to res.
func (c Contacts) revive(ctx context.Context, o Origin, name string, id contact.ID, from contact.Source, res Result) (Result, error) {
	var into contact.ID
	err := c.Look(ctx, o.Workspace, id, func(s contact.State) error {
		into = s.Into
		return nil
	})
	if err != nil || into == "" {
		return res, err
	}
	back, err := c.contacts.do(ctx, part(o, "revive "+string(into)), name, string(into), decides(contact.Revive{Source: from}.Decide))
	res.Changed = res.Changed || back.Changed
	res.Position = max(res.Position, back.Position)
	return res, err
}

func (c Contacts) record(ctx context.Context, o Origin, name string, id contact.ID, cmd contact.Record) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.contacts.do(ctx, o, name, string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		if !s.Exists && cmd.Status == "" {
			if err := c.initial(ctx, o.Workspace, &cmd.Status, &cmd.Category); err != nil {
				return nil, err
			}
		}
		changes, err := c.attributes.check(ctx, o.Workspace, cmd.Changes)
		if err != nil {
			return nil, err
		}
		cmd := cmd
		cmd.Changes = changes
		return cmd.Decide(s)
	})
}

// Answer records what a person answered to a question of a chatflow: the customer
// of a chat, or who has a phone number or another id. The Result is about them,
// contact or not. The chat shows it, too, if the answer marks them as one.
func (c Contacts) Answer(ctx context.Context, o Origin, customer string, cmd contact.Answer) (Result, error) {
	o = o.identified()
	res, err := c.answer(ctx, o, customer, cmd)
	if err == nil && cmd.Marks {
		res, err = c.revive(ctx, o, "contact.answer", ContactID(o.Workspace, customer), cmd.Source(), res)
	}
	if err != nil || !cmd.Marks || cmd.Link.Chat == "" {
		return res, err
	}
	marked, err := c.chats.do(ctx, part(o, "mark visitor"), "chat.mark_visitor", cmd.Link.Chat, decides(chat.MarkVisitor{At: cmd.At}.Decide))
	if errors.Is(err, chat.ErrNotFound) { // deleted in between
		return res, nil
	}
	res.Position = max(res.Position, marked.Position)
	return res, err
}

func (c Contacts) answer(ctx context.Context, o Origin, customer string, cmd contact.Answer) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.contacts.do(ctx, o, "contact.answer", string(ContactID(o.Workspace, customer)), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		cmd := cmd
		if err := c.initial(ctx, o.Workspace, &cmd.Status, &cmd.Category); err != nil {
			return nil, err
		}
		var err error
		if cmd.Changes, err = c.attributes.check(ctx, o.Workspace, cmd.Changes); err != nil {
			return nil, err
		}
		return cmd.Decide(s)
	})
}

// Edit gives fields other values.
func (c Contacts) Edit(ctx context.Context, o Origin, id contact.ID, cmd contact.Edit) (Result, error) {
	return c.contacts.do(ctx, o, "contact.edit", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		changes, err := c.attributes.check(ctx, o.Workspace, cmd.Changes)
		if err != nil {
			return nil, err
		}
		cmd := cmd
		cmd.Changes = changes
		return cmd.Decide(s)
	})
}

// ChangeTags adds and removes tags, as Chats.ChangeTags does.
func (c Contacts) ChangeTags(ctx context.Context, o Origin, id contact.ID, cmd ChangeTags) (Result, error) {
	o = o.identified()
	return c.contacts.do(ctx, o, "contact.change_tags", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		// Decide first on what is known, so that no tag is made for a contact that
		// cannot be tagged.
		if _, err := (contact.ChangeTags{Add: contactTags(cmd.Add), Remove: contactTags(cmd.Remove)}).Decide(s); err != nil {
			return nil, err
		}
		found, err := c.tags.resolve(ctx, o, cmd, func(id string) bool { _, there := s.Tags[contact.TagID(id)]; return there })
		if err != nil {
			return nil, err
		}
		return contact.ChangeTags{Add: contactTags(found.Add), Remove: contactTags(found.Remove)}.Decide(s)
	})
}

func contactTags(names []string) (tags []contact.TagID) {
	for _, n := range names {
		tags = append(tags, contact.TagID(n))
	}
	return tags
}

// AddNote puts a private note on the contact.
func (c Contacts) AddNote(ctx context.Context, o Origin, id contact.ID, cmd contact.AddNote) (Result, error) {
	return c.contacts.do(ctx, o, "contact.add_note", string(id), decides(cmd.Decide))
}

// EditNote replaces the text of a note.
func (c Contacts) EditNote(ctx context.Context, o Origin, id contact.ID, cmd contact.EditNote) (Result, error) {
	return c.contacts.do(ctx, o, "contact.edit_note", string(id), decides(cmd.Decide))
}

// DeleteNote takes a note away.
func (c Contacts) DeleteNote(ctx context.Context, o Origin, id contact.ID, cmd contact.DeleteNote) (Result, error) {
	return c.contacts.do(ctx, o, "contact.delete_note", string(id), decides(cmd.Decide))
}

// SetStatus moves the contact to a status of the workspace, given by id or name.
func (c Contacts) SetStatus(ctx context.Context, o Origin, id contact.ID, nameOrID string) (Result, error) {
	o = o.identified()
	return c.contacts.do(ctx, o, "contact.set_status", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		var to status.Item
		shown := false
		err := c.statuses.statuses.with(ctx, o.Workspace, func(all status.State) error {
			found, ok := all.Find(nameOrID)
			if !ok {
				return status.ErrNotFound
			}
			to, shown = found, s.Status != string(found.ID) && all.Resolve(status.ID(s.Status)) == found.ID
			return nil
		})
		if err != nil {
			return nil, err
		}
		events, err := contact.SetStatus{Status: string(to.ID), Category: contact.Category(to.Category)}.Decide(s)
		if err != nil || len(events) == 0 || shown {
			return nil, err
		}
		return events, c.statuses.use(ctx, o, to, status.Contacts)
	})
}

// Assign makes an active agent responsible for the contact.
func (c Contacts) Assign(ctx context.Context, o Origin, id contact.ID, cmd contact.Assign) (Result, error) {
	return c.contacts.do(ctx, o, "contact.assign", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		return after(c.agents.mayHold(ctx, o.Workspace, string(cmd.To)), cmd.Decide, s)
	})
}

// Unassign leaves the contact to nobody.
func (c Contacts) Unassign(ctx context.Context, o Origin, id contact.ID, cmd contact.Unassign) (Result, error) {
	return c.contacts.do(ctx, o, "contact.unassign", string(id), decides(cmd.Decide))
}

// Block says that the contact is to get nothing that it did not ask for.
func (c Contacts) Block(ctx context.Context, o Origin, id contact.ID, cmd contact.Block) (Result, error) {
	return c.contacts.do(ctx, o, "contact.block", string(id), decides(cmd.Decide))
}

// Unblock takes that back, also of the contact's parts. What stops in between is shown as
// blocked still, and is completed by UnblockParts.
func (c Contacts) Unblock(ctx context.Context, o Origin, id contact.ID, cmd contact.Unblock) (Result, error) {
	var err error
	if cmd.Parts, err = c.blockedParts(ctx, o.Workspace, id); err != nil {
		return Result{}, err
	}
	res, err := c.contacts.do(ctx, o, "contact.unblock", string(id), decides(cmd.Decide))
	if err != nil || !res.Changed {
		return res, err
	}
	// What counts is what was recorded, perhaps when the command ran before.
	for r, err := range c.contacts.store.ReadStream(ctx, "contact-"+string(id), eventstore.StreamQuery{From: res.Revision, Limit: 1}) {
		if err != nil {
			return Result{}, fmt.Errorf("%w: read contact: %w", ErrUnavailable, err)
		}
		e, err := c.contacts.codec.Decode(r)
		if err != nil {
			return Result{}, err
		}
		if f, ok := e.(contact.Unblocked); ok {
			last, err := c.UnblockParts(ctx, o, id, f)
			res.Position = max(res.Position, last)
			return res, err
		}
	}
	return res, nil
}

// blockedParts returns the parts of a contact that are blocked, sorted.
func (c Contacts) blockedParts(ctx context.Context, workspace string, id contact.ID) (blocked []contact.ID, err error) {
	var parts []contact.ID
	err = absent(c.Look(ctx, workspace, id, func(s contact.State) error {
		parts = slices.Sorted(maps.Keys(s.Absorbed))
		return nil
	}))
	for _, part := range parts {
		if err == nil {
			err = absent(c.Look(ctx, workspace, part, func(s contact.State) error {
				if s.Blocked && s.Into == id {
					blocked = append(blocked, part)
				}
				return nil
			}))
		}
	}
	return blocked, err
}

// UnblockParts does what is left to do once a contact was unblocked, and returns the
// position of the last event.
func (c Contacts) UnblockParts(ctx context.Context, o Origin, id contact.ID, e contact.Unblocked) (last eventstore.Position, err error) {
	for _, p := range e.Parts {
		cmd := contact.UnblockPart{Of: id, By: e.By, At: e.At}
		res, err := c.contacts.do(ctx, part(o, "unblock "+string(p)), "contact.unblock", string(p), decides(cmd.Decide))
		if err != nil {
			return last, err
		}
		last = max(last, res.Position)
	}
	return last, nil
}

// Delete hides the contact from every list and count.
func (c Contacts) Delete(ctx context.Context, o Origin, id contact.ID, cmd contact.Delete) (Result, error) {
	return c.contacts.do(ctx, o, "contact.delete", string(id), decides(cmd.Decide))
}

// Restore brings a deleted contact back.
func (c Contacts) Restore(ctx context.Context, o Origin, id contact.ID, cmd contact.Restore) (Result, error) {
	return c.contacts.do(ctx, o, "contact.restore", string(id), decides(cmd.Decide))
}

// Merge shows other as a part of a contact. The Result is about the contact.
func (c Contacts) Merge(ctx context.Context, o Origin, id, other contact.ID, cmd contact.Merge) (Result, error) {
	o, cmd.Into = o.identified(), id
	refused := c.would(ctx, o.Workspace, other, cmd.Decide)
	if refused != nil && !isFault(refused) {
		return Result{}, refused
	}
	res, err := c.contacts.do(ctx, o, "contact.absorb", string(id), func(_ context.Context, s contact.State) ([]contact.Event, error) {
		events, err := (contact.Absorb{Contact: other, Self: id, By: cmd.By, At: cmd.At}).Decide(s)
		if err == nil {
			err = refused
		}
		return events, err
	})
	if err != nil {
		return res, err
	}
	merged, err := c.contacts.do(ctx, part(o, "merge"), "contact.merge", string(other), decides(cmd.Decide))
	if isFault(err) {
		// Something happened to the other in between.
		release := contact.Release{Contact: other, By: cmd.By, At: cmd.At}
		if _, err := c.contacts.do(ctx, part(o, "merge refused"), "contact.release", string(id), decides(release.Decide)); err != nil {
			return Result{}, err
		}
		res = Result{ID: res.ID, Revision: res.Revision, Position: res.Position}
		if o.Keyed { // the repeat finds what was taken back, and would go on from there
			return c.contacts.keepAnswer(ctx, o, "contact.merge", res, err)
		}
		return res, err
	}
	res.Changed = res.Changed || merged.Changed
	res.Position = max(res.Position, merged.Position) // it is the other's word that counts
	return res, err
}

// Unmerge makes other a contact of its own again. The Result is about the contact
// that it was a part of.
func (c Contacts) Unmerge(ctx context.Context, o Origin, id, other contact.ID, cmd contact.Unmerge) (Result, error) {
	o, cmd.From = o.identified(), id
	refused := c.would(ctx, o.Workspace, other, cmd.Decide)
	if refused != nil && !isFault(refused) {
		return Result{}, refused
	}
	res, err := c.contacts.do(ctx, o, "contact.release", string(id), func(_ context.Context, s contact.State) ([]contact.Event, error) {
		if refused != nil {
			return nil, refused
		}
		return contact.Release{Contact: other, By: cmd.By, At: cmd.At}.Decide(s)
	})
	if err != nil {
		return res, err
	}
	own, err := c.contacts.do(ctx, part(o, "unmerge"), "contact.unmerge", string(other), decides(cmd.Decide))
	res.Changed = res.Changed || own.Changed
	res.Position = max(res.Position, own.Position)
	return res, err
}

// would returns the refusal that a command on a contact of the workspace meets just
// now.
func (c Contacts) would(ctx context.Context, workspace string, id contact.ID, decide func(contact.State) ([]contact.Event, error)) error {
	return c.contacts.with(ctx, string(id), func(s contact.State) error {
		if s.Workspace != workspace {
			return contact.ErrNotFound
		}
		_, err := decide(s)
		return err
	})
}

// part is the origin of a step of a command that is about another contact.
func part(o Origin, step string) Origin {
	return o.part(ids.Command("contact "+step, o.Command.String()))
}

// Look calls use with the present state of a contact of the workspace, which use
// must neither keep nor change.
func (c Contacts) Look(ctx context.Context, workspace string, id contact.ID, use func(contact.State) error) error {
	return c.contacts.with(ctx, string(id), func(s contact.State) error {
		if s.Workspace != workspace {
			return contact.ErrNotFound
		}
		return use(s)
	})
}

// NewContactNote returns the id of the note that the command o makes.
func NewContactNote(o Origin) contact.NoteID { return contact.NoteID(ids.Of(o.Command, "note")) }

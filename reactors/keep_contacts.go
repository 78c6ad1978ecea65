package reactors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// KeepContactsName names the reactor.
const KeepContactsName = "keep_contacts.v1"

// KeepContacts keeps contacts and chats of the same person together. It makes a
// contact of whoever shares details in a chat, one for each person, however many
// chats they have; it links the chats of somebody who is a contact already; it tells chats
// what their contact has by now, if it has not been deleted; and it completes what was begun with a contact's parts.
type KeepContacts struct {
	Store    eventstore.Store
	Chats    commands.Chats
	Contacts commands.Contacts
}

// Reactor returns it, ready for a Host.
func (k KeepContacts) Reactor() Reactor {
	facts := []codec.Event{
		chat.Opened{},
		chat.DetailsShared{},
		chat.Restored{},
		contact.Added{},
		contact.DetailsSet{},
		contact.ChatLinked{},
		contact.Deleted{},
		contact.Restored{},
		contact.Merged{},
		contact.Unmerged{},
		contact.Unblocked{},
	}
	w := &switchboard{KeepContacts: k, events: codec.New(facts), channels: map[string][]string{}}
	r := Reactor{
		Name:       KeepContactsName,
		Categories: []string{"chat", "contact"},
		Unordered:  true, // the latest details count, whatever comes first
		Handle:     w.handle,
	}
	for _, f := range facts {
		r.Types = append(r.Types, f.EventType())
	}
	return r
}

// switchboard knows the channels of each workspace, as far as the log was read.
type switchboard struct {
	KeepContacts
	events codec.Codec[codec.Event]

	mu       sync.Mutex
	at       eventstore.Position
	channels map[string][]string
}

func (k *switchboard) handle(ctx context.Context, e eventstore.Recorded) error {
	fact, err := k.events.Decode(e)
	if err != nil {
		return Permanent(err)
	}
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	o := commands.Origin{
		Workspace: meta.Workspace, Actor: KeepContactsName, ActorKind: commands.ActorSystem,
		Command:     ids.Command("keep contacts", e.ID.String()),
		Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
	}
	_, id, _ := strings.Cut(e.Stream, "-")
	switch f := fact.(type) {
	case chat.DetailsShared:
		if meta.Actor == KeepContactsName { // that is how it tells chats of contacts
			return nil
		}
		return k.share(ctx, o, chat.ID(id), f, meta)
	case chat.Opened:
		cmd, err := k.linking(ctx, o.Workspace, id, f.At)
		if err == nil {
			_, err = k.Contacts.LinkChat(ctx, o, cmd)
		}
		return refused(err)
	case chat.Restored: // it was told nothing meanwhile
		var customer string
		err := k.Chats.Look(ctx, o.Workspace, chat.ID(id), func(s chat.State) error {
			customer = s.Customer
			return nil
		})
		if err == nil {
			err = k.Contacts.Tell(ctx, o, commands.ContactID(o.Workspace, customer), e.Time, "")
		}
		return refused(err)
	case contact.Added:
		return refused(k.link(ctx, o, contact.ID(id), f.At))
	case contact.DetailsSet:
		var emptied []string
		for _, c := range f.Changes {
			if len(c.Values) == 0 {
				emptied = append(emptied, c.Field)
			}
		}
		return refused(k.Contacts.Tell(ctx, o, contact.ID(id), f.At, f.Source.Chat, emptied...))
	case contact.Unmerged:
		return refused(k.Contacts.TellApart(ctx, o, contact.ID(id), f.From, e.Time))
	case contact.Unblocked:
		_, err := k.Contacts.UnblockParts(ctx, o, contact.ID(id), f)
		return refused(err)
	default: // linked, deleted, restored or merged
		return refused(k.Contacts.Tell(ctx, o, contact.ID(id), e.Time, ""))
	}
}

// link links the chats that the person whom a contact was made of has already.
func (k *switchboard) link(ctx context.Context, o commands.Origin, id contact.ID, at time.Time) error {
	var numbers []string
	err := k.Contacts.Look(ctx, o.Workspace, id, func(s contact.State) error {
		numbers = s.Fields[contact.Phones].Values
		return nil
	})
	if err != nil {
		return err
	}
	channels, err := k.channelsOf(ctx, o.Workspace)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		customer := strings.TrimPrefix(number, "+")
		if commands.ContactID(o.Workspace, customer) != id {
			continue
		}
		for _, channel := range channels {
			cmd, err := k.linking(ctx, o.Workspace, ids.Chat(o.Workspace, channel, customer), at)
			if errors.Is(err, chat.ErrNotFound) {
				continue
			}
			if err == nil {
				o := o
				o.Command = ids.Command("link chat", o.Command.String(), cmd.Link.Chat)
				_, err = k.Contacts.LinkChat(ctx, o, cmd)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// linking returns the command that links a chat to the contact that its customer is.
func (k KeepContacts) linking(ctx context.Context, workspace, id string, at time.Time) (cmd contact.LinkChat, err error) {
	err = k.Chats.Look(ctx, workspace, chat.ID(id), func(s chat.State) error {
		cmd = contact.LinkChat{Link: contact.Link{Chat: id, Channel: s.Channel, Customer: s.Customer}, Profile: s.Known.Profile.Value, At: at}
		return nil
	})
	return cmd, err
}

// channelsOf returns the channels that a workspace has had.
func (k *switchboard) channelsOf(ctx context.Context, workspace string) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := eventstore.AllQuery{After: k.at, Categories: []string{"channel"}, Types: []string{channel.Connected{}.EventType()}}
	for r, err := range k.Store.ReadAll(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("look for channels: %w", err)
		}
		if !r.IsMark() {
			meta, err := eventstore.DecodeMetadata(r)
			if err != nil {
				return nil, Permanent(err)
			}
			_, id, _ := strings.Cut(r.Stream, "-")
			if !slices.Contains(k.channels[meta.Workspace], id) {
				k.channels[meta.Workspace] = append(k.channels[meta.Workspace], id)
			}
		}
		k.at = r.Position
	}
	return k.channels[workspace], nil
}

// share records what a customer, or somebody for them, has told in a chat.
func (k KeepContacts) share(ctx context.Context, o commands.Origin, id chat.ID, f chat.DetailsShared, meta eventstore.Metadata) error {
	from, err := k.linking(ctx, meta.Workspace, string(id), f.At)
	if err != nil {
		return refused(err)
	}
	cmd := contact.Record{
		Source: contact.Source{Reason: contact.Reason(f.Reason), Chat: from.Link.Chat, Message: string(f.Message), By: contact.AgentID(f.By)},
		Link:   from.Link, Profile: from.Profile, At: f.At, Revive: true,
	}
	if f.By == "" && (f.Reason == chat.ByAgent || f.Reason == chat.ByImport) {
		cmd.Source.By = contact.AgentID(meta.Actor)
	}
	give := func(field string, values ...string) {
		cmd.Changes = append(cmd.Changes, contact.Change{Field: field, Values: values})
	}
	give(contact.Name, f.Name)
	give(contact.Emails, f.Emails...)
	give(contact.Phones, f.Phones...)
	give(contact.Company, f.Company)
	give(contact.City, f.City)
	give(contact.Country, f.Country)
	o.Channel, o.OccurredAt = from.Link.Channel, f.At
	_, err = k.Contacts.Share(ctx, o, cmd)
	if errors.Is(err, contact.ErrTooMany) {
		return nil
	}
	return refused(err)
}

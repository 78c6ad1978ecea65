package reactors

import (
	"context"
	"errors"
	"strings"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// KeepContactsName names the reactor.
const KeepContactsName = "keep_contacts.v1"

// KeepContacts makes a contact of whoever shares details in a chat, and keeps it up
// to date: one for each person, however many chats they have.
type KeepContacts struct {
	Chats    commands.Chats
	Contacts commands.Contacts
}

// Reactor returns it, ready for a Host.
func (k KeepContacts) Reactor() Reactor {
	events := codec.New(chat.Events)
	return Reactor{
		Name:       KeepContactsName,
		Categories: []string{"chat"},
		Types:      []string{chat.DetailsShared{}.EventType()},
		Unordered:  true, // the latest details count, whatever comes first
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			fact, err := events.Decode(e)
			if err != nil {
				return Permanent(err)
			}
			if shared, ok := fact.(chat.DetailsShared); ok {
				return k.handle(ctx, e, shared)
			}
			return nil
		},
	}
}

func (k KeepContacts) handle(ctx context.Context, e eventstore.Recorded, f chat.DetailsShared) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	link := contact.Link{Chat: strings.TrimPrefix(e.Stream, "chat-")}
	err = k.Chats.Look(ctx, meta.Workspace, chat.ID(link.Chat), func(s chat.State) error {
		link.Channel, link.Customer = s.Channel, s.Customer
		return nil
	})
	if err != nil {
		return refused(err)
	}
	cmd := contact.Record{
		Source: contact.Source{Reason: contact.Reason(f.Reason), Chat: link.Chat, Message: string(f.Message), By: contact.AgentID(f.By)},
		Link:   link, At: f.At, Revive: true,
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
	_, err = k.Contacts.Share(ctx, commands.Origin{
		Workspace: meta.Workspace, Actor: KeepContactsName, ActorKind: commands.ActorSystem, Channel: link.Channel,
		Command: ids.Command("keep contacts", e.ID.String()), OccurredAt: f.At,
		Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
	}, cmd)
	if errors.Is(err, contact.ErrTooMany) {
		return nil
	}
	return refused(err)
}

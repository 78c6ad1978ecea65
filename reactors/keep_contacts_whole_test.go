package reactors_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/reactors"
)

// keeping is a shop in which KeepContacts runs.
type keeping struct{ *shop }

func newKeeping(t *testing.T) keeping {
	t.Helper()
	s := newShop(t)
	_, stop := host(t, reactors.Config{
		Store: s.log, Leases: s.leases, Parking: s.parking, Alone: true,
		Reactors: []reactors.Reactor{reactors.KeepContacts{Store: s.log, Chats: s.reacting.Chats, Contacts: s.reacting.Contacts}.Reactor()},
	})
	t.Cleanup(stop)
	return keeping{s}
}

// add adds a contact by hand, by fields and values.
func (k keeping) add(fieldsAndValues ...string) contact.ID {
	k.t.Helper()
	cmd := contact.Add{Workspace: workspace, Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: time.Now()}
	for i := 0; i < len(fieldsAndValues); i += 2 {
		cmd.Changes = append(cmd.Changes, contact.Change{Field: fieldsAndValues[i], Values: fieldsAndValues[i+1 : i+2]})
	}
	res, err := k.commands.Contacts.Add(k.t.Context(), someone, cmd)
	k.done(res, err)
	return contact.ID(res.ID)
}

// contact returns the state of a contact, which is zero if there is none.
func (k keeping) contact(id contact.ID) (s contact.State) {
	k.t.Helper()
	err := k.commands.Contacts.Look(k.t.Context(), workspace, id, func(now contact.State) error { s = now; return nil })
	if f, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || f.Kind != fault.NotFound) {
		k.t.Fatal(err)
	}
	return s
}

// chat returns the state of a chat.
func (k keeping) chat(id chat.ID) (s chat.State) {
	k.t.Helper()
	if err := k.commands.Chats.Look(k.t.Context(), workspace, id, func(now chat.State) error { s = now; return nil }); err != nil {
		k.t.Fatal(err)
	}
	return s
}

func (k keeping) merge(into, other contact.ID) {
	k.t.Helper()
	k.done(k.commands.Contacts.Merge(k.t.Context(), someone, into, other, contact.Merge{By: "bob", At: time.Now()}))
}

// An unblocking that stopped between a contact and its parts is completed.
func TestUnblockingIsCompleted(t *testing.T) {
	k := newKeeping(t)
	a, b := k.add(contact.Phones, "+15551230001"), k.add(contact.Phones, "+15551230002")
	k.done(k.commands.Contacts.Block(t.Context(), someone, b, contact.Block{By: "ann", At: time.Now()}))
	k.merge(a, b)
	stopped, err := commands.Codec().Encode(uuid.New(), contact.Unblocked{By: "bob", At: time.Now(), Parts: []contact.ID{b}}, eventstore.Metadata{Workspace: workspace, Actor: "bob", ActorKind: "agent"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.store.Append(t.Context(), "contact-"+string(a), eventstore.Any, stopped); err != nil {
		t.Fatal(err)
	}
	until(t, "the part is unblocked", func() bool { return !k.contact(b).Blocked })
}

// When a contact is deleted its chats forget it, but for what the channel knows; when it
// is back they know all again.
func TestChatsForgetADeletedContact(t *testing.T) {
	k := newKeeping(t)
	one, two := k.open("15551230001"), k.open("15551230002")
	a := k.add(contact.Phones, "+15551230001", contact.Name, "Ana", contact.Emails, "ana@example.com", contact.City, "Lisbon")
	b := k.add(contact.Phones, "+15551230002", contact.Name, "Ana again")
	k.merge(a, b)
	knows := func(id chat.ID) bool {
		s := k.chat(id)
		return !s.Details.At.IsZero() && s.Known.Name.Value == "Ana" && s.Known.Email.Value == "ana@example.com" && s.Known.City.Value == "Lisbon"
	}
	forgot := func(id chat.ID) bool {
		s := k.chat(id)
		return s.Details.At.IsZero() && s.Known.Name.Value+s.Known.Email.Value+s.Known.Phone.Value+s.Known.City.Value == "" && s.Known.Profile.Value == "Customer"
	}
	both := func(is func(chat.ID) bool) func() bool { return func() bool { return is(one) && is(two) } }
	until(t, "both chats know it", both(knows))
	k.done(k.commands.Contacts.Delete(t.Context(), someone, a, contact.Delete{By: "sue"}))
	until(t, "both have forgotten it", both(forgot))
	k.done(k.commands.Contacts.Restore(t.Context(), someone, a, contact.Restore{By: "sue"}))
	until(t, "both know it again", both(knows))

	// A chat that is hidden meanwhile is told when it is back.
	k.done(k.commands.Chats.Delete(t.Context(), someone, one, chat.Delete{By: "sue"}))
	k.done(k.commands.Contacts.Delete(t.Context(), someone, a, contact.Delete{By: "sue"}))
	until(t, "the other has forgotten it", func() bool { return forgot(two) })
	k.done(k.commands.Chats.Restore(t.Context(), someone, one, chat.Restore{By: "sue"}))
	until(t, "both have forgotten it once more", both(forgot))

	// Who is told apart from a deleted contact is a contact.
	k.done(k.commands.Contacts.Unmerge(t.Context(), someone, a, b, contact.Unmerge{By: "bob", At: time.Now()}))
	until(t, "the other knows its own", func() bool { return k.chat(two).Known.Name.Value == "Ana again" && forgot(one) })
}

// A deleted contact comes back when the customer of one that was merged into it shares
// details, or is marked.
func TestAContactComesBackWithItsParts(t *testing.T) {
	for name, share := range map[string]func(keeping, chat.ID){
		"a card": func(k keeping, id chat.ID) {
			k.done(k.commands.Chats.ShareDetails(k.t.Context(), someone, id, chat.ShareDetails{Reason: chat.ByContactCard, Name: "Ben", At: time.Now()}))
		},
		"an answer": func(k keeping, id chat.ID) {
			k.done(k.commands.Contacts.Answer(k.t.Context(), someone, "15551230002", contact.Answer{
				Bot: "bot", Flow: "f", Question: "q", Value: "yes", Marks: true, At: time.Now(),
				Link: contact.Link{Chat: string(id), Channel: k.channel, Customer: "15551230002"},
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeping(t)
			one, two := k.open("15551230001"), k.open("15551230002")
			a, b := k.add(contact.Phones, "+15551230001", contact.Name, "Ana"), k.add(contact.Phones, "+15551230002", contact.Name, "Ben")
			k.merge(a, b)
			is := func(want bool) func() bool {
				return func() bool {
					return !k.chat(one).Details.At.IsZero() == want && !k.chat(two).Details.At.IsZero() == want
				}
			}
			until(t, "both chats are of a contact", is(true))
			k.done(k.commands.Contacts.Delete(t.Context(), someone, a, contact.Delete{By: "sue"}))
			until(t, "both chats are of none", is(false))
			share(k, two)
			until(t, "both chats are of a contact again", is(true))
			if s := k.contact(a); s.Deleted {
				t.Errorf("it is still deleted: %+v", s)
			}
			if s := k.contact(b); s.Into != a {
				t.Errorf("its part is a part of %q", s.Into)
			}
		})
	}
}

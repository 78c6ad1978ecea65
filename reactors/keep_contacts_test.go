package reactors_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

// Who shares details becomes a contact: one person, in whatever chats.
func TestKeepContacts(t *testing.T) {
	d := newDesk(t, 2)
	ctx := t.Context()
	second := chat.ID("c-elsewhere")
	d.must(d.commands.Chats.Receive(ctx, d.origin("test"), second, chat.ReceiveMessage{
		Workspace: workspace, Channel: "ch2", Customer: "15550", Message: "m", ProviderID: "wamid.2",
		Content: chat.Content{Kind: "text", Text: "hello"}, At: time.Unix(1, 0).UTC(),
	}))
	share := func(id chat.ID, cmd chat.ShareDetails) {
		t.Helper()
		d.must(d.commands.Chats.ShareDetails(ctx, d.origin("15550"), id, cmd))
	}
	share(d.chats[0], chat.ShareDetails{Reason: chat.ByContactCard, Name: "Ana", Emails: []string{"ana@example.com"}, Message: "m", At: time.Unix(10, 0).UTC()})
	share(second, chat.ShareDetails{Reason: chat.ByForm, Name: "Ana Lima", City: "Lisbon", At: time.Unix(20, 0).UTC()})
	share(d.chats[1], chat.ShareDetails{Reason: chat.ByChatflow, At: time.Unix(5, 0).UTC()})

	cfg := reactors.Config{
		Store: d.store, Leases: d.accounts, Parking: d.accounts,
		Reactors: []reactors.Reactor{reactors.KeepContacts{Store: d.store, Chats: d.commands.Chats, Contacts: d.commands.Contacts}.Reactor()},
	}
	_, stop := host(t, cfg)
	look := func(customer string) (s contact.State) {
		t.Helper()
		err := d.commands.Contacts.Look(ctx, workspace, commands.ContactID(workspace, customer), func(now contact.State) error {
			s = now
			s.Chats, s.Fields = maps.Clone(now.Chats), maps.Clone(now.Fields) // they change in place
			return nil
		})
		if err != nil && !errors.Is(err, contact.ErrNotFound) {
			t.Fatal(err)
		}
		return s
	}
	until(t, "both are contacts", func() bool { return len(look("15550").Chats) == 2 && look("15551").Exists })
	until(t, "each chat knows what the other does", func() (know bool) {
		for id, want := range map[chat.ID]string{d.chats[0]: "Lisbon", second: "ana@example.com"} {
			err := d.commands.Chats.Look(ctx, workspace, id, func(s chat.State) error {
				know = s.Known.Name.Value == "Ana Lima" && (s.Known.City.Value == want || s.Known.Email.Value == want)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !know {
				return false
			}
		}
		return true
	})
	until(t, "nothing is left to do", func() bool {
		at, err := d.accounts.Checkpoints(0).Load(ctx, reactors.KeepContactsName)
		head, headErr := d.store.Head(ctx)
		if err != nil || headErr != nil {
			t.Fatal(err, headErr)
		}
		return at.Position == head.Position
	})
	stop()
	ana := look("15550")
	for field, want := range map[string][]string{"name": {"Ana Lima"}, "emails": {"ana@example.com"}, "city": {"Lisbon"}} {
		if got := ana.Fields[field].Values; !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if ana.Status != "OPEN" {
		t.Errorf("status %q", ana.Status)
	}
	head, err := d.store.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}

	// Said again after a crash, it changes nothing.
	cfg.Leases, cfg.Parking = newAccounts(t), newAccounts(t)
	_, stop = host(t, cfg)
	share(d.chats[1], chat.ShareDetails{Reason: chat.ByForm, Name: "Bob", At: time.Unix(30, 0).UTC()})
	until(t, "Bob has a name", func() bool { return len(look("15551").Fields["name"].Values) == 1 })
	stop()
	after, err := d.store.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Position - head.Position; n != 2 { // the chat's event, and the contact's
		t.Errorf("%d events, want 2", n)
	}
}

// What is known of a contact is shown in each of its chats, whoever said it and
// whichever was there first.
func TestChatsFollowTheirContact(t *testing.T) {
	s := newShop(t)
	ctx := t.Context()
	_, stop := host(t, reactors.Config{
		Store: s.log, Leases: s.leases, Parking: s.parking, Alone: true,
		Reactors: []reactors.Reactor{reactors.KeepContacts{Store: s.log, Chats: s.reacting.Chats, Contacts: s.reacting.Contacts}.Reactor()},
	})
	defer stop()
	state := func(id chat.ID) (known chat.State) {
		t.Helper()
		err := s.commands.Chats.Look(ctx, workspace, id, func(now chat.State) error {
			known = now
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	shown := func(what string, id chat.ID, want string, reason chat.ContactReason) {
		t.Helper()
		until(t, what, func() bool { return state(id).Known.Name.Value == want && state(id).Details.Reason == reason })
	}
	add := func(name, phone string) contact.ID {
		t.Helper()
		r, err := s.commands.Contacts.Add(ctx, someone, contact.Add{
			Workspace: workspace,
			Changes:   []contact.Change{{Field: contact.Name, Values: []string{name}}, {Field: contact.Phones, Values: []string{phone}}},
			Source:    contact.Source{Reason: contact.ByImport, Import: "list", By: "ann"}, At: time.Now(),
		})
		s.done(r, err)
		return contact.ID(r.ID)
	}
	edit := func(id contact.ID, name string) {
		t.Helper()
		s.done(s.commands.Contacts.Edit(ctx, someone, id, contact.Edit{Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}}, By: "bob", At: time.Now()}))
	}
	// The contact first.
	ana := add("Ana", "+15551230001")
	one := s.open("15551230001")
	shown("an imported contact writes", one, "Ana", chat.ByImport)
	// The chat first.
	two := s.open("15551230002")
	ben := add("Ben", "+15551230002")
	shown("who writes is imported", two, "Ben", chat.ByImport)
	edit(ben, "Benjamin")
	shown("it is renamed", two, "Benjamin", chat.ByAgent)
	// What it has no more, its chats forget.
	set := func(id contact.ID, field string, values ...string) {
		t.Helper()
		s.done(s.commands.Contacts.Edit(ctx, someone, id, contact.Edit{Changes: []contact.Change{{Field: field, Values: values}}, By: "bob", At: time.Now()}))
	}
	set(ben, contact.Emails, "wrong@example.com")
	until(t, "the address is told", func() bool { return state(two).Known.Email.Value == "wrong@example.com" })
	set(ben, contact.Emails)
	until(t, "the address is taken away", func() bool { return state(two).Known.Email.Value == "" })
	shown("nothing else is", two, "Benjamin", chat.ByAgent)
	// Merged, both show the one name, and each its own after that was undone.
	s.done(s.commands.Contacts.Merge(ctx, someone, ana, ben, contact.Merge{By: "bob", At: time.Now()}))
	shown("they are merged", two, "Ana", chat.ByImport)
	edit(ana, "Ana Lima")
	shown("the merged one is renamed", two, "Ana Lima", chat.ByAgent)
	shown("the merged one is renamed", one, "Ana Lima", chat.ByAgent)
	set(ana, contact.Emails, "ana@example.com")
	until(t, "both show the one address", func() bool {
		return state(one).Known.Email.Value == "ana@example.com" && state(two).Known.Email.Value == "ana@example.com"
	})
	s.done(s.commands.Contacts.Unmerge(ctx, someone, ana, ben, contact.Unmerge{By: "bob", At: time.Now()}))
	shown("they are one no more", two, "Benjamin", chat.ByAgent)
	until(t, "each shows its own address", func() bool {
		return state(one).Known.Email.Value == "ana@example.com" && state(two).Known.Email.Value == ""
	})
	// What a chat says of itself goes to the others, and not back.
	other := ids.Chat(workspace, "ch2", "15551230001")
	s.done(s.commands.Chats.Receive(ctx, someone, chat.ID(other), chat.ReceiveMessage{
		Workspace: workspace, Channel: "ch2", Customer: "15551230001", Message: "m", ProviderID: "wamid.other",
		Content: chat.Content{Kind: "text", Text: "hello"}, At: time.Now().UTC(),
	}))
	shown("another chat of the same person", chat.ID(other), "Ana Lima", chat.ByAgent)
	s.done(s.commands.Chats.ShareDetails(ctx, someone, chat.ID(other), chat.ShareDetails{Reason: chat.ByForm, Name: "A. Lima", At: time.Now()}))
	shown("a form", one, "A. Lima", chat.ByForm)
	if d := state(chat.ID(other)).Details; d.By != "" || d.Reason != chat.ByForm {
		t.Errorf("the chat with the form was told %+v", d)
	}
}

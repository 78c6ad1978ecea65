package reactors_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
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
		Reactors: []reactors.Reactor{reactors.KeepContacts{Chats: d.commands.Chats, Contacts: d.commands.Contacts}.Reactor()},
	}
	_, stop := host(t, cfg)
	look := func(customer string) (s contact.State) {
		t.Helper()
		err := d.commands.Contacts.Look(ctx, workspace, commands.ContactID(workspace, customer), func(now contact.State) error {
			s = now
			return nil
		})
		if err != nil && !errors.Is(err, contact.ErrNotFound) {
			t.Fatal(err)
		}
		return s
	}
	until(t, "both are contacts", func() bool { return len(look("15550").Chats) == 2 && look("15551").Exists })
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

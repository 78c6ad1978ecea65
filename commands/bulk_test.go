package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
)

// A job leaves alone what somebody has done something to since it was chosen, and so
// does its undo; a report of the provider is nobody's doing.
func TestBulkPassesOverReports(t *testing.T) {
	ctx := t.Context()
	c := commands.New(memory.New(time.Now), commands.Options{Now: time.Now})
	o := commands.Origin{Workspace: acme, Actor: "test", ActorKind: commands.ActorSystem}
	must := func(r commands.Result, err error) commands.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	must(c.Workspaces.Create(ctx, o, workspace.Create{Name: "Acme"}))
	at := time.Unix(1, 0).UTC()
	talk := func(customer string) (chat.ID, eventstore.Revision) {
		id := chat.ID(strings.ReplaceAll(customer, " ", "-"))
		must(c.Chats.Receive(ctx, o, id, chat.ReceiveMessage{
			Workspace: acme, Channel: "c", Customer: customer, Message: "m", ProviderID: "in", Content: chat.Content{Kind: "text", Text: "hi"}, At: at,
		}))
		return id, must(c.Chats.Send(ctx, o, id, chat.SendMessage{Message: "out", Outgoing: chat.Outgoing{Text: "hello"}, By: "ann", At: at})).Revision
	}
	accepted := func(id chat.ID) {
		must(c.Chats.Accept(ctx, o, id, chat.AcceptMessage{Message: "out", ProviderID: "wamid", At: at}))
	}
	delivered := func(id chat.ID) {
		must(c.Chats.RecordDelivery(ctx, o, id, chat.RecordDelivery{ProviderID: "wamid", State: chat.Delivered, At: at}))
	}
	noted := func(id chat.ID) {
		must(c.Chats.AddNote(ctx, o, id, chat.AddNote{Note: "n", Text: "wait", By: "ann", At: at}))
	}
	req := bulk.Requested{Workspace: acme, Action: bulk.Close, Target: "chats", By: "sue"}
	for name, tt := range map[string]struct {
		before, after []func(chat.ID)
		did, undid    bulk.Outcome
	}{
		"nothing":        {did: bulk.Done, undid: bulk.Undone},
		"reports":        {before: []func(chat.ID){accepted}, after: []func(chat.ID){delivered}, did: bulk.Done, undid: bulk.Undone},
		"a note before":  {before: []func(chat.ID){accepted, noted}, did: bulk.Conflict},
		"a note after":   {before: []func(chat.ID){accepted}, after: []func(chat.ID){delivered, noted}, did: bulk.Done, undid: bulk.Touched},
		"a note between": {before: []func(chat.ID){accepted, noted, delivered}, did: bulk.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			id, revision := talk(name)
			for _, happens := range tt.before {
				happens(id)
			}
			o := o
			o.IfMatch = &revision
			did, err := c.Bulk.Do(ctx, o, "job", 1, req, string(id))
			if err != nil || did.Outcome != tt.did {
				t.Fatalf("closed: %+v, %v; want %s", did, err, tt.did)
			}
			if did.Outcome != bulk.Done {
				return
			}
			for _, happens := range tt.after {
				happens(id)
			}
			if undid, err := c.Bulk.Reverse(ctx, o, "job", 1, req, did); err != nil || undid.Outcome != tt.undid {
				t.Errorf("undone: %+v, %v; want %s", undid, err, tt.undid)
			}
		})
	}
}

// A job that wants what was left alone passes over what anything happened to since.
func TestBulkOfWhatWasLeftAlone(t *testing.T) {
	ctx := t.Context()
	now := time.Unix(1_000_000, 0).UTC()
	c := commands.New(memory.New(func() time.Time { return now }), commands.Options{Now: func() time.Time { return now }})
	o := commands.Origin{Workspace: acme, Actor: "test", ActorKind: commands.ActorSystem}
	if _, err := c.Workspaces.Create(ctx, o, workspace.Create{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		since time.Time
		want  bulk.Item
	}{
		"touched":    {now.Add(-time.Hour), bulk.Item{Outcome: bulk.Conflict, Code: "bulk.touched"}},
		"left-alone": {now, bulk.Item{Outcome: bulk.Done, Revision: 2}},
	} {
		_, err := c.Chats.Receive(ctx, o, chat.ID(name), chat.ReceiveMessage{
			Workspace: acme, Channel: "c", Customer: name, Message: "m", ProviderID: "in", Content: chat.Content{Kind: "text", Text: "hi"}, At: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		req := bulk.Requested{Workspace: acme, Action: bulk.Delete, Target: "chats", Untouched: tt.since, By: "keep"}
		tt.want.ID = name
		for range 2 { // again after a crash
			if got, err := c.Bulk.Do(ctx, o, "job", 1, req, name); err != nil || got != tt.want {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
			}
		}
	}
}

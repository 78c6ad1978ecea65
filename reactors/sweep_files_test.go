package reactors_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

const day = 24 * time.Hour

func (s *shop) sweeper(now time.Time) reactors.SweepFiles {
	return reactors.SweepFiles{
		Store: s.log, Checkpoints: s.accounts.Checkpoints(0), Timers: s.accounts, Files: s.files, Chats: s.commands.Chats,
		Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	}
}

// sweep has one sweep run, and returns when the next is due.
func (s *shop) sweep(w reactors.SweepFiles) time.Time {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error)
	go func() { ended <- w.Reactor().Beside(ctx) }()
	var due time.Time
	until(s.t, "the sweep is over", func() bool {
		next, err := s.accounts.NextTimers(s.t.Context(), reactors.SweepFilesName, 1)
		if err != nil {
			s.t.Error(err)
		}
		if len(next) == 1 {
			due = next[0].Due
		}
		return due.After(w.Now())
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		s.t.Error(err)
	}
	return due
}

// kept lists what the files hold, as "workspace content".
func (s *shop) kept() (all []string) {
	s.t.Helper()
	for b, err := range s.files.List(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		content := "?"
		if b.Workspace == workspace {
			content = contentOf(s.t, s.files, b.SHA256)
		}
		all = append(all, b.Workspace+" "+content)
	}
	slices.Sort(all)
	return all
}

func (s *shop) put(in, content string) string {
	s.t.Helper()
	b, err := s.files.Put(s.t.Context(), in, strings.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	return b.SHA256
}

// upload uploads a file to a chat, and returns its id.
func (s *shop) upload(id chat.ID, content string, at time.Time) chat.FileID {
	s.t.Helper()
	f := chat.FileUse{Kind: media.Image, SHA256: s.put(workspace, content), Size: int64(len(content)), MIMEType: "image/jpeg"}
	res, err := s.commands.Chats.UploadFile(s.t.Context(), someone, id, chat.UploadFile{FileUploaded: chat.FileUploaded{File: f, By: "ana", At: at}})
	if err != nil {
		s.t.Fatal(err)
	}
	return chat.FileID(res.ID)
}

// sendAt sends a file, or schedules it, and returns the message's id.
func (s *shop) sendAt(id chat.ID, o chat.Outgoing, at time.Time, later *chat.Later) chat.MessageID {
	s.t.Helper()
	m := chat.MessageID(uuid.NewString())
	s.done(s.commands.Chats.Send(s.t.Context(), someone, id, chat.SendMessage{Message: m, By: "ana", At: at, Outgoing: o, Later: later}))
	return m
}

func TestFilesThatNothingNeedsAreSwept(t *testing.T) {
	s := newShop(t)
	began := time.Now().UTC()
	now := began.Add(chat.UploadSpared + time.Hour)
	one, two := s.open("15551"), s.open("15552")
	file := func(f chat.FileID) chat.Outgoing { return chat.Outgoing{Media: &chat.FileUse{ID: f}} }
	later := &chat.Later{SendAt: now.Add(day)}

	never := s.upload(one, "never sent", began)
	s.upload(one, "shared, sent elsewhere", began)
	s.sendAt(two, file(s.upload(two, "shared, sent elsewhere", began)), began, nil)
	shared := []chat.FileID{s.upload(one, "shared, never sent", began), s.upload(two, "shared, never sent", began)}
	s.sendAt(one, file(s.upload(one, "sent", began)), began, nil)
	s.sendAt(one, chat.Outgoing{Text: "Hi", Template: &chat.TemplateUse{ID: "t", Name: "n", Language: "en", Header: &chat.TemplateHeader{
		Kind: "image", File: &chat.FileUse{ID: s.upload(one, "sent in a header", began)},
	}}}, began, nil)
	s.sendAt(one, file(s.upload(one, "scheduled", began)), began, later)
	moved := s.sendAt(one, file(s.upload(one, "scheduled, put off", began)), began, &chat.Later{SendAt: began.Add(day)})
	s.done(s.commands.Chats.ChangeScheduled(t.Context(), someone, one, chat.ChangeScheduled{Message: moved, By: "ana", SendAt: &later.SendAt, At: began}))
	cancelled := s.upload(one, "scheduled, cancelled", began)
	m := s.sendAt(one, file(cancelled), began, later)
	s.done(s.commands.Chats.CancelScheduled(t.Context(), someone, one, chat.CancelScheduled{Message: m, By: "ana", At: began}))
	s.upload(one, "uploaded again", began)
	s.upload(one, "uploaded again", now.Add(-chat.UploadKept))
	s.put(workspace, "refused")
	s.put("elsewhere", "of another log")

	// of a customer
	in := s.sendFile("15551", "1", "image", "image/jpeg", began)
	s.done(s.commands.Chats.StoreMedia(t.Context(), someone, one, chat.StoreMedia{MediaStored: chat.MediaStored{
		Message: in, SHA256: s.put(workspace, "received"), Size: 8, MIMEType: "image/jpeg", At: began,
	}}))

	all := s.kept()
	if due := s.sweep(s.sweeper(began.Add(23 * time.Hour))); !due.Equal(began.Add(47 * time.Hour).Truncate(time.Microsecond)) {
		t.Errorf("the next sweep is due at %v", due)
	}
	if diff := cmp.Diff(all, s.kept()); diff != "" {
		t.Fatalf("on the day that they were put (-want +got):\n%s", diff)
	}
	s.sweep(s.sweeper(began.Add(chat.UploadKept)))
	if diff := cmp.Diff(slices.DeleteFunc(slices.Clone(all), func(f string) bool { return f == "acme refused" }), s.kept()); diff != "" {
		t.Errorf("while they can be sent (-want +got):\n%s", diff)
	}

	for range 2 { // a second sweep finds nothing more
		s.sweep(s.sweeper(now))
		want := []string{
			"acme received", "acme scheduled", "acme scheduled, put off", "acme sent", "acme sent in a header", "acme shared, sent elsewhere", "acme uploaded again", "elsewhere ?",
		}
		if diff := cmp.Diff(want, s.kept()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var got []chat.FileID
		for _, f := range facts[chat.FileDiscarded](s) {
			got = append(got, f.Fact.File)
		}
		wantFiles := append(shared, never, cancelled)
		slices.Sort(wantFiles)
		slices.Sort(got)
		if diff := cmp.Diff(wantFiles, got); diff != "" {
			t.Errorf("discarded (-want +got):\n%s", diff)
		}
		now = now.Add(2 * day)
		s.upload(one, "uploaded again", now)
	}

	// What was removed can come back, and goes again.
	if again := s.upload(one, "never sent", now); again != never {
		t.Errorf("%q, was %q", again, never)
	}
	s.sweep(s.sweeper(now.Add(chat.UploadSpared + day)))
	if got := facts[chat.FileDiscarded](s); got[len(got)-1].Fact.File == "" || slices.Contains(s.kept(), "acme never sent") {
		t.Errorf("%d discarded; kept are %q", len(got), s.kept())
	}
}

// An upload that was told of is removed also if the sweep ended between.
func TestASweepThatWasInterrupted(t *testing.T) {
	s := newShop(t)
	began := time.Now().UTC()
	one := s.open("15551")
	f := s.upload(one, "never sent", began)
	at := began.Add(chat.UploadSpared + time.Hour)
	b := s.put(workspace, "never sent")
	s.done(s.commands.Chats.DiscardFile(t.Context(), commands.Origin{Workspace: workspace, Actor: reactors.SweepFilesName, ActorKind: commands.ActorSystem, Command: ids.Command("x")}, one,
		chat.DiscardFile{FileDiscarded: chat.FileDiscarded{File: f, SHA256: b, At: at}}))
	s.sweep(s.sweeper(at.Add(time.Minute)))
	if got := s.kept(); len(got) != 0 || s.count("chat.file_discarded.v1") != 1 {
		t.Errorf("kept are %q, %d discarded", got, s.count("chat.file_discarded.v1"))
	}
}

// More files than a sweep takes are swept in several.
func TestManyFilesAreSweptInParts(t *testing.T) {
	s := newShop(t)
	for i := range 40 {
		s.put(workspace, strings.Repeat("x", i+1))
	}
	now := time.Now().Add(2 * day)
	for sweeps := 1; len(s.kept()) > 0; sweeps++ {
		before := len(s.kept())
		w := s.sweeper(now)
		w.Most = 8
		s.sweep(w)
		if removed := before - len(s.kept()); removed > 8 {
			t.Fatalf("%d were removed at once", removed)
		}
		if sweeps == 1_000 {
			t.Fatalf("%d are left", len(s.kept()))
		}
		now = now.Add(2 * day)
	}
}

// A log that the files do not belong to is swept nothing by.
func TestNothingIsSweptByAnotherLog(t *testing.T) {
	s := newShop(t)
	s.put(workspace, "refused")
	head, err := s.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(2 * day)
	for _, at := range []feed.Checkpoint{{Store: uuid.New(), Position: 1}, {Store: uuid.Max, Position: 1}, {Store: head.Store, Position: head.Position + 1}} {
		epoch, err := s.accounts.Acquire(t.Context(), reactors.SweepFilesName, "test", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.accounts.Checkpoints(epoch).Save(t.Context(), reactors.SweepFilesName, at); err != nil {
			t.Fatal(err)
		}
		if due := s.sweep(s.sweeper(now)); due.Sub(now) > time.Minute {
			t.Errorf("%+v: not tried again before %v", at, due)
		}
		if len(s.kept()) != 1 {
			t.Errorf("%+v: the file is gone", at)
		}
		now = now.Add(time.Hour)
	}
}

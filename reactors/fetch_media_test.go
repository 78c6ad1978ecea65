package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/reactors"
)

const jpeg = "\xFF\xD8\xFF\xE0 a picture"

func (s *shop) fetches(files blob.Store) reactors.Reactor {
	return reactors.FetchMedia{
		Accounts: s.lookup, Client: s.client, Files: files, Chats: s.reacting.Chats, Now: time.Now,
		Retry: reactors.Retry{Tries: 3, Min: time.Millisecond, Max: 2 * time.Millisecond},
	}.Reactor()
}

// sendFile has a customer send a file, and returns the message's id.
func (s *shop) sendFile(customer, id, kind, declared string, at time.Time) chat.MessageID {
	s.t.Helper()
	c := chat.ID(s.chatOf(customer))
	m := chat.MessageID("in-" + id)
	_, err := s.commands.Chats.Receive(s.t.Context(), commands.Origin{Workspace: workspace, Actor: customer, ActorKind: commands.ActorCustomer, Command: ids.Command("test", string(m))}, c, chat.ReceiveMessage{
		Workspace: workspace, Channel: s.channel, Customer: customer, Message: m, ProviderID: "wamid." + id, At: at,
		Content: chat.Content{Kind: kind, Media: &chat.Media{ID: id, MIMEType: declared}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// file returns how far a file is.
func (s *shop) file(customer string, m chat.MessageID) (f chat.MediaFile) {
	s.t.Helper()
	err := s.commands.Chats.Look(s.t.Context(), workspace, chat.ID(s.chatOf(customer)), func(c chat.State) error {
		f = c.Media[m]
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// last returns the last event of a type, of any chat.
func last[E interface{ EventType() string }](s *shop) (e E) {
	s.t.Helper()
	if all := facts[E](s); len(all) > 0 {
		e = all[len(all)-1].Fact
	}
	return e
}

func contentOf(t *testing.T, files blob.Store, sum string) string {
	t.Helper()
	f, err := files.Open(t.Context(), workspace, sum)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFilesAreFetched(t *testing.T) {
	s, files := newShop(t), openFiles(t, t.TempDir())
	s.graph.PutMedia("1", graphtest.Media{Body: []byte(jpeg), MIMEType: "image/jpeg"})
	m := s.sendFile("15551", "1", "image", "image/jpeg", time.Now())
	s.open("15552") // a message without a file
	h, stop := host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(files)}, Leases: s.leases, Parking: s.parking, Alone: true})
	until(t, "it is there", func() bool { return s.file("15551", m).State == chat.MediaKept })
	got := last[chat.MediaStored](s)
	if got.Message != m || got.Size != int64(len(jpeg)) || got.MIMEType != "image/jpeg" || got.At.IsZero() || contentOf(t, files, got.SHA256) != jpeg {
		t.Errorf("%+v", got)
	}
	until(t, "all is handled", func() bool { return h.Stats()[0].Handled == 2 })
	stop()

	// Given that the program ended before the checkpoint was kept, when it begins
	// again, then nothing is fetched a second time.
	again := newAccounts(t)
	h, stop = host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(files)}, Leases: again, Parking: again, Alone: true})
	until(t, "all is handled again", func() bool { return h.Stats()[0].Handled == 2 })
	stop()
	if asked := s.graph.MediaRequests(); len(asked) != 2 || s.count("chat.media_stored.v1") != 1 {
		t.Errorf("asked %q, %d events", asked, s.count("chat.media_stored.v1"))
	}
}

// What becomes of each kind of trouble. A try is two requests: where it is, and get
// it there.
func TestFilesThatDoNotCome(t *testing.T) {
	ok, limit, broken := graphtest.Behaviour{}, graphtest.Behaviour{Status: 429, Code: 80007}, graphtest.Behaviour{Cut: true}
	picture := graphtest.Media{Body: []byte(jpeg), MIMEType: "image/jpeg"}
	with := func(change func(*graphtest.Media)) graphtest.Media { m := picture; change(&m); return m }
	for _, tt := range []struct {
		name   string
		kind   string
		old    bool
		media  graphtest.Media
		script []graphtest.Behaviour
		code   chat.MediaFailureCode // "" if it comes after all
	}{
		{name: "it comes at the second try", media: picture, script: []graphtest.Behaviour{limit}},
		{name: "at the third, after it broke off", media: picture, script: []graphtest.Behaviour{ok, broken, ok, {Status: 404}}},
		{name: "too busy for too long", media: picture, script: []graphtest.Behaviour{limit, limit, limit}, code: chat.MediaUnreachable},
		{name: "broken off each time", media: picture, script: []graphtest.Behaviour{ok, broken, ok, broken, ok, broken}, code: chat.MediaUnreachable},
		{name: "a token that expired", media: picture, script: []graphtest.Behaviour{{Status: 401, Code: 190}}, code: chat.MediaRefused},
		{name: "not there", code: chat.MediaGone},
		{name: "too old to ask for", old: true, media: picture, code: chat.MediaGone},
		{name: "too large, as it says", media: with(func(m *graphtest.Media) { m.Body = make([]byte, media.MaxImage+1); copy(m.Body, jpeg) }), code: chat.MediaTooLarge},
		{name: "empty", media: with(func(m *graphtest.Media) { m.Body = nil }), code: chat.MediaEmpty},
		{name: "a page", media: with(func(m *graphtest.Media) { m.Body = []byte("<html>") }), code: chat.MediaType},
		{name: "of a type that no image has", media: with(func(m *graphtest.Media) { m.MIMEType = "image/svg+xml" }), code: chat.MediaType},
		{name: "another file", media: with(func(m *graphtest.Media) { m.SHA256 = strings.Repeat("ab", 32) }), code: chat.MediaDamaged},
		{name: "from elsewhere", media: with(func(m *graphtest.Media) { m.URL = "http://127.0.0.1:1/x" }), code: chat.MediaElsewhere},
		{name: "a document of any type", kind: "document", media: with(func(m *graphtest.Media) { m.Body, m.MIMEType = []byte("<html>"), "text/html" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, files := newShop(t), openFiles(t, t.TempDir())
			if tt.media.MIMEType != "" {
				s.graph.PutMedia("1", tt.media)
			}
			s.graph.NextMedia(tt.script...)
			at := time.Now()
			if tt.old {
				at = at.Add(-8 * 24 * time.Hour)
			}
			kind := "image"
			if tt.kind != "" {
				kind = tt.kind
			}
			m := s.sendFile("15551", "1", kind, "image/jpeg", at)
			host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(files)}, Leases: s.leases, Parking: s.parking, Alone: true})
			until(t, "it has an end", func() bool { return s.file("15551", m).State != chat.MediaFetching })
			if got := last[chat.MediaFailed](s); got.Code != tt.code || (got.Reason == "") != (tt.code == "") {
				t.Errorf("%+v, want %q", got, tt.code)
			}
			if stored := last[chat.MediaStored](s); tt.kind == "document" && stored.MIMEType != media.Opaque {
				t.Errorf("%+v", stored)
			}
			n := 0
			for range files.List(t.Context()) {
				n++
			}
			if (n == 1) != (tt.code == "") {
				t.Errorf("%d files are kept", n)
			}
		})
	}
}

// A file that did not come is asked for again when somebody wants it, however old.
func TestAFileIsAskedForAgain(t *testing.T) {
	s, files := newShop(t), openFiles(t, t.TempDir())
	m := s.sendFile("15551", "1", "image", "image/jpeg", time.Now().Add(-8*24*time.Hour))
	host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(files)}, Leases: s.leases, Parking: s.parking, Alone: true})
	until(t, "it failed", func() bool { return s.file("15551", m).State == chat.MediaLost })
	if len(s.graph.MediaRequests()) != 0 {
		t.Error("Meta was asked for what it does not keep that long")
	}
	s.graph.PutMedia("1", graphtest.Media{Body: []byte(jpeg), MIMEType: "image/jpeg"})
	for range 2 {
		if _, err := s.commands.Chats.RequestMedia(t.Context(), agentOrigin(), chat.ID(s.chatOf("15551")), chat.RequestMedia{Message: m, By: "ana", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "it is there", func() bool { return s.file("15551", m).State == chat.MediaKept })
}

// A channel that is gone, and a store that is full: the one is the file's end, the
// other the operator's to mend.
func TestFilesWithoutAChannelOrAPlace(t *testing.T) {
	s, files := newShop(t), openFiles(t, t.TempDir())
	s.graph.PutMedia("1", graphtest.Media{Body: []byte(jpeg), MIMEType: "image/jpeg"})
	m := s.sendFile("15551", "1", "image", "image/jpeg", time.Now())
	h, stop := host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(full{files})}, Leases: s.leases, Parking: s.parking, Alone: true})
	until(t, "it is parked", func() bool { return h.Stats()[0].Parked == 1 })
	if s.file("15551", m).State != chat.MediaFetching {
		t.Error("a file was given up since our disk is full")
	}
	stop()
	if _, err := s.commands.Channels.Disconnect(t.Context(), agentOrigin(), channel.ID(s.channel), channel.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	other := newAccounts(t)
	host(t, reactors.Config{Store: s.log, Reactors: []reactors.Reactor{s.fetches(files)}, Leases: other, Parking: other, Alone: true})
	until(t, "it failed", func() bool { return s.file("15551", m).State == chat.MediaLost })
	if got := last[chat.MediaFailed](s); got.Code != chat.MediaNoChannel {
		t.Errorf("%+v", got)
	}
}

type full struct{ blob.Store }

func (full) Put(_ context.Context, _ string, r io.Reader) (blob.Blob, error) {
	_, err := io.Copy(io.Discard, r)
	return blob.Blob{}, errors.Join(err, errors.New("no space left on device"))
}

// A file that hangs holds up neither another file of its chat nor a message.
func TestFilesHoldNothingUp(t *testing.T) {
	s, files := newShop(t), openFiles(t, t.TempDir())
	s.graph.NextMedia(graphtest.Behaviour{Hang: true})
	host(t, reactors.Config{Store: s.log, Reactors: append(s.reactors(), s.fetches(files)), Leases: s.leases, Parking: s.parking, Alone: true, Drain: time.Millisecond})
	s.graph.PutMedia("0", graphtest.Media{Body: []byte(jpeg), MIMEType: "image/jpeg"})
	stuck := s.sendFile("15551", "0", "image", "image/jpeg", time.Now())
	until(t, "it hangs", func() bool { return len(s.graph.MediaRequests()) == 1 })
	for i := range 3 {
		id := fmt.Sprint(i + 1)
		s.graph.PutMedia(id, graphtest.Media{Body: []byte(jpeg + id), MIMEType: "image/jpeg"})
		m := s.sendFile("15551", id, "image", "image/jpeg", time.Now())
		until(t, "the next is there", func() bool { return s.file("15551", m).State == chat.MediaKept })
	}
	answer := s.answer(chat.ID(s.chatOf("15551")), "thanks")
	until(t, "the answer is sent", func() bool { return s.outbound(chat.ID(s.chatOf("15551")), answer).ProviderID != "" })
	if s.file("15551", stuck).State != chat.MediaFetching {
		t.Error("what hangs came")
	}
}

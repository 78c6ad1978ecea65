package reactors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	wsdomain "github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/blob/dir"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/reactors"
)

// until waits for something that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute) // a busy machine is slow
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still not: %s", what)
		}
	}
}

func newAccounts(t *testing.T) *accounts.Accounts {
	t.Helper()
	return openAccounts(t, t.TempDir())
}

func openAccounts(t *testing.T, dir string) *accounts.Accounts {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(dir, "accounts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := accounts.Open(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openFiles opens the store of files of a folder that databases are in.
func openFiles(t *testing.T, folder string) *dir.Store {
	t.Helper()
	files, err := dir.Open(filepath.Join(folder, "media"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return files
}

// host starts reactors, and returns what stops them and waits.
func host(t *testing.T, cfg reactors.Config) (h *reactors.Host, stop func()) {
	t.Helper()
	cfg.Logger, cfg.Now = slog.New(slog.DiscardHandler), time.Now
	if cfg.Holder == "" {
		cfg.Holder = "test"
	}
	if cfg.Poll == 0 {
		cfg.Poll = 5 * time.Millisecond
	}
	h, err := reactors.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return h, stop
}

func appendEvent(t *testing.T, s eventstore.Store, stream, data string) {
	t.Helper()
	e := eventstore.Event{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(data), Meta: []byte("{}")}
	if _, err := s.Append(t.Context(), stream, eventstore.Any, e); err != nil {
		t.Fatal(err)
	}
}

const (
	workspace = "acme"
	phoneID   = "106540352242922"
	appSecret = "app-secret"
)

// shop is a workspace with a WhatsApp channel, Meta's stand-in and everything
// between.
type shop struct {
	t        *testing.T
	store    eventstore.Store // what the test sees
	log      eventstore.Store // what reactors and commands see: store, or something that fails
	accounts *accounts.Accounts
	commands *commands.Commands
	channel  string
	graph    *graphtest.Server
	client   *whatsapp.Client
	files    *dir.Store
	http     *httptest.Server
	lookup   whatsapp.Accounts
	callers  map[call.Provider]reactors.Caller
	attempts reactors.Attempts
	leases   reactors.Leases
	parking  reactors.Parking
	reacting *commands.Commands // of the reactors
	queued   int                // messages
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return newShopOn(t, memory.New(time.Now), newAccounts(t), openFiles(t, t.TempDir()))
}

func newShopOn(t *testing.T, store eventstore.Store, a *accounts.Accounts, files *dir.Store) *shop {
	t.Helper()
	s := &shop{t: t, files: files, store: store, log: store, accounts: a, attempts: a, leases: a, parking: a, channel: ids.Channel(workspace, "whatsapp", phoneID)}
	s.commands = newCommands(store)
	s.reacting = s.commands
	o := someone
	s.settle()
	if _, err := s.commands.Channels.Connect(t.Context(), o, channel.ID(s.channel), channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: phoneID}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.graph, err = graphtest.Start(graphtest.Config{AccessToken: "access"}); err != nil {
		t.Fatal(err)
	}
	s.client = whatsapp.NewClient(nil, time.Now)
	if err := s.accounts.PutChannelSecrets(t.Context(), s.channel, accounts.ChannelSecrets{VerifyToken: "v", AppSecret: appSecret, AccessToken: "access", GraphURL: s.graph.URL}); err != nil {
		t.Fatal(err)
	}
	s.lookup = s.newLookup()
	s.callers = map[call.Provider]reactors.Caller{call.WhatsApp: whatsapp.Calls{Accounts: s.lookup, Client: s.client}}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/whatsapp/{channel}", &whatsapp.Webhook{Accounts: s.lookup, Webhooks: s.commands.Webhooks, Logger: slog.New(slog.DiscardHandler)})
	s.http = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.client.Close()
		http.DefaultClient.CloseIdleConnections()
		s.http.Close()
		if err := s.graph.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// settle makes the workspace.
func (s *shop) settle() {
	s.t.Helper()
	s.done(s.commands.Workspaces.Create(s.t.Context(), someone, wsdomain.Create{Name: "Acme"}))
}

func newCommands(store eventstore.Store) *commands.Commands {
	return commands.New(store, commands.Options{})
}

func (s *shop) newLookup() whatsapp.Accounts {
	return whatsapp.NewAccounts(s.commands.Channels, func(ctx context.Context, channel string) (whatsapp.Secrets, error) {
		secrets, err := s.accounts.ChannelSecrets(ctx, channel)
		return whatsapp.Secrets(secrets), err
	})
}

func (s *shop) reactors() []reactors.Reactor {
	log := slog.New(slog.DiscardHandler)
	return []reactors.Reactor{
		reactors.TranslateWebhooks{Store: s.log, WhatsApp: &whatsapp.Translator{
			Accounts: s.lookup, Commands: s.reacting, Actor: reactors.TranslateWebhooksName, Logger: log,
		}}.Reactor(),
		reactors.SendMessages{
			Accounts: s.lookup, Client: s.client, Files: s.files, Chats: s.reacting.Chats, Attempts: s.attempts, Now: time.Now, Logger: log,
			Retry: reactors.Retry{Tries: 3, Min: time.Millisecond, Max: 2 * time.Millisecond},
		}.Reactor(),
		reactors.SendSignals{
			Accounts: s.lookup, Client: s.client, Chats: s.reacting.Chats, Attempts: s.attempts, Now: time.Now, Logger: log,
			Retry: reactors.Retry{Tries: 3, Min: time.Millisecond, Max: 2 * time.Millisecond},
		}.Reactor(),
		reactors.PlaceCalls{
			Callers: s.callers, Calls: s.reacting.Calls, Chats: s.reacting.Chats, Attempts: s.attempts, Now: time.Now, Logger: log,
			Retry: reactors.Retry{Tries: 3, Min: time.Millisecond, Max: 2 * time.Millisecond},
		}.Reactor(),
	}
}

func (s *shop) start() (*reactors.Host, func()) {
	s.t.Helper()
	return host(s.t, reactors.Config{Store: s.log, Reactors: s.reactors(), Leases: s.leases, Parking: s.parking, Alone: true})
}

func (s *shop) webhookURL() string { return s.http.URL + "/webhooks/whatsapp/" + s.channel }

// post posts a signed webhook.
func (s *shop) post(body []byte) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.webhookURL(), bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Hub-Signature-256", whatsapp.Sign(body, appSecret))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// open opens a chat by a customer's message, and returns its id.
func (s *shop) open(customer string) chat.ID {
	s.t.Helper()
	id := chat.ID(ids.Chat(workspace, s.channel, customer))
	_, err := s.commands.Chats.Receive(s.t.Context(), commands.Origin{Workspace: workspace, Actor: customer, ActorKind: commands.ActorCustomer}, id, chat.ReceiveMessage{
		Workspace: workspace, Channel: s.channel, Customer: customer, Message: "m0", ProviderID: "w0-" + customer, ProfileName: "Customer",
		Content: chat.Content{Kind: "text", Text: "hi"}, At: time.Now(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// answer queues an answer and returns the message's id.
func (s *shop) answer(id chat.ID, text string) chat.MessageID {
	s.t.Helper()
	s.queued++
	m := chat.MessageID(fmt.Sprintf("out-%d", s.queued))
	_, err := s.commands.Chats.Send(s.t.Context(), commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}, id, chat.SendMessage{Message: m, Outgoing: chat.Outgoing{Text: text}, By: "ana", At: time.Now()})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// say queues the i-th answer of a chat, of all the kinds that there are: a text, and
// what is answered with a tap, to the customer's first message or without.
func (s *shop) say(id chat.ID, i int) chat.MessageID {
	s.t.Helper()
	out := chat.Outgoing{Text: fmt.Sprint(i)}
	switch i % 4 {
	case 1:
		out.Interactive = &chat.Interactive{Body: "Well?", Buttons: []chat.ReplyButton{{ID: "y", Title: "Yes"}, {ID: "n", Title: "No"}}}
	case 2:
		out.Interactive = &chat.Interactive{Body: "Which?", List: &chat.ChoiceList{Button: "Choose", Sections: []chat.ListSection{{Rows: []chat.ListRow{{ID: "1", Title: "One"}}}}}}
	case 3:
		out.Interactive = &chat.Interactive{Body: "There.", Link: &chat.LinkButton{Title: "Look", URL: "https://example.com/"}}
	}
	if i%2 == 0 {
		out.ReplyTo = &chat.RepliedTo{Message: "m0"}
	}
	s.queued++
	m := chat.MessageID(fmt.Sprintf("out-%d", s.queued))
	o := commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}
	s.done(s.commands.Chats.Send(s.t.Context(), o, id, chat.SendMessage{Message: m, Outgoing: out, By: "ana", At: time.Now()}))
	return m
}

// attach queues a file for the customer and returns the message's id.
func (s *shop) attach(id chat.ID, f chat.FileUse, content, caption string) chat.MessageID {
	s.t.Helper()
	kept, err := s.files.Put(s.t.Context(), workspace, strings.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	s.queued++
	m := chat.MessageID(fmt.Sprintf("out-%d", s.queued))
	name := f.Filename
	f.SHA256, f.Size, f.Filename = kept.SHA256, kept.Size, ""
	o := commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}
	res, err := s.commands.Chats.UploadFile(s.t.Context(), o, id, chat.UploadFile{FileUploaded: chat.FileUploaded{File: f, By: "ana", At: time.Now()}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.done(s.commands.Chats.Send(s.t.Context(), o, id, chat.SendMessage{Message: m, By: "ana", At: time.Now(), Outgoing: chat.Outgoing{
		Text: caption, Media: &chat.FileUse{ID: chat.FileID(res.ID), Filename: name},
	}}))
	return m
}

func (s *shop) chatOf(customer string) string { return ids.Chat(workspace, s.channel, customer) }

// outcomes counts, for each message to the customer, the events that say how its
// sending ended.
func (s *shop) outcomes(id chat.ID) map[chat.MessageID]int {
	s.t.Helper()
	n := map[chat.MessageID]int{}
	for r, err := range s.store.ReadStream(s.t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		var e struct{ Message chat.MessageID }
		if r.Type == "chat.message_accepted.v1" || r.Type == "chat.delivery_recorded.v1" {
			if err := json.Unmarshal(r.Data, &e); err != nil {
				s.t.Fatal(err)
			}
			n[e.Message]++
		}
	}
	return n
}

// behaveBadly makes the provider refuse, for a while or for good, or vanish, now
// and then: always the same for the same message and try.
func behaveBadly() func(n int, m graphtest.Message) graphtest.Behaviour {
	tries := map[string]int{} // the server asks one at a time
	return func(_ int, m graphtest.Message) graphtest.Behaviour {
		tries[m.Callback]++
		h := fnv.New32()
		_, _ = h.Write([]byte(m.Callback))
		if h.Sum32()%3 == 0 && tries[m.Callback] == 1 {
			return []graphtest.Behaviour{{Status: 429, Code: 130429, Title: "Rate limit hit"}, {Status: 503}}[h.Sum32()%2]
		}
		return graphtest.Behaviour{}
	}
}

// outbound returns what is known of a message to the customer.
func (s *shop) outbound(id chat.ID, m chat.MessageID) (o chat.Outbound) {
	s.t.Helper()
	err := s.commands.Chats.Look(s.t.Context(), workspace, id, func(c chat.State) error {
		o = c.Outbound[m]
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// failure returns the error that a message failed with.
func (s *shop) failure(id chat.ID, m chat.MessageID) (e chat.DeliveryError) {
	s.t.Helper()
	for r, err := range s.store.ReadStream(s.t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		var d chat.DeliveryRecorded
		if r.Type == d.EventType() {
			if err := json.Unmarshal(r.Data, &d); err != nil {
				s.t.Fatal(err)
			}
			if d.Message == m && d.Error != nil {
				e = *d.Error
			}
		}
	}
	return e
}

// count counts the events of a type.
func (s *shop) count(typ string) (n int) {
	s.t.Helper()
	for r, err := range s.store.ReadAll(s.t.Context(), eventstore.AllQuery{Types: []string{typ}}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if !r.IsMark() {
			n++
		}
	}
	return n
}

// fact is an event of a type, and where the log has it.
type fact[E any] struct {
	eventstore.Recorded
	Fact E
}

// facts returns the events of a type, of any stream, in the order of the log.
func facts[E interface{ EventType() string }](s *shop) (all []fact[E]) {
	s.t.Helper()
	var none E
	for r, err := range s.store.ReadAll(s.t.Context(), eventstore.AllQuery{Types: []string{none.EventType()}}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.IsMark() {
			continue
		}
		f := fact[E]{Recorded: r}
		if err := json.Unmarshal(r.Data, &f.Fact); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

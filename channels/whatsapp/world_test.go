package whatsapp_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/webhook"
	wsdomain "github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/ids"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	workspace = "acme"
	phoneID   = "106540352242922"
	appSecret = "app-s3cret"
)

// world is a log with a workspace and a WhatsApp channel, and what this package
// does with it.
type world struct {
	t        *testing.T
	store    *memory.Store
	log      eventstore.Store // what the commands see: store, or something that fails
	commands *commands.Commands
	channel  string
	accounts whatsapp.Accounts
	webhook  *whatsapp.Webhook
	counts   map[string]int
	done     eventstore.Position // translated up to here
}

func newWorld(t *testing.T) *world {
	return newWorldOn(t, func(s eventstore.Store) eventstore.Store { return s })
}

func newWorldOn(t *testing.T, wrap func(eventstore.Store) eventstore.Store) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(time.Now), channel: ids.Channel(workspace, "whatsapp", phoneID), counts: map[string]int{}}
	w.log = wrap(w.store)
	setup := commands.New(w.store, commands.Options{})
	o := commands.Origin{Workspace: workspace, Actor: "test", ActorKind: commands.ActorSystem}
	if _, err := setup.Workspaces.Create(t.Context(), o, wsdomain.Create{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := setup.Channels.Connect(t.Context(), o, channel.ID(w.channel), channel.Connect{Workspace: workspace, Kind: channel.WhatsApp, Name: "Shop", Account: phoneID, Phone: "15550001111"}); err != nil {
		t.Fatal(err)
	}
	w.commands = commands.New(w.log, commands.Options{})
	w.accounts = whatsapp.NewAccounts(w.commands.Channels, func(context.Context, string) (whatsapp.Secrets, error) {
		return whatsapp.Secrets{VerifyToken: "verify-me", AppSecret: appSecret, AccessToken: "access"}, nil
	})
	w.webhook = &whatsapp.Webhook{
		Accounts: w.accounts, Webhooks: w.commands.Webhooks, Logger: slog.New(slog.DiscardHandler),
		Count: func(outcome string) { w.counts[outcome]++ },
	}
	return w
}

// fixtures returns the names of the sample payloads, in order.
func fixtures(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/[0-9][0-9]-*")
	if err != nil || len(names) != 39 {
		t.Fatalf("%d fixtures: %v", len(names), err)
	}
	slices.Sort(names)
	for i, n := range names {
		names[i] = filepath.Base(n)
	}
	return names
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) request(method, query string, body []byte, sign string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "/webhooks/whatsapp/"+w.channel+query, strings.NewReader(string(body)))
	if sign != "" {
		r.Header.Set("X-Hub-Signature-256", sign)
	}
	rec := httptest.NewRecorder()
	w.webhook.ServeHTTP(rec, r)
	return rec
}

// post posts a signed payload and returns the status.
func (w *world) post(body []byte) int {
	w.t.Helper()
	return w.request(http.MethodPost, "", body, whatsapp.Sign(body, appSecret)).Code
}

// translate translates what was not yet; it is what the reactor does.
func (w *world) translate() (failed error) {
	w.t.Helper()
	t := whatsapp.Translator{Accounts: w.accounts, Commands: w.commands, Actor: "translate", Logger: slog.New(slog.DiscardHandler)}
	for r, err := range w.store.ReadAll(w.t.Context(), eventstore.AllQuery{After: w.done, Types: []string{"webhook.received.v1"}}) {
		if err != nil {
			w.t.Fatal(err)
		}
		w.done = r.Position
		if r.IsMark() {
			continue
		}
		if err := t.Translate(w.t.Context(), delivery(w.t, r)); err != nil {
			failed = err
		}
	}
	return failed
}

func delivery(t *testing.T, r eventstore.Recorded) whatsapp.Delivery {
	t.Helper()
	fact, err := codec.New(webhook.Events).Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	got := fact.(webhook.Received)
	meta, err := eventstore.DecodeMetadata(r)
	if err != nil {
		t.Fatal(err)
	}
	return whatsapp.Delivery{
		ID: webhook.ID(strings.TrimPrefix(r.Stream, "webhook-")), Channel: got.Channel, Workspace: got.Workspace, Body: []byte(got.Body),
		Received: r.Time, Event: r.ID.String(), Correlation: meta.Correlation,
	}
}

// fact is an event in short.
type fact struct {
	Type string
	Data map[string]any
}

// facts returns the events behind a position in streams of the category.
func (w *world) facts(category string, after eventstore.Position) (list []fact) {
	w.t.Helper()
	for r, err := range w.store.ReadAll(w.t.Context(), eventstore.AllQuery{After: after, Categories: []string{category}}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.IsMark() {
			continue
		}
		f := fact{Type: r.Type}
		if err := json.Unmarshal(r.Data, &f.Data); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func (w *world) head() eventstore.Position {
	w.t.Helper()
	h, err := w.store.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return h.Position
}

package whatsapp_test

import (
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/views"
)

// addFixtures makes the sample payloads inputs of a fuzz test.
func addFixtures(f *testing.F, add func(body []byte)) {
	f.Helper()
	files, err := filepath.Glob("testdata/[0-9][0-9]-*")
	if err != nil || len(files) != 39 {
		f.Fatalf("%d fixtures: %v", len(files), err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(body)
	}
}

// A signature is taken if it is that of the body with the secret, in hex, and no
// other is.
func FuzzSigned(f *testing.F) {
	body := []byte(`{"object":"whatsapp_business_account"}`)
	good := whatsapp.Sign(body, appSecret)
	for _, header := range []string{good, strings.ToUpper(good), "sha256=" + strings.ToUpper(good[7:]), good + "00", good[:70], "sha1=" + good[7:], "sha256=", "", " " + good, good + "\n"} {
		f.Add(body, header, appSecret)
	}
	f.Add([]byte{}, whatsapp.Sign(nil, ""), "")
	f.Fuzz(func(t *testing.T, body []byte, header, secret string) {
		right := whatsapp.Sign(body, secret)
		if whatsapp.Signed(body, right, secret) != (secret != "") {
			t.Errorf("the right signature of %q with %q is taken: %v", body, secret, secret == "")
		}
		sum, prefixed := strings.CutPrefix(header, "sha256=")
		raw, err := hex.DecodeString(sum)
		want := prefixed && err == nil && secret != "" && hex.EncodeToString(raw) == right[len("sha256="):]
		if got := whatsapp.Signed(body, header, secret); got != want {
			t.Errorf("%q is taken for %q with %q: %v", header, body, secret, got)
		}
		if secret != "" && (whatsapp.Signed(append(body, ' '), right, secret) || whatsapp.Signed(body, right, secret+"x")) {
			t.Errorf("the signature of %q with %q is taken for another", body, secret)
		}
	})
}

// Whatever Meta signs is kept byte for byte or refused for good; what is kept is
// translated or set aside, twice to the same end; and there is nothing in it that
// a view could choke on.
func FuzzWebhook(f *testing.F) {
	addFixtures(f, func(body []byte) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		w := newWorld(t)
		before := w.head()
		got := w.request(http.MethodPost, "", body, whatsapp.Sign(body, appSecret))
		switch got.Code {
		case http.StatusOK:
			kept := w.facts("webhook", before)
			if len(kept) != 1 || kept[0].Data["body"] != string(body) {
				t.Fatalf("%q is kept as %v", body, kept)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if w.head() != before {
				t.Errorf("%q is answered with %d, but something was stored", body, got.Code)
			}
			return
		default:
			t.Fatalf("%q is answered with %d %s", body, got.Code, got.Body)
		}

		if err := w.translate(); err != nil {
			t.Fatalf("translate %q: %v", body, err)
		}
		end := w.head()
		if last := w.facts("webhook", before); len(last) != 2 {
			t.Errorf("%q is neither translated nor set aside: %v", body, last)
		}
		w.done = before
		if err := w.translate(); err != nil || w.head() != end {
			t.Errorf("translated again, %q leads to more: %d after %d, %v", body, w.head(), end, err)
		}
		w.foldAll(t)
	})
}

// foldAll folds the log into every view, and looks for text that no database
// keeps.
func (w *world) foldAll(t *testing.T) {
	t.Helper()
	catalogue := commands.Codec()
	var events []projections.Event
	for r, err := range w.store.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		fact, err := catalogue.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(r.Data) || !utf8.Valid(r.Meta) || len(r.Data) > eventstore.MaxEventSize {
			t.Errorf("the data of %s is no text of ours: %q", r.Type, r.Data)
		}
		events = append(events, projections.Event{Recorded: r, Meta: meta, Fact: fact})
	}
	for _, newView := range views.All() {
		view := newView()
		if err := projections.NewMemory(view).Apply(events...); err != nil {
			t.Errorf("%s: %v", view.Name(), err)
		}
	}
}

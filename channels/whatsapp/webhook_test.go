package whatsapp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/eventstore"
)

func TestVerification(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		query string
		want  int
	}{
		{"?hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1158201444", 200},
		{"?hub.mode=subscribe&hub.verify_token=verify-m&hub.challenge=1158201444", 403},
		{"?hub.mode=subscribe&hub.challenge=1158201444", 403},
		{"?hub.mode=unsubscribe&hub.verify_token=verify-me&hub.challenge=1158201444", 403},
		{"?hub.mode=subscribe&hub.verify_token=verify-me", 403},
		{"", 403},
	} {
		got := w.request(http.MethodGet, tc.query, nil, "")
		if got.Code != tc.want {
			t.Errorf("%s: %d, want %d", tc.query, got.Code, tc.want)
		}
		if tc.want == 200 && (got.Body.String() != "1158201444" || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/plain")) {
			t.Errorf("%s: %q as %s", tc.query, got.Body, got.Header().Get("Content-Type"))
		}
	}
	if diff := cmp.Diff(map[string]int{whatsapp.Verified: 1, whatsapp.WrongVerification: 5}, w.counts); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestWhatIsSignedIsKeptBeforeTheAnswer(t *testing.T) {
	w := newWorld(t)
	body := fixture(t, "01-text.json")
	for range 2 {
		if got := w.post(body); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	kept := w.facts("webhook", 0)
	if len(kept) != 1 || kept[0].Data["body"] != string(body) || kept[0].Data["channel"] != w.channel || kept[0].Data["workspace"] != workspace {
		t.Errorf("kept %d events", len(kept))
	}
	if w.counts[whatsapp.Kept] != 2 {
		t.Errorf("counted %v", w.counts)
	}
}

func TestRejections(t *testing.T) {
	good := fixture(t, "01-text.json")
	for _, tc := range []struct {
		name, outcome string
		body          []byte
		sign          string
		want          int
	}{
		{"no signature", whatsapp.WrongSignature, good, "", 401},
		{"another secret", whatsapp.WrongSignature, good, whatsapp.Sign(good, "other"), 401},
		{"of another body", whatsapp.WrongSignature, good, whatsapp.Sign(good[1:], appSecret), 401},
		{"not hex", whatsapp.WrongSignature, good, "sha256=zz", 401},
		{"cut short", whatsapp.WrongSignature, good, whatsapp.Sign(good, appSecret)[:40], 401},
		{"sha1", whatsapp.WrongSignature, good, strings.Replace(whatsapp.Sign(good, appSecret), "sha256", "sha1", 1), 401},
		{"no JSON", whatsapp.NotJSON, fixture(t, "52-not-json.txt"), whatsapp.Sign(fixture(t, "52-not-json.txt"), appSecret), 400},
		{"nothing", whatsapp.NotJSON, nil, whatsapp.Sign(nil, appSecret), 400},
		{"no UTF-8", whatsapp.NotJSON, []byte("\"\xff\""), whatsapp.Sign([]byte("\"\xff\""), appSecret), 400},
		{"too large", whatsapp.TooLarge, make([]byte, 4<<20+1), "sha256=00", 413},
		{"too large once escaped", whatsapp.TooLarge, quotes, whatsapp.Sign(quotes, appSecret), 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.head()
			if got := w.request(http.MethodPost, "", tc.body, tc.sign); got.Code != tc.want {
				t.Errorf("status %d, want %d", got.Code, tc.want)
			}
			if w.head() != before {
				t.Error("something was stored")
			}
			if diff := cmp.Diff(map[string]int{tc.outcome: 1}, w.counts); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	}
}

// quotes is JSON that doubles when it is escaped.
var quotes = []byte("[" + strings.Repeat(`"",`, 1_300_000) + `""]`)

func TestChannelsThatAreNone(t *testing.T) {
	w := newWorld(t)
	body := fixture(t, "01-text.json")
	w.channel = "11111111-1111-1111-1111-111111111111"
	if got := w.post(body); got != 404 {
		t.Errorf("POST: %d", got)
	}
	if got := w.request(http.MethodGet, "?hub.mode=subscribe", nil, ""); got.Code != 404 {
		t.Errorf("GET: %d", got.Code)
	}
	if got := w.request(http.MethodPut, "", nil, ""); got.Code != 405 || got.Header().Get("Allow") == "" {
		t.Errorf("PUT: %d", got.Code)
	}
}

// A database that cannot look for such an id would answer with a failure, and
// Meta would try again for days.
func TestChannelsThatNoIDNames(t *testing.T) {
	w := newWorld(t)
	w.webhook.Accounts = func(_ context.Context, id string) (whatsapp.Account, error) {
		return whatsapp.Account{}, fmt.Errorf("asked for %q", id)
	}
	body := fixture(t, "01-text.json")
	for _, w.channel = range []string{"%00", "%ff", "a%0ab", strings.Repeat("x", 600)} {
		if got := w.post(body); got != 404 {
			t.Errorf("%.10s: %d", w.channel, got)
		}
	}
}

// broken is a store that cannot append.
type broken struct{ eventstore.Store }

func (broken) Append(context.Context, string, eventstore.Revision, ...eventstore.Event) (eventstore.Result, error) {
	return eventstore.Result{}, errors.New("disk full")
}

func TestWhatCannotBeKeptIsNotAcknowledged(t *testing.T) {
	w := newWorldOn(t, func(s eventstore.Store) eventstore.Store { return broken{s} })
	body := fixture(t, "01-text.json")
	got := w.request(http.MethodPost, "", body, whatsapp.Sign(body, appSecret))
	if got.Code != 503 || got.Header().Get("Retry-After") == "" || strings.Contains(got.Body.String(), "disk") {
		t.Errorf("%d %q", got.Code, got.Body)
	}
	if w.counts[whatsapp.Unavailable] != 1 {
		t.Errorf("counted %v", w.counts)
	}
}

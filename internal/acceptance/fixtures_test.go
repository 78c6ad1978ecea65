package acceptance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fixtures returns the sample webhooks by name, and the names in order.
func fixtures(t *testing.T) (map[string][]byte, []string) {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir("../../channels/whatsapp/testdata", func(path string, d os.DirEntry, err error) error {
		name := filepath.Base(path)
		if name == "fuzz" {
			return filepath.SkipDir // a corpus, whatever its files are called
		}
		if err != nil || d.IsDir() || len(name) < 3 || name[2] != '-' {
			return err
		}
		if files[name], err = os.ReadFile(path); err == nil && len(files[name]) == 0 {
			t.Errorf("%s is empty", name)
		}
		return err
	})
	if err != nil || len(files) != 39 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	return files, slices.Sorted(maps.Keys(files))
}

// post delivers the named webhooks and waits until all are translated.
func (s *server) post(admin client, channel string, files map[string][]byte, names []string) {
	s.t.Helper()
	for _, name := range names {
		want := 200
		if strings.HasSuffix(name, ".txt") {
			want = 400
		}
		if got := s.deliver(channel, files[name]); got != want {
			s.t.Fatalf("%s: %d, want %d\n%s", name, got, want, s.log)
		}
	}
	s.settle(admin, channel)
}

// settle waits until no delivery is left to translate.
func (s *server) settle(admin client, channel string) {
	s.t.Helper()
	s.until("every delivery is translated", func() bool {
		for _, d := range admin.all("/v1/channels/" + channel + "/deliveries") {
			if d["state"] == "received" {
				return false
			}
		}
		return true
	})
	// What the translation appended is in the log now; ask for views that know it.
	head := s.events()
	position := fmt.Sprint(head[len(head)-1]["position"])
	for _, path := range []string{"/v1/chats", "/v1/orders", "/v1/statuses"} {
		admin.must(200, "GET", path+"?min_position="+position, "")
	}
}

// volatile are the fields that may differ between two installations that were
// told the same in another order.
var volatile = map[string]bool{
	"revision": true, "position": true, "recorded_at": true, "updated_at": true, "next_cursor": true, "prev_cursor": true,
	"event": true, "event_id": true, "received_at": true, "before": true, "after": true,
}

func scrub(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if !volatile[k] {
				out[k] = scrub(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = scrub(e)
		}
		return out
	}
	return v
}

// views returns all that the API shows, less what is volatile.
func (s *server) views(c client) map[string]any {
	s.t.Helper()
	got := map[string]any{}
	put := func(path string) {
		got[path] = scrub(c.must(200, "GET", path, "").object(s.t))
	}
	for _, path := range []string{"/v1/chats?sort=last_activity", "/v1/chats?sort=created", "/v1/chats?sort=waiting", "/v1/chats/counts", "/v1/orders", "/v1/statuses", "/v1/tags"} {
		put(path)
	}
	for _, chat := range c.all("/v1/chats") {
		id := chat["id"].(string)
		put("/v1/chats/" + id)
		put("/v1/chats/" + id + "/visitor")
		got[id+" messages"] = scrub(anySlice(c.all("/v1/chats/" + id + "/messages")))
	}
	for _, order := range c.all("/v1/orders") {
		put("/v1/orders/" + order["id"].(string))
	}
	return got
}

func anySlice(in []map[string]any) []any {
	out := make([]any, len(in))
	for i, m := range in {
		out[i] = m
	}
	return out
}

// Whatever the order, and however often: the same webhooks give the same views. No two of
// a chat are of the same second, of which the log would decide.
func TestWebhooksInAnyOrder(t *testing.T) {
	files, names := fixtures(t)
	onBoth(t, func(t *testing.T, s *server) {
		channel, admin := s.channel("http://127.0.0.1:1"), s.token("admin", "Root")
		s.start()
		s.post(admin, channel, files, names)
		want := s.views(admin)
		s.post(admin, channel, files, names)
		if diff := cmp.Diff(want, s.views(admin)); diff != "" {
			t.Errorf("after posting all again (-once +twice):\n%s", diff)
		}

		back := s.sibling()
		channel, admin = back.channel("http://127.0.0.1:1"), back.token("admin", "Root")
		back.start()
		reversed := slices.Clone(names)
		slices.Reverse(reversed)
		back.post(admin, channel, files, reversed)
		back.post(admin, channel, files, reversed)
		if diff := cmp.Diff(want, back.views(admin)); diff != "" {
			t.Errorf("posted in reverse (-forwards +reverse):\n%s", diff)
		}
	})
}

func TestWrongSignatureStoresNothing(t *testing.T) {
	files, _ := fixtures(t)
	s := newServer(t)
	channel := s.channel("http://127.0.0.1:1")
	s.start()
	before := len(s.events())
	for _, signature := range []string{"", "sha256=", "sha256=00", "sha1=abc", "sha256=" + strings.Repeat("0", 64), "sha256=" + strings.Repeat("z", 64)} {
		if got := s.deliverSigned(channel, files["01-text.json"], signature); got != 401 {
			t.Errorf("signature %q: %d, want 401", signature, got)
		}
	}
	if got := s.deliver(channel, files["52-not-json.txt"]); got != 400 {
		t.Errorf("no JSON: %d, want 400", got)
	}
	if got := s.deliver("no-such-channel", files["01-text.json"]); got != 404 && got != 401 {
		t.Errorf("unknown channel: %d", got)
	}
	if after := len(s.events()); after != before {
		t.Errorf("%d events were stored", after-before)
	}
	s.stop()
}

// writesNow has the customer of a chat write at this moment. The fixtures are old: only
// if she writes now, she can be answered freely.
func (s *server) writesNow(c client, channel, chat string, files map[string][]byte) {
	s.t.Helper()
	now := regexp.MustCompile(`"timestamp": "[0-9]+"`).ReplaceAll(files["01-text.json"], fmt.Appendf(nil, `"timestamp": "%d"`, time.Now().Unix()))
	now = regexp.MustCompile(`"id": "wamid[^"]*"`).ReplaceAll(now, []byte(`"id": "wamid.now"`))
	if status := s.deliver(channel, now); status != 200 {
		s.t.Fatalf("a message of now: %d", status)
	}
	s.until("she can be answered", func() bool {
		at, _ := c.must(200, "GET", chat, "").object(s.t)["window_closes_at"].(string)
		closes, err := time.Parse(time.RFC3339, at)
		return err == nil && closes.After(time.Now())
	})
}

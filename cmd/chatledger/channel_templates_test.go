package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The templates of a business account are taken over, page by page; once more changes
// nothing, and what cannot be kept is left out by name.
func TestChannelTemplates(t *testing.T) {
	pages := map[string]string{
		"": `{"data":[{"id":"1","name":"delivery_update","language":"en_US","status":"APPROVED","category":"UTILITY","components":[` +
			`{"type":"HEADER","format":"TEXT","text":"On its way"},{"type":"BODY","text":"Hello {{1}}","example":{"body_text":[["Ana"]]}},` +
			`{"type":"BUTTONS","buttons":[{"type":"URL","text":"Track it","url":"https://shop.example/{{1}}"},{"type":"FLOW","text":"Form"}]}]}],` +
			`"paging":{"cursors":{"before":"a","after":"two"},"next":"https://elsewhere.example/"}}`,
		"two": `{"data":[{"id":"2","name":"sale","language":"en","status":"REJECTED","rejected_reason":"SCAM","category":"MARKETING","components":[{"type":"BODY","text":"Sale"}]},` +
			`{"id":"3","name":"Not A Name","language":"en","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"x"}]}],"paging":{"cursors":{"after":"three"}}}`,
	}
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer access":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":{"message":"(#190) Invalid OAuth access token","code":190}}`)
		case r.URL.Path != "/v23.0/4711/message_templates":
			http.NotFound(w, r)
		default:
			fmt.Fprint(w, pages[r.URL.Query().Get("after")])
		}
	}))
	defer graph.Close()
	data := t.TempDir()
	chatledger := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append(args, "--data", data), &stdout, &stderr); code != want {
			t.Fatalf("%v: %d, %s%s", args, code, &stdout, &stderr)
		}
		return stdout.String() + stderr.String()
	}
	id := strings.TrimSpace(chatledger(0, "channel", "add", "whatsapp", "--workspace", "acme", "--name", "Shop", "--phone-number-id", "1065",
		"--verify-token", "v", "--app-secret", "s", "--access-token", "access", "--graph-url", graph.URL))
	first := chatledger(0, "channel", "templates", id, "--business", "4711")
	if !strings.Contains(first, "3 templates, 2 of them new or changed, 1 left out") || !strings.Contains(first, "Not A Name (en) is left out: template.bad_name") {
		t.Errorf("first: %s", first)
	}
	if again := chatledger(0, "channel", "templates", id, "--business", "4711"); !strings.Contains(again, "3 templates, 0 of them new or changed, 1 left out") {
		t.Errorf("again: %s", again)
	}
	if other := chatledger(1, "channel", "templates", id, "--business", "1"); !strings.Contains(other, "status 404 and is no list") {
		t.Errorf("another account: %s", other)
	}
	if none := chatledger(1, "channel", "templates", "no-channel", "--business", "1"); !strings.Contains(none, `no WhatsApp channel "no-channel"`) {
		t.Errorf("no channel: %s", none)
	}
	log := chatledger(0, "events", "dump", "--category", "template")
	for _, want := range []string{`"other":["button flow"]`, `"status":"rejected","reason":"SCAM"`, `"template.defined.v1"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
}

package readapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/readapi"
)

// lists are the routes with pages, of the ledger that library makes.
func lists(chat, channel string) []string {
	return []string{
		"/v1/chats", "/v1/chats/" + chat + "/messages", "/v1/chats/" + chat + "/history", "/v1/orders", "/v1/tags", "/v1/agents", "/v1/teams",
		"/v1/channels", "/v1/channels/" + channel + "/deliveries", "/v1/statuses", "/v1/chats/counts",
		"/v1/search", "/v1/chats/" + chat + "/answers",
	}
}

// Whatever is asked of a list: it answers, or says what is wrong with the
// question. The page that it says is next is there.
func FuzzQuery(f *testing.F) {
	l := newLedger(f, func(rc *readapi.Config, _ *web.Config) { rc.MaxLag = 0 })
	ch := l.connect(acme)
	chat := ""
	for _, customer := range []string{"15551230001", "15551230002", "15551230003"} {
		chat = l.receive(acme, customer, "hello")
		l.receive(acme, customer, "\\u0000 <b>")
		l.receive(acme, customer, strings.Repeat("<", 450)) // it is in the provider's id as well
	}
	l.deliver(acme, ch, `{"object":"whatsapp_business_account"}`)
	for i, name := range []string{"vip", "<", strings.Repeat("\U0001F600", 199) + "1", strings.Repeat("\U0001F600", 199) + "2"} {
		if _, err := l.commands.Tags.Create(f.Context(), l.origin(acme), tag.Create{Tag: tag.ID(fmt.Sprint("t-", i)), Name: name}); err != nil {
			f.Fatal(err)
		}
	}
	l.get("/v1/chats")
	l.get("/v1/tags")
	routes := lists(chat, ch)
	for i := range routes {
		f.Add(uint8(i), "limit=1")
		f.Add(uint8(i), "limit=1&cursor=eyJ2IjoxLCJsIjoiaW5ib3gvYWN0aXZpdHkiLCJwIjp7fX0")
	}
	for _, q := range []string{
		"assignee=none&unread=true&sort=waiting&limit=1", "status=%00", "tag=%F0%9F%98%80", "category=open&team=x&channel=y", "limit=-1", "limit=1e3", "wait=11", "notes=false&events=false&before=x", "before=x&after=y&cursor=z", "a;b", "sort=%ff", "unread=maybe", "unread=&sort=",
	} {
		f.Add(uint8(0), q)
		f.Add(uint8(1), q)
	}
	for _, q := range []string{
		"q=hello", "q=hel&limit=1", "q=%22*()-%5E:%20AND%20OR%20NEAR(a,2)", "q=hello%00", "q=%F0%9F%98%80", "q=" + strings.Repeat("a", 10_000), "q=", "q=a&kind=chat",
		"q=1555+123&kind=visitor", "q=%ff", "q=hello&cursor=eyJ2IjoxLCJsIjoic2VhcmNoIiwicCI6eyJpIjotMX19",
	} {
		f.Add(uint8(len(routes)-1), q)
	}
	f.Fuzz(func(t *testing.T, route uint8, query string) {
		if given, _ := url.ParseQuery(query); given.Has("min_position") {
			return // to wait is not what this is about
		}
		path := routes[int(route)%len(routes)]
		for range 5 {
			next := ask(t, l, path, query)
			if next == "" {
				return
			}
			given, err := url.ParseQuery(query)
			if err != nil {
				t.Fatalf("%q is taken, though %v", query, err)
			}
			given.Set("cursor", next)
			given.Del("before")
			given.Del("after")
			query = given.Encode()
			if status, body := fetch(t, l, path, query); status != http.StatusOK {
				t.Fatalf("GET %s?%s = %d %s; it is the page that was said to be next", path, query, status, body)
			}
		}
	})
}

// fetch asks without a parser of addresses in between.
func fetch(t *testing.T, l *ledger, path, query string) (status int, body []byte) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	r.URL.RawQuery = query
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("Authorization", "Bearer "+l.tokens[agent.RoleAdmin])
	w := httptest.NewRecorder()
	l.web.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// ask returns the cursor of the next page.
func ask(t *testing.T, l *ledger, path, query string) (next string) {
	t.Helper()
	status, body := fetch(t, l, path, query)
	var answer struct {
		Items []json.RawMessage `json:"items"`
		Next  string            `json:"next_cursor"`
		Code  string            `json:"code"`
	}
	if err := json.Unmarshal(body, &answer); err != nil && status != http.StatusOK {
		t.Fatalf("GET %s?%s = %d %q: %v", path, query, status, body, err)
	}
	switch {
	case status == http.StatusOK:
	case status == http.StatusBadRequest && answer.Code != "":
	default:
		t.Fatalf("GET %s?%s = %d %s", path, query, status, body)
	}
	return answer.Next
}

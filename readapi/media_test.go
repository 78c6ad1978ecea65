package readapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/ids"
)

// attach has a customer send a file, and returns the chat's and the message's id.
func (l *ledger) attach(customer, name string, c chat.Content) (string, chat.MessageID) {
	l.t.Helper()
	ch := ids.Channel(acme, "whatsapp", "1065")
	id := ids.Chat(acme, ch, customer)
	m := chat.MessageID(ids.Message(id, "wamid."+name))
	_, err := l.commands.Chats.Receive(l.t.Context(), l.origin(acme), chat.ID(id), chat.ReceiveMessage{
		Workspace: acme, Channel: ch, Customer: customer, Message: m, ProviderID: "wamid." + name, Content: c, At: time.Now().UTC(),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return id, m
}

// keep puts the file of a message where files are, and says so.
func (l *ledger) keep(id string, m chat.MessageID, content, shown string) blob.Blob {
	l.t.Helper()
	b, err := l.files.Put(l.t.Context(), acme, strings.NewReader(content))
	if err != nil {
		l.t.Fatal(err)
	}
	e := chat.MediaStored{Message: m, SHA256: b.SHA256, Size: b.Size, MIMEType: shown, At: time.Now().UTC()}
	if _, err := l.commands.Chats.StoreMedia(l.t.Context(), l.origin(acme), chat.ID(id), chat.StoreMedia{MediaStored: e}); err != nil {
		l.t.Fatal(err)
	}
	return b
}

func TestMediaOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id, m := l.attach("15551230001", "photo", chat.Content{Kind: "image", Text: "look", Media: &chat.Media{ID: "7", MIMEType: "image/jpeg", Filename: "../../a \"b\".jpg"}})
	path := fmt.Sprintf("/v1/chats/%s/messages/%s/media", id, m)
	conversation := func() object {
		t.Helper()
		return l.get("/v1/chats/" + id + "/messages")
	}
	if got := conversation(); got.at("items.0.message.media.state") != "fetching" || got.at("items.0.message.media.url") != nil || got.at("items.0.message.media.mime_type") != "image/jpeg" {
		t.Errorf("%v", got)
	}
	at := func() string { return "?min_position=" + l.head() }
	if got := l.must(409, ann, "GET", path+at(), ""); got["code"] != "chat.media_fetching" {
		t.Errorf("%v", got)
	}
	_, err := l.commands.Chats.FailMedia(t.Context(), l.origin(acme), chat.ID(id), chat.FailMedia{MediaFailed: chat.MediaFailed{Message: m, Code: chat.MediaRefused, Reason: "the token has expired", At: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.must(409, ann, "GET", path+at(), ""); got["code"] != "chat.media_failed" || !strings.Contains(got["detail"].(string), "the token has expired") {
		t.Errorf("%v", got)
	}
	if got := conversation(); got.at("items.0.message.media.state") != "failed" || got.at("items.0.message.media.code") != "refused" || got.at("items.0.message.media.reason") != "the token has expired" {
		t.Errorf("%v", got)
	}
	l.must(403, agent.RoleAnalyst, "POST", path+"/fetch", "")
	if got := l.must(202, ann, "POST", path+"/fetch", ""); got["changed"] != true {
		t.Errorf("%v", got)
	}
	if got := l.must(202, ann, "POST", path+"/fetch", ""); got["changed"] != false {
		t.Errorf("asked twice: %v", got)
	}

	content := "\xFF\xD8\xFF\xE0 a picture of a broken handle"
	b := l.keep(id, m, content, "image/jpeg")
	if got := conversation(); got.at("items.0.message.media.state") != "stored" || got.at("items.0.message.media.url") != path ||
		got.at("items.0.message.media.size") != float64(len(content)) || got.at("items.0.message.media.sha256") != b.SHA256 || got.at("items.0.message.media.code") != nil {
		t.Errorf("%v", got)
	}
	for _, role := range allRoles {
		if got := l.do(role, "GET", path+at(), ""); got.status != 200 || got.body != content {
			t.Errorf("%s: %d %q", role, got.status, got.body)
		}
	}
	got := l.do(ann, "GET", path, "")
	sum := sha256.Sum256([]byte(content))
	for name, want := range map[string]string{
		"Content-Type": "image/jpeg", "Content-Disposition": `inline; filename="a _b_.jpg"`, "ETag": `"` + hex.EncodeToString(sum[:]) + `"`,
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
		"Cache-Control": "private, no-cache", "Content-Length": fmt.Sprint(len(content)), "Accept-Ranges": "bytes", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if got := l.do(ann, "GET", path+"?download=true", ""); !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v", got.header)
	}
	if got := l.do(ann, "GET", path, "", "Range", "bytes=3-7"); got.status != 206 || got.body != content[3:8] || got.header.Get("Content-Range") != fmt.Sprintf("bytes 3-7/%d", len(content)) {
		t.Errorf("a part: %d %q %v", got.status, got.body, got.header)
	}
	if got := l.do(ann, "GET", path, "", "Range", "bytes=900-"); got.status != 416 {
		t.Errorf("a part that is not there: %d", got.status)
	}
	if got := l.do(ann, "GET", path, "", "If-None-Match", got.header.Get("ETag")); got.status != 304 || got.body != "" {
		t.Errorf("a copy: %d %q", got.status, got.body)
	}
	if got := l.do(ann, "HEAD", path, ""); got.status != 200 || got.body != "" || got.header.Get("Content-Length") != fmt.Sprint(len(content)) {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	l.must(401, "", "GET", path, "")

	// What a customer sends is never a page.
	_, page := l.attach("15551230001", "page", chat.Content{Kind: "document", Media: &chat.Media{ID: "8", MIMEType: "text/html", Filename: "ünïcode.html"}})
	l.keep(id, page, "<script>alert(1)</script>", "application/octet-stream")
	got = l.do(ann, "GET", strings.Replace(path, string(m), string(page), 1)+at(), "")
	if got.header.Get("Content-Type") != "application/octet-stream" || got.header.Get("Content-Disposition") != "attachment; filename*=utf-8''%C3%BCn%C3%AFcode.html" {
		t.Errorf("%v", got.header)
	}
	_, plain := l.attach("15551230001", "plain", chat.Content{Kind: "document", Media: &chat.Media{ID: "9", MIMEType: "text/plain"}})
	l.keep(id, plain, "Grüße", "text/plain")
	got = l.do(ann, "GET", strings.Replace(path, string(m), string(plain), 1)+at(), "")
	if got.header.Get("Content-Type") != "text/plain; charset=utf-8" || got.header.Get("Content-Disposition") != "attachment; filename=document.txt" {
		t.Errorf("%v", got.header)
	}

	// A file that somebody took away is not there; a message without one has none.
	if err := l.files.Delete(t.Context(), blob.Blob{Workspace: acme, SHA256: b.SHA256, PutAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if got := l.must(404, ann, "GET", path, ""); got["code"] != "media.missing" {
		t.Errorf("%v", got)
	}
	text := l.receive(acme, "15551230001", "words")
	words := ids.Message(text, "wamid.15551230001.words")
	for _, p := range []string{strings.Replace(path, string(m), words, 1), strings.Replace(path, string(m), "none", 1)} {
		if got := l.must(404, ann, "GET", p+at(), ""); got["code"] != "chat.media_not_found" {
			t.Errorf("%s: %v", p, got)
		}
		l.must(404, ann, "POST", p+"/fetch", "")
	}

	// Strangers, and deleted chats.
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	here := strings.Replace(path, string(m), string(plain), 1)
	l.must(404, stranger, "GET", here, "")
	l.must(404, stranger, "POST", here+"/fetch", "")
	l.must(200, agent.RoleSupervisor, "DELETE", "/v1/chats/"+id, "")
	l.must(404, ann, "GET", here+at(), "")
	l.must(404, ann, "POST", here+"/fetch", "")
	l.must(200, agent.RoleSupervisor, "POST", "/v1/chats/"+id+"/restore", "")
	if got := l.do(ann, "GET", here+at(), ""); got.status != 200 {
		t.Errorf("restored: %d", got.status)
	}
}

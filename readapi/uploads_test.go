package readapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/domain/template"
)

const jpeg = "\xFF\xD8\xFF\xE0 a picture"

func still(size int) string { return "RIFF\x00\x00\x00\x00WEBPVP8 " + strings.Repeat("x", size-16) }

func moving(size int) string {
	return "RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + strings.Repeat("x", size-21)
}

// An agent uploads a file, sends it, and everybody who sees the chat sees it.
func TestUploadsOverHTTP(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	files, messages := "/v1/chats/"+id+"/media", "/v1/chats/"+id+"/messages"

	up := l.must(201, ann, "POST", files, jpeg, "Content-Type", "image/jpeg")
	if up["kind"] != "image" || up["mime_type"] != "image/jpeg" || up["size"] != float64(len(jpeg)) || len(up["sha256"].(string)) != 64 || up["changed"] != true {
		t.Errorf("%v", up)
	}
	again := l.must(201, agent.RoleBot, "POST", files, jpeg, "Content-Type", "image/jpeg")
	if again["id"] != up["id"] || again["changed"] != false {
		t.Errorf("the same again: %v", again)
	}

	sent := l.must(202, ann, "POST", messages, fmt.Sprintf(`{"media":{"id":%q,"caption":"like this"}}`, up["id"]))
	got := l.get(messages + "?events=false")
	entry := object(got.at("items.1").(map[string]any))
	path := messages + "/" + sent["id"].(string) + "/media"
	for field, want := range map[string]any{
		"message.direction": "out", "message.content.kind": "image", "message.content.text": "like this",
		"message.media.state": "stored", "message.media.url": path, "message.media.mime_type": "image/jpeg", "message.media.size": float64(len(jpeg)), "message.media.sha256": up["sha256"],
	} {
		if entry.at(field) != want {
			t.Errorf("%s: %v, want %v", field, entry.at(field), want)
		}
	}
	for _, role := range allRoles {
		if got := l.do(role, "GET", path, ""); got.status != 200 || got.body != jpeg || got.header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: %d %q", role, got.status, got.body)
		}
	}
	if got := l.get("/v1/chats"); got.at("items.0.last_message.preview") != "[image] like this" {
		t.Errorf("%v", got.at("items.0.last_message"))
	}

	// A document has a name; in the list it stands for words that are not there.
	pdf := l.must(201, ann, "POST", files, "%PDF-1.7 a bill", "Content-Type", "application/pdf")
	sent = l.must(202, ann, "POST", messages, fmt.Sprintf(`{"media":{"id":%q,"filename":"bill 7.pdf"}}`, pdf["id"]))
	if got := l.get("/v1/chats"); got.at("items.0.last_message.preview") != "[document] bill 7.pdf" {
		t.Errorf("%v", got.at("items.0.last_message"))
	}
	if got := l.do(ann, "GET", messages+"/"+sent["id"].(string)+"/media", ""); got.header.Get("Content-Disposition") != `attachment; filename="bill 7.pdf"` {
		t.Errorf("%v", got.header)
	}
	page := l.do(ann, "GET", "/v1/chats/"+id+"/transcript?format=txt", "")
	if !strings.Contains(page.body, "bill 7.pdf") || !strings.Contains(page.body, "like this") {
		t.Errorf("the transcript says %s", page.body)
	}
	if got := l.get("/v1/search?q=like+this"); len(got.items()) != 1 {
		t.Errorf("found %v", got)
	}
	history := fmt.Sprint(l.get("/v1/chats/" + id + "/history").field("type"))
	if !strings.Contains(history, "chat.file_uploaded.v1") {
		t.Errorf("the history has %s", history)
	}

	// What is wrong with a message that names a file.
	for body, want := range map[string][3]any{
		`{"media":{"id":"none"}}`: {404, "chat.file_not_found", "body.media.id"},
		`{"media":{"id":""}}`:     {400, "chat.file_missing", "body.media.id"},
		fmt.Sprintf(`{"media":{"id":%q},"text":"both"}`, up["id"]):                                             {400, "request.invalid", "body.media"},
		fmt.Sprintf(`{"media":{"id":%q,"filename":"a.jpg"}}`, up["id"]):                                        {400, "chat.bad_filename", "body.media.filename"},
		fmt.Sprintf(`{"media":{"id":%q,"caption":%q}}`, up["id"], strings.Repeat("x", 1_025)):                  {400, "chat.bad_caption", "body.media.caption"},
		fmt.Sprintf(`{"media":{"id":%q,"caption":"look","filename":%q}}`, pdf["id"], strings.Repeat("x", 241)): {400, "chat.bad_filename", "body.media.filename"},
	} {
		got := l.must(want[0].(int), ann, "POST", messages, body)
		if got["code"] != want[1] || got.at("errors.0.location") != want[2] {
			t.Errorf("%s: %v", body, got)
		}
	}

	// A file belongs to its chat; strangers have neither, nor has a deleted chat.
	other := l.receive(acme, "15551230002", "hello")
	l.must(404, ann, "POST", "/v1/chats/"+other+"/messages", fmt.Sprintf(`{"media":{"id":%q}}`, up["id"]))
	l.must(403, agent.RoleAuditor, "POST", files, jpeg, "Content-Type", "image/jpeg")
	l.must(401, "", "POST", files, jpeg, "Content-Type", "image/jpeg")
	l.settle("other")
	stranger, _ := l.token("other", agent.RoleAdmin, "")
	l.must(404, stranger, "POST", files, jpeg, "Content-Type", "image/jpeg")
	l.must(404, stranger, "GET", path, "")
	l.must(404, ann, "POST", "/v1/chats/none/media", jpeg, "Content-Type", "image/jpeg")
	l.must(200, agent.RoleSupervisor, "POST", "/v1/chats/"+id+"/close", "")
	if got := l.must(409, ann, "POST", files, jpeg, "Content-Type", "image/jpeg"); got["code"] != "chat.closed" {
		t.Errorf("closed: %v", got)
	}
	l.must(200, agent.RoleSupervisor, "DELETE", "/v1/chats/"+id, "")
	l.must(404, ann, "POST", files, jpeg, "Content-Type", "image/jpeg")
	l.must(404, ann, "GET", path+"?min_position="+l.head(), "")
}

// A file is taken as WhatsApp takes it, or refused in words that say why.
func TestWhatCanBeUploaded(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	files := "/v1/chats/" + l.receive(acme, "15551230001", "hello") + "/media"
	for _, tc := range []struct {
		name, declared, content string
		kind                    string // if it is taken
		code, says              string // else
	}{
		{name: "an image", declared: "image/png", content: "\x89PNG\r\n\x1A\n", kind: "image"},
		{name: "an image that is as large as can be", declared: "image/jpeg", content: "\xFF\xD8\xFF" + strings.Repeat("x", media.MaxImage-3), kind: "image"},
		{name: "an image that is larger", declared: "image/jpeg", content: "\xFF\xD8\xFF" + strings.Repeat("x", media.MaxImage-2), code: "media.too_large", says: "5 MB"},
		{name: "a film", declared: "video/mp4", content: "\x00\x00\x00\x18ftypmp42", kind: "video"},
		{name: "a film that is too large", declared: "video/mp4", content: "\x00\x00\x00\x18ftyp" + strings.Repeat("x", media.MaxVideo), code: "media.too_large", says: "16 MB"},
		{name: "a sound with parameters", declared: "audio/ogg; codecs=opus", content: "OggS\x00", kind: "audio"},
		{name: "a sticker", declared: "image/webp", content: still(media.MaxStill), kind: "sticker"},
		{name: "a sticker that is too large", declared: "image/webp", content: still(media.MaxStill + 1), code: "media.too_large", says: "100 KB"},
		{name: "a sticker that moves", declared: "image/webp", content: moving(media.MaxSticker), kind: "sticker"},
		{name: "a sticker that moves too much", declared: "image/webp", content: moving(media.MaxSticker + 1), code: "media.too_large", says: "500 KB"},
		{name: "a document", declared: "application/pdf", content: "%PDF-1.7", kind: "document"},
		{name: "a page that says it is a document", declared: "application/pdf", content: "<html>", code: "media.type", says: "Content-Type"},
		{name: "a page that says it is an image", declared: "image/jpeg", content: "<html>", code: "media.type", says: "image"},
		{name: "a page", declared: "text/html", content: "<html>", code: "media.type", says: "Content-Type"},
		{name: "a page that says it is text", declared: "text/plain", content: " \n<html>", code: "media.type", says: "Content-Type"},
		{name: "a drawing", declared: "image/svg+xml", content: "<svg>", code: "media.type", says: "Content-Type"},
		{name: "JSON", declared: "application/json", content: "{}", code: "media.type", says: "Content-Type"},
		{name: "a file of no type", declared: "", content: jpeg, code: "media.type", says: "Content-Type"},
		{name: "nothing", declared: "image/jpeg", code: "media.empty", says: "empty"},
	} {
		for _, announced := range []bool{true, false} { // with a Content-Length, or in pieces
			got := l.upload(files, tc.declared, strings.NewReader(tc.content), announced, "")
			switch {
			case tc.kind != "" && (got.status != 201 || l.object(got)["kind"] != tc.kind || l.object(got)["size"] != float64(len(tc.content))):
				t.Errorf("%s: %d %s", tc.name, got.status, got.body)
			case tc.code != "" && (got.status != 400 || l.object(got)["code"] != tc.code || !strings.Contains(got.body, tc.says) || l.object(got).at("errors.0.location") != "body.file"):
				t.Errorf("%s: %d %s", tc.name, got.status, got.body)
			}
		}
	}

	// A file that breaks off is not kept.
	before := l.kept()
	broken := io.MultiReader(strings.NewReader(jpeg+strings.Repeat("x", 1_000)), failing{})
	if got := l.upload(files, "image/jpeg", broken, false, ""); got.status != 400 || !strings.Contains(got.body, "broke off") {
		t.Errorf("broken off: %d %s", got.status, got.body)
	}
	if after := l.kept(); after != before {
		t.Errorf("%d files, there were %d", after, before)
	}

	// The same key with the same file is answered as before; with another it is refused.
	one := l.upload(files, "image/jpeg", strings.NewReader(jpeg), true, "k1")
	two := l.upload(files, "image/jpeg", strings.NewReader(jpeg), true, "k1")
	if one.status != 201 || one.body != two.body {
		t.Errorf("%s, then %s", one.body, two.body)
	}
	if got := l.upload(files, "image/jpeg", strings.NewReader(jpeg+"!"), true, "k1"); got.status != 422 {
		t.Errorf("another file: %d %s", got.status, got.body)
	}
}

// The header of a template takes a file that was uploaded to the chat, as well as a link.
func TestUploadsInHeadersOverHTTP(t *testing.T) {
	l := newLedger(t)
	ch := l.connect(acme)
	id := l.receive(acme, "15551230001", "hello")
	form := l.must(201, agent.RoleAdmin, "POST", "/v1/templates", fmt.Sprintf(
		`{"channel":%q,"name":"bill","language":"en","category":"utility","components":{"header":{"kind":"document"},"body":"Your bill."}}`, ch))["id"]
	_, err := l.commands.Templates.Report(t.Context(), l.origin(acme), template.Report{Channel: ch, Name: "bill", Language: "en", Status: template.Approved, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	pdf := l.must(201, ann, "POST", "/v1/chats/"+id+"/media", "%PDF-1.7", "Content-Type", "application/pdf")["id"]
	photo := l.must(201, ann, "POST", "/v1/chats/"+id+"/media", jpeg, "Content-Type", "image/jpeg")["id"]
	use := func(file string) string {
		return fmt.Sprintf(`{"template":{"id":%q,"values":{"media":%s}}}`, form, file)
	}
	messages := "/v1/chats/" + id + "/messages"
	l.must(202, ann, "POST", messages, use(fmt.Sprintf(`{"id":%q,"filename":"bill.pdf"}`, pdf)))
	items := l.get(messages + "?events=false").items()
	header := items[len(items)-1]
	if header.at("message.template.header.file.mime_type") != "application/pdf" || header.at("message.template.header.file.filename") != "bill.pdf" || header.at("message.template.header.link") != nil {
		t.Errorf("%v", header)
	}
	for file, want := range map[string][3]any{
		fmt.Sprintf(`{"id":%q}`, photo): {400, "chat.file_kind", "body.template.values.media.id"},
		`{"id":"none"}`:                 {404, "chat.file_not_found", "body.template.values.media.id"},
		fmt.Sprintf(`{"id":%q,"link":"https://shop.example/a.pdf"}`, pdf): {400, "template.bad_value", "body.template.values.media.link"},
		`{}`: {400, "template.bad_value", "body.template.values.media.link"},
	} {
		got := l.must(want[0].(int), ann, "POST", messages, use(file))
		if got["code"] != want[1] || got.at("errors.0.location") != want[2] {
			t.Errorf("%s: %v", file, got)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// upload posts a file as an agent.
func (l *ledger) upload(path, declared string, content io.Reader, announced bool, key string) answer {
	l.t.Helper()
	if !announced {
		content = io.MultiReader(content) // httptest does not know how long it is
	}
	r := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, path, content)
	r.Header.Set("Authorization", "Bearer "+l.tokens[ann])
	if declared != "" {
		r.Header.Set("Content-Type", declared)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	l.web.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// kept returns how many files are kept.
func (l *ledger) kept() (n int) {
	l.t.Helper()
	for _, err := range l.files.List(l.t.Context()) {
		if err != nil {
			l.t.Fatal(err)
		}
		n++
	}
	return n
}

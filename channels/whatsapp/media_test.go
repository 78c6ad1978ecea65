package whatsapp_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/domain/chat"
)

const sumOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestOpenMedia(t *testing.T) {
	g, a, c := graph(t)
	g.PutMedia("m1", graphtest.Media{Body: []byte("hello"), MIMEType: "image/jpeg"})
	f, err := c.OpenMedia(t.Context(), a, "m1")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f.Body)
	if err := errors.Join(err, f.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if string(content) != "hello" || f.MIMEType != "image/jpeg" || f.Size != 5 || f.SHA256 != sumOfHello {
		t.Errorf("%q, %+v", content, f)
	}
	if got := strings.Join(g.MediaRequests(), ", "); got != "where m1, get m1" {
		t.Errorf("asked %s", got)
	}
}

func TestOpenMediaWhenGraphMisbehaves(t *testing.T) {
	ok := graphtest.Behaviour{}
	for _, tt := range []struct {
		name   string
		script []graphtest.Behaviour
		put    graphtest.Media
		code   chat.MediaFailureCode
		again  bool
		after  time.Duration
	}{
		{name: "too many calls", script: []graphtest.Behaviour{{Status: 429, Code: 80007, RetryAfter: "7"}}, code: chat.MediaUnreachable, again: true, after: 7 * time.Second},
		{name: "server error", script: []graphtest.Behaviour{{Status: 500, Code: 131000}}, code: chat.MediaUnreachable, again: true},
		{name: "no JSON", script: []graphtest.Behaviour{{Status: 503}}, code: chat.MediaUnreachable, again: true},
		{name: "a proxy forbids it", script: []graphtest.Behaviour{{Status: 403}}, code: chat.MediaRefused},
		{name: "token expired", script: []graphtest.Behaviour{{Status: 401, Code: 190}}, code: chat.MediaRefused},
		{name: "expired", script: []graphtest.Behaviour{{Status: 400, Code: 131052}}, code: chat.MediaGone},
		{name: "cut off", script: []graphtest.Behaviour{{Cut: true}}, code: chat.MediaUnreachable, again: true},
		{name: "the address expired", script: []graphtest.Behaviour{ok, {Status: 404}}, code: chat.MediaRefused, again: true},
		{name: "elsewhere", put: graphtest.Media{URL: "https://example.com/x"}, code: chat.MediaElsewhere},
		{name: "inside", put: graphtest.Media{URL: "http://169.254.169.254/latest/meta-data"}, code: chat.MediaElsewhere},
		{name: "by name like Meta's", put: graphtest.Media{URL: "https://fbsbx.com.example.com/x"}, code: chat.MediaElsewhere},
		{name: "by name that ends like Meta's", put: graphtest.Media{URL: "https://notfbsbx.com/x"}, code: chat.MediaElsewhere},
		{name: "with a user", put: graphtest.Media{URL: "https://lookaside.fbsbx.com@example.com/x"}, code: chat.MediaElsewhere},
		{name: "without TLS", put: graphtest.Media{URL: "http://lookaside.fbsbx.com/x"}, code: chat.MediaElsewhere},
		{name: "another port", put: graphtest.Media{URL: "https://lookaside.fbsbx.com:8443/x"}, code: chat.MediaElsewhere},
		{name: "a file", put: graphtest.Media{URL: "file:///etc/passwd"}, code: chat.MediaElsewhere},
		{name: "nonsense", put: graphtest.Media{URL: "::"}, code: chat.MediaElsewhere},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, a, c := graph(t)
			g.PutMedia("m1", tt.put)
			g.NextMedia(tt.script...)
			_, err := c.OpenMedia(t.Context(), a, "m1")
			failed, ok := errors.AsType[*whatsapp.MediaError](err)
			if !ok || failed.Code != tt.code || failed.Again != tt.again || failed.After != tt.after || failed.Why == "" || failed.Error() == "" {
				t.Errorf("%#v", err)
			}
		})
	}
	g, a, c := graph(t)
	if _, err := c.OpenMedia(t.Context(), a, "unknown"); func() bool { f, ok := errors.AsType[*whatsapp.MediaError](err); return !ok || f.Code != chat.MediaGone }() {
		t.Errorf("a file that is not there: %v", err)
	}
	g.PutMedia("half", graphtest.Media{Body: make([]byte, 10_000), MIMEType: "image/jpeg"})
	g.NextMedia(graphtest.Behaviour{}, graphtest.Behaviour{Cut: true})
	f, err := c.OpenMedia(t.Context(), a, "half")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Body.Close()
	_, err = io.ReadAll(f.Body)
	if failed, ok := errors.AsType[*whatsapp.MediaError](err); !ok || failed.Code != chat.MediaUnreachable || !failed.Again {
		t.Errorf("broken off: %v", err)
	}
	a.Secrets.GraphURL = "ftp://example.com"
	if _, err := c.OpenMedia(t.Context(), a, "half"); func() bool {
		f, ok := errors.AsType[*whatsapp.MediaError](err)
		return !ok || f.Code != chat.MediaNoChannel
	}() {
		t.Errorf("no address: %v", err)
	}
}

// The access token goes to nobody whom Meta's answer, or a redirect, names.
func TestTheTokenStaysWithMeta(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	g, a, c := graph(t)
	g.PutMedia("m1", graphtest.Media{URL: elsewhere.URL})
	if _, err := c.OpenMedia(t.Context(), a, "m1"); err == nil {
		t.Error("another server was asked")
	}
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer redirecting.Close()
	a.Secrets.GraphURL = redirecting.URL
	if _, err := c.OpenMedia(t.Context(), a, "m1"); err == nil {
		t.Error("a redirect was followed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The hosts that Meta names are asked, with the token.
func TestHostsOfMeta(t *testing.T) {
	for _, host := range []string{"lookaside.fbsbx.com", "scontent.xx.fbcdn.net", "mmg.whatsapp.net", "LOOKASIDE.fbsbx.com"} {
		var asked []string
		c := whatsapp.NewClient(roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.String()+" "+r.Header.Get("Authorization"))
			content := "hello"
			if r.URL.Host == "graph.facebook.com" {
				content = `{"url":"https://` + host + `/a/?mid=1","mime_type":"image/png","sha256":"` + sumOfHello + `","file_size":5,"id":"1"}`
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(content)), ContentLength: -1}, nil
		}), time.Now)
		f, err := c.OpenMedia(t.Context(), whatsapp.Account{PhoneNumberID: "1065", Secrets: whatsapp.Secrets{AccessToken: "access"}}, "1/2")
		if err != nil {
			t.Fatal(err)
		}
		want := "https://graph.facebook.com/v23.0/1%2F2?phone_number_id=1065 Bearer access, https://" + host + "/a/?mid=1 Bearer access"
		if got := strings.Join(asked, ", "); got != want || f.Size != 5 {
			t.Errorf("%s, %+v", got, f)
		}
	}
}

func TestDigest(t *testing.T) {
	raw := make([]byte, 32)
	for in, want := range map[string]string{
		sumOfHello: sumOfHello, strings.ToUpper(sumOfHello): sumOfHello, base64.StdEncoding.EncodeToString(raw): strings.Repeat("00", 32),
		"": "", "abc": "", sumOfHello[2:]: "", "<HASH>": "",
	} {
		if got := whatsapp.Digest(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

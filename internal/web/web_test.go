package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lockedBuffer is a log that a test may read while handlers write it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

type fixture struct {
	*web.API
	log     lockedBuffer
	metrics *prometheus.Registry
	now     time.Time
}

type thingIn struct {
	Thing string `path:"thing"`
	Body  struct {
		Text  string `json:"text" minLength:"1" maxLength:"20" example:"hello"`
		Count int64  `json:"count,omitempty" minimum:"0"`
	}
}

type listIn struct {
	web.Read
	Limit int `query:"limit" minimum:"1" maximum:"200"`
}

type out struct {
	ETag string `header:"ETag"`
	Body map[string]string
}

func newFixture(t *testing.T, limits web.Limits) *fixture {
	t.Helper()
	f := &fixture{metrics: prometheus.NewRegistry(), now: time.Unix(1_800_000_000, 0)}
	boom := errors.New("the disk is on fire")
	writers := []agent.Role{agent.RoleAgent, agent.RoleAdmin}
	f.API = web.New(web.Config{
		Title: "things", Version: "1", Tags: []web.Tag{{Name: "things", Description: "What there is."}},
		Authenticate: func(_ context.Context, secret string) (web.Principal, error) {
			role, ok := strings.CutPrefix(secret, "secret-")
			if !ok {
				return web.Principal{}, web.ErrToken
			}
			return web.Principal{Workspace: "acme", Role: agent.Role(role), Agent: "ann", TokenID: "t-" + role}, nil
		},
		Now: func() time.Time { return f.now }, Log: slog.New(slog.NewTextHandler(&f.log, nil)), Metrics: f.metrics, Limits: limits,
	},
		web.NewEndpoint(web.Route{Method: "POST", Path: "/v1/things/{thing}", Tag: "things", Summary: "Change a thing", Roles: writers, Status: 201},
			func(_ context.Context, r *web.Request, in *thingIn) (*out, error) {
				switch in.Body.Text {
				case "conflict":
					return nil, fault.New(fault.Conflict, "thing.taken", "somebody has it")
				case "field":
					return nil, fault.Bad("text", "thing.text", "not that")
				case "reused":
					return nil, fault.New(fault.Reused, "key.reused", "another body")
				case "stale":
					return nil, web.StaleProblem("too late", 7, []web.Change{{Revision: 7, Type: "thing.done.v1", Data: json.RawMessage(`{}`)}})
				case "fail":
					return nil, boom
				case "away":
					return nil, fmt.Errorf("%w: %w", web.ErrUnavailable, boom)
				case "panic":
					panic("at the disco")
				}
				body := map[string]string{"text": in.Body.Text, "fingerprint": r.Fingerprint(), "key": r.Key, "actor": r.Actor(), "traceparent": r.Traceparent}
				if r.IfMatch != nil {
					body["if_match"] = web.ETag(eventstore.Revision(*r.IfMatch))
				}
				return &out{ETag: web.ETag(3), Body: body}, nil
			}, nil),
		web.NewEndpoint(web.Route{Method: "DELETE", Path: "/v1/things/{thing}", Tag: "things", Summary: "Delete a thing", Roles: writers},
			func(context.Context, *web.Request, *struct {
				Thing string `path:"thing"`
			},
			) (*out, error) {
				return &out{Body: map[string]string{}}, nil
			}, nil),
		web.NewEndpoint(web.Route{Method: "GET", Path: "/v1/things", Tag: "things", Summary: "List things", Roles: append(writers, agent.RoleAuditor)},
			func(ctx context.Context, r *web.Request, in *listIn) (*out, error) {
				err := in.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error {
					if p <= 10 {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				})
				return &out{Body: map[string]string{}}, err
			}, nil),
		web.NewEndpoint(web.Route{Method: "GET", Path: "/open", Tag: "things", Summary: "Open to all", Public: true},
			func(context.Context, *web.Request, *struct{}) (*out, error) {
				return &out{Body: map[string]string{}}, nil
			}, nil),
	)
	return f
}

type answer struct {
	Status int
	Header http.Header
	Body   string
	web.Problem
}

func (f *fixture) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer secret-agent")
	for i := 0; i < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.Problem); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, a.Body)
		}
		if a.Problem.Status != w.Code || w.Code >= 500 && a.RequestID != w.Header().Get("X-Request-ID") {
			t.Errorf("%s %s: problem %+v with status %d", method, path, a.Problem, w.Code)
		}
	}
	return a
}

func TestAnswers(t *testing.T) {
	const thing = "/v1/things/1"
	const text = `{"text":"hello"}`
	long := strings.Repeat("x", 201)
	for name, tt := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code, location     string
	}{
		"good":                       {"POST", thing, text, nil, 201, "", ""},
		"public":                     {"GET", "/open", "", []string{"Authorization", ""}, 200, "", ""},
		"no token":                   {"POST", thing, text, []string{"Authorization", ""}, 401, "auth.token_missing", ""},
		"no bearer":                  {"POST", thing, text, []string{"Authorization", "Basic eDp5"}, 401, "auth.token_missing", ""},
		"bad token":                  {"POST", thing, text, []string{"Authorization", "Bearer no"}, 401, "auth.token_invalid", ""},
		"bad token and body":         {"POST", thing, `{`, []string{"Authorization", "Bearer no"}, 401, "auth.token_invalid", ""},
		"role":                       {"POST", thing, text, []string{"Authorization", "Bearer secret-auditor"}, 403, "auth.forbidden", ""},
		"no route":                   {"GET", "/v1/nothing", "", nil, 404, "request.no_such_route", ""},
		"method":                     {"PUT", thing, "", nil, 405, "request.method_not_allowed", ""},
		"no JSON":                    {"POST", thing, `{`, nil, 400, "request.invalid", "body"},
		"no body":                    {"POST", thing, ``, nil, 400, "request.invalid", ""},
		"too short":                  {"POST", thing, `{"text":""}`, nil, 400, "request.invalid", "body.text"},
		"missing":                    {"POST", thing, `{}`, nil, 400, "request.invalid", "body"},
		"unknown field":              {"POST", thing, `{"text":"a","more":1}`, nil, 400, "request.invalid", "body.more"},
		"wrong type":                 {"POST", thing, `{"text":1}`, nil, 400, "request.invalid", "body.text"},
		"huge number":                {"POST", thing, `{"text":"a","count":1e400}`, nil, 400, "request.invalid", "body"},
		"media type":                 {"POST", thing, text, []string{"Content-Type", "text/plain"}, 415, "request.unsupported_media_type", "body"},
		"media type multipart":       {"POST", thing, text, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "request.unsupported_media_type", "body"},
		"media type with parameters": {"POST", thing, text, []string{"Content-Type", "Application/JSON ; charset=UTF-8"}, 201, "", ""},
		"media type of curl":         {"POST", thing, text, []string{"Content-Type", "application/x-www-form-urlencoded"}, 201, "", ""},
		"a form":                     {"POST", thing, "text=hello", []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, "request.invalid", "body"},
		"not UTF-8":                  {"POST", thing, "{\"text\":\"\xff\"}", nil, 400, "request.invalid", "body"},
		"too large":                  {"POST", thing, `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "request.too_large", ""},
		"body where none is taken":   {"DELETE", thing, `{"why":"spam","more":1}`, nil, 400, "request.invalid", "body.more"},
		"no object where none is":    {"DELETE", thing, `["spam"]`, nil, 400, "request.invalid", "body"},
		"no JSON where none is":      {"DELETE", thing, `spam`, nil, 400, "request.invalid", "body"},
		"too large where none is":    {"DELETE", thing, strings.Repeat(" ", 1<<20+1), nil, 413, "request.too_large", ""},
		"role before body":           {"DELETE", thing, `{"why":"spam"}`, []string{"Authorization", "Bearer secret-auditor"}, 403, "auth.forbidden", ""},
		"nothing said":               {"DELETE", thing, ` {} `, nil, 200, "", ""},
		"null said":                  {"DELETE", thing, `null`, nil, 200, "", ""},
		"query number":               {"GET", "/v1/things?limit=many", "", nil, 400, "request.invalid", "query.limit"},
		"query range":                {"GET", "/v1/things?limit=201", "", nil, 400, "request.invalid", "query.limit"},
		"query unknown":              {"GET", "/v1/things?colour=red", "", nil, 400, "request.invalid", "query.colour"},
		"query twice":                {"GET", "/v1/things?limit=1&limit=2", "", nil, 400, "request.invalid", "query.limit"},
		"query NUL":                  {"GET", "/v1/things?limit=%00", "", nil, 400, "request.invalid", "query.limit"},
		"query malformed":            {"GET", "/v1/things?limit=%zz", "", nil, 400, "request.invalid", "query"},
		"path NUL":                   {"POST", "/v1/things/%00", text, nil, 404, "request.no_such_route", ""},
		"weak If-Match":              {"POST", thing, text, []string{"If-Match", `W/"4"`}, 400, "request.if_match", "header.If-Match"},
		"bare If-Match":              {"POST", thing, text, []string{"If-Match", `4`}, 400, "request.if_match", "header.If-Match"},
		"word If-Match":              {"POST", thing, text, []string{"If-Match", `"four"`}, 400, "request.if_match", "header.If-Match"},
		"signed If-Match":            {"POST", thing, text, []string{"If-Match", `"-1"`}, 400, "request.if_match", "header.If-Match"},
		"padded If-Match":            {"POST", thing, text, []string{"If-Match", `"04"`}, 400, "request.if_match", "header.If-Match"},
		"list of If-Match":           {"POST", thing, text, []string{"If-Match", `"4", "5"`}, 400, "request.if_match", "header.If-Match"},
		"any If-Match":               {"POST", thing, text, []string{"If-Match", `*`}, 201, "", ""},
		"key too long":               {"POST", thing, text, []string{"Idempotency-Key", long}, 400, "request.idempotency_key", "header.Idempotency-Key"},
		"key with a space":           {"POST", thing, text, []string{"Idempotency-Key", "a b"}, 400, "request.idempotency_key", "header.Idempotency-Key"},
		"position reached":           {"GET", "/v1/things?min_position=10", "", nil, 200, "", ""},
		"position not reached":       {"GET", "/v1/things?min_position=11", "", nil, 503, "position.not_reached", ""},
		"negative position":          {"GET", "/v1/things?min_position=-1", "", nil, 400, "request.invalid", "query.min_position"},
		"wait too long":              {"GET", "/v1/things?min_position=11&wait=11", "", nil, 400, "request.invalid", "query.wait"},
		"conflict":                   {"POST", thing, `{"text":"conflict"}`, nil, 409, "thing.taken", ""},
		"refused field":              {"POST", thing, `{"text":"field"}`, nil, 400, "thing.text", "body.text"},
		"key reused":                 {"POST", thing, `{"text":"reused"}`, nil, 422, "key.reused", ""},
		"stale":                      {"POST", thing, `{"text":"stale"}`, nil, 412, "revision.stale", ""},
		"failure says nothing":       {"POST", thing, `{"text":"fail"}`, nil, 500, "internal", ""},
		"a log that is away":         {"POST", thing, `{"text":"away"}`, nil, 503, "log.unavailable", ""},
		"panic says nothing":         {"POST", thing, `{"text":"panic"}`, nil, 500, "internal", ""},
		"wildcard accepted language": {"GET", "/v1/things", "", []string{"Accept", "text/html"}, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, web.Limits{Wait: time.Millisecond})
			a := f.do(t, tt.method, tt.path, tt.body, tt.header...)
			location := ""
			if len(a.Errors) > 0 {
				location = a.Errors[0].Location
			}
			if a.Status != tt.status || a.Code != tt.code || location != tt.location {
				t.Errorf("got %d %s at %q, want %d %s at %q\n%s", a.Status, a.Code, location, tt.status, tt.code, tt.location, a.Body)
			}
			if strings.Contains(a.Body, "fire") || strings.Contains(a.Body, "disco") {
				t.Errorf("the answer tells too much: %s", a.Body)
			}
			if n := strings.Count(f.log.String(), "level=ERROR"); (tt.status == 500 || tt.code == web.CodeUnavailable) != (n == 1) {
				t.Errorf("%d errors logged for a %d:\n%s", n, tt.status, f.log.String())
			}
		})
	}
}

func TestBadBodiesAreExplained(t *testing.T) {
	f := newFixture(t, web.Limits{})
	for body, want := range map[string]string{
		`{"text":"a`:   "body: it is not JSON: unexpected end of JSON input",
		"\xff":         "body: it is not UTF-8",
		`[1e400]`:      "body: a number is out of range",
		`{"text":true`: "body: it is not JSON: unexpected end of JSON input",
		`{"text":"a","count":12345678901234567890123}`: "body: count: a number is out of range",
	} {
		if a := f.do(t, "POST", "/v1/things/1", body); a.Detail != want {
			t.Errorf("%s: %s, want %s", body, a.Detail, want)
		}
	}
}

func TestHeadersOfRefusals(t *testing.T) {
	f := newFixture(t, web.Limits{Wait: time.Millisecond})
	for name, got := range map[string]string{
		"WWW-Authenticate": f.do(t, "GET", "/v1/things", "", "Authorization", "").Header.Get("WWW-Authenticate"),
		"Retry-After":      f.do(t, "GET", "/v1/things?min_position=11", "").Header.Get("Retry-After"),
		"Allow":            f.do(t, "PUT", "/v1/things/1", "").Header.Get("Allow"),
	} {
		if got == "" {
			t.Errorf("no %s", name)
		}
	}
	if a := f.do(t, "GET", "/v1/things", "", "Authorization", "Bearer secret-bot"); !strings.Contains(a.Detail, "agent, admin, auditor") {
		t.Errorf("the refusal does not name the roles: %s", a.Detail)
	}
	if a := f.do(t, "POST", "/v1/things/1", `{"text":"stale"}`); a.Revision == nil || *a.Revision != 7 || len(a.Since) != 1 {
		t.Errorf("stale: %s", a.Body)
	}
}

func TestWhatAHandlerGets(t *testing.T) {
	f := newFixture(t, web.Limits{})
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	get := func(body string, header ...string) (m map[string]string) {
		t.Helper()
		a := f.do(t, "POST", "/v1/things/1", body, header...)
		if err := json.Unmarshal([]byte(a.Body), &m); err != nil || a.Status != 201 || a.Header.Get("ETag") != `"3"` {
			t.Fatalf("%d %s: %v", a.Status, a.Body, err)
		}
		return m
	}
	first := get(`{"text":"a\u0000b\\u0000","count":1}`, "If-Match", `"4"`, "Idempotency-Key", "k", "Traceparent", trace)
	want := map[string]string{"text": `ab\u0000`, "if_match": `"4"`, "key": "k", "actor": "ann", "traceparent": trace, "fingerprint": first["fingerprint"]}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if same := get(` { "count" : 1, "text": "a\u0000b\\u0000" } `); same["fingerprint"] != first["fingerprint"] {
		t.Error("the layout of the body changes the fingerprint")
	}
	if other := get(`{"text":"c"}`, "Traceparent", "junk"); other["fingerprint"] == first["fingerprint"] || other["traceparent"] != "" {
		t.Errorf("got %v", other)
	}
}

func TestRateOfATokenIsLimited(t *testing.T) {
	f := newFixture(t, web.Limits{Rate: 1, Burst: 2})
	var got []int
	for range 3 {
		got = append(got, f.do(t, "GET", "/v1/things", "").Status)
	}
	got = append(got, f.do(t, "GET", "/v1/things", "", "Authorization", "Bearer secret-auditor").Status)
	f.now = f.now.Add(time.Second)
	got = append(got, f.do(t, "GET", "/v1/things", "").Status)
	if diff := cmp.Diff([]int{200, 200, 429, 200, 200}, got); diff != "" {
		t.Error(diff)
	}
}

// Two callers may share an address: one that fails must not shut the other out.
func TestRateOfFailuresIsLimited(t *testing.T) {
	f := newFixture(t, web.Limits{FailureRate: 1, FailureBurst: 2})
	var got []int
	for _, token := range []string{"x", "", "y", "secret-agent"} {
		got = append(got, f.do(t, "GET", "/v1/things", "", "Authorization", "Bearer "+token).Status)
	}
	if diff := cmp.Diff([]int{401, 401, 429, 200}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLogHasNoPersonalData(t *testing.T) {
	f := newFixture(t, web.Limits{})
	f.do(t, "POST", "/v1/things/491701234567", `{"text":"very private"}`, "Idempotency-Key", "key-of-mine")
	f.do(t, "GET", "/v1/things?limit=490&colour=private", "")
	line := f.log.String()
	for _, private := range []string{"491701234567", "private", "secret-agent", "key-of-mine", "192.0.2.1", "colour"} {
		if strings.Contains(line, private) {
			t.Errorf("the log holds %q:\n%s", private, line)
		}
	}
	for _, useful := range []string{"/v1/things/{thing}", "status=201", "workspace=acme", "token=t-agent", "request="} {
		if !strings.Contains(line, useful) {
			t.Errorf("the log lacks %q:\n%s", useful, line)
		}
	}
	families, err := f.metrics.Gather()
	if err != nil || len(families) != 1 || families[0].GetMetric()[0].GetHistogram().GetSampleCount() == 0 {
		t.Errorf("metrics: %v, %v", families, err)
	}
}

func TestRequestIDIsTakenOver(t *testing.T) {
	f := newFixture(t, web.Limits{})
	if got := f.do(t, "GET", "/open", "", "X-Request-ID", "abc.1").Header.Get("X-Request-ID"); got != "abc.1" {
		t.Errorf("got %q", got)
	}
	if got := f.do(t, "GET", "/open", "", "X-Request-ID", "a b\n").Header.Get("X-Request-ID"); got == "a b\n" || got == "" {
		t.Errorf("got %q", got)
	}
}

func TestDocumentation(t *testing.T) {
	f := newFixture(t, web.Limits{})
	var wg sync.WaitGroup // the first request makes it: two at once must not
	for range 4 {
		wg.Go(func() { f.do(t, "GET", "/openapi.json", "", "Authorization", "") })
	}
	wg.Wait()
	var doc struct {
		OpenAPI    string
		Paths      map[string]any
		Components struct{ Schemas map[string]any }
	}
	a := f.do(t, "GET", "/openapi.json", "", "Authorization", "")
	if err := json.Unmarshal([]byte(a.Body), &doc); err != nil || doc.OpenAPI != "3.1.0" || len(doc.Paths) != 3 {
		t.Errorf("%v: %s", err, a.Body)
	}
	if _, stray := doc.Components.Schemas["ErrorModel"]; stray {
		t.Error("the document has a schema of errors that are never answered")
	}
	page := f.do(t, "GET", "/docs", "", "Authorization", "")
	for _, want := range []string{"POST</span> /v1/things/{thing}", "What there is.", "at most 20 characters", "&#34;text&#34;: &#34;hello&#34;", "Roles: agent, admin.", "Idempotency-Key", `href="#error-412"`} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy: %s", csp)
	}
	for _, foreign := range []string{"<script", "http://", "https://", "style=", "onclick"} {
		if strings.Contains(page.Body, foreign) {
			t.Errorf("the page has %s", foreign)
		}
	}
	if a := f.do(t, "GET", "/openapi.yaml", ""); a.Status != 200 || !strings.Contains(a.Body, "openapi: 3.1.0") {
		t.Errorf("%d %.200s", a.Status, a.Body)
	}
}

func TestARouteWithoutARuleIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was registered")
		}
	}()
	web.New(web.Config{Now: time.Now}, web.NewEndpoint(web.Route{Method: "GET", Path: "/x"},
		func(context.Context, *web.Request, *struct{}) (*out, error) { return nil, nil }, nil))
}

func TestServerHasTimeouts(t *testing.T) {
	s := newFixture(t, web.Limits{}).Server()
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("%+v", s)
	}
}

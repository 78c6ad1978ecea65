package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/chatledger/chatledger/domain/agent"
)

// Route is one line of the table of an API: what is where, and who may call it.
type Route struct {
	Method, Path string
	Tag          string
	Summary      string
	Description  string
	Roles        []agent.Role // who may call it
	Public       bool         // anybody may, without a token
	Status       int          // of success; default 200
	Stream       bool         // the answer goes on for as long as the client listens
	Query        bool         // it reads, though it is a POST: what it asks is too much for a URL
	ContentType  string       // of success, if it is not JSON
	Records      bool         // a GET that leaves an event in the log: it takes an Idempotency-Key
}

// Endpoint is a route with its handler, ready to be registered by New.
type Endpoint struct {
	Route
	register func(*API)
}

// Request is what a handler knows of a request besides its input.
type Request struct {
	Principal
	ID          string // names it in the log
	Method      string
	Path        string // with the ids in it
	Key         string // the Idempotency-Key; "" if there is none
	IfMatch     *int64 // the revision of If-Match; nil if there is none, or "*"
	Traceparent string // W3C Trace Context, if the caller sent a valid one

	secret       string
	authenticate Authenticate
	wait         time.Duration
	query        string // of a route that Records: its parameters, sorted
	body         *bytes.Buffer
}

// Handler answers a request, or returns an error: a *Problem, a *fault.Error,
// or anything else, which is logged and answered as a 500. I and O are structs
// as huma understands them.
type Handler[I, O any] func(ctx context.Context, r *Request, in *I) (*O, error)

// NewEndpoint returns the endpoint of a route. document, if not nil, may
// complete what the OpenAPI document says.
func NewEndpoint[I, O any](route Route, handle Handler[I, O], document func(*huma.Operation)) Endpoint {
	if route.Status == 0 {
		route.Status = http.StatusOK
	}
	return Endpoint{Route: route, register: func(a *API) {
		op := a.operation(route)
		if document != nil {
			document(&op)
		}
		huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
			call := ctx.Value(callKey{}).(*call)
			if !route.Stream {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, a.config.Limits.Timeout)
				defer cancel()
			}
			out, err := handle(ctx, &call.request, in)
			if err != nil {
				return nil, a.problem(call.http, err)
			}
			return out, nil
		})
	}}
}

// callKey and call take the request from the guard to the handler, through
// huma, inside this package only.
type callKey struct{}

type call struct {
	request Request
	http    *http.Request
}

func (a *API) operation(route Route) huma.Operation {
	op := huma.Operation{
		OperationID:     operationID(route),
		Method:          route.Method,
		Path:            route.Path,
		Summary:         route.Summary,
		Description:     route.Description,
		Tags:            []string{route.Tag},
		DefaultStatus:   route.Status,
		MaxBodyBytes:    a.config.Limits.Body,
		BodyReadTimeout: 30 * time.Second,
		Responses:       map[string]*huma.Response{},
		Middlewares:     huma.Middlewares{a.guard(route)},
	}
	statuses := []int{400, 429, 500, 503}
	if !route.Public {
		op.Security = []map[string][]string{{bearer: {}}}
		op.Description = strings.TrimSpace(op.Description + "\n\nRoles: " + roleNames(route.Roles) + ".")
		statuses = append(statuses, 401, 403, 404)
	}
	if route.Query {
		statuses = append(statuses, 413, 415)
	}
	if route.writes() {
		op.Parameters = append(op.Parameters, ifMatchParam(), keyParam())
		statuses = append(statuses, 409, 412, 413, 415, 422)
	}
	if route.Records {
		op.Parameters = append(op.Parameters, keyParam())
		statuses = append(statuses, 422)
	}
	for _, s := range statuses {
		op.Responses[strconv.Itoa(s)] = &huma.Response{Ref: "#/components/responses/" + problemNames[s]}
	}
	if route.ContentType != "" {
		op.Responses[strconv.Itoa(route.Status)] = &huma.Response{
			Description: http.StatusText(route.Status),
			Content:     map[string]*huma.MediaType{route.ContentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}
	}
	return op
}

func (r Route) writes() bool { return r.Method != http.MethodGet && !r.Query }

// operationID makes "post-chats-chat-claim" of POST /v1/chats/{chat}/claim.
func operationID(r Route) string {
	path := strings.NewReplacer("/v1", "", "{", "", "}", "", "/", "-", "_", "-").Replace(r.Path)
	return strings.ToLower(r.Method) + path
}

func roleNames(roles []agent.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// guard comes before everything that huma does with a request: what is refused
// here has not been parsed.
func (a *API) guard(route Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		c := &call{http: r, request: Request{
			ID: recordOf(r.Context()).id, Method: r.Method, Path: r.URL.Path,
			authenticate: a.config.Authenticate, wait: a.config.Limits.Wait, body: &bytes.Buffer{},
		}}
		err := a.admit(route, r, &c.request)
		if err == nil && route.writes() && ctx.Operation().RequestBody == nil {
			err = a.noBody(r)
		}
		if err != nil {
			a.writeProblem(w, r, err)
			return
		}
		next(&reply{humaContext: huma.WithValue(ctx, callKey{}, c), body: c.request.body})
	}
}

func (a *API) admit(route Route, r *http.Request, req *Request) (err error) {
	if !route.Public {
		if req.Principal, req.secret, err = a.authenticate(r); err != nil {
			return err
		}
		if err := a.authorize(route, req.Principal); err != nil {
			return err
		}
	}
	if err := checkURL(r.URL); err != nil {
		return err
	}
	if traceparent := r.Header.Get("Traceparent"); validTraceparent(traceparent) {
		req.Traceparent = traceparent
	}
	if route.writes() {
		if req.IfMatch, err = parseIfMatch(r.Header.Values("If-Match")); err != nil {
			return err
		}
	}
	if route.Records {
		req.query = r.URL.Query().Encode()
	}
	if route.writes() || route.Records {
		req.Key, err = parseKey(r.Header.Values("Idempotency-Key"))
	}
	return err
}

// noBody refuses what the body says on a route that takes none, since it would be
// passed over in silence. Nothing and an object without fields are welcome.
func (a *API) noBody(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, a.config.Limits.Body+1))
	switch {
	case err != nil:
		return NewProblem(http.StatusRequestTimeout, CodeTimeout, "the body did not come")
	case int64(len(body)) > a.config.Limits.Body:
		return NewProblem(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body is too large")
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	}
	var fields map[string]json.RawMessage
	if err := decodeJSON(body, &fields); err != nil {
		return BadRequest(CodeInvalid, "body", err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		return BadRequest(CodeInvalid, "body."+name, "unexpected property")
	}
	return nil
}

// maxParameter bounds the value of a query parameter, in bytes: the longest is a
// cursor (projections/cursor.MaxLen).
const maxParameter = 10 << 10

// checkURL refuses what no id and no search term of ours can be, before it
// gets to a database that would choke on it.
func checkURL(u *url.URL) error {
	if !isText(u.Path) || len(u.Path) > 1000 {
		return NewProblem(http.StatusNotFound, CodeNoRoute, "there is no such route")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return BadRequest(CodeInvalid, "query", "it is not well-formed")
	}
	for name, values := range query {
		switch {
		case !isText(name):
			return BadRequest(CodeInvalid, "query", "a parameter's name is not printable UTF-8")
		case len(values) > 1:
			return BadRequest(CodeInvalid, "query."+name, "it is given more than once")
		case !isText(values[0]) || len(values[0]) > maxParameter:
			return BadRequest(CodeInvalid, "query."+name, fmt.Sprintf("it is not printable UTF-8 of at most %d bytes", maxParameter))
		}
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

type humaContext huma.Context // a name that does not hide the method Context

// reply keeps what was read of the body, for the fingerprint, and answers 400
// where huma would answer 422.
type reply struct {
	humaContext
	body   *bytes.Buffer
	status int // if not 0: set instead of what huma sets
}

// Unwrap lets the adapter find its own context.
func (c *reply) Unwrap() huma.Context { return c.humaContext }

func (c *reply) SetStatus(code int) {
	if c.status != 0 {
		code = c.status
	}
	c.humaContext.SetStatus(code)
}

// Header takes a body for JSON also if the client did not say so, or is curl,
// which calls everything that it posts a form. There are no forms here, and no
// cookies that another site's form could make use of.
func (c *reply) Header(name string) string {
	value := c.humaContext.Header(name)
	if name != "Content-Type" {
		return value
	}
	switch media, _, err := mime.ParseMediaType(value); {
	case err != nil:
		return value
	case media == "application/x-www-form-urlencoded", media == "application/json":
		return "application/json"
	}
	return value
}

func (c *reply) BodyReader() io.Reader { return io.TeeReader(c.humaContext.BodyReader(), c.body) }

// Stream is the output of an endpoint whose Route is a Stream: the handler has
// decided to answer, and serve writes for as long as it likes.
type Stream struct {
	Body func(huma.Context)
}

// NewStream returns the output that serve writes. serve sets its own headers
// and deadlines; the read deadline of the server is lifted for it.
func NewStream(serve func(w http.ResponseWriter, r *http.Request)) *Stream {
	return &Stream{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		// Otherwise the server would take the deadline of the request for the
		// end of its connection. An adapter without deadlines needs no lifting.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		serve(w, r)
	}}
}

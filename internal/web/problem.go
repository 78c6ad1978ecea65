package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/fault"
)

// Problem is an error as callers see it: a problem document of RFC 9457. A
// handler may return one as its error; New knows how to make one of others.
type Problem struct { //nolint:errname // RFC 9457 calls it that
	Type      string   `json:"type" example:"about:blank" doc:"Always about:blank: the code says which problem it is."`
	Title     string   `json:"title" example:"Conflict" doc:"The status in words."`
	Status    int      `json:"status" example:"409"`
	Code      string   `json:"code" example:"chat.claimed" doc:"Stable and machine-readable."`
	Detail    string   `json:"detail" example:"another agent has the chat" doc:"For people. It may change at any time."`
	RequestID string   `json:"request_id,omitempty" doc:"Of a fault of the server: names the request in its log. The header X-Request-ID always does."`
	Errors    []Detail `json:"errors,omitempty" doc:"What of the request is at fault."`

	Revision *int64   `json:"revision,omitempty" doc:"Of a stale If-Match: the present revision."`
	Since    []Change `json:"since,omitempty" doc:"Of a stale If-Match: what happened after the given revision, at most 100 events."`

	Templates string `json:"templates,omitempty" doc:"Of chat.window_closed: where the templates are that can be sent instead."`

	header http.Header
}

// Detail names one thing that is wrong with a request.
type Detail struct {
	Location string `json:"location" example:"query.limit" doc:"Such as body.text, query.limit, path.chat or header.If-Match."`
	Message  string `json:"message" example:"expected number <= 200"`
}

// Change is an event as it is shown to callers.
type Change struct {
	Revision int64           `json:"revision" doc:"Of its stream."`
	Type     string          `json:"type" example:"chat.assigned.v1"`
	At       time.Time       `json:"at" doc:"When the log accepted it, UTC."`
	Actor    string          `json:"actor,omitempty" doc:"Who did it."`
	Data     json.RawMessage `json:"data" doc:"The event."`
}

var problemType = reflect.TypeFor[Problem]()

// Codes of the problems that this package knows. They never change.
//
//nolint:gosec // names of problems with credentials, not credentials
const (
	CodeInternal       = "internal"
	CodeInvalid        = "request.invalid"
	CodeTooLarge       = "request.too_large"
	CodeUnsupported    = "request.unsupported_media_type"
	CodeTimeout        = "request.timeout"
	CodeNoRoute        = "request.no_such_route"
	CodeMethod         = "request.method_not_allowed"
	CodeIfMatch        = "request.if_match"
	CodeIdempotencyKey = "request.idempotency_key"
	CodeRateLimited    = "request.rate_limited"
	CodeTokenMissing   = "auth.token_missing"
	CodeTokenInvalid   = "auth.token_invalid"
	CodeFailures       = "auth.too_many_failures"
	CodeForbidden      = "auth.forbidden"
	CodeStale          = "revision.stale"
	CodeNotReached     = "position.not_reached"
	CodeUnavailable    = "log.unavailable"
)

// problemNames are the components of the OpenAPI document, problemDocs says
// when they are answered.
var (
	problemNames = map[int]string{
		400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
		412: "Stale", 413: "TooLarge", 415: "UnsupportedMediaType", 422: "KeyReused",
		429: "TooManyRequests", 500: "Internal", 503: "Unavailable",
	}
	problemDocs = map[int]string{
		400: "The request cannot succeed as written; errors says what of it is at fault.",
		401: "There is no valid token.",
		403: "The token's role may not do this; the detail names the roles that may.",
		404: "There is no such thing in the workspace.",
		409: "The state of the thing forbids it.",
		412: "If-Match names an old revision. The body says the present one and what happened since.",
		413: "The body is too large.",
		415: "The body is not JSON.",
		422: "The Idempotency-Key was used before, with another request.",
		429: "Too many requests; Retry-After says when to come back.",
		500: "A fault of the server. The log has it under the request_id.",
		503: "The server cannot answer now, or min_position was not reached in time; Retry-After says when to come back.",
	}
)

// NewProblem returns a problem document.
func NewProblem(status int, code, detail string, errs ...Detail) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: errs}
}

// BadRequest returns a 400 about one thing of the request, such as "query.limit".
func BadRequest(code, location, message string) *Problem {
	return NewProblem(http.StatusBadRequest, code, location+": "+message, Detail{location, message})
}

// NotFound returns a 404 for a thing that the workspace does not have.
func NotFound(code, detail string) *Problem {
	return NewProblem(http.StatusNotFound, code, detail)
}

// StaleProblem returns the 412 for a write whose If-Match is not the present
// revision.
func StaleProblem(detail string, present int64, since []Change) *Problem {
	p := NewProblem(http.StatusPreconditionFailed, CodeStale, detail)
	p.Revision, p.Since = &present, since
	return p
}

// Unavailable returns a 503 that asks the caller to come back after some time.
func Unavailable(code, detail string, after time.Duration) *Problem {
	return NewProblem(http.StatusServiceUnavailable, code, detail).with("Retry-After", seconds(after))
}

// with returns p, which also sets a header.
func (p *Problem) with(header, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(header, value)
	return p
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// seconds rounds up, since an early retry is refused again.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// problem turns any error into what the caller of r gets. What is not for the
// caller is logged, once, and answered without detail.
func (a *API) problem(r *http.Request, err error) *Problem {
	id := recordOf(r.Context()).id
	var p *Problem
	var f *fault.Error
	switch {
	case errors.As(err, &p):
		c := *p
		p = &c
	case errors.As(err, &f) && f.Kind != fault.Internal:
		p = fromFault(f, r.Method)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		p = NewProblem(statusClientGone, CodeTimeout, "the client went away")
	case errors.Is(err, context.DeadlineExceeded):
		a.config.Log.Warn("request timed out", slog.String("request", id), slog.String("route", r.Pattern), slog.Any("error", err))
		p = Unavailable(CodeTimeout, "the server did not get to it in time", time.Second)
	case errors.Is(err, ErrUnavailable):
		a.config.Log.Error("request failed", slog.String("request", id), slog.String("route", r.Pattern), slog.Any("error", err))
		p = Unavailable(CodeUnavailable, "the log cannot be reached just now: try again, with the same Idempotency-Key", time.Second)
	default:
		a.config.Log.Error("request failed", slog.String("request", id), slog.String("route", r.Pattern), slog.Any("error", err))
		p = internalProblem()
	}
	if p.Status >= 500 {
		p.RequestID = id
	}
	return p
}

// ErrUnavailable is what a handler wraps an error in that is likely to pass.
var ErrUnavailable = errors.New("not available just now")

const statusClientGone = 499 // nobody reads it; it marks the log line and the metric

func fromFault(f *fault.Error, method string) *Problem {
	status := map[fault.Kind]int{
		fault.Invalid: 400, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409, fault.Reused: 422,
	}[f.Kind]
	p := NewProblem(status, f.Code, f.Msg)
	if f.Field != "" {
		in := "body."
		if method == http.MethodGet {
			in = "query."
		}
		p.Errors = []Detail{{in + f.Field, f.Msg}}
	}
	return p
}

// transform makes problems of huma's own errors, which are about requests that
// do not fit their schema.
func (a *API) transform(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status, code := http.StatusBadRequest, CodeInvalid
	switch m.Status {
	case http.StatusRequestEntityTooLarge:
		status, code = m.Status, CodeTooLarge
	case http.StatusUnsupportedMediaType:
		status, code = m.Status, CodeUnsupported
	case http.StatusRequestTimeout:
		status, code = m.Status, CodeTimeout
	}
	p := NewProblem(status, code, m.Detail)
	for _, d := range m.Errors {
		p.Errors = append(p.Errors, Detail{d.Location, d.Message}) // without the value: it may be private
	}
	if len(p.Errors) > 0 {
		p.Detail = strings.TrimPrefix(p.Errors[0].Location+": "+p.Errors[0].Message, ": ")
	}
	if r, ok := ctx.(*reply); ok {
		r.status = status
	}
	return p, nil
}

// writeProblem answers outside of huma.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r, err)
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = jsonFormat().Marshal(w, p) // the client may be gone
	}
}

// jsonFormat reads JSON without U+0000, which no database of ours can hold as
// text, and writes it without the escapes meant for HTML.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(v)
		},
		Unmarshal: decodeJSON,
	}
}

// decodeJSON says what is wrong without the names of our types and without what
// the body holds: it may be private.
func decodeJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8") // else the decoder would put U+FFFD in its place
	}
	err := json.Unmarshal(withoutNUL(data), v)
	var syntax *json.SyntaxError
	var fit *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON: %w", syntax)
	case errors.As(err, &fit):
		message := "a value is of the wrong type"
		if strings.HasPrefix(fit.Value, "number") {
			message = "a number is out of range"
		}
		if fit.Field != "" {
			message = fit.Field + ": " + message
		}
		return errors.New(message)
	}
	return err
}

// withoutNUL removes the escape of U+0000 from the strings of JSON.
func withoutNUL(data []byte) []byte {
	if !bytes.Contains(data, []byte(`\u0000`)) {
		return data
	}
	clean := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] != '\\':
			clean = append(clean, data[i])
		case bytes.HasPrefix(data[i:], []byte(`\u0000`)):
			i += len(`\u0000`) - 1
		default:
			clean = append(clean, data[i:min(i+2, len(data))]...)
			i++
		}
	}
	return clean
}

func internalProblem() *Problem {
	return NewProblem(http.StatusInternalServerError, CodeInternal, "something went wrong; the server's log has it under the request_id")
}

package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/eventstore"
)

// ETag returns the entity tag of a thing at a revision.
func ETag(r eventstore.Revision) string { return `"` + strconv.FormatInt(int64(r), 10) + `"` }

// Position returns the value of the Position header.
func Position(p eventstore.Position) string { return strconv.FormatInt(int64(p), 10) }

// parseIfMatch returns the one revision that If-Match names. "*" asks for
// nothing that the commands do not check anyway: that the thing exists.
func parseIfMatch(headers []string) (*int64, error) {
	if len(headers) == 0 {
		return nil, nil
	}
	value := strings.TrimSpace(headers[0])
	switch {
	case len(headers) > 1 || strings.Contains(value, ","):
		return nil, BadRequest(CodeIfMatch, "header.If-Match", "name one revision")
	case value == "*":
		return nil, nil
	case strings.HasPrefix(value, "W/"):
		return nil, BadRequest(CodeIfMatch, "header.If-Match", "a weak tag never matches")
	case len(value) < 3 || value[0] != '"' || value[len(value)-1] != '"':
		return nil, BadRequest(CodeIfMatch, "header.If-Match", `want a revision in quotes, such as "4", or *`)
	}
	digits := value[1 : len(value)-1]
	revision, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || revision < 0 || strconv.FormatInt(revision, 10) != digits {
		return nil, BadRequest(CodeIfMatch, "header.If-Match", `want a revision in quotes, such as "4", or *`)
	}
	return &revision, nil
}

func parseKey(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	key := headers[0]
	if len(headers) > 1 || len(key) < 1 || len(key) > 200 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", BadRequest(CodeIdempotencyKey, "header.Idempotency-Key", "want 1 to 200 visible ASCII characters")
	}
	return key, nil
}

// Fingerprint tells this request from another with the same Idempotency-Key:
// by its method, path and body, and by its parameters if it is a GET. How the
// JSON of the body is laid out does not count.
func (r *Request) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", r.Method, r.Path)
	h.Write(canonical(r.body.Bytes()))
	h.Write([]byte(r.query))
	return hex.EncodeToString(h.Sum(nil))
}

// canonical returns JSON with sorted names and without spaces. What is no JSON
// stays as it is: it has been refused before.
func canonical(body []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return body
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return sorted
}

// Read is embedded by the input of every endpoint that answers from views.
type Read struct {
	MinPosition int64 `query:"min_position" minimum:"0" doc:"Wait until the answer reflects this position of the log: the Position header of a write. If that takes too long the answer is 503."`
	Wait        int   `query:"wait" minimum:"1" maximum:"10" doc:"How many seconds to wait for min_position; 5 if it is not given."`
}

// Min returns the position that the answer must reflect.
func (in Read) Min() eventstore.Position { return eventstore.Position(in.MinPosition) }

// NotReached returns the 503 for a read that cannot reflect min_position yet.
func (in Read) NotReached() error {
	return Unavailable(CodeNotReached, fmt.Sprintf("position %d is not reflected yet", in.MinPosition), time.Second)
}

// Await calls wait, which blocks until the views have reached a position or
// ctx is done, for as long as the request is willing to wait.
func (in Read) Await(ctx context.Context, r *Request, wait func(context.Context, eventstore.Position) error) error {
	if in.MinPosition == 0 {
		return nil
	}
	patience := r.wait
	if in.Wait > 0 {
		patience = time.Duration(in.Wait) * time.Second
	}
	waitCtx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := wait(waitCtx, eventstore.Position(in.MinPosition))
	if err != nil && ctx.Err() == nil && errors.Is(waitCtx.Err(), context.DeadlineExceeded) {
		return in.NotReached()
	}
	return err
}

func ifMatchParam() *huma.Param {
	return &huma.Param{
		Name: "If-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Example: `"4"`,
		Description: "The revision that the thing must still have: the ETag of an earlier answer.",
	}
}

func keyParam() *huma.Param {
	lo, hi := 1, 200
	return &huma.Param{
		Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: &lo, MaxLength: &hi},
		Description: "Chosen by the caller. A repeat with the same key and body gets the first answer again.",
	}
}

// validTraceparent follows W3C Trace Context, version 00.
func validTraceparent(s string) bool { return traceparent.MatchString(s) }

var traceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// Answer is what a read answers.
type Answer[B any] struct {
	ETag     string `header:"ETag" doc:"The revision, for If-Match."`
	Position string `header:"Position" doc:"The position of the log that the answer reflects."`
	Body     B
}

// List is the body of an answer that has pages.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"For the next page; absent on the last one."`
}

// NewList returns a page, which is never null.
func NewList[T any](items []T, next string) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{items, next}
}

var (
	_ huma.StatusError = (*Problem)(nil)
	_ http.Handler     = (*API)(nil)
)

// Package fault classifies the ways a request can be refused.
//
// A Kind says what went wrong in terms any transport understands; a Code says
// it in terms of this product and never changes once published.
package fault

// Kind groups errors by what the caller can do about them.
type Kind uint8

// Kinds of error. Anything that is not an *Error is Internal.
const (
	Internal  Kind = iota // A bug or an outage: the caller can only retry.
	Invalid               // The request can never succeed as written.
	Forbidden             // The caller may not do this.
	NotFound              // The thing addressed does not exist.
	Conflict              // The thing exists but its state forbids this.
	Reused                // The idempotency key was used for another request.
)

// Error is an expected refusal, safe to show to the caller.
type Error struct {
	Kind  Kind
	Code  string // stable and machine-readable, such as "chat.closed"
	Msg   string // for people; may change at any time
	Field string // what of the request is at fault, such as "text"; may be empty
}

// New returns an Error for use as a package-level sentinel.
func New(k Kind, code, msg string) *Error { return &Error{Kind: k, Code: code, Msg: msg} }

// Bad returns an Invalid sentinel that names the field at fault.
func Bad(field, code, msg string) *Error {
	return &Error{Kind: Invalid, Code: code, Msg: msg, Field: field}
}

func (e *Error) Error() string { return e.Code + ": " + e.Msg }

// Is makes errors with the same code equal, also after one was stored and read
// back.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// At returns a copy that names another field. It still matches the sentinel.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// With returns a copy that says more to people. It still matches the sentinel.
func (e *Error) With(msg string) *Error {
	c := *e
	c.Msg = msg
	return &c
}

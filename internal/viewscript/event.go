package viewscript

import "encoding/json"

// Event is what a script is given.
type Event struct {
	ID        string          `json:"id"`
	Position  int64           `json:"position"`
	Type      string          `json:"type"`
	Stream    string          `json:"stream"`
	Subject   string          `json:"subject"` // the id in the stream's name: the chat's, say
	Revision  int64           `json:"revision"`
	At        string          `json:"at"` // RFC 3339, UTC; when it happened outside, if that is known, else when it was accepted
	Actor     string          `json:"actor"`
	ActorKind string          `json:"actor_kind"`
	Channel   string          `json:"channel"`
	Data      json.RawMessage `json:"data"`
}

// Row names a row, and says what is in it.
type Row struct {
	Table string `json:"t"`
	Key   string `json:"k"`
	// Data is an object with a value for each column of the table, in their order;
	// nil if there is no such row.
	Data json.RawMessage `json:"d,omitempty"`
}

// Failure says why a script could not take an event.
type Failure struct {
	Kind    string `json:"kind"` // one of the below
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"` // of the script, from 1; 0 if it cannot be told
	Column  int    `json:"column,omitempty"`
}

// Kinds of Failure.
const (
	Threw  = "error"  // the script threw, or asked for something that cannot be
	Slow   = "time"   // it took too long
	Killed = "killed" // its process died: it took too much memory, or too long where that cannot be interrupted
)

// Limits of what a script may do with one event.
const (
	MaxKey     = 200      // bytes
	MaxRow     = 16 << 10 // bytes of a row, as JSON
	MaxTouched = 200      // rows put or deleted
	MaxGets    = 1_000    // rows asked for
	maxDepth   = 400      // calls within calls
	maxString  = 4 << 20  // UTF-16 units of a string made by repeat or pad
	maxLogged  = 100      // lines of console.log in a batch
)

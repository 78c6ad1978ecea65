package bulk

import (
	"encoding/json"
	"time"
)

// Events is the catalogue of everything that can happen to a job.
var Events = []Event{
	Requested{},
	Selected{},
	Frozen{},
	SelectionRefused{},
	Worked{},
	Completed{},
	CancelRequested{},
	Stopped{},
	RetryRequested{},
	UndoRequested{},
	Reversed{},
	UndoCompleted{},
}

// Requested starts a job.
type Requested struct {
	Workspace string          `json:"workspace"`
	Action    Action          `json:"action"`
	Target    string          `json:"target"`           // chats, contacts or orders
	IDs       []string        `json:"ids,omitempty"`    // the items, if they were named
	Filter    json.RawMessage `json:"filter,omitempty"` // else what chooses them
	Except    []string        `json:"except,omitempty"`
	Status    string          `json:"status,omitempty"` // of close and set_status
	Agent     string          `json:"agent,omitempty"`  // of assign
	Tags      []string        `json:"tags,omitempty"`   // of tag and untag
	Reason    string          `json:"reason,omitempty"`
	Untouched time.Time       `json:"untouched_since,omitzero"` // what anything happened to after this is left alone
	By        string          `json:"by"`
	At        time.Time       `json:"at"`
}

// Selected names a chunk of the items, each with the revision that its stream had.
type Selected struct {
	Chunk     int      `json:"chunk"`
	IDs       []string `json:"ids"`
	Revisions []int64  `json:"revisions"` // -1 of what was not found
}

// Frozen ends the selection.
type Frozen struct {
	Items    int       `json:"items"`
	Chunks   int       `json:"chunks"`
	Position int64     `json:"position"` // of the log, that the selection reflects
	At       time.Time `json:"at"`
}

// SelectionRefused ends a job whose selection cannot be made.
type SelectionRefused struct {
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Item is what became of one item.
type Item struct {
	ID       string  `json:"id"`
	Outcome  Outcome `json:"outcome"`
	Revision int64   `json:"revision,omitempty"` // of its stream, after it was done
	Code     string  `json:"code,omitempty"`     // why it was not, or, of one that was undone, what was not
}

// Worked records what became of the items of a chunk.
type Worked struct {
	Chunk   int             `json:"chunk"`
	Attempt int             `json:"attempt"`
	Counts  map[Outcome]int `json:"counts"`
	Items   []Item          `json:"items"`
	At      time.Time       `json:"at"`
}

// Completed ends an attempt: every chunk was worked.
type Completed struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
}

// CancelRequested stops a job. What was done stays done.
type CancelRequested struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Stopped ends a job that was cancelled: nothing is under way any more.
type Stopped struct {
	At time.Time `json:"at"`
}

// RetryRequested has the items tried again that failed.
type RetryRequested struct {
	Attempt int       `json:"attempt"` // 2 for the first retry
	Items   int       `json:"items"`   // so many failed
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// UndoRequested has everything undone that nobody has touched since.
type UndoRequested struct {
	Items int       `json:"items"` // so many were done
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// Reversed records what was undone of a chunk.
type Reversed struct {
	Chunk  int             `json:"chunk"`
	Counts map[Outcome]int `json:"counts"`
	Items  []Item          `json:"items"`
	At     time.Time       `json:"at"`
}

// UndoCompleted ends an undo.
type UndoCompleted struct {
	At time.Time `json:"at"`
}

// EventType names Requested in the log.
func (Requested) EventType() string { return "bulk.requested.v1" }

// EventType names Selected in the log.
func (Selected) EventType() string { return "bulk.selected.v1" }

// EventType names Frozen in the log.
func (Frozen) EventType() string { return "bulk.frozen.v1" }

// EventType names SelectionRefused in the log.
func (SelectionRefused) EventType() string { return "bulk.selection_refused.v1" }

// EventType names Worked in the log.
func (Worked) EventType() string { return "bulk.worked.v1" }

// EventType names Completed in the log.
func (Completed) EventType() string { return "bulk.completed.v1" }

// EventType names CancelRequested in the log.
func (CancelRequested) EventType() string { return "bulk.cancel_requested.v1" }

// EventType names Stopped in the log.
func (Stopped) EventType() string { return "bulk.cancelled.v1" }

// EventType names RetryRequested in the log.
func (RetryRequested) EventType() string { return "bulk.retry_requested.v1" }

// EventType names UndoRequested in the log.
func (UndoRequested) EventType() string { return "bulk.undo_requested.v1" }

// EventType names Reversed in the log.
func (Reversed) EventType() string { return "bulk.reversed.v1" }

// EventType names UndoCompleted in the log.
func (UndoCompleted) EventType() string { return "bulk.undo_completed.v1" }

func (e Requested) apply(s *State) {
	s.Phase, s.Workspace, s.Request, s.By = Selecting, e.Workspace, e, e.By
	s.Request.IDs, s.Request.Except = nil, nil // whoever selects reads the event
}

func (Selected) apply(*State) {}

func (e Frozen) apply(s *State) {
	s.Phase, s.Items, s.Chunks, s.Position, s.Attempt = Running, e.Items, e.Chunks, e.Position, 1
	s.Todo, s.Failed, s.Done = make(map[int]bool, e.Chunks), map[int]int{}, map[int]int{}
	for c := range e.Chunks {
		s.Todo[c] = true
	}
}

func (SelectionRefused) apply(s *State) { s.Phase = Rejected }

func (e Worked) apply(s *State) {
	delete(s.Todo, e.Chunk)
	failed := 0
	for o, n := range e.Counts {
		if o.Failed() {
			failed += n
		}
	}
	s.Failed[e.Chunk] = failed
	if failed == 0 {
		delete(s.Failed, e.Chunk)
	}
	if n := e.Counts[Done]; n > 0 {
		s.Done[e.Chunk] += n
	}
}

func (Completed) apply(s *State) { s.Phase = Finished }

func (CancelRequested) apply(s *State) { s.Phase = Cancelling }

func (Stopped) apply(s *State) { s.Phase, s.Todo = Cancelled, nil }

func (e RetryRequested) apply(s *State) {
	s.Phase, s.By, s.Attempt, s.Todo = Running, e.By, e.Attempt, map[int]bool{}
	for c := range s.Failed {
		s.Todo[c] = true
	}
}

func (e UndoRequested) apply(s *State) {
	s.Phase, s.By, s.Todo = Undoing, e.By, map[int]bool{}
	for c := range s.Done {
		s.Todo[c] = true
	}
}

func (e Reversed) apply(s *State) { delete(s.Todo, e.Chunk) }

func (UndoCompleted) apply(s *State) { s.Phase = Reverted }

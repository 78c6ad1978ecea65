// Package bulk decides about one bulk operation: one command over many
// chats, contacts or orders.
//
// A job is asked for, its selection is frozen, its items are worked in chunks, and
// each chunk's outcomes are recorded as one event. Afterwards what failed can be
// tried again, and what nobody has touched since can be undone. The log holds all
// of it, so that whoever goes on after a crash knows what is left.
//
// It is pure: no I/O, no clock, no randomness.
package bulk

import (
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// ID names a job.
type ID string

// Action is what is done to each item.
type Action string

// Actions.
const (
	Close     Action = "close"
	SetStatus Action = "set_status"
	Assign    Action = "assign"
	Unassign  Action = "unassign"
	Tag       Action = "tag"
	Untag     Action = "untag"
	Delete    Action = "delete"
	Restore   Action = "restore"
	Export    Action = "export" // asked for like the others, but no job comes of it: see package export
)

// Outcome is what became of an item.
type Outcome string

// Outcomes.
const (
	Done      Outcome = "done"
	NoChange  Outcome = "no_change" // it was so already
	Conflict  Outcome = "conflict"  // somebody was there since the selection was frozen, or the state forbids it
	Forbidden Outcome = "forbidden"
	Missing   Outcome = "missing" // there is no such thing, or no more
	Skipped   Outcome = "skipped" // nothing was done to it; it is never recorded
	Undone    Outcome = "undone"
	Touched   Outcome = "touched" // not undone: somebody has changed it since
)

// Codes of an Item that are not of the refusal of a command.
const (
	CodeTouched   = "bulk.touched"    // something has happened to it since it was to be left alone
	CodeOfferOver = "bulk.offer_over" // undone, but for the transfer that waited to be accepted: its time is over, or whom it was for cannot have the chat any more
)

// Failed reports whether Retry tries such an item again.
func (o Outcome) Failed() bool { return o == Conflict || o == Forbidden || o == Missing }

// Phase is where a job is.
type Phase string

// Phases.
const (
	Selecting  Phase = "selecting" // the items are not known yet
	Running    Phase = "running"
	Finished   Phase = "finished"
	Cancelling Phase = "cancelling" // what is under way is still to be recorded
	Cancelled  Phase = "cancelled"
	Rejected   Phase = "rejected" // the selection could not be made
	Undoing    Phase = "undoing"
	Reverted   Phase = "undone"
)

// Limits of a job.
const (
	MaxItems  = 200_000
	MaxIDs    = 10_000 // that are named one by one
	MaxTags   = 20
	ChunkSize = 500
)

// Event is a fact about a job, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// State is what past events allow a decision to depend on, and no more.
type State struct {
	Phase     Phase // "" before it is asked for
	Workspace string
	Request   Requested
	By        string // who asked for what the job is at: it, a retry, its undo
	Items     int
	Chunks    int
	Position  int64        // that the selection reflects
	Attempt   int          // 1 for the first
	Todo      map[int]bool // chunks that the present phase has still to do
	Failed    map[int]int  // chunks with so many items that failed
	Done      map[int]int  // chunks with so many items that were done
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Working reports whether there is something to do for whoever works the job.
func (s State) Working() bool {
	return s.Phase == Selecting || s.Phase == Running || s.Phase == Cancelling || s.Phase == Undoing
}

// Next returns the chunk to work next. Undoing goes backwards.
func (s State) Next() (chunk int, ok bool) {
	for c := range s.Todo {
		if better := c < chunk; !ok || better != (s.Phase == Undoing) {
			chunk, ok = c, true
		}
	}
	return chunk, ok
}

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "bulk.not_found", "there is no such job")

	ErrRunning       = fault.New(fault.Conflict, "bulk.running", "the job is still running: wait for its end, or cancel it")
	ErrUndoing       = fault.New(fault.Conflict, "bulk.undoing", "the job is being undone, or was")
	ErrCancelled     = fault.New(fault.Conflict, "bulk.cancelled", "the job was cancelled")
	ErrFinished      = fault.New(fault.Conflict, "bulk.finished", "the job has finished: there is nothing left to cancel")
	ErrRejected      = fault.New(fault.Conflict, "bulk.rejected", "the job never ran: its selection was refused")
	ErrNothingFailed = fault.New(fault.Conflict, "bulk.nothing_failed", "no item of the job has failed")
	ErrNothingDone   = fault.New(fault.Conflict, "bulk.nothing_done", "the job has changed nothing that could be undone")

	ErrExport = fault.New(fault.Conflict, "bulk.export", "this is an export: nothing runs that could be cancelled or tried again, and nothing was changed that could be undone")

	ErrAction        = fault.Bad("action", "bulk.unknown_action", "the action is close, set_status, assign, unassign, tag, untag, delete, restore or export")
	ErrTarget        = fault.Bad("target", "bulk.unknown_target", "the target is chats, contacts or orders")
	ErrTargetAction  = fault.Bad("action", "bulk.target_action", "contacts cannot be closed; orders can be assigned, unassigned, tagged and untagged")
	ErrSelection     = fault.Bad("selection", "bulk.selection", "name either ids or a filter; {} as filter means everything")
	ErrTooManyIDs    = fault.Bad("selection.ids", "bulk.too_many_ids", "at most 10,000 ids; choose more with a filter")
	ErrTooManyExcept = fault.Bad("selection.except", "bulk.too_many_ids", "at most 10,000 exceptions")
	ErrID            = fault.Bad("selection.ids", "bulk.bad_id", "an id is 1 to 200 bytes of text")
	ErrStatus        = fault.Bad("status", "bulk.status_missing", "set_status needs a status")
	ErrAgent         = fault.Bad("agent", "bulk.agent_missing", "assign needs an agent")
	ErrTags          = fault.Bad("tags", "bulk.tags_missing", "tag and untag need 1 to 20 tags")
	ErrParameter     = fault.Bad("action", "bulk.parameter", "the action does not take this parameter")
	ErrBy            = fault.Bad("by", "bulk.by_missing", "who asks is required")
	ErrReasonLong    = fault.Bad("reason", "bulk.reason_too_long", "the reason is longer than 1,000 characters")
	ErrReason        = fault.Bad("reason", "bulk.reason_invalid", "the reason is not UTF-8 or holds U+0000")

	ErrTooMany = fault.Bad("selection", "bulk.too_many_items", "the selection has more than 200,000 items")
)

var reasonText = text.Rule{Max: text.MaxReason, TooLong: ErrReasonLong, Unclean: ErrReason}

package reactors

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
)

// Leases lets several processes share the reactors, each reactor running in one
// of them. A lease has an epoch that grows each time it changes hands.
type Leases interface {
	// Acquire takes the lease called name for holder and returns its epoch, or 0
	// while another holds it. A holder that died is given up once its lease was
	// not renewed for ttl as seen by this process: clocks of different machines
	// are not compared. With ttl 0 the lease is taken at once, for callers who
	// know that they are alone.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (epoch int64, err error)

	// Renew says that the holder lives. It reports false once another holds the
	// lease.
	Renew(ctx context.Context, name string, epoch int64) (held bool, err error)

	// Release gives the lease up, so that another may take it at once.
	Release(ctx context.Context, name string, epoch int64) error

	// Checkpoints returns the checkpoints for the holder of a lease. Saving is
	// refused with feed.ErrFenced once a later holder has saved or acquired.
	Checkpoints(epoch int64) feed.Checkpoints
}

// Parked is an event that a reactor could not handle, or that waits behind one.
type Parked struct {
	Reactor  string
	Position eventstore.Position
	Stream   string
	Event    uuid.UUID
	Type     string
	Keys     []string // what waits behind it; none: nothing does
	Error    string   // why, without personal data
	Attempts int      // how often it was parked
	At       time.Time
	Retry    bool // somebody asked for another try
}

// ParkedQuery says which parked events to list.
type ParkedQuery struct {
	Reactor string
	Keys    []string // if not empty: only those that hold one of these keys
	After   eventstore.Position
	Limit   int // 1 to 1,000
}

// ParkedCount is a reactor's parked events in numbers.
type ParkedCount struct {
	Events int
	Retry  int // of them: those for which another try was asked
}

// Parking keeps the parked events. Nothing in it is lost until it is handled.
type Parking interface {
	// Park keeps an event, once. For one that is there already it replaces the
	// error, counts the attempt and takes back Retry.
	Park(ctx context.Context, p Parked) error

	// Unpark removes an event that was handled.
	Unpark(ctx context.Context, reactor string, at eventstore.Position) error

	// ListParked returns parked events in the order of their positions.
	ListParked(ctx context.Context, q ParkedQuery) ([]Parked, error)

	// CountParked counts.
	CountParked(ctx context.Context, reactor string) (ParkedCount, error)
}

// AttemptState is what is known of a call that must not be made twice.
type AttemptState string

// States of an attempt.
const (
	AttemptNone     AttemptState = ""         // never tried
	AttemptBegun    AttemptState = "begun"    // the call may have been made; its outcome is not known
	AttemptRefused  AttemptState = "refused"  // the provider did not take it: it may be tried again
	AttemptAccepted AttemptState = "accepted" // the provider took it, as ProviderID
)

// Attempt is the record of a call, kept from before it is made until its
// outcome is in the log.
type Attempt struct {
	State      AttemptState
	ProviderID string
}

// Attempts keeps the record of calls that must not be made twice, by reactor
// and position of the event.
type Attempts interface {
	// LookAttempt returns what is known of a call.
	LookAttempt(ctx context.Context, reactor string, at eventstore.Position) (Attempt, error)

	// BeginAttempt records, durably, that a call is about to be made, if none was
	// or the last one was refused. It returns what was there before.
	BeginAttempt(ctx context.Context, reactor string, at eventstore.Position) (before Attempt, err error)

	// EndAttempt records how the call went.
	EndAttempt(ctx context.Context, reactor string, at eventstore.Position, a Attempt) error

	// ForgetAttempt removes the record: the outcome is in the log.
	ForgetAttempt(ctx context.Context, reactor string, at eventstore.Position) error
}

// Timer is something that a reactor has to do at a time.
type Timer struct {
	Kind      string // what
	Subject   string // to what; a reactor has one timer of each kind and subject
	Due       time.Time
	Position  eventstore.Position // of the event that gave it its time: the order of those that are due at once
	Workspace string
	Event     uuid.UUID // that set it: what it leads to is derived from it, so that it happens once
}

// Timers keeps the timers of reactors. They are as durable as the checkpoints, beside
// which they are kept: what was handled has set them.
type Timers interface {
	// SetTimer sets a timer. One of the same kind and subject is replaced; if its time is
	// the same, it keeps its position.
	SetTimer(ctx context.Context, reactor string, t Timer) error

	// StopTimer removes a timer, if it is the one that an event has set; with a zero
	// id, whichever there is. None is no error.
	StopTimer(ctx context.Context, reactor, kind, subject string, set uuid.UUID) error

	// PostponeTimer has a timer be due at another time, if it is still the one that its
	// event has set.
	PostponeTimer(ctx context.Context, reactor string, t Timer, due time.Time) error

	// NextTimers returns the timers that are due first, in their order, at most limit.
	NextTimers(ctx context.Context, reactor string, limit int) ([]Timer, error)
}

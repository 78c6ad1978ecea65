// Package scripted keeps the rows of custom views: it gives the events of a workspace to
// the scripts that its analysts saved, and stores what they make of them.
//
// It has a database of its own, and the scripts run elsewhere (internal/viewscript), so
// that no other view ever waits for it. Which versions there are it takes from the log,
// so a new one is noticed without a restart. It decides nothing and serves no request.
package scripted

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
)

// Scripts runs scripts: a viewscript.Pool.
type Scripts interface {
	// Run gives a script events, up to the first that it fails at. An error is none of
	// the script's.
	Run(ctx context.Context, d customview.Definition, events []viewscript.Event, rows viewscript.Rows) (viewscript.Report, error)
}

// Config is what New needs. The first five fields are required; the others have defaults.
type Config struct {
	Store   eventstore.Store
	DB      sqldb.DB
	Decode  func(eventstore.Recorded) (any, error) // pure
	Scripts Scripts
	Now     func() time.Time

	Logger   *slog.Logger  // default: none
	Owner    string        // names this process to people; default: random
	Alone    bool          // no other process works on DB
	Lease    time.Duration // how long a process that has died keeps others waiting; default 5 s
	Poll     time.Duration // how often a version that has caught up looks for more; default 200 ms
	Turn     time.Duration // how long a version is worked on while others wait; default 300 ms
	Workers  int           // versions that are worked on at once; default 2
	Batch    int           // events that are given to a script at once; default 500
	MaxRows  int64         // of a version; default 200,000
	MaxBytes int64         // of the rows of a version; default 256 MB
}

func (c *Config) setDefaults() {
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	setDefault(&c.Owner, "views")
	setDefault(&c.Lease, 5*time.Second)
	setDefault(&c.Poll, 200*time.Millisecond)
	setDefault(&c.Turn, 300*time.Millisecond)
	setDefault(&c.Workers, 2)
	setDefault(&c.Batch, 500)
	setDefault(&c.MaxRows, 200_000)
	setDefault(&c.MaxBytes, 256<<20)
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

// Runner builds the versions of custom views and keeps them up to date. Several may run,
// in one process or many: each version is then moved by one of them.
type Runner struct {
	cfg   Config
	owner string
	board *board
}

// New returns a Runner, having made the tables that are missing.
func New(ctx context.Context, cfg Config) (*Runner, error) {
	if cfg.Store == nil || cfg.DB == nil || cfg.Decode == nil || cfg.Scripts == nil || cfg.Now == nil {
		return nil, errors.New("scripted: Store, DB, Decode, Scripts and Now are required")
	}
	cfg.setDefaults()
	if err := prepare(ctx, cfg.DB); err != nil {
		return nil, err
	}
	return &Runner{cfg: cfg, owner: cfg.Owner + "/" + uuid.NewString()[:8], board: newBoard()}, nil
}

// Run works until ctx ends. It returns nil when all has stopped.
func (r *Runner) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { r.follow(ctx) })
	all.Go(func() { r.watch(ctx) })
	for range r.cfg.Workers {
		all.Go(func() { r.work(ctx) })
	}
	all.Wait()
	r.release(ctx)
	return nil
}

// Failure says at which event a version stopped, and why. The zero Failure: it has not.
type Failure struct {
	Position int64  `json:"position"`
	Event    string `json:"event"` // its id
	Type     string `json:"type"`
	Kind     string `json:"kind"` // as viewscript has them, or "limit"
	Message  string `json:"message"`
	Line     int    `json:"line,omitempty"` // of the script; 0 if it cannot be told
	Column   int    `json:"column,omitempty"`
	At       int64  `json:"at"` // microseconds since 1970 UTC
}

// overflow is the kind of Failure of a version that has become too large.
const overflow = "limit"

// row is what rows are read and written as.
type row struct {
	ID    int64  `db:"id,key"` // of the version
	Table string `db:"tbl,key"`
	Key   string `db:"row_key,key"`
	Data  string `db:"data"` // JSON: an object with a value for each column, in their order
}

// asJSON returns nil for no row.
func asJSON(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Config says what to project, from where to where. The first five fields are
// required; the others have defaults.
type Config struct {
	Store       eventstore.Store
	DB          sqldb.DB
	Decode      func(eventstore.Recorded) (any, error) // pure; a codec.UnknownTypeError skips the event
	Projections []func() Projection                    // each call makes a new instance
	Now         func() time.Time

	Logger    *slog.Logger  // default: none
	Waiter    *Waiter       // told of every advance; default: nobody
	Owner     string        // names this process to people; default: random
	BatchSize int           // events in a transaction at most; default 10,000
	ChunkSize int           // events in a transaction of a rebuild at most; default 200,000
	CacheRows int           // rows kept in memory for each table; default 20,000
	BuildRows int           // the same in a rebuild, where half as many of all tables wait to be written; default 100,000
	Lease     time.Duration // how long a process that has died keeps others waiting; default 5 s
	Alone     bool          // no other Runner works on DB: one that had the lease has died, so Run does not wait for its end
	Poll      time.Duration // how often a process without the lease looks for it; default 200 ms
	FillFrom  int           // events that a view must lack to be filled without its secondary indexes; default 50,000

	recent *recent // decoded events, shared by the projections of a Runner; may be nil
}

// Validate reports what is missing or contradictory.
func (c Config) Validate() error {
	switch {
	case c.Store == nil:
		return errors.New("projections: Store is missing")
	case c.DB == nil:
		return errors.New("projections: DB is missing")
	case c.Decode == nil:
		return errors.New("projections: Decode is missing")
	case c.Now == nil:
		return errors.New("projections: Now is missing")
	}
	names, tables := map[string]bool{}, map[string]string{}
	for _, create := range c.Projections {
		p := create()
		if p.Name() == "" || names[p.Name()] {
			return fmt.Errorf("projections: two projections are called %q, or one has no name", p.Name())
		}
		names[p.Name()] = true
		for _, t := range p.Tables() {
			if other, taken := tables[t.Name()]; taken {
				return fmt.Errorf("projections: table %s is owned by %s and by %s", t.Name(), other, p.Name())
			}
			tables[t.Name()] = p.Name()
		}
	}
	return nil
}

func (c *Config) setDefaults() {
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	setDefault(&c.Waiter, NewWaiter(c.DB))
	setDefault(&c.Owner, uuid.NewString())
	setDefault(&c.BatchSize, 10_000)
	setDefault(&c.ChunkSize, 200_000)
	setDefault(&c.CacheRows, defaultCacheRows)
	setDefault(&c.BuildRows, 100_000)
	setDefault(&c.Lease, 5*time.Second)
	setDefault(&c.Poll, 200*time.Millisecond)
	setDefault(&c.FillFrom, 50_000)
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// prepared returns c with its defaults, or what is wrong with it.
func (c Config) prepared() (Config, error) {
	if err := c.Validate(); err != nil {
		return c, err
	}
	c.setDefaults()
	return c, nil
}

// ErrUnknown reports a name that no projection of the Config has.
var ErrUnknown = errors.New("projections: no such projection")

// find returns a new instance of the projection called name.
func (c *Config) find(name string) (Projection, error) {
	for _, create := range c.Projections {
		if p := create(); p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
}

// now returns the time in microseconds since 1970, as rows hold it.
func (c *Config) now() int64 { return c.Now().UnixMicro() }

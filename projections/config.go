package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

	// Apart holds the databases of projections that have one of their own, by their
	// names: what they write holds nobody else up. The others are in DB.
	Apart map[string]sqldb.DB

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
	if c.Waiter == nil {
		c.Waiter = NewWaiter(c.databases()...)
	}
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

// DBOf returns the database that a projection is in.
func (c Config) DBOf(name string) sqldb.DB {
	if db := c.Apart[name]; db != nil {
		return db
	}
	return c.DB
}

// databases returns each of them once.
func (c Config) databases() (list []sqldb.DB) {
	for _, home := range c.homes() {
		list = append(list, home.DB)
	}
	return list
}

// homes returns a Config for each database, with the projections that are in it:
// first that of DB, whether or not it has any.
func (c Config) homes() []Config {
	first := c
	first.Projections, first.Apart = nil, nil
	list := []Config{first}
	for _, create := range c.Projections {
		db := c.DBOf(create().Name())
		i := slices.IndexFunc(list, func(home Config) bool { return home.DB == db })
		if i < 0 {
			home := first
			home.DB, home.Projections = db, nil
			i, list = len(list), append(list, home)
		}
		list[i].Projections = append(list[i].Projections, create)
	}
	return list
}

// crews returns a Config for each lot of projections that move together: those of a
// database, but for the Prompt ones, of which each has its own.
func (c Config) crews() (list []Config) {
	for _, home := range c.homes() {
		together := home
		together.Projections = nil
		for _, create := range home.Projections {
			if _, prompt := create().(Prompt); !prompt {
				together.Projections = append(together.Projections, create)
				continue
			}
			own := home
			own.DB, own.Projections = sqldb.First(home.DB), []func() Projection{create}
			list = append(list, own)
		}
		list = append(list, together)
	}
	return list
}

// home returns the Config of the database that a projection is in, with its
// defaults, or what is wrong with c.
func (c Config) home(name string) (Config, error) {
	c, err := c.prepared()
	if err != nil {
		return c, err
	}
	for _, home := range c.homes() {
		if home.DB == c.DBOf(name) {
			return home, nil
		}
	}
	return c, nil // find says that there is no such projection
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

package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Runner keeps projections up to date with the log. Several may run, in one
// process or many: each projection is then moved by one of them.
type Runner struct {
	cfg   Config
	owner string
}

// NewRunner returns a Runner, having made the tables that are missing.
func NewRunner(ctx context.Context, cfg Config) (*Runner, error) {
	cfg, err := cfg.prepared()
	if err != nil {
		return nil, err
	}
	if err := Prepare(ctx, cfg); err != nil {
		return nil, err
	}
	if len(cfg.Projections) > 1 {
		cfg.recent = &recent{}
	}
	// Two Runners of one process must not take each other for themselves.
	return &Runner{cfg: cfg, owner: cfg.Owner + "/" + uuid.NewString()[:8]}, nil
}

// Run projects until ctx ends. Those of a database that are near the end of the log
// go together, the others and each Prompt by themselves: one that is slow or stuck
// does not hold the others up. It returns nil when all have stopped.
func (r *Runner) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, home := range r.cfg.crews() {
		near := newGroup(&home)
		all.Go(func() { near.run(ctx) })
		for _, create := range home.Projections {
			p := create()
			w := &worker{cfg: &home, owner: r.owner, near: near, gathering: gathering{target: newTarget(p, "", home.CacheRows), db: home.DB}}
			w.log = home.Logger.With("projection", p.Name())
			all.Go(func() { w.run(ctx) })
		}
	}
	all.Wait()
	return nil
}

// worker moves one projection.
type worker struct {
	cfg   *Config
	owner string
	near  *group
	log   *slog.Logger
	gathering

	state  state               // as of the last transaction
	filled eventstore.Position // without secondary indexes until then; 0 if they are there
	parked int64               // events parked when the lease was taken, and since
	skip   map[eventstore.Position]bool
	rate   rate
	poison bool  // somewhere ahead: each batch is written by itself
	apart  int64 // positions from one event to the next, where they have holes; 0 until it is looked at
}

const (
	maxBackoff = 5 * time.Second
	manyItems  = 500 // in a batch that is written by itself
)

// run takes the lease and leads, again and again, until ctx ends.
func (w *worker) run(ctx context.Context) {
	backoff, force := w.cfg.Poll, w.cfg.Alone
	for ctx.Err() == nil {
		s, err := acquire(ctx, w.cfg, w.p, w.owner, force)
		if err == nil {
			w.log.InfoContext(ctx, "projection started", "epoch", s.Epoch, "checkpoint", int64(s.Checkpoint))
			w.state, backoff, force = s, w.cfg.Poll, false
			err = w.lead(ctx)
		}
		wait := w.cfg.Poll
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errLost):
			w.log.InfoContext(ctx, "projection lost its lease")
			wait = 0
		case errors.Is(err, errHeld):
		default:
			w.report(ctx, err)
			wait, backoff = backoff, min(2*backoff, maxBackoff)
		}
		pause(ctx, wait)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// report logs err, unless it is the one that status shows already, and has
// status show it.
func (w *worker) report(ctx context.Context, err error) {
	text := errorText(err)
	news := false
	dberr := w.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE projections SET error = $1, error_at = $2 WHERE name = $3 AND error <> $1",
			text, w.cfg.now(), w.p.Name())
		news = n > 0
		return err
	})
	if news || dberr != nil {
		w.log.ErrorContext(ctx, "projection stopped", "err", err)
	}
}

// lead applies batches until the lease is lost, something fails or ctx ends.
func (w *worker) lead(ctx context.Context) error {
	defer func() {
		if err := release(ctx, w.cfg, w.p.Name(), w.state.Epoch); err != nil {
			w.log.WarnContext(ctx, "lease not given up", "err", err)
		}
	}()
	w.begin(w.state.Checkpoint == 0, w.cfg.CacheRows)
	w.poison = false
	w.rate = rate{value: w.state.Rate}
	err := w.cfg.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
		if w.skip, err = skips(ctx, tx, w.p.Name()); err != nil {
			return err
		}
		w.parked, err = countParked(ctx, tx, w.p.Name(), w.state.Generation)
		return err
	})
	if err != nil {
		return fmt.Errorf("read what is parked: %w", err)
	}
	w.cfg.Waiter.advance(w.state.Checkpoint, w.p.Name())
	if err := w.beginFill(ctx); err != nil {
		return err
	}
	for {
		near, err := w.isNear(ctx)
		if err != nil {
			return err
		}
		if near {
			err = w.near.follow(ctx, w)
		} else {
			err = w.catchUp(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// isNear reports whether w may join those that are near the end of the log.
func (w *worker) isNear(ctx context.Context) (bool, error) {
	if w.filled > 0 {
		return false, nil
	}
	head, err := w.cfg.Store.Head(ctx)
	if err != nil {
		return false, fmt.Errorf("read head of the log: %w", err)
	}
	lacking, err := w.lacking(ctx, head)
	return lacking <= joinWithin, err
}

// lacking returns about how many events w lacks. Where positions have holes, how far
// apart events are is looked at once.
func (w *worker) lacking(ctx context.Context, head eventstore.Head) (int64, error) {
	distance := int64(head.Position - w.state.Checkpoint)
	if !head.Sparse || distance <= joinWithin {
		return distance, nil
	}
	if w.apart == 0 {
		n, _, err := eventsBetween(ctx, w.cfg, w.state.Checkpoint, head)
		if err != nil {
			return 0, err
		}
		w.apart = max(1, distance/max(1, n))
	}
	return distance / w.apart, nil
}

// catchUp applies batches until w is near the end of the log, or poison is met
// while many are written together: then it is to be called again.
func (w *worker) catchUp(ctx context.Context) error {
	err := w.chase(ctx)
	if isPoison(err) && !w.poison {
		w.poison, err = true, nil
	}
	return err
}

func (w *worker) chase(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan batch, readAhead)
	var reader sync.WaitGroup
	reader.Go(func() {
		q := eventstore.AllQuery{After: w.state.Checkpoint, Categories: w.p.Categories(), Follow: true}
		read(ctx, w.cfg, q, 0, w.cfg.BatchSize, batches)
	})
	defer reader.Wait()
	defer cancel()
	w.beginAt(w.state.Checkpoint)
	defer func() { err = errors.Join(err, w.land()) }()

	renewal := time.NewTicker(max(w.cfg.Lease/3, time.Millisecond))
	defer renewal.Stop()
	for {
		select {
		case b, ok := <-batches:
			if !ok {
				return ctx.Err()
			}
			b = more(b, batches, w.cfg.BatchSize)
			if w.filled > b.end && b.err == nil && !w.poison {
				if err := w.fill(ctx, b); err != nil {
					return err
				}
				continue
			}
			if err := w.endGathering(ctx); err != nil {
				return err
			}
			if err := w.apply(ctx, b); err != nil {
				return err
			}
			if err := w.endFill(ctx); err != nil {
				return err
			}
			if near, err := w.isNear(ctx); near || err != nil {
				return err
			}
		case <-renewal.C:
			if err := renew(ctx, w.cfg, w.p.Name(), w.state.Epoch); err != nil {
				return fmt.Errorf("renew lease: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// apply moves the tables and the checkpoint to the end of b, then returns the
// error that ended the reading, if any.
func (w *worker) apply(ctx context.Context, b batch) error {
	if b.end > w.state.Checkpoint {
		err := w.transact(ctx, b)
		if isPoison(err) {
			err = w.oneByOne(ctx, b)
		}
		if err != nil {
			return fmt.Errorf("apply events up to %d: %w", b.end, err)
		}
	}
	if b.err != nil {
		return fmt.Errorf("read the log: %w", b.err)
	}
	return nil
}

// oneByOne finds out which event it is whose fold or hook panics, or whose rows
// the database rejects.
func (w *worker) oneByOne(ctx context.Context, b batch) error {
	for i, it := range b.items {
		single := batch{items: b.items[i : i+1], end: it.Position}
		err := w.transact(ctx, single)
		if isPoison(err) {
			single.items = []*item{{Event: it.Event, err: err}}
			err = w.transact(ctx, single)
		}
		if err != nil {
			return err
		}
	}
	if b.end > w.state.Checkpoint {
		return w.transact(ctx, batch{end: b.end})
	}
	return nil
}

// transact applies b in one transaction: the lease is proven, rows are written,
// events that cannot be applied are parked, and the checkpoint moves; or nothing
// of all that happens.
//
// On PostgreSQL the rows are loaded and folded in that transaction, too. SQLite
// has one writer for all: there this is done before, lest a slow projection hold
// the others up. It comes to the same, since the epoch and the checkpoint prove
// that nobody has written meanwhile.
func (w *worker) transact(ctx context.Context, b batch) error {
	var parked []parkedItem
	fold := func(read reading) (err error) {
		parked, err = w.foldItems(ctx, read, b.items)
		return err
	}
	rate := w.rate.add(w.cfg.Now(), len(b.items))
	before := w.cfg.DB.Engine() == sqldb.SQLite
	var err error
	if before && len(b.items) > 0 {
		err = fold(func(do func(sqldb.Tx) error) error { return w.cfg.DB.Read(ctx, do) })
	}
	if err == nil {
		write := w.cfg.DB.Write
		if len(b.items) >= manyItems {
			write = func(ctx context.Context, fn func(sqldb.Tx) error) error { return sqldb.WriteAlone(ctx, w.cfg.DB, fn) }
		}
		err = write(ctx, func(tx sqldb.Tx) error {
			if err := advance(ctx, tx, w.cfg, w.state, b.end, rate); err != nil {
				return err
			}
			if !before {
				if err := fold(within(tx)); err != nil {
					return err
				}
			}
			return w.put(ctx, tx, parked)
		})
	}
	if err != nil {
		w.abort()
		return err
	}
	w.state.Rate = rate
	w.moved(b.end, len(parked))
	w.cfg.Waiter.advance(b.end, w.p.Name())
	return nil
}

// foldItems folds items and returns those to be parked. The caller aborts if it
// fails.
func (w *worker) foldItems(ctx context.Context, read reading, items []*item) (parked []parkedItem, err error) {
	if parked, err = w.recordAll(ctx, read, items); err != nil {
		return nil, err
	}
	return parked, w.fold(ctx, read)
}

// put writes what was folded, and parks.
func (w *worker) put(ctx context.Context, tx sqldb.Tx, parked []parkedItem) error {
	if err := w.park(ctx, tx, parked); err != nil {
		return err
	}
	return store(ctx, tx, w.writes())
}

func (w *worker) park(ctx context.Context, tx sqldb.Tx, items []parkedItem) error {
	for _, it := range items {
		if err := park(ctx, tx, w.cfg, w.state.Name, w.state.Generation, it); err != nil {
			return err
		}
	}
	return nil
}

// moved notes that a transaction which moved the checkpoint was committed.
func (w *worker) moved(to eventstore.Position, parked int) {
	w.commit()
	w.parked += int64(parked)
	w.state.Checkpoint = to
}

// recordAll has the projection record what the items change, and returns those
// to be parked: they cannot be applied, or wait behind one that cannot.
func (w *worker) recordAll(ctx context.Context, read reading, items []*item) (parked []parkedItem, err error) {
	waiting := map[string]bool{}
	if w.parked > 0 && len(items) > 0 {
		err = read(func(tx sqldb.Tx) (err error) {
			waiting, err = parkedStreams(ctx, tx, w.state.Name, w.state.Generation, items)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, it := range items {
		if w.skip[it.Position] {
			continue
		}
		if waiting[it.Stream] {
			parked = append(parked, parkedItem{*it, ""})
			continue
		}
		if err := w.recordItem(it); err != nil {
			waiting[it.Stream] = true
			parked = append(parked, parkedItem{*it, errorText(err)})
			w.log.ErrorContext(ctx, "event parked", "stream", it.Stream, "position", int64(it.Position), "type", it.Type)
		}
	}
	return parked, nil
}

// rate is the speed of the last seconds.
type rate struct {
	value float64 // events a second
	since time.Time
	n     int
}

// add counts n events and returns the rate, which is renewed every second.
func (r *rate) add(now time.Time, n int) float64 {
	if r.since.IsZero() {
		r.since = now
	}
	r.n += n
	if d := now.Sub(r.since); d >= time.Second {
		r.value = float64(r.n) / d.Seconds()
		r.since, r.n = now, 0
	}
	return r.value
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Projections that are near the end of the log are moved together: it is read
// and decoded once for all, each folds its part, and one transaction writes the
// rows and the checkpoints of all. Seven transactions for an event, most of them
// for a checkpoint alone, would cost several times what the event does.
//
// What one does is nobody else's matter all the same. If the transaction fails,
// or a fold, each has one of its own; who fails then, or takes too long, leaves.

const (
	joinWithin = 1_000                  // events that a projection may lack to join
	patience   = 250 * time.Millisecond // with one of the group
)

var errEnded = errors.New("projections: the reading of the log ended")

// group is the projections of a Runner that move together.
type group struct {
	cfg  *Config
	join chan *member

	// Of the goroutine that runs it:
	members []*member
	at      eventstore.Position // up to here the log was handed out
	batches <-chan batch        // behind at; nil if it is not read
	stop    context.CancelFunc  // ends the reading
}

// member is a worker that waits for what the group makes of it.
type member struct {
	*worker
	left chan error // receives why it is on its own again: nil if it was too slow

	part   batch // what it folds
	parked []parkedItem
}

func newGroup(cfg *Config) *group { return &group{cfg: cfg, join: make(chan *member)} }

// follow moves w with the others until something is in the way, for which it
// returns the reason, or nil if w is merely slow.
func (g *group) follow(ctx context.Context, w *worker) error {
	m := &member{worker: w, left: make(chan error, 1)}
	select {
	case g.join <- m:
		return <-m.left
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run moves whoever joins until ctx ends.
func (g *group) run(ctx context.Context) {
	defer g.dismiss(ctx.Err)
	renewal := time.NewTicker(max(g.cfg.Lease/3, time.Millisecond))
	defer renewal.Stop()
	for {
		select {
		case m := <-g.join:
			g.admit(ctx, m)
		case b, ok := <-g.batches:
			if !ok {
				g.dismiss(func() error { return errEnded })
				continue
			}
			b = more(b, g.batches, g.cfg.BatchSize)
			g.apply(ctx, b)
			g.at = b.end
			if b.err != nil {
				g.dismiss(func() error { return fmt.Errorf("read the log: %w", b.err) })
			}
		case <-renewal.C:
			g.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// admit takes a member in, and reads from where it is if that is behind the
// others: these leave out what they have.
func (g *group) admit(ctx context.Context, m *member) {
	g.members = append(g.members, m)
	if g.batches != nil && m.state.Checkpoint >= g.at {
		return
	}
	g.halt()
	g.at = m.state.Checkpoint
	reading, stop := context.WithCancel(ctx)
	batches := make(chan batch, readAhead)
	g.batches, g.stop = batches, stop
	go g.read(reading, eventstore.AllQuery{After: g.at, Categories: g.categories(), Follow: true}, batches)
}

// halt ends the reading, and waits until it has.
func (g *group) halt() {
	if g.batches == nil {
		return
	}
	g.stop()
	for range g.batches {
	}
	g.batches = nil
}

// dismiss lets everybody go.
func (g *group) dismiss(reason func() error) {
	g.halt()
	for _, m := range g.members {
		m.left <- reason()
	}
	g.members = nil
}

// leave lets one go.
func (g *group) leave(m *member, reason error) {
	g.remove(m)
	m.left <- reason
}

func (g *group) remove(m *member) {
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	if len(g.members) == 0 {
		g.halt()
	}
}

// categories returns those that any of the Runner's projections reads, none if
// one reads all.
func (g *group) categories() (all []string) {
	for _, create := range g.cfg.Projections {
		c := create().Categories()
		if len(c) == 0 {
			return nil
		}
		all = append(all, c...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// read yields the log to out as read does, but without the goroutines that make
// it quick over long distances.
func (g *group) read(ctx context.Context, q eventstore.AllQuery, out chan<- batch) {
	defer close(out)
	b, bytes := batch{end: q.After}, 0
	send := func() bool {
		select {
		case out <- b:
			b, bytes = batch{end: b.end}, 0
			return true
		case <-ctx.Done():
			return false
		}
	}
	sent := b.end
	for r, err := range g.cfg.Store.ReadAll(ctx, q) {
		if err != nil {
			b.err = err
			send()
			return
		}
		b.end = max(b.end, r.Position)
		if !r.IsMark() {
			if it := decodeOnce(g.cfg, r, &item{}); it != nil {
				b.items = append(b.items, it)
				bytes += len(r.Data) + len(r.Meta) + perEventUse
			}
			if len(b.items) < g.cfg.BatchSize && bytes < batchBytes {
				continue
			}
		}
		if b.end == sent {
			continue
		}
		sent = b.end
		if !send() {
			return
		}
	}
}

// apply brings everybody to the end of b.
func (g *group) apply(ctx context.Context, b batch) {
	var behind, fold []*member
	for _, m := range g.members {
		if b.end <= m.state.Checkpoint {
			continue
		}
		m.part, m.parked = b.of(m.p, m.state.Checkpoint), nil
		behind = append(behind, m)
		if len(m.part.items) > 0 {
			fold = append(fold, m)
		}
	}
	if len(b.items) >= manyItems {
		g.alone(ctx, behind)
		return
	}
	read := func(do func(sqldb.Tx) error) error { return g.cfg.DB.Read(ctx, do) }
	outcome := g.together(fold, func(m *member) (err error) {
		m.parked, err = m.foldItems(ctx, read, m.part.items)
		return err
	}, func(m *member, err error) error {
		if err == nil {
			err = g.write(ctx, []*member{m})
		}
		if err != nil {
			m.abort()
			err = m.apply(ctx, m.part)
		}
		return err
	})
	var well, unwell []*member
	for _, m := range behind {
		switch err, folded := outcome[m]; {
		case folded && err != nil:
			m.abort()
			unwell = append(unwell, m)
		case folded || len(m.part.items) == 0:
			well = append(well, m)
		}
	}
	if len(well) > 0 {
		if err := g.write(ctx, well); err != nil {
			for _, m := range well {
				m.abort()
			}
			unwell = append(unwell, well...)
		}
	}
	g.alone(ctx, unwell)
}

// alone gives each a transaction of its own. Who fails leaves.
func (g *group) alone(ctx context.Context, members []*member) {
	own := func(m *member) error { return m.apply(ctx, m.part) }
	for m, err := range g.together(members, own, func(_ *member, err error) error { return err }) {
		if err != nil {
			g.leave(m, err)
		}
	}
}

// together has all members do something side by side and returns what came of
// it. Who takes too long leaves the group: the group goes on, and late ends the
// matter.
func (g *group) together(members []*member, do func(*member) error, late func(*member, error) error) map[*member]error {
	const running, done, abandoned = 0, 1, 2
	type job struct {
		*member

		state atomic.Int32
		err   error
		end   chan struct{} // closed when it is done
	}
	jobs := make([]*job, len(members))
	for i, m := range members {
		j := &job{member: m, end: make(chan struct{})}
		jobs[i] = j
		go func() {
			j.err = do(m)
			if j.state.CompareAndSwap(running, done) {
				close(j.end)
				return
			}
			m.left <- late(m, j.err)
		}()
	}
	outcome := make(map[*member]error, len(members))
	if len(members) == 0 {
		return outcome
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, j := range jobs {
		select {
		case <-j.end:
		case <-timer.C:
			timer.Reset(0) // for the others, too
			if j.state.CompareAndSwap(running, abandoned) {
				g.remove(j.member)
				continue
			}
			<-j.end
		}
		outcome[j.member] = j.err
	}
	return outcome
}

// write writes what members have folded, in one transaction: the leases are
// proven, rows are written, events that cannot be applied are parked, and the
// checkpoints move; or nothing of all that happens. The parts of all have the
// same end.
func (g *group) write(ctx context.Context, members []*member) error {
	to, now := members[0].part.end, g.cfg.Now()
	rates := make([]float64, len(members))
	for i, m := range members {
		rates[i] = m.rate.add(now, len(m.part.items))
	}
	err := g.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		if err := advanceAll(ctx, tx, g.cfg, members, to); err != nil {
			return err
		}
		for i, m := range members {
			if rates[i] != m.state.Rate {
				if _, err := tx.Exec(ctx, "UPDATE projections SET rate = $1 WHERE name = $2", rates[i], m.state.Name); err != nil {
					return err
				}
			}
			if len(m.part.items) == 0 {
				continue
			}
			if err := m.put(ctx, tx, m.parked); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	names := make([]string, len(members))
	for i, m := range members {
		m.state.Rate = rates[i]
		m.moved(to, len(m.parked))
		names[i] = m.state.Name
	}
	g.cfg.Waiter.advance(to, names...)
	return nil
}

// advanceAll is advance for several.
func advanceAll(ctx context.Context, tx sqldb.Tx, cfg *Config, members []*member, to eventstore.Position) error {
	var sql strings.Builder
	sql.WriteString("UPDATE projections SET checkpoint = $1, lease_until = $2, updated_at = $3, error = '' WHERE ")
	args := []any{int64(to), cfg.leaseEnd(), cfg.now()}
	for i, m := range members {
		if i > 0 {
			sql.WriteString(" OR ")
		}
		n := len(args)
		sql.WriteString("name = $" + strconv.Itoa(n+1) + " AND epoch = $" + strconv.Itoa(n+2) + " AND checkpoint = $" + strconv.Itoa(n+3))
		args = append(args, m.state.Name, m.state.Epoch, int64(m.state.Checkpoint))
	}
	n, err := tx.Exec(ctx, sql.String(), args...)
	if err == nil && n != int64(len(members)) {
		err = errLost // by one of them
	}
	return err
}

// renew renews the leases, also when nothing happens in the log.
func (g *group) renew(ctx context.Context) {
	for _, m := range slices.Clone(g.members) {
		if err := renew(ctx, g.cfg, m.state.Name, m.state.Epoch); err != nil && ctx.Err() == nil {
			g.leave(m, fmt.Errorf("renew lease: %w", err))
		}
	}
}

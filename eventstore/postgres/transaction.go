package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chatledger/chatledger/eventstore"
)

// schema/00002_origin.sql says what they do, 00003_lean.sql has append_one.
const (
	oneSQL     = "SELECT append_one($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	knownSQL   = "SELECT append_known($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	checkedSQL = "SELECT result, at_revision, at_position, at_origin, at_end FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
)

// What append_one and append_known return if they have added nothing.
const (
	streamExists = -1
	anotherLog   = -2
)

const uniqueViolation = "23505" // SQLSTATE, PostgreSQL manual, appendix A

// plan is what is to be done in one transaction: first what known says, then the
// rounds.
type plan struct {
	known  []step         // for append_known
	events int            // of known
	fresh  []string       // streams that begin in known
	rounds [][]*request   // for append_events; no stream occurs twice in a round
	in     map[string]int // how many rounds a stream is in
}

// step is an append to the place at which its stream is believed to end. An
// origin that is negative is an event of the same call: see append_known.
type step struct {
	*request
	at place
}

// add stores a batch and says in each of its requests how it ended. Those that
// are not answered have failed with err. head is where the log ends then, if it
// has grown.
func (w *writer) add(batch []*request) (head eventstore.Position, err error) {
	idle := w.guard.begin()
	defer w.guard.end()
	if err := w.connect(idle); err != nil {
		return 0, err
	}
	defer func() {
		if err == nil {
			return
		}
		// The transaction was rolled back, or nobody knows.
		w.forget(batch)
		// A refusal by the server leaves the connection as good as it was.
		if _, refused := errors.AsType[*pgconn.PgError](err); !refused || w.conn.IsClosed() {
			w.store.opts.logger.Warn("event log: connection lost while appending", slog.Any("error", err))
			w.disconnect()
		}
	}()
	before := w.last.position
	p := w.plan(batch)
	status, err := w.transact(p)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == uniqueViolation && len(p.known) > 0 && !w.conn.IsClosed() {
		// Another process has added to one of the streams, or an event is there already.
		w.forget(batch)
		_, err = w.transact(plan{rounds: divide(batch)})
	} else if err == nil && status < 0 {
		// The rounds are committed; nothing of known is.
		again := make([]*request, len(p.known))
		for i, s := range p.known {
			again[i] = s.request
		}
		if status == anotherLog {
			w.places, w.last.position = places{}, 0
		} else {
			w.forget(again)
		}
		_, err = w.transact(plan{rounds: divide(again)})
	}
	if w.last.position != before {
		head = w.last.position
	}
	return head, err
}

// plan sorts a batch by what is known of its streams, and remembers their ends
// as they will be.
func (w *writer) plan(batch []*request) plan {
	p := plan{known: make([]step, 0, len(batch))}
	for _, r := range batch {
		if p.in[r.stream] > 0 {
			p.check(r)
			continue
		}
		at, ok := w.places.get(r.stream)
		switch {
		case ok && (r.want == at.revision || r.want == eventstore.Any):
		case !ok && r.want == eventstore.NoStream:
			at = place{origin: -int64(p.events + 1), revision: eventstore.NoStream}
			p.fresh = append(p.fresh, r.stream)
		default: // a conflict, a repeat, or a stream not used lately
			p.check(r)
			continue
		}
		p.known, p.events = append(p.known, step{r, at}), p.events+len(r.events)
		w.places.set(r.stream, place{at.origin, at.revision + eventstore.Revision(len(r.events))})
	}
	return p
}

// check adds r to the rounds: it must see what those before it have added to its
// stream.
func (p *plan) check(r *request) {
	if p.in == nil {
		p.in = map[string]int{}
	}
	n := p.in[r.stream]
	p.in[r.stream]++
	if n == len(p.rounds) {
		p.rounds = append(p.rounds, nil)
	}
	p.rounds[n] = append(p.rounds[n], r)
}

func divide(batch []*request) [][]*request {
	var p plan
	for _, r := range batch {
		p.check(r)
	}
	return p.rounds
}

func (w *writer) forget(batch []*request) {
	for _, r := range batch {
		w.places.forget(r.stream)
	}
}

// outcome is how an append ended, if its transaction is committed.
type outcome struct {
	*request
	answer answer
	at     place // where the stream ends then; revision NoStream if there is none
}

// transact carries a plan out in one transaction and one round trip: what is sent
// up to the end of a pipeline is one in PostgreSQL, without BEGIN and COMMIT. It
// answers requests only after the commit. status is negative if append_known has
// added nothing.
func (w *writer) transact(p plan) (status int64, err error) {
	outcomes, status, err := w.send(p)
	if err != nil {
		return 0, err
	}
	for _, o := range outcomes {
		o.request.answer, o.answered = o.answer, true
		if o.at.revision == eventstore.NoStream {
			w.places.forget(o.stream)
		} else {
			w.places.set(o.stream, o.at)
		}
		if res := o.answer.res; o.answer.err == nil && !res.Existing && res.Position > w.last.position {
			w.last.position, w.last.id = res.Position, o.events[len(o.events)-1].ID
		}
	}
	return status, nil
}

// send returns outcomes without an error only if they are committed.
func (w *writer) send(p plan) (outcomes []outcome, status int64, err error) {
	pipe := w.conn.PgConn().StartPipeline(context.Background()) // the guard bounds it
	defer func() { err = cmp.Or(err, pipe.Close()) }()
	switch {
	case p.events == 1 && w.last.position > 0:
		pipe.SendQueryStatement(w.addOne, w.oneArguments(p.known[0]), binaryFormat(), binaryFormat())
	case p.events > 0:
		pipe.SendQueryStatement(w.addKnown, w.knownArguments(p), binaryFormat(), binaryFormat())
	}
	for _, round := range p.rounds {
		pipe.SendQueryStatement(w.addChecked, w.checkedArguments(round), binaryFormat(), binaryFormat())
	}
	if err := pipe.Sync(); err != nil {
		return nil, 0, err
	}
	outcomes = make([]outcome, 0, len(p.known)+len(p.rounds))
	if len(p.known) > 0 {
		rows, err := readRows(pipe, 1, 1)
		if err != nil {
			return nil, 0, err
		}
		if status = rows[0]; status >= 0 {
			outcomes = p.added(outcomes, status)
		}
	}
	for _, round := range p.rounds {
		rows, err := readRows(pipe, len(round), 5)
		if err != nil {
			return nil, 0, err
		}
		for i, r := range round {
			v := rows[5*i:]
			o := outcome{request: r, at: place{v[3], eventstore.Revision(v[4])}}
			o.answer.res = eventstore.Result{Revision: eventstore.Revision(v[1]), Position: eventstore.Position(v[2])}
			switch v[0] {
			case 0:
			case 1:
				o.answer.res.Existing = true
			case 2:
				o.answer = answer{err: &eventstore.ConflictError{Stream: r.stream, Want: r.want, Got: eventstore.Revision(v[1])}}
			default:
				return nil, 0, fmt.Errorf("unknown result %d", v[0])
			}
			outcomes = append(outcomes, o)
		}
	}
	return outcomes, status, nil // Close waits for the commit
}

// added returns what has become of the known appends if head was the log's end
// before.
func (p plan) added(outcomes []outcome, head int64) []outcome {
	position := head
	for _, s := range p.known {
		if s.at.origin < 0 {
			s.at.origin = head - s.at.origin
		}
		position += int64(len(s.events))
		s.at.revision += eventstore.Revision(len(s.events))
		outcomes = append(outcomes, outcome{s.request, answer{res: eventstore.Result{Revision: s.at.revision, Position: eventstore.Position(position)}}, s.at})
	}
	return outcomes
}

// readRows reads n rows of integers, one after the other.
func readRows(pipe *pgconn.Pipeline, n, columns int) ([]int64, error) {
	results, err := pipe.GetResults()
	if err != nil {
		return nil, err
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return nil, fmt.Errorf("unexpected answer %T", results)
	}
	all := make([]int64, 0, n*columns)
	for reader.NextRow() {
		if all, err = appendIntegers(all, reader.Values()); err != nil {
			return nil, err
		}
	}
	if _, err := reader.Close(); err != nil {
		return nil, err
	}
	if len(all) != n*columns {
		return nil, fmt.Errorf("%d numbers in the answer, want %d", len(all), n*columns)
	}
	return all, nil
}

// oneArguments returns the parameters of append_one.
func (w *writer) oneArguments(s step) [][]byte {
	e := s.events[0]
	return [][]byte{
		bigEndian(int64(w.last.position)), w.last.id[:], bigEndian(max(s.at.origin, 0)), bigEndian(int64(s.at.revision) + 1),
		[]byte(s.stream), e.ID[:], []byte(e.Type), notNull(e.Data), notNull(e.Meta),
	}
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// knownArguments returns the parameters of append_known, in the writer's buffers.
func (w *writer) knownArguments(p plan) [][]byte {
	b := w.arrays(text, int8s, int8s, text, uuids, text, byteas, byteas)
	for _, stream := range p.fresh {
		putBytes(b[0], stream)
	}
	for _, s := range p.known {
		for i, e := range s.events {
			putInt64(b[1], s.at.origin)
			putInt64(b[2], int64(s.at.revision)+int64(i)+1)
			putBytes(b[3], s.stream)
			putBytes(b[4], e.ID[:])
			putBytes(b[5], e.Type)
			putBytes(b[6], e.Data)
			putBytes(b[7], e.Meta)
		}
	}
	return append([][]byte{bigEndian(int64(w.last.position)), w.last.id[:]}, finished(b)...)
}

// checkedArguments returns the parameters of append_events, in the writer's buffers.
func (w *writer) checkedArguments(round []*request) [][]byte {
	b := w.arrays(text, int8s, int4s, int4s, int4s, int4s, text, uuids, text, byteas, byteas)
	events := 0
	for i, r := range round {
		putBytes(b[0], r.stream)
		putInt64(b[1], int64(r.want))
		putInt32(b[2], events+1)
		putInt32(b[3], len(r.events))
		events += len(r.events)
		for j, e := range r.events {
			putInt32(b[4], i+1)
			putInt32(b[5], j+1)
			putBytes(b[6], r.stream)
			putBytes(b[7], e.ID[:])
			putBytes(b[8], e.Type)
			putBytes(b[9], e.Data)
			putBytes(b[10], e.Meta)
		}
	}
	return finished(b)
}

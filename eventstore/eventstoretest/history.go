package eventstoretest

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// history is what is known of a log at the end of a trial.
type history struct {
	mu                        sync.Mutex
	acks                      []ack
	conflicts, unknown, kills int
	errors                    map[string]int

	dense   bool
	end     eventstore.Position // of the head, when all writers had ended
	log     []eventstore.Recorded
	readers []*reader
}

// ack is an append that a writer was told is stored.
type ack struct {
	stream   string
	revision eventstore.Revision // of the last event
	position eventstore.Position // of the last event
	ids      []uuid.UUID
}

// What writers say. A line that a kill has cut off lacks the full stop.
const (
	saidStored   = "stored"
	saidConflict = "conflict"
	saidUnknown  = "unknown"
)

func (a ack) String() string {
	words := []string{saidStored, a.stream, strconv.FormatInt(int64(a.revision), 10), strconv.FormatInt(int64(a.position), 10)}
	for _, id := range a.ids {
		words = append(words, id.String())
	}
	return strings.Join(words, " ") + " ."
}

// listen takes down what a writer says, until it ends.
func (h *history) listen(w io.Reader) {
	for sc := bufio.NewScanner(w); sc.Scan(); {
		words := strings.Fields(sc.Text())
		if len(words) < 2 || words[len(words)-1] != "." {
			continue
		}
		h.mu.Lock()
		switch words[0] {
		case saidConflict:
			h.conflicts++
		case saidUnknown:
			h.unknown++
			if h.errors == nil {
				h.errors = map[string]int{}
			}
			h.errors[strings.Join(words[1:len(words)-1], " ")]++
		case saidStored:
			if a, err := parseAck(words[1 : len(words)-1]); err == nil {
				h.acks = append(h.acks, a)
			}
		}
		h.mu.Unlock()
	}
}

func parseAck(words []string) (a ack, err error) {
	if len(words) < 4 {
		return a, fmt.Errorf("%d words are no acknowledgement", len(words))
	}
	revision, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return a, err
	}
	position, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return a, err
	}
	a = ack{words[0], eventstore.Revision(revision), eventstore.Position(position), nil}
	for _, word := range words[3:] {
		id, err := uuid.Parse(word)
		if err != nil {
			return a, err
		}
		a.ids = append(a.ids, id)
	}
	return a, nil
}

// judge compares what was acknowledged, what is in the log and what the readers
// saw.
func (h *history) judge() Report {
	r := Report{Acked: len(h.acks), Events: len(h.log), Conflicts: h.conflicts, Unknown: h.unknown, Kills: h.kills, Errors: h.errors}
	r.Faults = append(r.Faults, h.judgeLog()...)
	r.Faults = append(r.Faults, h.judgeAcks()...)
	for _, reader := range h.readers {
		r.Restarts += reader.runs
		r.Faults = append(r.Faults, h.judgeReader(reader)...)
	}
	if r.Acked == 0 || r.Kills == 0 || r.Conflicts == 0 || r.Unknown == 0 || r.Restarts < len(h.readers) {
		r.Faults = append(r.Faults, Fault{Unstarted, fmt.Sprintf("%d appends, %d kills, %d conflicts, %d unknown outcomes, %d restarts",
			r.Acked, r.Kills, r.Conflicts, r.Unknown, r.Restarts)})
	}
	return r
}

// judgeLog looks at the log alone: each event once, no holes.
func (h *history) judgeLog() (faults []Fault) {
	at := map[uuid.UUID]eventstore.Position{}
	next := map[string]eventstore.Revision{}
	var last eventstore.Position
	for _, r := range h.log {
		if p, twice := at[r.ID]; twice {
			faults = append(faults, Fault{Twice, fmt.Sprintf("%s is in the log at %d and at %d", r.ID, p, r.Position)})
		}
		at[r.ID] = r.Position
		switch {
		case r.Position <= last:
			faults = append(faults, Fault{Disorder, fmt.Sprintf("position %d comes after %d", r.Position, last)})
		case h.dense && r.Position != last+1:
			faults = append(faults, Fault{Hole, fmt.Sprintf("position %d comes after %d", r.Position, last)})
		}
		if r.Revision != next[r.Stream] {
			faults = append(faults, Fault{Hole, fmt.Sprintf("%s@%d is where revision %d should be", r.Stream, r.Revision, next[r.Stream])})
		}
		last, next[r.Stream] = r.Position, r.Revision+1
	}
	return faults
}

// judgeAcks checks that what was acknowledged is where it was said to be.
func (h *history) judgeAcks() (faults []Fault) {
	log := map[uuid.UUID]eventstore.Recorded{}
	for _, r := range h.log {
		log[r.ID] = r
	}
	for _, a := range h.acks {
		for i, id := range a.ids {
			r, stored := log[id]
			want := a.revision - eventstore.Revision(len(a.ids)-1-i)
			switch {
			case !stored:
				faults = append(faults, Fault{Lost, fmt.Sprintf("%s was acknowledged as %s@%d", id, a.stream, want)})
			case r.Stream != a.stream || r.Revision != want || i == len(a.ids)-1 && r.Position != a.position:
				faults = append(faults, Fault{Disorder, fmt.Sprintf("%s was acknowledged as %s@%d and is %s@%d at %d", id, a.stream, want, r.Stream, r.Revision, r.Position)})
			}
		}
	}
	return faults
}

// judgeReader holds what a reader saw against the log up to its checkpoint.
func (h *history) judgeReader(r *reader) []Fault {
	faults := r.faults
	add := func(kind FaultKind, format string, args ...any) {
		faults = append(faults, Fault{kind, "reader " + r.name + ": " + fmt.Sprintf(format, args...)})
	}
	if r.saved < h.end {
		add(Stuck, "it is at %d and the log ends at %d (last error: %v)", r.saved, h.end, r.err)
	}
	times := map[uuid.UUID]int{}
	var last eventstore.Position
	for _, s := range r.seen {
		if times[s.id]++; times[s.id] > 1 {
			add(Twice, "%s, the second time at %d", s.id, s.position)
		}
		if s.position <= last {
			add(Disorder, "position %d came after %d", s.position, last)
		}
		last = s.position
	}
	wanted := 0
	at := map[eventstore.Position]uuid.UUID{}
	for _, e := range h.log {
		at[e.Position] = e.ID
		if e.Position > r.saved || !r.q.Match(e.Stream, e.Type) {
			continue
		}
		wanted++
		if times[e.ID] == 0 {
			add(Skipped, "%s at position %d (%s@%d), though it is at %d", e.ID, e.Position, e.Stream, e.Revision, r.saved)
		}
	}
	if len(times) > wanted {
		add(Disorder, "it saw %d events; the log has %d for it", len(times), wanted)
	}
	for p, id := range r.glance {
		if at[p] != id {
			add(Disorder, "it once saw %s at %d, where the log has %s", id, p, at[p])
		}
	}
	return faults
}

package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
)

// VerifiedLog is what VerifyLog has found to be true.
type VerifiedLog struct {
	Events  int64               // in the log
	Signed  int64               // of them: those that a checkpoint has
	Last    eventstore.Position // of all
	Streams int
}

// VerifyLog reads a whole log, from its first event on, and checks it against
// checkpoints of it: the same events give the same root. hashed, if not nil, returns
// the hashes that were kept of the events (Tree.Hashed): with them it can tell which
// event was altered, and without them only between which checkpoints.
//
// It also checks that each stream has all its revisions, to the end.
func VerifyLog(events iter.Seq2[eventstore.Recorded, error], checkpoints []Checkpoint, hashed func(leaf int64) (tlog.Hash, error)) (VerifiedLog, error) {
	v := logVerifier{hashed: hashed, revisions: map[streamKey]eventstore.Revision{}}
	checkpoints = slices.Clone(checkpoints)
	slices.SortFunc(checkpoints, func(a, b Checkpoint) int { return int(min(1, max(-1, a.Size-b.Size))) })
	for i, c := range checkpoints {
		if c.Origin != checkpoints[0].Origin {
			return v.out, fmt.Errorf("the checkpoints are of two logs: %s and %s", checkpoints[0].Origin, checkpoints[i].Origin)
		}
	}
	next := checkpoints
	for r, err := range events {
		if err != nil {
			return v.out, fmt.Errorf("read log: %w", err)
		}
		if r.IsMark() {
			continue
		}
		if err := v.add(r, len(next) > 0); err != nil {
			return v.out, err
		}
		for len(next) > 0 && next[0].Size <= v.out.Events {
			if err := v.compare(next[0]); err != nil {
				return v.out, err
			}
			next = next[1:]
		}
	}
	if len(next) > 0 {
		return v.out, errors.Join(v.suspect, fmt.Errorf("the log has %d events, the checkpoint %d: events at its end are gone", v.out.Events, next[0].Size))
	}
	return v.out, nil
}

// streamKey stands for the name of a stream: a log may have millions.
type streamKey [16]byte

type logVerifier struct {
	out       VerifiedLog
	hashed    func(leaf int64) (tlog.Hash, error)
	revisions map[streamKey]eventstore.Revision // the last of each stream

	subtrees []tlog.Hash // roots of the full subtrees, the largest first
	suspect  error       // the first event that is not what was hashed
	buffer   []byte
}

// add takes in the next event; signed says whether a checkpoint is to come that has it.
func (v *logVerifier) add(r eventstore.Recorded, signed bool) error {
	h, buffer := leafHash(v.buffer, r)
	leaf := v.out.Events
	if v.buffer = buffer; signed && v.hashed != nil && v.suspect == nil {
		kept, err := v.hashed(leaf)
		if err != nil {
			return fmt.Errorf("read kept hash: %w", err)
		}
		if kept != h {
			v.suspect = fmt.Errorf("%s is not what was hashed as leaf %d: it was altered, or another before it was left out or put in", named(r), leaf)
		}
	}
	key := sha256.Sum256([]byte(r.Stream))
	before, there := v.revisions[streamKey(key[:16])]
	if !there {
		before = eventstore.NoStream
		v.out.Streams++
	}
	switch {
	case r.Position <= v.out.Last:
		return errors.Join(v.suspect, fmt.Errorf("%s is not behind the one before it, at %d", named(r), v.out.Last))
	case r.Revision != before+1:
		return errors.Join(v.suspect, fmt.Errorf("%s follows on revision %d of its stream", named(r), before))
	}
	v.revisions[streamKey(key[:16])] = r.Revision
	// A leaf completes as many subtrees as its number ends with ones.
	for n := leaf; n&1 == 1; n >>= 1 {
		end := len(v.subtrees) - 1
		h = tlog.NodeHash(v.subtrees[end], h)
		v.subtrees = v.subtrees[:end]
	}
	v.subtrees = append(v.subtrees, h)
	v.out.Events, v.out.Last = leaf+1, r.Position
	return nil
}

// root returns that of the tree of all events so far; there is at least one.
func (v *logVerifier) root() tlog.Hash {
	end := len(v.subtrees) - 1
	h := v.subtrees[end]
	for i := end - 1; i >= 0; i-- {
		h = tlog.NodeHash(v.subtrees[i], h)
	}
	return h
}

// compare compares the tree with a checkpoint of its size.
func (v *logVerifier) compare(c Checkpoint) error {
	same := v.root() == c.Root
	switch {
	case !same && v.suspect != nil:
		return v.suspect
	case !same && v.hashed != nil:
		return fmt.Errorf("of events %d to %d, at position %d, one was altered, left out or put in, and so were the hashes that were kept of them", v.out.Signed+1, c.Size, v.out.Last)
	case !same:
		return fmt.Errorf("of events %d to %d, at position %d, one was altered, left out or put in", v.out.Signed+1, c.Size, v.out.Last)
	case v.suspect != nil:
		return fmt.Errorf("the log is what was signed, but the hashes that were kept of it are not: %w", v.suspect)
	}
	v.out.Signed = c.Size
	return nil
}

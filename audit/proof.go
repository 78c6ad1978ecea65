package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
)

// Consistency proves that the tree of size to has all that the tree of size from
// had, in the same places. It is checked by VerifyConsistency.
func (t *Tree) Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error) {
	s, err := t.state(ctx)
	if err != nil {
		return nil, err
	}
	if from < 1 || from > to || to > s.Size {
		return nil, fmt.Errorf("%w: want 1 ≤ from ≤ to ≤ %d", ErrSize, s.Size)
	}
	proof, err := tlog.ProveTree(to, from, t.reader(ctx))
	return proof, wrap("prove consistency", err)
}

// inclusion proves that the event at a position is in the tree of some size, and
// says as which leaf.
func (t *Tree) inclusion(ctx context.Context, size int64, at eventstore.Position) (leaf int64, proof tlog.RecordProof, err error) {
	if leaf, err = t.leafAt(ctx, at); err != nil {
		return 0, nil, err
	}
	proof, err = tlog.ProveRecord(size, leaf, t.reader(ctx))
	return leaf, proof, wrap("prove inclusion", err)
}

// Hashed returns the hash of a leaf as the tree has it.
func (t *Tree) Hashed(ctx context.Context, leaf int64) (tlog.Hash, error) {
	h, err := t.reader(ctx).ReadHashes([]int64{tlog.StoredHashIndex(0, leaf)})
	if err != nil {
		return tlog.Hash{}, err
	}
	return h[0], nil
}

// VerifyConsistency checks with a proof that a newer checkpoint has all that an
// older one had.
func VerifyConsistency(older, newer Checkpoint, proof tlog.TreeProof) error {
	switch {
	case older.Origin != newer.Origin:
		return fmt.Errorf("the checkpoints are of two logs: %s and %s", older.Origin, newer.Origin)
	case older.Size > newer.Size:
		return fmt.Errorf("the older checkpoint, of %d events, is larger than the newer one, of %d", older.Size, newer.Size)
	case older.Size < 1:
		return fmt.Errorf("the older checkpoint has no events")
	case tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil:
		return fmt.Errorf("the newer checkpoint, of %d events, does not have all that the older one, of %d, had: the log was rewritten, or this is not the proof of these two", newer.Size, older.Size)
	}
	return nil
}

// ParseConsistency returns the proof of an answer of GET /v1/audit/consistency.
func ParseConsistency(answer []byte) (tlog.TreeProof, error) {
	var in struct {
		Proof tlog.TreeProof `json:"proof"`
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return nil, fmt.Errorf("the proof cannot be read: %w", err)
	}
	return in.Proof, nil
}

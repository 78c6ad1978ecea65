// Package audit proves that nothing in the log was altered, left out or put in
// afterwards: it hashes every event into a Merkle tree (RFC 6962) and signs the
// tree's size and root (C2SP tlog-checkpoint), for auditors to keep elsewhere.
//
// It only reads the log, and it must not know what an event means: what it hashes
// are the bytes that were recorded (AppendLeaf). Verification (VerifyBundle,
// VerifyLog, VerifyConsistency) needs neither a log nor a database.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Keys keeps the secret keys that sign.
type Keys interface {
	// SigningKey returns the key called name. If there is none it keeps and
	// returns what generate makes, unless somebody else has been faster.
	SigningKey(ctx context.Context, name string, generate func() (string, error)) (string, error)

	// SigningKeyNames returns the names of the keys that begin so.
	SigningKeyNames(ctx context.Context, prefix string) ([]string, error)
}

// Leases lets one of several processes extend the tree. The methods are those of
// reactors.Leases.
type Leases interface {
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (epoch int64, err error)
	Renew(ctx context.Context, name string, epoch int64) (held bool, err error)
	Release(ctx context.Context, name string, epoch int64) error
}

// Config is what a Tree works with.
type Config struct {
	Store  eventstore.Store // the log that is proven
	DB     sqldb.DB         // of the tree alone; the caller's to close
	Keys   Keys             // nil: nothing is signed
	Leases Leases           // for Run
	Holder string           // names this process among those that may Run
	Alone  bool             // no other process runs
	Now    func() time.Time
	Logger *slog.Logger

	Batch    int           // events hashed in one transaction at most; default 4,096
	Pace     time.Duration // between two transactions at the end of the log; default 200 ms
	Every    time.Duration // between two checkpoints of a log that grows; default 1 minute
	LeaseTTL time.Duration // how long a process that has died keeps others waiting; default 5 s
}

func (c *Config) setDefaults() {
	c.Batch = cmp.Or(c.Batch, 4096)
	c.Pace = cmp.Or(c.Pace, 200*time.Millisecond)
	c.Every = cmp.Or(c.Every, time.Minute)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 5*time.Second)
}

// Errors, to be tested with errors.Is. The first three say that the log is not the
// one that the tree was made of: it was swapped, restored from a backup, or altered.
// Run does not go on then; Restart begins another tree, under another key.
var (
	ErrOtherLog = errors.New("audit: the tree is of another log")
	ErrShorter  = errors.New("audit: the log ends before the tree does: events that were proven are gone")
	ErrAltered  = errors.New("audit: the last event that was hashed is not what the log has now")

	ErrRuns         = errors.New("audit: another process extends the tree")
	ErrNoTree       = errors.New("audit: there is no tree yet")
	ErrNoCheckpoint = errors.New("audit: there is no such checkpoint")
	ErrSize         = errors.New("audit: there is no tree of such a size")
)

// Tree is the Merkle tree of a log. It is safe for concurrent use, and several
// processes may use one database.
type Tree struct {
	cfg   Config
	tiles tileCache
}

// Open returns the tree in cfg.DB, and makes one if there is none.
func Open(ctx context.Context, cfg Config) (*Tree, error) {
	cfg.setDefaults()
	t := &Tree{cfg: cfg}
	if err := createTables(ctx, cfg.DB); err != nil {
		return nil, fmt.Errorf("make tables of audit: %w", err)
	}
	_, err := t.state(ctx)
	if !errors.Is(err, ErrNoTree) {
		return t, err
	}
	head, err := cfg.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read head of log: %w", err)
	}
	generation, err := t.lastGeneration(ctx, head.Store)
	if err != nil {
		return nil, err
	}
	return t, t.begin(ctx, head.Store, generation)
}

// OpenExisting is Open for those who change nothing. Without a tree it is ErrNoTree.
func OpenExisting(ctx context.Context, cfg Config) (*Tree, error) {
	cfg.setDefaults()
	t := &Tree{cfg: cfg}
	err := cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		there, err := sqldb.TableExists(ctx, tx, "tree")
		if err == nil && !there {
			err = ErrNoTree
		}
		return err
	})
	if err == nil {
		_, err = t.state(ctx)
	}
	return t, err
}

// originOf names a tree in its checkpoints and its key. A tree that replaces
// another of the same log has another name: nobody can take the two for one.
func originOf(store uuid.UUID, generation int64) string {
	return fmt.Sprintf("chatledger/%s/%d", store, generation)
}

// lastGeneration returns the highest for which there is a key: a tree that is made
// again, since its database was lost, must not take up the name of one before it. It
// is 1 for a log that was never signed.
func (t *Tree) lastGeneration(ctx context.Context, store uuid.UUID) (int64, error) {
	last := int64(1)
	if t.cfg.Keys == nil {
		return last, nil
	}
	prefix := fmt.Sprintf("chatledger/%s/", store)
	names, err := t.cfg.Keys.SigningKeyNames(ctx, prefix)
	for _, name := range names {
		if n, err := strconv.ParseInt(strings.TrimPrefix(name, prefix), 10, 64); err == nil {
			last = max(last, n)
		}
	}
	return last, err
}

// Status says how far the tree is.
type Status struct {
	Origin    string              // names the tree
	Size      int64               // events in it
	Position  eventstore.Position // of the last of them
	Head      eventstore.Position // where the log ends
	UpdatedAt time.Time
	Problem   error // ErrOtherLog, ErrShorter or ErrAltered
}

// Status compares the tree with the log.
func (t *Tree) Status(ctx context.Context) (Status, error) {
	s, err := t.state(ctx)
	if err != nil {
		return Status{}, err
	}
	head, err := t.cfg.Store.Head(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("read head of log: %w", err)
	}
	out := Status{Origin: s.Origin, Size: s.Size, Position: s.Position, Head: head.Position, UpdatedAt: time.UnixMicro(s.UpdatedAt).UTC()}
	err = t.check(ctx, s, head)
	if errors.Is(err, ErrOtherLog) || errors.Is(err, ErrShorter) || errors.Is(err, ErrAltered) {
		out.Problem, err = err, nil
	}
	return out, err
}

// check compares the log with what the tree says it was.
func (t *Tree) check(ctx context.Context, s stateRow, head eventstore.Head) error {
	switch {
	case s.Store != head.Store.String():
		return ErrOtherLog
	case s.Position > head.Position:
		return ErrShorter
	case s.Size == 0:
		return nil
	}
	// Not s.Position - 1: positions may have holes, and a store may want one that
	// there is.
	var before eventstore.Position
	if s.Size > 1 {
		n := s.Size - 2
		l, err := t.tile(ctx, 0, n/tileWidth, int(n%tileWidth)+1)
		if err != nil {
			return err
		}
		before = positionAt(l.positions, int(n%tileWidth))
	}
	for r, err := range t.cfg.Store.ReadAll(ctx, eventstore.AllQuery{After: before, Limit: 1}) {
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		hashed, err := t.Hashed(ctx, s.Size-1)
		if err == nil && (r.Position != s.Position || LeafHash(r) != hashed) {
			err = ErrAltered
		}
		return err
	}
	return ErrAltered
}

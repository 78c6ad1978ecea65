package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Checkpoint says what the tree was at a size. Note is the same, signed: a text of
// the form of https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   string

	Position eventstore.Position // of the last event in it; not signed, but it is in that event's leaf
	SignedAt time.Time           // not signed
}

// maxNote is how long a checkpoint may be, in bytes.
const maxNote = 64 << 10

// formatCheckpoint returns the text that is signed.
func formatCheckpoint(origin string, size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
}

// OpenCheckpoint returns what a signed checkpoint says, if the key whose public half
// is given has signed it.
func OpenCheckpoint(text string, key string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return Checkpoint{}, errors.New("the key is not one that `chatledger audit key` has printed")
	}
	if len(text) > maxNote {
		return Checkpoint{}, errors.New("the checkpoint is too long to be one")
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return Checkpoint{}, errors.New("the checkpoint is not signed with this key")
	}
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return Checkpoint{}, errors.New("the signature of the checkpoint is forged, or the checkpoint was altered")
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint cannot be read: %w", err)
	}
	c, err := parseCheckpoint(n.Text)
	if err == nil && c.Origin != v.Name() {
		err = errors.New("the checkpoint is of another log than the key")
	}
	c.Note = text
	return c, err
}

// parseCheckpoint reads the text that was signed. Lines that may follow are of no
// meaning here, and there are none yet.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	bad := errors.New("the checkpoint is not of the form of c2sp.org/tlog-checkpoint")
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return c, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return c, bad
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, bad
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}, nil
}

// Key returns the public key of the tree, in the form of a note's verifier: origin,
// hash and Ed25519 key, between plus signs.
func (t *Tree) Key(ctx context.Context) (string, error) {
	s, err := t.state(ctx)
	if err != nil {
		return "", err
	}
	secret, err := t.secret(ctx, s.Origin)
	if err != nil {
		return "", err
	}
	return publicKey(secret)
}

func (t *Tree) secret(ctx context.Context, origin string) (string, error) {
	if t.cfg.Keys == nil {
		return "", errors.New("audit: this tree was opened without keys")
	}
	return t.cfg.Keys.SigningKey(ctx, origin, func() (string, error) {
		secret, _, err := note.GenerateKey(rand.Reader, origin)
		return secret, err
	})
}

// sign signs the tree at its present size, unless there is such a checkpoint.
func (t *Tree) sign(ctx context.Context, s stateRow) (c Checkpoint, err error) {
	c = Checkpoint{Origin: s.Origin, Size: s.Size, Position: s.Position, SignedAt: t.cfg.Now().UTC().Truncate(time.Microsecond)}
	if c.Root, err = tlog.TreeHash(s.Size, t.reader(ctx)); err != nil {
		return c, err
	}
	secret, err := t.secret(ctx, s.Origin)
	if err != nil {
		return c, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return c, errors.New("audit: the key that signs is damaged") // without the error: it might show the key
	}
	signed, err := note.Sign(&note.Note{Text: formatCheckpoint(c.Origin, c.Size, c.Root)}, signer)
	if err != nil {
		return c, fmt.Errorf("sign checkpoint: %w", err)
	}
	c.Note = string(signed)
	err = t.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO checkpoints (origin, size, position, root, note, signed_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (origin, size) DO NOTHING`, c.Origin, c.Size, c.Position, c.Root.String(), c.Note, c.SignedAt.UnixMicro())
		return err
	})
	return c, wrap("keep checkpoint", err)
}

type checkpointRow struct {
	Origin   string              `db:"origin"`
	Size     int64               `db:"size"`
	Position eventstore.Position `db:"position"`
	Root     string              `db:"root"`
	Note     string              `db:"note"`
	SignedAt int64               `db:"signed_at"`
}

func (r checkpointRow) checkpoint() (Checkpoint, error) {
	root, err := tlog.ParseHash(r.Root)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return Checkpoint{Origin: r.Origin, Size: r.Size, Root: root, Note: r.Note, Position: r.Position, SignedAt: time.UnixMicro(r.SignedAt).UTC()}, nil
}

// Checkpoints returns what was signed of the present tree below a size (0: of any
// size), the last one first.
func (t *Tree) Checkpoints(ctx context.Context, below int64, limit int) ([]Checkpoint, error) {
	return t.checkpoints(ctx, "($2 = 0 OR size < $2) ORDER BY size DESC LIMIT $3", below, limit)
}

// CheckpointAt returns what was signed at a size, or ErrNoCheckpoint.
func (t *Tree) CheckpointAt(ctx context.Context, size int64) (Checkpoint, error) {
	list, err := t.checkpoints(ctx, "size = $2", size)
	if err == nil && len(list) == 0 {
		return Checkpoint{}, ErrNoCheckpoint
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return list[0], nil
}

func (t *Tree) checkpoints(ctx context.Context, where string, args ...any) (list []Checkpoint, err error) {
	err = t.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := sqldb.Select[checkpointRow](ctx, tx, "SELECT * FROM checkpoints WHERE origin = $1 AND "+where, append([]any{s.Origin}, args...)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			c, err := r.checkpoint()
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	})
	return list, wrap("read checkpoints", err)
}

// Covering returns the first checkpoint that has the events up to a position, and
// makes one if there is none. The tree must have got there (Wait).
func (t *Tree) Covering(ctx context.Context, at eventstore.Position) (Checkpoint, error) {
	list, err := t.checkpoints(ctx, "position >= $2 ORDER BY position LIMIT 1", at)
	if err != nil {
		return Checkpoint{}, err
	}
	if len(list) > 0 {
		return list[0], nil
	}
	s, err := t.state(ctx)
	switch {
	case err != nil:
		return Checkpoint{}, err
	case s.Position < at:
		return Checkpoint{}, fmt.Errorf("%w: it has the events up to %d, not %d", ErrSize, s.Position, at)
	case s.Size == 0:
		return Checkpoint{}, ErrNoCheckpoint
	}
	return t.sign(ctx, s)
}

// publicKey returns the public half of a key that note.GenerateKey has made:
// PRIVATE+KEY+<name>+<hash>+<base64 of a byte for Ed25519 and the seed>. Its error
// must not show the key.
func publicKey(secret string) (string, error) {
	damaged := errors.New("audit: the key that signs is damaged")
	parts := strings.SplitN(secret, "+", 5)
	if len(parts) != 5 {
		return "", damaged
	}
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", damaged
	}
	public, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", damaged
	}
	key, err := note.NewEd25519VerifierKey(parts[2], public)
	if err != nil {
		return "", damaged
	}
	return key, nil
}

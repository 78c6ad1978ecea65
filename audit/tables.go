package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// tables are those of the tree. Its own row says how far it is; leaves are the
// tiles of level 0, nodes those above. In the order of their integer keys SQLite
// adds rows at the end, which is its fastest way to store anything.
type tables struct{ tree, leaves, nodes, checkpoints sqldb.Table }

func newTables() tables {
	return tables{
		tree: sqldb.Table{Name: "tree", Columns: []sqldb.Column{
			{Name: "id", Kind: sqldb.Int, Key: true},
			{Name: "store", Kind: sqldb.Text},
			{Name: "origin", Kind: sqldb.Text},
			{Name: "generation", Kind: sqldb.Int},
			{Name: "size", Kind: sqldb.Int},
			{Name: "position", Kind: sqldb.Int},
			{Name: "updated_at", Kind: sqldb.Int},
		}},
		leaves: sqldb.Table{Name: "leaves", Columns: []sqldb.Column{
			{Name: "tile", Kind: sqldb.Int, Key: true}, {Name: "first_position", Kind: sqldb.Int}, {Name: "hashes", Kind: sqldb.Bytes}, {Name: "positions", Kind: sqldb.Bytes},
		}},
		nodes: sqldb.Table{Name: "nodes", Columns: []sqldb.Column{
			{Name: "tile", Kind: sqldb.Int, Key: true}, {Name: "hashes", Kind: sqldb.Bytes},
		}},
		checkpoints: sqldb.Table{Name: "checkpoints", Columns: []sqldb.Column{
			{Name: "origin", Kind: sqldb.Text, Key: true},
			{Name: "size", Kind: sqldb.Int, Key: true},
			{Name: "position", Kind: sqldb.Int},
			{Name: "root", Kind: sqldb.Text},
			{Name: "note", Kind: sqldb.Text},
			{Name: "signed_at", Kind: sqldb.Int},
		}},
	}
}

// nodeKey is the key of a tile above level 0.
func nodeKey(level int, n int64) int64 { return n<<4 | int64(level) }

func createTables(ctx context.Context, db sqldb.DB) error {
	return db.Write(ctx, func(tx sqldb.Tx) error {
		if err := sqldb.Lock(ctx, tx, "audit schema"); err != nil {
			return err
		}
		all := newTables()
		for _, t := range []sqldb.Table{all.tree, all.leaves, all.nodes, all.checkpoints} {
			if err := sqldb.CreateTable(ctx, tx, t); err != nil {
				return err
			}
		}
		return sqldb.Script(ctx, tx, `CREATE INDEX IF NOT EXISTS leaves_by_position ON leaves (first_position);
			CREATE INDEX IF NOT EXISTS checkpoints_by_position ON checkpoints (origin, position)`)
	})
}

// stateRow is the row of the tree.
type stateRow struct {
	ID         int64               `db:"id"`
	Store      string              `db:"store"`
	Origin     string              `db:"origin"`
	Generation int64               `db:"generation"`
	Size       int64               `db:"size"`
	Position   eventstore.Position `db:"position"`
	UpdatedAt  int64               `db:"updated_at"`
}

func readState(ctx context.Context, tx sqldb.Tx) (stateRow, error) {
	s, err := sqldb.Get[stateRow](ctx, tx, "SELECT * FROM tree WHERE id = 1")
	if errors.Is(err, sqldb.ErrNoRows) {
		err = ErrNoTree
	}
	return s, err
}

func (t *Tree) state(ctx context.Context) (s stateRow, err error) {
	err = t.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		s, err = readState(ctx, tx)
		return err
	})
	if err == nil {
		t.tiles.of(s.Origin)
	}
	return s, wrap("read state of tree", err)
}

// wrap says what failed, but for what callers test for.
func wrap(what string, err error) error {
	if err == nil || errors.Is(err, ErrNoTree) || errors.Is(err, ErrNoCheckpoint) || errors.Is(err, ErrSize) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// begin makes an empty tree, unless there is one.
func (t *Tree) begin(ctx context.Context, store uuid.UUID, generation int64) error {
	err := t.cfg.DB.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tree (id, store, origin, generation, size, position, updated_at) VALUES (1, $1, $2, $3, 0, 0, $4)
			ON CONFLICT (id) DO NOTHING`, store.String(), originOf(store, generation), generation, t.cfg.Now().UnixMicro())
		return err
	})
	return wrap("begin tree", err)
}

// Restart begins another tree, of the log as it is now, under another name and so
// under another key. Checkpoints of the last one are kept; what they say of it can
// no longer be proven here. While another process runs it is ErrRuns.
func (t *Tree) Restart(ctx context.Context) (origin string, err error) {
	epoch, err := t.acquireSoon(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, t.cfg.Leases.Release(ctx, leaseName, epoch)) }()
	head, err := t.cfg.Store.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("read head of log: %w", err)
	}
	before, err := t.state(ctx)
	if err != nil {
		return "", err
	}
	generation, err := t.lastGeneration(ctx, head.Store)
	if err != nil {
		return "", err
	}
	generation = max(generation, before.Generation) + 1
	origin = originOf(head.Store, generation)
	if _, err := t.secret(ctx, origin); err != nil { // first, so that the name is taken
		return "", err
	}
	err = sqldb.WriteAlone(ctx, t.cfg.DB, func(tx sqldb.Tx) error {
		for _, sql := range []string{"DELETE FROM leaves", "DELETE FROM nodes"} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "UPDATE tree SET store = $1, origin = $2, generation = $3, size = 0, position = 0, updated_at = $4 WHERE id = 1",
			head.Store.String(), origin, generation, t.cfg.Now().UnixMicro())
		return err
	})
	return origin, wrap("restart tree", err)
}

// errMoved says that another process has extended the tree.
var errMoved = errors.New("audit: another process has extended the tree")

// save keeps the tiles that have changed, in one transaction with how far the tree
// is. That the tree was where from says proves that nobody else extends it.
func (t *Tree) save(ctx context.Context, from stateRow, e *edge, at eventstore.Position) (stateRow, error) {
	to := from
	to.Size, to.Position, to.UpdatedAt = e.size, at, t.cfg.Now().UnixMicro()
	all := newTables()
	leaves, nodes := sqldb.NewVectors(all.leaves.Columns, 0), sqldb.NewVectors(all.nodes.Columns, 0)
	for _, l := range e.take() {
		if l.level > 0 {
			nodes[0].Ints, nodes[1].Blobs = append(nodes[0].Ints, nodeKey(l.level, l.n)), append(nodes[1].Blobs, l.hashes)
			continue
		}
		leaves[0].Ints = append(leaves[0].Ints, l.n)
		leaves[1].Ints = append(leaves[1].Ints, int64(positionAt(l.positions, 0)))
		leaves[2].Blobs, leaves[3].Blobs = append(leaves[2].Blobs, l.hashes), append(leaves[3].Blobs, l.positions)
	}
	err := sqldb.WriteAlone(ctx, t.cfg.DB, func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE tree SET size = $1, position = $2, updated_at = $3 WHERE id = 1 AND origin = $4 AND size = $5",
			to.Size, to.Position, to.UpdatedAt, from.Origin, from.Size)
		if err != nil {
			return err
		}
		if n != 1 {
			return errMoved
		}
		if err := sqldb.Upsert(ctx, tx, all.leaves, leaves); err != nil {
			return err
		}
		return sqldb.Upsert(ctx, tx, all.nodes, nodes)
	})
	return to, wrap("extend tree", err)
}

// loadEdge returns the right edge of the tree.
func (t *Tree) loadEdge(ctx context.Context, s stateRow) (*edge, error) {
	e := &edge{size: s.Size}
	for level := 0; level == 0 || s.Size>>(tileHeight*level) > 0; level++ {
		n, width := widthAt(s.Size, level)
		l := tile{level: level, n: n}
		if width > 0 {
			kept, err := t.readTile(ctx, level, n)
			if err != nil {
				return nil, err
			}
			if len(kept.hashes) != width*tlog.HashSize || level == 0 && len(kept.positions) != 8*width {
				return nil, fmt.Errorf("audit: tile %d of level %d is not as long as the tree says", n, level)
			}
			l.hashes = kept.hashes
			if level == 0 {
				e.positions = kept.positions
			}
		}
		e.levels = append(e.levels, l)
		e.changed = append(e.changed, false)
	}
	return e, nil
}

func (t *Tree) readTile(ctx context.Context, level int, n int64) (tile, error) {
	out := tile{level: level, n: n}
	sql, key := "SELECT hashes, positions FROM leaves WHERE tile = $1", n
	if level > 0 {
		sql, key = "SELECT hashes FROM nodes WHERE tile = $1", nodeKey(level, n)
	}
	err := t.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, sql, []any{key}, func(r sqldb.Row) error {
			out.hashes = r.Bytes(0)
			if level == 0 {
				out.positions = r.Bytes(1)
			}
			return nil
		})
	})
	return out, wrap("read tile", err)
}

// tileCache keeps tiles that were read, of one tree. They only grow: a hash that is
// in one stays there.
type tileCache struct {
	mu     sync.Mutex
	origin string
	tiles  map[[2]int64]tile
}

// cachedTiles bounds the cache: it is emptied when it holds as many, 18 KB each.
const cachedTiles = 512

// of says which tree is read.
func (c *tileCache) of(origin string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.origin != origin {
		c.origin, c.tiles = origin, nil
	}
}

// tile returns a tile with at least width hashes.
func (t *Tree) tile(ctx context.Context, level int, n int64, width int) (tile, error) {
	key := [2]int64{int64(level), n}
	t.tiles.mu.Lock()
	known := t.tiles.tiles[key]
	t.tiles.mu.Unlock()
	if len(known.hashes) >= width*tlog.HashSize {
		return known, nil
	}
	l, err := t.readTile(ctx, level, n)
	if err != nil {
		return l, err
	}
	if len(l.hashes) < width*tlog.HashSize {
		return l, fmt.Errorf("%w: tile %d of level %d has %d hashes, not %d", ErrSize, n, level, len(l.hashes)/tlog.HashSize, width)
	}
	t.tiles.mu.Lock()
	defer t.tiles.mu.Unlock()
	if t.tiles.tiles == nil || len(t.tiles.tiles) >= cachedTiles {
		t.tiles.tiles = map[[2]int64]tile{}
	}
	l.above = above(l.hashes)
	t.tiles.tiles[key] = l
	return l, nil
}

// reader reads the hashes of the tree, as tlog numbers them.
func (t *Tree) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			want := tlog.TileForIndex(tileHeight, index)
			l, err := t.tile(ctx, want.L, want.N, want.W)
			if err != nil {
				return nil, err
			}
			level, n := tlog.SplitStoredHashIndex(index)
			level -= want.L * tileHeight
			out[i] = l.hash(level, int(n-want.N<<(tileHeight-level)))
		}
		return out, nil
	})
}

// leafAt returns the number of the leaf of the event at a position.
func (t *Tree) leafAt(ctx context.Context, at eventstore.Position) (int64, error) {
	n := int64(-1)
	err := t.cfg.DB.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT tile FROM leaves WHERE first_position <= $1 ORDER BY first_position DESC LIMIT 1", []any{at}, func(r sqldb.Row) error {
			n = r.Int64(0)
			return nil
		})
	})
	if err != nil {
		return 0, wrap("look for leaf", err)
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: no leaf for position %d", ErrSize, at)
	}
	width := 1
	for {
		l, err := t.tile(ctx, 0, n, width)
		if err != nil {
			return 0, err
		}
		has := len(l.positions) / 8
		i := sort.Search(has, func(i int) bool { return positionAt(l.positions, i) >= at })
		switch {
		case i < has && positionAt(l.positions, i) == at:
			return n*tileWidth + int64(i), nil
		case i == has && has < tileWidth && width <= has:
			width = has + 1 // what is cached may be of an earlier tree
		default:
			return 0, fmt.Errorf("%w: no leaf for position %d", ErrSize, at)
		}
	}
}

func positionAt(positions []byte, i int) eventstore.Position {
	return eventstore.Position(binary.BigEndian.Uint64(positions[8*i:]))
}

package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Diff is what Verify found.
type Diff struct {
	Name       string
	Checkpoint eventstore.Position // both sides are as of here
	Rows       int64               // compared
	Different  int64               // rows that differ, or are on one side only
	First      []RowDiff           // the first of these
}

const maxRowDiffs = 20

// RowDiff is a row that is not the same on both sides. It has values of the
// view: they may be personal data.
type RowDiff struct {
	Table string
	Key   []string          // of the row
	Live  map[string]string // the columns that differ; nil: no such row
	Fresh map[string]string // the same, folded anew; nil: no such row
}

// Verify folds the log from event zero into scratch tables and compares them
// with the live ones, row for row, as of one checkpoint. The live tables may
// change meanwhile: what is compared is one snapshot of them. Events that are
// parked are left out on both sides.
func Verify(ctx context.Context, cfg Config, name string) (diff Diff, err error) {
	if err := Prepare(ctx, cfg); err != nil {
		return diff, err
	}
	cfg, err = cfg.home(name)
	if err != nil {
		return diff, err
	}
	p, err := cfg.find(name)
	if err != nil {
		return diff, err
	}
	b, err := newBuilder(ctx, &cfg, p, roleCheck, suffixCheck, false)
	if err != nil {
		return diff, fmt.Errorf("verify: %w", err)
	}
	err = b.verify(ctx, &diff)
	err = errors.Join(err, b.discard(ctx))
	if err != nil {
		return diff, fmt.Errorf("verify %s: %w", name, err)
	}
	return diff, nil
}

var errWentBack = errors.New("the live tables went back meanwhile: try again")

// verify brings b's tables to where the live ones are and compares them.
func (b *builder) verify(ctx context.Context, diff *Diff) error {
	diff.Name = b.state.Name
	// Most of the fold happens before the snapshot, which should not be held for
	// long.
	if err := b.cfg.DB.Read(ctx, func(tx sqldb.Tx) error { return b.liveAt(ctx, tx, diff) }); err != nil {
		return err
	}
	if err := foldTo(ctx, b.cfg, []*builder{b}, diff.Checkpoint, PhaseFold); err != nil {
		return err
	}
	return b.cfg.DB.Read(ctx, func(live sqldb.Tx) error {
		if err := b.liveAt(ctx, live, diff); err != nil {
			return err
		}
		if diff.Checkpoint < b.state.Checkpoint {
			return errWentBack
		}
		if err := foldTo(ctx, b.cfg, []*builder{b}, diff.Checkpoint, PhaseCatchUp); err != nil {
			return err
		}
		return b.cfg.DB.Read(ctx, func(fresh sqldb.Tx) error {
			for _, t := range b.tables {
				if err := CompareTables(ctx, live, fresh, t, "", b.suffix, diff); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// liveAt reads where the live tables are and which events they lack.
func (b *builder) liveAt(ctx context.Context, tx sqldb.Tx, diff *Diff) error {
	s, err := readState(ctx, tx, b.state.Name)
	if err != nil {
		return err
	}
	if s.Shape != b.state.Shape {
		return ErrOtherShape
	}
	head, err := b.cfg.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of the log: %w", err)
	}
	if err := s.follows(head); err != nil {
		return err
	}
	diff.Checkpoint = s.Checkpoint
	if b.state.Role != roleCheck { // a rebuild leaves nothing out
		return nil
	}
	parked, err := sqldb.Select[eventstore.Position](ctx, tx,
		"SELECT position FROM parked WHERE projection = $1 AND generation = $2", s.Name, s.Generation)
	if err != nil {
		return err
	}
	if b.skip, err = skips(ctx, tx, s.Name); err != nil {
		return err
	}
	for _, position := range parked {
		b.skip[position] = true
	}
	return nil
}

// discard drops the scratch tables, after ctx was cancelled too.
func (b *builder) discard(ctx context.Context) error {
	return b.cfg.DB.Write(context.WithoutCancel(ctx), func(tx sqldb.Tx) error {
		still, found, err := readBuild(ctx, tx, b.state.Name, b.state.Role)
		if err != nil || !found || still.Epoch != b.state.Epoch {
			return err // another Verify has taken the tables over
		}
		if err := dropTables(ctx, tx, b.p, b.suffix); err != nil {
			return err
		}
		return deleteBuild(ctx, tx, b.state.Name, b.state.Role)
	})
}

// CompareTables compares two copies of t, whose names end in suffixes, each as
// its transaction sees it, and adds what differs to diff. It reads them side by
// side, in the order of their keys, a page at a time.
func CompareTables(ctx context.Context, liveTx, freshTx sqldb.Tx, t Table, liveSuffix, freshSuffix string, diff *Diff) error {
	live := &pager{tx: liveTx, table: t.stored(t.Name() + liveSuffix)}
	fresh := &pager{tx: freshTx, table: t.stored(t.Name() + freshSuffix)}
	for {
		a, err := live.next(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", live.table.Name, err)
		}
		b, err := fresh.next(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", fresh.table.Name, err)
		}
		if a == nil && b == nil {
			return nil
		}
		switch c := compareRows(live.table, a, b); {
		case c < 0:
			fresh.back(b)
			b = nil
		case c > 0:
			live.back(a)
			a = nil
		}
		diff.Rows++
		if a != nil && b != nil && slices.Equal(a, b) {
			continue
		}
		diff.Different++
		if len(diff.First) < maxRowDiffs {
			diff.First = append(diff.First, rowDiff(t.Name(), live.table, a, b))
		}
	}
}

// pager reads a table in the order of its keys. Values are text; a row is nil
// at the end.
type pager struct {
	tx    sqldb.Tx
	table sqldb.Table
	rows  [][]string
	at    int
	ended bool
}

const pageRows = 2_000

func (p *pager) next(ctx context.Context) ([]string, error) {
	if p.at == len(p.rows) && !p.ended {
		if err := p.page(ctx); err != nil {
			return nil, err
		}
	}
	if p.at == len(p.rows) {
		return nil, nil
	}
	p.at++
	return p.rows[p.at-1], nil
}

// back makes next return row again, which it returned last.
func (p *pager) back(row []string) {
	if row != nil {
		p.at--
	}
}

func (p *pager) page(ctx context.Context) error {
	var columns, keys, marks []string
	var args []any
	for i, c := range p.table.Columns {
		columns = append(columns, c.Name)
		if !c.Key {
			continue
		}
		keys = append(keys, c.Name)
		if len(p.rows) > 0 {
			last := p.rows[len(p.rows)-1][i]
			switch c.Kind {
			case sqldb.Int:
				n, err := strconv.ParseInt(last, 10, 64)
				if err != nil {
					return err
				}
				args = append(args, n)
			case sqldb.Bool:
				args = append(args, last == "true")
			default:
				args = append(args, last)
			}
			marks = append(marks, fmt.Sprintf("$%d", len(args)))
		}
	}
	by := strings.Join(keys, ", ")
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM " + p.table.Name
	if len(args) > 0 {
		sql += " WHERE (" + by + ") > (" + strings.Join(marks, ", ") + ")"
	}
	sql += fmt.Sprintf(" ORDER BY %s LIMIT %d", by, pageRows)
	p.rows, p.at = nil, 0
	err := p.tx.Query(ctx, sql, args, func(r sqldb.Row) error {
		row := make([]string, r.Len())
		for i, c := range p.table.Columns {
			row[i] = text(r, i, c.Kind)
		}
		p.rows = append(p.rows, row)
		return nil
	})
	p.ended = len(p.rows) < pageRows
	return err
}

func text(r sqldb.Row, i int, kind sqldb.Kind) string {
	switch kind {
	case sqldb.Int:
		return strconv.FormatInt(r.Int64(i), 10)
	case sqldb.Bool:
		return strconv.FormatBool(r.Bool(i))
	case sqldb.Float:
		return strconv.FormatFloat(r.Float64(i), 'g', -1, 64)
	case sqldb.Bytes:
		return string(r.Bytes(i))
	default:
		return r.Text(i)
	}
}

// compareRows orders rows by their keys; the end comes after every row.
func compareRows(t sqldb.Table, a, b []string) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a == nil), boolInt(b == nil))
	}
	for i, c := range t.Columns {
		if !c.Key || a[i] == b[i] {
			continue
		}
		if c.Kind == sqldb.Int {
			x, errX := strconv.ParseInt(a[i], 10, 64)
			y, errY := strconv.ParseInt(b[i], 10, 64)
			if errX == nil && errY == nil {
				return cmp.Compare(x, y)
			}
		}
		return cmp.Compare(a[i], b[i]) // "false" is less than "true"
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func rowDiff(name string, t sqldb.Table, live, fresh []string) RowDiff {
	d := RowDiff{Table: name}
	either := live
	if either == nil {
		either = fresh
	}
	for i, c := range t.Columns {
		if c.Key {
			d.Key = append(d.Key, either[i])
		}
		if live != nil && fresh != nil && live[i] == fresh[i] {
			continue
		}
		put(&d.Live, live, c.Name, i)
		put(&d.Fresh, fresh, c.Name, i)
	}
	return d
}

func put(to *map[string]string, row []string, column string, i int) {
	if row == nil {
		return
	}
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[column] = row[i]
}

package scripted

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// Side is one of two versions that are compared.
type Side struct {
	Status Status
	Table  customview.Table
}

// Difference is a row that two versions do not have alike. A side that does not have it
// is nil.
type Difference struct {
	Key      string
	From, To json.RawMessage
	Columns  []string // that both have, with another value; none if a side lacks the row
}

// Differences are a part of all, by key.
type Differences struct {
	Items []Difference
	Next  string // cursor of the next page; "" if this is the last
}

const (
	compareList = "scripted differences"
	compareRows = 20_000 // that are looked at for a page
	compareStep = 1_000  // that are read at once
)

// Compare returns the rows of a table that two versions do not have alike. Of columns,
// only those count that both have. A page may be short, even empty, before the end.
func Compare(ctx context.Context, tx sqldb.Tx, from, to Side, after string, limit int) (d Differences, err error) {
	if limit, err = cursor.Limit(limit); err != nil {
		return d, err
	}
	key := ""
	if after != "" {
		if err := cursor.Decode(compareList, after, &key); err != nil {
			return d, err
		}
	}
	shared := sharedColumns(from.Table, to.Table)
	a, b := &side{Side: from, after: key}, &side{Side: to, after: key}
	for range compareRows {
		x, okx, err := a.peek(ctx, tx)
		if err != nil {
			return d, err
		}
		y, oky, err := b.peek(ctx, tx)
		if err != nil {
			return d, err
		}
		if !okx && !oky {
			return d, nil
		}
		if len(d.Items) == limit {
			d.Next = cursor.Encode(compareList, key)
			return d, nil
		}
		switch {
		case !oky || okx && x.Key < y.Key:
			key = x.Key
			d.Items = append(d.Items, Difference{Key: key, From: from.Table.Row(key, json.RawMessage(x.Data))})
			a.skip()
		case !okx || y.Key < x.Key:
			key = y.Key
			d.Items = append(d.Items, Difference{Key: key, To: to.Table.Row(key, json.RawMessage(y.Data))})
			b.skip()
		default:
			key = x.Key
			columns, err := changed(shared, x.Data, y.Data)
			if err != nil {
				return d, err
			}
			if len(columns) > 0 {
				d.Items = append(d.Items, Difference{key, from.Table.Row(key, json.RawMessage(x.Data)), to.Table.Row(key, json.RawMessage(y.Data)), columns})
			}
			a.skip()
			b.skip()
		}
	}
	d.Next = cursor.Encode(compareList, key)
	return d, nil
}

func sharedColumns(a, b customview.Table) (names []string) {
	for _, c := range a.Columns {
		for _, other := range b.Columns {
			if c.Name == other.Name {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// changed returns the columns with another value.
func changed(columns []string, a, b string) (names []string, err error) {
	if a == b {
		return nil, nil
	}
	var x, y map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		return nil, fmt.Errorf("decode row: %w", err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		return nil, fmt.Errorf("decode row: %w", err)
	}
	for _, c := range columns {
		if !bytes.Equal(x[c], y[c]) {
			names = append(names, c)
		}
	}
	return names, nil
}

// side is the rows of a Side, one after the other.
type side struct {
	Side
	after string
	rows  []entry
	end   bool
}

func (s *side) peek(ctx context.Context, tx sqldb.Tx) (entry, bool, error) {
	if len(s.rows) == 0 && !s.end {
		rows, err := entries(ctx, tx, s.Status.id, s.Table.Name, s.after, compareStep)
		if err != nil {
			return entry{}, false, err
		}
		s.rows, s.end = rows, len(rows) < compareStep
	}
	if len(s.rows) == 0 {
		return entry{}, false, nil
	}
	return s.rows[0], true, nil
}

func (s *side) skip() {
	s.after, s.rows = s.rows[0].Key, s.rows[1:]
}

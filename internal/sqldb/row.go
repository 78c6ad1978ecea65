package sqldb

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"zombiezen.com/go/sqlite"
)

// Row is a row of a result. Columns are counted from 0. A NULL reads as the
// zero value; a value that is not of the type asked for is an error of Query.
type Row struct {
	lite *sqlite.Stmt
	pg   *pgRow
}

type pgRow struct {
	fields []pgconn.FieldDescription
	values [][]byte
	types  *pgtype.Map
	err    error // the first value that could not be read
}

// Len returns the number of columns.
func (r Row) Len() int {
	if r.lite != nil {
		return r.lite.ColumnCount()
	}
	return len(r.pg.fields)
}

// Column returns the name of column i.
func (r Row) Column(i int) string {
	if r.lite != nil {
		return r.lite.ColumnName(i)
	}
	return r.pg.fields[i].Name
}

// Null reports whether column i is NULL.
func (r Row) Null(i int) bool {
	if r.lite != nil {
		return r.lite.ColumnIsNull(i)
	}
	return r.pg.values[i] == nil
}

// Text returns column i as a string.
func (r Row) Text(i int) string {
	if r.lite != nil {
		return r.lite.ColumnText(i)
	}
	switch f := r.pg.fields[i]; {
	case r.pg.values[i] == nil:
		return ""
	case f.Format == pgtype.TextFormatCode:
		return string(r.pg.values[i])
	default:
		switch f.DataTypeOID {
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.NameOID, pgtype.BPCharOID, pgtype.JSONOID, pgtype.UnknownOID:
			return string(r.pg.values[i])
		}
	}
	return other[string](r.pg, i)
}

// Int64 returns column i as an integer.
func (r Row) Int64(i int) int64 {
	if r.lite != nil {
		return r.lite.ColumnInt64(i)
	}
	v := r.pg.values[i]
	if f := r.pg.fields[i]; f.Format == pgtype.BinaryFormatCode && v != nil {
		switch f.DataTypeOID {
		case pgtype.Int8OID:
			return int64(binary.BigEndian.Uint64(v))
		case pgtype.Int4OID:
			return int64(int32(binary.BigEndian.Uint32(v)))
		}
	}
	return other[int64](r.pg, i)
}

// Bool returns column i as a truth value.
func (r Row) Bool(i int) bool {
	if r.lite != nil {
		return r.lite.ColumnBool(i)
	}
	v := r.pg.values[i]
	if f := r.pg.fields[i]; f.Format == pgtype.BinaryFormatCode && f.DataTypeOID == pgtype.BoolOID && v != nil {
		return v[0] != 0
	}
	return other[bool](r.pg, i)
}

// Float64 returns column i as a floating-point number.
func (r Row) Float64(i int) float64 {
	if r.lite != nil {
		return r.lite.ColumnFloat(i)
	}
	v := r.pg.values[i]
	if f := r.pg.fields[i]; f.Format == pgtype.BinaryFormatCode && f.DataTypeOID == pgtype.Float8OID && v != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(v))
	}
	return other[float64](r.pg, i)
}

// Bytes returns column i; the caller owns it. Text is returned as its bytes.
func (r Row) Bytes(i int) []byte {
	if r.lite != nil {
		b := make([]byte, r.lite.ColumnLen(i))
		return b[:r.lite.ColumnBytes(i, b)]
	}
	if v := r.pg.values[i]; v != nil && r.pg.fields[i].DataTypeOID != pgtype.ByteaOID {
		return []byte(r.Text(i))
	}
	b := other[[]byte](r.pg, i)
	if b == nil {
		b = []byte{}
	}
	return b
}

// other reads a value by pgx's own rules.
func other[T any](r *pgRow, i int) (v T) {
	if r.values[i] == nil {
		return v
	}
	f := r.fields[i]
	if err := r.types.Scan(f.DataTypeOID, f.Format, r.values[i], &v); err != nil && r.err == nil {
		r.err = fmt.Errorf("read column %s: %w", f.Name, err)
	}
	return v
}

// Package rowfile writes rows of a custom view into a file: CSV, NDJSON, or Parquet with
// typed columns.
//
// It knows no database and no request.
package rowfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/internal/csvtext"
)

// Writer writes rows of one table. Close ends the file and leaves what is below open.
type Writer interface {
	// Row writes a row: its key, and an object with a value for each column.
	Row(key string, data json.RawMessage) error

	io.Closer
}

// Fact is something that a Parquet file says of itself.
type Fact struct{ Name, Value string }

// New returns what writes rows of t to w. Facts are for the formats that have a place
// for them.
func New(w io.Writer, format export.Format, t customview.Table, facts ...Fact) (Writer, error) {
	switch format {
	case export.CSV:
		names := []string{t.Key}
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		_, err := w.Write(csvtext.Line(names))
		return &csvWriter{w, t}, err
	case export.NDJSON:
		return &ndjsonWriter{w, t}, nil
	case export.Parquet:
		return newParquet(w, t, facts), nil
	}
	return nil, fmt.Errorf("rowfile: there is no format %s", format)
}

// ContentType returns the media type of a format.
func ContentType(format export.Format) string {
	return map[export.Format]string{
		export.CSV: "text/csv; charset=utf-8; header=present", export.NDJSON: "application/x-ndjson", export.Parquet: "application/vnd.apache.parquet",
	}[format]
}

func values(data json.RawMessage) (map[string]json.RawMessage, error) {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("decode row: %w", err)
	}
	return v, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

type csvWriter struct {
	w io.Writer
	t customview.Table
}

func (c *csvWriter) Row(key string, data json.RawMessage) error {
	all, err := values(data)
	if err != nil {
		return err
	}
	cells := []csvtext.Cell{{Value: key}}
	for _, col := range c.t.Columns {
		raw := all[col.Name]
		cell := csvtext.Cell{Number: col.Type == customview.Integer || col.Type == customview.Number}
		switch {
		case isNull(raw):
		case col.Type == customview.Text || col.Type == customview.Time:
			if err := json.Unmarshal(raw, &cell.Value); err != nil {
				return fmt.Errorf("decode %s: %w", col.Name, err)
			}
		default:
			cell.Value = string(raw)
		}
		cells = append(cells, cell)
	}
	_, err = c.w.Write(csvtext.Cells(cells))
	return err
}

func (*csvWriter) Close() error { return nil }

type ndjsonWriter struct {
	w io.Writer
	t customview.Table
}

func (n *ndjsonWriter) Row(key string, data json.RawMessage) error {
	_, err := n.w.Write(append(n.t.Row(key, data), '\n'))
	return err
}

func (*ndjsonWriter) Close() error { return nil }

type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	key     int // the place of its column
	columns []parquetColumn
	row     parquet.Row
}

type parquetColumn struct {
	customview.Column
	at int
}

// newParquet returns a writer of columns in the order of their names, as the library
// lays groups out. All but the key may be null.
func newParquet(w io.Writer, t customview.Table, facts []Fact) *parquetWriter {
	root := parquet.Group{t.Key: parquet.String()}
	for _, c := range t.Columns {
		root[c.Name] = parquet.Optional(node(c.Type))
	}
	schema := parquet.NewSchema(t.Name, root)
	at := map[string]int{}
	for i, path := range schema.Columns() {
		at[strings.Join(path, ".")] = i
	}
	options := []parquet.WriterOption{schema, parquet.Compression(&parquet.Snappy)}
	for _, f := range facts {
		options = append(options, parquet.KeyValueMetadata(f.Name, f.Value))
	}
	p := &parquetWriter{w: parquet.NewGenericWriter[any](w, options...), key: at[t.Key], row: make(parquet.Row, len(at))}
	for _, c := range t.Columns {
		p.columns = append(p.columns, parquetColumn{c, at[c.Name]})
	}
	return p
}

func node(t customview.Type) parquet.Node {
	switch t {
	case customview.Integer:
		return parquet.Int(64)
	case customview.Number:
		return parquet.Leaf(parquet.DoubleType)
	case customview.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case customview.Time:
		return parquet.Timestamp(parquet.Microsecond)
	case customview.JSON:
		return parquet.JSON()
	}
	return parquet.String()
}

func (p *parquetWriter) Row(key string, data json.RawMessage) error {
	all, err := values(data)
	if err != nil {
		return err
	}
	p.row[p.key] = parquet.ByteArrayValue([]byte(key)).Level(0, 0, p.key)
	for _, c := range p.columns {
		v, err := value(c.Type, all[c.Name])
		if err != nil {
			return fmt.Errorf("decode %s: %w", c.Name, err)
		}
		there := 1
		if v.IsNull() {
			there = 0
		}
		p.row[c.at] = v.Level(0, there, c.at)
	}
	_, err = p.w.WriteRows([]parquet.Row{p.row})
	return err
}

func (p *parquetWriter) Close() error { return p.w.Close() }

func value(t customview.Type, raw json.RawMessage) (parquet.Value, error) {
	if isNull(raw) {
		return parquet.NullValue(), nil
	}
	switch t {
	case customview.Integer:
		var n int64
		err := json.Unmarshal(raw, &n)
		return parquet.Int64Value(n), err
	case customview.Number:
		var n float64
		err := json.Unmarshal(raw, &n)
		return parquet.DoubleValue(n), err
	case customview.Boolean:
		var yes bool
		err := json.Unmarshal(raw, &yes)
		return parquet.BooleanValue(yes), err
	case customview.Time:
		var at time.Time
		err := json.Unmarshal(raw, &at)
		return parquet.Int64Value(at.UnixMicro()), err
	case customview.JSON:
		return parquet.ByteArrayValue(raw), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return parquet.ByteArrayValue([]byte(s)), err
}

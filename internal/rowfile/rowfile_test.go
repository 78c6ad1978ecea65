package rowfile_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/internal/rowfile"
)

var table = customview.Table{Name: "sales", Key: "city", Columns: []customview.Column{
	{Name: "orders", Type: customview.Integer},
	{Name: "ratio", Type: customview.Number},
	{Name: "note", Type: customview.Text},
	{Name: "big", Type: customview.Boolean},
	{Name: "at", Type: customview.Time},
	{Name: "lines", Type: customview.JSON},
}}

func write(t *testing.T, format export.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := rowfile.New(&b, format, table, rowfile.Fact{Name: "position", Value: "42"})
	if err != nil {
		t.Fatal(err)
	}
	for key, data := range map[string]string{"Bonn": `{"orders":-3,"ratio":-0.5,"note":"=1+1","big":true,"at":"2026-01-31T12:00:00.000001Z","lines":[{"sku":"a, b"}]}`} {
		if err := w.Row(key, json.RawMessage(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Row("=Kiel", json.RawMessage(`{"orders":null,"ratio":null,"note":null,"big":null,"at":null,"lines":null}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Text that a spreadsheet would take for a formula is guarded; a negative number is none.
func TestText(t *testing.T) {
	for format, want := range map[export.Format]string{
		export.CSV: "city,orders,ratio,note,big,at,lines\r\n" +
			"Bonn,-3,-0.5,'=1+1,true,2026-01-31T12:00:00.000001Z,\"[{\"\"sku\"\":\"\"a, b\"\"}]\"\r\n" +
			"'=Kiel,,,,,,\r\n",
		export.NDJSON: `{"city":"Bonn","orders":-3,"ratio":-0.5,"note":"=1+1","big":true,"at":"2026-01-31T12:00:00.000001Z","lines":[{"sku":"a, b"}]}` + "\n" +
			`{"city":"=Kiel","orders":null,"ratio":null,"note":null,"big":null,"at":null,"lines":null}` + "\n",
	} {
		if diff := cmp.Diff(want, string(write(t, format))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	if _, err := rowfile.New(io.Discard, "pdf", table); err == nil {
		t.Error("there is a format pdf")
	}
}

// A Parquet file says what its columns are, and reads back as what was written.
func TestParquet(t *testing.T) {
	data := write(t, export.Parquet)
	type row struct {
		City   string     `parquet:"city"`
		Orders *int64     `parquet:"orders,optional"`
		Ratio  *float64   `parquet:"ratio,optional"`
		Note   *string    `parquet:"note,optional"`
		Big    *bool      `parquet:"big,optional"`
		At     *time.Time `parquet:"at,optional,timestamp(microsecond)"`
		Lines  *string    `parquet:"lines,optional"`
	}
	got, err := parquet.Read[row](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	orders, ratio, note, big, at, lines := int64(-3), -0.5, "=1+1", true, time.Date(2026, 1, 31, 12, 0, 0, 1000, time.UTC), `[{"sku":"a, b"}]`
	if diff := cmp.Diff([]row{{"Bonn", &orders, &ratio, &note, &big, &at, &lines}, {City: "=Kiel"}}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if position, ok := file.Lookup("position"); !ok || position != "42" {
		t.Errorf("position %q", position)
	}
	const schema = `message sales {
	optional int64 at (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional boolean big;
	required binary city (STRING);
	optional binary lines (JSON);
	optional binary note (STRING);
	optional int64 orders (INT(64,true));
	optional double ratio;
}`
	if diff := cmp.Diff(schema, file.Schema().String()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

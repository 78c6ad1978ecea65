package readapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/csvtext"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/filtersql"
)

// takers may take lists with them.
var takers = []agent.Role{agent.RoleSupervisor, agent.RoleAnalyst, agent.RoleAdmin}

const (
	codeGone   = "export.expired"
	exportTime = 10 * time.Minute // for all of a file
	exportPart = 30 * time.Second // for a client to take a part of it
)

// exportFile writes a list into a file, page by page, each in a transaction of its
// own: a slow client holds up nobody. The list is in an order in which rows never
// move, so each row that there is from beginning to end is in the file once. views
// are those that each list is read from.
func (a *API) exportFile(views map[filter.Target][]string) web.Endpoint {
	type input struct {
		web.Read
		Export string `path:"export"`
	}
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: "/v1/exports/{export}/file", Tag: "exports", Summary: "Download an export",
		Description: "The list as it is now, the newest first. CSV is UTF-8 as RFC 4180 has it; what a spreadsheet might take for a formula is preceded by an apostrophe. " +
			"In NDJSON each line is an object with the columns, lists and lines as arrays, attributes by their kind. It is read page by page: what is changed meanwhile is as it was, or as it is then. " +
			"An export that was asked for more than an hour ago is a 410.",
		Roles: takers, Stream: true, ContentType: "text/csv",
	}, func(ctx context.Context, r *web.Request, in *input) (*web.Stream, error) {
		req, err := a.requestedExport(ctx, r.Workspace, in.Export)
		if err != nil {
			return nil, err
		}
		if a.Now().After(req.Until) {
			return nil, web.NewProblem(http.StatusGone, codeGone, "the export has expired; ask for it again")
		}
		from := views[filter.Target(req.Target)]
		if err := in.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error { return a.Waiter.Wait(ctx, p, from...) }); err != nil {
			return nil, err
		}
		pages, err := a.pagesOf(req)
		if err != nil {
			return nil, err
		}
		first, err := pages(ctx, "", from)
		if err != nil {
			return nil, err
		}
		return web.NewStream(func(w http.ResponseWriter, hr *http.Request) {
			ctx, cancel := context.WithTimeout(hr.Context(), exportTime)
			defer cancel()
			h := w.Header()
			h.Set("Content-Type", map[export.Format]string{export.CSV: "text/csv; charset=utf-8; header=present", export.NDJSON: "application/x-ndjson"}[req.Format])
			h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", req.Target+"-"+req.At.Format("20060102-150405")+"."+string(req.Format)))
			h.Set("Cache-Control", "no-store")
			h.Set("Position", web.Position(first.at))
			out := exporter{w: w, now: a.Now, format: req.Format, columns: req.Columns}
			err := out.write(first, func(next string) (exported, error) { return pages(ctx, next, nil) })
			if err != nil {
				a.Log.WarnContext(ctx, "an export was broken off", slog.String("export", in.Export), slog.Any("error", err))
				panic(http.ErrAbortHandler) // half a file must not look like a whole one
			}
		}), nil
	}, func(op *huma.Operation) {
		op.Responses["200"].Headers = map[string]*huma.Param{
			"Position": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The position of the log that the first page reflects."},
		}
	})
}

// exported is a page of a file.
type exported struct {
	rows []row
	next string              // cursor of the next page; "" if this is the last
	at   eventstore.Position // that it reflects, if that was asked for
}

// pagesOf returns what reads the pages of an export. "me" in its filter is who
// asked, "-7d" is counted from then.
func (a *API) pagesOf(req export.Requested) (func(ctx context.Context, from string, views []string) (exported, error), error) {
	target := filter.Target(req.Target)
	f, err := filter.Parse(target, req.Filter)
	if err != nil {
		return nil, err
	}
	read := map[filter.Target]func(context.Context, sqldb.Tx, wanted) ([]row, string, error){
		filter.Chats: chatRows, filter.Contacts: contactRows, filter.Orders: orderRows,
	}[target]
	if read == nil {
		return nil, export.ErrTarget
	}
	columns := make(map[string]bool, len(req.Columns))
	for _, name := range req.Columns {
		columns[name] = true
	}
	return func(ctx context.Context, from string, views []string) (page exported, err error) {
		err = a.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
			if page.at, err = projections.Checkpoints(ctx, tx, views...); err != nil {
				return err
			}
			page.rows, page.next, err = read(ctx, tx, wanted{req.Workspace, f, filtersql.Scope{Now: req.At, Me: req.By}, req.IDs, req.Except, columns, from})
			return err
		})
		return page, err
	}, nil
}

// requestedExport returns what was asked for, from the log.
func (a *API) requestedExport(ctx context.Context, workspace, id string) (req export.Requested, err error) {
	for e, err := range a.Store.ReadStream(ctx, "export-"+id, eventstore.StreamQuery{Limit: 1}) {
		if err != nil {
			return req, fmt.Errorf("read export: %w", err)
		}
		if e.Type != req.EventType() {
			break
		}
		if err := json.Unmarshal(e.Data, &req); err != nil {
			return req, fmt.Errorf("decode %s: %w", e.Type, err)
		}
		if req.Workspace == workspace {
			return req, nil
		}
	}
	return req, export.ErrNotFound
}

// row is a line of a file: what is in its columns.
type row map[string]any

// exporter writes rows.
type exporter struct {
	w       http.ResponseWriter
	now     func() time.Time
	format  export.Format
	columns []string
}

func (x *exporter) write(page exported, next func(from string) (exported, error)) error {
	out := bufio.NewWriter(x.w)
	control := http.NewResponseController(x.w)
	if x.format == export.CSV {
		if _, err := out.Write(csvtext.Line(x.columns)); err != nil {
			return err
		}
	}
	for {
		_ = control.SetWriteDeadline(x.now().Add(exportPart)) // where there are deadlines
		for _, r := range page.rows {
			line, err := x.line(r)
			if err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil || page.next == "" {
			return err
		}
		var err error
		if page, err = next(page.next); err != nil {
			return err
		}
	}
}

func (x *exporter) line(r row) ([]byte, error) {
	if x.format == export.CSV {
		cells := make([]csvtext.Cell, len(x.columns))
		for i, name := range x.columns {
			cells[i] = cellOf(r[name])
		}
		return csvtext.Cells(cells), nil
	}
	b := []byte{'{'}
	for i, name := range x.columns {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := json.Marshal(r[name])
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
		b = append(append(strconv.AppendQuote(b, name), ':'), value...)
	}
	return append(b, '}', '\n'), nil
}

func cellOf(v any) csvtext.Cell {
	switch v := v.(type) {
	case nil:
		return csvtext.Cell{}
	case string:
		return csvtext.Cell{Value: v}
	case []string:
		return csvtext.Cell{Value: strings.Join(v, " ")}
	case json.Number:
		return csvtext.Cell{Value: v.String(), Number: true}
	case *time.Time:
		if v == nil {
			return csvtext.Cell{}
		}
		return csvtext.Cell{Value: v.Format(time.RFC3339Nano)}
	case time.Time:
		return csvtext.Cell{Value: v.Format(time.RFC3339Nano)}
	}
	return csvtext.Cell{Value: fmt.Sprint(v)}
}

package readapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/csvtext"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
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
// move, so each row that there is from beginning to end is in the file once.
func (a *API) exportFile() web.Endpoint {
	type input struct {
		Export string `path:"export"`
	}
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: "/v1/exports/{export}/file", Tag: "exports", Summary: "Download an export",
		Description: "The list as it is now, the newest first. CSV is UTF-8 as RFC 4180 has it; what a spreadsheet might take for a formula is preceded by an apostrophe. " +
			"In NDJSON each line is an object with the columns. An export that was asked for more than an hour ago is a 410.",
		Roles: takers, Stream: true, ContentType: "text/csv",
	}, func(ctx context.Context, r *web.Request, in *input) (*web.Stream, error) {
		req, err := a.requestedExport(ctx, r.Workspace, in.Export)
		if err != nil {
			return nil, err
		}
		if a.Now().After(req.Until) {
			return nil, web.NewProblem(http.StatusGone, codeGone, "the export has expired; ask for it again")
		}
		f, err := filter.Parse(filter.Target(req.Target), req.Filter)
		if err != nil {
			return nil, err
		}
		rows := chatRows
		if filter.Target(req.Target) == filter.Orders {
			rows = orderRows
		}
		return web.NewStream(func(w http.ResponseWriter, hr *http.Request) {
			ctx, cancel := context.WithTimeout(hr.Context(), exportTime)
			defer cancel()
			kind := map[export.Format]string{export.CSV: "text/csv; charset=utf-8", export.NDJSON: "application/x-ndjson"}[req.Format]
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", req.Target+"-"+req.At.Format("20060102-150405")+"."+string(req.Format)))
			w.Header().Set("Cache-Control", "no-store")
			out := exporter{w: w, format: req.Format, columns: req.Columns}
			// The subject of the request: "me" in the filter is who asked.
			query := filtersql.Scope{Now: req.At, Me: req.By}
			if err := out.write(ctx, func(from string) ([]row, string, error) {
				var list []row
				var next string
				err := a.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
					list, next, err = rows(ctx, tx, r.Workspace, f, query, from)
					return err
				})
				return list, next, err
			}); err != nil {
				// The client sees a file that ends early: its connection is cut.
				a.Log.WarnContext(ctx, "an export was broken off", "export", in.Export, "error", err)
				panic(http.ErrAbortHandler)
			}
		}), nil
	}, nil)
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
	format  export.Format
	columns []string
}

func (x *exporter) write(ctx context.Context, page func(from string) ([]row, string, error)) error {
	out := bufio.NewWriter(x.w)
	control := http.NewResponseController(x.w)
	if x.format == export.CSV {
		if _, err := out.Write(csvtext.Line(x.columns)); err != nil {
			return err
		}
	}
	for from := ""; ; {
		rows, next, err := page(from)
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(exportPart)) //nolint:forbidigo // a deadline of the connection
		for _, r := range rows {
			line, err := x.line(r)
			if err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if from = next; from == "" {
			return control.Flush()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (x *exporter) line(r row) ([]byte, error) {
	if x.format == export.CSV {
		cells := make([]string, len(x.columns))
		for i, name := range x.columns {
			cells[i] = cellOf(r[name])
		}
		return csvtext.Line(cells), nil
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

func cellOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []string:
		return strings.Join(v, " ")
	case *time.Time:
		if v == nil {
			return ""
		}
		return v.Format(time.RFC3339Nano)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

func chatRows(ctx context.Context, tx sqldb.Tx, workspace string, f filter.Filter, scope filtersql.Scope, from string) ([]row, string, error) {
	page, err := inbox.Find(ctx, tx, inbox.Search{Workspace: workspace, Filter: f, Scope: scope, Sort: inbox.ByCreated, Cursor: from, Limit: cursor.MaxLimit})
	rows := make([]row, len(page.Chats))
	for i, c := range page.Chats {
		rows[i] = row{
			"id": c.ID, "name": c.Name, "phone": c.Phone, "email": c.Email, "is_contact": c.IsContact, "channel": c.Channel,
			"status": c.Status, "status_category": c.Category, "assignee": c.Assignee, "team": c.Team, "tags": orEmpty(c.Tags), "unread": c.Unread,
			"created_at": moment(c.CreatedAt), "last_activity_at": moment(c.LastActivityAt), "waiting_since": momentOrNull(c.WaitingSince),
			"last_message_at": momentOrNull(c.LastAt), "last_message_by": c.LastBy, "last_message": c.LastPreview, "revision": c.Revision,
		}
	}
	return rows, page.Next, err
}

func orderRows(ctx context.Context, tx sqldb.Tx, workspace string, f filter.Filter, scope filtersql.Scope, from string) ([]row, string, error) {
	page, err := orders.Find(ctx, tx, orders.Search{Workspace: workspace, Filter: f, Scope: scope, Cursor: from, Limit: cursor.MaxLimit})
	rows := make([]row, len(page.Orders))
	for i, o := range page.Orders {
		rows[i] = row{
			"id": o.ID, "external_id": o.External, "status": o.Status, "payment": o.Payment, "chat": o.Chat, "channel": o.Channel,
			"name": o.VisitorName, "phone": o.VisitorPhone, "email": o.VisitorEmail, "items": o.Items, "total": o.Total, "currency": o.Currency,
			"tags": orEmpty(o.Tags), "assignee": o.Assignee, "carrier": o.Carrier, "tracking": o.Tracking,
			"placed_at": moment(o.PlacedAt), "updated_at": moment(o.UpdatedAt), "revision": o.Revision,
		}
	}
	return rows, page.Next, err
}

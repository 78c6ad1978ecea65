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
	"github.com/chatledger/chatledger/projections/contacts"
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
			"In NDJSON each line is an object with the columns. It is read page by page: what is changed meanwhile is as it was, or as it is then. " +
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
	return func(ctx context.Context, from string, views []string) (page exported, err error) {
		err = a.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
			if page.at, err = projections.Checkpoints(ctx, tx, views...); err != nil {
				return err
			}
			page.rows, page.next, err = read(ctx, tx, wanted{req.Workspace, f, filtersql.Scope{Now: req.At, Me: req.By}, req.IDs, req.Except, from})
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

// wanted is a page of a list.
type wanted struct {
	workspace string
	filter    filter.Filter
	scope     filtersql.Scope
	only      []string // see export.Requested.IDs
	except    []string
	cursor    string
}

func chatRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := inbox.Find(ctx, tx, inbox.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Sort: inbox.ByCreated, Cursor: w.cursor, Limit: cursor.MaxLimit})
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

func contactRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := contacts.Find(ctx, tx, contacts.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Sort: contacts.ByCreated, Cursor: w.cursor, Limit: cursor.MaxLimit})
	rows := make([]row, len(page.Contacts))
	for i, c := range page.Contacts {
		rows[i] = row{
			"id": c.ID, "name": c.Name, "email": c.Email, "phone": c.Phone, "company": c.Company, "city": c.City, "country": c.Country,
			"gender": c.Gender, "language": c.Language, "status": c.Status, "assignee": c.Assignee, "tags": orEmpty(c.Tags),
			"blocked": c.Blocked, "reason": c.Reason, "created_at": moment(c.CreatedAt), "updated_at": moment(c.UpdatedAt),
		}
	}
	return rows, page.Next, err
}

func orderRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := orders.Find(ctx, tx, orders.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Cursor: w.cursor, Limit: cursor.MaxLimit})
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

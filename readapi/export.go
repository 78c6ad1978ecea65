package readapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
)

type inExport struct {
	web.Read
	Filter string `query:"filter" doc:"As POST /v1/contacts/query takes it. None lets all pass."`
}

// exportPage is how many contacts are read at once.
const exportPage = 200

// exportContacts writes page by page, so that a slow client holds no snapshot.
func (a *API) exportContacts(views ...string) web.Endpoint {
	route := web.Route{
		Method: http.MethodGet, Path: "/v1/contacts/export", Tag: "contacts", Summary: "Download contacts as CSV",
		Description: "The newest first, in UTF-8, with a header; /v1/contacts/import takes it. A cell that a spreadsheet could take for a formula begins with an apostrophe. " +
			"It is read page by page: a contact that is changed meanwhile is as it was, or as it is then.",
		Roles: seniors, Stream: true, ContentType: "text/csv",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *inExport) (*web.Stream, error) {
		err := in.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error { return a.Waiter.Wait(ctx, p, views...) })
		if err != nil {
			return nil, err
		}
		s, err := a.contactSearch(r, Filtered{Filter: json.RawMessage(in.Filter)})
		if err != nil {
			return nil, err
		}
		s.Limit = exportPage
		var at eventstore.Position
		first, err := a.exported(ctx, s, &at, views...)
		if err != nil {
			return nil, err
		}
		return web.NewStream(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
			h.Set("Content-Disposition", `attachment; filename="contacts.csv"`)
			h.Set("Position", web.Position(at))
			control := http.NewResponseController(w)
			out := csv.NewWriter(w)
			out.UseCRLF = true
			page, err := first, out.Write(exportColumns())
			for err == nil {
				_ = control.SetWriteDeadline(a.Now().Add(exportWait)) // where there are deadlines
				for _, c := range page.Contacts {
					if err = out.Write(exportRow(c)); err != nil {
						break
					}
				}
				out.Flush()
				if err = out.Error(); err != nil || page.Next == "" {
					break
				}
				s.Cursor = page.Next
				page, err = a.exported(r.Context(), s, nil, views...)
			}
			if err != nil {
				panic(http.ErrAbortHandler) // half a file must not look like a whole one
			}
		}), nil
	}, func(op *huma.Operation) {
		op.Responses["200"].Headers = map[string]*huma.Param{
			"Position": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The position of the log that the first page reflects."},
		}
	})
}

// exportWait is how long a client may take for a page.
const exportWait = 30 * time.Second

func (a *API) exported(ctx context.Context, s contacts.Search, at *eventstore.Position, views ...string) (page contacts.Page, err error) {
	err = a.DB.Read(ctx, func(tx sqldb.Tx) error {
		if at != nil {
			if *at, err = projections.Checkpoints(ctx, tx, views...); err != nil {
				return err
			}
		}
		page, err = contacts.Find(ctx, tx, s)
		return err
	})
	return page, err
}

func exportColumns() []string {
	return []string{
		"id", "name", "email", "phone", "company", "city", "country", "gender", "language",
		"status", "assignee", "tags", "blocked", "reason", "created_at", "updated_at",
	}
}

func exportRow(c contacts.Listed) []string {
	row := []string{
		c.ID, c.Name, c.Email, c.Phone, c.Company, c.City, c.Country, c.Gender, c.Language,
		c.Status, c.Assignee, strings.Join(c.Tags, ";"), strconv.FormatBool(c.Blocked), c.Reason,
		moment(c.CreatedAt).Format(time.RFC3339Nano), moment(c.UpdatedAt).Format(time.RFC3339Nano),
	}
	for i, cell := range row {
		row[i] = contact.Cell(cell)
	}
	return row
}

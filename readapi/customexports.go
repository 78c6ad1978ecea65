package readapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/rowfile"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/scripted"
)

// customFiles is how many files with custom views are written at once. They are written
// to disk before they are sent, so that all rows are of one position and no slow client
// keeps a transaction open.
const customFiles = 2

type inCustomExport struct {
	web.Read
	View   string `path:"view" example:"orders-by-city"`
	Export string `path:"export"`
}

func (a *API) customExportFile() web.Endpoint {
	const path = "/v1/custom-views/{view}/exports/{export}/file"
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: path, Tag: tagOf(path), Summary: "Download a table of a custom view",
		Description: "All rows as of one position, by key, which Position says; so do the file's name and, in Parquet, its metadata. " +
			"In CSV, what a spreadsheet might take for a formula is preceded by an apostrophe. In Parquet, columns are typed and in the order of their names. " +
			"An export that was asked for more than an hour ago is a 410.",
		Roles: analysts, Stream: true, ContentType: "text/csv",
	}, func(ctx context.Context, r *web.Request, in *inCustomExport) (*web.Stream, error) {
		req, err := a.requestedView(ctx, r.Workspace, in)
		if err != nil {
			return nil, err
		}
		if a.Now().After(req.Until) {
			return nil, web.NewProblem(http.StatusGone, codeGone, "the export has expired; ask for it again")
		}
		def, err := a.customVersion(ctx, r, in, req.View, req.Version)
		if err != nil {
			return nil, err
		}
		table, ok := def.Definition.Table(req.Table)
		if !ok {
			return nil, customview.ErrTable
		}
		select {
		case a.writing <- struct{}{}:
			defer func() { <-a.writing }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		file, at, err := a.writeCustomFile(ctx, in, req, table)
		if err != nil {
			return nil, err
		}
		return web.NewStream(func(w http.ResponseWriter, hr *http.Request) {
			defer discard(file)
			err := a.sendCustomFile(w, hr, file, req, at)
			if err != nil {
				a.Log.WarnContext(hr.Context(), "an export was broken off", slog.String("export", in.Export), slog.Any("error", err))
				panic(http.ErrAbortHandler) // half a file must not look like a whole one
			}
		}), nil
	}, func(op *huma.Operation) {
		op.Responses["200"].Headers = map[string]*huma.Param{
			"Position": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The position of the log that all rows reflect."},
		}
	})
}

// requestedView returns what was asked for, from the log.
func (a *API) requestedView(ctx context.Context, workspace string, in *inCustomExport) (req export.ViewRequested, err error) {
	for e, err := range a.Store.ReadStream(ctx, "export-"+in.Export, eventstore.StreamQuery{Limit: 1}) {
		if err != nil {
			return req, fmt.Errorf("read export: %w", err)
		}
		if e.Type != req.EventType() {
			break
		}
		if err := json.Unmarshal(e.Data, &req); err != nil {
			return req, fmt.Errorf("decode %s: %w", e.Type, err)
		}
		if req.Workspace == workspace && req.View == in.View {
			return req, nil
		}
	}
	return req, export.ErrNotFound
}

// writeCustomFile writes the rows to a file of its own, in one snapshot, and returns its
// position. The caller discards the file.
func (a *API) writeCustomFile(ctx context.Context, in *inCustomExport, req export.ViewRequested, t customview.Table) (file *os.File, at eventstore.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	if file, err = os.CreateTemp("", "chatledger-export-*"); err != nil {
		return nil, 0, fmt.Errorf("make export: %w", err)
	}
	defer func() {
		if err != nil {
			discard(file)
		}
	}()
	out := bufio.NewWriterSize(file, 1<<16)
	err = a.readCustom(ctx, func(tx sqldb.Tx) error {
		s, err := scripted.StatusOf(ctx, tx, req.Workspace, req.View, req.Version)
		if err != nil {
			return err
		}
		if at = s.Position; at < in.Min() {
			return in.NotReached()
		}
		rows, err := rowfile.New(out, req.Format, t,
			rowfile.Fact{Name: "chatledger.view", Value: req.View}, rowfile.Fact{Name: "chatledger.version", Value: strconv.FormatInt(req.Version, 10)},
			rowfile.Fact{Name: "chatledger.position", Value: web.Position(at)})
		if err != nil {
			return err
		}
		if err := scripted.All(ctx, tx, s, t, rows.Row); err != nil {
			return err
		}
		return rows.Close()
	})
	if err != nil {
		return nil, 0, err
	}
	if err := out.Flush(); err != nil {
		return nil, 0, fmt.Errorf("write export: %w", err)
	}
	return file, at, nil
}

func (a *API) sendCustomFile(w http.ResponseWriter, r *http.Request, file *os.File, req export.ViewRequested, at eventstore.Position) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", rowfile.ContentType(req.Format))
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fmt.Sprintf("%s-%s-v%d-at-%d.%s", req.View, req.Table, req.Version, at, req.Format)))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Cache-Control", "no-store")
	h.Set("Position", web.Position(at))
	control := http.NewResponseController(w)
	for from := int64(0); from < size; from += exportBytes {
		if r.Context().Err() != nil {
			return r.Context().Err()
		}
		_ = control.SetWriteDeadline(a.Now().Add(exportPart)) // where there are deadlines
		if _, err := io.Copy(w, io.NewSectionReader(file, from, min(exportBytes, size-from))); err != nil {
			return err
		}
	}
	return nil
}

// exportBytes is how much a client has to take at a time.
const exportBytes = 1 << 20

// discard removes a file that nobody needs any more.
func discard(file *os.File) {
	_ = errors.Join(file.Close(), os.Remove(file.Name()))
}

package commandapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/csvtext"
	"github.com/chatledger/chatledger/internal/web"
)

// Bounds of an import.
const (
	maxRows       = 200_000
	maxRow        = 64 << 10 // bytes
	maxColumns    = 150
	importWorkers = 64               // rows under way at once; those of one contact are in their order
	importWait    = 30 * time.Second // for a part of the body
	answerWait    = 10 * time.Minute // for a part of the answer to be taken
)

// ImportedRow is a line of the answer to an import.
type ImportedRow struct {
	Row     int    `json:"row" doc:"The header is row 1; empty lines do not count."`
	Outcome string `json:"outcome" enum:"added,updated,unchanged,refused,skipped"`
	Contact string `json:"contact,omitempty" doc:"The id of the contact."`
	Code    string `json:"code,omitempty" doc:"Why it was refused or skipped; import.row_done if it is unchanged since an earlier run of the import had it."`
	Field   string `json:"field,omitempty" doc:"What of the row is at fault."`
	Reason  string `json:"reason,omitempty"`
}

// ImportedAll is the last line of the answer to an import. Without it, it was broken
// off. If done is false, the code says why, and the file can be imported again.
type ImportedAll struct {
	Done      bool   `json:"done"`
	Rows      int    `json:"rows"`
	Added     int    `json:"added"`
	Updated   int    `json:"updated"`
	Unchanged int    `json:"unchanged"`
	Refused   int    `json:"refused"`
	Skipped   int    `json:"skipped" doc:"Nothing was in them that an import takes."`
	Code      string `json:"code,omitempty" doc:"Why nothing was read behind the last row."`
	Reason    string `json:"reason,omitempty"`
}

type inImport struct {
	Name string `query:"name" maxLength:"200" example:"customers.csv" doc:"What the import is called: each value keeps it with its source. To run an import again, give it the same name; one with another name is another."`
}

func (a *api) importContacts() web.Endpoint {
	route := web.Route{
		Method: http.MethodPost, Path: "/v1/contacts/import", Tag: "contacts", Summary: "Import contacts from CSV",
		Description: "The body is CSV in UTF-8, with a header: name, email and emails, phone and phones, company, city, country, gender, language, and the ids or names of attributes. " +
			"Several e-mails or phones of a row are separated by semicolons; an empty cell changes nothing. " +
			"What else an export of contacts has (such as id, status, tags, groups and notes) is passed over. " +
			"A row is about the contact with its first phone number with a country code, else with its first e-mail address; one without either is about a contact of its own. " +
			"At most 200,000 rows, of 64 KB each. The answer has a JSON line for each row as soon as it is done, in no particular order, and a last one with \"done\": true. " +
			"A row that an earlier run of the import had changes nothing, whatever has happened to the contact since, so that a file can be imported again under the same name after whatever went wrong. Under another name it is another import, and what it says is new.",
		Roles: seniors, Stream: true, ContentType: "application/x-ndjson",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *inImport) (*web.Stream, error) {
		c, err := a.caller(r)
		if err != nil {
			return nil, err
		}
		head, err := a.store.Head(ctx)
		if err != nil {
			return nil, refusal(fmt.Errorf("%w: read the head: %w", commands.ErrUnavailable, err))
		}
		run, err := a.Contacts.BeginImport(ctx, c.Origin, in.Name, head.Position)
		if err != nil {
			return nil, refusal(err)
		}
		return web.NewStream(func(w http.ResponseWriter, r *http.Request) {
			i := &importing{api: a, caller: c, name: in.Name, run: run}
			i.serve(w, r)
		}), nil
	}, func(op *huma.Operation) {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "name,email,phone\nAna Lima,ana.lima@example.com,+15551230001\n"},
		}}
	})
}

// importing is one import.
type importing struct {
	*api
	caller
	name string
	run  commands.ImportRun
	rows *csv.Reader
	body *bounded
	to   []string // fields, by column; "" for one that is left out

	mu      sync.Mutex
	sum     ImportedAll
	pending bytes.Buffer  // lines that are to be written
	news    chan struct{} // holds a token if there are some
	broken  error         // what ended the import before its end
}

// bounded reads a body, at most so much for a row.
type bounded struct {
	r       io.Reader
	left    int
	control *http.ResponseController
	now     func() time.Time
}

var errRowTooLong = errors.New("a row is longer than 64 KB")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRowTooLong
	}
	if err := b.control.SetReadDeadline(b.now().Add(importWait)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("set the deadline: %w", err)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (i *importing) serve(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 is so anyway
	i.body = &bounded{r: r.Body, left: maxRow, control: control, now: i.now}
	if err := i.header(r.Context()); err != nil {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(err) // a client that is gone needs no answer
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	i.news = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.work(ctx)
	}()
	write := func() {
		i.mu.Lock()
		lines := bytes.Clone(i.pending.Bytes())
		i.pending.Reset()
		i.mu.Unlock()
		// Some clients read nothing before they have sent everything.
		_ = control.SetWriteDeadline(i.now().Add(answerWait))
		if _, err := w.Write(lines); err != nil {
			cancel() // nobody listens; the import can be run again
		}
		_ = control.Flush() // what fails here fails the next write
	}
	for working := true; working; {
		select {
		case <-i.news:
			write()
		case <-done:
			working = false
		}
	}
	i.sum.Done = i.broken == nil && i.sum.Code == ""
	if i.broken != nil {
		i.sum.Code, i.sum.Reason = "import.interrupted", "not all rows were imported: import the file again"
	}
	i.line(i.sum)
	write()
}

// header reads the first row.
func (i *importing) header(ctx context.Context) error {
	in := bufio.NewReader(i.body)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(len(mark)) // they were there
	}
	first, err := in.Peek(min(in.Size(), 4096))
	if err != nil && !errors.Is(err, io.EOF) {
		return web.BadRequest(web.CodeInvalid, "body", err.Error())
	}
	line, _, _ := bytes.Cut(first, []byte("\n"))
	i.rows = csv.NewReader(in)
	i.rows.FieldsPerRecord = -1
	if !bytes.ContainsRune(line, ',') && bytes.ContainsRune(line, ';') {
		i.rows.Comma = ';'
	}
	names, err := i.rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		return web.BadRequest(web.CodeInvalid, "body", "want CSV with a header: the file is empty")
	case err != nil:
		return web.BadRequest(web.CodeInvalid, "body", "want CSV with a header: "+err.Error())
	}
	if len(names) > maxColumns {
		return web.BadRequest(web.CodeInvalid, "body", fmt.Sprintf("at most %d columns", maxColumns))
	}
	known := map[string]string{"email": contact.Emails, "e-mail": contact.Emails, "phone": contact.Phones}
	for _, f := range contact.Fields() {
		known[f] = f
	}
	for _, shown := range exportedOnly() {
		known[shown] = ""
	}
	for n, name := range names {
		name = strings.TrimSpace(name)
		field, ok := known[strings.ToLower(name)]
		if !ok || field == "" && !slices.Contains(passedOver(), strings.ToLower(name)) {
			own, err := i.attribute(ctx, name)
			switch {
			case err != nil:
				return err
			case own == "" && !ok:
				return web.BadRequest(web.CodeInvalid, fmt.Sprintf("body.header[%d]", n), fmt.Sprintf("%.100q is neither a field nor an attribute", name))
			case !ok || !slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(strings.TrimSpace(other), own) }):
				field = own
			}
		}
		again := slices.ContainsFunc(names[:n], func(other string) bool { return strings.EqualFold(strings.TrimSpace(other), name) })
		if field != "" && slices.Contains(i.to, field) && (again || !contact.Many(field)) {
			return web.BadRequest(web.CodeInvalid, fmt.Sprintf("body.header[%d]", n), "the field is there twice")
		}
		i.to = append(i.to, field)
	}
	return nil
}

// attribute returns the field that is an attribute of a name or id, "" if there is none.
func (i *importing) attribute(ctx context.Context, name string) (string, error) {
	name = strings.TrimPrefix(name, contact.Custom)
	err := i.Attributes.Known(ctx, i.Workspace, name)
	switch {
	case errors.Is(err, attribute.ErrNotFound):
		return "", nil
	case err != nil:
		return "", refusal(err)
	}
	return contact.Custom + name, nil
}

// passedOver lists columns of an export that an import passes over, whatever attributes
// there are.
func passedOver() []string {
	return []string{"id", "status", "assignee", "tags", "blocked", "reason", "created_at", "updated_at"}
}

// exportedOnly lists all columns of an export that are no field of a contact. Those that
// are not in passedOver are passed over if no attribute has the name, or if the file has
// that, too.
func exportedOnly() []string {
	return slices.DeleteFunc(export.Columns(filter.Contacts), func(c string) bool {
		return slices.Contains(contact.Fields(), c) || c == "email" || c == "phone"
	})
}

// job is a row under way.
type job struct {
	row int
	id  contact.ID
	cmd commands.ImportRow
}

// work imports the rows. Those of one contact go to the same worker, one after the
// other.
func (i *importing) work(ctx context.Context) {
	seed := maphash.MakeSeed()
	var queues [importWorkers]chan job
	var workers sync.WaitGroup
	for n := range queues {
		queues[n] = make(chan job, 4)
		workers.Go(func() {
			for j := range queues[n] {
				i.one(ctx, j)
			}
		})
	}
	err := i.each(ctx, func(j job) {
		queues[maphash.String(seed, string(j.id))%importWorkers] <- j
	})
	for n := range queues {
		close(queues[n])
	}
	workers.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errRowTooLong), errors.Is(err, errTooManyRows), errors.As(err, &parse):
		i.sum.Code, i.sum.Reason = "import.unreadable", err.Error()
	case i.broken == nil:
		i.broken = err
	}
}

var errTooManyRows = fmt.Errorf("at most %d rows", maxRows)

// each reads the rows.
func (i *importing) each(ctx context.Context, do func(job)) error {
	said := map[string]int{} // how many rows say the same of the same contact
	source := contact.Source{Reason: contact.ByImport, Import: i.name, By: contact.AgentID(i.By)}
	for row := 2; ctx.Err() == nil; row++ {
		i.body.left = maxRow
		cells, err := i.rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case row > maxRows+1:
			return errTooManyRows
		case i.ended():
			return nil
		}
		var changes []contact.Change
		for n, cell := range cells {
			if n < len(i.to) && i.to[n] != "" {
				changes = gather(changes, i.to[n], valuesOf(i.to[n], cell))
			}
		}
		if extra := i.beyond(cells); extra > 0 {
			i.line(ImportedRow{
				Row: row, Outcome: "refused", Code: "import.too_many_cells", Reason: fmt.Sprintf("the row has %d cells, the header %d", extra, len(i.to)),
			})
			continue
		}
		if len(changes) == 0 {
			i.line(ImportedRow{Row: row, Outcome: "skipped", Code: "import.empty_row", Reason: "nothing is in the row that an import takes"})
			continue
		}
		id := i.Contacts.Identify(i.Workspace, changes)
		key := string(id) + " " + commands.RowHash(changes)
		do(job{row, id, commands.ImportRow{Record: contact.Record{Changes: changes, Source: source, At: i.At}, Nth: said[key], Run: i.run}})
		said[key]++
	}
	return ctx.Err()
}

// gather returns changes with the values of another cell, which may be of a field that
// has some: email and emails may both be there.
func gather(changes []contact.Change, field string, values []string) []contact.Change {
	if len(values) == 0 {
		return changes
	}
	at := slices.IndexFunc(changes, func(c contact.Change) bool { return c.Field == field })
	if at < 0 {
		return append(changes, contact.Change{Field: field, Values: values})
	}
	for _, v := range values {
		if !slices.Contains(changes[at].Values, v) {
			changes[at].Values = append(changes[at].Values, v)
		}
	}
	return changes
}

// beyond returns how many cells a row has up to the last that is not empty, if the header
// does not have so many; else 0.
func (i *importing) beyond(cells []string) int {
	for n := len(cells); n > len(i.to); n-- {
		if strings.TrimSpace(cells[n-1]) != "" {
			return n
		}
	}
	return 0
}

func (i *importing) ended() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.broken != nil
}

// valuesOf returns what a cell says. An apostrophe that makes text of what would be a
// formula is not part of it.
func valuesOf(field, cell string) (values []string) {
	parts := []string{cell}
	if contact.Many(field) {
		parts = strings.Split(cell, ";")
	}
	for _, v := range parts {
		if v = csvtext.Unguard(strings.TrimSpace(v)); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// one imports a row, and says what became of it.
func (i *importing) one(ctx context.Context, j job) {
	if ctx.Err() != nil || i.ended() {
		return
	}
	done, err := i.Contacts.Import(ctx, i.Origin, j.id, j.cmd)
	line := ImportedRow{Row: j.row, Outcome: string(done.Outcome), Contact: string(j.id)}
	if done.Before {
		line.Code, line.Reason = "import.row_done", "an earlier run of the import had the row"
	}
	var refused *fault.Error
	switch {
	case errors.As(err, &refused):
		line.Outcome, line.Contact = "refused", ""
		line.Code, line.Field, line.Reason = refused.Code, refused.Field, refused.Msg
	case err != nil:
		i.mu.Lock()
		i.broken = errors.Join(i.broken, err)
		i.mu.Unlock()
		return
	}
	i.line(line)
}

// line adds a line to the answer.
func (i *importing) line(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // lines always have a JSON form
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if row, ok := v.(ImportedRow); ok {
		i.sum.Rows++
		switch row.Outcome {
		case "added":
			i.sum.Added++
		case "updated":
			i.sum.Updated++
		case "unchanged":
			i.sum.Unchanged++
		case "skipped":
			i.sum.Skipped++
		default:
			i.sum.Refused++
		}
	}
	i.pending.Write(append(text, '\n'))
	select {
	case i.news <- struct{}{}:
	default:
	}
}

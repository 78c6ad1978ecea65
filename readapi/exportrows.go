package readapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/orders"
)

// wanted is a page of a list.
type wanted struct {
	workspace string
	filter    filter.Filter
	scope     filtersql.Scope
	only      []string // see export.Requested.IDs
	except    []string
	columns   map[string]bool
	cursor    string
}

// any reports whether one of some columns is wanted.
func (w wanted) any(columns ...string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return w.columns[c] })
}

// own lists the workspace's own attributes that are wanted.
func (w wanted) own() (ids []string) {
	for name := range w.columns {
		if id, ok := export.Attribute(name); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// labels returns the names of what the rows refer to, if names are wanted.
func (w wanted) labels(ctx context.Context, tx sqldb.Tx, ids directory.Refs) (directory.Labels, error) {
	if !w.any("channel_name", "status_name", "assignee_name", "team_name", "tag_names") {
		return directory.Labels{}, nil
	}
	return directory.ReadLabels(ctx, tx, w.workspace, ids)
}

// groupNames returns the groups that some contacts are in, if they are wanted.
func (w wanted) groupNames(ctx context.Context, tx sqldb.Tx, list []contacts.Listed) (map[string]groups.Group, error) {
	if !w.any("groups", "group_names") {
		return nil, nil //nolint:nilnil // a map of nothing
	}
	var ids []string
	for _, c := range list {
		ids = append(ids, c.Groups...)
	}
	slices.Sort(ids)
	out := map[string]groups.Group{}
	for some := range slices.Chunk(slices.Compact(ids), cursor.MaxLimit) {
		found, err := groups.Some(ctx, tx, w.workspace, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, found)
	}
	return out, nil
}

// grouped puts the groups of a contact that there still are into its row.
func grouped(r row, ids []string, held map[string]groups.Group) {
	there, called := []string{}, wordList{}
	for _, id := range ids {
		if g, ok := held[id]; ok {
			there, called = append(there, id), append(called, g.Name)
		}
	}
	r["groups"], r["group_names"] = there, called
}

// wordList are texts that may have spaces: a semicolon is between them in a cell.
type wordList []string

// String returns them as they are in a cell.
func (n wordList) String() string { return strings.Join(n, "; ") }

func namesOf(ids []string, by map[string]string) wordList {
	out := make(wordList, 0, len(ids))
	for _, id := range ids {
		if name, ok := by[id]; ok {
			out = append(out, name)
		}
	}
	return out
}

// exportedNote is a note in a file.
type exportedNote struct {
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

type exportedNotes []exportedNote

// String returns them as they are in a cell, each on a line.
func (n exportedNotes) String() string {
	lines := make([]string, len(n))
	for i, note := range n {
		lines[i] = note.At.Format(time.RFC3339) + " " + note.By + ": " + note.Text
	}
	return strings.Join(lines, "\n")
}

// exportedLines are the lines of an order in a file.
type exportedLines []OrderLine

// String returns them as they are in a cell: "2 x tea (Green tea) at 350 = 700; …".
func (l exportedLines) String() string {
	out := make(wordList, len(l))
	for i, line := range l {
		product := line.Product
		if line.Name != "" {
			product += " (" + line.Name + ")"
		}
		out[i] = fmt.Sprintf("%d x %s at %d = %d", line.Quantity, product, line.UnitPrice, line.Total)
	}
	return out.String()
}

// typedValue returns the value of an attribute as JSON has it.
func typedValue(kind attribute.Kind, value string) any {
	switch {
	case value == "":
		return nil
	case kind == attribute.Number && json.Valid([]byte(value)):
		return json.Number(value)
	case kind == attribute.Bool:
		return value == "true"
	}
	return value
}

// kinds returns the kinds of the workspace's own attributes, if any is wanted.
func (w wanted) kinds(ctx context.Context, tx sqldb.Tx) (map[string]attribute.Kind, error) {
	if len(w.own()) == 0 {
		return nil, nil //nolint:nilnil // a map of nothing
	}
	list, err := contacts.Attributes(ctx, tx, w.workspace)
	out := make(map[string]attribute.Kind, len(list))
	for _, a := range list {
		out[a.ID] = attribute.Kind(a.Kind)
	}
	return out, err
}

// knownPeople is what the file says of contacts besides what is in their list.
type knownPeople struct {
	details map[string]contacts.Details
	kinds   map[string]attribute.Kind
	own     []string
	groups  map[string]groups.Group
	notes   map[string][]contacts.Note
}

func readPeople(ctx context.Context, tx sqldb.Tx, w wanted, list []contacts.Listed) (p knownPeople, err error) {
	if p.groups, err = w.groupNames(ctx, tx, list); err != nil {
		return p, err
	}
	if p.kinds, err = w.kinds(ctx, tx); err != nil {
		return p, err
	}
	p.own = w.own()
	if len(p.own) == 0 && !w.any("emails", "phones", "notes") {
		return p, nil
	}
	ids := make([]string, len(list))
	for i, c := range list {
		ids[i] = c.ID
	}
	if p.details, err = contacts.DetailsOf(ctx, tx, w.workspace, ids); err != nil || !w.any("notes") {
		return p, err
	}
	var parts []string
	for _, d := range p.details {
		parts = append(parts, d.Parts...)
	}
	p.notes, err = contacts.NotesOf(ctx, tx, parts)
	return p, err
}

// fill puts what there is of a contact into a row.
func (p knownPeople) fill(r row, c contacts.Listed) {
	d := p.details[c.ID]
	r["emails"], r["phones"] = wordList(orEmpty(d.Emails)), wordList(orEmpty(d.Phones))
	for _, id := range p.own {
		r[filter.OwnPrefix+id] = typedValue(p.kinds[id], d.Attributes[id])
	}
	grouped(r, c.Groups, p.groups)
	notes := exportedNotes{}
	for _, part := range d.Parts {
		for _, n := range p.notes[part] {
			notes = append(notes, exportedNote{n.Text, n.By, moment(n.At)})
		}
	}
	slices.SortStableFunc(notes, func(a, b exportedNote) int { return a.At.Compare(b.At) })
	r["notes"] = notes
}

func chatRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := inbox.Find(ctx, tx, inbox.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Sort: inbox.ByCreated, Cursor: w.cursor, Limit: cursor.MaxLimit})
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(page.Chats))
	refs := directory.Refs{Statuses: true}
	for i, c := range page.Chats {
		ids[i] = c.ID
		refs.Agents, refs.Teams = append(refs.Agents, c.Assignee), append(refs.Teams, c.Team)
		refs.Tags, refs.Channels = append(refs.Tags, c.Tags...), append(refs.Channels, c.Channel)
	}
	labels, err := w.labels(ctx, tx, refs)
	if err != nil {
		return nil, "", err
	}
	var whose map[string]contacts.Listed
	var known knownPeople
	if len(w.own()) > 0 || w.any("groups", "group_names") {
		if whose, err = contacts.OfChats(ctx, tx, w.workspace, ids); err != nil {
			return nil, "", err
		}
	}
	list := make([]contacts.Listed, 0, len(whose))
	for _, c := range whose {
		list = append(list, c)
	}
	if known, err = readPeople(ctx, tx, w, list); err != nil {
		return nil, "", err
	}
	rows := make([]row, len(page.Chats))
	for i, c := range page.Chats {
		rows[i] = row{
			"id": c.ID, "name": c.Name, "phone": c.Phone, "email": c.Email, "is_contact": c.IsContact, "channel": c.Channel,
			"status": c.Status, "status_category": c.Category, "assignee": c.Assignee, "team": c.Team, "tags": orEmpty(c.Tags), "unread": c.Unread,
			"created_at": moment(c.CreatedAt), "last_activity_at": moment(c.LastActivityAt), "waiting_since": momentOrNull(c.WaitingSince),
			"last_message_at": momentOrNull(c.LastAt), "last_message_by": c.LastBy, "last_message": c.LastPreview, "revision": c.Revision,
			"channel_name": labels.Channels[c.Channel], "status_name": labels.Statuses[c.Status], "assignee_name": labels.Agents[c.Assignee],
			"team_name": labels.Teams[c.Team], "tag_names": namesOf(c.Tags, labels.Tags),
		}
		known.fill(rows[i], whose[c.ID])
	}
	return rows, page.Next, nil
}

func contactRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := contacts.Find(ctx, tx, contacts.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Sort: contacts.ByCreated, Cursor: w.cursor, Limit: cursor.MaxLimit})
	if err != nil {
		return nil, "", err
	}
	refs := directory.Refs{Statuses: true}
	for _, c := range page.Contacts {
		refs.Agents, refs.Tags = append(refs.Agents, c.Assignee), append(refs.Tags, c.Tags...)
	}
	labels, err := w.labels(ctx, tx, refs)
	if err != nil {
		return nil, "", err
	}
	known, err := readPeople(ctx, tx, w, page.Contacts)
	if err != nil {
		return nil, "", err
	}
	rows := make([]row, len(page.Contacts))
	for i, c := range page.Contacts {
		rows[i] = row{
			"id": c.ID, "name": c.Name, "email": c.Email, "phone": c.Phone, "company": c.Company, "city": c.City, "country": c.Country,
			"gender": c.Gender, "language": c.Language, "status": c.Status, "assignee": c.Assignee, "tags": orEmpty(c.Tags),
			"blocked": c.Blocked, "reason": c.Reason, "created_at": moment(c.CreatedAt), "updated_at": moment(c.UpdatedAt),
			"status_name": labels.Statuses[c.Status], "assignee_name": labels.Agents[c.Assignee], "tag_names": namesOf(c.Tags, labels.Tags),
		}
		known.fill(rows[i], c)
	}
	return rows, page.Next, nil
}

func orderRows(ctx context.Context, tx sqldb.Tx, w wanted) ([]row, string, error) {
	page, err := orders.Find(ctx, tx, orders.Search{Workspace: w.workspace, Filter: w.filter, Scope: w.scope, Only: w.only, Except: w.except, Cursor: w.cursor, Limit: cursor.MaxLimit})
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(page.Orders))
	var refs directory.Refs
	for i, o := range page.Orders {
		ids[i] = o.ID
		refs.Agents, refs.Tags, refs.Channels = append(refs.Agents, o.Assignee), append(refs.Tags, o.Tags...), append(refs.Channels, o.Channel)
	}
	labels, err := w.labels(ctx, tx, refs)
	if err != nil {
		return nil, "", err
	}
	var written map[string][]orders.NoteRow
	if w.any("notes") {
		if written, err = orders.NotesOf(ctx, tx, ids); err != nil {
			return nil, "", err
		}
	}
	rows := make([]row, len(page.Orders))
	for i, o := range page.Orders {
		lines, products, notes := exportedLines{}, wordList{}, exportedNotes{}
		for _, l := range o.Lines {
			lines = append(lines, OrderLine(l))
			if !slices.Contains(products, l.Product) {
				products = append(products, l.Product)
			}
		}
		for _, n := range written[o.ID] {
			notes = append(notes, exportedNote{n.Text, n.By, moment(n.At)})
		}
		rows[i] = row{
			"id": o.ID, "external_id": o.External, "status": o.Status, "payment": o.Payment, "chat": o.Chat, "channel": o.Channel,
			"name": o.VisitorName, "phone": o.VisitorPhone, "email": o.VisitorEmail, "items": o.Items, "total": o.Total, "currency": o.Currency,
			"tags": orEmpty(o.Tags), "assignee": o.Assignee, "carrier": o.Carrier, "tracking": o.Tracking,
			"placed_at": moment(o.PlacedAt), "updated_at": moment(o.UpdatedAt), "revision": o.Revision,
			"channel_name": labels.Channels[o.Channel], "assignee_name": labels.Agents[o.Assignee], "tag_names": namesOf(o.Tags, labels.Tags),
			"comment": o.Comment, "products": products, "lines": lines, "notes": notes,
		}
	}
	return rows, page.Next, nil
}

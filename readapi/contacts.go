package readapi

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/orders"
)

type inContacts struct {
	web.Read
	Paging
	Status   string `query:"status" example:"OPEN" doc:"The id of a status."`
	Assignee string `query:"assignee" example:"me" doc:"me, none or the id of an agent."`
	Tag      string `query:"tag" example:"vip" doc:"The id of a tag."`
	Blocked  string `query:"blocked" enum:"true,false"`
	Sort     string `query:"sort" enum:"created,updated" doc:"created if it is not given: the newest first. updated: what was changed last first."`
}

type inContact struct {
	web.Read
	Contact string `path:"contact"`
}

type inFindContacts struct {
	web.Read
	Body struct {
		Filtered
		Paged
		Sort string `json:"sort,omitempty" enum:"created,updated" doc:"That of the view, else created, if it is not given."`
	}
}

// ListedContact is a row of the list of contacts.
type ListedContact struct {
	ID             string    `json:"id"`
	Revision       int64     `json:"revision" doc:"For If-Match."`
	Name           string    `json:"name"`
	Email          string    `json:"email" doc:"The first."`
	Phone          string    `json:"phone" doc:"The first."`
	Company        string    `json:"company"`
	City           string    `json:"city"`
	Country        string    `json:"country"`
	Gender         string    `json:"gender"`
	Language       string    `json:"language"`
	Status         string    `json:"status" example:"OPEN"`
	StatusCategory string    `json:"status_category" enum:"open,pending,closed"`
	Assignee       *string   `json:"assignee" doc:"The agent's id, or null."`
	Tags           []string  `json:"tags" nullable:"false" doc:"Ids."`
	Groups         []string  `json:"groups" nullable:"false" doc:"Ids of the static groups it is in."`
	Blocked        bool      `json:"blocked"`
	HasChat        bool      `json:"has_chat"`
	Reason         string    `json:"reason" enum:"contact_card,form,import,typed_in,chatflow" doc:"Why it is a contact."`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

func newListedContact(c contacts.Listed) ListedContact {
	return ListedContact{
		ID: c.ID, Revision: c.Revision, Name: c.Name, Email: c.Email, Phone: c.Phone, Company: c.Company, City: c.City, Country: c.Country,
		Gender: c.Gender, Language: c.Language, Status: c.Status, StatusCategory: c.Category, Assignee: orNull(c.Assignee), Tags: orEmpty(c.Tags), Groups: orEmpty(c.Groups),
		Blocked: c.Blocked, HasChat: c.HasChat, Reason: c.Reason, CreatedAt: moment(c.CreatedAt), UpdatedAt: moment(c.UpdatedAt),
	}
}

// ContactValue is a value of a contact, with where it comes from.
type ContactValue struct {
	Value  string        `json:"value"`
	Source ContactSource `json:"source"`
}

// ContactSource says who gave something, how and when.
type ContactSource struct {
	Kind     string    `json:"kind" enum:"contact_card,form,import,typed_in,chatflow,profile" doc:"profile: a name that nobody has told; the customer has it in the channel."`
	By       string    `json:"by,omitempty" doc:"Who typed it in or imported it, the bot, or who recorded it."`
	Chat     string    `json:"chat,omitempty"`
	Message  string    `json:"message,omitempty"`
	Import   string    `json:"import,omitempty"`
	Flow     string    `json:"flow,omitempty"`
	Question string    `json:"question,omitempty"`
	At       time.Time `json:"at"`
}

func newContactSource(s contacts.Source) ContactSource {
	by := string(s.By)
	if by == "" {
		by = s.Actor
	}
	return ContactSource{string(s.Reason), by, s.Chat, s.Message, s.Import, s.Flow, s.Question, moment(s.At)}
}

// ContactField is a field of a contact.
type ContactField struct {
	Field  string         `json:"field" example:"name" doc:"name, emails, phones, company, city, country, gender, language, or attributes. and the id of one of the workspace's own."`
	Values []ContactValue `json:"values" nullable:"false"`
}

// ContactChat is a chat of a contact.
type ContactChat struct {
	Chat     string    `json:"chat"`
	Channel  string    `json:"channel"`
	Customer string    `json:"customer" doc:"The customer's id in the channel."`
	LinkedAt time.Time `json:"linked_at"`
}

// ContactNote is a private note on a contact.
type ContactNote struct {
	ID       string     `json:"id"`
	Contact  string     `json:"contact" doc:"Of the contact itself, or of one that was merged into it."`
	Text     string     `json:"text"`
	By       string     `json:"by"`
	At       time.Time  `json:"at"`
	EditedAt *time.Time `json:"edited_at"`
	EditedBy *string    `json:"edited_by"`
}

// MergedContact is a contact that is shown as a part of another.
type MergedContact struct {
	ID       string    `json:"id" doc:"For unmerge."`
	Name     string    `json:"name"`
	MergedAt time.Time `json:"merged_at"`
	MergedBy string    `json:"merged_by"`
}

// ContactProfile is all that is known of a contact.
type ContactProfile struct {
	ListedContact
	Added     ContactSource   `json:"added" doc:"Why, by whom and when it became a contact."`
	Fields    []ContactField  `json:"fields" nullable:"false" doc:"Each value with who gave it, how and when. Of a merged contact what it has itself comes first."`
	Chats     []ContactChat   `json:"chats" nullable:"false"`
	Notes     []ContactNote   `json:"notes" nullable:"false" doc:"The latest 200, the latest first."`
	MoreNotes bool            `json:"more_notes" doc:"There are older ones."`
	In        []GroupRef      `json:"in_groups" nullable:"false" doc:"The groups it is in now, static and dynamic."`
	Orders    []CurrencyTotal `json:"orders" nullable:"false" doc:"Of all its chats together, one entry for each currency."`
	Merged    []MergedContact `json:"merged" nullable:"false" doc:"The contacts that are shown as a part of it."`
}

func newContactProfile(c contacts.Full) ContactProfile {
	out := ContactProfile{
		ListedContact: newListedContact(c.Listed), Fields: []ContactField{}, Chats: []ContactChat{}, Merged: []MergedContact{}, Orders: []CurrencyTotal{},
		Notes: make([]ContactNote, len(c.Notes)), MoreNotes: c.More,
	}
	var own []string
	for i, p := range c.Parts {
		if i == 0 {
			out.Added = newContactSource(p.Added)
		} else {
			m := MergedContact{ID: p.ID, MergedAt: moment(p.MergedAt), MergedBy: p.MergedBy}
			if name := p.Fields[contact.Name]; len(name) > 0 {
				m.Name = name[0].Text
			}
			out.Merged = append(out.Merged, m)
		}
		for _, l := range p.Chats {
			out.Chats = append(out.Chats, ContactChat{l.Chat, l.Channel, l.Customer, moment(l.At)})
		}
		for f := range p.Fields {
			if strings.HasPrefix(f, contact.Custom) {
				own = append(own, f)
			}
		}
	}
	slices.Sort(own)
	for _, f := range append(contact.Fields(), slices.Compact(own)...) {
		field := ContactField{Field: f, Values: []ContactValue{}}
		for _, v := range c.Values(f) {
			field.Values = append(field.Values, ContactValue{v.Text, newContactSource(v.Source)})
		}
		if len(field.Values) > 0 {
			out.Fields = append(out.Fields, field)
		}
	}
	for i, n := range c.Notes {
		out.Notes[i] = ContactNote{n.Note, n.Contact, n.Text, n.By, moment(n.At), momentOrNull(n.EditedAt), orNull(n.EditedBy)}
	}
	return out
}

func contactPage(ctx context.Context, tx sqldb.Tx, s contacts.Search) (web.List[ListedContact], eventstore.Revision, error) {
	page, err := contacts.Find(ctx, tx, s)
	items := make([]ListedContact, len(page.Contacts))
	for i, c := range page.Contacts {
		items[i] = newListedContact(c)
	}
	return web.NewList(items, page.Next), none, err
}

func (a *API) listContacts(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inContacts) (web.List[ListedContact], eventstore.Revision, error) {
	var all filter.And
	id := func(field, value string) {
		all = append(all, filter.Cond{Field: field, Kind: filter.ID, Op: filter.Eq, Values: []filter.Value{{Text: value}}})
	}
	if in.Status != "" {
		id("status", in.Status)
	}
	switch in.Assignee {
	case "":
	case "me":
		id("assignee", r.Actor())
	case "none":
		id("assignee", "")
	default:
		id("assignee", in.Assignee)
	}
	if in.Tag != "" {
		all = append(all, filter.Cond{Field: "tag", Kind: filter.Set, Op: filter.Eq, Values: []filter.Value{{Text: in.Tag}}})
	}
	if in.Blocked != "" {
		all = append(all, filter.Cond{Field: "blocked", Kind: filter.Bool, Op: filter.Eq, Values: []filter.Value{{Bool: in.Blocked == "true"}}})
	}
	s := contacts.Search{Workspace: r.Workspace, Scope: a.scope(r), Sort: contacts.Sort(in.Sort), Cursor: in.Cursor, Limit: in.Limit}
	if len(all) > 0 {
		s.Filter = filter.Filter{Target: filter.Contacts, Root: all}
	}
	return contactPage(ctx, tx, s)
}

func (a *API) contactSearch(ctx context.Context, tx sqldb.Tx, r *web.Request, in Filtered) (contacts.Search, error) {
	f, sort, err := chosen(ctx, tx, r, filter.Contacts, in)
	return contacts.Search{Workspace: r.Workspace, Filter: f, Scope: a.scope(r), Sort: contacts.Sort(sort)}, err
}

func (a *API) findContacts(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inFindContacts) (web.List[ListedContact], eventstore.Revision, error) {
	s, err := a.contactSearch(ctx, tx, r, in.Body.Filtered)
	if err != nil {
		return web.List[ListedContact]{}, none, err
	}
	s.Sort, s.Cursor, s.Limit = cmp.Or(contacts.Sort(in.Body.Sort), s.Sort), in.Body.Cursor, in.Body.Limit
	return contactPage(ctx, tx, s)
}

func (a *API) countContacts(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCountFound) (Counted, eventstore.Revision, error) {
	s, err := a.contactSearch(ctx, tx, r, in.Body)
	if err != nil {
		return Counted{}, none, err
	}
	n, err := contacts.Count(ctx, tx, s)
	return Counted{n.N, n.Exact}, none, err
}

func (a *API) getContact(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inContact) (ContactProfile, eventstore.Revision, error) {
	c, err := contacts.Get(ctx, tx, r.Workspace, in.Contact)
	if err != nil {
		return ContactProfile{}, none, err
	}
	out := newContactProfile(c)
	chats := make([]string, len(out.Chats))
	for i, l := range out.Chats {
		chats[i] = l.Chat
	}
	totals, err := orders.TotalsByChats(ctx, tx, r.Workspace, chats...)
	if err != nil {
		return out, none, err
	}
	out.Orders = newTotals(totals)
	out.In, err = a.groupsOf(ctx, tx, r, c.Listed)
	return out, eventstore.Revision(c.Revision), err
}

// DuplicateContact is a contact that may be the same person as another.
type DuplicateContact struct {
	Contact ListedContact `json:"contact"`
	Kind    string        `json:"kind" enum:"email,phone" doc:"What both have."`
	Value   string        `json:"value"`
}

// DuplicateContacts are at most 100.
type DuplicateContacts struct {
	Items []DuplicateContact `json:"items" nullable:"false"`
}

func listDuplicates(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inContact) (out DuplicateContacts, _ eventstore.Revision, _ error) {
	c, err := contacts.Get(ctx, tx, r.Workspace, in.Contact)
	if err != nil {
		return out, none, err
	}
	list, err := contacts.Duplicates(ctx, tx, r.Workspace, c.ID)
	out.Items = make([]DuplicateContact, len(list))
	for i, d := range list {
		out.Items[i] = DuplicateContact{newListedContact(d.Listed), d.Kind, d.Value}
	}
	return out, none, err
}

type inShared struct {
	web.Read
	Paging
}

// SharedDetail is what several contacts have that only one person should have.
type SharedDetail struct {
	Kind     string          `json:"kind" enum:"email,phone"`
	Value    string          `json:"value"`
	Count    int             `json:"count" maximum:"101" doc:"Of the contacts that have it; 101 for more than 100."`
	Contacts []ListedContact `json:"contacts" nullable:"false" doc:"The first 10 of them."`
}

func listShared(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inShared) (web.List[SharedDetail], eventstore.Revision, error) {
	list, next, err := contacts.AllShared(ctx, tx, r.Workspace, in.Cursor, in.Limit)
	items := make([]SharedDetail, len(list))
	for i, s := range list {
		items[i] = SharedDetail{Kind: s.Kind, Value: s.Value, Count: s.Count, Contacts: make([]ListedContact, len(s.Contacts))}
		for j, c := range s.Contacts {
			items[i].Contacts[j] = newListedContact(c)
		}
	}
	return web.NewList(items, next), none, err
}

// Attribute is a field that a workspace gives its contacts.
type Attribute struct {
	ID       string   `json:"id" example:"size"`
	Revision int64    `json:"revision" doc:"Of the whole list, for If-Match."`
	Name     string   `json:"name" example:"Size"`
	Kind     string   `json:"kind" enum:"text,number,bool,date,choice"`
	Choices  []string `json:"choices" nullable:"false" doc:"Of the kind choice."`
	Archived bool     `json:"archived"`
}

// Attributes are all of them, at most 100.
type Attributes struct {
	Items []Attribute `json:"items" nullable:"false"`
}

func listAttributes(ctx context.Context, tx sqldb.Tx, r *web.Request, in *struct {
	web.Read
	All bool `query:"all" doc:"Also what is archived."`
},
) (out Attributes, _ eventstore.Revision, _ error) {
	list, err := contacts.Attributes(ctx, tx, r.Workspace)
	out.Items = []Attribute{}
	for _, a := range list {
		if in.All || !a.Archived {
			out.Items = append(out.Items, Attribute{a.ID, a.Revision, a.Name, a.Kind, orEmpty(a.Choices), a.Archived})
		}
	}
	return out, none, err
}

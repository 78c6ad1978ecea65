// Package search finds messages, notes, visitors, contacts and orders by what is written in
// them: the whole history, the newest first.
//
// It folds and reads; it decides nothing. What it finds it keeps: a document for
// each text, with the words in an index of the database's own (words.go, index.go).
// It has a database of its own where there is room for one, so that it never holds
// up the inbox.
package search

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the documents up to date.
type Projection struct {
	notes  *projections.Rows[NoteKey, NoteRow]
	chats  *projections.Rows[string, ChatRow]
	people *projections.Rows[string, ContactRow]
	docs   *projections.Journal[DocRow]
}

const docs = "search_v2_docs"

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		notes:  projections.NewRows("search_v2_notes", func(r *NoteRow) NoteKey { return r.NoteKey }),
		chats:  projections.NewRows("search_v2_chats", func(r *ChatRow) string { return r.Chat }),
		people: projections.NewRows("search_v2_contacts", func(r *ContactRow) string { return r.Contact }),
		docs:   projections.NewJournal(docs, func(r *DocRow) int64 { return r.ID }),
	}
	p.docs.IndexWords("1", indexed)
	p.notes.OnChange(func(before, after *NoteRow) { p.replace(before.doc(), after.doc()) })
	p.chats.OnChange(func(before, after *ChatRow) { p.replace(before.doc(), after.doc()) })
	p.people.OnChange(func(before, after *ContactRow) { p.replace(before.doc(), after.doc()) })
	return p
}

// Name returns the name under which the documents are published in this form: search.v1
// had no names of files that are sent, and ids decided which of the names of one time a
// visitor has.
func (*Projection) Name() string { return "search.v2" }

// Categories returns the streams that documents are made of.
func (*Projection) Categories() []string { return []string{"chat", "contact", "order"} }

// Tables returns the documents, behind those that some of them are made from.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.notes, p.chats, p.people, p.docs}
}

// replace puts a document in the place of an older one.
func (p *Projection) replace(before, after *DocRow) {
	if before != nil && after != nil && before.ID == after.ID {
		return
	}
	if before != nil {
		p.docs.Remove(before.ID)
	}
	if after != nil {
		p.docs.Add(*after)
	}
}

// Apply records what e makes to be found.
func (p *Projection) Apply(e projections.Event) {
	switch e.Category() {
	case "chat":
		p.ofChat(e)
	case "contact":
		p.ofContact(e)
	case "order":
		p.ofOrder(e)
	}
}

func (p *Projection) ofChat(e projections.Event) {
	switch f := e.Fact.(type) {
	case chat.MessageReceived:
		p.message(e, DocRow{Ref: string(f.Message), At: f.At.UnixMicro(), ByKind: "customer", By: customer(e), Text: contentText(f.Content)})
		if f.ProfileName != "" {
			p.visitor(e, func(r *ChatRow) { r.Details = r.Details.profile(f) })
		}
	case chat.MessageQueued:
		kind := "agent"
		if f.Bot {
			kind = "bot"
		}
		p.message(e, DocRow{Ref: string(f.Message), At: f.At.UnixMicro(), ByKind: kind, By: string(f.By), Text: sentText(f)})
	case chat.NoteAdded:
		p.noteAdded(e, NoteRow{NoteKey: noteKey(e, f.Note), Chat: e.Subject(), At: f.At.UnixMicro(), By: string(f.By), Text: f.Text})
	case chat.NoteEdited:
		p.noteEdited(e, noteKey(e, f.Note), f.Text)
	case chat.NoteDeleted:
		p.noteDeleted(noteKey(e, f.Note))
	case chat.Opened:
		p.chats.Put(opened(e, f))
	case chat.DetailsShared:
		p.visitor(e, func(r *ChatRow) { r.Details = r.Details.shared(f) })
	case chat.Deleted:
		p.chats.Update(e.Subject(), func(r *ChatRow) { r.Deleted = true })
	case chat.Restored:
		p.chats.Update(e.Subject(), func(r *ChatRow) { r.Deleted = false })
	}
}

func (p *Projection) ofContact(e projections.Event) {
	id, doc, at := e.Subject(), docID(e, slotContact), e.At()
	switch f := e.Fact.(type) {
	case contact.Added:
		p.people.Put(ContactRow{Contact: id, Workspace: f.Workspace})
	case contact.DetailsSet:
		p.people.Update(id, func(r *ContactRow) {
			for _, c := range f.Changes {
				r.set(c)
			}
			if text := joined(slices.Concat([]string{r.Name, r.Company}, r.Emails, r.Phones)...); text != r.Text {
				r.Text, r.Doc, r.At = text, doc, at
			}
		})
	case contact.Deleted:
		p.people.Update(id, func(r *ContactRow) { r.Deleted = true })
	case contact.Restored:
		p.people.Update(id, func(r *ContactRow) {
			if r.Deleted {
				r.Deleted, r.Doc = false, doc
			}
		})
	case contact.Merged:
		p.people.Update(id, func(r *ContactRow) { r.Into = string(f.Into) })
	case contact.Unmerged:
		p.people.Update(id, func(r *ContactRow) { r.Into = "" })
	case contact.NoteAdded:
		p.noteAdded(e, NoteRow{NoteKey: noteKey(e, f.Note), Contact: id, At: f.At.UnixMicro(), By: string(f.By), Text: f.Text})
	case contact.NoteEdited:
		p.noteEdited(e, noteKey(e, f.Note), f.Text)
	case contact.NoteDeleted:
		p.noteDeleted(noteKey(e, f.Note))
	}
}

// set gives a field the values that it has now, if it is one to be found by.
func (r *ContactRow) set(c contact.Change) {
	first := ""
	if len(c.Values) > 0 {
		first = c.Values[0]
	}
	switch c.Field {
	case contact.Name:
		r.Name = first
	case contact.Company:
		r.Company = first
	case contact.Emails:
		r.Emails = c.Values
	case contact.Phones:
		r.Phones = c.Values
	}
}

func (p *Projection) ofOrder(e projections.Event) {
	switch f := e.Fact.(type) {
	case order.NoteAdded:
		p.noteAdded(e, NoteRow{NoteKey: noteKey(e, f.Note), Order: e.Subject(), At: f.At.UnixMicro(), By: f.By, Text: f.Text})
	case order.NoteEdited:
		p.noteEdited(e, noteKey(e, f.Note), f.Text)
	case order.NoteDeleted:
		p.noteDeleted(noteKey(e, f.Note))
	case order.Placed:
		texts := []string{f.External, f.Comment}
		for _, l := range f.Lines {
			texts = append(texts, l.Product, l.Name)
		}
		p.order(e, DocRow{Workspace: f.Workspace, Chat: f.Chat, At: f.At.UnixMicro(), Text: joined(texts...)})
	case order.Refused:
		texts := []string{f.Comment}
		for _, l := range f.Lines {
			texts = append(texts, l.Product)
		}
		p.order(e, DocRow{Workspace: f.Workspace, Chat: f.Chat, At: f.At.UnixMicro(), Text: joined(texts...)})
	}
}

// customer returns who sent what a webhook brought.
func customer(e projections.Event) string {
	if e.Meta.ActorKind == "customer" {
		return e.Meta.Actor
	}
	return ""
}

func (p *Projection) message(e projections.Event, d DocRow) {
	d.ID, d.Workspace, d.Kind, d.Chat = docID(e, slotMessage), e.Meta.Workspace, KindMessage, e.Subject()
	p.docs.Add(d)
}

func noteKey[ID ~string](e projections.Event, note ID) NoteKey {
	return NoteKey{e.Stream, string(note)}
}

func (p *Projection) noteAdded(e projections.Event, r NoteRow) {
	r.Workspace, r.Doc = e.Meta.Workspace, docID(e, slotNote)
	p.notes.Put(r)
}

func (p *Projection) noteEdited(e projections.Event, k NoteKey, text string) {
	id := docID(e, slotNote)
	p.notes.Update(k, func(r *NoteRow) {
		if r.Doc != 0 {
			r.Doc, r.Text = id, text
		}
	})
}

func (p *Projection) noteDeleted(k NoteKey) {
	p.notes.Update(k, func(r *NoteRow) { *r = NoteRow{NoteKey: r.NoteKey, Workspace: r.Workspace} })
}

func (p *Projection) order(e projections.Event, d DocRow) {
	d.ID, d.Kind, d.Ref, d.Order = docID(e, slotOrder), KindOrder, e.Subject(), e.Subject()
	d.ByKind, d.By = e.Meta.ActorKind, e.Meta.Actor
	d.Text = joined(d.Ref, d.Text)
	p.docs.Add(d)
}

// visitor changes what is known of the visitor of a chat, and the document with it
// if that reads otherwise now.
func (p *Projection) visitor(e projections.Event, change func(*ChatRow)) {
	id, at := docID(e, slotVisitor), e.At()
	p.chats.Update(e.Subject(), func(r *ChatRow) {
		change(r)
		r.derive(id, at)
	})
}

// opened returns the row of a chat that begins.
func opened(e projections.Event, f chat.Opened) ChatRow {
	r := ChatRow{Chat: e.Subject(), Workspace: f.Workspace, Customer: f.Customer}
	r.derive(docID(e, slotVisitor), f.At.UnixMicro())
	return r
}

func (r *ChatRow) derive(doc, at int64) {
	d := r.Details
	if r.Phone = ""; r.Customer != "" && strings.Trim(r.Customer, "0123456789") == "" {
		r.Phone = "+" + r.Customer
	}
	r.Name = r.Customer
	for _, name := range []string{d.Profile.Value, d.Name.Value} {
		if name != "" {
			r.Name = name
		}
	}
	number := r.Phone
	if number == "" {
		number = r.Customer
	}
	names := []string{d.Name.Value}
	if d.Profile.Value != d.Name.Value {
		names = append(names, d.Profile.Value)
	}
	text := joined(slices.Concat(names, []string{d.Company.Value}, d.Emails, d.Phones)...)
	if !slices.Contains(d.Phones, number) {
		text = joined(text, number)
	}
	if text != r.Text || r.Doc == 0 {
		r.Text, r.Doc, r.At = text, doc, at
	}
}

// profile notes what customers call themselves in the channel. The same again does
// not count as newer: else each message would change the row.
func (d Details) profile(f chat.MessageReceived) Details {
	if f.ProfileName != d.Profile.Value {
		d.Profile = d.Profile.later(Said{f.ProfileName, f.At.UnixMicro()})
	}
	return d
}

// shared takes details in.
func (d Details) shared(f chat.DetailsShared) Details {
	at := f.At.UnixMicro()
	d.Name = d.Name.later(Said{f.Name, at})
	d.Company = d.Company.later(Said{f.Company, at})
	if at >= d.EmailsGone {
		d.Emails = collect(d.Emails, f.Emails)
	}
	if at >= d.PhonesGone {
		d.Phones = collect(d.Phones, f.Phones)
	}
	for _, detail := range f.Emptied {
		switch detail {
		case chat.DetailName:
			d.Name = d.Name.emptied(Said{At: at})
		case chat.DetailCompany:
			d.Company = d.Company.emptied(Said{At: at})
		case chat.DetailEmails:
			d.Emails, d.EmailsGone = nil, at
		case chat.DetailPhones:
			d.Phones, d.PhonesGone = nil, at
		}
	}
	return d
}

// emptied returns gone, unless s was said after it.
func (s Said) emptied(gone Said) Said {
	if s.At > gone.At {
		return s
	}
	return gone
}

// later returns what was said last of s and b, which the log has behind s. Nothing is
// never later.
func (s Said) later(b Said) Said {
	if b.Value == "" || s.At > b.At {
		return s
	}
	return b
}

// maxKept is how many e-mail addresses, and how many numbers, are found.
const maxKept = 50

// collect returns list with the values that it lacks. It leaves list alone.
func collect(list, values []string) []string {
	out := slices.Clone(list)
	for _, v := range values {
		if v != "" && !slices.Contains(out, v) && len(out) < maxKept {
			out = append(out, v)
		}
	}
	return out
}

// contentText returns everything in a message that people may look for.
func contentText(c chat.Content) string {
	texts := []string{c.Text}
	if c.Media != nil {
		texts = append(texts, c.Media.Filename)
	}
	if c.Location != nil {
		texts = append(texts, c.Location.Name, c.Location.Address)
	}
	for _, card := range c.Cards {
		texts = append(append(append(append(texts, card.Name), card.Company), card.Phones...), card.Emails...)
	}
	if c.Reply != nil && c.Reply.Title != c.Text {
		texts = append(texts, c.Reply.Title)
	}
	if c.Reply != nil {
		texts = append(texts, c.Reply.Description)
	}
	if c.Flow != nil {
		texts = append(append(texts, c.Flow.Name, c.Flow.Body), answers(c.Flow.Answers)...)
	}
	return joined(texts...)
}

// sentText returns the same of a message that is sent. What can be chosen from in it is
// in its text.
func sentText(m chat.MessageQueued) string {
	file := ""
	if m.Template != nil && m.Template.Header != nil {
		file = m.Template.Header.Filename
		if f := m.Template.Header.File; f != nil {
			file = f.Filename
		}
	}
	return joined(contentText(m.Content()), file)
}

// answers returns what was filled into a form: the values, by the names of their
// questions, but for the form's own mark.
func answers(raw json.RawMessage) (texts []string) {
	const mark = "flow_token"
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var form any
	if decoder.Decode(&form) != nil { // none
		return nil
	}
	var add func(any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case json.Number:
			texts = append(texts, v.String())
		case []any:
			for _, item := range v {
				add(item)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if name != mark {
					add(v[name])
				}
			}
		}
	}
	add(form)
	return texts
}

// joined returns the texts that are not empty, with a sign between that is no word.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "" }), " · ")
}

package search

import "github.com/chatledger/chatledger/projections"

// Kinds of what is found.
const (
	KindMessage = "message"
	KindNote    = "note"
	KindVisitor = "visitor" // who is in a chat, whether or not they are a contact
	KindContact = "contact"
	KindOrder   = "order"
)

// One event makes at most one document of each kind. Its id is the event's position
// and, in the last bits, which of them it is.
const (
	slotBits    = 3
	slotMessage = 1
	slotNote    = 2
	slotVisitor = 3
	slotOrder   = 4
	slotContact = 5
)

func docID(e projections.Event, slot int64) int64 { return int64(e.Position)<<slotBits | slot }

// DocRow is a row of search_v2_docs: a text to be found. Times are in microseconds
// since 1970 UTC.
type DocRow struct {
	ID        int64  `db:"id,key"` // of the event that gave the text
	Workspace string `db:"workspace"`
	Kind      string `db:"kind"`
	Chat      string `db:"chat_id"`     // of all that is in one; of an order, that it came from, or ""
	Order     string `db:"order_id"`    // of an order and its notes
	Contact   string `db:"contact_id"`  // of a contact and its notes
	Ref       string `db:"ref"`         // id of the message, the note, the contact or the order; of a visitor the chat's
	At        int64  `db:"happened_at"` // of a message or a note its place in the conversation
	ByKind    string `db:"by_kind"`     // agent, bot, customer or system
	By        string `db:"by_id"`
	Text      string `db:"doc_text"`
}

// NoteKey identifies a note.
type NoteKey struct {
	Stream string `db:"stream,key"` // of the chat, the contact or the order
	Note   string `db:"note_id,key"`
}

// NoteRow is a row of search_v2_notes: a note as it reads now.
type NoteRow struct {
	NoteKey

	Workspace string `db:"workspace"`
	Chat      string `db:"chat_id"`
	Order     string `db:"order_id"`
	Contact   string `db:"contact_id"`
	Doc       int64  `db:"doc"`         // 0: it was deleted
	At        int64  `db:"happened_at"` // when it was added
	By        string `db:"by_id"`       // who added it
	Text      string `db:"doc_text"`
}

func (r *NoteRow) doc() *DocRow {
	if r == nil || r.Doc == 0 {
		return nil
	}
	return &DocRow{
		ID: r.Doc, Workspace: r.Workspace, Kind: KindNote, Chat: r.Chat, Order: r.Order, Contact: r.Contact, Ref: r.Note, At: r.At, ByKind: "agent", By: r.By, Text: r.Text,
	}
}

// ChatRow is a row of search_v2_chats: a chat and its visitor.
type ChatRow struct {
	Chat      string  `db:"chat_id,key"`
	Workspace string  `db:"workspace"`
	Deleted   bool    `db:"deleted"`
	Customer  string  `db:"customer"` // the customer's id in the channel
	Name      string  `db:"name"`     // the name shared, else that of the profile, else Customer
	Phone     string  `db:"phone"`    // that the customer writes from; "" if Customer is no number
	Details   Details `db:"details"`
	Doc       int64   `db:"doc"`
	At        int64   `db:"happened_at"` // when Text became what it is
	Text      string  `db:"doc_text"`
}

func (r *ChatRow) doc() *DocRow {
	if r == nil {
		return nil
	}
	return &DocRow{
		ID: r.Doc, Workspace: r.Workspace, Kind: KindVisitor, Chat: r.Chat, Ref: r.Chat, At: r.At, ByKind: "customer", By: r.Customer, Text: r.Text,
	}
}

// Details is what a visitor is found by.
type Details struct {
	Name    Said     `json:"name,omitzero"`    // as shared
	Profile Said     `json:"profile,omitzero"` // as in the channel
	Company Said     `json:"company,omitzero"`
	Emails  []string `json:"emails,omitempty"` // in the order in which they came
	Phones  []string `json:"phones,omitempty"`

	// When the contact had none any more: what was told before, and comes late, does not count.
	EmailsGone int64 `json:"emails_gone,omitempty"`
	PhonesGone int64 `json:"phones_gone,omitempty"`
}

// Said is a value with when it was said.
type Said struct {
	Value string `json:"value"`
	At    int64  `json:"at"`
}

// ContactRow is a row of search_v2_contacts.
type ContactRow struct {
	Contact   string   `db:"contact_id,key"`
	Workspace string   `db:"workspace"`
	Deleted   bool     `db:"deleted"`
	Into      string   `db:"merged_into"` // the contact that it is shown as; "" for itself
	Name      string   `db:"name"`
	Company   string   `db:"company"`
	Emails    []string `db:"emails"`
	Phones    []string `db:"phones"`
	Doc       int64    `db:"doc"`
	At        int64    `db:"happened_at"` // when Text became what it is
	Text      string   `db:"doc_text"`
}

func (r *ContactRow) doc() *DocRow {
	if r == nil || r.Deleted || r.Text == "" {
		return nil
	}
	return &DocRow{ID: r.Doc, Workspace: r.Workspace, Kind: KindContact, Contact: r.Contact, Ref: r.Contact, At: r.At, Text: r.Text}
}

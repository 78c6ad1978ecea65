package contacts

import "github.com/chatledger/chatledger/domain/contact"

// Source says where a value comes from: who gave it, how and when.
type Source struct {
	contact.Source
	Actor     string `json:"actor,omitempty"` // who did it, if the source does not say
	ActorKind string `json:"actor_kind,omitempty"`
	Revision  int64  `json:"revision"` // of the event that said it
	At        int64  `json:"at"`
}

// Value is a value with its source.
type Value struct {
	Text   string `json:"value"`
	Source Source `json:"source"`
}

// Link is a chat of a contact.
type Link struct {
	contact.Link
	At int64 `json:"at"`
}

// Part is a row of contacts_v3_parts: what is a contact's own, whatever it is shown as a
// part of. Times are in microseconds since 1970 UTC.
type Part struct {
	ID        string             `db:"contact_id,key" json:"id"`
	Workspace string             `db:"workspace" json:"workspace"` // "" before it was added
	Into      string             `db:"merged_into" json:"into,omitempty"`
	MergedAt  int64              `db:"merged_at" json:"merged_at,omitempty"`
	MergedBy  string             `db:"merged_by" json:"merged_by,omitempty"`
	Deleted   bool               `db:"deleted" json:"deleted,omitempty"`
	Blocked   bool               `db:"blocked" json:"blocked,omitempty"`
	Status    string             `db:"status" json:"status"`
	Category  string             `db:"category" json:"category"`
	Assignee  string             `db:"assignee" json:"assignee,omitempty"`
	Tags      []string           `db:"tags" json:"tags,omitempty"`        // ids, sorted
	Groups    []string           `db:"group_ids" json:"groups,omitempty"` // ids of static ones, sorted
	Fields    map[string][]Value `db:"fields" json:"fields,omitempty"`
	Chats     []Link             `db:"chats" json:"chats,omitempty"`
	Reason    string             `db:"reason" json:"reason"` // why it is a contact
	Added     Source             `db:"added" json:"added"`
	CreatedAt int64              `db:"created_at" json:"created_at"`
	UpdatedAt int64              `db:"updated_at" json:"updated_at"`
	Revision  int64              `db:"revision" json:"revision"`
}

// Listed is a contact as lists show it. What one of its parts has and it has not
// itself is that of the part.
type Listed struct {
	ID        string   `db:"contact_id,key"`
	Workspace string   `db:"workspace"`
	Name      string   `db:"name"`
	Email     string   `db:"email"` // the first
	Phone     string   `db:"phone"` // the first
	Company   string   `db:"company"`
	City      string   `db:"city"`
	Country   string   `db:"country"`
	Gender    string   `db:"gender"`
	Language  string   `db:"language"`
	Status    string   `db:"status"`
	Category  string   `db:"category"`
	Assignee  string   `db:"assignee"`
	Tags      []string `db:"tags"`      // of all parts, sorted
	Groups    []string `db:"group_ids"` // the same; ids of static ones
	Blocked   bool     `db:"blocked"`
	HasChat   bool     `db:"has_chat"`
	Reason    string   `db:"reason"`
	CreatedAt int64    `db:"created_at"`
	UpdatedAt int64    `db:"updated_at"` // the latest of all parts
	Revision  int64    `db:"revision"`   // of the contact's own stream
}

// columns are the columns of Listed, in order.
const columns = `c.contact_id, c.workspace, c.name, c.email, c.phone, c.company, c.city, c.country, c.gender, c.language,
	c.status, c.category, c.assignee, c.tags, c.group_ids, c.blocked, c.has_chat, c.reason, c.created_at, c.updated_at, c.revision`

// Row is a row of contacts_v3.
type Row struct {
	Listed
	Filed string `db:"listed"` // the workspace, or "" while it is not shown: every list begins with it
	Parts []Part `db:"parts"`  // its own first, then those merged into it, by id
}

// TagKey is the key of contacts_v3_tags.
type TagKey struct {
	Filed string `db:"listed,key"`
	Tag   string `db:"tag,key"`
	ID    string `db:"contact_id,key"`
}

// TagRow is a row of contacts_v3_tags: the contacts with a tag, in the orders of the
// list.
type TagRow struct {
	TagKey
	CreatedAt int64 `db:"created_at"`
	UpdatedAt int64 `db:"updated_at"`
}

// GroupKey is the key of contacts_v3_groups.
type GroupKey struct {
	Filed string `db:"listed,key"`
	Group string `db:"group_id,key"`
	ID    string `db:"contact_id,key"`
}

// GroupRow is a row of contacts_v3_groups: the contacts in a static group, in the
// orders of the list.
type GroupRow struct {
	GroupKey
	CreatedAt int64 `db:"created_at"`
	UpdatedAt int64 `db:"updated_at"`
}

// GroupSize is a row of contacts_v3_group_sizes: how many contacts are in a group
// and shown. A group with none has no row.
type GroupSize struct {
	Group    string `db:"group_id,key"`
	Contacts int64  `db:"contacts"`
}

// ChatKey is the key of contacts_v3_chats.
type ChatKey struct {
	Chat string `db:"chat_id,key"`
	ID   string `db:"contact_id,key"`
}

// ChatRow is a row of contacts_v3_chats: whose a chat is.
type ChatRow struct {
	ChatKey
	Filed string `db:"listed"`
}

// ValueKey is the key of contacts_v3_values.
type ValueKey struct {
	Filed     string `db:"listed,key"`
	ID        string `db:"contact_id,key"`
	Attribute string `db:"attribute_id,key"`
}

// ValueRow is a row of contacts_v3_values: what a contact has of the workspace's own
// attributes.
type ValueRow struct {
	ValueKey
	Value  string `db:"value"`
	Sorted string `db:"sorted"` // as attribute.Sortable has it
}

// KnownBy is the key of contacts_v3_known_by: what contacts have that only one person
// should have.
type KnownBy struct {
	Filed string `db:"listed,key"`
	Kind  string `db:"kind,key"`  // email or phone
	Value string `db:"value,key"` // in the form in which it is compared
	ID    string `db:"contact_id,key"`
}

// Kinds of KnownBy.
const (
	byEmail = "email"
	byPhone = "phone"
)

// KnownRow is a row of contacts_v3_known_by.
type KnownRow struct {
	KnownBy
}

// NoteKey names a note.
type NoteKey struct {
	Contact string `db:"contact_id,key"`
	Note    string `db:"note_id,key"`
}

// Note is a row of contacts_v3_notes. A note that was deleted has none.
type Note struct {
	NoteKey
	Text     string `db:"text"`
	By       string `db:"author"`
	At       int64  `db:"at"`
	EditedAt int64  `db:"edited_at"` // 0 if it never was
	EditedBy string `db:"edited_by"`
}

// AttributeKey names an attribute of a workspace.
type AttributeKey struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"attribute_id,key"`
}

// Attribute is a row of contacts_v3_attributes.
type Attribute struct {
	AttributeKey
	Name     string   `db:"name"`
	Kind     string   `db:"kind"`
	Choices  []string `db:"choices"`
	Archived bool     `db:"archived"`
	Revision int64    `db:"revision"` // of the workspace's list
}

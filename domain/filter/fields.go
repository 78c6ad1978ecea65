package filter

import (
	"slices"
	"strings"
)

const maxOwn = 100 // bytes of an attribute's id

// Kind says what a field's values are, and with that its operators.
type Kind uint8

// The kinds of field.
const (
	ID     Kind = iota // an id or a fixed word, compared to the letter
	Word               // text; ASCII letters count the same in either case
	Bool               //
	Number             // a whole number
	Time               //
	Set                // any number of ids
	Own                // an attribute of the workspace's own, whose kind only a view knows
)

// OwnPrefix begins the name of a field of the kind Own; the attribute's id is the rest.
const OwnPrefix = "attributes."

var operators = map[Kind][]Op{
	ID:     {Eq, Ne, In, Prefix, Exists},
	Word:   {Eq, Ne, In, Contains, Prefix, Exists},
	Bool:   {Eq, Ne},
	Number: {Eq, Ne, In, Lt, Gt, Between, Exists},
	Time:   {Eq, Ne, Lt, Gt, Between, Exists},
	Set:    {Eq, Ne, In, Contains, Exists},
	Own:    {Eq, Ne, In, Contains, Prefix, Lt, Gt, Between, Exists},
}

// Ops returns the operators of a kind of field.
func (k Kind) Ops() []Op { return slices.Clone(operators[k]) }

// Field is something that can be filtered by.
type Field struct {
	Name  string
	Kind  Kind
	Words []string // what an ID may be; nil: anything
	Me    bool     // "me" stands for whoever asks
	Shown bool     // of a contact: is known only while the contact is not deleted
}

// Fields returns the fields of a target, in the order of the documentation.
func Fields(t Target) []Field { return slices.Clone(fields[t]) }

// Lookup returns the field of a target by its name.
func Lookup(t Target, name string) (Field, bool) {
	if id, own := strings.CutPrefix(name, OwnPrefix); own {
		return Field{Name: name, Kind: Own, Shown: true}, id != "" && len(id) <= maxOwn
	}
	for _, f := range fields[t] {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

var orderStatuses = []string{"placed", "confirmed", "processing", "shipped", "delivered", "cancelled", "returned", "refused"}

var contactReasons = []string{"contact_card", "form", "import", "typed_in", "chatflow"}

var fields = map[Target][]Field{
	Chats: {
		{Name: "id", Kind: ID},
		{Name: "status", Kind: ID},
		{Name: "status_category", Kind: ID, Words: []string{"open", "pending", "closed"}},
		{Name: "assignee", Kind: ID, Me: true},
		{Name: "team", Kind: ID},
		{Name: "offered_to", Kind: ID, Me: true},
		{Name: "tag", Kind: Set},
		{Name: "group", Kind: Set},
		{Name: "channel", Kind: ID},
		{Name: "unread", Kind: Bool},
		{Name: "snoozed", Kind: Bool},
		{Name: "snoozed_until", Kind: Time},
		{Name: "created", Kind: Time},
		{Name: "last_activity", Kind: Time},
		{Name: "waiting_since", Kind: Time},
		{Name: "last_message_by", Kind: ID, Words: []string{"customer", "agent", "bot"}},
		{Name: "is_contact", Kind: Bool},
		{Name: "has_ordered", Kind: Bool},
		{Name: "order_status", Kind: Set, Words: orderStatuses},
		{Name: "name", Kind: Word},
		{Name: "phone", Kind: Word},
		{Name: "email", Kind: Word},
		{Name: "company", Kind: Word},
		{Name: "city", Kind: Word},
		{Name: "country", Kind: Word},
		{Name: "gender", Kind: Word},
		{Name: "language", Kind: Word},
		{Name: "blocked", Kind: Bool},
	},
	Contacts: {
		{Name: "id", Kind: ID},
		{Name: "status", Kind: ID},
		{Name: "status_category", Kind: ID, Words: []string{"open", "pending", "closed"}},
		{Name: "assignee", Kind: ID, Me: true},
		{Name: "tag", Kind: Set},
		{Name: "group", Kind: Set},
		{Name: "blocked", Kind: Bool},
		{Name: "has_chat", Kind: Bool},
		{Name: "channel", Kind: Set, Shown: true},
		{Name: "team", Kind: Set, Shown: true},
		{Name: "unread", Kind: Bool, Shown: true},
		{Name: "last_activity", Kind: Time, Shown: true},
		{Name: "last_message_by", Kind: ID, Words: []string{"customer", "agent", "bot"}, Shown: true},
		{Name: "is_contact", Kind: Bool},
		{Name: "has_ordered", Kind: Bool, Shown: true},
		{Name: "order_status", Kind: Set, Shown: true},
		{Name: "reason", Kind: ID, Words: contactReasons},
		{Name: "created", Kind: Time},
		{Name: "updated", Kind: Time},
		{Name: "name", Kind: Word},
		{Name: "phone", Kind: Word},
		{Name: "email", Kind: Word},
		{Name: "company", Kind: Word},
		{Name: "city", Kind: Word},
		{Name: "country", Kind: Word},
		{Name: "gender", Kind: Word},
		{Name: "language", Kind: Word},
	},
	Orders: {
		{Name: "id", Kind: ID},
		{Name: "external_id", Kind: ID},
		{Name: "status", Kind: ID, Words: orderStatuses},
		{Name: "payment", Kind: ID, Words: []string{"unpaid", "pending", "paid", "failed", "partly_refunded", "refunded"}},
		{Name: "source", Kind: ID, Words: []string{"whatsapp", "api"}},
		{Name: "chat", Kind: ID},
		{Name: "channel", Kind: ID},
		{Name: "assignee", Kind: ID, Me: true},
		{Name: "tag", Kind: Set},
		{Name: "product", Kind: Set},
		{Name: "placed", Kind: Time},
		{Name: "updated", Kind: Time},
		{Name: "items", Kind: Number},
		{Name: "total", Kind: Number},
		{Name: "currency", Kind: ID},
		{Name: "carrier", Kind: Word},
		{Name: "tracking", Kind: Word},
		{Name: "comment", Kind: Word},
		{Name: "name", Kind: Word},
		{Name: "phone", Kind: Word},
		{Name: "email", Kind: Word},
		{Name: "company", Kind: Word},
		{Name: "city", Kind: Word},
		{Name: "country", Kind: Word},
		{Name: "gender", Kind: Word},
		{Name: "language", Kind: Word},
		{Name: "is_contact", Kind: Bool},
		{Name: "group", Kind: Set},
		{Name: "blocked", Kind: Bool},
		{Name: "team", Kind: ID},
		{Name: "unread", Kind: Bool},
		{Name: "last_activity", Kind: Time},
		{Name: "last_message_by", Kind: ID, Words: []string{"customer", "agent", "bot"}},
	},
}

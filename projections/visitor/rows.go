package visitor

// Kinds of source.
const (
	FromChannel = "channel"      // the customer's id in the channel: for WhatsApp the number
	FromProfile = "profile"      // what customers call themselves in the channel
	FromCard    = "contact_card" // as the reasons of chat.DetailsShared
	FromForm    = "form"
	FromImport  = "import"
	FromAgent   = "typed_in"
	FromFlow    = "chatflow"
)

// Source says where a value comes from: who gave it, how and when.
type Source struct {
	Kind     string `json:"kind"` // channel, profile, contact_card, form, import, typed_in or chatflow
	By       string `json:"by,omitempty"`
	ByKind   string `json:"by_kind,omitempty"`
	Message  string `json:"message,omitempty"`  // id of the message that held it
	Event    string `json:"event,omitempty"`    // id of the event that said it, if no message did
	Revision int64  `json:"revision,omitempty"` // of that event
	At       int64  `json:"at"`
}

// Field is a value with its source. Without a value there is no source.
type Field struct {
	Value  string `json:"value"`
	Source Source `json:"source"`
}

// Fields are the details of a visitor, each as it was given last.
type Fields struct {
	Name        Field `json:"name,omitzero"`         // as shared
	ProfileName Field `json:"profile_name,omitzero"` // as in the channel
	Phone       Field `json:"phone,omitzero"`
	Email       Field `json:"email,omitzero"`
	Company     Field `json:"company,omitzero"`
	City        Field `json:"city,omitzero"`
	Country     Field `json:"country,omitzero"`

	// What took all e-mail addresses, or numbers, away: those from before count no more.
	EmailsGone Source `json:"emails_gone,omitzero"`
	PhonesGone Source `json:"phones_gone,omitzero"`
}

// Row is a row of visitor_v2_profiles: the customer of a chat. Times are in
// microseconds since 1970 UTC.
type Row struct {
	Chat          string  `db:"chat_id,key"`
	Workspace     string  `db:"workspace"`
	Channel       string  `db:"channel"`
	Customer      string  `db:"customer"` // the customer's id in the channel
	Name          string  `db:"name"`     // the name shared, else that of the profile, else Customer
	Phone         string  `db:"phone"`
	Email         string  `db:"email"`
	IsContact     bool    `db:"is_contact"`
	ContactReason string  `db:"contact_reason"` // of what made the visitor a contact
	ContactAt     int64   `db:"contact_at"`
	FirstSeen     int64   `db:"first_seen"`
	LastSeen      int64   `db:"last_seen"` // the last message or reaction, else FirstSeen
	LastActAt     int64   `db:"last_act_at"`
	Fields        Fields  `db:"fields"`
	Emails        []Field `db:"emails"`   // all that were given, the latest first; at most 50
	Phones        []Field `db:"phones"`   // the same
	Revision      int64   `db:"revision"` // of the chat's stream
}

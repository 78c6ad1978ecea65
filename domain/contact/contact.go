// Package contact decides about one contact of a workspace: a person whose
// details were shared, or whom a chatflow's answer marked as one.
//
// It is pure: no I/O, no clock, no randomness. What a field of the workspace's own
// may hold is decided by package attribute.
package contact

import (
	"strings"
	"time"
)

// ID names a contact. Where it is known by a phone number, a customer's id in a
// channel or an e-mail address, it is derived from that.
type ID string

// NoteID names a note of a contact.
type NoteID string

// AgentID names a member of staff; "" means nobody.
type AgentID string

// TagID names a tag of the workspace.
type TagID string

// Category is what a status means to the logic, as of a chat's status.
type Category string

// Reason says how somebody became a contact, or where a detail comes from.
type Reason string

// The reasons: details were shared by a contact card, by a form, by an import, or
// typed in by an agent; or a chatflow's answer says so.
const (
	ByContactCard Reason = "contact_card"
	ByForm        Reason = "form"
	ByImport      Reason = "import"
	ByAgent       Reason = "typed_in"
	ByChatflow    Reason = "chatflow"
)

// ByProfile is where a name comes from that nobody has told: the customer has it in a
// channel. It makes nobody a contact, and any other name replaces it.
const ByProfile Reason = "profile"

// The fields that every contact can have. A workspace's own are called Custom and
// the id of the attribute.
const (
	Name     = "name"
	Emails   = "emails" // the first is the one to write to
	Phones   = "phones" // the first is the one to call
	Company  = "company"
	City     = "city"
	Country  = "country"
	Gender   = "gender"
	Language = "language"

	Custom = "attributes."
)

// Fields lists them in the order in which they are shown.
func Fields() []string {
	return []string{Name, Emails, Phones, Company, City, Country, Gender, Language}
}

// Many reports whether a field can have more than one value.
func Many(field string) bool { return field == Emails || field == Phones }

// Attribute returns the id of the attribute that a field is, if it is one.
func Attribute(field string) (string, bool) {
	id, ok := strings.CutPrefix(field, Custom)
	return id, ok && id != ""
}

// Change gives a field values, or takes them away.
type Change struct {
	Field  string   `json:"field"`            // such as "name", "emails" or "attributes.size"
	Values []string `json:"values,omitempty"` // all that it has now; none: it is empty
}

// Source says where details come from.
type Source struct {
	Reason   Reason  `json:"reason"`
	Chat     string  `json:"chat,omitempty"`     // the chat in which they were shared
	Message  string  `json:"message,omitempty"`  // the message that held them
	Import   string  `json:"import,omitempty"`   // what was imported, as the importer calls it
	Flow     string  `json:"flow,omitempty"`     // the chatflow
	Question string  `json:"question,omitempty"` // of the chatflow
	By       AgentID `json:"by,omitempty"`       // who typed them in or imported them, or the bot
}

// Link is a chat of a contact.
type Link struct {
	Chat     string `json:"chat"`
	Channel  string `json:"channel"`
	Customer string `json:"customer"` // the customer's id in the channel
}

// Event is a fact about a contact, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

// Phone returns a phone number as it is kept and compared: "+" and digits, where it
// was given with a country code, else as it was given. ok says which.
func Phone(given string) (number string, ok bool) {
	given = strings.TrimSpace(given)
	var digits strings.Builder
	for i, r := range given {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r == '+' && i == 0, strings.ContainsRune(" -./()\u00a0", r):
		default:
			return given, false
		}
	}
	d := digits.String()
	if !strings.HasPrefix(given, "+") {
		if d, ok = strings.CutPrefix(d, "00"); !ok {
			return given, false
		}
	}
	if len(d) < minDigits || len(d) > maxDigits || d[0] == '0' {
		return given, false
	}
	return "+" + d, true
}

const minDigits, maxDigits = 6, 15 // of a number with its country code (E.164)

// Email returns an address as it is compared: case does not count.
func Email(given string) string { return strings.ToLower(strings.TrimSpace(given)) }

// IsEmail reports whether an address looks like one.
func IsEmail(s string) bool {
	name, host, ok := strings.Cut(s, "@")
	return ok && name != "" && host != "" && len(s) <= 254 && !strings.ContainsAny(s, " \t\r\n<>,;\"") && !strings.Contains(host, "@")
}

// IsPhone reports whether text looks like a phone number, perhaps without the
// country code.
func IsPhone(s string) bool {
	n := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			n++
		case r == '+' && i == 0, strings.ContainsRune(" -./()\u00a0", r):
		default:
			return false
		}
	}
	return n >= 3 && n <= 20
}

// last returns the later of two times.
func last(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Package template decides about message templates: messages that a provider has
// looked at before, and that may be sent when a free text may not.
//
// A template is what the provider has under a name in a language for a channel. Here
// is a copy of it, made by hand or read from the provider; what it may be used for
// is the provider's to say, and its word is the status.
//
// It is pure: no I/O, no clock, no randomness.
package template

// ID names a template: ids.Template of channel, name and language.
type ID string

// Category is what a template is for. The provider has prices and rules for each.
type Category string

// Categories.
const (
	Marketing      Category = "marketing"
	Utility        Category = "utility"
	Authentication Category = "authentication"
)

// Known reports whether c is a category.
func (c Category) Known() bool { return c == Marketing || c == Utility || c == Authentication }

// Status is what the provider lets a template be used for.
type Status string

// Statuses. Only what is approved can be sent.
const (
	Pending  Status = "pending"  // not looked at yet, or changed since
	Approved Status = "approved" // may be sent
	Rejected Status = "rejected"
	Paused   Status = "paused" // for a time, since customers complained
	Disabled Status = "disabled"
)

// Known reports whether s is a status.
func (s Status) Known() bool {
	switch s {
	case Pending, Approved, Rejected, Paused, Disabled:
		return true
	}
	return false
}

// Components are the parts of a template, in the order in which they are shown. A
// variable is {{1}}, {{2}} and so on, or {{a_name}}; one part has one sort of them.
type Components struct {
	Header  *Header  `json:"header,omitempty"`
	Body    string   `json:"body"`
	Footer  string   `json:"footer,omitempty"`
	Buttons []Button `json:"buttons,omitempty"`
	Other   []string `json:"other,omitempty"` // parts of the provider's that we do not know; with any, it cannot be sent
}

// HeaderKind is what a header holds.
type HeaderKind string

// Kinds of header. Those but a text get their file with each use.
const (
	TextHeader     HeaderKind = "text"
	ImageHeader    HeaderKind = "image"
	DocumentHeader HeaderKind = "document"
	VideoHeader    HeaderKind = "video"
)

// Header is above the body.
type Header struct {
	Kind HeaderKind `json:"kind"`
	Text string     `json:"text,omitempty"` // with kind text; at most one variable
}

// ButtonKind is what a button does.
type ButtonKind string

// Kinds of button.
const (
	QuickReply ButtonKind = "quick_reply" // answers with its text
	URL        ButtonKind = "url"         // opens an address, which may end in {{1}}
	Phone      ButtonKind = "phone"       // calls a number
	CopyCode   ButtonKind = "copy_code"   // copies a code that comes with each use
	OTP        ButtonKind = "otp"         // the same, of a template for authentication
)

// Button is below the body.
type Button struct {
	Kind  ButtonKind `json:"kind"`
	Text  string     `json:"text,omitempty"`
	URL   string     `json:"url,omitempty"`
	Phone string     `json:"phone,omitempty"` // "+" and digits
}

// Event is a fact about a template, sealed by apply.
type Event interface {
	EventType() string
	apply(*State)
}

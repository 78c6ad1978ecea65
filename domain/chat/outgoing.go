package chat

import "unicode/utf8"

// Outgoing is what a customer is to be sent, whoever asks for it: an agent now, a
// schedule later, a campaign. Text is always what the customer reads, in words.
type Outgoing struct {
	Text string `json:"text"`

	QuickReply *QuickReplyUse `json:"quick_reply,omitempty"` // that Text was made from
	Template   *TemplateUse   `json:"template,omitempty"`    // that is sent, Text being what it says
	Media      *FileUse       `json:"media,omitempty"`       // that is sent, Text being its caption; it may have none

	CallPermission bool `json:"call_permission,omitempty"` // it asks the customer to allow calls, Text being why

	Interactive *Interactive `json:"interactive,omitempty"` // that is sent, Text being its words
	ReplyTo     *RepliedTo   `json:"reply_to,omitempty"`    // the message that it answers
}

// Outgoing returns what was queued.
func (e MessageQueued) Outgoing() Outgoing {
	return Outgoing{Text: e.Text, QuickReply: e.QuickReply, Template: e.Template, Media: e.Media, CallPermission: e.CallPermission, Interactive: e.Interactive, ReplyTo: e.ReplyTo}
}

// Content returns what was queued as the conversation shows it.
func (e MessageQueued) Content() Content {
	c := Content{Kind: "text", Text: e.Text}
	if e.Template != nil {
		c.Kind = "template"
	}
	if e.Interactive != nil {
		c.Kind, c.Interactive = "interactive", e.Interactive
	}
	if m := e.Media; m != nil {
		c.Kind, c.Media = string(m.Kind), &Media{ID: string(m.ID), MIMEType: m.MIMEType, SHA256: m.SHA256, Filename: m.Filename}
	}
	if e.CallPermission {
		c.Kind = "call_permission_request"
	}
	return c
}

// TemplateUse is a message template with the values it is sent with: all that its
// provider has to be told, whatever becomes of the template meanwhile.
type TemplateUse struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Language string `json:"language"`
	Category string `json:"category"` // marketing, utility or authentication: when it was used

	Header  *TemplateHeader  `json:"header,omitempty"` // if it takes a value
	Body    []TemplateValue  `json:"body,omitempty"`   // numbered variables in their order
	Buttons []TemplateButton `json:"buttons,omitempty"`
}

// TemplateHeader is what goes into a header: a text's value, or a file.
type TemplateHeader struct {
	Kind     string         `json:"kind"` // text, image, document or video
	Value    *TemplateValue `json:"value,omitempty"`
	Link     string         `json:"link,omitempty"`
	Filename string         `json:"filename,omitempty"` // of a document
	File     *FileUse       `json:"file,omitempty"`     // that was uploaded, instead of a link
}

// TemplateValue is the value of a variable.
type TemplateValue struct {
	Name string `json:"name,omitempty"` // of a variable that has one instead of a number
	Text string `json:"text"`
}

// TemplateButton is the value of a button.
type TemplateButton struct {
	Place int    `json:"place"` // counted from 0
	Kind  string `json:"kind"`  // url, copy_code or otp
	Text  string `json:"text"`
}

// File returns the file that has to be at the provider before the message is sent, nil
// if there is none.
func (o Outgoing) File() *FileUse {
	if t := o.Template; t != nil && t.Header != nil {
		return t.Header.File
	}
	return o.Media
}

// check refuses what cannot be sent anywhere.
func (o Outgoing) check() error {
	if t := o.Template; t != nil && (t.ID == "" || t.Name == "" || t.Language == "") {
		return ErrTemplateMissing
	}
	if o.Media != nil {
		return o.Media.check(o.Text)
	}
	if o.CallPermission && utf8.RuneCountInString(o.Text) > maxPermissionText {
		return ErrTextTooLong.With("a request to allow calls can have 1,024 characters at most")
	}
	if o.Interactive != nil {
		return o.Interactive.check()
	}
	return messageText.Check(o.Text)
}

// free reports whether it may only be sent while the customer expects an answer.
func (o Outgoing) free() bool { return o.Template == nil }

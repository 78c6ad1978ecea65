package chat

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Interactive is a message that the customer answers with a tap: on one of a few
// buttons, on a row of a list, or on a button that opens a page. One of Buttons, List
// and Link is set.
type Interactive struct {
	Header  string        `json:"header,omitempty"`
	Body    string        `json:"body"`
	Footer  string        `json:"footer,omitempty"`
	Buttons []ReplyButton `json:"buttons,omitempty"`
	List    *ChoiceList   `json:"list,omitempty"`
	Link    *LinkButton   `json:"link,omitempty"`
}

// ReplyButton is answered by its title. ID comes back with that: it is for whoever
// understands the answer, and no customer sees it.
type ReplyButton struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// ChoiceList opens when the customer taps on Button. One row can be chosen.
type ChoiceList struct {
	Button   string        `json:"button"`
	Sections []ListSection `json:"sections"`
}

// ListSection is a part of a list. The only one needs no title.
type ListSection struct {
	Title string    `json:"title,omitempty"`
	Rows  []ListRow `json:"rows"`
}

// ListRow is answered by its title, with ID, as a ReplyButton is.
type ListRow struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// LinkButton opens a page. That it was tapped nobody is told.
type LinkButton struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Bounds of interactive messages, in characters where nothing else is said: those of
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-reply-buttons-messages
// and of its siblings interactive-list-messages and interactive-cta-url-messages.
const (
	maxButtons     = 3
	maxSections    = 10
	maxRows        = 10    // of all sections
	maxBody        = 1_024 // of a list MaxText
	maxHeader      = 60    // also of the footer
	maxButtonTitle = 20
	maxButtonID    = 256
	maxRowTitle    = 24 // also of a section's
	maxRowID       = 200
	maxDescription = 72
	maxURL         = 2_000
)

// Words returns what the customer reads and can choose from, as text.
func (m Interactive) Words() string {
	var parts, options []string
	for _, part := range []string{m.Header, m.Body, m.Footer} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for _, b := range m.Buttons {
		options = append(options, "- "+b.Title)
	}
	if l := m.List; l != nil {
		options = append(options, l.Button+":")
		for _, s := range l.Sections {
			if s.Title != "" {
				options = append(options, s.Title)
			}
			for _, r := range s.Rows {
				row := "- " + r.Title
				if r.Description != "" {
					row += ": " + r.Description
				}
				options = append(options, row)
			}
		}
	}
	if l := m.Link; l != nil {
		options = append(options, l.Title+": "+l.URL)
	}
	return strings.Join(append(parts, strings.Join(options, "\n")), "\n\n")
}

// check refuses what the provider would not take, and names the part.
func (m Interactive) check() error {
	kinds, most := 0, maxBody
	for _, given := range []bool{m.Buttons != nil, m.List != nil, m.Link != nil} {
		if given {
			kinds++
		}
	}
	if m.List != nil {
		most = MaxText
	}
	c := partChecks{ids: map[string]bool{}, titles: map[string]bool{}}
	if kinds != 1 {
		return c.refuse("", "want buttons, a list or a link, and one of them")
	}
	c.line("header", m.Header, maxHeader, true)
	c.text("body", m.Body, most)
	c.line("footer", m.Footer, maxHeader, true)
	switch {
	case m.List != nil:
		c.list(*m.List)
	case m.Link != nil:
		c.line("link.title", m.Link.Title, maxButtonTitle, false)
		u, err := url.Parse(m.Link.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !words(m.Link.URL, maxURL) {
			c.fail("link.url", "want an address that begins with https://")
		}
	default:
		if len(m.Buttons) > maxButtons || len(m.Buttons) == 0 {
			c.fail("buttons", "want 1 to 3 buttons")
		}
		for i, b := range m.Buttons {
			at := fmt.Sprintf("buttons[%d]", i)
			c.id(at, b.ID, maxButtonID)
			c.line(at+".title", b.Title, maxButtonTitle, false)
			if c.titles[b.Title] {
				c.fail(at+".title", "another button has this title")
			}
			c.titles[b.Title] = true
		}
	}
	return c.err
}

// partChecks keeps the first thing that is wrong.
type partChecks struct {
	err         error
	ids, titles map[string]bool
}

func (c *partChecks) refuse(field, msg string) error {
	e := ErrInteractive.With(msg)
	if field != "" {
		e.Field += "." + field
	}
	return e
}

func (c *partChecks) fail(field, msg string) {
	if c.err == nil {
		c.err = c.refuse(field, msg)
	}
}

// text refuses what is empty or longer than so many characters.
func (c *partChecks) text(field, s string, most int) {
	if strings.TrimSpace(s) == "" || !words(s, most) {
		c.fail(field, fmt.Sprintf("want 1 to %d characters", most))
	}
}

// line refuses, besides, what is no single line.
func (c *partChecks) line(field, s string, most int, optional bool) {
	if s == "" && optional {
		return
	}
	c.text(field, s, most)
	if strings.ContainsFunc(s, unicode.IsControl) {
		c.fail(field, "want one line")
	}
}

func (c *partChecks) id(at, id string, most int) {
	switch {
	case id == "" || len(id) > most || !utf8.ValidString(id) || strings.TrimSpace(id) != id || strings.ContainsFunc(id, unicode.IsControl):
		c.fail(at+".id", fmt.Sprintf("want 1 to %d bytes, without spaces around them", most))
	case c.ids[id]:
		c.fail(at+".id", "another one has this id")
	}
	c.ids[id] = true
}

func (c *partChecks) list(l ChoiceList) {
	c.line("list.button", l.Button, maxButtonTitle, false)
	if len(l.Sections) == 0 || len(l.Sections) > maxSections {
		c.fail("list.sections", "want 1 to 10 sections")
	}
	rows := 0
	for i, s := range l.Sections {
		at := fmt.Sprintf("list.sections[%d]", i)
		c.line(at+".title", s.Title, maxRowTitle, len(l.Sections) == 1)
		if rows += len(s.Rows); len(s.Rows) == 0 || rows > maxRows {
			c.fail(at+".rows", "want at least one row, and 10 in all sections at most")
		}
		for j, r := range s.Rows {
			at := fmt.Sprintf("%s.rows[%d]", at, j)
			c.id(at, r.ID, maxRowID)
			c.line(at+".title", r.Title, maxRowTitle, false)
			c.line(at+".description", r.Description, maxDescription, true)
		}
	}
}

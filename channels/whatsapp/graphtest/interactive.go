package graphtest

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// interactive is a message that is answered with a tap, as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-reply-buttons-messages
// and its siblings interactive-list-messages and interactive-cta-url-messages document it.
type interactive struct {
	Type   string `json:"type"`
	Header *struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"header"`
	Body   *struct{ Text string } `json:"body"`
	Footer *struct{ Text string } `json:"footer"`
	Action struct {
		Buttons []struct {
			Type  string `json:"type"`
			Reply struct{ ID, Title string }
		} `json:"buttons"`
		Button   string `json:"button"`
		Sections []struct {
			Title string
			Rows  []struct{ ID, Title, Description string }
		} `json:"sections"`
		Name       string `json:"name"`
		Parameters struct {
			Text string `json:"display_text"`
			URL  string `json:"url"`
		} `json:"parameters"`
	} `json:"action"`
}

const askForCalls = "call_permission_request"

// checkInteractive answers with 131009, a value that is not valid.
func checkInteractive(i *interactive) *refusal {
	c := interactiveCheck{ids: map[string]bool{}}
	body := 1_024
	if i.Type == "list" {
		body = 4_096
	}
	if i.Header != nil {
		c.want(i.Header.Type == "text", "header")
		c.length("header", i.Header.Text, 60)
	}
	c.length("body", i.Body.Text, body)
	if i.Footer != nil {
		c.length("footer", i.Footer.Text, 60)
	}
	switch a := i.Action; i.Type {
	case "button":
		titles := map[string]bool{}
		c.want(len(a.Buttons) >= 1 && len(a.Buttons) <= 3, "buttons")
		for _, b := range a.Buttons {
			c.want(b.Type == "reply" && !titles[b.Reply.Title], "button")
			titles[b.Reply.Title] = true
			c.length("button title", b.Reply.Title, 20)
			c.id(b.Reply.ID, 256)
		}
	case "list":
		rows := 0
		c.length("button", a.Button, 20)
		c.want(len(a.Sections) >= 1 && len(a.Sections) <= 10, "sections")
		for _, s := range a.Sections {
			if len(a.Sections) > 1 || s.Title != "" {
				c.length("section title", s.Title, 24)
			}
			rows += len(s.Rows)
			c.want(len(s.Rows) >= 1, "rows of a section")
			for _, r := range s.Rows {
				c.length("row title", r.Title, 24)
				c.want(utf8.RuneCountInString(r.Description) <= 72, "row description")
				c.id(r.ID, 200)
			}
		}
		c.want(rows <= 10, "rows")
	case "cta_url":
		u, err := url.Parse(a.Parameters.URL)
		c.want(a.Name == "cta_url" && err == nil && u.Host != "", "url")
		c.length("display_text", a.Parameters.Text, 20)
	case askForCalls:
		c.want(a.Name == askForCalls, "action")
	default:
		c.want(false, "type")
	}
	return c.refused
}

type interactiveCheck struct {
	refused *refusal
	ids     map[string]bool
}

func (c *interactiveCheck) want(ok bool, what string) {
	if !ok && c.refused == nil {
		c.refused = &refusal{131009, "Parameter value is not valid", "interactive: " + what}
	}
}

func (c *interactiveCheck) length(what, s string, most int) {
	n := utf8.RuneCountInString(s)
	c.want(n >= 1 && n <= most && strings.TrimSpace(s) != "", fmt.Sprintf("%s is to have 1 to %d characters", what, most))
}

func (c *interactiveCheck) id(id string, most int) {
	c.want(!c.ids[id] && strings.TrimSpace(id) == id, "id")
	c.ids[id] = true
	c.length("id", id, most)
}

package template

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits, in runes unless they say otherwise: those of
// https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
const (
	MaxName    = 512
	MaxHeader  = 60
	MaxBody    = 1_024
	MaxFooter  = 60
	MaxButtons = 10
	MaxButton  = 25
	MaxURL     = 2_000
	MaxCode    = 15 // of a code to copy
	maxPhone   = 20
	maxOther   = 20
	maxReason  = text.MaxReason
	maxVars    = 100
)

// State is what past events allow a decision to depend on.
type State struct {
	Defined    bool // else only its status is known
	Workspace  string
	Channel    string
	Name       string
	Language   string
	Category   Category
	Components Components
	Status     Status
	Reason     string
	ProviderID string
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Refusals.
var (
	ErrNotFound    = fault.New(fault.NotFound, "template.not_found", "no such template")
	ErrNoLanguage  = fault.Bad("template.name", "template.no_language", "neither the customer's language is known nor has the workspace set one: name the template by its id, or set a default language")
	ErrExists      = fault.New(fault.Conflict, "template.exists", "the channel has a template of this name and language with other parts; change that one")
	ErrNotApproved = fault.New(fault.Conflict, "template.not_approved", "only an approved template can be sent")
	ErrUnknownPart = fault.New(fault.Conflict, "template.unknown_part", "the template has parts that cannot be filled in here")
	ErrOtherChat   = fault.New(fault.Conflict, "template.other_channel", "the template is of another channel than the chat")

	ErrWorkspace  = fault.Bad("workspace", "template.workspace_missing", "a workspace is required")
	ErrChannel    = fault.Bad("channel", "template.channel_missing", "a channel is required")
	ErrByMissing  = fault.Bad("by", "template.by_missing", "who does it is required")
	ErrName       = fault.Bad("name", "template.bad_name", "a name is 1 to 512 small letters, digits and underscores")
	ErrLanguage   = fault.Bad("language", "template.bad_language", "a language is a code such as en or en_US")
	ErrCategory   = fault.Bad("category", "template.unknown_category", "the category is marketing, utility or authentication")
	ErrStatus     = fault.Bad("status", "template.unknown_status", "the status is pending, approved, rejected, paused or disabled")
	ErrHeader     = fault.Bad("components.header", "template.bad_header", "a header is a text of at most 60 characters with at most one variable, or an image, document or video without a text")
	ErrBody       = fault.Bad("components.body", "template.bad_body", "a body is 1 to 1,024 characters of UTF-8 without U+0000")
	ErrFooter     = fault.Bad("components.footer", "template.bad_footer", "a footer is at most 60 characters without variables")
	ErrButtons    = fault.Bad("components.buttons", "template.bad_button", "at most 10 buttons: quick_reply, url, phone, copy_code or otp, with a text of at most 25 characters")
	ErrVariables  = fault.Bad("components.body", "template.bad_variables", "variables are {{1}}, {{2}} and so on without a gap, or names of small letters, digits and underscores, not both")
	ErrValue      = fault.Bad("values", "template.value_missing", "there is no value for a variable")
	ErrStrange    = fault.Bad("values", "template.unknown_value", "there is a value for no variable")
	ErrBadValue   = fault.Bad("values", "template.bad_value", "a value is a line of text without tabs and without more than four spaces in a row")
	ErrFilledLong = fault.Bad("values", "template.too_long", "with its values, the template is longer than the provider takes")
)

var (
	nameForm     = regexp.MustCompile(`^[a-z0-9_]+$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(_[A-Za-z]{2,4})?$`)
	variable     = regexp.MustCompile(`\{\{([^{}]*)\}\}`)
	varName      = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	phoneForm    = regexp.MustCompile(`^\+[0-9]{5,15}$`)
)

func about(e *fault.Error, field, msg string) error {
	c := *e
	c.Field, c.Msg = field, msg
	return &c
}

// Variables returns the names of the variables of a part, each once, in order of
// appearance. Numbers are in the order of counting.
func Variables(s string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		if name := strings.TrimSpace(m[1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if numbered(names) {
		for i := range names {
			names[i] = fmt.Sprint(i + 1)
		}
	}
	return names
}

// numbered reports whether names are the numbers from 1 without a gap.
func numbered(names []string) bool {
	for i := range names {
		if !slices.Contains(names, fmt.Sprint(i+1)) {
			return false
		}
	}
	return true
}

// checkVariables refuses a part whose variables are not of one sort.
func checkVariables(field, s string, most int) error {
	names := Variables(s)
	if len(names) > most {
		return about(ErrVariables, field, fmt.Sprintf("at most %d variables", most))
	}
	rest := variable.ReplaceAllString(s, "")
	if strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return about(ErrVariables, field, "a {{ or }} has no other end")
	}
	if numbered(names) {
		return nil
	}
	for _, n := range names {
		if !varName.MatchString(n) {
			return about(ErrVariables, field, ErrVariables.Msg)
		}
	}
	return nil
}

func fits(s string, most int) bool { return text.Clean(s) && utf8.RuneCountInString(s) <= most }

// check refuses parts that no provider would take.
func (c Components) check() error {
	if h := c.Header; h != nil {
		switch {
		case h.Kind == TextHeader && strings.TrimSpace(h.Text) != "" && fits(h.Text, MaxHeader):
			if err := checkVariables("components.header.text", h.Text, 1); err != nil {
				return err
			}
		case (h.Kind == ImageHeader || h.Kind == DocumentHeader || h.Kind == VideoHeader) && h.Text == "":
		default:
			return ErrHeader
		}
	}
	if strings.TrimSpace(c.Body) == "" || !fits(c.Body, MaxBody) {
		return ErrBody
	}
	if err := checkVariables("components.body", c.Body, maxVars); err != nil {
		return err
	}
	if !fits(c.Footer, MaxFooter) || strings.Contains(c.Footer, "{{") {
		return ErrFooter
	}
	if len(c.Buttons) > MaxButtons {
		return ErrButtons
	}
	for i, b := range c.Buttons {
		if err := b.check(fmt.Sprintf("components.buttons[%d]", i)); err != nil {
			return err
		}
	}
	if len(c.Other) > maxOther || slices.ContainsFunc(c.Other, func(s string) bool { return !fits(s, text.MaxName) }) {
		return ErrUnknownPart
	}
	return nil
}

func (b Button) check(field string) error {
	textless := b.Kind == CopyCode || b.Kind == OTP // the provider names these
	switch {
	case !fits(b.Text, MaxButton), !textless && strings.TrimSpace(b.Text) == "":
		return about(ErrButtons, field+".text", "a button has a text of 1 to 25 characters")
	case b.Kind != URL && b.URL != "":
		return about(ErrButtons, field+".url", "only a button of kind url has one")
	case b.Kind != Phone && b.Phone != "":
		return about(ErrButtons, field+".phone", "only a button of kind phone has one")
	}
	switch b.Kind {
	case QuickReply, CopyCode, OTP:
		return nil
	case Phone:
		if !phoneForm.MatchString(b.Phone) {
			return about(ErrButtons, field+".phone", "a phone number is + and 5 to 15 digits")
		}
		return nil
	case URL:
		bare := strings.TrimSuffix(b.URL, "{{1}}")
		u, err := url.Parse(bare)
		if !fits(b.URL, MaxURL) || strings.Contains(bare, "{{") || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return about(ErrButtons, field+".url", "an address begins with https:// and may end in {{1}}")
		}
		return nil
	}
	return about(ErrButtons, field+".kind", "the kind is quick_reply, url, phone, copy_code or otp")
}

// equal reports whether two templates consist of the same.
func (c Components) equal(o Components) bool {
	if (c.Header == nil) != (o.Header == nil) || c.Header != nil && *c.Header != *o.Header {
		return false
	}
	return c.Body == o.Body && c.Footer == o.Footer && slices.Equal(c.Buttons, o.Buttons) && slices.Equal(c.Other, o.Other)
}

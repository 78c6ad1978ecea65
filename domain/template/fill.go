package template

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Values are what a use of a template fills in.
type Values struct {
	Header  map[string]string // by the variable's name, such as "1"
	Body    map[string]string // the same
	Buttons map[string]string // by the button's place, counted from "0": the end of an address, or a code
	Media   *File             // of a header that is no text
}

// File is what a header shows: something to be found at an address, or that was
// uploaded to the chat.
type File struct {
	ID       string // of the upload; "" with a link
	Link     string // https
	Filename string // of a document, for people
}

// Filled is a template with its values, as it is to be sent.
type Filled struct {
	Header  *FilledHeader
	Body    []Value
	Buttons []FilledButton
	Text    string // what the customer reads: header, body and footer
}

// FilledHeader is the header's value.
type FilledHeader struct {
	Kind  HeaderKind
	Value *Value // with kind text
	File  *File  // else
}

// Value is the value of a variable.
type Value struct {
	Name string // "" if variables are numbered
	Text string
}

// FilledButton is the value of a button that takes one.
type FilledButton struct {
	Place int // counted from 0
	Kind  ButtonKind
	Text  string
}

// Usable refuses a template that cannot be sent now.
func (s State) Usable() error {
	switch {
	case !s.Defined:
		return ErrNotFound
	case s.Status != Approved:
		return ErrNotApproved.With("the template is " + string(s.Status) + "; only an approved one can be sent")
	case len(s.Components.Other) > 0:
		return ErrUnknownPart.With("the template has parts that cannot be filled in here: " + strings.Join(s.Components.Other, ", "))
	}
	return nil
}

// Fill returns the template with its values. Every variable has to have one that is
// more than spaces, and there may be no other; a refusal names the first part that is
// at fault, and every variable of it that has no value.
func (c Components) Fill(v Values) (f Filled, err error) {
	var parts []string
	if f.Header, err = c.fillHeader(v, &parts); err != nil {
		return f, err
	}
	body, values, err := fillPart("body", c.Body, v.Body)
	if err != nil {
		return f, err
	}
	if !fits(body, MaxBody) {
		return f, about(ErrFilledLong, "values.body", "with its values, the body is longer than 1,024 characters")
	}
	f.Body = values
	parts = append(parts, body)
	if c.Footer != "" {
		parts = append(parts, c.Footer)
	}
	f.Text = strings.Join(parts, "\n\n")
	f.Buttons, err = c.fillButtons(v.Buttons)
	return f, err
}

func (c Components) fillHeader(v Values, parts *[]string) (*FilledHeader, error) {
	h := c.Header
	if h == nil || h.Kind == TextHeader {
		if v.Media != nil {
			return nil, about(ErrStrange, "values.media", "the template has no header with a file")
		}
		given := ""
		if h != nil {
			given = h.Text
		}
		filled, values, err := fillPart("header", given, v.Header)
		if err != nil || filled == "" {
			return nil, err
		}
		if !fits(filled, MaxHeader) {
			return nil, about(ErrFilledLong, "values.header", "with its value, the header is longer than 60 characters")
		}
		*parts = append(*parts, filled)
		if len(values) == 0 {
			return nil, nil //nolint:nilnil // nothing is to be filled in
		}
		return &FilledHeader{Kind: TextHeader, Value: &values[0]}, nil
	}
	if len(v.Header) > 0 {
		return nil, about(ErrStrange, "values.header", "the template's header is no text")
	}
	if v.Media == nil {
		return nil, about(ErrValue, "values.media", "there is no "+string(h.Kind)+" for the header")
	}
	u, err := url.Parse(v.Media.Link)
	if v.Media.ID != "" {
		if v.Media.Link != "" {
			return nil, about(ErrBadValue, "values.media.link", "want a link or the id of an upload, and one of them")
		}
	} else if err != nil || u.Scheme != "https" || u.Host == "" || !fits(v.Media.Link, MaxURL) {
		return nil, about(ErrBadValue, "values.media.link", "want an address that begins with https://")
	}
	if !fits(v.Media.Filename, text.MaxName) || v.Media.Filename != "" && h.Kind != DocumentHeader {
		return nil, about(ErrBadValue, "values.media.filename", "only a document has a file name, of at most 200 characters")
	}
	file := *v.Media
	return &FilledHeader{Kind: h.Kind, File: &file}, nil
}

// fillPart fills in one part; where names the values of it.
func fillPart(where, part string, given map[string]string) (filled string, values []Value, err error) {
	names := Variables(part)
	if err := onlyThese("values."+where, names, given); err != nil {
		return "", nil, err
	}
	var missing []string
	positional := numbered(names)
	for _, n := range names {
		v, ok := given[n]
		if !ok || strings.TrimSpace(v) == "" {
			missing = append(missing, "{{"+n+"}}")
			continue
		}
		if err := checkValue("values."+where+"."+n, v); err != nil {
			return "", nil, err
		}
		value := Value{Name: n, Text: v}
		if positional {
			value.Name = ""
		}
		values = append(values, value)
	}
	if len(missing) > 0 {
		return "", nil, about(ErrValue, "values."+where, "there is no value for "+strings.Join(missing, ", ")+" of the "+where)
	}
	filled = variable.ReplaceAllStringFunc(part, func(m string) string {
		return given[strings.TrimSpace(m[2:len(m)-2])]
	})
	return filled, values, nil
}

func onlyThese(field string, names []string, given map[string]string) error {
	for _, n := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, n) {
			return about(ErrStrange, field, "the template has no such variable: "+clip(n, 40))
		}
	}
	return nil
}

// checkValue refuses what the provider does not take inside of a template.
func checkValue(field, v string) error {
	if !fits(v, MaxBody) || strings.ContainsAny(v, "\n\r\t") || strings.Contains(v, "     ") {
		return about(ErrBadValue, field, ErrBadValue.Msg)
	}
	return nil
}

// Takes reports whether a button of this sort gets a value with each use.
func (b Button) Takes() bool {
	return b.Kind == CopyCode || b.Kind == OTP || b.Kind == URL && strings.HasSuffix(b.URL, "{{1}}")
}

func (c Components) fillButtons(given map[string]string) (out []FilledButton, err error) {
	var names []string
	for i, b := range c.Buttons {
		if b.Takes() {
			names = append(names, strconv.Itoa(i))
		}
	}
	if err := onlyThese("values.buttons", names, given); err != nil {
		return nil, err
	}
	for i, b := range c.Buttons {
		if !b.Takes() {
			continue
		}
		place := strconv.Itoa(i)
		v := given[place]
		field := "values.buttons." + place
		switch {
		case strings.TrimSpace(v) == "":
			return nil, about(ErrValue, field, fmt.Sprintf("there is no value for button %d", i))
		case b.Kind != URL && !fits(v, MaxCode):
			return nil, about(ErrFilledLong, field, "a code has at most 15 characters")
		case !fits(v, MaxURL):
			return nil, about(ErrFilledLong, field, "an address has at most 2,000 characters")
		}
		if err := checkValue(field, v); err != nil {
			return nil, err
		}
		out = append(out, FilledButton{Place: i, Kind: b.Kind, Text: v})
	}
	return out, nil
}

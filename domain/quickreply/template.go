package quickreply

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/internal/text"
)

const (
	maxPlaceholders = 100
	maxValue        = 1_000 // runes of a custom value
	customPrefix    = "custom."
	maxCustomName   = 40
	attributePrefix = "contact.attributes."
	maxAttribute    = 200 // bytes of an id
)

// Placeholders are the names between {{ and }} that have a value by themselves.
// Besides, there is contact.attributes.<id> for every attribute of the workspace's
// own, and custom.<name> for every name of small letters, digits and underscores,
// whose value comes with each use.
var Placeholders = []string{
	"contact.name", "contact.first_name", "contact.phone", "contact.email", "contact.company", "contact.city", "contact.country",
	"contact.gender", "contact.language",
	"agent.name", "agent.first_name", "agent.email",
	"chat.id", "chat.customer", "chat.channel", "chat.status", "chat.assignee", "chat.team",
	"workspace.name",
}

// Template is a text with its placeholders found.
type Template struct{ parts []part }

// part is text as it is, or a placeholder and the character it begins at.
type part struct {
	literal, name string
	place         int
}

// Parse finds the placeholders of a text. A refusal says at which character what
// is wrong is; the first is 1. "\{{" is "{{" as it is.
func Parse(s string) (t Template, err error) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{literal: literal.String()})
			literal.Reset()
		}
	}
	place, found := 1, 0
	for rest := s; rest != ""; {
		open := strings.Index(rest, "{{")
		if open < 0 {
			literal.WriteString(rest)
			break
		}
		before, after := rest[:open], rest[open+2:]
		place += utf8.RuneCountInString(before)
		if strings.HasSuffix(before, `\`) {
			literal.WriteString(before[:len(before)-1] + "{{")
			place += 2
			rest = after
			continue
		}
		literal.WriteString(before)
		inner, tail, closed := strings.Cut(after, "}}")
		if !closed {
			return Template{}, ErrUnclosed.With(fmt.Sprintf("the placeholder at character %d has no }}", place))
		}
		name := strings.TrimSpace(inner)
		if !isPlaceholder(name) {
			return Template{}, unknown(name, place)
		}
		flush()
		if found++; found > maxPlaceholders {
			return Template{}, ErrTooManyToFill
		}
		t.parts = append(t.parts, part{name: name, place: place})
		place += utf8.RuneCountInString(inner) + 4
		rest = tail
	}
	flush()
	return t, nil
}

func unknown(name string, place int) error {
	return ErrPlaceholder.With(fmt.Sprintf("{{%s}} at character %d is no placeholder: want %s, contact.attributes.<id of an attribute> or custom.<name>",
		short(name), place, strings.Join(Placeholders, ", ")))
}

// Attributes returns the ids of the workspace's own attributes that the text names.
func (t Template) Attributes() (ids []string) {
	for _, name := range t.Names() {
		if id, ok := strings.CutPrefix(name, attributePrefix); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// check refuses attributes that are not among those given.
func (t Template) check(attributes []string) error {
	for _, p := range t.parts {
		if id, ok := strings.CutPrefix(p.name, attributePrefix); ok && !slices.Contains(attributes, id) {
			return unknown(p.name, p.place)
		}
	}
	return nil
}

// short keeps a refusal readable.
func short(name string) string {
	const most = 40
	if r := []rune(name); len(r) > most {
		return string(r[:most]) + "…"
	}
	return name
}

func isPlaceholder(name string) bool {
	if custom, ok := strings.CutPrefix(name, customPrefix); ok {
		return custom != "" && len(custom) <= maxCustomName && strings.Trim(custom, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
	}
	if id, ok := strings.CutPrefix(name, attributePrefix); ok {
		return id != "" && len(id) <= maxAttribute && !strings.ContainsFunc(id, func(r rune) bool {
			return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
		})
	}
	return slices.Contains(Placeholders, name)
}

// Names returns the placeholders, each once, in the order of the text.
func (t Template) Names() (names []string) {
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Fill returns the text with each placeholder replaced by its value. A value of
// nothing but spaces is none, and a placeholder without a value is a refusal that
// names all of them. Custom values are by the part of the name behind the dot;
// one for no placeholder of the text is refused, too.
func (t Template) Fill(values, custom map[string]string) (string, error) {
	names := t.Names()
	for name, v := range custom {
		if !slices.Contains(names, customPrefix+name) {
			return "", ErrCustomUnknown.With(fmt.Sprintf("the text has no {{%s%s}}", customPrefix, short(name)))
		}
		if !text.Clean(v) || utf8.RuneCountInString(v) > maxValue {
			return "", ErrCustomUnclean
		}
	}
	var b strings.Builder
	var missing []string
	refusal := ErrCustomMissing
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		v := values[p.name]
		name, isCustom := strings.CutPrefix(p.name, customPrefix)
		if isCustom {
			v = custom[name]
		}
		if strings.TrimSpace(v) == "" {
			if braced := "{{" + p.name + "}}"; !slices.Contains(missing, braced) {
				missing = append(missing, braced)
			}
			if !isCustom {
				refusal = ErrValueMissing
			}
		}
		b.WriteString(v)
	}
	switch {
	case len(missing) > 0:
		return "", refusal.With("there is no value for " + strings.Join(missing, ", "))
	case utf8.RuneCountInString(b.String()) > MaxText:
		return "", ErrFilledIsTooLong
	}
	return b.String(), nil
}

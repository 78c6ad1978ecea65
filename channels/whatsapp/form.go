package whatsapp

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/chatledger/chatledger/domain/contact"
)

// parseForm returns what the answers of a flow say about the customer, nil if they
// give neither name nor e-mail address nor phone number. What is no address or number is
// not taken; it stays among the answers.
func parseForm(answers node, from string) *Details {
	form := formFields(answers)
	one := func(field string) string {
		if v := form[field]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	d := Details{Name: one("fullname"), City: one("city"), Country: one("country")}
	if d.Name == "" {
		d.Name = one("name")
	}
	if d.Name == "" {
		d.Name = strings.TrimSpace(one("firstname") + " " + one("lastname"))
	}
	for _, v := range form["email"] {
		if contact.IsEmail(v) && !slices.Contains(d.Emails, v) {
			d.Emails = append(d.Emails, v)
		}
	}
	for _, v := range slices.Concat(form["phone"], form["phonenumber"]) {
		if number := formPhone(v, from); number != "" && !slices.Contains(d.Phones, number) {
			d.Phones = append(d.Phones, number)
		}
	}
	if d.Name == "" && len(d.Emails)+len(d.Phones) == 0 {
		return nil
	}
	return &d
}

// Meta's form builder calls a field "screen_0_First_name_1", after its screen, its label
// and its place, and a choice "0_New_York".
var (
	builtField  = regexp.MustCompile(`^screen_\d+_(.+)_\d+$`)
	builtChoice = regexp.MustCompile(`^\d+_`)
)

// formFields returns the texts among the answers by the names of their fields, without
// what is written in different ways: "E-mail" and "e_mail" are "email". Of one name,
// they are in the order of the fields as they are called in the form.
func formFields(answers node) map[string][]string {
	all, _ := answers.v.(map[string]any)
	fields := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value := strings.TrimSpace(node{all[key]}.text(maxWord))
		name := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(key))
		if m := builtField.FindStringSubmatch(name); m != nil {
			name = m[1]
			if place := builtChoice.FindString(value); place != "" {
				value = strings.ReplaceAll(value[len(place):], "_", " ")
			}
		}
		name = strings.ReplaceAll(name, "_", "")
		if value != "" && len(fields[name]) < maxFields {
			fields[name] = append(fields[name], value)
		}
	}
	return fields
}

// formPhone returns a number as it is kept: in international form where that can be
// told, else as it was given. It is "" for what is no number.
func formPhone(given, from string) string {
	number, international := contact.Phone(given)
	switch {
	case !contact.IsPhone(given):
		return ""
	case digits(given) == from:
		return "+" + from
	case !international && strings.HasPrefix(given, "+"):
		return ""
	case !international:
		return given
	}
	n, err := phonenumbers.Parse(number, "ZZ")
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

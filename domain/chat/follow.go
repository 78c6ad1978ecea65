package chat

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// FollowContact tells a chat what the contact of its customer has by now, so that
// whoever works in the chat sees the same name. What the chat knows already is no
// event, nor is anything of a chat that is hidden.
type FollowContact struct {
	ShareDetails
	Only []string // of what is emptied, only these values are taken away; any if there are none
}

// Decide implements the command.
func (c FollowContact) Decide(s State) ([]Event, error) {
	if !s.Exists || s.Deleted {
		return nil, nil
	}
	d := c.ShareDetails
	// Contacts that were merged may have more than one chat takes; the first are shown.
	d.Emails, d.Phones = d.Emails[:min(len(d.Emails), maxDetails)], d.Phones[:min(len(d.Phones), maxDetails)]
	for _, f := range []struct {
		value *string
		known dated
	}{{&d.Name, s.Known.Name}, {&d.Company, s.Known.Company}, {&d.City, s.Known.City}, {&d.Country, s.Known.Country}} {
		if *f.value == f.known.Value || !f.known.news(*f.value, d.At) {
			*f.value = ""
		}
	}
	if len(d.Emails) > 0 && (strings.EqualFold(d.Emails[0], s.Known.Email.Value) || !s.Known.Email.news(d.Emails[0], d.At)) {
		d.Emails = nil
	}
	// The number that the customer writes from is shown without being told.
	if len(d.Phones) > 0 && (digits(d.Phones[0]) == digits(cmp.Or(s.Known.Phone.Value, s.Customer)) || !s.Known.Phone.news(d.Phones[0], d.At)) {
		d.Phones = nil
	}
	d.Emptied = nil
	for _, detail := range c.Emptied {
		if known := s.Known.detail(detail); known != nil && known.Value != "" && !c.has(detail) && (c.Only == nil || slices.Contains(c.Only, known.Value)) && d.At.UnixMicro() >= known.at {
			d.Emptied = append(d.Emptied, detail)
		}
	}
	if len(d.Emptied) > 0 {
		return d.Decide(s)
	}
	if d.Name == "" && len(d.Emails)+len(d.Phones) == 0 {
		if d.Company+d.City+d.Country == "" && !s.Details.At.IsZero() {
			return nil, nil
		}
		d.Name = s.Known.Name.Value // one of the three is needed
		if d.Name == "" {
			d.Phones = c.Phones[:min(len(c.Phones), maxDetails)]
		}
	}
	if d.Name == "" && len(d.Emails)+len(d.Phones) == 0 {
		return nil, nil // of a contact without any
	}
	return d.Decide(s)
}

// has reports whether the contact has a detail, from another of its parts perhaps.
func (c FollowContact) has(detail string) bool {
	switch detail {
	case DetailName:
		return c.Name != ""
	case DetailEmails:
		return len(c.Emails) > 0
	case DetailPhones:
		return len(c.Phones) > 0
	case DetailCompany:
		return c.Company != ""
	case DetailCity:
		return c.City != ""
	}
	return c.Country != ""
}

// news reports whether a value would be the latest.
func (d dated) news(value string, at time.Time) bool {
	return value != "" && (!d.told() || at.UnixMicro() >= d.at)
}

// digits returns what two ways to write a number have in common.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

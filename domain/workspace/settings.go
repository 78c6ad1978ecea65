package workspace

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
	"github.com/chatledger/chatledger/domain/team"
)

// Limits of settings.
const (
	maxLanguages = 50
	maxWords     = 50
	maxWordRunes = 40
	maxRetention = 3_650    // days
	maxAccepting = 7 * 1440 // minutes
)

// What a chat has after the customer wrote to it while it was closed.
const (
	ReopenDefault  = "default"  // the workspace's default status
	ReopenPrevious = "previous" // the status that it had before it was closed

	KeepAssignee = "keep"
	Unassign     = "unassign"
)

// Accepting is how many minutes a transfer waits to be accepted where nothing
// else is set.
const Accepting = 15

// Settings are how a workspace works. A part that is nil is not set: As says what
// holds then. In an event, a part that is nil was not changed.
type Settings struct {
	Reopening *Reopening  `json:"reopening,omitempty"`
	Hours     *team.Hours `json:"hours,omitempty"`
	Languages *Languages  `json:"languages,omitempty"`
	Words     *Words      `json:"opt_out,omitempty"`
	Retention *Retention  `json:"retention,omitempty"`
	Transfers *Transfers  `json:"transfers,omitempty"`
}

// Reopening is what becomes of a closed chat when the customer writes.
type Reopening struct {
	Status   string `json:"status"`
	Assignee string `json:"assignee"`
}

// Languages are those that customers are written to in, such as "en" or "pt_BR".
type Languages struct {
	Default string   `json:"default,omitempty"`
	Offered []string `json:"offered,omitempty"`
}

// Words are what a customer writes to take no more marketing, and to take it
// again. Without any, those that are built in are meant.
type Words struct {
	Out []string `json:"out,omitempty"`
	In  []string `json:"in,omitempty"`
}

// Retention is for how many days a closed chat stays in the lists after its last
// activity; 0 is for good.
type Retention struct {
	ClosedDays int `json:"closed_days"`
}

// Transfers says whether a chat that is handed to somebody is theirs at once.
type Transfers struct {
	Accept  bool `json:"accept"`
	Minutes int  `json:"minutes"` // for which a transfer waits to be accepted
}

// As returns s with every part: what is not set is as it was before there were
// settings.
func (s Settings) As() Settings {
	fallback(&s.Reopening, Reopening{ReopenDefault, KeepAssignee})
	fallback(&s.Hours, team.Hours{})
	fallback(&s.Languages, Languages{})
	fallback(&s.Words, Words{})
	fallback(&s.Retention, Retention{})
	fallback(&s.Transfers, Transfers{Minutes: Accepting})
	return s
}

// With returns s after a change of parts.
func (s Settings) With(changed Settings) Settings {
	if changed.Reopening != nil {
		s.Reopening = changed.Reopening
	}
	if changed.Hours != nil {
		s.Hours = changed.Hours
	}
	if changed.Languages != nil {
		s.Languages = changed.Languages
	}
	if changed.Words != nil {
		s.Words = changed.Words
	}
	if changed.Retention != nil {
		s.Retention = changed.Retention
	}
	if changed.Transfers != nil {
		s.Transfers = changed.Transfers
	}
	return s
}

func fallback[T any](part **T, unset T) {
	if *part == nil {
		*part = &unset
	}
}

// ChangeSettings says how a workspace works from now on: each part that is given
// replaces the one there is. As it is already is no event. Whether there is the
// time zone of its hours is for the caller to know.
type ChangeSettings struct {
	Settings
	By string
}

// Decide implements the command.
func (c ChangeSettings) Decide(s State) ([]Event, error) {
	to := c.tidy()
	if err := to.check(); err != nil {
		return nil, err
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	e, now := SettingsChanged{By: c.By}, s.Settings.As()
	change(&e, to.Reopening, now.Reopening, func(p *Settings) **Reopening { return &p.Reopening })
	change(&e, to.Hours, now.Hours, func(p *Settings) **team.Hours { return &p.Hours })
	change(&e, to.Languages, now.Languages, func(p *Settings) **Languages { return &p.Languages })
	change(&e, to.Words, now.Words, func(p *Settings) **Words { return &p.Words })
	change(&e, to.Retention, now.Retention, func(p *Settings) **Retention { return &p.Retention })
	change(&e, to.Transfers, now.Transfers, func(p *Settings) **Transfers { return &p.Transfers })
	if e.To == (Settings{}) {
		return nil, nil
	}
	return []Event{e}, nil
}

// change notes in e that a part is another from now on, if it is.
func change[T any](e *SettingsChanged, to, from *T, part func(*Settings) **T) {
	if to != nil && !reflect.DeepEqual(to, from) {
		*part(&e.To), *part(&e.From) = to, from
	}
}

// tidy returns the parts as they are kept: in full, and lists without the spaces
// that a form brings.
func (s Settings) tidy() Settings {
	if s.Reopening != nil {
		r := *s.Reopening
		if r.Status == "" {
			r.Status = ReopenDefault
		}
		if r.Assignee == "" {
			r.Assignee = KeepAssignee
		}
		s.Reopening = &r
	}
	if s.Languages != nil {
		l := Languages{strings.TrimSpace(s.Languages.Default), trimmed(s.Languages.Offered)}
		if l.Default == "" && len(l.Offered) > 0 {
			l.Default = l.Offered[0]
		}
		if l.Default != "" && !slices.Contains(l.Offered, l.Default) {
			l.Offered = append([]string{l.Default}, l.Offered...)
		}
		s.Languages = &l
	}
	if s.Words != nil {
		s.Words = &Words{trimmed(s.Words.Out), trimmed(s.Words.In)}
	}
	if s.Transfers != nil && s.Transfers.Minutes == 0 {
		s.Transfers = &Transfers{s.Transfers.Accept, Accepting}
	}
	return s
}

func trimmed(list []string) (out []string) {
	for _, s := range list {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

// languageForm is what WhatsApp has as the codes of templates' languages.
var languageForm = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2})?$`)

func (s Settings) check() error {
	if r := s.Reopening; r != nil {
		switch {
		case r.Status != ReopenDefault && r.Status != ReopenPrevious:
			return ErrReopenStatus
		case r.Assignee != KeepAssignee && r.Assignee != Unassign:
			return ErrReopenAssignee
		}
	}
	if s.Hours != nil {
		if err := s.Hours.Check(); err != nil {
			return InHours(err)
		}
	}
	if l := s.Languages; l != nil {
		if len(l.Offered) > maxLanguages || repeats(l.Offered) || slices.ContainsFunc(l.Offered, func(code string) bool { return !languageForm.MatchString(code) }) {
			return ErrLanguages
		}
	}
	if w := s.Words; w != nil {
		for _, list := range [][]string{w.Out, w.In} {
			if len(list) > maxWords || slices.ContainsFunc(list, func(word string) bool { return wordText.Check(word) != nil }) {
				return ErrWords
			}
		}
		switch {
		case repeats(w.Out), repeats(w.In):
			return ErrWords
		case slices.ContainsFunc(slices.Concat(w.Out, w.In), func(word string) bool { return text.Word(word) == "" }):
			return ErrUnheard
		case repeats(slices.Concat(alike(w.Out), alike(w.In))):
			return ErrBothWays
		case len(w.In) > 0 && len(w.Out) == 0:
			return ErrNoOptOut
		}
	}
	if r := s.Retention; r != nil && (r.ClosedDays < 0 || r.ClosedDays > maxRetention) {
		return ErrRetention
	}
	if t := s.Transfers; t != nil && (t.Minutes < 1 || t.Minutes > maxAccepting) {
		return ErrAccepting
	}
	return nil
}

// InHours names the field of hours as it is called among settings.
func InHours(err error) error {
	if refused, ok := errors.AsType[*fault.Error](err); ok {
		of := *refused
		of.Field = "hours." + of.Field
		return &of
	}
	return err
}

// alike returns each of what some words are when customers write them, once.
func alike(words []string) []string {
	heard := make([]string, len(words))
	for i, w := range words {
		heard[i] = text.Word(w)
	}
	slices.Sort(heard)
	return slices.Compact(heard)
}

// repeats reports whether two names of a list are taken for the same.
func repeats(list []string) bool {
	seen := map[string]bool{}
	for _, s := range list {
		key := text.Key(s)
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// Speak returns the languages to write to a customer in, the best first: the
// customer's own, what is offered of the same, and the workspace's default.
func (l Languages) Speak(customer string) (out []string) {
	add := func(code string) {
		if code != "" && !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	base := func(code string) string { b, _, _ := strings.Cut(code, "_"); return b }
	for _, want := range []string{strings.ReplaceAll(customer, "-", "_"), l.Default} {
		add(want)
		for _, code := range l.Offered {
			if base(code) == base(want) {
				add(code)
			}
		}
		add(base(want))
	}
	return out
}

package contact

import (
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Add makes a contact by hand, perhaps of the customer of a chat, whose number comes
// first. One that exists is refused.
type Add struct {
	Workspace string
	Changes   []Change
	Link      Link   // the chat
	Profile   string // as in Record
	Source    Source
	Status    string // the workspace's default
	Category  Category
	At        time.Time
}

// Decide implements the command.
func (c Add) Decide(s State) ([]Event, error) {
	switch {
	case s.Deleted:
		return nil, ErrDeleted
	case s.Exists:
		return nil, ErrExists
	}
	r := Record{
		Workspace: c.Workspace, Changes: c.Changes, Source: c.Source, Link: c.Link, Profile: c.Profile,
		Status: c.Status, Category: c.Category, At: c.At, Strict: true,
	}
	if c.Link.Chat != "" {
		changes, err := clean(c.Changes, true)
		if err != nil {
			return nil, err
		}
		if !identified(changes) { // the number of the chat alone makes no contact
			return nil, ErrNoDetails
		}
		if number, ok := Phone("+" + c.Link.Customer); ok {
			r.Changes = withPhone(changes, number, true)
		}
	}
	return r.Decide(s)
}

// Record says what is known of somebody, who becomes a contact if there is none
// yet. It adds to lists and replaces other values, but for those that were given
// later. What is known already is no event. With a new chat comes the number that
// the customer writes from, and with any the name of their profile, if nobody has told one.
type Record struct {
	Workspace string
	Changes   []Change
	Source    Source
	Link      Link   // the chat that it comes from, if it does
	Profile   string // the name that the customer has in its channel
	Status    string
	Category  Category
	At        time.Time
	Strict    bool // refuse what is no e-mail address or phone number, and what is too long
	Revive    bool // a deleted contact comes back
}

// Decide implements the command.
func (c Record) Decide(s State) ([]Event, error) {
	if c.Workspace == "" {
		return nil, ErrWorkspace
	}
	if err := c.Source.check(); err != nil {
		return nil, err
	}
	_, linked := s.Chats[c.Link.Chat]
	linked = linked || c.Link.Chat == "" || len(s.Chats) >= MaxChats
	if number, ok := Phone("+" + c.Link.Customer); ok && !linked {
		c.Changes = withPhone(c.Changes, number, false)
	}
	changes, err := clean(c.Changes, c.Strict)
	if err != nil {
		return nil, err
	}
	if !c.Strict {
		changes = slices.DeleteFunc(changes, func(ch Change) bool { return len(ch.Values) == 0 })
	}
	var events []Event
	switch {
	case !s.Exists:
		if c.Source.Reason != ByChatflow && !identified(changes) {
			return nil, ErrNoDetails
		}
		events = append(events, Added{Workspace: c.Workspace, Source: c.Source, Status: c.Status, Category: c.Category, At: c.At})
	case s.Deleted && !c.Revive:
		return nil, ErrDeleted
	case s.Deleted:
		source := c.Source
		events = append(events, Restored{By: c.Source.By, Source: &source})
	}
	news, err := s.differ(changes, c.At, true)
	if err != nil {
		return nil, err
	}
	if len(news) > 0 {
		events = append(events, DetailsSet{Changes: news, Source: c.Source, At: c.At})
	}
	if !linked {
		events = append(events, ChatLinked{Link: c.Link, At: c.At})
	}
	return append(events, s.profile(c.Profile, c.Link, c.At, news)...), nil
}

// profile gives a contact the name that its customer has in a channel, unless somebody
// has told or taken away one, or does so in news.
func (s State) profile(name string, l Link, at time.Time, news []Change) []Event {
	_, told := s.Fields[Name]
	told = told || slices.ContainsFunc(news, func(c Change) bool { return c.Field == Name })
	if r := []rune(name); len(r) > MaxValue {
		name = string(r[:MaxValue])
	}
	if name = strings.TrimSpace(name); told || len(s.Fields) >= MaxFields || name == "" || valueText.Check(name) != nil {
		return nil
	}
	return []Event{DetailsSet{Changes: []Change{{Field: Name, Values: []string{name}}}, Source: Source{Reason: ByProfile, Chat: l.Chat}, At: at}}
}

// withPhone returns changes that give the number, too, before or behind others.
func withPhone(changes []Change, number string, before bool) []Change {
	out := slices.Clone(changes)
	for i, c := range out {
		if c.Field != Phones {
			continue
		}
		if out[i].Values = append(slices.Clone(c.Values), number); before {
			out[i].Values = append([]string{number}, c.Values...)
		}
		return out
	}
	return append(out, Change{Field: Phones, Values: []string{number}})
}

// LinkChat says that a customer's chat is one of the contact that they are. Of
// somebody who is no contact, or of more chats than a contact can have, it is no
// event.
type LinkChat struct {
	Link    Link
	Profile string // as in Record
	At      time.Time
}

// Decide implements the command.
func (c LinkChat) Decide(s State) ([]Event, error) {
	_, linked := s.Chats[c.Link.Chat]
	if !s.Exists || s.Deleted || linked || len(s.Chats) >= MaxChats {
		return nil, nil
	}
	return append([]Event{ChatLinked{Link: c.Link, At: c.At}}, s.profile(c.Profile, c.Link, c.At, nil)...), nil
}

// Edit gives fields other values, by hand. The values they have are no event. Who has a
// name, an address or a number keeps one of them at least.
type Edit struct {
	Changes []Change
	By      AgentID
	At      time.Time
}

// Decide implements the command.
func (c Edit) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	changes, err := clean(c.Changes, true)
	if err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	news, err := s.differ(changes, c.At, false)
	if err != nil || len(news) == 0 {
		return nil, err
	}
	if s.identified(nil) && !s.identified(news) {
		return nil, ErrNoDetails
	}
	return []Event{DetailsSet{Changes: news, Source: Source{Reason: ByAgent, By: c.By}, At: c.At}}, nil
}

// identified reports whether there is a name, an address or a number after some changes.
func (s State) identified(changes []Change) bool {
	return slices.ContainsFunc([]string{Name, Emails, Phones}, func(field string) bool {
		if i := slices.IndexFunc(changes, func(c Change) bool { return c.Field == field }); i >= 0 {
			return len(changes[i].Values) > 0
		}
		return len(s.Fields[field].Values) > 0
	})
}

// differ returns the changes that say something new, with all values that a field
// has afterwards.
func (s State) differ(changes []Change, at time.Time, add bool) ([]Change, error) {
	var news []Change
	fields := len(s.Fields)
	for _, ch := range changes {
		held := s.Fields[ch.Field]
		older := at.Before(held.At) && !held.Profile
		switch {
		case !add:
		case Many(ch.Field):
			values := slices.Clone(ch.Values)
			if older { // what was given later stays in front
				values = slices.Concat(held.Values, values)
			} else if !every(held.Values, values) {
				values = slices.Concat(values, held.Values)
			} else {
				continue
			}
			ch.Values = distinct(ch.Field, values)
			ch.Values = ch.Values[:min(len(ch.Values), MaxValues)]
		case older || len(ch.Values) == 0:
			continue
		}
		if slices.Equal(ch.Values, held.Values) && !held.Profile {
			continue
		}
		if len(held.Values) == 0 {
			fields++
		}
		news = append(news, ch)
	}
	if fields > MaxFields && len(news) > 0 {
		return nil, ErrTooMany
	}
	return news, nil
}

// every reports whether all of some values are held.
func every(held, values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(held, v) })
}

// identified reports whether there is a name, an address or a number.
func identified(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool {
		return len(c.Values) > 0 && (c.Field == Name || c.Field == Emails || c.Field == Phones)
	})
}

func (s Source) check() error {
	switch s.Reason {
	case ByContactCard, ByForm, ByImport, ByAgent, ByChatflow:
	default:
		return ErrReason
	}
	if (s.Reason == ByAgent || s.Reason == ByImport) && s.By == "" {
		return ErrByMissing
	}
	for _, v := range []string{s.Import, s.Flow, s.Question} {
		if err := reasonText.Check(v); err != nil {
			return err
		}
	}
	return nil
}

// clean returns changes as they are kept, or refuses them.
func clean(changes []Change, strict bool) ([]Change, error) {
	if len(changes) > MaxFields {
		return nil, ErrTooMany
	}
	seen := make(map[string]bool, len(changes))
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		_, custom := Attribute(c.Field)
		switch {
		case !custom && !slices.Contains(Fields(), c.Field) || len(c.Field) > 100 || !text.Clean(c.Field):
			return nil, ErrField
		case seen[c.Field]:
			return nil, inField(ErrFieldTwice, c.Field)
		}
		seen[c.Field] = true
		values := make([]string, 0, len(c.Values))
		for _, v := range c.Values {
			v = strings.TrimSpace(v)
			if r := []rune(v); !strict && len(r) > MaxValue {
				v = string(r[:MaxValue])
			}
			if err := valueText.Check(v); err != nil {
				return nil, inField(ErrValue, c.Field)
			}
			switch {
			case v == "":
				continue
			case c.Field == Emails && strict && !IsEmail(v):
				return nil, ErrEmail
			case c.Field == Phones && strict && !IsPhone(v):
				return nil, ErrPhone
			case c.Field == Phones:
				v, _ = Phone(v)
			}
			values = append(values, v)
		}
		values = distinct(c.Field, values)
		switch {
		case len(values) > 1 && !Many(c.Field), len(values) > MaxValues && strict:
			return nil, inField(ErrValues, c.Field)
		case len(values) == 0:
			values = nil
		}
		out = append(out, Change{Field: c.Field, Values: values})
	}
	return out, nil
}

// distinct returns values without repeats. Of an address, case does not count.
func distinct(field string, values []string) []string {
	var out []string
	for _, v := range values {
		if !slices.ContainsFunc(out, func(o string) bool { return o == v || field == Emails && Email(o) == Email(v) }) {
			out = append(out, v)
		}
	}
	return out
}

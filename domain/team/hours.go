package team

import (
	"reflect"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Limits of hours.
const (
	maxZone       = 64
	maxSpans      = 10 // of a day
	maxExceptions = 400
)

// Hours is when a team works. Without a zone it always does.
type Hours struct {
	Zone       string      `json:"zone,omitempty"` // an IANA name, such as "Europe/Berlin"
	Weekly     []Span      `json:"weekly,omitempty"`
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Span is a part of a day of the week.
type Span struct {
	Day  int    `json:"day"`  // 1 is Monday, 7 Sunday; of an exception 0
	From string `json:"from"` // "09:00"
	To   string `json:"to"`   // "17:30", at most "24:00": the first minute that is out
}

// Exception is a date with hours of its own, perhaps none.
type Exception struct {
	Date string `json:"date"` // "2026-12-24"
	Open []Span `json:"open,omitempty"`
}

// SetHours says when the team works. As before is no event. Whether there is such
// a zone is for the caller to know.
type SetHours struct {
	Team  ID
	Hours Hours
}

// Decide implements the command.
func (c SetHours) Decide(s State) ([]Event, error) {
	if err := c.Hours.Check(); err != nil {
		return nil, err
	}
	t, err := s.live(c.Team)
	if err != nil || reflect.DeepEqual(t.hours, c.Hours) {
		return nil, err
	}
	return []Event{HoursSet{Team: c.Team, Hours: c.Hours}}, nil
}

// Check refuses hours that cannot be: of days, dates and times that there are not,
// or without a zone. Whether there is the zone is for the caller to know.
func (h Hours) Check() error {
	if len(h.Zone) > maxZone || !text.Clean(h.Zone) || h.Zone == "" && len(h.Weekly)+len(h.Exceptions) > 0 {
		return ErrZone
	}
	perDay := map[int]int{}
	for _, s := range h.Weekly {
		if perDay[s.Day]++; s.Day < 1 || s.Day > 7 || !s.valid() || perDay[s.Day] > maxSpans {
			return ErrSpan
		}
	}
	if len(h.Exceptions) > maxExceptions {
		return ErrException
	}
	seen := map[string]bool{}
	for _, e := range h.Exceptions {
		if _, err := time.Parse(time.DateOnly, e.Date); err != nil || seen[e.Date] || len(e.Open) > maxSpans {
			return ErrException
		}
		seen[e.Date] = true
		for _, s := range e.Open {
			if s.Day != 0 || !s.valid() {
				return ErrException
			}
		}
	}
	return nil
}

// Open reports whether a team works at a time, which is given in its zone.
func (h Hours) Open(local time.Time) bool {
	if h.Zone == "" {
		return true
	}
	minute := local.Hour()*60 + local.Minute()
	date := local.Format(time.DateOnly)
	for _, e := range h.Exceptions {
		if e.Date == date {
			return within(e.Open, 0, minute)
		}
	}
	day := (int(local.Weekday())+6)%7 + 1
	return within(h.Weekly, day, minute)
}

func within(spans []Span, day, minute int) bool {
	for _, s := range spans {
		from, _ := minutes(s.From)
		to, _ := minutes(s.To)
		if s.Day == day && from <= minute && minute < to {
			return true
		}
	}
	return false
}

func (s Span) valid() bool {
	from, ok := minutes(s.From)
	to, ok2 := minutes(s.To)
	return ok && ok2 && from < to
}

// minutes returns what a time of day such as "09:30" is in minutes.
func minutes(clock string) (int, bool) {
	hours, mins, ok := strings.Cut(clock, ":")
	if !ok || len(hours) != 2 || len(mins) != 2 || strings.Trim(hours+mins, "0123456789") != "" {
		return 0, false
	}
	h, m := int(hours[0]-'0')*10+int(hours[1]-'0'), int(mins[0]-'0')*10+int(mins[1]-'0')
	return h*60 + m, m < 60 && h*60+m <= 24*60
}

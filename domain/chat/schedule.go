package chat

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
)

// Limits of scheduled messages.
const (
	MaxScheduled = 100 // of a chat at once
	MaxAhead     = 366 * 24 * time.Hour
)

// Later says when a message is to be sent that is not to be sent now.
type Later struct {
	SendAt        time.Time
	CancelOnReply bool // not to be sent if the customer writes before
}

// check refuses what is no time to come.
func (l Later) check(now time.Time) error {
	if !l.SendAt.After(now) || l.SendAt.After(now.Add(MaxAhead)) {
		return ErrSendAt
	}
	return nil
}

// Scheduled is a message that waits for its time.
type Scheduled struct {
	Outgoing
	Later
	By  AgentID
	Bot bool
}

// schedule has sent later what could be queued now but for the window: by then the
// customer may have written.
func (s State) schedule(m MessageQueued, l Later) ([]Event, error) {
	if _, waits := s.Scheduled[m.Message]; waits {
		return nil, nil
	}
	l.SendAt = l.SendAt.UTC().Truncate(time.Microsecond)
	if err := l.check(m.At); err != nil {
		return nil, err
	}
	if err := s.takes(m.Outgoing()); err != nil {
		return nil, err
	}
	if len(s.Scheduled) >= MaxScheduled {
		return nil, ErrTooManyScheduled
	}
	return []Event{MessageScheduled{
		Message: m.Message, Outgoing: m.Outgoing(), SendAt: l.SendAt, CancelOnReply: l.CancelOnReply, By: m.By, Bot: m.Bot, At: m.At,
	}}, nil
}

// takes refuses marketing for a customer who has opted out. Of a message that is sent
// by hand the one who sends it decides; nobody looks at one that is due.
func (s State) takes(o Outgoing) error {
	if s.OptedOut && o.Template != nil && o.Template.Category == "marketing" {
		return ErrOptedOut
	}
	return nil
}

// ChangeScheduled changes a message that waits for its time. What is nil stays; what
// it has already is no event. A new text is no longer that of a quick reply.
type ChangeScheduled struct {
	Message       MessageID
	Text          *string
	SendAt        *time.Time
	CancelOnReply *bool
	By            AgentID
	Bot           bool // By is a bot, not a person
	At            time.Time
}

// Decide implements the command.
func (c ChangeScheduled) Decide(s State) ([]Event, error) {
	old, err := s.scheduled(c.Message, c.By)
	if err != nil {
		return nil, err
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	m := old
	if c.Text != nil && *c.Text != m.Text {
		switch {
		case m.Template != nil:
			return nil, ErrTemplateText
		case m.Interactive != nil:
			return nil, ErrInteractiveText
		}
		m.Text, m.QuickReply = *c.Text, nil
		if err := m.Outgoing.check(); err != nil {
			return nil, err
		}
	}
	if c.SendAt != nil {
		if m.SendAt = c.SendAt.UTC().Truncate(time.Microsecond); !m.SendAt.Equal(old.SendAt) {
			if err := m.Later.check(c.At); err != nil {
				return nil, err
			}
		}
	}
	if c.CancelOnReply != nil {
		m.CancelOnReply = *c.CancelOnReply
	}
	if m.Text == old.Text && m.SendAt.Equal(old.SendAt) && m.CancelOnReply == old.CancelOnReply {
		return nil, nil
	}
	return []Event{ScheduleChanged{
		Message: c.Message, Outgoing: m.Outgoing, SendAt: m.SendAt, CancelOnReply: m.CancelOnReply, By: c.By, Bot: c.Bot, At: c.At,
	}}, nil
}

// CancelScheduled takes back a message that waits for its time. One that waits no
// more is not found.
type CancelScheduled struct {
	Message MessageID
	By      AgentID
	Bot     bool // By is a bot, not a person
	At      time.Time
}

// Decide implements the command.
func (c CancelScheduled) Decide(s State) ([]Event, error) {
	if _, err := s.scheduled(c.Message, c.By); err != nil {
		return nil, err
	}
	return []Event{ScheduleCancelled{Message: c.Message, Reason: CancelledByAgent, By: c.By, Bot: c.Bot, At: c.At}}, nil
}

// scheduled returns a message that somebody wants to change.
func (s State) scheduled(id MessageID, by AgentID) (m Scheduled, err error) {
	switch {
	case id == "":
		return m, ErrMessageMissing
	case by == "":
		return m, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return m, err
	}
	m, ok := s.Scheduled[id]
	if !ok {
		return m, ErrNotScheduled
	}
	return m, nil
}

// SendDue queues a scheduled message whose time has come, or says why it cannot be
// sent. If its time has not come, because somebody moved it, or it was cancelled, it
// is no event.
type SendDue struct {
	Message MessageID
	At      time.Time
	Blocked bool // as those of SendMessage
	Window  time.Duration
}

// Decide implements the command.
func (c SendDue) Decide(s State) ([]Event, error) {
	m, ok := s.Scheduled[c.Message]
	if !ok || c.At.Before(m.SendAt) {
		return nil, nil
	}
	events, err := SendMessage{Message: c.Message, Outgoing: m.Outgoing, By: m.By, Bot: m.Bot, At: c.At, Blocked: c.Blocked, Window: c.Window, due: true}.Decide(s)
	if err == nil {
		err = s.takes(m.Outgoing)
	}
	if f, refused := errors.AsType[*fault.Error](err); refused {
		return []Event{ScheduleFailed{Message: c.Message, Code: f.Code, Reason: f.Msg, At: c.At}}, nil
	}
	for i, e := range events {
		if queued, ok := e.(MessageQueued); ok {
			queued.Scheduled = true
			events[i] = queued
		}
	}
	return events, err
}

// cancelOnReply returns what becomes of scheduled messages when the customer writes.
func (s State) cancelOnReply(by MessageID, at time.Time) (events []Event) {
	for _, id := range slices.Sorted(maps.Keys(s.Scheduled)) {
		if s.Scheduled[id].CancelOnReply {
			events = append(events, ScheduleCancelled{Message: id, Reason: CancelledByReply, Reply: by, At: at})
		}
	}
	return events
}

// CancelReason says why a scheduled message is not sent.
type CancelReason string

// Reasons to cancel a scheduled message.
const (
	CancelledByAgent CancelReason = "agent"
	CancelledByReply CancelReason = "reply" // the customer wrote before
)

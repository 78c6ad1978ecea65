package chat

import "time"

// Snooze is how long a chat is put aside.
type Snooze struct {
	Until time.Time // zero: until the customer writes
}

// WakeReason says what ended a snooze.
type WakeReason string

// Reasons to wake a chat.
const (
	WokenByTime  WakeReason = "time"  // its time has come
	WokenByReply WakeReason = "reply" // the customer wrote
	WokenByAgent WakeReason = "agent"
)

// MaxSnooze is how far ahead a chat can be snoozed.
const MaxSnooze = 366 * 24 * time.Hour

// PutAside snoozes the chat: until a time, or until the customer writes, which ends
// it in any case. Snoozing it again moves the end. As it is snoozed already is no
// event. Closing a snoozed chat ends it, too, and needs no event of its own.
type PutAside struct {
	Until      time.Time
	UntilReply bool // instead of Until
	By         AgentID
	At         time.Time
}

// Decide implements the command.
func (c PutAside) Decide(s State) ([]Event, error) {
	until := c.Until.UTC().Truncate(time.Microsecond)
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case c.UntilReply == !c.Until.IsZero():
		return nil, ErrSnoozeMissing
	case !c.UntilReply && (!until.After(c.At) || until.After(c.At.Add(MaxSnooze))):
		return nil, ErrSnoozeUntil
	}
	if c.UntilReply {
		until = time.Time{}
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	if s.Snooze != nil && s.Snooze.Until.Equal(until) {
		return nil, nil
	}
	return []Event{Snoozed{Until: until, By: c.By, At: c.At}}, nil
}

// WakeUp ends a snooze before its time. A chat that is not snoozed is no event.
type WakeUp struct {
	By AgentID
}

// Decide implements the command.
func (c WakeUp) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Snooze == nil {
		return nil, nil
	}
	return []Event{Woken{Reason: WokenByAgent, By: c.By}}, nil
}

// WakeDue ends a snooze whose time has come. If it has not, because somebody moved
// it, or the chat is not snoozed any more, it is no event. A deleted chat wakes, too:
// restored, it is where it would be.
type WakeDue struct {
	At time.Time
}

// Decide implements the command.
func (c WakeDue) Decide(s State) ([]Event, error) {
	if s.Snooze == nil || s.Snooze.Until.IsZero() || c.At.Before(s.Snooze.Until) {
		return nil, nil
	}
	return []Event{Woken{Reason: WokenByTime}}, nil
}

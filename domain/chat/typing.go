package chat

import "time"

// TypingShown is for how long a customer sees that somebody writes, and how soon it can
// be shown again. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators
const TypingShown = 25 * time.Second

// ShowTyping shows the customer that an answer is being written, which shows them that we
// have read what they wrote. While they see it, it is no event.
type ShowTyping struct {
	By  AgentID
	Bot bool // By is a bot, not a person
	At  time.Time

	Blocked bool // as those of SendMessage
	Window  time.Duration
	Never   bool // the channel shows no customer that something was read
}

// Decide implements the command.
func (c ShowTyping) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	last := s.LastMessage
	switch {
	case c.Blocked:
		return nil, ErrBlocked
	case c.Never:
		return nil, ErrReadMarksOff
	case last.ProviderID == "":
		return nil, ErrNothingToAnswer
	}
	if err := s.inWindow(c.At, c.Window); err != nil {
		return nil, err
	}
	if s.ReadShown == last.ID && c.At.Before(s.TypingUntil) {
		return nil, nil
	}
	return []Event{ReadShown{Message: last.ID, ProviderID: last.ProviderID, By: c.By, Bot: c.Bot, Typing: true, At: c.At}}, nil
}

package chat

import "time"

// SendMessage queues an answer to the customer, or has it sent later. The same
// message again is no event.
type SendMessage struct {
	Message MessageID
	Outgoing
	By  AgentID
	Bot bool // By is a bot, not a person
	At  time.Time

	Later    *Later        // when; nil: now
	Campaign string        // that it is a part of; "" if of none
	Blocked  bool          // the customer is
	Window   time.Duration // how long after the customer's last message the channel takes free ones; 0: always

	due bool // it was scheduled: what its file is, and what it answers, was found out then
}

// Decide implements the command.
func (c SendMessage) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "":
		return nil, ErrMessageMissing
	case c.By == "":
		return nil, ErrByMissing
	}
	if c.Interactive != nil {
		c.Text = c.Interactive.Words()
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	if _, known := s.Outbound[c.Message]; known {
		return nil, nil
	}
	if c.Blocked {
		return nil, ErrBlocked
	}
	if !c.due {
		var err error
		if c.Outgoing, err = s.withFile(c.Outgoing, c.At); err != nil {
			return nil, err
		}
		if c.Outgoing, err = s.withReply(c.Outgoing); err != nil {
			return nil, err
		}
	}
	if c.free() && c.Later == nil {
		if err := s.inWindow(c.At, c.Window); err != nil {
			return nil, err
		}
	}
	queued := MessageQueued{
		Message: c.Message, Text: c.Text, By: c.By, Bot: c.Bot, At: c.At,
		QuickReply: c.QuickReply, Template: c.Template, Campaign: c.Campaign, Media: c.Media, CallPermission: c.CallPermission,
		Interactive: c.Interactive, ReplyTo: c.ReplyTo,
	}
	if c.Later != nil {
		return s.schedule(queued, *c.Later)
	}
	return []Event{queued}, nil
}

// AcceptMessage notes under which id the provider took a message. The first id
// stays: if a message was handed over twice, because the program ended between
// the provider's answer and this event, the second id is refused.
//
// A message that failed can still be accepted, for whoever reported the failure
// may have been wrong: reports under the provider's id then find the message.
// Its state stays failed until one of them says more.
type AcceptMessage struct {
	Message    MessageID
	ProviderID string
	At         time.Time
}

// Decide implements the command.
func (c AcceptMessage) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "":
		return nil, ErrMessageMissing
	case c.ProviderID == "":
		return nil, ErrProviderIDMissing
	}
	sent, known := s.Outbound[c.Message]
	switch {
	case !known:
		return nil, ErrMessageNotFound
	case sent.ProviderID == c.ProviderID:
		return nil, nil
	case sent.ProviderID != "":
		return nil, ErrAccepted
	case s.Reports[c.ProviderID].Message != "":
		return nil, ErrProviderIDTaken
	}
	return []Event{MessageAccepted{Message: c.Message, ProviderID: c.ProviderID, At: c.At}}, nil
}

package chat

import "time"

// MarkRead says that the agent has seen all there is. If nothing is unread, it
// is no event. With Show, or if the channel always does, the customer is told so, once for
// what they have written; if it never does, they are not.
type MarkRead struct {
	By   AgentID
	Bot  bool // By is a bot, not a person
	At   time.Time
	Show bool

	Blocked bool // the customer is, to whom nothing is shown then
	Always  bool // the channel shows that whatever Show says
	Never   bool // the channel shows that to nobody
}

// Decide implements the command.
func (c MarkRead) Decide(s State) (events []Event, err error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if c.Show && c.Blocked {
		return nil, ErrBlocked
	}
	if s.Unread > 0 {
		events = append(events, MarkedRead{By: c.By})
	}
	show := (c.Show || c.Always) && !c.Never && !c.Blocked
	if last := s.LastMessage; show && last.ProviderID != "" && s.ReadShown != last.ID {
		events = append(events, ReadShown{Message: last.ID, ProviderID: last.ProviderID, By: c.By, Bot: c.Bot, At: c.At})
	}
	return events, nil
}

package order

import "time"

// Step is a command that moves an order on to another status.
type Step interface {
	Decide(s State) ([]Event, error)
}

// Tell moves an order on and asks for the customer to be told. If the step
// changes nothing the customer is not told either: once for each change.
type Tell struct {
	Step     Step
	Message  string          // the id that the message is to have in the chat
	Text     string          // "": what the status is called, in a sentence
	Template *NoticeTemplate // that is sent; Text is then how it reads
	By       string
	Bot      bool // By is a bot, not a person
	At       time.Time
}

// Decide implements the command.
func (c Tell) Decide(s State) ([]Event, error) {
	switch {
	case c.Message == "":
		return nil, ErrMessageMissing
	case c.By == "":
		return nil, ErrByMissing
	}
	events, err := c.Step.Decide(s)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	if s.Chat == "" {
		return nil, ErrNoChat
	}
	after := State{External: s.External, Carrier: s.Carrier, Tracking: s.Tracking} // without the maps, which s keeps
	for _, e := range events {
		after = Evolve(after, e)
	}
	said := c.Text
	if said == "" {
		said = after.sentence()
	}
	return append(events, NoticeRequested{
		Message: c.Message, Chat: s.Chat, Status: after.Status, Text: said, By: c.By, Bot: c.Bot, At: c.At, Template: c.Template,
	}), nil
}

// sentence tells a customer what became of the order.
func (s State) sentence() string {
	is := map[Status]string{
		StatusConfirmed:  "is confirmed",
		StatusProcessing: "is being prepared",
		StatusShipped:    "is on its way",
		StatusDelivered:  "was delivered",
		StatusCancelled:  "was cancelled",
		StatusReturned:   "has come back to us",
	}[s.Status]
	out := "Your order "
	if s.External != "" {
		out += s.External + " "
	}
	out += is
	if s.Status == StatusShipped {
		if s.Carrier != "" {
			out += " with " + s.Carrier
		}
		if s.Tracking != "" {
			out += ". The tracking number is " + s.Tracking
		}
	}
	return out + "."
}

// EndNotice says what became of a message that was asked for: the chat took it,
// or refused it with a code and a reason. What is known already is no event.
type EndNotice struct {
	Message string
	Code    string // "": it is in the chat
	Reason  string
}

// Decide implements the command.
func (c EndNotice) Decide(s State) ([]Event, error) {
	ended, known := s.Notices[c.Message]
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case !known:
		return nil, ErrNoticeNotFound
	case ended:
		return nil, nil
	case c.Code != "":
		return []Event{NoticeRefused{Message: c.Message, Code: c.Code, Reason: c.Reason}}, nil
	}
	return []Event{NoticeQueued{Message: c.Message}}, nil
}

package chat

import "time"

// providerWhatsApp is call.WhatsApp: the provider that calls nobody who has not
// allowed it. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-call-permissions
const providerWhatsApp = "whatsapp"

// maxPermissionText is how long the text of a request may be, in runes: it is the body
// of an interactive message.
const maxPermissionText = 1_024

// CallPermission is whether the customer lets us call them.
type CallPermission struct {
	Allowed bool
	Until   time.Time // zero: for good
	At      time.Time // when they said so
}

// valid reports whether calls are allowed at a time.
func (p CallPermission) valid(at time.Time) bool {
	return p.Allowed && (p.Until.IsZero() || at.Before(p.Until))
}

// mayCall refuses a call that is known not to be allowed. Where nothing is known the
// provider decides: the customer may have allowed it elsewhere.
func (s State) mayCall(at time.Time) error {
	p := s.CallPermission
	switch {
	case p == nil || p.valid(at):
		return nil
	case !p.Allowed:
		return ErrNoCallPermission.With("the customer allows no calls")
	}
	return ErrNoCallPermission.With("the customer allowed calls until " + p.Until.UTC().Format(time.RFC3339) + ": ask again")
}

// AskToCall asks the customer, by a message, to allow calls.
type AskToCall struct {
	SendMessage
	Provider string // who makes calls for the channel; "" if nobody does
}

// Decide implements the command.
func (c AskToCall) Decide(s State) ([]Event, error) {
	c.CallPermission = true
	events, err := c.SendMessage.Decide(s)
	switch {
	case err != nil || len(events) == 0:
		return nil, err
	case c.Provider == "":
		return nil, ErrNoCalls
	case c.Provider != providerWhatsApp:
		return nil, ErrCallsAllowed.With("who calls for this channel needs no permission")
	case s.CallPermission != nil && s.CallPermission.valid(c.At):
		return nil, ErrCallsAllowed
	}
	return events, nil
}

// PermissionReason says who changed whether calls are allowed.
type PermissionReason string

// Reasons.
const (
	PermittedByCustomer PermissionReason = "customer" // they answered, or set it
	PermittedByProvider PermissionReason = "provider" // as after a call of theirs, or several that they did not take
)

// RecordCallPermission takes in what the provider says about calls, of its own accord.
// It opens the chat if there is none, and neither reopens it nor counts as unread.
// Repeats are told as those of ReceiveMessage.
type RecordCallPermission struct {
	Workspace       string
	Channel         string
	Customer        string
	DefaultStatus   string
	DefaultCategory Category
	Permission      CallPermission
}

// Decide implements the command.
func (c RecordCallPermission) Decide(s State) ([]Event, error) {
	events, err := open(s, Opened{
		Workspace: c.Workspace, Channel: c.Channel, Customer: c.Customer, Status: c.DefaultStatus, Category: c.DefaultCategory, At: c.Permission.At,
	})
	if err != nil {
		return nil, err
	}
	return append(events, c.Permission.changed(PermittedByProvider, "")), nil
}

// changed returns a word about calls as an event. Words may come late: the last one
// that was said counts, which is not always the last one that is recorded.
func (p CallPermission) changed(reason PermissionReason, m MessageID) CallPermissionChanged {
	return CallPermissionChanged{Allowed: p.Allowed, Until: p.Until, Reason: reason, Message: m, At: p.At}
}

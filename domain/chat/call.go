package chat

import (
	"strings"
	"time"
)

// RequestCall takes the chat's one line for a call. Package call follows what
// becomes of it.
type RequestCall struct {
	Call     string
	Phone    string // whom to call; "" for the first number that is known
	Provider string // who makes calls for the channel; "" if nobody does
	Offer    string // SDP of the caller's end
	Over     string // a call that is known to have ended
	Blocked  bool   // the customer is
	By       AgentID
	At       time.Time
}

// Decide implements the command.
func (c RequestCall) Decide(s State) ([]Event, error) {
	switch {
	case c.Call == "":
		return nil, ErrCallMissing
	case c.By == "":
		return nil, ErrByMissing
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	switch {
	case s.Call == c.Call:
		return nil, nil
	case s.Call != "" && s.Call != c.Over:
		return nil, ErrCallRunning
	case c.Blocked:
		return nil, ErrBlocked
	case c.Provider == "":
		return nil, ErrNoCalls
	case c.Provider == providerWhatsApp:
		if err := s.mayCall(c.At); err != nil {
			return nil, err
		}
	}
	var phone string
	if c.Phone != "" {
		if phone = Dialable(c.Phone); phone == "" {
			return nil, ErrPhone
		}
	} else if phone = s.phone(); phone == "" {
		return nil, ErrNoPhone
	}
	return []Event{CallRequested{Call: c.Call, Phone: phone, Provider: c.Provider, Offer: c.Offer, By: c.By, At: c.At}}, nil
}

// phone returns the number of the customer as far as one is known.
func (s State) phone() string {
	for _, p := range append(append([]string{}, s.Details.Phones...), "+"+s.Customer) {
		if p = Dialable(p); strings.HasPrefix(p, "+") {
			return p
		}
	}
	return ""
}

// Dialable returns a number as "+" and 5 to 15 digits (E.164), or "" for what is
// none. Spaces, dots, dashes and brackets do not count.
func Dialable(phone string) string {
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "").Replace(phone)
	digits, ok := strings.CutPrefix(digits, "+")
	const least, most = 5, 15
	if !ok || len(digits) < least || len(digits) > most || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return ""
	}
	return "+" + digits
}

// EndCall records how a call of the chat ended. Once more is no event.
type EndCall struct {
	CallEnded
}

// Decide implements the command.
func (c EndCall) Decide(s State) ([]Event, error) {
	switch {
	case !s.Exists:
		return nil, ErrNotFound
	case c.Call == "":
		return nil, ErrCallMissing
	case s.Call != c.Call: // ended before, or others took the line since
		return nil, nil
	}
	return []Event{c.CallEnded}, nil
}

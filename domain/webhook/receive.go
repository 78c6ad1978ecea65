package webhook

import (
	"encoding/json"
	"unicode/utf8"
)

// Receive keeps what a provider delivered. A delivery that is there is no event:
// its id is made of its bytes.
type Receive struct {
	Workspace string
	Channel   string
	Body      string // JSON
}

// Decide implements the command.
func (c Receive) Decide(s State) ([]Event, error) {
	switch {
	case c.Workspace == "" || c.Channel == "":
		return nil, ErrIncomplete
	case s.Exists:
		return nil, nil
	case !utf8.ValidString(c.Body) || !json.Valid([]byte(c.Body)):
		return nil, ErrMalformed
	}
	return []Event{Received{Workspace: c.Workspace, Channel: c.Channel, Body: c.Body}}, nil
}

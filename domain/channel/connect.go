package channel

import "strings"

// Connect makes an account one that customers can write to, also again after it
// was disconnected. A connected account is no event and keeps its name, which
// Rename changes.
type Connect struct {
	Workspace string
	Kind      Kind
	Name      string
	Account   string // the provider's id of it: for WhatsApp the phone number id
	Phone     string // as people dial it; may be left out
}

// Decide implements the command.
func (c Connect) Decide(s State) ([]Event, error) {
	e := Connected{
		Workspace: c.Workspace, Kind: c.Kind, Name: strings.TrimSpace(c.Name),
		Account: strings.TrimSpace(c.Account), Phone: strings.TrimSpace(c.Phone),
	}
	switch {
	case e.Workspace == "":
		return nil, ErrWorkspace
	case e.Kind != WhatsApp:
		return nil, ErrKind
	}
	if err := nameText.Check(e.Name); err != nil {
		return nil, err
	}
	if err := accountText.Check(e.Account); err != nil {
		return nil, err
	}
	if err := phoneText.Check(e.Phone); err != nil {
		return nil, err
	}
	switch {
	case s.Exists && (e.Workspace != s.Workspace || e.Kind != s.Kind || e.Account != s.Account):
		return nil, ErrExists
	case s.Connected:
		return nil, nil
	}
	return []Event{e}, nil
}

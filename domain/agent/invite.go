package agent

import (
	"strings"

	"github.com/chatledger/chatledger/domain/internal/text"
)

// Invite makes somebody a member of a workspace's staff. The same invitation
// again is no event.
type Invite struct {
	Workspace string
	Name      string
	Email     string // may be left out
	Role      Role
}

// Decide implements the command.
func (c Invite) Decide(s State) ([]Event, error) {
	e := Invited{Workspace: c.Workspace, Name: strings.TrimSpace(c.Name), Email: strings.TrimSpace(c.Email), Role: c.Role}
	if e.Workspace == "" {
		return nil, ErrWorkspace
	}
	if err := nameText.Check(e.Name); err != nil {
		return nil, err
	}
	switch {
	case e.Email != "" && !isEmail(e.Email):
		return nil, ErrEmail
	case !e.Role.Valid():
		return nil, ErrRole
	case !s.Exists:
		return []Event{e}, nil
	case !s.Active || e != Invited{Workspace: s.Workspace, Name: s.Name, Email: s.Email, Role: s.Role}:
		return nil, ErrExists
	}
	return nil, nil
}

// isEmail is no more than a guard against slips: whether an address exists only
// a message to it tells. 254 bytes is the most that SMTP carries (RFC 5321).
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 254 && text.Clean(s) && !strings.ContainsAny(s, " \t\r\n<>,;")
}

package chat

// Transfer hands the chat on, with a reason: from the agent who has it to
// another, or from whoever has it to a team or back to the bot. To where it is
// already is no event, except that an agent is told so.
type Transfer struct {
	Kind   TransferKind
	To     string // an agent's or a team's id; not looked at for the bot
	Reason string
	By     AgentID // who hands it on, perhaps a supervisor; the event's metadata says it
}

// Decide implements the command.
func (c Transfer) Decide(s State) ([]Event, error) {
	switch {
	case c.Kind == ToAgent && c.To == "":
		return nil, ErrAgentMissing
	case c.Kind == ToTeam && c.To == "":
		return nil, ErrTeamMissing
	case c.Kind != ToAgent && c.Kind != ToTeam && c.Kind != ToBot:
		return nil, ErrTransferKind
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	e := Transferred{Kind: c.Kind, To: c.To, From: s.Assignee, FromTeam: s.Team, Reason: c.Reason}
	switch c.Kind {
	case ToAgent:
		if s.Assignee == "" {
			return nil, ErrNotAssigned
		}
		if s.Assignee == AgentID(c.To) {
			return nil, ErrTransferToSelf
		}
	case ToTeam:
		if s.Assignee == "" && s.Team == TeamID(c.To) {
			return nil, nil
		}
	case ToBot:
		if s.Assignee == "" && s.Team == "" {
			return nil, nil
		}
		e.To = ""
	}
	return []Event{e}, nil
}

package chat

import "time"

// How long a transfer that has to be accepted is offered.
const (
	MinOfferTime = time.Minute
	MaxOfferTime = 7 * 24 * time.Hour
)

// Offer is a transfer that waits to be accepted. A chat has one at most. It is over
// as soon as somebody else decides whose the chat is, or the chat is closed or deleted:
// that needs no event of its own.
type Offer struct {
	Kind    TransferKind // ToAgent or ToTeam
	To      string
	Reason  string
	By      AgentID // who offers it
	Expires time.Time
}

// OfferTransfer hands the chat on as soon as the agent, or somebody of the team, says
// yes. Until then it stays with the agent who has it.
type OfferTransfer struct {
	Kind   TransferKind
	To     string
	Reason string
	By     AgentID
	Bot    bool          // By is a bot, not a person
	For    time.Duration // how long
	At     time.Time
}

// Decide implements the command.
func (c OfferTransfer) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case c.Kind == ToBot:
		return nil, ErrOfferToBot
	case c.For < MinOfferTime || c.For > MaxOfferTime:
		return nil, ErrOfferTime
	}
	if _, err := (Transfer{Kind: c.Kind, To: c.To, Reason: c.Reason}).Decide(s); err != nil {
		return nil, err
	}
	if s.Assignee == "" {
		return nil, ErrNotAssigned.With("nobody has the chat, so nobody keeps it until the team accepts; assign it, or transfer it without waiting")
	}
	var events []Event
	if s.Offer != nil {
		if c.At.Before(s.Offer.Expires) {
			return nil, ErrOfferPending
		}
		events = append(events, TransferLapsed{Cause: LapsedByTime}) // its timer is late
	}
	return append(events, TransferOffered{
		Kind: c.Kind, To: c.To, From: s.Assignee, FromTeam: s.Team, Reason: c.Reason, Expires: c.At.Add(c.For).UTC().Truncate(time.Microsecond),
		By: c.By, Bot: c.Bot, At: c.At,
	}), nil
}

// offered returns the offer that can be accepted at a time.
func (s State) offered(at time.Time) (*Offer, error) {
	if err := s.visible(); err != nil {
		return nil, err
	}
	if s.Offer == nil || !at.Before(s.Offer.Expires) {
		return nil, ErrNoOffer
	}
	return s.Offer, nil
}

// AcceptTransfer takes the chat that was offered. Of two members of a team who accept
// at once one wins and the other gets ErrNoOffer; the winner may repeat it.
type AcceptTransfer struct {
	By     AgentID
	Member bool // By is in the team that the chat is offered to
	At     time.Time
}

// Decide implements the command.
func (c AcceptTransfer) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrAgentMissing
	}
	if s.Offer == nil && s.Exists && s.Assignee == c.By && s.workable() == nil {
		return nil, nil
	}
	o, err := s.offered(c.At)
	switch {
	case err != nil:
		return nil, err
	case o.Kind == ToAgent && o.To != string(c.By), o.Kind == ToTeam && !c.Member:
		return nil, ErrOfferOfAnother
	case s.Assignee == c.By:
		return nil, ErrTransferToSelf
	}
	events := []Event{Transferred{Kind: o.Kind, To: o.To, From: s.Assignee, FromTeam: s.Team, Reason: o.Reason, Accepted: true}}
	if o.Kind == ToTeam {
		events = append(events, Claimed{By: c.By})
	}
	return events, nil
}

// DeclineTransfer says no: the chat stays where it is. An agent says so for
// themselves; for a team nobody does but who may decide for others.
type DeclineTransfer struct {
	Reason string
	By     AgentID
	Any    bool // By may decide for others
	At     time.Time
}

// Decide implements the command.
func (c DeclineTransfer) Decide(s State) ([]Event, error) {
	return s.lapse(c.Reason, c.By, c.At, LapsedByRefusal, func(o *Offer) bool {
		return c.Any || o.Kind == ToAgent && o.To == string(c.By)
	})
}

// WithdrawTransfer takes the offer back: who made it may, who has the chat, and who
// may decide for others.
type WithdrawTransfer struct {
	Reason string
	By     AgentID
	Any    bool // By may decide for others
	At     time.Time
}

// Decide implements the command.
func (c WithdrawTransfer) Decide(s State) ([]Event, error) {
	return s.lapse(c.Reason, c.By, c.At, LapsedByWithdrawal, func(o *Offer) bool {
		return c.Any || o.By == c.By || s.Assignee == c.By
	})
}

func (s State) lapse(reason string, by AgentID, at time.Time, cause LapseCause, may func(*Offer) bool) ([]Event, error) {
	if by == "" {
		return nil, ErrByMissing
	}
	if err := reasonText.Check(reason); err != nil {
		return nil, err
	}
	o, err := s.offered(at)
	switch {
	case err != nil:
		return nil, err
	case !may(o):
		return nil, ErrOfferOfAnother
	}
	return []Event{TransferLapsed{Cause: cause, By: by, Reason: reason}}, nil
}

// ExpireTransfer ends an offer whose time is over. If it is not, because another was
// made, or there is none any more, it is no event.
type ExpireTransfer struct {
	At time.Time
}

// Decide implements the command.
func (c ExpireTransfer) Decide(s State) ([]Event, error) {
	if s.Offer == nil || c.At.Before(s.Offer.Expires) {
		return nil, nil
	}
	return []Event{TransferLapsed{Cause: LapsedByTime}}, nil
}

// LapseCause says why a transfer was not accepted.
type LapseCause string

// Causes.
const (
	LapsedByRefusal    LapseCause = "declined"
	LapsedByWithdrawal LapseCause = "withdrawn"
	LapsedByTime       LapseCause = "expired"
)

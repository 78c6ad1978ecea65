package chat

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// OwnReaction is what we have put on a message of the customer: one for all of us,
// for the customer sees no more than one.
type OwnReaction struct {
	ID         string // of the reaction that was asked for last
	Target     string // what the provider calls the message
	Emoji      string // "" if it takes the one before away
	By         AgentID
	Bot        bool // By is a bot, not a person
	Settled    bool // it was sent, or failed
	ProviderID string
	Shown      ShownReaction // what the customer sees
}

// ShownReaction is a reaction as the customer sees it; the zero value is none.
type ShownReaction struct {
	Emoji string  `json:"emoji,omitempty"`
	By    AgentID `json:"by,omitempty"`
	Bot   bool    `json:"bot,omitempty"` // By is a bot, not a person
}

// React puts an emoji on a message of the customer, in the place of the one that we
// had put on it, or takes it away. What is there already is no event.
type React struct {
	ID      string
	Message MessageID
	Target  string // what the provider calls the message; "" if the customer has sent none of that id
	Emoji   string // "" takes it away
	By      AgentID
	Bot     bool // By is a bot, not a person
	At      time.Time
	Blocked bool // as those of SendMessage
	Window  time.Duration
}

// Decide implements the command.
func (c React) Decide(s State) ([]Event, error) {
	switch {
	case c.ID == "" || c.Message == "":
		return nil, ErrMessageMissing
	case c.By == "":
		return nil, ErrByMissing
	case c.Emoji != "" && !oneEmoji(c.Emoji):
		return nil, ErrEmoji
	}
	if err := s.workable(); err != nil {
		return nil, err
	}
	was := s.Reactions[c.Message]
	switch {
	case c.Target == "":
		return nil, ErrReactionTarget
	case was.ID == c.ID, was.Emoji == c.Emoji:
		return nil, nil
	case c.Blocked:
		return nil, ErrBlocked
	}
	if err := s.inWindow(c.At, c.Window); err != nil {
		return nil, err
	}
	e := ReactionQueued{Reaction: c.ID, Message: c.Message, Target: c.Target, Emoji: c.Emoji, By: c.By, Bot: c.Bot, At: c.At}
	if was.Emoji != "" {
		e.Instead = &ShownReaction{Emoji: was.Emoji, By: was.By, Bot: was.Bot}
	}
	return []Event{e}, nil
}

// SettleReaction records how the sending of a reaction ended: the provider took it,
// or it failed. Once it is settled, and if another one was asked for meanwhile, it is
// no event.
type SettleReaction struct {
	ID         string
	Message    MessageID
	ProviderID string
	Error      *DeliveryError // that it failed with; nil: it was sent
	At         time.Time
}

// Decide implements the command.
func (c SettleReaction) Decide(s State) ([]Event, error) {
	r, known := s.Reactions[c.Message]
	switch {
	case !known || r.ID != c.ID || r.Settled:
		return nil, nil
	case c.Error != nil:
		return []Event{s.reactionFailed(c.Message, c.Error, c.At)}, nil
	case c.ProviderID == "":
		return nil, ErrProviderIDMissing
	}
	sent := ReactionSent{Reaction: c.ID, Message: c.Message, ProviderID: c.ProviderID, At: c.At}
	if s.Reports[c.ProviderID].Pending != Failed {
		return []Event{sent}, nil
	}
	why := &DeliveryError{Title: "WhatsApp did not deliver the reaction"} // its report came first
	return []Event{sent, s.reactionFailed(c.Message, why, c.At)}, nil
}

// reactionFailed returns the event that leaves the customer with what was there
// before.
func (s State) reactionFailed(m MessageID, why *DeliveryError, at time.Time) ReactionFailed {
	r := s.Reactions[m]
	return ReactionFailed{Reaction: r.ID, Message: m, Target: r.Target, Emoji: r.Emoji, By: r.By, Bot: r.Bot, Error: why, Left: r.Shown, At: at}
}

// reactionReport returns what follows from a provider's report on a reaction; ok is
// false if it is on something else. Nothing follows but from a failure: the customer
// does not see it then.
func (s State) reactionReport(c RecordDelivery) (events []Event, ok bool) {
	m, ok := s.ReactionIDs[c.ProviderID]
	if !ok || c.ProviderID == "" {
		return nil, false
	}
	r := s.Reactions[m]
	if c.State != Failed || r.ProviderID != c.ProviderID || r.Shown.Emoji != r.Emoji {
		return nil, true
	}
	why := c.Error
	if why == nil {
		why = &DeliveryError{Title: "WhatsApp did not deliver the reaction"}
	}
	e := s.reactionFailed(m, why, c.At)
	e.Left = ShownReaction{} // of what was there before nobody knows
	return []Event{e}, true
}

// oneEmoji reports whether s is a single emoji: one character with its variants, a
// flag, a keycap, or several that are joined. It follows
// https://unicode.org/reports/tr51/#EBNF_and_Regex without its table of characters.
func oneEmoji(s string) bool {
	const (
		joiner, variant, keycap = '\u200D', '\uFE0F', '\u20E3'
		most                    = 64 // bytes; the longest that there are have 35
	)
	if !utf8.ValidString(s) || len(s) > most {
		return false
	}
	flag := func(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }
	r := []rune(s)
	next := func(ok func(rune) bool) bool {
		if len(r) == 0 || !ok(r[0]) {
			return false
		}
		r = r[1:]
		return true
	}
	is := func(want rune) func(rune) bool { return func(r rune) bool { return r == want } }
	for {
		switch {
		case next(flag):
			if !next(flag) {
				return false
			}
		case next(func(r rune) bool { return r >= '0' && r <= '9' || r == '#' || r == '*' }):
			next(is(variant))
			if !next(is(keycap)) {
				return false
			}
		case next(func(r rune) bool {
			return r == '©' || r == '®' || r > 0x2000 && unicode.In(r, unicode.So, unicode.Sm, unicode.Po, unicode.Pd)
		}):
			next(is(variant))
			next(func(r rune) bool { return r >= 0x1F3FB && r <= 0x1F3FF }) // the colour of the skin
			for next(func(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }) {
				continue // a flag of a region, letter by letter
			}
		default:
			return false
		}
		if !next(is(joiner)) {
			return len(r) == 0
		}
	}
}

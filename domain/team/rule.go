package team

import (
	"fmt"
	"slices"
)

// Rule says how chats that are handed to a team are given to its members.
type Rule string

// Rules.
const (
	Manual     Rule = "manual"      // members take them
	RoundRobin Rule = "round_robin" // each in turn
	LeastBusy  Rule = "least_busy"  // whoever has the fewest open chats
)

// SetRule says how the team's chats are given to members. As before is no event.
type SetRule struct {
	Team ID
	Rule Rule
}

// Decide implements the command.
func (c SetRule) Decide(s State) ([]Event, error) {
	if c.Rule != Manual && c.Rule != RoundRobin && c.Rule != LeastBusy {
		return nil, ErrRule
	}
	t, err := s.live(c.Team)
	if err != nil || t.rule == c.Rule {
		return nil, err
	}
	return []Event{RuleSet{Team: c.Team, Rule: c.Rule, From: t.rule}}, nil
}

// Candidate is a member of a team who may be given a chat.
type Candidate struct {
	Agent    string
	Online   bool  // and may hold chats
	Load     int64 // open chats they have
	Capacity int64 // 0 means no bound
}

// Choice is who gets a chat, and why.
type Choice struct {
	Agent   string
	Reason  string
	Load    int64 // of the agent before
	Able    int64 // how many could have got it
	Offline int64 // members passed over since they are not online
	Full    int64 // since they have as many as they can take
}

// Choose applies a rule to the members of a team. last is who was chosen before.
// It reports false if nobody can take the chat, or the rule is Manual.
//
// The turn goes by the agents' ids: after last, and from the start again. Among
// those with the fewest chats it goes by turn, too, so that the same past always
// leads to the same choice.
func Choose(rule Rule, last string, members []Candidate) (c Choice, ok bool) {
	var able []Candidate
	for _, m := range members {
		switch {
		case !m.Online:
			c.Offline++
		case m.Capacity > 0 && m.Load >= m.Capacity:
			c.Full++
		default:
			able = append(able, m)
		}
	}
	c.Able = int64(len(able))
	if len(able) == 0 || rule != RoundRobin && rule != LeastBusy {
		return c, false
	}
	slices.SortFunc(able, func(a, b Candidate) int {
		switch {
		case rule == LeastBusy && a.Load != b.Load:
			return int(a.Load - b.Load)
		case (a.Agent > last) != (b.Agent > last):
			if a.Agent > last {
				return -1
			}
			return 1
		case a.Agent < b.Agent:
			return -1
		}
		return 1
	})
	c.Agent, c.Load = able[0].Agent, able[0].Load
	c.Reason = fmt.Sprintf("next in turn of %d who can take it", len(able))
	if rule == LeastBusy {
		c.Reason = fmt.Sprintf("has the fewest open chats, %d, of %d who can take it", c.Load, len(able))
	}
	return c, true
}

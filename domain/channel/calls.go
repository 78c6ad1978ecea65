package channel

import "github.com/chatledger/chatledger/domain/call"

// SetCalls says who makes calls for the channel: "" for nobody. The same again is
// no event.
type SetCalls struct {
	Provider call.Provider
}

// Decide implements the command.
func (c SetCalls) Decide(s State) ([]Event, error) {
	if c.Provider != "" && !c.Provider.Known() {
		return nil, ErrCallProvider
	}
	if err := s.connected(); err != nil || s.Calls == string(c.Provider) {
		return nil, err
	}
	return []Event{CallsSet{Provider: string(c.Provider), From: s.Calls}}, nil
}

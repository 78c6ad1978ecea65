package webhook

// Events is the catalogue of everything that can happen to a delivery.
var Events = []Event{Received{}, Translated{}, SetAside{}, RetranslationRequested{}}

// Received keeps what a provider delivered, byte for byte, before it is
// answered. The body is valid JSON and therefore text.
type Received struct {
	Workspace string `json:"workspace"`
	Channel   string `json:"channel"`
	Body      string `json:"body"`
}

// Translated says that everything we understand in a delivery was made into
// commands, and what was in it.
type Translated struct {
	Messages int      `json:"messages,omitempty"`
	Statuses int      `json:"statuses,omitempty"`
	Orders   int      `json:"orders,omitempty"`
	Ignored  []string `json:"ignored,omitempty"` // fields kept for later, such as "calls"
}

// SetAside says that nothing of a delivery was used, and why.
type SetAside struct {
	Code   string `json:"code"` // not_ours, not_whatsapp, empty, not_supported or malformed
	Reason string `json:"reason"`
}

// RetranslationRequested asks for a delivery to be translated again, for example
// by a version that understands more.
type RetranslationRequested struct {
	By string `json:"by"`
}

func (Received) EventType() string               { return "webhook.received.v1" }
func (Translated) EventType() string             { return "webhook.translated.v1" }
func (SetAside) EventType() string               { return "webhook.set_aside.v1" }
func (RetranslationRequested) EventType() string { return "webhook.retranslation_requested.v1" }

func (e Received) apply(s *State) {
	s.Exists, s.Workspace, s.Channel = true, e.Workspace, e.Channel
}
func (e Translated) apply(s *State)           { s.Done, s.Outcome = true, e }
func (e SetAside) apply(s *State)             { s.Done, s.Outcome = true, e }
func (RetranslationRequested) apply(s *State) { s.Done = false }

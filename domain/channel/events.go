package channel

// Events is the catalogue of everything that can happen to a channel. Secrets
// are never part of an event.
var Events = []Event{Connected{}, Renamed{}, SecretsReplaced{}, Disconnected{}, CallsSet{}, ReadMarksSet{}}

// Connected makes an account one that customers can write to.
type Connected struct {
	Workspace string `json:"workspace"`
	Kind      Kind   `json:"kind"`
	Name      string `json:"name"`
	Account   string `json:"account"`         // the provider's id of it: for WhatsApp the phone number id
	Phone     string `json:"phone,omitempty"` // as people dial it
}

// Renamed gives a channel another name.
type Renamed struct {
	Name string `json:"name"`
	From string `json:"from"`
}

// SecretsReplaced says that the secrets of the account were set anew, not which.
type SecretsReplaced struct{}

// Disconnected ends the channel: nothing is taken from it or sent by it.
type Disconnected struct {
	Reason string `json:"reason,omitempty"`
}

// CallsSet says who makes calls for the channel.
type CallsSet struct {
	Provider string `json:"provider,omitempty"` // webhook or whatsapp; "" for nobody
	From     string `json:"from,omitempty"`     // who did before
}

// ReadMarksSet says when the channel shows customers that what they wrote was read.
type ReadMarksSet struct {
	ReadMarks ReadMarks `json:"read_marks"` // asked, always or never
	From      ReadMarks `json:"from"`
}

func (Connected) EventType() string       { return "channel.connected.v1" }
func (Renamed) EventType() string         { return "channel.renamed.v1" }
func (SecretsReplaced) EventType() string { return "channel.secrets_replaced.v1" }
func (Disconnected) EventType() string    { return "channel.disconnected.v1" }
func (CallsSet) EventType() string        { return "channel.calls_set.v1" }
func (ReadMarksSet) EventType() string    { return "channel.read_marks_set.v1" }

func (e Connected) apply(s *State) {
	*s = State{Exists: true, Connected: true, Workspace: e.Workspace, Kind: e.Kind, Name: e.Name, Account: e.Account, Phone: e.Phone}
}
func (e Renamed) apply(s *State)      { s.Name = e.Name }
func (SecretsReplaced) apply(*State)  {}
func (Disconnected) apply(s *State)   { s.Connected = false }
func (e CallsSet) apply(s *State)     { s.Calls = e.Provider }
func (e ReadMarksSet) apply(s *State) { s.ReadMarks = e.ReadMarks }

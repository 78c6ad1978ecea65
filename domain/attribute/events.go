package attribute

// Events is the catalogue of everything that can happen to a workspace's
// attributes.
var Events = []Event{Defined{}, Renamed{}, ChoicesSet{}, Archived{}, Restored{}}

// Defined adds an attribute. Its kind never changes.
type Defined struct {
	Attribute ID       `json:"attribute"`
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	Choices   []string `json:"choices,omitempty"` // of the kind choice
}

// Renamed gives an attribute another name; its id stays, wherever it is used.
type Renamed struct {
	Attribute ID     `json:"attribute"`
	Name      string `json:"name"`
	From      string `json:"from"`
}

// ChoicesSet says what can be chosen from now on. Contacts keep what they have.
type ChoicesSet struct {
	Attribute ID       `json:"attribute"`
	Choices   []string `json:"choices"`
}

// Archived takes an attribute out of use: contacts keep their values, and get no new
// ones.
type Archived struct {
	Attribute ID `json:"attribute"`
}

// Restored takes an archived attribute back into use.
type Restored struct {
	Attribute ID `json:"attribute"`
}

func (Defined) EventType() string    { return "attribute.defined.v1" }
func (Renamed) EventType() string    { return "attribute.renamed.v1" }
func (ChoicesSet) EventType() string { return "attribute.choices_set.v1" }
func (Archived) EventType() string   { return "attribute.archived.v1" }
func (Restored) EventType() string   { return "attribute.restored.v1" }

func (e Defined) apply(s *State) {
	s.put(Attribute{ID: e.Attribute, Name: e.Name, Kind: e.Kind, Choices: e.Choices})
	s.names.Add(e.Attribute, e.Name)
}

func (e Renamed) apply(s *State) {
	a := s.attributes[e.Attribute]
	s.names.Release(e.Attribute, a.Name)
	s.names.Add(e.Attribute, e.Name)
	a.Name = e.Name
	s.put(a)
}

func (e ChoicesSet) apply(s *State) {
	a := s.attributes[e.Attribute]
	a.Choices = e.Choices
	s.put(a)
}

func (e Archived) apply(s *State) { s.archive(e.Attribute, true) }
func (e Restored) apply(s *State) { s.archive(e.Attribute, false) }

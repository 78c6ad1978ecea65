package tag

// Events is the catalogue of everything that can happen to a workspace's tags.
var Events = []Event{Created{}, Renamed{}, Recoloured{}, Archived{}, Restored{}, Merged{}}

// Created adds a tag.
type Created struct {
	Tag    ID     `json:"tag"`
	Name   string `json:"name"`
	Colour string `json:"colour,omitempty"` // "#rrggbb"
}

// Renamed gives a tag another name; its id stays, wherever it is used.
type Renamed struct {
	Tag  ID     `json:"tag"`
	Name string `json:"name"`
	From string `json:"from"`
}

// Recoloured gives a tag another colour.
type Recoloured struct {
	Tag    ID     `json:"tag"`
	Colour string `json:"colour"`
}

// Archived takes a tag out of use: it stays where it is, and cannot be added.
type Archived struct {
	Tag ID `json:"tag"`
}

// Restored takes an archived tag back into use.
type Restored struct {
	Tag ID `json:"tag"`
}

// Merged makes a tag another one: whatever has it shows the other, for ever. Its
// id and name stand for the other from now on.
type Merged struct {
	Tag  ID `json:"tag"`
	Into ID `json:"into"`
}

func (Created) EventType() string    { return "tag.created.v1" }
func (Renamed) EventType() string    { return "tag.renamed.v1" }
func (Recoloured) EventType() string { return "tag.recoloured.v1" }
func (Archived) EventType() string   { return "tag.archived.v1" }
func (Restored) EventType() string   { return "tag.restored.v1" }
func (Merged) EventType() string     { return "tag.merged.v1" }

func (e Created) apply(s *State) {
	if s.tags == nil {
		s.tags = map[ID]Tag{}
	}
	s.tags[e.Tag] = Tag{ID: e.Tag, Name: e.Name, Colour: e.Colour}
	s.names.Add(e.Tag, e.Name)
}

func (e Renamed) apply(s *State) {
	s.update(e.Tag, func(t *Tag) {
		s.names.Release(t.ID, t.Name)
		t.Name = e.Name
		s.names.Add(t.ID, t.Name)
	})
}
func (e Recoloured) apply(s *State) { s.update(e.Tag, func(t *Tag) { t.Colour = e.Colour }) }
func (e Archived) apply(s *State)   { s.update(e.Tag, func(t *Tag) { t.Archived = true }) }
func (e Restored) apply(s *State)   { s.update(e.Tag, func(t *Tag) { t.Archived = false }) }

func (e Merged) apply(s *State) { s.update(e.Tag, func(t *Tag) { t.Merged = e.Into }) }

func (s *State) update(id ID, change func(*Tag)) {
	if t, ok := s.tags[id]; ok {
		change(&t)
		s.tags[id] = t
	}
}

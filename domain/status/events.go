package status

import "slices"

// Events is the catalogue of everything that can happen to a workspace's list
// of statuses.
var Events = []Event{Created{}, Renamed{}, Recoloured{}, Moved{}, DefaultSet{}, Archived{}, Restored{}, Used{}, Remapped{}}

// Created adds a status at the end of the list.
type Created struct {
	Status   ID       `json:"status"`
	Name     string   `json:"name"`
	Colour   string   `json:"colour,omitempty"` // "#rrggbb"
	Category Category `json:"category"`
	Default  bool     `json:"default,omitempty"` // new chats get it
}

// Renamed gives a status another name; its id stays, wherever it is used.
type Renamed struct {
	Status ID     `json:"status"`
	Name   string `json:"name"`
	From   string `json:"from"`
}

// Recoloured gives a status another colour.
type Recoloured struct {
	Status ID     `json:"status"`
	Colour string `json:"colour"`
}

// Moved gives a status another place in the list, counted from 0; the others
// close up.
type Moved struct {
	Status ID  `json:"status"`
	To     int `json:"to"`
}

// DefaultSet makes a status the one that new chats get.
type DefaultSet struct {
	Status ID `json:"status"`
	From   ID `json:"from,omitempty"`
}

// Archived takes a status out of use: chats keep it, none can be moved to it.
type Archived struct {
	Status ID `json:"status"`
}

// Restored takes an archived status back into use, at the end of the list. If another
// was in its place, it is so no more: what still has the status shows it again.
type Restored struct {
	Status ID `json:"status"`
}

// Used says that a chat or a contact is about to get a status, the first of its sort.
// From then on it can only be archived with another in its place.
type Used struct {
	Status ID     `json:"status"`
	Of     Holder `json:"of,omitempty"` // what gets it; older events do not say it
}

// Remapped takes a status out of use and puts another of the same category in its
// place: chats that have it show the other. Its id stands for the other until it is
// restored.
type Remapped struct {
	Status ID `json:"status"`
	To     ID `json:"to"`
}

func (Created) EventType() string    { return "status.created.v1" }
func (Renamed) EventType() string    { return "status.renamed.v1" }
func (Recoloured) EventType() string { return "status.recoloured.v1" }
func (Moved) EventType() string      { return "status.moved.v1" }
func (DefaultSet) EventType() string { return "status.default_set.v1" }
func (Archived) EventType() string   { return "status.archived.v1" }
func (Restored) EventType() string   { return "status.restored.v1" }
func (Used) EventType() string       { return "status.used.v1" }
func (Remapped) EventType() string   { return "status.remapped.v1" }

func (e Created) apply(s *State) {
	s.list = append(s.list, Item{ID: e.Status, Name: e.Name, Colour: e.Colour, Category: e.Category})
	s.names.Add(e.Status, e.Name)
	if e.Default {
		s.makeDefault(e.Status)
	}
}

func (e Renamed) apply(s *State) {
	if i := s.place(e.Status); i >= 0 {
		s.names.Release(e.Status, s.list[i].Name)
		s.list[i].Name = e.Name
		s.names.Add(e.Status, e.Name)
	}
}

func (e Recoloured) apply(s *State) {
	if i := s.place(e.Status); i >= 0 {
		s.list[i].Colour = e.Colour
	}
}

func (e Moved) apply(s *State) {
	if i := s.place(e.Status); i >= 0 {
		item := s.list[i]
		s.list = slices.Delete(s.list, i, i+1)
		s.list = slices.Insert(s.list, max(0, min(e.To, len(s.list))), item)
	}
}
func (e DefaultSet) apply(s *State) { s.makeDefault(e.Status) }
func (e Archived) apply(s *State)   { s.retire(e.Status, "") }
func (e Remapped) apply(s *State)   { s.retire(e.Status, e.To) }
func (e Used) apply(s *State) {
	if i := s.place(e.Status); i >= 0 {
		item := &s.list[i]
		item.Used = true
		item.Chats = item.Chats || e.Of == Chats
		item.Contacts = item.Contacts || e.Of == Contacts
		item.Others = item.Others || e.Of == ""
	}
}

func (e Restored) apply(s *State) {
	item, ok := s.archived[e.Status]
	if !ok {
		return
	}
	delete(s.archived, e.Status)
	item.Archived, item.Remapped = false, ""
	s.list = append(s.list, item)
	s.names.Add(item.ID, item.Name)
}

// retire takes a status out of the list.
func (s *State) retire(id, to ID) {
	i := s.place(id)
	if i < 0 {
		return
	}
	item := s.list[i]
	item.Archived, item.Remapped = true, to
	s.list = slices.Delete(s.list, i, i+1)
	if s.archived == nil {
		s.archived = map[ID]Item{}
	}
	s.archived[id] = item
	s.names.Release(id, item.Name)
	if i := s.place(to); i >= 0 {
		s.list[i].Used, s.list[i].Others = true, true
	}
}

func (s *State) makeDefault(id ID) {
	for i := range s.list {
		s.list[i].Default = s.list[i].ID == id
		s.list[i].Used = s.list[i].Used || s.list[i].Default
		s.list[i].Others = s.list[i].Others || s.list[i].Default
	}
}

package status

// Events is the catalogue of everything that can happen to a workspace's list
// of statuses.
var Events = []Event{Created{}, Renamed{}, Recoloured{}, Moved{}, DefaultSet{}, Archived{}}

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

func (Created) EventType() string    { return "status.created.v1" }
func (Renamed) EventType() string    { return "status.renamed.v1" }
func (Recoloured) EventType() string { return "status.recoloured.v1" }
func (Moved) EventType() string      { return "status.moved.v1" }
func (DefaultSet) EventType() string { return "status.default_set.v1" }
func (Archived) EventType() string   { return "status.archived.v1" }

package status

import (
	"slices"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/names"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// MaxStatuses is the most statuses of a workspace's list.
const MaxStatuses = 100

// Item is one status of the list.
type Item struct {
	ID       ID
	Name     string
	Colour   string // "#rrggbb", or "" for none
	Category Category
	Default  bool // new chats get it
	Archived bool // and therefore not in the list
	Remapped ID   // of an archived one: what chats show that have it; "": itself
	Used     bool // chats or contacts may have it: it was the default, or given to one
	Chats    bool // one was given to a chat
	Contacts bool // one was given to a contact
	Others   bool // of what has it not all is known: it was the default, say
}

// Holder is what can have a status.
type Holder string

// What can have a status.
const (
	Chats    Holder = "chats"
	Contacts Holder = "contacts"
)

// Noted reports whether nothing is to be noted when something gets the status: that it
// has been given to one of the sort, or that nobody knows what has it.
func (i Item) Noted(of Holder) bool {
	return i.Others || of == Chats && i.Chats || of == Contacts && i.Contacts
}

// State is what past events allow a decision to depend on, and no more. Evolve
// changes it in place; Decide never does.
//
// A list that was seeded always has one default, of the open category, and one
// status of the closed category at least.
type State struct {
	list     []Item
	archived map[ID]Item
	names    names.Index[ID]
}

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// Seeded reports whether there is a list.
func (s State) Seeded() bool { return len(s.list) > 0 }

// List returns the statuses in use, in their order.
func (s State) List() []Item { return slices.Clone(s.list) }

// Get returns a status, also an archived one.
func (s State) Get(id ID) (Item, bool) {
	if i := s.place(id); i >= 0 {
		return s.list[i], true
	}
	item, ok := s.archived[id]
	return item, ok
}

// Resolve returns what chats show that have a status: the one that was put in its
// place, or itself.
func (s State) Resolve(id ID) ID {
	for range MaxStatuses * MaxStatuses { // there is no circle: what is archived is put in nobody's place
		to := s.archived[id].Remapped
		if to == "" {
			break
		}
		id = to
	}
	return id
}

// Find returns the status in use with the name or the id, or the one in the place
// of the status with the id. Case does not count.
func (s State) Find(nameOrID string) (Item, bool) {
	id, ok := s.names.Find(nameOrID)
	if i := s.place(s.Resolve(id)); ok && i >= 0 {
		return s.list[i], true
	}
	return Item{}, false
}

// Lookup returns the status with the name or the id, also an archived one by its id.
// Case does not count.
func (s State) Lookup(nameOrID string) (ID, bool) { return s.names.Find(nameOrID) }

// Default returns the status that new chats get; the zero Item if there is no
// list.
func (s State) Default() Item {
	return s.first(func(i Item) bool { return i.Default })
}

// FirstClosed returns the first status of the closed category; the zero Item if
// there is no list.
func (s State) FirstClosed() Item {
	return s.first(func(i Item) bool { return i.Category == Closed })
}

func (s State) first(is func(Item) bool) Item {
	if i := slices.IndexFunc(s.list, is); i >= 0 {
		return s.list[i]
	}
	return Item{}
}

// place returns where in the list a status is, or -1.
func (s State) place(id ID) int {
	return slices.IndexFunc(s.list, func(i Item) bool { return i.ID == id })
}

// live returns a status that is in use and its place.
func (s State) live(id ID) (Item, int, error) {
	if i := s.place(id); i >= 0 {
		return s.list[i], i, nil
	}
	if _, ok := s.archived[id]; ok {
		return Item{}, -1, ErrArchived
	}
	return Item{}, -1, ErrNotFound
}

// Refusals.
var (
	ErrNotFound       = fault.New(fault.NotFound, "status.not_found", "no such status")
	ErrArchived       = fault.New(fault.Conflict, "status.archived", "the status is archived; restore it")
	ErrExists         = fault.New(fault.Conflict, "status.exists", "the status exists with another name or category")
	ErrNameTaken      = fault.New(fault.Conflict, "status.name_taken", "another status has that name or id")
	ErrNotSeeded      = fault.New(fault.Conflict, "status.not_seeded", "the workspace has no list of statuses yet")
	ErrTooMany        = fault.New(fault.Conflict, "status.too_many", "a workspace can have 100 statuses at most")
	ErrDefaultNotOpen = fault.New(fault.Conflict, "status.default_not_open", "the default is a status of the open category")
	ErrIsDefault      = fault.New(fault.Conflict, "status.is_default", "new chats get the status; make another the default first")
	ErrLastClosed     = fault.New(fault.Conflict, "status.last_closed", "it is the last status of the closed category")

	ErrInUse = fault.New(fault.Conflict, "status.in_use", "chats or contacts have the status, or had it: say with remap_to which one they are to show instead")

	ErrRemap       = fault.Bad("remap_to", "status.bad_remap", "remap_to is another status in use, of the same category")
	ErrUnnamable   = fault.Bad("name", "status.name_unusable", "the name needs a letter or a digit")
	ErrNameMissing = fault.Bad("name", "status.name_missing", "a name is required")
	ErrNameTooLong = fault.Bad("name", "status.name_too_long", "the name is longer than 200 characters")
	ErrNameInvalid = fault.Bad("name", "status.name_invalid", "the name is not UTF-8 or holds U+0000")
	ErrColour      = fault.Bad("colour", "status.bad_colour", "a colour is of the form #rrggbb")
	ErrCategory    = fault.Bad("category", "status.unknown_category", "the category is open, pending or closed")
	ErrPlace       = fault.Bad("to", "status.bad_place", "the list has no such place")
)

var nameText = text.Rule{Max: text.MaxName, Missing: ErrNameMissing, TooLong: ErrNameTooLong, Unclean: ErrNameInvalid}

package contact

import (
	"crypto/sha256"
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
)

// State is what past events allow a decision to depend on, and no more. Evolve
// changes its maps in place; Decide never does.
type State struct {
	Exists    bool
	Deleted   bool
	Blocked   bool
	BlockedAt time.Time // when it was blocked last
	Workspace string
	Status    string
	Category  Category
	Assignee  AgentID
	Into      ID // the contact that this one is shown as a part of, if it is
	Absorbed  map[ID]struct{}
	Tags      map[TagID]struct{}
	Notes     map[NoteID]Note
	Fields    map[string]Held
	Chats     map[string]struct{}
	Source    Source                       // of the last details
	Answers   map[string][sha256.Size]byte // hashes of the last ones, by flow and question
}

// Held is what a field has.
type Held struct {
	Values  []string
	At      time.Time // when it was given
	Profile bool      // nobody has told it: it is that of a profile
}

// Note is what decisions need to know of a note, also after it was deleted.
type Note = notes.Note[AgentID]

// Evolve returns the state after e.
func Evolve(s State, e Event) State { e.apply(&s); return s }

// visible refuses whatever addresses a contact that does not exist, is hidden or is
// a part of another.
func (s State) visible() error {
	switch {
	case !s.Exists || s.Deleted:
		return ErrNotFound
	case s.Into != "":
		return ErrMerged.With("the contact was merged into " + string(s.Into) + "; change that, or unmerge it")
	}
	return nil
}

// put sets a key of a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

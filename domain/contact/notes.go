package contact

import (
	"crypto/sha256"
	"time"
)

// AddNote puts private text on the contact. The same note again is no event, and
// the id of a deleted note is not used again.
type AddNote struct {
	Note NoteID
	Text string
	By   AgentID
	At   time.Time
}

// Decide implements the command.
func (c AddNote) Decide(s State) ([]Event, error) {
	switch {
	case c.Note == "":
		return nil, ErrNoteMissing
	case c.By == "":
		return nil, ErrByMissing
	}
	if err := noteText.Check(c.Text); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	if _, known := s.Notes[c.Note]; known {
		return nil, nil
	}
	if len(s.Notes) >= MaxNotes {
		return nil, ErrTooManyNotes
	}
	return []Event{NoteAdded{Note: c.Note, Text: c.Text, By: c.By, At: c.At}}, nil
}

// EditNote replaces the text of a note. The text it has already is no event.
type EditNote struct {
	Note NoteID
	Text string
	By   AgentID
	At   time.Time
	Any  bool // By may change the notes of others
}

// Decide implements the command.
func (c EditNote) Decide(s State) ([]Event, error) {
	if err := noteText.Check(c.Text); err != nil {
		return nil, err
	}
	n, err := s.note(c.Note, c.By, c.Any)
	if err != nil {
		return nil, err
	}
	switch {
	case n.Deleted:
		return nil, ErrNoteNotFound
	case n.Text == sha256.Sum256([]byte(c.Text)):
		return nil, nil
	}
	return []Event{NoteEdited{Note: c.Note, Text: c.Text, By: c.By, At: c.At}}, nil
}

// DeleteNote takes a note away. A note that is gone already
// is no event.
type DeleteNote struct {
	Note NoteID
	By   AgentID
	At   time.Time
	Any  bool // By may delete the notes of others
}

// Decide implements the command.
func (c DeleteNote) Decide(s State) ([]Event, error) {
	n, err := s.note(c.Note, c.By, c.Any)
	if err != nil || n.Deleted {
		return nil, err
	}
	return []Event{NoteDeleted{Note: c.Note, By: c.By, At: c.At}}, nil
}

// note returns a note that by may change, perhaps a deleted one.
func (s State) note(id NoteID, by AgentID, others bool) (Note, error) {
	switch {
	case id == "":
		return Note{}, ErrNoteMissing
	case by == "":
		return Note{}, ErrByMissing
	}
	if err := s.visible(); err != nil {
		return Note{}, err
	}
	n, known := s.Notes[id]
	switch {
	case !known:
		return n, ErrNoteNotFound
	case n.By != by && !others:
		return n, ErrNoteOther
	}
	return n, nil
}

package chat

import (
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
)

// AddNote puts private text on the chat. The same note again is no event, and
// the id of a deleted note is not used again.
type AddNote struct {
	Note NoteID
	Text string
	By   AgentID
	At   time.Time
}

// Decide implements the command.
func (c AddNote) Decide(s State) ([]Event, error) {
	add, err := notes.Add(noteRules, s.Notes, s.visible(), c.Note, c.By, c.Text)
	if !add {
		return nil, err
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
	edit, err := notes.Edit(noteRules, s.Notes, s.visible(), c.Note, c.By, c.Any, c.Text)
	if !edit {
		return nil, err
	}
	return []Event{NoteEdited{Note: c.Note, Text: c.Text, By: c.By, At: c.At}}, nil
}

// DeleteNote takes a note out of the conversation. A note that is gone already
// is no event.
type DeleteNote struct {
	Note NoteID
	By   AgentID
	At   time.Time
	Any  bool // By may delete the notes of others
}

// Decide implements the command.
func (c DeleteNote) Decide(s State) ([]Event, error) {
	remove, err := notes.Delete(noteRules, s.Notes, s.visible(), c.Note, c.By, c.Any)
	if !remove {
		return nil, err
	}
	return []Event{NoteDeleted{Note: c.Note, By: c.By, At: c.At}}, nil
}

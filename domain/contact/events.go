package contact

import (
	"crypto/sha256"
	"time"

	"github.com/chatledger/chatledger/domain/internal/notes"
)

// Events is the catalogue of everything that can happen to a contact.
var Events = []Event{
	Added{},
	DetailsSet{},
	ChatLinked{},
	Answered{},
	TagsChanged{},
	NoteAdded{},
	NoteEdited{},
	NoteDeleted{},
	StatusSet{},
	Assigned{},
	Unassigned{},
	Blocked{},
	Unblocked{},
	Deleted{},
	Restored{},
	Absorbed{},
	Merged{},
	Unmerged{},
	Released{},
}

// Added makes somebody a contact, and says why.
type Added struct {
	Workspace string    `json:"workspace"`
	Source    Source    `json:"source"`
	Status    string    `json:"status"`   // the workspace's default status
	Category  Category  `json:"category"` // of that status
	At        time.Time `json:"at"`
}

// DetailsSet gives fields other values. What it does not name stays.
type DetailsSet struct {
	Changes []Change  `json:"changes"`
	Source  Source    `json:"source"`
	At      time.Time `json:"at"` // when they were given
}

// ChatLinked says that the contact is who writes in a chat.
type ChatLinked struct {
	Link
	At time.Time `json:"at"`
}

// Answered is what a person answered to a question of a chatflow, whether or not
// they are a contact.
type Answered struct {
	Workspace string    `json:"workspace"`
	Bot       AgentID   `json:"bot"`
	Flow      string    `json:"flow"`
	Question  string    `json:"question"`
	Value     string    `json:"value"`
	Chat      string    `json:"chat,omitempty"` // in which it was given
	At        time.Time `json:"at"`

	Attribute string `json:"attribute,omitempty"`        // that it fills
	Marks     bool   `json:"marks_as_contact,omitempty"` // it says that they are a contact
}

// TagsChanged is a delta: tags that were not there before, tags that were.
type TagsChanged struct {
	Added   []TagID `json:"added,omitempty"`
	Removed []TagID `json:"removed,omitempty"`
}

// NoteAdded is private text on the contact.
type NoteAdded struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// NoteEdited replaces the text of a note; the log keeps the old one.
type NoteEdited struct {
	Note NoteID    `json:"note"`
	Text string    `json:"text"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// NoteDeleted takes a note away; the log keeps it.
type NoteDeleted struct {
	Note NoteID    `json:"note"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// StatusSet moves the contact to another status.
type StatusSet struct {
	Status   string   `json:"status"`
	Category Category `json:"category"`
	From     string   `json:"from"`
}

// Assigned makes To responsible for the contact.
type Assigned struct {
	To   AgentID `json:"to"`
	From AgentID `json:"from,omitempty"`
}

// Unassigned leaves the contact to nobody.
type Unassigned struct {
	From AgentID `json:"from"`
}

// Blocked says that nothing is to be sent to the contact that it did not ask for.
type Blocked struct {
	By     AgentID   `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Unblocked takes that back.
type Unblocked struct {
	By AgentID   `json:"by"`
	At time.Time `json:"at"`

	Parts []ID `json:"parts,omitempty"` // of the contact, that were blocked before they were merged: they are unblocked next
}

// Deleted hides the contact from every list and count.
type Deleted struct {
	By     AgentID `json:"by"`
	Reason string  `json:"reason,omitempty"`
}

// Restored brings a deleted contact back.
type Restored struct {
	By     AgentID `json:"by,omitempty"`
	Source *Source `json:"source,omitempty"` // of the details that did it, if some did
}

// Absorbed says that another contact, which is the same person, is to be shown as a
// part of this one from now on. What happens to either is still kept apart.
type Absorbed struct {
	Contact ID        `json:"contact"`
	By      AgentID   `json:"by"`
	At      time.Time `json:"at"`
}

// Merged is the other side of Absorbed: the contact is shown as a part of Into.
type Merged struct {
	Into ID        `json:"into"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// Unmerged makes the contact one of its own again.
type Unmerged struct {
	From ID        `json:"from"`
	By   AgentID   `json:"by"`
	At   time.Time `json:"at"`
}

// Released is the other side of Unmerged.
type Released struct {
	Contact ID        `json:"contact"`
	By      AgentID   `json:"by"`
	At      time.Time `json:"at"`
}

func (Added) EventType() string       { return "contact.added.v1" }
func (DetailsSet) EventType() string  { return "contact.details_set.v1" }
func (ChatLinked) EventType() string  { return "contact.chat_linked.v1" }
func (Answered) EventType() string    { return "contact.answered.v1" }
func (TagsChanged) EventType() string { return "contact.tags_changed.v1" }
func (NoteAdded) EventType() string   { return "contact.note_added.v1" }
func (NoteEdited) EventType() string  { return "contact.note_edited.v1" }
func (NoteDeleted) EventType() string { return "contact.note_deleted.v1" }
func (StatusSet) EventType() string   { return "contact.status_set.v1" }
func (Assigned) EventType() string    { return "contact.assigned.v1" }
func (Unassigned) EventType() string  { return "contact.unassigned.v1" }
func (Blocked) EventType() string     { return "contact.blocked.v1" }
func (Unblocked) EventType() string   { return "contact.unblocked.v1" }
func (Deleted) EventType() string     { return "contact.deleted.v1" }
func (Restored) EventType() string    { return "contact.restored.v1" }
func (Absorbed) EventType() string    { return "contact.absorbed.v1" }
func (Merged) EventType() string      { return "contact.merged.v1" }
func (Unmerged) EventType() string    { return "contact.unmerged.v1" }
func (Released) EventType() string    { return "contact.released.v1" }

func (e Added) apply(s *State) {
	s.Exists, s.Workspace, s.Status, s.Category, s.Source = true, e.Workspace, e.Status, e.Category, e.Source
}

func (e DetailsSet) apply(s *State) {
	profile := e.Source.Reason == ByProfile
	if !profile {
		s.Source = e.Source
	}
	for _, c := range e.Changes {
		h := Held{Values: c.Values, At: e.At, Profile: profile}
		if was := s.Fields[c.Field]; !was.Profile {
			h.At = last(was.At, e.At)
		}
		put(&s.Fields, c.Field, h)
	}
}
func (e ChatLinked) apply(s *State) { put(&s.Chats, e.Chat, struct{}{}) }
func (e Answered) apply(s *State) {
	s.Workspace = e.Workspace
	put(&s.Answers, questionKey(e.Flow, e.Question), sha256.Sum256([]byte(e.Value)))
}

func (e TagsChanged) apply(s *State) {
	for _, t := range e.Added {
		put(&s.Tags, t, struct{}{})
	}
	for _, t := range e.Removed {
		delete(s.Tags, t)
	}
}

func (e NoteAdded) apply(s *State) {
	put(&s.Notes, e.Note, notes.New(e.By, e.Text))
}

func (e NoteEdited) apply(s *State) {
	n := s.Notes[e.Note]
	n.Text = sha256.Sum256([]byte(e.Text))
	put(&s.Notes, e.Note, n)
}

func (e NoteDeleted) apply(s *State) {
	n := s.Notes[e.Note]
	n.Deleted = true
	put(&s.Notes, e.Note, n)
}
func (e StatusSet) apply(s *State) { s.Status, s.Category = e.Status, e.Category }
func (e Assigned) apply(s *State)  { s.Assignee = e.To }
func (Unassigned) apply(s *State)  { s.Assignee = "" }
func (e Blocked) apply(s *State)   { s.Blocked, s.BlockedAt = true, e.At }
func (Unblocked) apply(s *State)   { s.Blocked = false }
func (Deleted) apply(s *State)     { s.Deleted = true }
func (Restored) apply(s *State)    { s.Deleted = false }
func (e Absorbed) apply(s *State)  { put(&s.Absorbed, e.Contact, struct{}{}) }
func (e Merged) apply(s *State)    { s.Into = e.Into }
func (Unmerged) apply(s *State)    { s.Into = "" }
func (e Released) apply(s *State)  { delete(s.Absorbed, e.Contact) }

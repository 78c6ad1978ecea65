package contact

import (
	"time"

	"github.com/chatledger/chatledger/domain/internal/tagging"
)

// ChangeTags adds and removes tags. What is there already is not added, what is
// not there is not removed; if nothing is left to do, that is no event.
type ChangeTags struct {
	Add    []TagID
	Remove []TagID
}

// Decide implements the command.
func (c ChangeTags) Decide(s State) ([]Event, error) {
	added, removed, err := tagging.Change(tagRules, s.Tags, s.visible(), c.Add, c.Remove)
	if err != nil || len(added)+len(removed) == 0 {
		return nil, err
	}
	return []Event{TagsChanged{Added: added, Removed: removed}}, nil
}

// SetStatus moves the contact to a status of the workspace's list. The status it
// has is no event.
type SetStatus struct {
	Status   string
	Category Category // of that status
}

// Decide implements the command.
func (c SetStatus) Decide(s State) ([]Event, error) {
	if c.Status == "" {
		return nil, ErrStatusMissing
	}
	if err := s.visible(); err != nil || s.Status == c.Status {
		return nil, err
	}
	return []Event{StatusSet{Status: c.Status, Category: c.Category, From: s.Status}}, nil
}

// Assign makes an agent responsible for the contact, whoever was before. To whom
// it is assigned already is no event.
type Assign struct {
	To AgentID
}

// Decide implements the command.
func (c Assign) Decide(s State) ([]Event, error) {
	if c.To == "" {
		return nil, ErrAgentMissing
	}
	if err := s.visible(); err != nil || s.Assignee == c.To {
		return nil, err
	}
	return []Event{Assigned{To: c.To, From: s.Assignee}}, nil
}

// Unassign leaves the contact to nobody.
type Unassign struct{}

// Decide implements the command.
func (Unassign) Decide(s State) ([]Event, error) {
	if err := s.visible(); err != nil || s.Assignee == "" {
		return nil, err
	}
	return []Event{Unassigned{From: s.Assignee}}, nil
}

// Block says that the contact is to get nothing that it did not ask for. Once more
// is no event.
type Block struct {
	By     AgentID
	Reason string
	At     time.Time
}

// Decide implements the command.
func (c Block) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil || s.Blocked {
		return nil, err
	}
	return []Event{Blocked(c)}, nil
}

// Unblock takes that back. A contact is shown as blocked also if only a part of it is;
// UnblockPart has to follow for each of those.
type Unblock struct {
	By    AgentID
	At    time.Time
	Parts []ID // that are blocked
}

// Decide implements the command.
func (c Unblock) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := s.visible(); err != nil || !s.Blocked && len(c.Parts) == 0 {
		return nil, err
	}
	return []Event{Unblocked{By: c.By, At: c.At, Parts: c.Parts}}, nil
}

// UnblockPart unblocks a part of a contact that was unblocked. Of what is no part of it
// any more, or was blocked since, it is no event.
type UnblockPart struct {
	Of ID
	By AgentID
	At time.Time // when the contact was unblocked
}

// Decide implements the command.
func (c UnblockPart) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if !s.Blocked || s.Into != c.Of || s.BlockedAt.After(c.At) {
		return nil, nil
	}
	return []Event{Unblocked{By: c.By, At: c.At}}, nil
}

// Delete hides the contact from every list and count, and from every command but
// Restore and Record. So a second Delete does not find it.
type Delete struct {
	By     AgentID
	Reason string
}

// Decide implements the command.
func (c Delete) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if err := s.visible(); err != nil {
		return nil, err
	}
	return []Event{Deleted(c)}, nil
}

// Revive brings a deleted contact back because details were shared by the customer of one
// that was merged into it. Of one that is not deleted it is no event.
type Revive struct {
	Source Source // of the details
}

// Decide implements the command.
func (c Revive) Decide(s State) ([]Event, error) {
	if err := c.Source.check(); err != nil || !s.Deleted {
		return nil, err
	}
	return []Event{Restored{By: c.Source.By, Source: &c.Source}}, nil
}

// Restore brings a deleted contact back. One that is not deleted is no event.
type Restore struct {
	By AgentID
}

// Decide implements the command.
func (c Restore) Decide(s State) ([]Event, error) {
	switch {
	case c.By == "":
		return nil, ErrByMissing
	case !s.Exists:
		return nil, ErrNotFound
	case !s.Deleted:
		return nil, nil
	}
	return []Event{Restored{By: c.By}}, nil
}

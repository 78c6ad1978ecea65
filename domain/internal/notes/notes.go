// Package notes decides about the private notes on something, for each aggregate
// that has them. It knows no event: the aggregate records what was decided, under
// names of its own.
//
// It is pure.
package notes

import (
	"crypto/sha256"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Note is what decisions need to know of a note, also after it was deleted.
type Note[By ~string] struct {
	By      By
	Deleted bool
	Text    [sha256.Size]byte // hash of the present text
}

// New returns a note with a text.
func New[By ~string](by By, text string) Note[By] {
	return Note[By]{By: by, Text: sha256.Sum256([]byte(text))}
}

// Rules are an aggregate's refusals and bounds.
type Rules struct {
	Text                                         text.Rule
	Missing, ByMissing, NotFound, Other, TooMany *fault.Error
	Max                                          int // notes of one thing, deleted ones included; 0: any number
}

// Add says whether a note is to be added to those of a thing. visible refuses to
// deal with the thing. The same note again is not; nor is the id of a deleted one
// used again.
func Add[ID, By ~string](r Rules, all map[ID]Note[By], visible error, id ID, by By, text string) (bool, error) {
	switch {
	case id == "":
		return false, r.Missing
	case by == "":
		return false, r.ByMissing
	}
	if err := r.Text.Check(text); err != nil {
		return false, err
	}
	if visible != nil {
		return false, visible
	}
	if _, known := all[id]; known {
		return false, nil
	}
	if r.Max > 0 && len(all) >= r.Max {
		return false, r.TooMany
	}
	return true, nil
}

// Edit says whether the text of a note is to be replaced: not by the one it has.
// others says that by may change the notes of others.
func Edit[ID, By ~string](r Rules, all map[ID]Note[By], visible error, id ID, by By, others bool, text string) (bool, error) {
	if err := r.Text.Check(text); err != nil {
		return false, err
	}
	n, err := find(r, all, visible, id, by, others)
	switch {
	case err != nil:
		return false, err
	case n.Deleted:
		return false, r.NotFound
	}
	return n.Text != sha256.Sum256([]byte(text)), nil
}

// Delete says whether a note is to be deleted: not one that is.
func Delete[ID, By ~string](r Rules, all map[ID]Note[By], visible error, id ID, by By, others bool) (bool, error) {
	n, err := find(r, all, visible, id, by, others)
	return err == nil && !n.Deleted, err
}

// find returns a note that by may change, perhaps a deleted one.
func find[ID, By ~string](r Rules, all map[ID]Note[By], visible error, id ID, by By, others bool) (Note[By], error) {
	switch {
	case id == "":
		return Note[By]{}, r.Missing
	case by == "":
		return Note[By]{}, r.ByMissing
	case visible != nil:
		return Note[By]{}, visible
	}
	n, known := all[id]
	switch {
	case !known:
		return n, r.NotFound
	case n.By != by && !others:
		return n, r.Other
	}
	return n, nil
}

package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Imported is what became of a row of an import.
type Imported struct {
	Contact contact.ID
	Outcome ImportOutcome
}

// ImportOutcome says what a row did.
type ImportOutcome string

// The outcomes of a row that was not refused.
const (
	ImportAdded     ImportOutcome = "added"
	ImportUpdated   ImportOutcome = "updated"
	ImportUnchanged ImportOutcome = "unchanged" // all was known, or the same row was imported before
)

// Identify returns the id of the contact that a row is about: by its phone number,
// its e-mail address, or, if it has neither, by all that it says.
func (c Contacts) Identify(workspace string, changes []contact.Change) contact.ID {
	if _, unique := identify(changes); unique != "" {
		return ContactID(workspace, unique)
	}
	return ContactID(workspace, "row "+rowHash(changes))
}

// Import records a row. A row that was imported before changes nothing, whatever has
// happened to the contact since; began is the end of the log when the import began.
func (c Contacts) Import(ctx context.Context, o Origin, id contact.ID, began eventstore.Position, cmd contact.Record) (Imported, error) {
	out := Imported{Contact: id, Outcome: ImportUnchanged}
	o = o.identified().part(ids.Command("contact import", o.Workspace, string(id), rowHash(cmd.Changes)))
	existed := false
	cmd.Workspace, cmd.Strict = o.Workspace, true
	cmd.Changes = slices.DeleteFunc(slices.Clone(cmd.Changes), func(ch contact.Change) bool { return len(ch.Values) == 0 })
	res, err := c.contacts.do(ctx, o, "contact.import", string(id), func(ctx context.Context, s contact.State) ([]contact.Event, error) {
		existed = s.Exists
		cmd := cmd
		if err := c.initial(ctx, o.Workspace, &cmd.Status, &cmd.Category); err != nil {
			return nil, err
		}
		var err error
		if cmd.Changes, err = c.attributes.check(ctx, o.Workspace, cmd.Changes); err != nil {
			return nil, err
		}
		return cmd.Decide(s)
	})
	switch {
	case err != nil || !res.Changed || res.Position <= began:
	case existed:
		out.Outcome = ImportUpdated
	default:
		out.Outcome = ImportAdded
	}
	return out, err
}

// rowHash tells one row from another.
func rowHash(changes []contact.Change) string {
	h := sha256.New()
	for _, ch := range changes {
		for _, part := range append([]string{ch.Field}, ch.Values...) {
			h.Write([]byte(strconv.Itoa(len(part)) + ":" + part + " "))
		}
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

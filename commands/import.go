package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Imported is what became of a row of an import.
type Imported struct {
	Contact contact.ID
	Outcome ImportOutcome
	Before  bool // it is unchanged since an earlier run of the import had the row
}

// ImportOutcome says what a row did.
type ImportOutcome string

// The outcomes of a row that was not refused.
const (
	ImportAdded     ImportOutcome = "added"
	ImportUpdated   ImportOutcome = "updated"
	ImportUnchanged ImportOutcome = "unchanged" // all was known, or an earlier run of the import had the row
)

// ImportRow is a row of an import, whose name is that of its source. An import is run
// again under the same name; under another, it is another.
type ImportRow struct {
	contact.Record
	Nth int       // how many rows before it say the same of the same contact
	Run ImportRun // that the row is of
}

// ImportRun says when an import began.
type ImportRun struct {
	First eventstore.Position // the end of the log when an import of this name first began
	Began eventstore.Position // and when this one did
}

// again reports whether the import has a name and had begun before.
func (r ImportRun) again() bool { return r.First < r.Began }

// BeginImport notes when an import first began; head is the end of the log. All that
// have no name are run for the first time.
func (c Contacts) BeginImport(ctx context.Context, o Origin, name string, head eventstore.Position) (ImportRun, error) {
	run := ImportRun{First: head, Began: head}
	if name == "" {
		return run, nil
	}
	o.Keyed, o.Fingerprint, o.IfMatch = true, "", nil
	o.Command = ids.Command("contact import begins", o.Workspace, name)
	res, known, err := c.contacts.firstAnswer(ctx, o)
	if !known && err == nil {
		res, err = c.contacts.keepAnswer(ctx, o, "contact.begin_import", Result{ID: name, Revision: eventstore.NoStream, Position: head}, nil)
	}
	run.First = res.Position
	return run, err
}

// Identify returns the id of the contact that a row is about: by its phone number,
// its e-mail address, or, if it has neither, by all that it says.
func (c Contacts) Identify(workspace string, changes []contact.Change) contact.ID {
	if _, unique := identify(changes); unique != "" {
		return ContactID(workspace, unique)
	}
	return ContactID(workspace, "row "+RowHash(changes))
}

// Import records a row. One that an earlier run of the same import had changes nothing,
// whatever has happened to the contact since: each row is a command of its own, so it
// does not matter how far that run came.
func (c Contacts) Import(ctx context.Context, o Origin, id contact.ID, row ImportRow) (Imported, error) {
	out := Imported{Contact: id, Outcome: ImportUnchanged}
	cmd := row.Record
	hash := RowHash(cmd.Changes)
	unnamed := ids.Command("contact import", o.Workspace, string(id), hash)
	command := unnamed
	if name := cmd.Source.Import; name != "" || row.Nth > 0 {
		command = ids.Command("contact import", o.Workspace, string(id), hash, name, strconv.Itoa(row.Nth))
	}
	o = o.identified().part(command)
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
		events, err := cmd.Decide(s)
		if err != nil || len(events) == 0 || !s.Exists {
			return events, err
		}
		if row.Nth == 0 {
			out.Before, err = c.hadRow(ctx, id, unnamed, cmd.Source.Import)
		}
		if !out.Before && err == nil && row.Run.again() {
			out.Before, err = c.saidNothing(ctx, id, row.Run.First, cmd)
		}
		if out.Before || err != nil {
			return nil, err
		}
		return events, nil
	})
	switch {
	case err == nil && res.Changed && res.Position <= row.Run.Began:
		out.Before = true
	case err != nil || !res.Changed:
	case existed:
		out.Outcome = ImportUpdated
	default:
		out.Outcome = ImportAdded
	}
	return out, err
}

// hadRow reports whether an import of a name had a row when the names of imports did not
// tell their rows apart yet.
func (c Contacts) hadRow(ctx context.Context, id contact.ID, command uuid.UUID, name string) (bool, error) {
	q := eventstore.StreamQuery{Event: ids.Event(command, 0), Limit: 1}
	for r, err := range c.contacts.store.ReadStream(ctx, "contact-"+string(id), q) {
		if err != nil {
			return false, fmt.Errorf("%w: look for an earlier import: %w", ErrUnavailable, err)
		}
		var by struct {
			Source contact.Source `json:"source"`
		}
		if err := json.Unmarshal(r.Data, &by); err != nil {
			return false, fmt.Errorf("decode %s: %w", r.Type, err)
		}
		return by.Source.Import == name, nil
	}
	return false, nil
}

// saidNothing reports whether a row had nothing to say that was not known when its import
// first ran, so that it left no event: with what was known then, and what the import has
// said.
func (c Contacts) saidNothing(ctx context.Context, id contact.ID, first eventstore.Position, cmd contact.Record) (bool, error) {
	var s contact.State
	for r, err := range c.contacts.store.ReadStream(ctx, "contact-"+string(id), eventstore.StreamQuery{}) {
		if err != nil {
			return false, fmt.Errorf("%w: look at an earlier import: %w", ErrUnavailable, err)
		}
		e, err := c.contacts.codec.Decode(r)
		if err != nil {
			return false, err
		}
		set, ok := e.(contact.DetailsSet)
		if r.Position <= first || ok && set.Source.Import == cmd.Source.Import {
			s = contact.Evolve(s, e)
		}
	}
	if !s.Exists {
		return false, nil
	}
	events, err := cmd.Decide(s)
	return err == nil && len(events) == 0, nil
}

// RowHash tells one row from another.
func RowHash(changes []contact.Change) string {
	h := sha256.New()
	for _, ch := range changes {
		for _, part := range append([]string{ch.Field}, ch.Values...) {
			h.Write([]byte(strconv.Itoa(len(part)) + ":" + part + " "))
		}
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

package commands

import (
	"context"
	"slices"

	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
)

// Attributes runs the commands of package attribute. All attributes of a workspace
// are in one stream; a Result's ID is the workspace's, but of Define that of an
// attribute that was there already.
type Attributes struct {
	attributes *aggregate[attribute.State, attribute.Event]
}

// Define adds an attribute. Its id is a slug of the name.
func (c Attributes) Define(ctx context.Context, o Origin, cmd attribute.Define) (Result, error) {
	var about subject
	return c.attributes.doAbout(ctx, o, "attribute.define", o.Workspace, &about, func(_ context.Context, s attribute.State) ([]attribute.Event, error) {
		cmd := cmd // for another decision the id may be another
		if a, ok := s.Lookup(cmd.Name); ok && cmd.Attribute == "" {
			cmd.Attribute = a.ID
		} else if cmd.Attribute == "" {
			cmd.Attribute = attribute.ID(freeSlug(cmd.Name, func(id string) bool { _, used := s.Lookup(id); return used }))
		}
		about.id = string(cmd.Attribute)
		return cmd.Decide(s)
	})
}

// Change does some things to an attribute: all of them, as one decision, or none.
func (c Attributes) Change(ctx context.Context, o Origin, changes ...func(attribute.State) ([]attribute.Event, error)) (Result, error) {
	return c.attributes.do(ctx, o, "attribute.change", o.Workspace, together(changes))
}

// Archive takes an attribute out of use.
func (c Attributes) Archive(ctx context.Context, o Origin, cmd attribute.Archive) (Result, error) {
	return c.attributes.do(ctx, o, "attribute.archive", o.Workspace, decides(cmd.Decide))
}

// Restore takes an archived attribute back into use.
func (c Attributes) Restore(ctx context.Context, o Origin, cmd attribute.Restore) (Result, error) {
	return c.attributes.do(ctx, o, "attribute.restore", o.Workspace, decides(cmd.Decide))
}

// Known refuses what is no attribute in use, by id or name.
func (c Attributes) Known(ctx context.Context, workspace, nameOrID string) error {
	return c.attributes.with(ctx, workspace, func(s attribute.State) error {
		if _, ok := s.Find(nameOrID); !ok {
			return attribute.ErrNotFound
		}
		return nil
	})
}

// check returns changes in which the workspace's own fields are called by their ids
// and have values of their kinds.
func (c Attributes) check(ctx context.Context, workspace string, changes []contact.Change) ([]contact.Change, error) {
	own := func(ch contact.Change) bool { _, ok := contact.Attribute(ch.Field); return ok }
	if !slices.ContainsFunc(changes, own) {
		return changes, nil
	}
	changes = slices.Clone(changes)
	err := c.attributes.with(ctx, workspace, func(s attribute.State) error {
		for i, ch := range changes {
			name, ok := contact.Attribute(ch.Field)
			if !ok {
				continue
			}
			a, known := s.Lookup(name)
			switch {
			case !known:
				return inField(attribute.ErrNotFound, ch.Field)
			case a.Archived && len(ch.Values) > 0:
				return inField(attribute.ErrArchived, ch.Field)
			}
			values := make([]string, 0, len(ch.Values))
			for _, v := range ch.Values {
				kept, err := a.Value(v)
				if err != nil {
					return inField(err, ch.Field)
				}
				values = append(values, kept)
			}
			changes[i] = contact.Change{Field: contact.Custom + string(a.ID), Values: values}
		}
		return nil
	})
	return changes, err
}

// inField returns a refusal that names the field at fault.
func inField(err error, field string) error {
	f, ok := err.(*fault.Error) //nolint:errorlint // a refusal as the domain gives it
	if !ok {
		return err
	}
	return f.At(field)
}

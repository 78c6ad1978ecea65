package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/internal/ids"
)

// Tags runs the commands of package tag. All tags of a workspace are in one stream,
// so that a name is unique; a Result's ID is the workspace's, but of Create that of
// a tag that was there already.
type Tags struct {
	tags *aggregate[tag.State, tag.Event]
}

// Create adds a tag. Its id is a slug of the name.
func (c Tags) Create(ctx context.Context, o Origin, cmd tag.Create) (Result, error) {
	var about subject
	return c.tags.doAbout(ctx, o, "tag.create", o.Workspace, &about, func(_ context.Context, s tag.State) ([]tag.Event, error) {
		cmd := cmd // for another decision the id may be another
		if t, ok := s.Lookup(cmd.Name); ok && cmd.Tag == "" {
			cmd.Tag = t.ID
		} else if cmd.Tag == "" {
			cmd.Tag = tag.ID(freeSlug(cmd.Name, func(id string) bool { _, used := s.Lookup(id); return used }))
		}
		about.id = string(cmd.Tag)
		return cmd.Decide(s)
	})
}

// Change does some things to a tag: all of them, as one decision, or none.
func (c Tags) Change(ctx context.Context, o Origin, changes ...func(tag.State) ([]tag.Event, error)) (Result, error) {
	return c.tags.do(ctx, o, "tag.change", o.Workspace, together(changes))
}

// Merge makes a tag another one, given by id or name, wherever it is.
func (c Tags) Merge(ctx context.Context, o Origin, id tag.ID, into string) (Result, error) {
	return c.tags.do(ctx, o, "tag.merge", o.Workspace, func(_ context.Context, s tag.State) ([]tag.Event, error) {
		t, ok := s.Lookup(into)
		if !ok {
			return nil, tag.ErrMergeInto
		}
		if into == string(id) {
			t.ID = id // into itself, also where that was merged
		}
		return tag.Merge{Tag: id, Into: t.ID}.Decide(s)
	})
}

// Archive takes a tag out of use.
func (c Tags) Archive(ctx context.Context, o Origin, cmd tag.Archive) (Result, error) {
	return c.tags.do(ctx, o, "tag.archive", o.Workspace, decides(cmd.Decide))
}

// Restore takes an archived tag back into use.
func (c Tags) Restore(ctx context.Context, o Origin, cmd tag.Restore) (Result, error) {
	return c.tags.do(ctx, o, "tag.restore", o.Workspace, decides(cmd.Decide))
}

// Find returns the id of the tag with this id or name.
func (c Tags) Find(ctx context.Context, workspace, nameOrID string) (tag.ID, error) {
	return c.find(ctx, workspace, nameOrID)
}

func (c Tags) find(ctx context.Context, workspace, nameOrID string) (id tag.ID, err error) {
	err = c.tags.with(ctx, workspace, func(s tag.State) error {
		found, ok := s.Find(nameOrID)
		if !ok {
			return tag.ErrNotFound
		}
		id = found
		return nil
	})
	return id, err
}

// resolve returns a delta of tags by their ids, for something that has some tags
// already. It makes those that are new if the delta may. To remove a tag is to
// remove what was merged into it as well; what a thing has under another id is not
// added.
func (c Tags) resolve(ctx context.Context, o Origin, cmd ChangeTags, has func(id string) bool) (delta ChangeTags, err error) {
	for _, name := range cmd.Remove {
		err := c.tags.with(ctx, o.Workspace, func(s tag.State) error {
			t, ok := s.Lookup(name) // an archived one, too: things keep it
			if !ok {
				return nil // nothing can have it
			}
			delta.Remove = append(delta.Remove, string(t.ID))
			for _, alias := range s.Aliases(t.ID) {
				delta.Remove = append(delta.Remove, string(alias))
			}
			return nil
		})
		if err != nil {
			return delta, err
		}
	}
	for _, name := range cmd.Add {
		t, err := c.find(ctx, o.Workspace, name)
		if errors.Is(err, tag.ErrNotFound) && cmd.MayCreate {
			t, err = c.make(ctx, o, name)
		}
		if err != nil {
			return delta, err
		}
		err = c.tags.with(ctx, o.Workspace, func(s tag.State) error {
			if !slices.ContainsFunc(s.Aliases(t), func(a tag.ID) bool { return has(string(a)) }) {
				delta.Add = append(delta.Add, string(t))
			}
			return nil
		})
		if err != nil {
			return delta, err
		}
	}
	return delta, nil
}

// make creates the tag that somebody typed, on the way to another command.
func (c Tags) make(ctx context.Context, o Origin, name string) (tag.ID, error) {
	if _, err := c.Create(ctx, o.part(ids.Command("tag", o.Command.String(), name)), tag.Create{Name: name}); err != nil {
		return "", err
	}
	return c.find(ctx, o.Workspace, name)
}

// trimRunes cuts s to at most n bytes without cutting a character.
func trimRunes(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func numbered(slug string, n int) string { return slug + "-" + strconv.Itoa(n) }

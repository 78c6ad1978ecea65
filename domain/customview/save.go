package customview

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Save gives a view a new version; the first makes it. One that says the same as the
// latest is refused: it would cost a build and show nothing new.
type Save struct {
	Workspace   string
	View        Name
	Description string
	Definition  Definition
	By          string
}

// Decide implements the command.
func (c Save) Decide(s State) ([]Event, error) {
	switch {
	case c.Workspace == "":
		return nil, ErrWorkspace
	case c.By == "":
		return nil, ErrBy
	case !isName(string(c.View), '-'):
		return nil, ErrName
	}
	if err := describedText.Check(c.Description); err != nil {
		return nil, err
	}
	if err := c.Definition.Check(); err != nil {
		return nil, err
	}
	next := Version(1)
	if v := s.views[c.View]; v != nil {
		next = v.last + 1
		switch {
		case len(v.live) > 0 && v.live[len(v.live)-1].Definition.equal(c.Definition):
			return nil, ErrUnchanged.With("version " + strconv.FormatInt(int64(v.live[len(v.live)-1].Version), 10) + " says the same")
		case len(v.live) >= MaxVersions:
			return nil, ErrVersions
		}
	}
	if s.count(c.View) >= MaxViews {
		return nil, ErrTooMany
	}
	return []Event{Saved{
		Workspace: c.Workspace, View: c.View, Version: next, Description: c.Description, Definition: c.Definition.clone(), By: c.By,
	}}, nil
}

// count returns how many views there are, but for one.
func (s State) count(but Name) (n int) {
	for name, v := range s.views {
		if name != but && len(v.live) > 0 {
			n++
		}
	}
	return n
}

func (d Definition) clone() Definition {
	d.Types, d.Tables = slices.Clone(d.Types), slices.Clone(d.Tables)
	for i := range d.Tables {
		d.Tables[i].Columns = slices.Clone(d.Tables[i].Columns)
	}
	return d
}

// at returns a refusal that names a place, such as tables[0].key.
func at(e *fault.Error, path ...any) error {
	var b strings.Builder
	for i, p := range path {
		switch p := p.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(p) + "]")
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p)
		}
	}
	placed := *e
	placed.Field = b.String()
	return &placed
}

var describedText = text.Rule{Max: MaxDescription, TooLong: ErrDescribed, Unclean: ErrDescribed}

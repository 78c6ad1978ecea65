package quickreply

// Create adds a quick reply. One that is there with the same shortcut and text is
// no event.
type Create struct {
	Workspace string
	Place     Place
	Reply     ID
	Shortcut  string
	Text      string
	By        string

	Attributes []string // ids of those that the text names and the workspace has
}

// Decide implements the command.
func (c Create) Decide(s State) ([]Event, error) {
	shortcut := Shortcut(c.Shortcut)
	switch {
	case c.Workspace == "":
		return nil, ErrWorkspace
	case c.By == "":
		return nil, ErrByMissing
	}
	if err := c.Place.check(); err != nil {
		return nil, err
	}
	if err := checkShortcut(shortcut); err != nil {
		return nil, err
	}
	if err := checkText(c.Text, c.Attributes); err != nil {
		return nil, err
	}
	if at, ok := c.Reply.Place(); !ok || at != c.Place {
		return nil, ErrShortcut
	}
	if r, ok := s.Find(shortcut); ok {
		if r.ID == c.Reply && r.Text == c.Text {
			return nil, nil
		}
		return nil, ErrShortcutTaken
	}
	if _, exists := s.replies[c.Reply]; exists {
		return nil, ErrShortcutTaken
	}
	if len(s.replies) >= MaxReplies {
		return nil, ErrTooMany
	}
	return []Event{Created{
		Workspace: c.Workspace, Scope: c.Place.Scope, Of: c.Place.Of, Reply: c.Reply, Version: 1, Shortcut: shortcut, Text: c.Text, By: c.By,
	}}, nil
}

// Edit makes a new version of a quick reply with another shortcut, another text,
// or both. What it has already is no event.
type Edit struct {
	Reply    ID
	Shortcut *string // nil: it stays
	Text     *string // nil: it stays
	By       string

	Attributes []string // ids of those that the text names and the workspace has
}

// Decide implements the command.
func (c Edit) Decide(s State) ([]Event, error) {
	if c.By == "" {
		return nil, ErrByMissing
	}
	r, err := s.live(c.Reply)
	if err != nil {
		return nil, err
	}
	e := Edited{Reply: r.ID, Version: r.Version + 1, Shortcut: r.Shortcut, Text: r.Text, By: c.By}
	if c.Shortcut != nil {
		e.Shortcut = Shortcut(*c.Shortcut)
		if err := checkShortcut(e.Shortcut); err != nil {
			return nil, err
		}
		if err := s.free(r.ID, e.Shortcut); err != nil {
			return nil, err
		}
	}
	if c.Text != nil {
		e.Text = *c.Text
		if err := checkText(e.Text, c.Attributes); err != nil {
			return nil, err
		}
	}
	if e.Shortcut == r.Shortcut && e.Text == r.Text {
		return nil, nil
	}
	return []Event{e}, nil
}

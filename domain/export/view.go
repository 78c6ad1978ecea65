package export

import "time"

// RequestView asks for a table of a custom view. That it is there is for the caller to
// know.
type RequestView struct {
	Workspace string
	View      string
	Version   int64
	Table     string
	Format    Format
	By        string
	At        time.Time
}

// Decide implements the command.
func (c RequestView) Decide(s State) ([]Event, error) {
	switch {
	case s.Workspace != "":
		return nil, nil // the same id: the same request
	case c.Format != CSV && c.Format != NDJSON && c.Format != Parquet:
		return nil, ErrViewFormat
	case c.By == "":
		return nil, ErrBy
	}
	return []Event{ViewRequested{
		Workspace: c.Workspace, View: c.View, Version: c.Version, Table: c.Table, Format: c.Format, By: c.By, At: c.At, Until: c.At.Add(Life),
	}}, nil
}

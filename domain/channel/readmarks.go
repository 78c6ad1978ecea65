package channel

// ReadMarks is when a channel shows customers that the team has read what they wrote.
type ReadMarks string

// When read marks are shown.
const (
	ReadMarksAsked  ReadMarks = "asked"  // when whoever marks a chat as read wants them shown
	ReadMarksAlways ReadMarks = "always" // whenever a chat is marked as read
	ReadMarksNever  ReadMarks = "never"
)

// Set returns m, or what holds where nothing was set.
func (m ReadMarks) Set() ReadMarks {
	if m == "" {
		return ReadMarksAsked
	}
	return m
}

// SetReadMarks says when a channel shows read marks. As before is no event.
type SetReadMarks struct {
	ReadMarks ReadMarks
}

// Decide implements the command.
func (c SetReadMarks) Decide(s State) ([]Event, error) {
	switch c.ReadMarks {
	case ReadMarksAsked, ReadMarksAlways, ReadMarksNever:
	default:
		return nil, ErrReadMarks
	}
	if err := s.connected(); err != nil || s.ReadMarks.Set() == c.ReadMarks {
		return nil, err
	}
	return []Event{ReadMarksSet{ReadMarks: c.ReadMarks, From: s.ReadMarks.Set()}}, nil
}

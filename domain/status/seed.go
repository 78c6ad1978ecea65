package status

// Seed gives a workspace the statuses that all begin with. Where there is a
// list it is no event.
type Seed struct{}

// Decide implements the command.
func (Seed) Decide(s State) ([]Event, error) {
	if s.Seeded() {
		return nil, nil
	}
	return []Event{
		Created{Status: "OPEN", Name: "OPEN", Colour: "#2563eb", Category: Open, Default: true},
		Created{Status: "INPROGRESS", Name: "INPROGRESS", Colour: "#7c3aed", Category: Open},
		Created{Status: "REVIEW", Name: "REVIEW", Colour: "#d97706", Category: Pending},
		Created{Status: "ONHOLD", Name: "ONHOLD", Colour: "#6b7280", Category: Pending},
		Created{Status: "DEPENDENCY", Name: "DEPENDENCY", Colour: "#db2777", Category: Pending},
		Created{Status: "CLOSED", Name: "CLOSED", Colour: "#16a34a", Category: Closed},
	}, nil
}

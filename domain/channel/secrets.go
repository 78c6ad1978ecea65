package channel

// ReplaceSecrets notes that the secrets of the account were set anew. The State
// knows no secret, so each time is an event.
type ReplaceSecrets struct{}

// Decide implements the command.
func (ReplaceSecrets) Decide(s State) ([]Event, error) {
	if err := s.connected(); err != nil {
		return nil, err
	}
	return []Event{SecretsReplaced{}}, nil
}

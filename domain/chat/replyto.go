package chat

// RepliedTo is the message that one to the customer answers: one of either side.
// Whoever asks gives its id; of a message of the customer, which the State does not
// keep, also what the provider calls it.
type RepliedTo struct {
	Message    MessageID `json:"message"`
	ProviderID string    `json:"provider_id"`
}

// Ours reports whether a message is one to the customer, sent or to be sent.
func (s State) Ours(m MessageID) bool {
	_, queued := s.Outbound[m]
	_, waits := s.Scheduled[m]
	return queued || waits
}

// withReply returns o with all that the provider has to be told of what it answers.
func (s State) withReply(o Outgoing) (Outgoing, error) {
	if o.ReplyTo == nil {
		return o, nil
	}
	r := *o.ReplyTo
	ours := s.Outbound[r.Message]
	switch {
	case o.Template != nil:
		return o, ErrReplyTemplate
	case s.Ours(r.Message) && (ours.ProviderID == "" || ours.State == Failed):
		return o, ErrReplyUnsent
	case s.Ours(r.Message):
		r.ProviderID = ours.ProviderID
	case r.Message == "" || r.ProviderID == "":
		return o, ErrReplyUnknown
	}
	o.ReplyTo = &r
	return o, nil
}

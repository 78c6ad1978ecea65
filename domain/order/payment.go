package order

// SetPayment says how the payment stands. As it stands already is no event.
// Nothing can be refunded that was not paid; everything else may be corrected.
type SetPayment struct {
	Payment   Payment
	Reference string // the payment's id where it was made
	Reason    string
}

// Decide implements the command.
func (c SetPayment) Decide(s State) ([]Event, error) {
	if !c.Payment.Valid() {
		return nil, ErrPayment
	}
	if err := refText.Check(c.Reference); err != nil {
		return nil, err
	}
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	if err := s.placed(); err != nil {
		return nil, err
	}
	refund := func(p Payment) bool { return p == Refunded || p == PartlyRefunded }
	switch {
	case s.Payment == c.Payment && s.PaymentReference == c.Reference:
		return nil, nil
	case refund(c.Payment) && s.Payment != Paid && !refund(s.Payment):
		return nil, ErrNotPaid
	}
	return []Event{PaymentSet{Payment: c.Payment, From: s.Payment, Reference: c.Reference, Reason: c.Reason}}, nil
}

// Valid reports whether p is a payment there is.
func (p Payment) Valid() bool {
	switch p {
	case Unpaid, Pending, Paid, Failed, PartlyRefunded, Refunded:
		return true
	}
	return false
}

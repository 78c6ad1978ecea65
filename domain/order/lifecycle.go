package order

import "slices"

// Confirm takes an order that was placed.
type Confirm struct{}

// Decide implements the command.
func (Confirm) Decide(s State) ([]Event, error) {
	return s.move(StatusConfirmed, Confirmed{}, StatusPlaced)
}

// Process starts the work on a confirmed order.
type Process struct{}

// Decide implements the command.
func (Process) Decide(s State) ([]Event, error) {
	return s.move(StatusProcessing, ProcessingStarted{}, StatusConfirmed)
}

// Ship sends an order that is being processed. The same shipment again is no
// event; another one is refused.
type Ship struct {
	Carrier  string
	Tracking string
}

// Decide implements the command.
func (c Ship) Decide(s State) ([]Event, error) {
	for _, word := range []string{c.Carrier, c.Tracking} {
		if err := trackingText.Check(word); err != nil {
			return nil, err
		}
	}
	if s.Status == StatusShipped && (c.Carrier != s.Carrier || c.Tracking != s.Tracking) {
		return nil, ErrShippedOtherwise
	}
	return s.move(StatusShipped, Shipped{Carrier: c.Carrier, Tracking: c.Tracking}, StatusProcessing)
}

// Deliver says that the customer has a shipped order.
type Deliver struct{}

// Decide implements the command.
func (Deliver) Decide(s State) ([]Event, error) {
	return s.move(StatusDelivered, Delivered{}, StatusShipped)
}

// Cancel ends an order that was not shipped.
type Cancel struct {
	Reason string
}

// Decide implements the command.
func (c Cancel) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	return s.move(StatusCancelled, Cancelled{Reason: c.Reason}, StatusPlaced, StatusConfirmed, StatusProcessing)
}

// Return takes back an order that was shipped.
type Return struct {
	Reason string
}

// Decide implements the command.
func (c Return) Decide(s State) ([]Event, error) {
	if err := reasonText.Check(c.Reason); err != nil {
		return nil, err
	}
	return s.move(StatusReturned, Returned{Reason: c.Reason}, StatusShipped, StatusDelivered)
}

// move returns e if the order is in one of the statuses that lead to the status
// to. Where it is already is no event.
func (s State) move(to Status, e Event, from ...Status) ([]Event, error) {
	if err := s.placed(); err != nil {
		return nil, err
	}
	switch {
	case s.Status == to:
		return nil, nil
	case !slices.Contains(from, s.Status):
		return nil, ErrWrongStatus.With("an order that is " + string(s.Status) + " cannot become " + string(to))
	}
	return []Event{e}, nil
}

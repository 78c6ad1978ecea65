package chat

import "time"

// WhatsAppWindow is how long after a customer's message WhatsApp takes free
// messages to them. A message opens the window anew; what we send does not. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages#customer-service-windows
const WhatsAppWindow = 24 * time.Hour

// WindowCloses returns when a window that is open for some time after the
// customer's last message closes; the zero time if there is no message.
func (s State) WindowCloses(open time.Duration) time.Time {
	if s.LastReceived.IsZero() {
		return time.Time{}
	}
	return s.LastReceived.Add(open)
}

// inWindow refuses what comes at a time when the window is closed. With open 0
// there is no window.
func (s State) inWindow(at time.Time, open time.Duration) error {
	closes := s.WindowCloses(open)
	switch {
	case open == 0 || at.Before(closes):
		return nil
	case closes.IsZero():
		return ErrWindowClosed.With("the customer has not written yet: only a template can be sent")
	}
	return ErrWindowClosed.With("the customer's last message is too old: since " + closes.UTC().Format(time.RFC3339) + " only a template can be sent")
}

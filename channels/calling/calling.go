// Package calling hands calls to whoever makes them, and takes in what they
// report: here any click-to-call service, by signed requests in both directions.
// docs/calls.md is the contract with such a service.
//
// It decides nothing about a call and knows no view.
package calling

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Call is a call that is to be made, or ended.
type Call struct {
	ID, Workspace, Chat, Channel string
	Customer                     string // the customer's id in the channel
	Phone                        string // "+" and digits
	Offer                        string // SDP of the caller's end; may be empty
	By                           string
	ProviderID                   string // "" until the provider gave one
}

// Outcome is what a request to a provider led to.
type Outcome int

// Outcomes.
const (
	Accepted Outcome = iota + 1 // the provider does it
	Again                       // it does not now, and may do so later
	Refused                     // it does not and will not
	Unknown                     // the request may have arrived, the answer did not
)

// Answer is how a request to a provider ended.
type Answer struct {
	Outcome    Outcome
	ProviderID string        // with Accepted; may be empty
	Reason     string        // without Accepted: a code, ours or the provider's
	Details    string        // without Accepted: for people
	After      time.Duration // with Again: not before, if the provider said so
	Cause      error         // without Accepted: for the log; nil if the provider answered
}

// ErrNotSetUp says that nobody makes calls for a channel this way.
var ErrNotSetUp = errors.New("calling: the channel is not set up for calls")

// Settings are how a channel's click-to-call service is reached. Printed or
// logged, they show no secret.
type Settings struct {
	Workspace string
	URL       string // what requests are posted to
	Secret    string // signs in both directions
}

// String hides the secret.
func (s Settings) String() string { return "calls of " + s.Workspace + " (secret)" }

// GoString hides the secret from %#v.
func (s Settings) GoString() string { return "calling.Settings{(secret)}" }

// LogValue hides the secret from a log.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secret from whatever encodes by accident.
func (s Settings) MarshalJSON() ([]byte, error) { return []byte(`"(secret)"`), nil }

// Find returns the settings of a channel, or ErrNotSetUp.
type Find func(ctx context.Context, channel string) (Settings, error)

package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/fault"
)

// ErrUnknownChannel says that there is no such channel, that it is none of
// WhatsApp's, or that it was disconnected.
var ErrUnknownChannel = errors.New("whatsapp: no such channel")

// Secrets are what it takes to act for a channel. Printed or logged, they show
// nothing.
type Secrets struct {
	VerifyToken string // proves our address to Meta
	AppSecret   string // signs the webhooks
	AccessToken string // sends
	GraphURL    string // base address of the Graph API; "" is Meta's
}

// String hides the secrets.
func (Secrets) String() string { return "(secrets)" }

// GoString hides the secrets from %#v.
func (Secrets) GoString() string { return "whatsapp.Secrets{(secrets)}" }

// LogValue hides the secrets from a log.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secrets from whatever encodes by accident.
func (Secrets) MarshalJSON() ([]byte, error) { return []byte(`"(secrets)"`), nil }

// Account is a WhatsApp Business number that is connected as a channel.
type Account struct {
	Channel       string
	Workspace     string
	PhoneNumberID string
	Secrets       Secrets
}

// Accounts finds the account of a channel, or returns ErrUnknownChannel.
type Accounts func(ctx context.Context, channel string) (Account, error)

// NewAccounts looks channels up in the log and their secrets where secrets are.
// secrets returns a fault.NotFound for a channel that has none.
func NewAccounts(channels commands.Channels, secrets func(ctx context.Context, channel string) (Secrets, error)) Accounts {
	return func(ctx context.Context, id string) (Account, error) {
		a := Account{Channel: id}
		err := channels.Look(ctx, channel.ID(id), func(s channel.State) error {
			if !s.Connected || s.Kind != channel.WhatsApp {
				return ErrUnknownChannel
			}
			a.Workspace, a.PhoneNumberID = s.Workspace, s.Account
			return nil
		})
		if err == nil {
			a.Secrets, err = secrets(ctx, id)
		}
		if f := (*fault.Error)(nil); errors.As(err, &f) && f.Kind == fault.NotFound {
			err = ErrUnknownChannel
		}
		if err != nil {
			return Account{}, fmt.Errorf("look up channel: %w", err)
		}
		return a, nil
	}
}

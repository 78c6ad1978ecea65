package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// ErrNoCallSettings says that a channel has no service that makes calls.
var ErrNoCallSettings = fault.New(fault.NotFound, "channel.no_call_settings", "the channel has no settings for calls")

// CallSettings are how a channel's click-to-call service is reached. Printed or
// logged, they show nothing but the address.
type CallSettings struct {
	URL    string
	Secret string // signs in both directions
}

// String hides the secret.
func (s CallSettings) String() string { return "call settings " + redacted }

// GoString hides the secret from %#v.
func (s CallSettings) GoString() string { return "accounts.CallSettings{" + redacted + "}" }

// LogValue hides the secret from a log.
func (s CallSettings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secret from whatever encodes by accident.
func (s CallSettings) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// PutCallSettings sets the settings of a channel. A field that is "" keeps its
// value.
func (a *Accounts) PutCallSettings(ctx context.Context, channel string, s CallSettings) error {
	if channel == "" {
		return errors.New("store call settings: no channel")
	}
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO call_settings (channel, url, secret, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (channel) DO UPDATE SET
				url = CASE WHEN excluded.url = '' THEN call_settings.url ELSE excluded.url END,
				secret = CASE WHEN excluded.secret = '' THEN call_settings.secret ELSE excluded.secret END,
				updated_at = excluded.updated_at`,
			channel, s.URL, s.Secret, micros(a.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("store call settings: %w", err)
	}
	return nil
}

// CallSettings returns the settings of a channel, or ErrNoCallSettings.
func (a *Accounts) CallSettings(ctx context.Context, channel string) (s CallSettings, err error) {
	found := false
	err = a.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT url, secret FROM call_settings WHERE channel = $1", []any{channel}, func(r sqldb.Row) error {
			s, found = CallSettings{URL: r.Text(0), Secret: r.Text(1)}, true
			return nil
		})
	})
	switch {
	case err != nil:
		return CallSettings{}, fmt.Errorf("read call settings: %w", err)
	case !found:
		return CallSettings{}, ErrNoCallSettings
	}
	return s, nil
}

// DeleteCallSettings forgets them.
func (a *Accounts) DeleteCallSettings(ctx context.Context, channel string) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM call_settings WHERE channel = $1", channel)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete call settings: %w", err)
	}
	return nil
}

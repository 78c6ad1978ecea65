package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// ErrNoSecrets says that a channel has no secrets here.
var ErrNoSecrets = fault.New(fault.NotFound, "channel.no_secrets", "the channel has no secrets")

// ChannelSecrets are what it takes to act for a channel at its provider. Printed
// or logged, it shows none of them.
type ChannelSecrets struct {
	VerifyToken string // proves the address of the webhook to the provider
	AppSecret   string // signs the webhooks
	AccessToken string // sends
	GraphURL    string // base address of the provider; no secret
}

const redacted = "(secret)"

// String hides the secrets.
func (s ChannelSecrets) String() string {
	return "channel secrets for " + s.GraphURL + " " + redacted
}

// GoString hides the secrets from %#v.
func (s ChannelSecrets) GoString() string { return "accounts.ChannelSecrets{" + redacted + "}" }

// LogValue hides the secrets from a log.
func (s ChannelSecrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secrets from whatever encodes by accident.
func (s ChannelSecrets) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// PutChannelSecrets sets the secrets of a channel. A field that is "" keeps its
// value.
func (a *Accounts) PutChannelSecrets(ctx context.Context, channel string, s ChannelSecrets) error {
	if channel == "" {
		return errors.New("store channel secrets: no channel")
	}
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO channel_secrets (channel, verify_token, app_secret, access_token, graph_url, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (channel) DO UPDATE SET
				verify_token = CASE WHEN excluded.verify_token = '' THEN channel_secrets.verify_token ELSE excluded.verify_token END,
				app_secret = CASE WHEN excluded.app_secret = '' THEN channel_secrets.app_secret ELSE excluded.app_secret END,
				access_token = CASE WHEN excluded.access_token = '' THEN channel_secrets.access_token ELSE excluded.access_token END,
				graph_url = CASE WHEN excluded.graph_url = '' THEN channel_secrets.graph_url ELSE excluded.graph_url END,
				updated_at = excluded.updated_at`,
			channel, s.VerifyToken, s.AppSecret, s.AccessToken, s.GraphURL, micros(a.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("store channel secrets: %w", err)
	}
	return nil
}

// ChannelSecrets returns the secrets of a channel, or ErrNoSecrets.
func (a *Accounts) ChannelSecrets(ctx context.Context, channel string) (ChannelSecrets, error) {
	var s ChannelSecrets
	found := false
	err := a.db.Read(ctx, func(tx sqldb.Tx) error {
		return tx.Query(ctx, "SELECT verify_token, app_secret, access_token, graph_url FROM channel_secrets WHERE channel = $1",
			[]any{channel}, func(r sqldb.Row) error {
				s, found = ChannelSecrets{VerifyToken: r.Text(0), AppSecret: r.Text(1), AccessToken: r.Text(2), GraphURL: r.Text(3)}, true
				return nil
			})
	})
	switch {
	case err != nil:
		return ChannelSecrets{}, fmt.Errorf("read channel secrets: %w", err)
	case !found:
		return ChannelSecrets{}, ErrNoSecrets
	}
	return s, nil
}

// DeleteChannelSecrets forgets them, for a channel that was disconnected.
func (a *Accounts) DeleteChannelSecrets(ctx context.Context, channel string) error {
	err := a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM channel_secrets WHERE channel = $1", channel)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete channel secrets: %w", err)
	}
	return nil
}

package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatledger/chatledger/internal/sqldb"
)

// SigningKey returns the secret key called name, with which checkpoints of the log
// are signed. If there is none it keeps and returns what generate makes, unless
// another process has been faster. A key is never replaced: what it has signed could
// no longer be told from a forgery.
func (a *Accounts) SigningKey(ctx context.Context, name string, generate func() (string, error)) (string, error) {
	secret, err := a.signingKey(ctx, name)
	if !errors.Is(err, sqldb.ErrNoRows) {
		return secret, err
	}
	if secret, err = generate(); err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	err = a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO signing_keys (name, secret, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
			name, secret, micros(a.now()))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store signing key: %w", err)
	}
	return a.signingKey(ctx, name)
}

// SigningKeyNames returns the names of the keys that begin with prefix.
func (a *Accounts) SigningKeyNames(ctx context.Context, prefix string) (names []string, err error) {
	err = a.db.Read(ctx, func(tx sqldb.Tx) error {
		names, err = sqldb.Select[string](ctx, tx, "SELECT name FROM signing_keys WHERE substr(name, 1, length($1)) = $1 ORDER BY name", prefix)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list signing keys: %w", err)
	}
	return names, nil
}

func (a *Accounts) signingKey(ctx context.Context, name string) (secret string, err error) {
	err = a.db.Read(ctx, func(tx sqldb.Tx) error {
		secret, err = sqldb.Get[string](ctx, tx, "SELECT secret FROM signing_keys WHERE name = $1", name)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read signing key: %w", err)
	}
	return secret, nil
}

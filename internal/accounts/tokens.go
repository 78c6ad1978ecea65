package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// Prefix begins every token's secret, so that one that leaked is recognised.
const Prefix = "cl_"

const (
	secretBytes = 32 // 256 random bits: a fast hash is enough to store them
	maxTokens   = 10_000
)

// ErrToken is what Authenticate returns for a secret that is unknown, expired or
// revoked; which of these is not said.
var ErrToken = errors.New("accounts: invalid token")

// Refusals.
var (
	ErrTokenNotFound = fault.New(fault.NotFound, "token.not_found", "no such token")
	ErrWorkspace     = fault.Bad("workspace", "token.workspace_missing", "a token belongs to a workspace")
	ErrRole          = fault.Bad("role", "token.unknown_role", "the role is agent, supervisor, auditor, analyst, admin or bot")
	ErrName          = fault.Bad("name", "token.bad_name", "a token has a name of at most 200 characters")
	ErrExpired       = fault.Bad("expires_at", "token.expired", "the token would have expired already")
)

// Token is the right to act in a workspace. Its secret is not kept.
type Token struct {
	ID        string
	Workspace string
	Role      agent.Role
	Agent     string // the member of staff it acts as; "" for a program
	Name      string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
}

// Valid reports whether the token can be used at that time.
func (t Token) Valid(at time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || at.Before(t.ExpiresAt))
}

// NewToken is what CreateToken makes a token of.
type NewToken struct {
	Workspace string
	Role      agent.Role
	Agent     string
	Name      string
	ExpiresAt time.Time // zero: never
}

// CreateToken makes a token and returns its secret, which cannot be had again.
func (a *Accounts) CreateToken(ctx context.Context, n NewToken) (secret string, t Token, err error) {
	switch {
	case n.Workspace == "":
		return "", t, ErrWorkspace
	case !knownRole(n.Role):
		return "", t, ErrRole
	case strings.TrimSpace(n.Name) == "" || utf8.RuneCountInString(n.Name) > 200 || !utf8.ValidString(n.Name) || strings.ContainsRune(n.Name, 0):
		return "", t, ErrName
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(a.now()):
		return "", t, ErrExpired
	}
	random := make([]byte, secretBytes)
	if _, err := rand.Read(random); err != nil {
		return "", t, fmt.Errorf("make token: %w", err)
	}
	secret = Prefix + base64.RawURLEncoding.EncodeToString(random)
	id, err := uuid.NewV7()
	if err != nil {
		return "", t, fmt.Errorf("make token: %w", err)
	}
	row := tokenRow{
		ID: id.String(), Hash: hash(secret), Workspace: n.Workspace, Role: string(n.Role), Agent: n.Agent,
		Name: strings.TrimSpace(n.Name), CreatedAt: micros(a.now()), ExpiresAt: micros(n.ExpiresAt),
	}
	err = a.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tokens (id, hash, workspace, role, agent, name, created_at, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
			row.ID, row.Hash, row.Workspace, row.Role, row.Agent, row.Name, row.CreatedAt, row.ExpiresAt)
		return err
	})
	if err != nil {
		return "", t, fmt.Errorf("store token: %w", err)
	}
	return secret, row.token(), nil
}

// Authenticate returns the token that a secret belongs to, or ErrToken.
//
// The lookup is by hash, so its duration tells nothing about a secret.
func (a *Accounts) Authenticate(ctx context.Context, secret string) (Token, error) {
	if !strings.HasPrefix(secret, Prefix) || len(secret) > 100 {
		return Token{}, ErrToken
	}
	var row tokenRow
	err := a.db.Read(ctx, func(tx sqldb.Tx) (err error) {
		row, err = sqldb.Get[tokenRow](ctx, tx, "SELECT * FROM tokens WHERE hash = $1", hash(secret))
		return err
	})
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return Token{}, ErrToken
	case err != nil:
		return Token{}, fmt.Errorf("look up token: %w", err)
	}
	t := row.token()
	if !t.Valid(a.now()) {
		return Token{}, ErrToken
	}
	return t, nil
}

// ListTokens returns the tokens of a workspace, or of all if it is "", oldest
// first.
func (a *Accounts) ListTokens(ctx context.Context, workspace string) ([]Token, error) {
	var rows []tokenRow
	err := a.db.Read(ctx, func(tx sqldb.Tx) (err error) {
		rows, err = sqldb.Select[tokenRow](ctx, tx,
			"SELECT * FROM tokens WHERE $1 = '' OR workspace = $1 ORDER BY created_at, id LIMIT $2", workspace, maxTokens)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	tokens := make([]Token, len(rows))
	for i, r := range rows {
		tokens[i] = r.token()
	}
	return tokens, nil
}

// RevokeToken ends a token at once. Revoking it again changes nothing.
func (a *Accounts) RevokeToken(ctx context.Context, id string) error {
	var n int64
	err := a.db.Write(ctx, func(tx sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, "UPDATE tokens SET revoked_at = CASE WHEN revoked_at = 0 THEN $2 ELSE revoked_at END WHERE id = $1", id, micros(a.now()))
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("revoke token: %w", err)
	case n == 0:
		return ErrTokenNotFound
	}
	return nil
}

type tokenRow struct {
	ID        string `db:"id"`
	Hash      string `db:"hash"`
	Workspace string `db:"workspace"`
	Role      string `db:"role"`
	Agent     string `db:"agent"`
	Name      string `db:"name"`
	CreatedAt int64  `db:"created_at"`
	ExpiresAt int64  `db:"expires_at"`
	RevokedAt int64  `db:"revoked_at"`
}

func (r tokenRow) token() Token {
	return Token{
		ID: r.ID, Workspace: r.Workspace, Role: agent.Role(r.Role), Agent: r.Agent, Name: r.Name,
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt), RevokedAt: fromMicros(r.RevokedAt),
	}
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func knownRole(r agent.Role) bool {
	switch r {
	case agent.RoleAgent, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin, agent.RoleBot:
		return true
	}
	return false
}

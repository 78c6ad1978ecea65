package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// ErrNotFound says that there is no such workspace.
var ErrNotFound = fault.New(fault.NotFound, "workspace.not_found", "no such workspace")

// Get returns how a workspace works, with every part, and the row that says so.
func Get(ctx context.Context, tx sqldb.Tx, id string) (s workspace.Settings, r Row, err error) {
	r, err = sqldb.Get[Row](ctx, tx, "SELECT * FROM settings_workspaces WHERE workspace = $1", id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return s, r, ErrNotFound
	}
	if err != nil {
		return s, r, fmt.Errorf("read the settings: %w", err)
	}
	if err := json.Unmarshal([]byte(r.Settings), &s); err != nil {
		return s, r, fmt.Errorf("decode the settings: %w", err)
	}
	return s.As(), r, nil
}

package settings

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// ErrNotFound says that there is no such workspace.
var ErrNotFound = fault.New(fault.NotFound, "workspace.not_found", "no such workspace")

// Get returns how a workspace works, with every part, and the row that says so.
func Get(ctx context.Context, tx sqldb.Tx, id string) (s workspace.Settings, r Row, err error) {
	rows, err := sqldb.Select[Row](ctx, tx, "SELECT * FROM settings_workspaces WHERE workspace = $1", id)
	switch {
	case err != nil:
		return s, r, fmt.Errorf("read the settings: %w", err)
	case len(rows) == 0:
		return s, r, ErrNotFound
	}
	if err := json.Unmarshal([]byte(rows[0].Settings), &s); err != nil {
		return s, r, fmt.Errorf("decode the settings: %w", err)
	}
	return s.As(), rows[0], nil
}

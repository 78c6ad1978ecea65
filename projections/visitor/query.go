package visitor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// ErrNotFound refuses a chat that does not exist.
var ErrNotFound = fault.New(fault.NotFound, "chat.not_found", "there is no such chat")

// Profile is what is known about the customer of a chat. A Field without a value
// is not known. Orders are in their own view.
type Profile struct {
	Row
	Phone Field // as shared, else the number that the customer writes from
}

// Get returns the profile of the customer of a chat, or ErrNotFound. Whether the
// chat is deleted is for the caller to know.
func Get(ctx context.Context, tx sqldb.Tx, workspace, chat string) (Profile, error) {
	if strings.Contains(chat, "\x00") {
		return Profile{}, ErrNotFound
	}
	r, err := sqldb.Get[Row](ctx, tx, `SELECT * FROM visitor_v2_profiles WHERE chat_id = $1 AND workspace = $2`, chat, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Profile{}, ErrNotFound
	}
	if err != nil {
		return Profile{}, fmt.Errorf("get visitor: %w", err)
	}
	return Profile{r, r.phone()}, nil
}

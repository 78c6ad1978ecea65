package contacts

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/filtersql"
	"github.com/chatledger/chatledger/projections/groups"
)

// OfChat adds to the columns of a list those of what the contact of a chat has. The
// rows of the list have a chat_id and a workspace, and what they know by themselves of
// name, e-mail addresses and numbers is there already.
func OfChat(columns map[string]filtersql.Column) map[string]filtersql.Column {
	// CROSS has SQLite begin with the few contacts of the chat.
	from := func(table string) string {
		return " FROM contacts_v3_chats l CROSS JOIN " + table + " k WHERE l.chat_id = c.chat_id AND l.listed = c.workspace AND k.contact_id = l.contact_id AND k.listed = l.listed"
	}
	theirs := from("contacts_v3")
	of := func(column string) filtersql.Column {
		return filtersql.Column{SQL: "COALESCE((SELECT k." + column + theirs + " AND k." + column + " <> '' ORDER BY k.contact_id LIMIT 1), '')"}
	}
	known := func(field, kind string) filtersql.Column {
		c := columns[field]
		c.Also, c.In = "k.value", "SELECT 1"+from("contacts_v3_known_by")+" AND k.kind = '"+kind+"'"
		return c
	}
	maps.Copy(columns, map[string]filtersql.Column{
		"email":          known("email", byEmail),
		"phone":          known("phone", byPhone),
		"gender":         of("gender"),
		"language":       of("language"),
		"blocked":        {In: "SELECT 1" + theirs + " AND k.blocked"},
		groups.Field:     {SQL: "k.group_id", In: "SELECT 1" + from("contacts_v3_groups")},
		filter.OwnPrefix: Values("SELECT 1"+from("contacts_v3_values"), "k"),
	})
	return columns
}

// Belongings are what filters of contacts ask of their chats and orders.
type Belongings struct {
	Channels, Teams []string // ids, sorted
	Unread          bool
	LastActivity    int64    // 0: there is no chat
	LastBy          string   // who wrote last in the chat that was active last
	OrderStatuses   []string // sorted
	HasOrdered      bool
}

// ofChat is a chat of a contact, and ordered the status of an order in one.
type (
	ofChat struct {
		Channel string `db:"channel"`
		Team    string `db:"team"`
		Unread  bool   `db:"has_unread"`
		At      int64  `db:"last_activity_at"`
		By      string `db:"last_by"`
	}
	ordered struct {
		Status string `db:"status"`
	}
)

// BelongingsOf returns what belongs to a contact that is shown.
func BelongingsOf(ctx context.Context, tx sqldb.Tx, workspace, id string) (out Belongings, err error) {
	chats, err := sqldb.Select[ofChat](ctx, tx, `SELECT h.channel, h.team, h.has_unread, h.last_activity_at, h.last_by
		FROM contacts_v3_chats l CROSS JOIN inbox_v3_chats h
		WHERE l.contact_id = $1 AND l.listed = $2 AND h.chat_id = l.chat_id AND h.listed = l.listed ORDER BY h.last_activity_at DESC, h.chat_id`, id, workspace)
	if err != nil {
		return out, fmt.Errorf("get chats of contact: %w", err)
	}
	statuses, err := sqldb.Select[ordered](ctx, tx, `SELECT DISTINCT o.status FROM contacts_v3_chats l CROSS JOIN orders_v2 o
		WHERE l.contact_id = $1 AND l.listed = $2 AND o.chat_id = l.chat_id AND o.workspace = l.listed`, id, workspace)
	if err != nil {
		return out, fmt.Errorf("get orders of contact: %w", err)
	}
	for i, c := range chats {
		if i == 0 {
			out.LastActivity, out.LastBy = c.At, c.By
		}
		out.Channels, out.Unread = append(out.Channels, c.Channel), out.Unread || c.Unread
		if c.Team != "" {
			out.Teams = append(out.Teams, c.Team)
		}
	}
	for _, o := range statuses {
		out.OrderStatuses, out.HasOrdered = append(out.OrderStatuses, o.Status), out.HasOrdered || o.Status != "refused"
	}
	for _, list := range []*[]string{&out.Channels, &out.Teams, &out.OrderStatuses} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return out, nil
}

package inbox_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/inbox"
)

// fillChats makes 100,000 chats: 70 % closed, a third with nobody, the others
// with 50 agents; all tagged vip.
const fillChats = `INSERT INTO inbox_v3_chats (
		chat_id, workspace, listed, channel, customer, name, phone, email, is_contact, status, category, assignee, team, tags, unread, has_unread,
		last_at, last_by, last_kind, last_preview, waiting_since, created_at, last_activity_at, revision, deleted,
		waiting_order, last_in_at, answered_until, profile_name, shared, snoozed, snoozed_until)
	WITH RECURSIVE s(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM s WHERE i < 99999)
	SELECT CAST((i * 7919) % 1000003 AS TEXT) || '-4d57-9d0c-0a5c2f7f7d11', 'acme', 'acme', 'ch', CAST(15551230000 + i AS TEXT), 'Ana', '+1555', 'a@example.com', false,
		CASE WHEN i % 10 < 7 THEN 'CLOSED' WHEN i % 10 < 9 THEN 'OPEN' ELSE 'REVIEW' END,
		CASE WHEN i % 10 < 7 THEN 'closed' WHEN i % 10 < 9 THEN 'open' ELSE 'pending' END,
		CASE WHEN (i / 10) % 3 = 0 THEN '' ELSE 'agent' || CAST((i / 30) % 50 AS TEXT) END, '', '["vip"]', i % 3, i % 3 > 0,
		1790000000000000 + i * 1000, 'customer', 'text', 'hello, how are you?', 0, 1780000000000000 + i * 999, 1790000000000000 + i * 1000, 5, false,
		7433372036854775807 - i * 1000, 1, 1, '{}', '{}', false, 0
	FROM s`

const fillTags = `INSERT INTO inbox_v3_tags (
		listed, tag, status, assignee, last_activity_at, chat_id, category, team, channel, has_unread, snoozed, created_at, waiting_order)
	SELECT listed, 'vip', status, assignee, last_activity_at, chat_id, category, team, channel, has_unread, snoozed, created_at, waiting_order FROM inbox_v3_chats`

func BenchmarkList(b *testing.B) {
	agent, unread := "agent7", true
	queries := []struct {
		name  string
		query inbox.Query
	}{
		{"all", inbox.Query{}},
		{"status+assignee+tag", inbox.Query{Status: "OPEN", Assignee: &agent, Tag: "vip"}},
		{"status+assignee", inbox.Query{Status: "OPEN", Assignee: &agent}},
		{"unread+assignee", inbox.Query{Unread: &unread, Assignee: &agent}},
		{"category", inbox.Query{Category: "open"}},
		{"waiting+assignee", inbox.Query{Sort: inbox.ByWaiting, Assignee: &agent}},
	}
	open := map[string]func() (sqldb.DB, error){
		"sqlite": func() (sqldb.DB, error) {
			return sqldb.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "views.db"), sqldb.Rebuildable)
		},
		"postgres": func() (sqldb.DB, error) {
			return sqldb.OpenPostgres(b.Context(), testenv.Postgres(b), "test_views", sqldb.Rebuildable)
		},
	}
	for engine := range open {
		db, err := open[engine]()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := db.Close(); err != nil {
				b.Error(err)
			}
		})
		cfg := projections.Config{
			Store: memory.New(time.Now), DB: db, Now: time.Now, Projections: []func() projections.Projection{inbox.New, directory.New},
			Decode: func(eventstore.Recorded) (any, error) { return nil, nil },
		}
		if err := projections.Prepare(b.Context(), cfg); err != nil {
			b.Fatal(err)
		}
		statements := []string{fillChats, fillTags}
		if db.Engine() == sqldb.Postgres { // which does so by itself, in time
			statements = append(statements, "ANALYZE")
		}
		for _, sql := range statements {
			err := db.Write(b.Context(), func(tx sqldb.Tx) error {
				_, err := tx.Exec(b.Context(), sql)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		for _, q := range queries {
			q.query.Workspace = "acme"
			b.Run(engine+"/"+q.name, func(b *testing.B) {
				for b.Loop() {
					err := db.Read(b.Context(), func(tx sqldb.Tx) error {
						page, err := inbox.List(b.Context(), tx, q.query)
						if err == nil && len(page.Chats) != 50 {
							b.Fatalf("%d chats", len(page.Chats))
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

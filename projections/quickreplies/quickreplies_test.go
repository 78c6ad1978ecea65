package quickreplies_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/quickreplies"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// fold returns the tables after facts happened, at seconds 1, 2, 3 …
func fold(t *testing.T, facts ...any) projectionstest.Tables {
	var events []projections.Event
	for _, f := range facts {
		stream := "quickreplies-x"
		if _, ok := f.(chat.Event); ok {
			stream = "chat-1"
		}
		e := projectionstest.Event(stream, f)
		e.Meta.Workspace = "acme"
		events = append(events, e)
	}
	return projectionstest.Fold(t, quickreplies.New(), events...)
}

func sent(id string, version int64, second int) chat.MessageQueued {
	return chat.MessageQueued{Message: "m", Text: "x", At: time.Unix(int64(second), 0), QuickReply: &chat.QuickReplyUse{ID: id, Version: version}}
}

func TestFold(t *testing.T) {
	tables := fold(t,
		quickreply.Created{Workspace: "acme", Scope: "team", Of: "billing", Reply: "team.billing.hello", Version: 1, Shortcut: "Hello", Text: "one", By: "sue"},
		sent("team.billing.hello", 1, 50),
		sent("team.billing.hello", 1, 40), // of another chat, told later
		quickreply.Edited{Reply: "team.billing.hello", Version: 2, Shortcut: "Hi", Text: "two", By: "ann"},
		sent("team.billing.hello", 2, 60),
		sent("workspace.unknown", 1, 70),
		chat.MessageQueued{Message: "m", Text: "typed", At: time.Unix(80, 0)},
		quickreply.Archived{Reply: "team.billing.hello", By: "bob"},
	)
	check := func(got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}
	replies := projectionstest.Rows[quickreplies.Reply](tables, "quickreplies_replies")
	if len(replies) != 1 || replies[0].UpdatedAt <= replies[0].CreatedAt {
		t.Fatalf("replies %+v", replies)
	}
	replies[0].CreatedAt, replies[0].UpdatedAt = 0, 0
	check(replies, []quickreplies.Reply{{
		Key: quickreplies.Key{Workspace: "acme", ID: "team.billing.hello"}, Place: "team.billing", Scope: "team", Of: "billing",
		Shortcut: "Hi", SortShortcut: "hi", Text: "two", Version: 2, Archived: true, UpdatedBy: "bob", Uses: 3, LastUsedAt: 60e6,
	}})
	versions := projectionstest.Rows[quickreplies.Version](tables, "quickreplies_versions")
	for i := range versions {
		versions[i].At = 0
	}
	key := func(n int64) quickreplies.VersionKey {
		return quickreplies.VersionKey{Workspace: "acme", ID: "team.billing.hello", Version: n}
	}
	check(versions, []quickreplies.Version{
		{VersionKey: key(1), Shortcut: "Hello", Text: "one", By: "sue", Uses: 2},
		{VersionKey: key(2), Shortcut: "Hi", Text: "two", By: "ann", Uses: 1},
	})
	check(projectionstest.Rows[quickreplies.Place](tables, "quickreplies_places"), []quickreplies.Place{
		{PlaceKey: quickreplies.PlaceKey{Workspace: "acme", Place: "team.billing"}, Revision: 2},
	})
	if got := projectionstest.Rows[quickreplies.Reply](fold(t,
		quickreply.Created{Workspace: "acme", Scope: "workspace", Reply: "workspace.a", Version: 1, Shortcut: "a", Text: "x"},
		quickreply.Archived{Reply: "workspace.a"}, quickreply.Restored{Reply: "workspace.a"}), "quickreplies_replies"); len(got) != 1 || got[0].Archived {
		t.Errorf("restored: %+v", got)
	}
}

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{quickreplies.New}, func(t *testing.T, l *viewstest.Ledger) {
		everybody, billing, anns := quickreply.Place{Scope: "workspace"}, quickreply.Place{Scope: "team", Of: "billing"}, quickreply.Place{Scope: "personal", Of: "ann"}
		create := func(at quickreply.Place, shortcut string) codec.Event {
			return quickreply.Created{Workspace: "acme", Scope: at.Scope, Of: at.Of, Reply: at.ID(shortcut), Version: 1, Shortcut: shortcut, Text: "text of " + shortcut, By: "sue"}
		}
		var many []codec.Event
		for i := range 12 {
			many = append(many, create(everybody, fmt.Sprintf("%c%02d", "aB"[i%2], i)))
		}
		for i := range 60 {
			many = append(many, quickreply.Edited{Reply: "workspace.a00", Version: int64(i + 2), Shortcut: "a00", Text: fmt.Sprint("edit ", i), By: "sue"})
		}
		l.Record(t, "quickreplies-1", append(many, quickreply.Archived{Reply: "workspace.B01", By: "sue"})...)
		l.Record(t, "quickreplies-2", create(billing, "a05"), create(billing, "bill"))
		l.Record(t, "quickreplies-3", create(anns, "a05"))
		l.Record(t, "chat-1", sent("workspace.a00", 61, 5), sent("workspace.a00", 60, 6))
		l.Read(t, func(tx sqldb.Tx) {
			ctx := t.Context()
			list := func(q quickreplies.Query) (ids []string) {
				t.Helper()
				for q.Workspace = "acme"; ; {
					p, err := quickreplies.List(ctx, tx, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range p.Replies {
						ids = append(ids, r.ID)
					}
					if q.Cursor = p.Next; q.Cursor == "" {
						return ids
					}
				}
			}
			all := []string{everybody.String(), billing.String(), anns.String()}
			want := []string{
				"workspace.a00", "workspace.a02", "workspace.a04", "personal.ann.a05", "team.billing.a05", "workspace.a06", "workspace.a08", "workspace.a10",
				"workspace.B03", "workspace.B05", "workspace.B07", "workspace.B09", "workspace.B11", "team.billing.bill",
			}
			for _, limit := range []int{0, 1, 3} {
				if diff := cmp.Diff(want, list(quickreplies.Query{Places: all, Limit: limit})); diff != "" {
					t.Errorf("pages of %d: %s", limit, diff)
				}
			}
			for name, tt := range map[string]struct {
				q    quickreplies.Query
				want []string
			}{
				"of one place":       {quickreplies.Query{Places: []string{billing.String()}}, []string{"team.billing.a05", "team.billing.bill"}},
				"of nowhere":         {quickreplies.Query{}, nil},
				"by prefix":          {quickreplies.Query{Places: all, Prefix: "B0"}, []string{"workspace.B03", "workspace.B05", "workspace.B07", "workspace.B09"}},
				"with archived ones": {quickreplies.Query{Places: all, Prefix: "b01", All: true}, []string{"workspace.B01"}},
				"by NUL":             {quickreplies.Query{Places: all, Prefix: "\x00"}, nil},
				"by percent":         {quickreplies.Query{Places: all, Prefix: "%"}, nil},
			} {
				if diff := cmp.Diff(tt.want, list(tt.q)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			if p, err := quickreplies.List(ctx, tx, quickreplies.Query{Workspace: "acme", Places: all, Limit: 1}); err != nil || p.Revisions["workspace"] != 72 || p.Revisions["team.billing"] != 1 {
				t.Errorf("revisions %v, %v", p.Revisions, err)
			}
			if p, err := quickreplies.List(ctx, tx, quickreplies.Query{Workspace: "other", Places: all}); err != nil || len(p.Replies) != 0 {
				t.Errorf("of another workspace: %v, %v", p.Replies, err)
			}
			r, versions, revision, err := quickreplies.Get(ctx, tx, "acme", "workspace.a00", all)
			if err != nil || r.Version != 61 || r.Uses != 2 || revision != 72 || len(versions) != quickreplies.MaxVersions ||
				versions[0].Version != 61 || versions[0].Uses != 1 || versions[1].Uses != 1 || versions[2].Uses != 0 {
				t.Errorf("%+v, %d versions, revision %d, %v", r, len(versions), revision, err)
			}
			for _, tt := range []struct {
				workspace, id string
				places        []string
			}{{"other", "workspace.a00", all}, {"acme", "workspace.a00", []string{"team.billing"}}, {"acme", "none", all}, {"acme", "\x00", all}, {"acme", "workspace.a00", nil}} {
				if _, _, _, err := quickreplies.Get(ctx, tx, tt.workspace, tt.id, tt.places); !errors.Is(err, quickreplies.ErrNotFound) {
					t.Errorf("%+v: %v", tt, err)
				}
			}
			for q, want := range map[*quickreplies.Query]error{
				{Places: all, Limit: 201}:                                       cursor.ErrLimit,
				{Places: all, Cursor: "x"}:                                      cursor.ErrInvalid,
				{Places: all, Cursor: cursor.Encode("directory/tags", "other")}: cursor.ErrInvalid,
			} {
				if _, err := quickreplies.List(ctx, tx, *q); !errors.Is(err, want) {
					t.Errorf("%+v: %v, want %v", q, err, want)
				}
			}
			if !slices.IsSortedFunc(versions, func(a, b quickreplies.Version) int { return int(b.Version - a.Version) }) {
				t.Error("versions are not the latest first")
			}
		})
		l.Verify(t)
	})
}

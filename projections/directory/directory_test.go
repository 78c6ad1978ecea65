package directory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// fold returns the rows of a table after facts happened in stream.
func fold[R any](t testing.TB, table, stream string, facts ...any) []R {
	events := make([]projections.Event, len(facts))
	for i, f := range facts {
		events[i] = projectionstest.Event(stream, f)
	}
	return projectionstest.Rows[R](projectionstest.Fold(t, directory.New(), events...), table)
}

func check[R any](t *testing.T, got []R, want ...R) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestAgents(t *testing.T) {
	invited := agent.Invited{Workspace: "acme", Name: "Ann", Email: "ann@x", Role: agent.RoleAgent}
	want := directory.Agent{
		ID: "1", Workspace: "acme", Name: "Ann", SortName: "ann", Email: "ann@x", Role: "agent", Active: true, Availability: "offline", InvitedAt: 1e6,
	}
	check(t, fold[directory.Agent](t, "directory_v2_agents", "agent-1", invited), want)
	want.Role, want.Availability, want.Active, want.Revision = "admin", "online", false, 3
	check(t, fold[directory.Agent](t, "directory_v2_agents", "agent-1", invited,
		agent.RoleChanged{Role: agent.RoleAdmin}, agent.AvailabilitySet{Availability: agent.Online}, agent.Deactivated{}), want)
	capped := want
	capped.Capacity = 5
	check(t, fold[directory.Agent](t, "directory_v2_agents", "agent-1", invited,
		agent.RoleChanged{Role: agent.RoleAdmin}, agent.AvailabilitySet{Availability: agent.Online}, agent.Deactivated{}, agent.CapacitySet{Capacity: 5}), func() directory.Agent { capped.Revision = 4; return capped }())
	want.Active, want.Revision = true, 4
	check(t, fold[directory.Agent](t, "directory_v2_agents", "agent-1", invited,
		agent.RoleChanged{Role: agent.RoleAdmin}, agent.AvailabilitySet{Availability: agent.Online}, agent.Deactivated{}, agent.Reactivated{}), want)
}

func TestTeams(t *testing.T) {
	key := directory.ItemKey{Workspace: "acme", ID: "sales"}
	check(t, fold[directory.Team](t, "directory_v2_teams", "teams-acme",
		team.Created{Team: "sales", Name: "Sales"}, team.MemberAdded{Team: "sales", Agent: "b"}, team.MemberAdded{Team: "sales", Agent: "a"},
		team.MemberAdded{Team: "sales", Agent: "c"}, team.MemberRemoved{Team: "sales", Agent: "b"}, team.Renamed{Team: "sales", Name: "Trade"},
	), directory.Team{ItemKey: key, Name: "Trade", SortName: "trade", Rule: "manual", Members: []string{"a", "c"}, Revision: 5})
	check(t, fold[directory.Team](t, "directory_v2_teams", "teams-acme", team.Created{Team: "sales", Name: "Sales"}, team.Archived{Team: "sales"}),
		directory.Team{ItemKey: key, Name: "Sales", SortName: "sales", Rule: "manual", Archived: true, Revision: 1})
	check(t, fold[directory.Team](t, "directory_v2_teams", "teams-acme", team.Created{Team: "sales", Name: "Sales"}, team.Archived{Team: "sales"}, team.Restored{Team: "sales"}),
		directory.Team{ItemKey: key, Name: "Sales", SortName: "sales", Rule: "manual", Revision: 2})
	check(t, fold[directory.Team](t, "directory_v2_teams", "teams-acme", team.Created{Team: "sales", Name: "Sales"},
		team.RuleSet{Team: "sales", Rule: team.LeastBusy, From: team.Manual}, team.HoursSet{Team: "sales", Hours: team.Hours{
			Zone: "Europe/Berlin", Weekly: []team.Span{{Day: 1, From: "09:00", To: "17:00"}}, Exceptions: []team.Exception{{Date: "2026-12-24"}},
		}}),
		directory.Team{ItemKey: key, Name: "Sales", SortName: "sales", Rule: "least_busy", Revision: 2, Hours: directory.Hours{
			Zone: "Europe/Berlin", Weekly: []directory.Span{{Day: 1, From: "09:00", To: "17:00"}}, Exceptions: []directory.Exception{{Date: "2026-12-24"}},
		}})
}

func TestTags(t *testing.T) {
	key := directory.ItemKey{Workspace: "acme", ID: "vip"}
	facts := []any{
		tag.Created{Tag: "vip", Name: "VIP", Colour: "#ff0000"}, tag.Renamed{Tag: "vip", Name: "Gold"}, tag.Recoloured{Tag: "vip", Colour: "#00ff00"}, tag.Archived{Tag: "vip"},
	}
	check(t, fold[directory.Tag](t, "directory_v2_tags", "tags-acme", facts...),
		directory.Tag{ItemKey: key, Name: "Gold", SortName: "gold", Colour: "#00ff00", Archived: true, Revision: 3})
	check(t, fold[directory.Tag](t, "directory_v2_tags", "tags-acme", append(facts, tag.Restored{Tag: "vip"})...),
		directory.Tag{ItemKey: key, Name: "Gold", SortName: "gold", Colour: "#00ff00", Revision: 4})
}

func TestStatuses(t *testing.T) {
	open := directory.Status{ID: "OPEN", Name: "Open", Colour: "#111111", Category: "open", Default: true}
	review := directory.Status{ID: "REVIEW", Name: "Review", Category: "pending"}
	done := directory.Status{ID: "DONE", Name: "Done", Category: "closed"}
	given := []any{
		status.Created{Status: "OPEN", Name: "Open", Colour: "#111111", Category: "open", Default: true},
		status.Created{Status: "REVIEW", Name: "Review", Category: "pending"},
		status.Created{Status: "DONE", Name: "Done", Category: "closed"},
	}
	not := func(s directory.Status) directory.Status { s.Default = false; return s }
	is := func(s directory.Status) directory.Status { s.Default = true; return s }
	renamed := review
	renamed.Name, renamed.Colour = "Check", "#222222"
	for name, tt := range map[string]struct {
		when            []any
		inUse, archived []directory.Status
	}{
		"created":        {nil, []directory.Status{open, review, done}, nil},
		"moved up":       {[]any{status.Moved{Status: "DONE", To: 0}}, []directory.Status{done, open, review}, nil},
		"moved down":     {[]any{status.Moved{Status: "OPEN", To: 1}}, []directory.Status{review, open, done}, nil},
		"moved too far":  {[]any{status.Moved{Status: "OPEN", To: 9}}, []directory.Status{review, done, open}, nil},
		"changed":        {[]any{status.Renamed{Status: "REVIEW", Name: "Check"}, status.Recoloured{Status: "REVIEW", Colour: "#222222"}}, []directory.Status{open, renamed, done}, nil},
		"archived":       {[]any{status.Archived{Status: "REVIEW"}}, []directory.Status{open, done}, []directory.Status{review}},
		"restored":       {[]any{status.Archived{Status: "REVIEW"}, status.Restored{Status: "REVIEW"}}, []directory.Status{open, done, review}, nil},
		"of no status":   {[]any{status.Renamed{Status: "X", Name: "Y"}}, []directory.Status{open, review, done}, nil},
		"a new default":  {[]any{status.DefaultSet{Status: "REVIEW"}}, []directory.Status{not(open), is(review), done}, nil},
		"one by default": {[]any{status.Created{Status: "NEW", Name: "New", Category: "open", Default: true}}, []directory.Status{not(open), review, done, {ID: "NEW", Name: "New", Category: "open", Default: true}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, fold[directory.Statuses](t, "directory_v2_statuses", "statuses-acme", append(given, tt.when...)...),
				directory.Statuses{Workspace: "acme", InUse: tt.inUse, Archived: tt.archived, Revision: int64(2 + len(tt.when))})
		})
	}
}

func TestChannelsAndWorkspaces(t *testing.T) {
	connected := channel.Connected{Workspace: "acme", Kind: channel.WhatsApp, Name: "Shop", Account: "106", Phone: "+1555"}
	check(t, fold[directory.Channel](t, "directory_v2_channels", "channel-1", connected, channel.SecretsReplaced{}, channel.Renamed{Name: "Store"}),
		directory.Channel{ID: "1", Workspace: "acme", Kind: "whatsapp", Name: "Store", SortName: "store", Account: "106", Phone: "+1555", Active: true, Revision: 2})
	check(t, fold[directory.Channel](t, "directory_v2_channels", "channel-1", connected, channel.Disconnected{}),
		directory.Channel{ID: "1", Workspace: "acme", Kind: "whatsapp", Name: "Shop", SortName: "shop", Account: "106", Phone: "+1555", Revision: 1})
	check(t, fold[directory.Workspace](t, "directory_v2_workspaces", "workspace-acme", workspace.Created{Name: "Acme"}, workspace.Renamed{Name: "ACME"}),
		directory.Workspace{ID: "acme", Name: "ACME", Revision: 1})
}

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{directory.New}, func(t *testing.T, l *viewstest.Ledger) {
		var teams, tags []codec.Event
		var names []string
		for i := range 25 {
			name := fmt.Sprintf("%c%02d", "aB"[i%2], i/4) // some are equal
			names = append(names, name)
			l.Record(t, fmt.Sprintf("agent-%02d", i), agent.Invited{Workspace: "acme", Name: name, Role: agent.RoleAgent})
			if i%5 == 0 {
				l.Record(t, fmt.Sprintf("agent-%02d", i), agent.Deactivated{})
			}
			teams = append(teams, team.Created{Team: team.ID(fmt.Sprintf("t%02d", i)), Name: name})
			tags = append(tags, tag.Created{Tag: tag.ID(fmt.Sprintf("t%02d", i)), Name: name})
		}
		l.Record(t, "teams-acme", append(teams, team.MemberAdded{Team: "t07", Agent: "03"}, team.Archived{Team: "t01"})...)
		l.Record(t, "tags-acme", append(tags, tag.Archived{Tag: "t02"})...)
		l.Record(t, "statuses-acme", status.Created{Status: "OPEN", Name: "Open", Category: "open", Default: true})
		l.Record(t, "channel-1", channel.Connected{Workspace: "acme", Kind: "whatsapp", Name: "Shop"})
		l.Record(t, "channel-2", channel.Connected{Workspace: "acme", Kind: "whatsapp", Name: "Old"}, channel.Disconnected{})
		l.Record(t, "workspace-acme", workspace.Created{Name: "Acme"})
		l.Record(t, "workspace-other", workspace.Created{Name: "Other"})
		l.Read(t, func(tx sqldb.Tx) {
			ctx := t.Context()
			agents := walk(t, 4, func(q directory.Query) (directory.Page[directory.Agent], error) { return directory.Agents(ctx, tx, q) })
			if len(agents) != 25 {
				t.Errorf("%d agents, want 25", len(agents))
			}
			for i := 1; i < len(agents); i++ {
				if a, b := agents[i-1], agents[i]; a.SortName > b.SortName || a.SortName == b.SortName && a.ID >= b.ID {
					t.Errorf("%s %s is before %s %s", a.Name, a.ID, b.Name, b.ID)
				}
			}
			if page, err := directory.Agents(ctx, tx, directory.Query{Workspace: "acme", InUse: true}); err != nil || len(page.Items) != 20 || page.Next != "" {
				t.Errorf("%d agents in use, %v; want 20", len(page.Items), err)
			}
			if got := walk(t, 7, func(q directory.Query) (directory.Page[directory.Team], error) { return directory.Teams(ctx, tx, q) }); len(got) != 25 || got[0].Revision != 26 {
				t.Errorf("teams %+v", got)
			}
			if got := walk(t, 7, func(q directory.Query) (directory.Page[directory.Tag], error) {
				q.InUse = true
				return directory.Tags(ctx, tx, q)
			}); len(got) != 24 {
				t.Errorf("tags %+v", got)
			}
			if got := walk(t, 1, func(q directory.Query) (directory.Page[directory.Channel], error) {
				return directory.Channels(ctx, tx, q)
			}); len(got) != 2 || got[0].Name != "Old" || got[0].Active {
				t.Errorf("channels %+v", got)
			}
			if a, err := directory.GetAgent(ctx, tx, "acme", "05"); err != nil || a.Name != names[5] || a.Active {
				t.Errorf("agent %+v, %v", a, err)
			}
			if g, err := directory.GetTeam(ctx, tx, "acme", "t07"); err != nil || fmt.Sprint(g.Members) != "[03]" || g.Revision != 26 {
				t.Errorf("team %+v, %v", g, err)
			}
			if g, err := directory.GetTag(ctx, tx, "acme", "t02"); err != nil || !g.Archived || g.Revision != 25 {
				t.Errorf("tag %+v, %v", g, err)
			}
			if s, err := directory.GetStatuses(ctx, tx, "acme"); err != nil || len(s.InUse) != 1 || s.InUse[0].ID != "OPEN" {
				t.Errorf("statuses %+v, %v", s, err)
			}
			if s, err := directory.GetStatuses(ctx, tx, "other"); err != nil || len(s.InUse) != 0 || s.Revision != -1 {
				t.Errorf("statuses of another workspace %+v, %v", s, err)
			}
			if c, err := directory.GetChannel(ctx, tx, "acme", "1"); err != nil || c.Name != "Shop" {
				t.Errorf("channel %+v, %v", c, err)
			}
			if w, err := directory.GetWorkspace(ctx, tx, "acme"); err != nil || w.Name != "Acme" {
				t.Errorf("workspace %+v, %v", w, err)
			}
			if w, err := directory.Workspaces(ctx, tx, "acme", 5); err != nil || len(w) != 1 || w[0].ID != "other" {
				t.Errorf("workspaces after acme %+v, %v", w, err)
			}
			if n, err := directory.Names(ctx, tx, "acme", []string{"05", "06", "nobody"}); err != nil || len(n) != 2 || n["06"] != names[6] {
				t.Errorf("names %v, %v", n, err)
			}
			labels, err := directory.ReadLabels(ctx, tx, "acme", directory.Refs{
				Agents: []string{"06", "06", ""}, Teams: []string{"t07"}, Tags: []string{"t02", "none"}, Channels: []string{"1"}, Statuses: true,
			})
			if err != nil || len(labels.Agents) != 1 || labels.Agents["06"] != names[6] || len(labels.Teams) != 1 || len(labels.Tags) != 1 || labels.Channels["1"] != "Shop" || labels.Statuses["OPEN"] == "" {
				t.Errorf("labels %+v, %v", labels, err)
			}
			for name, err := range map[string]error{
				"agent.not_found":     second(directory.GetAgent(ctx, tx, "other", "05")),
				"team.not_found":      second(directory.GetTeam(ctx, tx, "other", "t07")),
				"tag.not_found":       second(directory.GetTag(ctx, tx, "acme", "\x00")),
				"channel.not_found":   second(directory.GetChannel(ctx, tx, "other", "1")),
				"workspace.not_found": second(directory.GetWorkspace(ctx, tx, "none")),
			} {
				if err == nil || err.Error()[:len(name)] != name {
					t.Errorf("%v, want %s", err, name)
				}
			}
			if _, err := directory.Tags(ctx, tx, directory.Query{Cursor: cursor.Encode("directory/teams", 1)}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a cursor of another list: %v", err)
			}
			if _, err := directory.Tags(ctx, tx, directory.Query{Limit: 1001}); !errors.Is(err, directory.ErrLimit) {
				t.Errorf("too much: %v", err)
			}
		})
		l.Verify(t)
	})
}

func second[T any](_ T, err error) error { return err }

// walk returns what is on all pages of a list.
func walk[T any](t *testing.T, limit int, list func(directory.Query) (directory.Page[T], error)) (all []T) {
	q := directory.Query{Workspace: "acme", Limit: limit}
	for {
		page, err := list(q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
}

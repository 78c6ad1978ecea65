package team_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/team"
)

func TestSettings(t *testing.T) {
	week := team.Hours{
		Zone: "Europe/Berlin", Weekly: []team.Span{{Day: 1, From: "09:00", To: "12:00"}, {Day: 1, From: "13:00", To: "24:00"}},
		Exceptions: []team.Exception{{Date: "2026-12-24"}, {Date: "2026-12-26", Open: []team.Span{{From: "10:00", To: "11:00"}}}},
	}
	with := func(change func(*team.Hours)) team.SetHours {
		h := week
		h.Weekly, h.Exceptions = slices.Clone(week.Weekly), slices.Clone(week.Exceptions)
		change(&h)
		return team.SetHours{Team: "sales", Hours: h}
	}
	span := func(s team.Span) team.SetHours { return with(func(h *team.Hours) { h.Weekly[0] = s }) }
	turns := team.RuleSet{Team: "sales", Rule: team.RoundRobin, From: team.Manual}
	domaintest.Run(t, team.Evolve, []domaintest.Case[team.State, team.Event]{
		{Name: "set a rule", Given: past{sales}, When: team.SetRule{Team: "sales", Rule: team.RoundRobin}, Then: past{turns}},
		{Name: "set it again", Given: past{sales, turns}, When: team.SetRule{Team: "sales", Rule: team.RoundRobin}},
		{Name: "manual from the start", Given: past{sales}, When: team.SetRule{Team: "sales", Rule: team.Manual}},
		{Name: "an unknown rule", Given: past{sales}, When: team.SetRule{Team: "sales", Rule: "dice"}, Err: team.ErrRule},
		{Name: "a rule for an archived team", Given: past{sales, gone}, When: team.SetRule{Team: "sales", Rule: team.LeastBusy}, Err: team.ErrArchived},
		{Name: "a rule for an unknown team", When: team.SetRule{Team: "sales", Rule: team.LeastBusy}, Err: team.ErrNotFound},
		{Name: "set hours", Given: past{sales}, When: team.SetHours{Team: "sales", Hours: week}, Then: past{team.HoursSet{Team: "sales", Hours: week}}},
		{Name: "set them again", Given: past{sales, team.HoursSet{Team: "sales", Hours: week}}, When: team.SetHours{Team: "sales", Hours: week}},
		{Name: "always", Given: past{sales, team.HoursSet{Team: "sales", Hours: week}}, When: team.SetHours{Team: "sales"}, Then: past{team.HoursSet{Team: "sales"}}},
		{Name: "without a zone", Given: past{sales}, When: with(func(h *team.Hours) { h.Zone = "" }), Err: team.ErrZone},
		{Name: "in a long zone", Given: past{sales}, When: with(func(h *team.Hours) { h.Zone = string(make([]byte, 65)) }), Err: team.ErrZone},
		{Name: "on day 8", Given: past{sales}, When: span(team.Span{Day: 8, From: "09:00", To: "10:00"}), Err: team.ErrSpan},
		{Name: "backwards", Given: past{sales}, When: span(team.Span{Day: 1, From: "10:00", To: "09:00"}), Err: team.ErrSpan},
		{Name: "past midnight", Given: past{sales}, When: span(team.Span{Day: 1, From: "10:00", To: "24:01"}), Err: team.ErrSpan},
		{Name: "at minute 60", Given: past{sales}, When: span(team.Span{Day: 1, From: "09:60", To: "11:00"}), Err: team.ErrSpan},
		{Name: "at nine", Given: past{sales}, When: span(team.Span{Day: 1, From: "9:00", To: "11:00"}), Err: team.ErrSpan},
		{Name: "too many spans", Given: past{sales}, When: with(func(h *team.Hours) { h.Weekly = slices.Repeat(h.Weekly[:1], 11) }), Err: team.ErrSpan},
		{Name: "a date twice", Given: past{sales}, When: with(func(h *team.Hours) { h.Exceptions[1].Date = h.Exceptions[0].Date }), Err: team.ErrException},
		{Name: "no date", Given: past{sales}, When: with(func(h *team.Hours) { h.Exceptions[0].Date = "Christmas" }), Err: team.ErrException},
		{Name: "a bad span on a date", Given: past{sales}, When: with(func(h *team.Hours) { h.Exceptions[1].Open = []team.Span{{Day: 1, From: "10:00", To: "11:00"}} }), Err: team.ErrException},
		{Name: "of an unknown team", When: team.SetHours{Team: "sales", Hours: week}, Err: team.ErrNotFound},
	})

	// 2026-12-21 is a Monday.
	for clock, open := range map[string]bool{
		"2026-12-21 08:59": false, "2026-12-21 09:00": true, "2026-12-21 11:59": true, "2026-12-21 12:00": false, "2026-12-21 23:59": true,
		"2026-12-22 10:00": false, "2026-12-24 10:00": false, "2026-12-26 10:59": true, "2026-12-26 11:00": false,
	} {
		at, err := time.Parse("2006-01-02 15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		if week.Open(at) != open {
			t.Errorf("open at %s: %v", clock, !open)
		}
		if !(team.Hours{}).Open(at) {
			t.Error("a team without hours is closed")
		}
	}
	s := domaintest.Fold(team.Evolve, past{sales, turns, team.HoursSet{Team: "sales", Hours: week}, team.Created{Team: "b", Name: "B"}})
	if s.Rule("sales") != team.RoundRobin || s.Rule("b") != team.Manual || s.Rule("none") != team.Manual || s.Hours("sales").Zone == "" || s.Hours("none").Zone != "" {
		t.Error("rules or hours are wrong")
	}
	if got := s.Automatic(); !slices.Equal(got, []team.ID{"sales"}) {
		t.Errorf("automatic %v", got)
	}
}

func TestChoose(t *testing.T) {
	on := func(agent string, load, capacity int64) team.Candidate {
		return team.Candidate{Agent: agent, Online: true, Load: load, Capacity: capacity}
	}
	off := team.Candidate{Agent: "c"}
	for name, tt := range map[string]struct {
		rule team.Rule
		last string
		of   []team.Candidate
		want string
	}{
		"the first":                  {team.RoundRobin, "", []team.Candidate{on("b", 9, 0), on("a", 3, 0)}, "a"},
		"the next":                   {team.RoundRobin, "a", []team.Candidate{on("a", 0, 0), on("b", 9, 0), off}, "b"},
		"from the start again":       {team.RoundRobin, "b", []team.Candidate{on("a", 0, 0), on("b", 9, 0), off}, "a"},
		"who is not full":            {team.RoundRobin, "a", []team.Candidate{on("a", 1, 2), on("b", 2, 2)}, "a"},
		"the least busy":             {team.LeastBusy, "", []team.Candidate{on("a", 3, 0), on("b", 2, 0), off}, "b"},
		"the least busy, in turn":    {team.LeastBusy, "a", []team.Candidate{on("a", 2, 0), on("b", 2, 0)}, "b"},
		"the least busy who can":     {team.LeastBusy, "", []team.Candidate{on("a", 3, 0), on("b", 2, 2)}, "a"},
		"nobody who is online":       {team.LeastBusy, "", []team.Candidate{off}, ""},
		"nobody who is not full":     {team.RoundRobin, "", []team.Candidate{on("a", 1, 1)}, ""},
		"nobody at all":              {team.RoundRobin, "", nil, ""},
		"members take it themselves": {team.Manual, "", []team.Candidate{on("a", 0, 0)}, ""},
	} {
		got, ok := team.Choose(tt.rule, tt.last, tt.of)
		if got.Agent != tt.want || ok != (tt.want != "") || ok && got.Reason == "" {
			t.Errorf("%s: %+v, %v, want %q", name, got, ok, tt.want)
		}
	}
}

// Turns are fair: among those who can always take chats, counts differ by one at
// most. The same members in another order make no difference.
func TestTurnsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "members")
		rule := rapid.SampledFrom([]team.Rule{team.RoundRobin, team.LeastBusy}).Draw(t, "rule")
		load, last := map[string]int64{}, ""
		for range rapid.IntRange(1, 30).Draw(t, "chats") {
			var all []team.Candidate
			for i := range n {
				a := string(rune('a' + i))
				all = append(all, team.Candidate{Agent: a, Online: true, Load: load[a]})
			}
			c, ok := team.Choose(rule, last, all)
			if d, _ := team.Choose(rule, last, rapid.Permutation(all).Draw(t, "order")); !ok || c != d {
				t.Fatalf("%+v or %+v", c, d)
			}
			load[c.Agent]++
			last = c.Agent
		}
		low, high := int64(1000), int64(0)
		for i := range n {
			low, high = min(low, load[string(rune('a'+i))]), max(high, load[string(rune('a'+i))])
		}
		if high-low > 1 {
			t.Fatalf("loads %v", load)
		}
	})
}

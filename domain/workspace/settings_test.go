package workspace_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/workspace"
)

func TestSettings(t *testing.T) {
	acme := workspace.Created{Name: "Acme"}
	set := func(s workspace.Settings) workspace.ChangeSettings {
		return workspace.ChangeSettings{Settings: s, By: "ann"}
	}
	reopening := func(status, assignee string) workspace.Settings {
		return workspace.Settings{Reopening: &workspace.Reopening{Status: status, Assignee: assignee}}
	}
	languages := func(unset string, offered ...string) workspace.Settings {
		return workspace.Settings{Languages: &workspace.Languages{Default: unset, Offered: offered}}
	}
	words := func(out, in []string) workspace.Settings {
		return workspace.Settings{Words: &workspace.Words{Out: out, In: in}}
	}
	days := func(n int) workspace.Settings {
		return workspace.Settings{Retention: &workspace.Retention{ClosedDays: n}}
	}
	transfers := func(accept bool, minutes int) workspace.Settings {
		return workspace.Settings{Transfers: &workspace.Transfers{Accept: accept, Minutes: minutes}}
	}
	hours := func(h team.Hours) workspace.Settings { return workspace.Settings{Hours: &h} }
	changed := func(from, to workspace.Settings) workspace.SettingsChanged {
		return workspace.SettingsChanged{To: to, From: from, By: "ann"}
	}
	office := team.Hours{Zone: "Europe/Berlin", Weekly: []team.Span{{Day: 1, From: "09:00", To: "17:00"}}}
	long := slices.Repeat([]string{"en"}, 51)
	domaintest.Run(t, workspace.Evolve, []domaintest.Case[workspace.State, workspace.Event]{
		{Name: "nothing", Given: past{acme}, When: set(workspace.Settings{})},
		{Name: "in no workspace", When: set(days(1)), Err: workspace.ErrNotFound},
		{Name: "reopening", Given: past{acme}, When: set(reopening("previous", "")), Then: past{changed(reopening("default", "keep"), reopening("previous", "keep"))}},
		{Name: "reopening as it was", Given: past{acme}, When: set(reopening("", "keep"))},
		{
			Name: "back again", Given: past{acme, changed(reopening("default", "keep"), reopening("previous", "keep"))}, When: set(reopening("", "")),
			Then: past{changed(reopening("previous", "keep"), reopening("default", "keep"))},
		},
		{Name: "reopening with a status", Given: past{acme}, When: set(reopening("OPEN", "")), Err: workspace.ErrReopenStatus},
		{Name: "reopening with an agent", Given: past{acme}, When: set(reopening("", "ann")), Err: workspace.ErrReopenAssignee},
		{Name: "hours", Given: past{acme}, When: set(hours(office)), Then: past{changed(hours(team.Hours{}), hours(office))}},
		{Name: "languages", Given: past{acme}, When: set(languages("", " en ", "pt_BR")), Then: past{changed(languages(""), languages("en", "en", "pt_BR"))}},
		{Name: "a default that is not offered", Given: past{acme}, When: set(languages("de", "en")), Then: past{changed(languages(""), languages("de", "de", "en"))}},
		{Name: "a language in words", Given: past{acme}, When: set(languages("English")), Err: workspace.ErrLanguages},
		{Name: "a language twice", Given: past{acme}, When: set(languages("en", "en", "en")), Err: workspace.ErrLanguages},
		{Name: "languages without end", Given: past{acme}, When: set(languages("en", long...)), Err: workspace.ErrLanguages},
		{Name: "words", Given: past{acme}, When: set(words([]string{" Halt "}, []string{"los"})), Then: past{changed(words(nil, nil), words([]string{"Halt"}, []string{"los"}))}},
		{Name: "a word for both", Given: past{acme}, When: set(words([]string{"halt"}, []string{"Halt"})), Err: workspace.ErrBothWays},
		{Name: "a word for both, with a point", Given: past{acme}, When: set(words([]string{"stop"}, []string{"los", "stop."})), Err: workspace.ErrBothWays},
		{Name: "a word for both, with an accent", Given: past{acme}, When: set(words([]string{"arrêt !"}, []string{"arret"})), Err: workspace.ErrBothWays},
		{Name: "a word in two ways", Given: past{acme}, When: set(words([]string{"arrêt", "arret"}, nil)), Then: past{changed(words(nil, nil), words([]string{"arrêt", "arret"}, nil))}},
		{Name: "a word twice", Given: past{acme}, When: set(words([]string{"stop", "Stop"}, nil)), Err: workspace.ErrWords},
		{Name: "a word that is none", Given: past{acme}, When: set(words([]string{"stop", "..."}, nil)), Err: workspace.ErrUnheard},
		{Name: "an empty word", Given: past{acme}, When: set(words([]string{" "}, nil)), Err: workspace.ErrWords},
		{Name: "a long word", Given: past{acme}, When: set(words([]string{strings.Repeat("a", 41)}, nil)), Err: workspace.ErrWords},
		{Name: "no way out", Given: past{acme}, When: set(words(nil, []string{"start"})), Err: workspace.ErrNoOptOut},
		{Name: "retention", Given: past{acme}, When: set(days(365)), Then: past{changed(days(0), days(365))}},
		{Name: "a day before", Given: past{acme}, When: set(days(-1)), Err: workspace.ErrRetention},
		{Name: "more than ten years", Given: past{acme}, When: set(days(3651)), Err: workspace.ErrRetention},
		{Name: "transfers", Given: past{acme}, When: set(transfers(true, 0)), Then: past{changed(transfers(false, 15), transfers(true, 15))}},
		{Name: "transfers for months", Given: past{acme}, When: set(transfers(true, 10081)), Err: workspace.ErrAccepting},
		{
			Name: "two parts, one of them as it was", Given: past{acme},
			When: set(workspace.Settings{Retention: days(7).Retention, Transfers: transfers(false, 15).Transfers}), Then: past{changed(days(0), days(7))},
		},
	})

	// Each part is kept by itself.
	s := workspace.Evolve(workspace.State{}, acme)
	for _, part := range []workspace.Settings{reopening("previous", "unassign"), hours(office), languages("en", "en"), words([]string{"halt"}, nil), days(3), transfers(true, 5)} {
		s = workspace.Evolve(s, changed(workspace.Settings{}, part))
	}
	want := workspace.Settings{
		Reopening: &workspace.Reopening{Status: "previous", Assignee: "unassign"}, Hours: &office, Languages: languages("en", "en").Languages,
		Words: words([]string{"halt"}, nil).Words, Retention: days(3).Retention, Transfers: transfers(true, 5).Transfers,
	}
	if got := s.Settings.As(); !reflect.DeepEqual(got, want) {
		t.Errorf("all of them: %+v, want %+v", got, want)
	}

	// What is wrong with hours is named as a part of the settings.
	_, err := set(hours(team.Hours{Weekly: office.Weekly})).Decide(s)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "hours.zone" {
		t.Errorf("refused with %+v", err)
	}
}

func TestSpeak(t *testing.T) {
	l := workspace.Languages{Default: "en_US", Offered: []string{"en_US", "es_MX", "es_ES", "pt_BR"}}
	for customer, want := range map[string][]string{
		"":      {"en_US", "en"},
		"es":    {"es", "es_MX", "es_ES", "en_US", "en"},
		"es-ES": {"es_ES", "es_MX", "es", "en_US", "en"},
		"fr":    {"fr", "en_US", "en"},
		"en_GB": {"en_GB", "en_US", "en"},
	} {
		if got := l.Speak(customer); !slices.Equal(got, want) {
			t.Errorf("to %q: %v, want %v", customer, got, want)
		}
	}
	if got := (workspace.Languages{}).Speak(""); len(got) != 0 {
		t.Errorf("nothing is known: %v", got)
	}
}

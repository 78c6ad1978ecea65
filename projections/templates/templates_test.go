package templates_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/templates"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func defined(channel, name, language string) template.Defined {
	return template.Defined{
		Workspace: viewstest.Workspace, Channel: channel, Name: name, Language: language, Category: template.Utility,
		Components: template.Components{Header: &template.Header{Kind: template.ImageHeader}, Body: "Hello {{1}}"}, By: "sue",
	}
}

func reported(channel, name, language string, status template.Status) template.StatusReported {
	return template.StatusReported{
		Workspace: viewstest.Workspace, Channel: channel, Name: name, Language: language, Status: status, Reason: "because", ProviderID: "594", At: time.Unix(1_790_000_000, 0),
	}
}

func TestFold(t *testing.T) {
	row := func(change func(*templates.Template), facts ...any) {
		t.Helper()
		var events []projections.Event
		for _, f := range facts {
			e := projectionstest.Event("template-t1", f)
			e.Meta.Workspace = "acme"
			events = append(events, e)
		}
		got := projectionstest.Rows[templates.Template](projectionstest.Fold(t, templates.New(), events...), "templates_templates")
		if len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		want := templates.Template{
			ID: "t1", Workspace: "acme", Listed: "acme", Channel: "wa", Name: "left", Language: "en_US", Category: "utility",
			Components: defined("", "", "").Components, Status: "pending", CreatedBy: "sue", UpdatedBy: "sue",
			CreatedAt: got[0].CreatedAt, UpdatedAt: got[0].UpdatedAt, Revision: int64(len(facts)) - 1,
		}
		change(&want)
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	said := func(r *templates.Template) {
		r.Status, r.Reason, r.ReportedAt, r.ProviderID = "approved", "because", 1_790_000_000_000_000, "594"
	}
	row(func(*templates.Template) {}, defined("wa", "left", "en_US"))
	row(said, defined("wa", "left", "en_US"), reported("wa", "left", "en_US", template.Approved))
	row(said, reported("wa", "left", "en_US", template.Approved), defined("wa", "left", "en_US"))
	row(func(r *templates.Template) {
		said(r)
		r.Listed, r.Category, r.Components, r.CreatedBy, r.UpdatedBy = "", "", template.Components{}, "", ""
	}, reported("wa", "left", "en_US", template.Approved))
	row(func(r *templates.Template) {
		said(r)
		r.Status, r.Reason, r.Category, r.Components, r.UpdatedBy = "pending", "", "marketing", template.Components{Body: "Bye"}, "bob"
	}, defined("wa", "left", "en_US"), reported("wa", "left", "en_US", template.Approved), template.Changed{Category: template.Marketing, Components: template.Components{Body: "Bye"}, By: "bob"})
}

func TestQueries(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{templates.New}, func(t *testing.T, l *viewstest.Ledger) {
		for i, name := range []string{"d", "b", "a", "c"} {
			l.Record(t, "template-"+name, defined("wa", name, "en"), reported("wa", name, "en", []template.Status{template.Approved, template.Paused}[i%2]))
		}
		l.Record(t, "template-b2", defined("wb", "b", "de"))
		l.Record(t, "template-e", reported("wa", "e", "en", template.Approved)) // not defined
		read := func(what string, want []string, q templates.Query) {
			t.Helper()
			q.Workspace = viewstest.Workspace
			var got []string
			for {
				var page templates.Page
				l.Read(t, func(tx sqldb.Tx) {
					var err error
					if page, err = templates.List(t.Context(), tx, q); err != nil {
						t.Fatalf("%s: %v", what, err)
					}
				})
				for _, r := range page.Templates {
					got = append(got, r.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		all := []string{"a", "b2", "b", "c", "d"}
		read("all", all, templates.Query{})
		for limit := 1; limit < 6; limit++ {
			read(fmt.Sprintf("%d at a time", limit), all, templates.Query{Limit: limit})
		}
		read("a channel", []string{"b2"}, templates.Query{Channel: "wb"})
		read("approved", []string{"a", "d"}, templates.Query{Status: "approved", Channel: "wa", Limit: 1})
		read("a language", []string{"b2"}, templates.Query{Language: "de"})
		read("a name", []string{"b2", "b"}, templates.Query{Name: "b"})
		read("NUL", nil, templates.Query{Name: "\x00"})

		l.Read(t, func(tx sqldb.Tx) {
			got, err := templates.Get(t.Context(), tx, viewstest.Workspace, "a")
			if err != nil || got.Name != "a" || got.Components.Header == nil || got.Components.Body != "Hello {{1}}" {
				t.Errorf("%+v, %v", got, err)
			}
			for _, id := range []string{"e", "x", "\x00"} {
				if _, err := templates.Get(t.Context(), tx, viewstest.Workspace, id); !errors.Is(err, template.ErrNotFound) {
					t.Errorf("%q: %v", id, err)
				}
			}
			if _, err := templates.Get(t.Context(), tx, "apex", "a"); !errors.Is(err, template.ErrNotFound) {
				t.Errorf("another workspace: %v", err)
			}
			if _, err := templates.List(t.Context(), tx, templates.Query{Workspace: viewstest.Workspace, Cursor: "x"}); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("a bad cursor: %v", err)
			}
		})
	})
}

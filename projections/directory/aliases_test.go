package directory_test

import (
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func TestAliases(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{directory.New}, func(t *testing.T, l *viewstest.Ledger) {
		l.Record(t, "tags-acme",
			tag.Created{Tag: "a", Name: "A"}, tag.Created{Tag: "b", Name: "B"}, tag.Created{Tag: "c", Name: "C"}, tag.Created{Tag: "d", Name: "D"},
			tag.Merged{Tag: "a", Into: "b"}, tag.Merged{Tag: "b", Into: "c"})
		l.Record(t, "statuses-acme",
			status.Created{Status: "X", Name: "X", Category: "open"}, status.Created{Status: "Y", Name: "Y", Category: "open"},
			status.Remapped{Status: "X", To: "Y"})
		l.Read(t, func(tx sqldb.Tx) {
			none, err := directory.ReadAliases(t.Context(), tx, "other")
			if err != nil || none.Tag("a") != "a" || !slices.Equal(none.All("tag", "a"), []string{"a"}) {
				t.Errorf("of another workspace: %+v, %v", none, err)
			}
			a, err := directory.ReadAliases(t.Context(), tx, "acme")
			if err != nil {
				t.Fatal(err)
			}
			if a.Tag("a") != "c" || a.Tag("b") != "c" || a.Tag("c") != "c" || a.Tag("d") != "d" || a.Status("X") != "Y" || a.Status("a") != "a" {
				t.Errorf("aliases %+v", a)
			}
			if got := a.Tags([]string{"a", "c", "d"}); !slices.Equal(got, []string{"c", "d"}) {
				t.Errorf("tags %v", got)
			}
			if got := a.All(directory.KindTag, "a"); !slices.Equal(got, []string{"c", "a", "b"}) {
				t.Errorf("all %v", got)
			}
			// A status of orders is a word of its own.
			f, err := filter.Parse(filter.Orders, []byte(`{"field":"status","op":"eq","value":"placed"}`))
			if err != nil || a.Expand(f).Root.(filter.Cond).Values[0].Text != "placed" {
				t.Errorf("expanded %+v, %v", a.Expand(f), err)
			}
			tags, err := directory.Tags(t.Context(), tx, directory.Query{Workspace: "acme", InUse: true})
			if err != nil || len(tags.Items) != 2 || tags.Items[0].ID != "c" {
				t.Errorf("tags in use %+v, %v", tags, err)
			}
			merged, err := directory.GetTag(t.Context(), tx, "acme", "a")
			if err != nil || merged.Merged != "b" {
				t.Errorf("a merged tag %+v, %v", merged, err)
			}
			list, err := directory.GetStatuses(t.Context(), tx, "acme")
			if err != nil || len(list.InUse) != 1 || len(list.Archived) != 1 || list.Archived[0].Remapped != "Y" {
				t.Errorf("statuses %+v, %v", list, err)
			}
		})
		l.Verify(t)
	})
}

// Package settings is how each workspace works.
//
// It folds and reads; it decides nothing.
package settings

import (
	"encoding/json"
	"fmt"

	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/projections"
)

// Row is a row of settings_workspaces. The time is in microseconds since 1970 UTC.
type Row struct {
	Workspace string `db:"workspace,key"`
	Settings  string `db:"settings_json"` // a workspace.Settings: the parts that were set
	Revision  int64  `db:"revision"`      // of the workspace's stream
	ChangedAt int64  `db:"changed_at"`    // 0 if nothing was
	ChangedBy string `db:"changed_by"`
}

// Projection keeps the settings up to date.
type Projection struct {
	rows *projections.Rows[string, Row]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("settings_workspaces", func(r *Row) string { return r.Workspace })}
}

// Name returns the name under which the settings were first published.
func (*Projection) Name() string { return "settings.v1" }

// Categories returns the one category of streams that tells of settings.
func (*Projection) Categories() []string { return []string{"workspace"} }

// Tables returns the table of settings.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.rows} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case workspace.Created:
		p.rows.Put(Row{Workspace: e.Subject(), Settings: "{}", Revision: int64(e.Revision)})
	case workspace.Renamed:
		p.rows.Update(e.Subject(), func(r *Row) { r.Revision = int64(e.Revision) })
	case workspace.SettingsChanged:
		p.rows.Update(e.Subject(), func(r *Row) {
			r.set(f.To)
			r.Revision, r.ChangedAt, r.ChangedBy = int64(e.Revision), e.At(), f.By
		})
	}
}

// set replaces the parts that were changed.
func (r *Row) set(changed workspace.Settings) {
	var s workspace.Settings
	if err := json.Unmarshal([]byte(r.Settings), &s); err != nil {
		panic(fmt.Sprintf("settings: a row that this package wrote: %v", err))
	}
	b, err := json.Marshal(s.With(changed))
	if err != nil {
		panic(fmt.Sprintf("settings: %v", err)) // strings and numbers
	}
	r.Settings = string(b)
}

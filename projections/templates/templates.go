// Package templates is the message templates of a workspace's channels.
//
// It folds and reads; it decides nothing.
package templates

import (
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/projections"
)

// Template is a row of templates_templates. Times are in microseconds since 1970 UTC.
type Template struct {
	ID         string              `db:"template_id,key"`
	Workspace  string              `db:"workspace"`
	Listed     string              `db:"listed"` // the workspace, or "" while only its status is known: every list begins with it
	Channel    string              `db:"channel"`
	Name       string              `db:"name"`
	Language   string              `db:"language"`
	Category   string              `db:"category"`
	Components template.Components `db:"components"`
	Status     string              `db:"status"`
	Reason     string              `db:"reason"`      // of the status, in the provider's words
	ReportedAt int64               `db:"reported_at"` // the status; 0 if nobody did
	ProviderID string              `db:"provider_id"`
	CreatedAt  int64               `db:"created_at"`
	CreatedBy  string              `db:"created_by"`
	UpdatedAt  int64               `db:"updated_at"` // its parts
	UpdatedBy  string              `db:"updated_by"`
	Revision   int64               `db:"revision"`
}

// Projection keeps the templates up to date.
type Projection struct {
	templates *projections.Rows[string, Template]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("templates_templates", func(t *Template) string { return t.ID },
		projections.Index{Name: "by_name", Columns: "listed, name, language, template_id"},
		projections.Index{Name: "by_channel", Columns: "listed, channel, name, language, template_id"})}
}

// Name returns the name under which the templates were first published.
func (*Projection) Name() string { return "templates.v1" }

// Categories returns the one category of streams that tells of templates.
func (*Projection) Categories() []string { return []string{"template"} }

// Tables returns the table of templates.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.templates} }

// Apply records what e changes. The provider's word may come before the template.
func (p *Projection) Apply(e projections.Event) {
	change := func(fold func(*Template)) {
		p.templates.Upsert(e.Subject(), func(t *Template) {
			t.ID, t.Workspace, t.Revision = e.Subject(), e.Meta.Workspace, int64(e.Revision)
			fold(t)
		})
	}
	switch f := e.Fact.(type) {
	case template.Defined:
		change(func(t *Template) {
			t.Listed = e.Meta.Workspace
			t.Channel, t.Name, t.Language = f.Channel, f.Name, f.Language
			t.Category, t.Components = string(f.Category), f.Components
			if t.Status == "" {
				t.Status = string(template.Pending)
			}
			t.CreatedAt, t.CreatedBy, t.UpdatedAt, t.UpdatedBy = e.At(), f.By, e.At(), f.By
		})
	case template.Changed:
		change(func(t *Template) {
			t.Category, t.Components, t.UpdatedAt, t.UpdatedBy = string(f.Category), f.Components, e.At(), f.By
			t.Status, t.Reason = string(template.Pending), ""
		})
	case template.StatusReported:
		change(func(t *Template) {
			t.Channel, t.Name, t.Language = f.Channel, f.Name, f.Language
			t.Status, t.Reason, t.ReportedAt = string(f.Status), f.Reason, f.At.UnixMicro()
			if f.ProviderID != "" {
				t.ProviderID = f.ProviderID
			}
		})
	}
}

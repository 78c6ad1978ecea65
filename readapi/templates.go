package readapi

import (
	"context"
	"strconv"
	"time"

	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/templates"
)

type inTemplates struct {
	web.Read
	Paging
	Channel  string `query:"channel" doc:"The id of a channel."`
	Status   string `query:"status" enum:"pending,approved,rejected,paused,disabled"`
	Language string `query:"language" example:"en_US"`
	Name     string `query:"name" example:"delivery_update"`
}

type inTemplate struct {
	web.Read
	Template string `path:"template"`
}

// Template is a message that the provider has looked at before.
type Template struct {
	ID         string              `json:"id"`
	Revision   int64               `json:"revision" doc:"For If-Match."`
	Channel    string              `json:"channel"`
	Name       string              `json:"name" example:"delivery_update"`
	Language   string              `json:"language" example:"en_US"`
	Category   string              `json:"category" enum:"marketing,utility,authentication"`
	Status     string              `json:"status" enum:"pending,approved,rejected,paused,disabled" doc:"The provider's word; only what is approved can be sent."`
	Reason     string              `json:"reason" doc:"Of the status, in the provider's words."`
	ReportedAt *time.Time          `json:"reported_at" doc:"When the provider said so, or null."`
	ProviderID string              `json:"provider_id"`
	Components template.Components `json:"components"`
	Takes      TemplateTakes       `json:"takes" doc:"What has to be given with each use."`
	CreatedAt  time.Time           `json:"created_at"`
	CreatedBy  string              `json:"created_by"`
	UpdatedAt  time.Time           `json:"updated_at"`
	UpdatedBy  string              `json:"updated_by"`
}

// TemplateTakes names the values that a template takes.
type TemplateTakes struct {
	Header  []string `json:"header" nullable:"false" doc:"Variables of the header."`
	Body    []string `json:"body" nullable:"false" example:"[\"1\",\"2\"]" doc:"Variables of the body."`
	Buttons []string `json:"buttons" nullable:"false" doc:"Places of buttons, counted from 0."`
	Media   string   `json:"media" enum:",image,document,video" doc:"What file the header takes; empty: none."`
}

func newTemplate(t templates.Template) Template {
	c := t.Components
	out := Template{
		ID: t.ID, Revision: t.Revision, Channel: t.Channel, Name: t.Name, Language: t.Language, Category: t.Category,
		Status: t.Status, Reason: t.Reason, ReportedAt: momentOrNull(t.ReportedAt), ProviderID: t.ProviderID, Components: c,
		Takes:     TemplateTakes{Header: []string{}, Body: orEmpty(template.Variables(c.Body)), Buttons: []string{}},
		CreatedAt: moment(t.CreatedAt), CreatedBy: t.CreatedBy, UpdatedAt: moment(t.UpdatedAt), UpdatedBy: t.UpdatedBy,
	}
	switch {
	case c.Header == nil:
	case c.Header.Kind == template.TextHeader:
		out.Takes.Header = orEmpty(template.Variables(c.Header.Text))
	default:
		out.Takes.Media = string(c.Header.Kind)
	}
	for i, b := range c.Buttons {
		if b.Takes() {
			out.Takes.Buttons = append(out.Takes.Buttons, strconv.Itoa(i))
		}
	}
	return out
}

func listTemplates(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inTemplates) (web.List[Template], eventstore.Revision, error) {
	page, err := templates.List(ctx, tx, templates.Query{
		Workspace: r.Workspace, Channel: in.Channel, Status: in.Status, Language: in.Language, Name: in.Name, Cursor: in.Cursor, Limit: in.Limit,
	})
	items := make([]Template, len(page.Templates))
	for i, t := range page.Templates {
		items[i] = newTemplate(t)
	}
	return web.NewList(items, page.Next), none, err
}

func getTemplate(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inTemplate) (Template, eventstore.Revision, error) {
	t, err := templates.Get(ctx, tx, r.Workspace, in.Template)
	if err != nil {
		return Template{}, none, err
	}
	return newTemplate(t), eventstore.Revision(t.Revision), nil
}

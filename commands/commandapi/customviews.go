package commandapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/internal/web"
)

// analysts add views of their own.
var analysts = []agent.Role{agent.RoleAnalyst, agent.RoleAdmin}

type (
	inCustomView struct {
		View customview.Name `path:"view" example:"orders-by-city"`
	}
	customViewWith[B any] struct {
		View customview.Name `path:"view" example:"orders-by-city"`
		Body B
	}
	inCustomVersion struct {
		View    customview.Name    `path:"view" example:"orders-by-city"`
		Version customview.Version `path:"version" minimum:"1"`
	}
)

// CustomViewBody says what a custom view is to be.
type CustomViewBody struct {
	Description string              `json:"description,omitempty" doc:"At most 1,000 characters."`
	Types       []string            `json:"types,omitempty" example:"[\"order.placed.v1\"]" doc:"Of the events that the script is given, as docs/events.md has them; all that analysts may see if none is given, which takes longer to build."`
	Tables      []CustomTableOfView `json:"tables" minItems:"1" maxItems:"10"`
	Script      string              `json:"script" maxLength:"65536" doc:"JavaScript with a function apply(event, tables). See docs/custom-views.md."`
}

// CustomTableOfView is a table of a custom view.
type CustomTableOfView struct {
	Name    string               `json:"name" example:"cities"`
	Key     string               `json:"key" example:"city" doc:"What the column of keys is called; keys are text."`
	Columns []CustomColumnOfView `json:"columns" minItems:"1" maxItems:"50"`
}

// CustomColumnOfView is a column of a custom view.
type CustomColumnOfView struct {
	Name string `json:"name" example:"orders"`
	Type string `json:"type" enum:"text,integer,number,boolean,time,json"`
}

// CustomVersionBody names a version of a custom view.
type CustomVersionBody struct {
	Version customview.Version `json:"version" minimum:"1"`
}

// CustomExportBody says what of a custom view to put into a file.
type CustomExportBody struct {
	Version customview.Version `json:"version,omitempty" minimum:"1" doc:"The one that is published if it is not given."`
	Table   string             `json:"table" example:"cities"`
	Format  string             `json:"format" enum:"csv,ndjson,parquet"`
}

func requestedCustomExport(r commands.Result, _ caller, in *customViewWith[CustomExportBody]) RequestedExport {
	return RequestedExport{written(r), "/v1/custom-views/" + string(in.View) + "/exports/" + r.ID + "/file", int64(export.Life / time.Second)}
}

// SavedCustomView is the answer to a new version.
type SavedCustomView struct {
	Written
	Version customview.Version `json:"version" doc:"Of the definition, which is built from the beginning of the log from now on."`
}

func (b CustomViewBody) definition() customview.Definition {
	d := customview.Definition{Types: b.Types, Script: b.Script}
	for _, t := range b.Tables {
		table := customview.Table{Name: t.Name, Key: t.Key}
		for _, c := range t.Columns {
			table.Columns = append(table.Columns, customview.Column{Name: c.Name, Type: customview.Type(c.Type)})
		}
		d.Tables = append(d.Tables, table)
	}
	return d
}

// checkDefinition refuses what could never be built.
func checkDefinition(d customview.Definition) error {
	if err := d.Check(); err != nil {
		return err
	}
	if err := d.CheckTypes(commands.IsEvent); err != nil {
		return err
	}
	return viewscript.Check(d)
}

// customViews is the table of what can be asked about custom views.
func (a *api) customViews() []web.Endpoint {
	type ctx = context.Context
	const revision = "The revision is that of all custom views of the workspace."
	return []web.Endpoint{
		respond(a, "POST /v1/custom-views/{view}/versions", analysts, "Save a version of a custom view", a.saveCustomView, savedCustomView, answers(201),
			"The first makes the view. A version is built from the beginning of the log, beside the others; it is read when it is named, or published. One that says the same as the latest is refused. "+revision),
		write(a, "POST /v1/custom-views/{view}/publish", analysts, "Choose the version that is read",
			func(ctx ctx, c caller, in *customViewWith[CustomVersionBody]) (result, error) {
				return a.CustomViews.Publish(ctx, c.Origin, customview.Publish{View: in.View, Version: in.Body.Version})
			}, "When none is named. Look first how far it is built; an older one is published to go back to it. "+revision),
		write(a, "POST /v1/custom-views/{view}/versions/{version}/retry", analysts, "Go on with a version that stopped",
			func(ctx ctx, c caller, in *inCustomVersion) (result, error) {
				return a.CustomViews.Retry(ctx, c.Origin, customview.Retry{View: in.View, Version: in.Version})
			}, answers(202), "It tries again the event that it stopped at. A script that is wrong stops there again: save a better version instead. "+revision),
		write(a, "DELETE /v1/custom-views/{view}/versions/{version}", analysts, "Drop a version of a custom view",
			func(ctx ctx, c caller, in *inCustomVersion) (result, error) {
				return a.CustomViews.Drop(ctx, c.Origin, customview.Drop{View: in.View, Version: in.Version})
			}, "Its rows are deleted. One that is published cannot be dropped. "+revision),
		respond(a, "POST /v1/custom-views/{view}/exports", analysts, "Ask for a file with a table of a custom view",
			func(ctx ctx, c caller, in *customViewWith[CustomExportBody]) (result, error) {
				b := in.Body
				return a.Exports.RequestView(ctx, c.Origin, commands.NewExport(c.Origin), export.RequestView{
					Workspace: c.Workspace, View: string(in.View), Version: int64(b.Version), Table: b.Table, Format: export.Format(b.Format), By: string(c.By), At: c.At,
				})
			}, requestedCustomExport, answers(201), "Who took what is in the log. The file has the rows as they are when it is fetched, all of one position."),
		write(a, "DELETE /v1/custom-views/{view}", analysts, "Retire a custom view",
			func(ctx ctx, c caller, in *inCustomView) (result, error) {
				return a.CustomViews.Retire(ctx, c.Origin, customview.Retire{View: in.View})
			}, "With all its versions and their rows. The log keeps what they were. "+revision),
	}
}

func (a *api) saveCustomView(ctx context.Context, c caller, in *customViewWith[CustomViewBody]) (result, error) {
	d := in.Body.definition()
	if err := checkDefinition(d); err != nil {
		return result{}, err
	}
	r, err := a.CustomViews.Save(ctx, c.Origin, customview.Save{View: in.View, Description: in.Body.Description, Definition: d})
	if err != nil {
		return r, outside(err, customview.ErrName, "path.view")
	}
	r.ID, err = a.savedVersion(ctx, c)
	return r, err
}

// savedVersion returns the version that the command of c made, from its event.
func (a *api) savedVersion(ctx context.Context, c caller) (string, error) {
	q := eventstore.StreamQuery{Event: ids.Event(c.Command, 0), Limit: 1}
	for e, err := range a.store.ReadStream(ctx, "customviews-"+c.Workspace, q) {
		if err != nil {
			return "", fmt.Errorf("read version: %w", err)
		}
		var saved customview.Saved
		if err := json.Unmarshal(e.Data, &saved); err != nil {
			return "", fmt.Errorf("decode %s: %w", e.Type, err)
		}
		return strconv.FormatInt(int64(saved.Version), 10), nil
	}
	return "", fmt.Errorf("read version: %w", customview.ErrVersion)
}

func savedCustomView(r commands.Result, _ caller, in *customViewWith[CustomViewBody]) SavedCustomView {
	version, _ := strconv.ParseInt(r.ID, 10, 64) // as savedVersion wrote it
	r.ID = string(in.View)
	return SavedCustomView{written(r), customview.Version(version)}
}

package commandapi

import (
	"context"

	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/internal/web"
)

// SettingsPatch changes how the workspace works.
type SettingsPatch struct {
	Reopening *ReopeningBody `json:"reopening,omitempty"`
	Hours     *HoursBody     `json:"hours,omitempty" doc:"Of teams without hours of their own. {}: always."`
	Languages *LanguagesBody `json:"languages,omitempty"`
	OptOut    *OptOutBody    `json:"opt_out,omitempty"`
	Retention *RetentionBody `json:"retention,omitempty"`
	Transfers *TransfersBody `json:"transfers,omitempty"`
}

// ReopeningBody is what becomes of a closed chat when the customer writes.
type ReopeningBody struct {
	Status   string `json:"status,omitempty" example:"previous" doc:"default, or previous: the status that it had before it was closed."`
	Assignee string `json:"assignee,omitempty" example:"unassign" doc:"keep, or unassign: nobody has it then."`
}

// LanguagesBody are those that customers are written to in.
type LanguagesBody struct {
	Default string   `json:"default,omitempty" example:"en" doc:"For a customer whose language is not known or not offered."`
	Offered []string `json:"offered,omitempty" maxItems:"50" example:"[\"en\",\"pt_BR\"]"`
}

// OptOutBody is what customers write to take no marketing, and to take it again.
type OptOutBody struct {
	Out []string `json:"out,omitempty" maxItems:"50" example:"[\"stop\",\"abmelden\"]" doc:"Case, accents and spaces around do not count. None: those that are built in."`
	In  []string `json:"in,omitempty" maxItems:"50" example:"[\"start\"]"`
}

// RetentionBody is how long closed chats are kept in the lists.
type RetentionBody struct {
	ClosedDays int `json:"closed_days,omitempty" example:"365" doc:"After the last thing that happened to a chat that is closed; 0: for good."`
}

// TransfersBody is how chats are handed on.
type TransfersBody struct {
	Accept  bool `json:"accept,omitempty" doc:"Whether a transfer waits to be accepted if it does not say."`
	Minutes int  `json:"minutes,omitempty" example:"15" doc:"For which it waits; 0: 15."`
}

func (b SettingsPatch) command() (c workspace.ChangeSettings, err error) {
	if b == (SettingsPatch{}) {
		return c, web.BadRequest(web.CodeInvalid, "body", "nothing to change is given")
	}
	if r := b.Reopening; r != nil {
		c.Reopening = &workspace.Reopening{Status: r.Status, Assignee: r.Assignee}
	}
	if b.Hours != nil {
		hours, err := b.Hours.hours()
		if err != nil {
			return c, workspace.InHours(err)
		}
		c.Hours = &hours
	}
	if l := b.Languages; l != nil {
		c.Languages = &workspace.Languages{Default: l.Default, Offered: l.Offered}
	}
	if w := b.OptOut; w != nil {
		c.Words = &workspace.Words{Out: w.Out, In: w.In}
	}
	if r := b.Retention; r != nil {
		c.Retention = &workspace.Retention{ClosedDays: r.ClosedDays}
	}
	if t := b.Transfers; t != nil {
		c.Transfers = &workspace.Transfers{Accept: t.Accept, Minutes: t.Minutes}
	}
	return c, nil
}

// settings is the table of what can be asked about how the workspace works.
func (a *api) settings() []web.Endpoint {
	return []web.Endpoint{
		write(a, "PATCH /v1/settings", admins, "Change how the workspace works",
			func(ctx context.Context, c caller, in *with[SettingsPatch]) (result, error) {
				cmd, err := in.Body.command()
				if err != nil {
					return result{}, err
				}
				return a.Workspaces.ChangeSettings(ctx, c.Origin, cmd)
			}, "A part that is given replaces the one there is, in full; {} is how it is where nothing is set. What is not given stays."),
	}
}

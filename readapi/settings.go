package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/settings"
)

// Settings are how a workspace works.
type Settings struct {
	Revision  int64             `json:"revision" doc:"Of the workspace, for If-Match."`
	Reopening SettingsReopening `json:"reopening"`
	Hours     *Hours            `json:"hours" doc:"When the workspace works: of teams without hours of their own. Null: always."`
	Languages SettingsLanguages `json:"languages"`
	OptOut    SettingsOptOut    `json:"opt_out"`
	Retention SettingsRetention `json:"retention"`
	Transfers SettingsTransfers `json:"transfers"`
	ChangedAt *time.Time        `json:"changed_at" doc:"Null if nothing was ever set."`
	ChangedBy *string           `json:"changed_by"`
}

// SettingsReopening is what becomes of a closed chat when the customer writes.
type SettingsReopening struct {
	Status   string `json:"status" enum:"default,previous" doc:"Which status it gets."`
	Assignee string `json:"assignee" enum:"keep,unassign"`
}

// SettingsLanguages are those that customers are written to in.
type SettingsLanguages struct {
	Default *string  `json:"default"`
	Offered []string `json:"offered" nullable:"false"`
}

// SettingsOptOut is what customers write to take no marketing, and to take it again.
type SettingsOptOut struct {
	BuiltIn bool     `json:"built_in" doc:"The words are those that hold where none are set."`
	Out     []string `json:"out" nullable:"false"`
	In      []string `json:"in" nullable:"false"`
}

// SettingsRetention is how long closed chats are kept in the lists.
type SettingsRetention struct {
	ClosedDays int `json:"closed_days" doc:"After the last thing that happened to a chat that is closed; 0: for good."`
}

// SettingsTransfers is how chats are handed on.
type SettingsTransfers struct {
	Accept  bool `json:"accept" doc:"Whether a transfer waits to be accepted if it does not say."`
	Minutes int  `json:"minutes" doc:"For which it waits."`
}

func getSettings(ctx context.Context, tx sqldb.Tx, r *web.Request, _ *struct{ web.Read }) (Settings, eventstore.Revision, error) {
	s, row, err := settings.Get(ctx, tx, r.Workspace)
	if err != nil {
		return Settings{}, none, err
	}
	return newSettings(s, row), eventstore.Revision(row.Revision), nil
}

func newSettings(s workspace.Settings, row settings.Row) Settings {
	out := Settings{
		Revision:  row.Revision,
		Reopening: SettingsReopening(*s.Reopening),
		Hours:     newHours(directory.NewHours(*s.Hours)),
		Languages: SettingsLanguages{orNull(s.Languages.Default), orEmpty(s.Languages.Offered)},
		OptOut:    SettingsOptOut{Out: s.Words.Out, In: orEmpty(s.Words.In)},
		Retention: SettingsRetention(*s.Retention),
		Transfers: SettingsTransfers(*s.Transfers),
		ChangedAt: momentOrNull(row.ChangedAt),
		ChangedBy: orNull(row.ChangedBy),
	}
	if len(s.Words.Out) == 0 {
		words := chat.BuiltInWords()
		out.OptOut = SettingsOptOut{true, words.Out, words.In}
	}
	return out
}

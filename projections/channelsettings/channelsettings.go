// Package channelsettings is what admins have set of channels, by channel.
//
// It folds and reads; it decides nothing.
package channelsettings

import (
	"context"
	"fmt"

	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// Settings is a row of channelsettings_channels: of a channel that was connected.
type Settings struct {
	Channel   string `db:"channel_id,key"`
	Workspace string `db:"workspace"`
	ReadMarks string `db:"read_marks"` // asked, always or never
}

// Projection keeps the settings up to date.
type Projection struct {
	settings *projections.Rows[string, Settings]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("channelsettings_channels", func(s *Settings) string { return s.Channel })}
}

// Name returns the name under which the settings were first published.
func (*Projection) Name() string { return "channelsettings.v1" }

// Categories returns the one category of streams that tells of channels.
func (*Projection) Categories() []string { return []string{"channel"} }

// Tables returns the one table of settings.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.settings} }

// Apply records what e changes. A channel that is connected again is as a new one.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case channel.Connected:
		p.settings.Put(Settings{Channel: e.Subject(), Workspace: f.Workspace, ReadMarks: string(channel.ReadMarksAsked)})
	case channel.ReadMarksSet:
		p.settings.Update(e.Subject(), func(s *Settings) { s.ReadMarks = string(f.ReadMarks) })
	}
}

// Of returns the settings of channels of a workspace, by channel. Channels that the
// workspace has not are not among them.
func Of(ctx context.Context, tx sqldb.Tx, workspace string, channels []string) (map[string]Settings, error) {
	if len(channels) == 0 {
		return nil, nil
	}
	args := []any{workspace}
	rows, err := sqldb.Select[Settings](ctx, tx, "SELECT * FROM channelsettings_channels WHERE workspace = $1 AND channel_id IN "+sqldb.In(&args, channels), args...)
	if err != nil {
		return nil, fmt.Errorf("read settings of channels: %w", err)
	}
	settings := make(map[string]Settings, len(rows))
	for _, s := range rows {
		settings[s.Channel] = s
	}
	return settings, nil
}

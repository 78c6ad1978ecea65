// Package quickreplies is the saved answers of a workspace: their present
// versions, those before, and how often each was sent.
//
// It folds and reads; it decides nothing. Who may see which is for the caller to
// say.
package quickreplies

import (
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/projections"
)

// Key names a quick reply.
type Key struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"reply_id,key"`
}

// Reply is a row of quickreplies_replies. Times are in microseconds since 1970 UTC.
type Reply struct {
	Key
	Place        string `db:"place"` // such as "team.billing"
	Scope        string `db:"scope"`
	Of           string `db:"of_id"` // the agent's or team's id
	Shortcut     string `db:"shortcut"`
	SortShortcut string `db:"sort_shortcut"` // in lower case
	Text         string `db:"reply_text"`
	Version      int64  `db:"version"`
	Archived     bool   `db:"archived"`
	CreatedAt    int64  `db:"created_at"`
	UpdatedAt    int64  `db:"updated_at"`
	UpdatedBy    string `db:"updated_by"`
	Uses         int64  `db:"uses"`         // of all versions
	LastUsedAt   int64  `db:"last_used_at"` // 0 if never
}

// VersionKey names a version of a quick reply.
type VersionKey struct {
	Workspace string `db:"workspace,key"`
	ID        string `db:"reply_id,key"`
	Version   int64  `db:"version,key"`
}

// Version is a row of quickreplies_versions.
type Version struct {
	VersionKey
	Shortcut string `db:"shortcut"`
	Text     string `db:"reply_text"`
	By       string `db:"made_by"`
	At       int64  `db:"made_at"`
	Uses     int64  `db:"uses"`
}

// PlaceKey names a place.
type PlaceKey struct {
	Workspace string `db:"workspace,key"`
	Place     string `db:"place,key"`
}

// Place is a row of quickreplies_places: what the quick replies of a place have
// in common.
type Place struct {
	PlaceKey
	Revision int64 `db:"revision"` // of their stream
}

// Projection keeps the quick replies up to date.
type Projection struct {
	replies  *projections.Rows[Key, Reply]
	versions *projections.Rows[VersionKey, Version]
	places   *projections.Rows[PlaceKey, Place]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{
		replies: projections.NewRows("quickreplies_replies", func(r *Reply) Key { return r.Key },
			projections.Index{Name: "by_shortcut", Columns: "workspace, place, sort_shortcut, reply_id"}),
		versions: projections.NewRows("quickreplies_versions", func(v *Version) VersionKey { return v.VersionKey }),
		places:   projections.NewRows("quickreplies_places", func(p *Place) PlaceKey { return p.PlaceKey }),
	}
}

// Name returns the name under which the quick replies were first published.
func (*Projection) Name() string { return "quickreplies.v1" }

// Categories returns the categories of streams that tell of quick replies: their
// own, and chats, in which they are used.
func (*Projection) Categories() []string { return []string{"quickreplies", "chat"} }

// Tables returns the tables of quick replies.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.replies, p.versions, p.places}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	workspace := e.Meta.Workspace
	change := func(id quickreply.ID, by string, fold func(*Reply)) {
		p.replies.Update(Key{workspace, string(id)}, func(r *Reply) {
			fold(r)
			r.UpdatedAt, r.UpdatedBy = e.At(), by
		})
		if at, ok := id.Place(); ok {
			p.moved(e, at)
		}
	}
	version := func(id quickreply.ID, n int64, shortcut, text, by string) {
		p.versions.Put(Version{VersionKey: VersionKey{workspace, string(id), n}, Shortcut: shortcut, Text: text, By: by, At: e.At()})
	}
	switch f := e.Fact.(type) {
	case quickreply.Created:
		at := quickreply.Place{Scope: f.Scope, Of: f.Of}
		p.replies.Put(Reply{
			Key: Key{workspace, string(f.Reply)}, Place: at.String(), Scope: string(f.Scope), Of: f.Of,
			Shortcut: f.Shortcut, SortShortcut: strings.ToLower(f.Shortcut), Text: f.Text, Version: f.Version,
			CreatedAt: e.At(), UpdatedAt: e.At(), UpdatedBy: f.By,
		})
		version(f.Reply, f.Version, f.Shortcut, f.Text, f.By)
		p.moved(e, at)
	case quickreply.Edited:
		change(f.Reply, f.By, func(r *Reply) {
			r.Version, r.Shortcut, r.SortShortcut, r.Text = f.Version, f.Shortcut, strings.ToLower(f.Shortcut), f.Text
		})
		version(f.Reply, f.Version, f.Shortcut, f.Text, f.By)
	case quickreply.Archived:
		change(f.Reply, f.By, func(r *Reply) { r.Archived = true })
	case quickreply.Restored:
		change(f.Reply, f.By, func(r *Reply) { r.Archived = false })
	case chat.MessageQueued:
		if u := f.QuickReply; u != nil {
			p.replies.Update(Key{workspace, u.ID}, func(r *Reply) {
				r.Uses++
				r.LastUsedAt = max(r.LastUsedAt, f.At.UnixMicro())
			})
			p.versions.Update(VersionKey{workspace, u.ID, u.Version}, func(v *Version) { v.Uses++ })
		}
	}
}

// moved notes the revision of a place's stream.
func (p *Projection) moved(e projections.Event, at quickreply.Place) {
	p.places.Put(Place{PlaceKey{e.Meta.Workspace, at.String()}, int64(e.Revision)})
}

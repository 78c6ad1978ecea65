// Package media shows how far the files of messages are, and under which name they
// are kept.
//
// It folds and reads; it decides nothing, and it never opens a file.
package media

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// Key names a message.
type Key struct {
	Chat    string `db:"chat_id,key"`
	Message string `db:"message,key"`
}

// File is a row of media: the file of a message.
type File struct {
	Key
	Workspace string `db:"workspace"`
	Kind      string `db:"kind"`
	Filename  string `db:"filename"`  // as the sender calls it; may be empty
	State     string `db:"state"`     // as in package domain/chat
	SHA256    string `db:"sha256"`    // "" unless it is kept
	Size      int64  `db:"size"`      // bytes; 0 unless it is kept
	MIMEType  string `db:"mime_type"` // as which it is shown; as the sender has it until it is kept
	Code      string `db:"code"`      // why it could not be had
	Reason    string `db:"reason"`    // the same for people
	At        int64  `db:"at"`        // when that became so, in microseconds since 1970 UTC
}

// Projection keeps the files up to date.
type Projection struct {
	files *projections.Rows[Key, File]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	return &Projection{projections.NewRows("media", func(f *File) Key { return f.Key })}
}

// Name returns the name under which the files were first published.
func (*Projection) Name() string { return "media.v1" }

// Categories returns the one category of streams that tell of files.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the one table of files.
func (p *Projection) Tables() []projections.Table { return []projections.Table{p.files} }

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	change := func(m chat.MessageID, fold func(*File)) {
		p.files.Update(Key{e.Subject(), string(m)}, fold)
	}
	switch f := e.Fact.(type) {
	case chat.MessageReceived:
		if m := f.Content.Media; m != nil {
			p.files.Put(File{
				Key: Key{e.Subject(), string(f.Message)}, Workspace: e.Meta.Workspace, Kind: f.Content.Kind,
				Filename: m.Filename, State: string(chat.MediaFetching), MIMEType: m.MIMEType, At: f.At.UnixMicro(),
			})
		}
	case chat.MessageQueued:
		if m := f.Media; m != nil {
			p.files.Put(File{
				Key: Key{e.Subject(), string(f.Message)}, Workspace: e.Meta.Workspace, Kind: string(m.Kind), Filename: m.Filename,
				State: string(chat.MediaKept), SHA256: m.SHA256, Size: m.Size, MIMEType: m.MIMEType, At: f.At.UnixMicro(),
			})
		}
	case chat.MediaStored:
		change(f.Message, func(r *File) {
			r.State, r.SHA256, r.Size, r.MIMEType, r.At = string(chat.MediaKept), f.SHA256, f.Size, f.MIMEType, f.At.UnixMicro()
			r.Code, r.Reason = "", ""
		})
	case chat.MediaFailed:
		change(f.Message, func(r *File) {
			r.State, r.Code, r.Reason, r.At = string(chat.MediaLost), string(f.Code), f.Reason, f.At.UnixMicro()
		})
	case chat.MediaRequested:
		change(f.Message, func(r *File) {
			r.State, r.Code, r.Reason, r.At = string(chat.MediaFetching), "", "", f.At.UnixMicro()
		})
	}
}

// Get returns the file of a message, or chat.ErrMediaNotFound.
func Get(ctx context.Context, tx sqldb.Tx, workspace, chatID, message string) (File, error) {
	if strings.Contains(chatID+message, "\x00") {
		return File{}, chat.ErrMediaNotFound
	}
	f, err := sqldb.Get[File](ctx, tx, "SELECT * FROM media WHERE chat_id = $1 AND message = $2 AND workspace = $3", chatID, message, workspace)
	if errors.Is(err, sqldb.ErrNoRows) {
		return File{}, chat.ErrMediaNotFound
	}
	if err != nil {
		return File{}, fmt.Errorf("get media: %w", err)
	}
	return f, nil
}

// Of returns the files of messages of a chat that have one, by message.
func Of(ctx context.Context, tx sqldb.Tx, workspace, chatID string, messages []string) (map[string]File, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	args := []any{chatID, workspace}
	rows, err := sqldb.Select[File](ctx, tx, "SELECT * FROM media WHERE chat_id = $1 AND workspace = $2 AND message IN "+sqldb.In(&args, messages), args...)
	if err != nil {
		return nil, fmt.Errorf("list media: %w", err)
	}
	files := make(map[string]File, len(rows))
	for _, f := range rows {
		files[f.Message] = f
	}
	return files, nil
}

package reactors

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/ids"
)

// SweepFilesName names the reactor.
const SweepFilesName = "sweep_files.v1"

// SweepFiles removes files that nothing in the log needs: uploads that no message was
// sent with while they could be, and what was kept for a command that was refused.
//
// Each day it lists the files, then reads the log, in this order: whatever is named in
// the log when it is read is kept. What is named later cannot be one of those to be
// removed, since a file can only be named by a message for a time after it was uploaded,
// which is over for these; and one that is uploaded again is spared by the store. Files
// are told by what they hold, so one that is needed anywhere in its workspace stays. An
// upload that is removed is said so first, on the stream of its chat, which has the
// last word.
type SweepFiles struct {
	Store       eventstore.Store
	Checkpoints feed.Checkpoints // of the reactors, to be read
	Timers      Timers
	Files       blob.Store
	Chats       commands.Chats
	Now         func() time.Time
	Logger      *slog.Logger

	Most int // files looked at in a sweep, a random part of them if there are more; default 1,000,000
}

const (
	timerSweep  = "sweep" // its subject is all files
	sweepEach   = 24 * time.Hour
	sweepYoung  = 24 * time.Hour // files that were put since are spared: whoever put them may be at it yet
	sweepAtMost = 1_000_000
)

// Reactor returns it, ready for a Host. It follows uploads, although time alone leads to
// a sweep, so that there is a checkpoint that tells whether this is the log that the
// files belong to: see belongs.
func (s SweepFiles) Reactor() Reactor {
	if s.Most == 0 {
		s.Most = sweepAtMost
	}
	return Reactor{
		Name:       SweepFilesName,
		Categories: []string{"chat"},
		Types:      []string{chat.FileUploaded{}.EventType()},
		Handle:     func(context.Context, eventstore.Recorded) error { return nil },
		Beside:     s.run,
	}
}

// run sweeps when it is time to.
func (s SweepFiles) run(ctx context.Context) error {
	for {
		next, err := s.Timers.NextTimers(ctx, SweepFilesName, 1)
		if err != nil {
			return err
		}
		now := s.Now()
		if len(next) == 0 {
			if err := s.Timers.SetTimer(ctx, SweepFilesName, Timer{Kind: timerSweep, Subject: "all", Due: now}); err != nil {
				return err
			}
			continue
		}
		if next[0].Due.After(now) {
			t := time.NewTimer(min(longestWait, next[0].Due.Sub(now)))
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
			continue
		}
		again := sweepEach
		switch removed, err := s.sweep(ctx, now.UTC()); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "unused files were not removed", slog.Any("error", err))
			again = timerPause
		case removed > 0:
			s.Logger.LogAttrs(ctx, slog.LevelInfo, "unused files were removed", slog.Int("files", removed))
		}
		if err := s.Timers.PostponeTimer(ctx, SweepFilesName, next[0], now.Add(again)); err != nil {
			return err
		}
	}
}

// sweep removes what nothing needs, and returns how many files that were.
func (s SweepFiles) sweep(ctx context.Context, now time.Time) (removed int, err error) {
	if err := s.belongs(ctx); err != nil {
		return 0, err
	}
	spare, err := s.list(ctx, now)
	if err != nil || len(spare.files) == 0 {
		return 0, err
	}
	if err := s.mark(ctx, spare); err != nil {
		return 0, err
	}
	for name, b := range spare.files {
		if !spare.workspaces[name.workspace] { // not of this log
			continue
		}
		err := s.discard(ctx, spare.uploads[name], name, now)
		if errors.Is(err, chat.ErrFileInUse) {
			continue
		}
		if err == nil {
			err = s.Files.Delete(ctx, b)
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// belongs refuses a log that is not the one that the reactor has followed, or an older
// copy of it: files that it does not know may be needed.
func (s SweepFiles) belongs(ctx context.Context) error {
	at, err := s.Checkpoints.Load(ctx, SweepFilesName)
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of log: %w", err)
	}
	if at.Store != uuid.Nil && (at.Store != head.Store || at.Position > head.Position) {
		return feed.ErrOtherLog
	}
	return nil
}

// fileName is what a file is told by.
type fileName struct{ workspace, sha256 string }

// uploaded is a file in a chat.
type uploaded struct {
	stream string
	file   chat.FileID
}

// sweeping are the files that may be removed, and what is known of them.
type sweeping struct {
	now        time.Time
	files      map[fileName]blob.Blob
	uploads    map[fileName]map[uploaded]uuid.UUID // the events that told of them last
	waiting    map[string]fileName                 // in messages that are scheduled, by stream and message
	workspaces map[string]bool
}

// list returns the files that are old enough. Of more than Most it takes a part by
// their names and by chance, so that each has its turn some day.
func (s SweepFiles) list(ctx context.Context, now time.Time) (*sweeping, error) {
	w := &sweeping{
		now: now, files: map[fileName]blob.Blob{}, uploads: map[fileName]map[uploaded]uuid.UUID{}, waiting: map[string]fileName{}, workspaces: map[string]bool{},
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	seed, most := binary.BigEndian.Uint64(random[:]), uint64(math.MaxUint64)
	left := func(f fileName) bool { return place(f, seed) > most }
	for b, err := range s.Files.List(ctx) {
		if err != nil {
			return nil, err
		}
		name := fileName{b.Workspace, b.SHA256}
		if now.Sub(b.PutAt) < sweepYoung || left(name) {
			continue
		}
		w.files[name] = b
		for len(w.files) > s.Most {
			most /= 2
			maps.DeleteFunc(w.files, func(f fileName, _ blob.Blob) bool { return left(f) })
		}
	}
	return w, nil
}

// place spreads files evenly, differently for each seed.
func place(f fileName, seed uint64) uint64 {
	var n uint64
	for _, digit := range []byte(f.sha256[:min(16, len(f.sha256))]) {
		n = n<<4 | uint64(strings.IndexByte("0123456789abcdef", digit)&0xF)
	}
	return n ^ seed
}

// filesFacts are the events that name files, or end that.
func filesFacts() []codec.Event {
	return []codec.Event{
		workspace.Created{},
		campaign.Created{},
		chat.MediaStored{},
		chat.FileUploaded{},
		chat.FileDiscarded{},
		chat.MessageQueued{},
		chat.MessageScheduled{},
		chat.ScheduleChanged{},
		chat.ScheduleCancelled{},
		chat.ScheduleFailed{},
	}
}

// mark takes from the files those that the log needs.
func (s SweepFiles) mark(ctx context.Context, w *sweeping) error {
	facts := codec.New(filesFacts())
	q := eventstore.AllQuery{Categories: []string{"chat", "campaign", "workspace"}, Types: facts.Types()}
	queued, hash := chat.MessageQueued{}.EventType(), []byte(`"sha256"`)
	for e, err := range s.Store.ReadAll(ctx, q) {
		switch {
		case err != nil:
			return fmt.Errorf("read log: %w", err)
		case e.IsMark():
			continue
		case e.Type == queued && !bytes.Contains(e.Data, hash): // most messages have no file
			continue
		}
		fact, err := facts.Decode(e)
		if err != nil {
			return err
		}
		meta, err := eventstore.DecodeMetadata(e)
		if err != nil {
			return err
		}
		w.apply(e, meta.Workspace, fact)
	}
	for _, name := range w.waiting {
		delete(w.files, name)
	}
	return nil
}

// may reports whether a file may be removed, as far as is known by now.
func (w *sweeping) may(name fileName) bool {
	_, may := w.files[name]
	return may
}

func (w *sweeping) apply(e eventstore.Recorded, in string, fact codec.Event) {
	w.workspaces[in] = true
	waits := func(m chat.MessageID, f *chat.FileUse) {
		key := e.Stream + " " + string(m)
		delete(w.waiting, key)
		if f == nil {
			return
		}
		if name := (fileName{in, f.SHA256}); w.may(name) {
			w.waiting[key] = name
		}
	}
	switch f := fact.(type) {
	case campaign.Created:
		if m := f.Values.Media; m != nil {
			delete(w.files, fileName{in, m.SHA256})
		}
	case chat.MediaStored:
		delete(w.files, fileName{in, f.SHA256})
	case chat.MessageQueued:
		waits(f.Message, nil)
		if file := f.Outgoing().File(); file != nil {
			delete(w.files, fileName{in, file.SHA256})
		}
	case chat.MessageScheduled:
		waits(f.Message, f.Outgoing.File())
	case chat.ScheduleChanged:
		waits(f.Message, f.Outgoing.File())
	case chat.ScheduleCancelled:
		waits(f.Message, nil)
	case chat.ScheduleFailed:
		waits(f.Message, nil)
	case chat.FileUploaded:
		name := fileName{in, f.File.SHA256}
		switch {
		case !w.may(name):
			return
		case w.now.Sub(f.At) <= chat.UploadSpared: // it can be sent yet
			delete(w.files, name)
			return
		case w.uploads[name] == nil:
			w.uploads[name] = map[uploaded]uuid.UUID{}
		}
		w.uploads[name][uploaded{e.Stream, f.File.ID}] = e.ID
	case chat.FileDiscarded:
		delete(w.uploads[fileName{in, f.SHA256}], uploaded{e.Stream, f.File})
	}
}

// discard says of the chats that a file was uploaded to that it is kept no more.
func (s SweepFiles) discard(ctx context.Context, from map[uploaded]uuid.UUID, name fileName, now time.Time) error {
	for u, event := range from {
		_, err := s.Chats.DiscardFile(ctx, commands.Origin{
			Workspace: name.workspace, Actor: SweepFilesName, ActorKind: commands.ActorSystem,
			Command: ids.Command("discard file", event.String()), Causation: event.String(),
		}, chat.ID(strings.TrimPrefix(u.stream, "chat-")), chat.DiscardFile{FileDiscarded: chat.FileDiscarded{File: u.file, SHA256: name.sha256, At: now}})
		if err != nil {
			return err
		}
	}
	return nil
}

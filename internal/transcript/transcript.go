// Package transcript writes down what was said in a chat, as of a position of the
// log: as JSON, CSV, plain text or a page that prints well.
//
// It reads streams of the log and nothing else: no view, no clock, no setting of
// the machine. So the same chat, position and options give the same bytes, today
// and after whatever happens later. It never writes to the log.
package transcript

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"
	_ "time/tzdata" // time zones, also on machines that have none

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
)

// Options say what a transcript is to hold, and how.
type Options struct {
	Format chat.TranscriptFormat
	Notes  bool                // with private notes
	Events bool                // with what happened to the chat
	Zone   *time.Location      // of every time in it
	AsOf   eventstore.Position // nothing behind it counts
}

// Zone returns the time zone of an IANA name such as "Europe/Berlin"; "" is UTC.
// That of the machine has no name here.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("transcript: %q is no time zone", name)
	}
	return time.LoadLocation(name)
}

// ContentType returns the media type of a format.
func ContentType(f chat.TranscriptFormat) string {
	switch f {
	case chat.TranscriptCSV:
		return "text/csv; charset=utf-8"
	case chat.TranscriptText:
		return "text/plain; charset=utf-8"
	case chat.TranscriptHTML:
		return "text/html; charset=utf-8"
	}
	return "application/json"
}

// Transcript is ready to be written. It holds an index of the chat, about 400
// bytes for each message, and reads the messages again as it writes them.
type Transcript struct {
	store Streams
	opts  Options
	index *index
	names names
	about About
}

// Opened returns the workspace of a chat, and "" if there was no such chat yet at
// a position.
func Opened(ctx context.Context, store Streams, chatID string, asOf eventstore.Position) (workspace string, err error) {
	for r, err := range store.ReadStream(ctx, streamOf(chatID), eventstore.StreamQuery{}) {
		if err != nil {
			return "", fmt.Errorf("read chat: %w", err)
		}
		if r.Position > asOf {
			break
		}
		if r.Type != (chat.Opened{}).EventType() {
			continue // a report of a provider may come first
		}
		e, err := chatCodec().Decode(r)
		if err != nil {
			return "", err
		}
		return e.(chat.Opened).Workspace, nil
	}
	return "", nil
}

// New reads the chat up to the position. One that was not there yet is
// chat.ErrNotFound.
func New(ctx context.Context, store Streams, chatID string, o Options) (*Transcript, error) {
	x, err := readIndex(ctx, store, chatID, o)
	if err != nil {
		return nil, err
	}
	t := &Transcript{store: store, opts: o, index: x}
	if t.names, err = readNames(ctx, store, x, o.AsOf); err != nil {
		return nil, err
	}
	t.about = t.summary(chatID)
	return t, nil
}

// format writes the parts of a transcript, in order: begin, entries, end.
type format interface {
	begin(About) error
	entry(*Entry) error
	end(entries int) error
}

// Write writes the transcript to w.
func (t *Transcript) Write(ctx context.Context, w io.Writer) error {
	b := bufio.NewWriterSize(w, 32<<10)
	var f format
	switch t.opts.Format {
	case chat.TranscriptCSV:
		f = &asCSV{w: b}
	case chat.TranscriptText:
		f = &asText{w: b}
	case chat.TranscriptHTML:
		f = &asHTML{w: b}
	default:
		f = &asJSON{w: b}
	}
	if err := f.begin(t.about); err != nil {
		return err
	}
	n := 0
	for e, err := range t.entries(ctx) {
		if err != nil {
			return err
		}
		if err := f.entry(e); err != nil {
			return err
		}
		n++
	}
	if err := f.end(n); err != nil {
		return err
	}
	return b.Flush()
}

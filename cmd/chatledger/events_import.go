package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/eventline"
)

// EventsImportCmd is `events import`.
type EventsImportCmd struct {
	StoreFlags
	File  string              `arg:"" type:"existingfile" help:"What events dump has printed; - is standard input."`
	After eventstore.Position `placeholder:"POSITION" default:"0" help:"Leave out the lines up to this position: go on with an import that was interrupted (default: ${default})."`
	Check bool                `help:"Read all lines and say what is wrong with the first bad one; import nothing."`
}

// Help explains what help's one line cannot.
func (EventsImportCmd) Help() string {
	return `Events keep their id, stream, revision, type, data and metadata, byte for byte, and their order. ` +
		`They do not keep their position if the log has other events, nor ever recorded_at: that is when this log accepted them. ` +
		`To move a log with these, back it up and restore it.

An import may be run again: events that are there already are compared and left as they are. ` +
		`It stops at the first line that is bad, or that does not fit: where the stream has another event at that revision, or lacks those before it.`
}

// Run implements the command.
func (c EventsImportCmd) Run(ctx context.Context, t *terminal) (err error) {
	in, size, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	i := &importer{after: c.After, size: size, stderr: t.stderr, began: now()}
	if !c.Check {
		l, err := openLog(ctx, c.StoreFlags, t, true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		i.log = l
	}
	err = i.run(ctx, in)
	switch {
	case err != nil && i.last > c.After:
		return fmt.Errorf("%w\n%s; go on with --after %d", err, i.tally(), i.last)
	case err != nil:
		return err
	case c.Check:
		fmt.Fprintf(t.stdout, "%d lines, nothing wrong with any\n", i.line)
	default:
		fmt.Fprintln(t.stdout, i.tally())
	}
	return nil
}

// open returns the input and its size in bytes, 0 if that is not known.
func (c EventsImportCmd) open(ctx context.Context) (io.ReadCloser, int64, error) {
	if c.File == "-" {
		// By way of a pipe that ends with ctx: a read from the terminal does not.
		r, w := io.Pipe()
		context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
		go func() {
			_, err := io.Copy(w, os.Stdin)
			w.CloseWithError(err)
		}()
		return r, 0, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, 0, fmt.Errorf("open events: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open events: %w", err), f.Close())
	}
	return f, info.Size(), nil
}

// importer appends the events of lines, one after the other. Those that follow
// each other in a stream are appended together.
type importer struct {
	log    eventstore.Store // nil: only look at the lines
	after  eventstore.Position
	stderr io.Writer

	batch []imported
	bytes int // of data and metadata in batch

	line         int                 // the last that was read, from 1
	last         eventstore.Position // of the last event that is in the log
	added, found int

	began, told time.Time
	read, size  int64 // bytes of the input
}

type imported struct {
	eventstore.Recorded

	line int
}

// maxImport is how many bytes of events are appended together.
const maxImport = 4 << 20

func (i *importer) run(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), eventline.MaxLen)
	var before eventstore.Position
	for lines.Scan() {
		i.line++
		i.read += int64(len(lines.Bytes())) + 1
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		r, err := eventline.Parse(lines.Bytes())
		if err == nil && r.Position <= before {
			err = fmt.Errorf("position: %d is not behind %d: the lines must be in the order of the log", r.Position, before)
		}
		if err != nil {
			return errors.Join(i.flush(ctx), fmt.Errorf("line %d: %w", i.line, err))
		}
		before = r.Position
		if r.Position <= i.after || i.log == nil {
			continue
		}
		if !i.follows(r) {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
		i.batch = append(i.batch, imported{r, i.line})
		i.bytes += len(r.Data) + len(r.Meta)
		i.tell()
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errors.Join(i.flush(ctx), fmt.Errorf("line %d: longer than %d bytes, which no event is", i.line+1, eventline.MaxLen))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read behind line %d: %w", i.line, err)
	}
	return i.flush(ctx)
}

// follows reports whether r can be appended together with the batch.
func (i *importer) follows(r eventstore.Recorded) bool {
	n := len(i.batch)
	if n == 0 {
		return true
	}
	if last := i.batch[n-1]; n == eventstore.MaxEvents || i.bytes > maxImport || last.Stream != r.Stream || last.Revision+1 != r.Revision {
		return false
	}
	for _, b := range i.batch {
		if b.ID == r.ID {
			return false
		}
	}
	return true
}

// flush appends the batch. If some of it is in the log already, each event is
// appended alone.
func (i *importer) flush(ctx context.Context) error {
	batch := i.batch
	i.batch, i.bytes = i.batch[:0], 0
	if len(batch) == 0 {
		return nil
	}
	err := i.append(ctx, batch)
	if len(batch) > 1 && errors.Is(err, eventstore.ErrConflict) {
		for n := range batch {
			if err := i.append(ctx, batch[n:n+1]); err != nil {
				return err
			}
		}
		return nil
	}
	return err
}

func (i *importer) append(ctx context.Context, batch []imported) error {
	first, last := batch[0], batch[len(batch)-1]
	events := make([]eventstore.Event, len(batch))
	for n, b := range batch {
		events[n] = b.Event
	}
	res, err := i.log.Append(ctx, first.Stream, first.Revision-1, events...)
	if conflict, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		why := "has another event there"
		if conflict.Got < first.Revision-1 {
			why = fmt.Sprintf("lacks those before it, from revision %d on", conflict.Got+1)
		}
		return fmt.Errorf("line %d: revision %d of %s cannot be added: the stream %s: %w", first.line, first.Revision, first.Stream, why, err)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", first.line, err)
	}
	if res.Existing {
		if err := i.compare(ctx, batch); err != nil {
			return err
		}
		i.found += len(batch)
	} else {
		i.added += len(batch)
	}
	i.last = last.Position
	return nil
}

// compare checks that what is in the log is what the lines say.
func (i *importer) compare(ctx context.Context, batch []imported) error {
	n := 0
	for r, err := range i.log.ReadStream(ctx, batch[0].Stream, eventstore.StreamQuery{From: batch[0].Revision, Limit: len(batch)}) {
		if err != nil {
			return fmt.Errorf("line %d: %w", batch[0].line, err)
		}
		if field := batch[n].Difference(r.Event); field != "" {
			return fmt.Errorf("line %d: %s: revision %d of %s is event %s in the log, with another one", batch[n].line, field, r.Revision, r.Stream, r.ID)
		}
		n++
	}
	if n < len(batch) {
		return fmt.Errorf("line %d: revision: event %s is in %s at another one", batch[n].line, batch[n].ID, batch[n].Stream)
	}
	return nil
}

func (i *importer) tally() string {
	return fmt.Sprintf("%d events imported, %d were there already", i.added, i.found)
}

// tell prints how far the import is, once a second.
func (i *importer) tell() {
	at := now()
	if i.told.IsZero() {
		i.told = at
	}
	if at.Sub(i.told) < time.Second {
		return
	}
	i.told = at
	took := at.Sub(i.began)
	fmt.Fprintf(i.stderr, "line %d: %s, %.0f a second", i.line, i.tally(), float64(i.added+i.found)/took.Seconds())
	if left := i.size - i.read; left > 0 {
		fmt.Fprintf(i.stderr, ", done in %s", time.Duration(float64(took)*float64(left)/float64(i.read)).Round(time.Second))
	}
	fmt.Fprintln(i.stderr)
}

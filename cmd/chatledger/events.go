package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/eventline"
)

// EventsCmd reads the log, and adds to it what was read from another.
type EventsCmd struct {
	Dump   EventsDumpCmd   `cmd:"" help:"Print the events of the log, from the first on."`
	Tail   EventsTailCmd   `cmd:"" help:"Print events as they are appended, until interrupted."`
	Stream EventsStreamCmd `cmd:"" help:"Print the events of one stream, such as chat-<id>."`
	Import EventsImportCmd `cmd:"" help:"Add events that dump has printed to the log."`
}

// EventFilter says which events of the log are wanted.
type EventFilter struct {
	Category []string `placeholder:"NAME" help:"Only streams of this category, such as chat or order. May be repeated."`
	Type     []string `placeholder:"NAME" help:"Only events of this type, such as chat.closed.v1. May be repeated."`
	Limit    int      `placeholder:"N" default:"0" help:"At most so many events; 0 means all (default: ${default})."`
}

// EventsDumpCmd is `events dump`.
type EventsDumpCmd struct {
	StoreFlags
	EventFilter
	After eventstore.Position `placeholder:"POSITION" default:"0" help:"Only events behind this position (default: ${default})."`
}

// Run implements the command.
func (c EventsDumpCmd) Run(ctx context.Context, t *terminal) error {
	return withLog(ctx, c.StoreFlags, t, func(log eventstore.Store) error {
		head, err := log.Head(ctx)
		if err != nil {
			return fmt.Errorf("read head of log: %w", err)
		}
		if c.After >= head.Position {
			return nil
		}
		return printEvents(t.stdout, until(head.Position, log.ReadAll(ctx, eventstore.AllQuery{
			After: c.After, Limit: c.Limit, Categories: c.Category, Types: c.Type,
		})), false)
	})
}

// until ends a read of the log behind a position: what is appended during the
// read is left out, so that a dump of a busy log ends.
func until(last eventstore.Position, events iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range events {
			if err == nil && r.Position > last || !yield(r, err) || r.Position == last {
				return
			}
		}
	}
}

// EventsTailCmd is `events tail`.
type EventsTailCmd struct {
	StoreFlags
	EventFilter
	After eventstore.Position `placeholder:"POSITION" default:"-1" help:"Begin behind this position; -1 is the present end (default: ${default})."`
}

// Run implements the command.
func (c EventsTailCmd) Run(ctx context.Context, t *terminal) error {
	return withLog(ctx, c.StoreFlags, t, func(log eventstore.Store) error {
		if c.After < 0 {
			head, err := log.Head(ctx)
			if err != nil {
				return fmt.Errorf("read head of log: %w", err)
			}
			c.After = head.Position
		}
		err := printEvents(t.stdout, log.ReadAll(ctx, eventstore.AllQuery{
			After: c.After, Limit: c.Limit, Categories: c.Category, Types: c.Type, Follow: true,
		}), true)
		if errors.Is(err, context.Canceled) {
			return nil // interrupted, as it is meant to be
		}
		return err
	})
}

// EventsStreamCmd is `events stream`.
type EventsStreamCmd struct {
	StoreFlags
	Name  string              `arg:"" help:"The stream: its category, a dash and an id."`
	From  eventstore.Revision `placeholder:"REVISION" default:"0" help:"Begin at this revision (default: ${default})."`
	Limit int                 `placeholder:"N" default:"0" help:"At most so many events; 0 means all (default: ${default})."`
}

// Run implements the command.
func (c EventsStreamCmd) Run(ctx context.Context, t *terminal) error {
	return withLog(ctx, c.StoreFlags, t, func(log eventstore.Store) error {
		return printEvents(t.stdout, log.ReadStream(ctx, c.Name, eventstore.StreamQuery{From: c.From, Limit: c.Limit}), false)
	})
}

// printEvents writes one line an event; at once, if somebody waits for it.
func printEvents(w io.Writer, events iter.Seq2[eventstore.Recorded, error], atOnce bool) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for r, err := range events {
		if err != nil {
			return errors.Join(fmt.Errorf("read log: %w", err), buffered.Flush())
		}
		if r.IsMark() {
			continue
		}
		if line, err = eventline.Append(line[:0], r); err != nil {
			return fmt.Errorf("encode event at %d: %w", r.Position, err)
		}
		if _, err := buffered.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write event at %d: %w", r.Position, err)
		}
		if atOnce {
			if err := buffered.Flush(); err != nil {
				return fmt.Errorf("write events: %w", err)
			}
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

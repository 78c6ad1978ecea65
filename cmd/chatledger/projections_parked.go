package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
)

// ProjectionsParkedCmd is `projections parked`.
type ProjectionsParkedCmd struct {
	StoreFlags
	Name string `arg:"" optional:"" help:"The view, such as inbox.v3; all of them if left out."`
}

// parkedPage is how many streams are asked for at once.
const parkedPage = 200

// Run implements the command.
func (c ProjectionsParkedCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		names, err := viewNames(cfg, c.Name)
		if err != nil {
			return err
		}
		var failed error
		err = table(t.stdout, "VIEW\tSTREAM\tEVENTS\tPOSITION\tTYPE\tSINCE\tTRIED\tERROR", func(line func(string, ...any)) {
			for _, name := range names {
				for q := (projections.ParkedQuery{Projection: name, Limit: parkedPage}); failed == nil; {
					var page []projections.ParkedStream
					page, q.After, failed = projections.ListParkedStreams(ctx, cfg, q)
					for _, s := range page {
						line("%s\t%s\t%d\t%d\t%s\t%s\t%d\t%s", s.Projection, s.Stream, s.Events, s.Position, s.Type, s.Since.Format(time.RFC3339), s.Attempts, orDash(s.Error))
					}
					if q.After == 0 {
						break
					}
				}
			}
		})
		for _, name := range names {
			failed = errors.Join(failed, printSkipped(ctx, cfg, t, name))
		}
		return errors.Join(err, failed)
	})
}

// printSkipped shows every decision about a view, those that were taken back
// too.
func printSkipped(ctx context.Context, cfg projections.Config, t *terminal, name string) error {
	for after := eventstore.Position(0); ; {
		list, err := projections.ListSkipped(ctx, cfg.DBOf(name), name, after, parkedPage)
		if err != nil {
			return fmt.Errorf("list what was skipped: %w", err)
		}
		for _, s := range list {
			after = s.Position
			fmt.Fprintf(t.stdout, "%s: skipped by %s at %s: %s at %d of %s", name, s.By, micros(s.At), s.Type, s.Position, s.Stream)
			if s.Reason != "" {
				fmt.Fprintf(t.stdout, ", because: %s", s.Reason)
			}
			if s.UndoneAt > 0 {
				fmt.Fprintf(t.stdout, " (taken back by %s at %s)", s.UndoneBy, micros(s.UndoneAt))
			}
			fmt.Fprintln(t.stdout)
		}
		if len(list) < parkedPage {
			return nil
		}
	}
}

func micros(at int64) string { return time.UnixMicro(at).UTC().Format(time.RFC3339) }

// viewNames returns the view called name, or all.
func viewNames(cfg projections.Config, name string) (names []string, err error) {
	for _, newView := range cfg.Projections {
		if n := newView().Name(); name == "" || n == name {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: %s", projections.ErrUnknown, name)
	}
	return names, nil
}

// ProjectionsSkipCmd is `projections skip`.
type ProjectionsSkipCmd struct {
	ViewFlags
	Position eventstore.Position `arg:"" help:"Of the event, the first that is parked of its stream; see projections parked."`
	Reason   string              `help:"Why, for those who come after you."`
	By       string              `help:"Who decides; the user that runs the command, if left out."`
}

// Run implements the command.
func (c ProjectionsSkipCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		done, n, err := projections.Skip{Projection: c.Name, Position: c.Position, By: decider(c.By), Reason: c.Reason}.Do(ctx, cfg)
		if done.At > 0 {
			fmt.Fprintf(t.stdout, "%s leaves out %s at %d of %s; %d events that waited behind it are applied\n", c.Name, done.Type, done.Position, done.Stream, n)
		}
		if poison, ok := errors.AsType[*projections.PoisonError](err); ok {
			return fmt.Errorf("the next one cannot be applied either: %w", poison)
		}
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		return nil
	})
}

// ProjectionsUnskipCmd is `projections unskip`.
type ProjectionsUnskipCmd struct {
	ViewFlags
	Position eventstore.Position `arg:"" help:"Of the event that was skipped."`
	By       string              `help:"Who decides; the user that runs the command, if left out."`
}

// Run implements the command.
func (c ProjectionsUnskipCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		if _, err := projections.Unskip(ctx, cfg, c.Name, c.Position, decider(c.By)); err != nil {
			return fmt.Errorf("unskip: %w", err)
		}
		fmt.Fprintf(t.stdout, "%s is to have the event at %d: run `chatledger projections rebuild %s` to bring it in\n", c.Name, c.Position, c.Name)
		return nil
	})
}

// decider names who runs a command, for the record.
func decider(given string) string {
	if given != "" {
		return given
	}
	u, err := user.Current()
	if err != nil {
		return fmt.Sprintf("user %d", os.Getuid())
	}
	return u.Username
}

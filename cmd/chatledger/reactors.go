package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/eventstore"
)

// ReactorsCmd looks after the side effects.
type ReactorsCmd struct {
	Status ReactorsStatusCmd `cmd:"" help:"Show how far each reactor is, and what it could not handle."`
	Retry  ReactorsRetryCmd  `cmd:"" help:"Let a reactor try again what it has parked."`
	Resume ReactorsResumeCmd `cmd:"" help:"After a restore: let a reactor go on in the present log."`
}

// ReactorsStatusCmd is `reactors status`.
type ReactorsStatusCmd struct{ StoreFlags }

// Run implements the command.
func (c ReactorsStatusCmd) Run(ctx context.Context, t *terminal) error {
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		list, err := p.reactorStatus(ctx)
		if err != nil {
			return err
		}
		err = table(t.stdout, "REACTOR\tSTATE\tCHECKPOINT\tHEAD\tPARKED", func(line func(string, ...any)) {
			for _, r := range list {
				line("%s\t%s\t%d\t%d\t%d", r.name, r.state(), r.checkpoint, r.head, r.parked.Events)
			}
		})
		for _, r := range list {
			if r.parked.Events == 0 {
				continue
			}
			parked, listErr := p.parkedEvents(ctx, r.name)
			err = errors.Join(err, listErr)
			for _, e := range parked {
				fmt.Fprintf(t.stdout, "%s: parked: %s at %d, %s, tried %d times: %s\n", r.name, e.Type, e.Position, e.Stream, e.Attempts, e.Error)
			}
		}
		if n := len(standing(list)); n > 0 {
			fmt.Fprintf(t.stdout, "%d of %d reactors stand still: the log is not the one they were at, or ends before their checkpoints. "+
				"If it was restored or swapped on purpose, stop the server and run `chatledger reactors resume --all`\n", n, len(list))
		}
		return err
	})
}

// ReactorsRetryCmd is `reactors retry`.
type ReactorsRetryCmd struct {
	StoreFlags
	Name string `arg:"" help:"The reactor; see reactors status."`
}

// Run implements the command.
func (c ReactorsRetryCmd) Run(ctx context.Context, t *terminal) error {
	if !slices.Contains(reactorNames(), c.Name) {
		return fmt.Errorf("there is no reactor %s; see `chatledger reactors status`", c.Name)
	}
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) error {
		n, err := p.accounts.RetryParked(ctx, c.Name)
		if err != nil {
			return fmt.Errorf("ask for another try: %w", err)
		}
		fmt.Fprintf(t.stdout, "%d parked events are tried again by the server, at once if it runs\n", n)
		return nil
	})
}

// ReactorsResumeCmd is `reactors resume`.
type ReactorsResumeCmd struct {
	StoreFlags
	Names []string            `arg:"" optional:"" name:"name" help:"The reactors; see reactors status."`
	All   bool                `help:"Instead of names: every reactor that stands still since the log is another one, or was restored."`
	After eventstore.Position `default:"-1" placeholder:"POSITION" help:"Handle what is behind this position; -1 is where the restored backup ends, or the end of another log (default: ${default})."`
}

// Run implements the command.
func (c ReactorsResumeCmd) Run(ctx context.Context, t *terminal) error {
	if c.All == (len(c.Names) > 0) {
		return errors.New("say which reactors, or --all; see `chatledger reactors status`")
	}
	for _, name := range c.Names {
		if !slices.Contains(reactorNames(), name) {
			return fmt.Errorf("there is no reactor %s; see `chatledger reactors status`", name)
		}
	}
	alone := c.alone()
	return withParts(ctx, c.StoreFlags, t, false, func(p *parts) (err error) {
		if alone {
			lock, err := lockServer(c.Data)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.release()) }()
		}
		names := c.Names
		if c.All {
			list, err := p.reactorStatus(ctx)
			if err != nil {
				return err
			}
			if names = standing(list); len(names) == 0 {
				fmt.Fprintln(t.stdout, "no reactor stands still")
			}
		}
		for _, name := range names {
			at, err := p.resumeReactor(ctx, name, c.After, alone)
			if err != nil {
				return fmt.Errorf("resume %s: %w", name, err)
			}
			fmt.Fprintf(t.stdout, "%s goes on behind %d\n", name, at)
		}
		return nil
	})
}

// standing returns the names of those that wait to be resumed.
func standing(list []reactorState) (names []string) {
	for _, r := range list {
		if r.otherLog {
			names = append(names, r.name)
		}
	}
	return names
}

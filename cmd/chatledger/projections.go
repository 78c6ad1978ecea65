package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/chatledger/chatledger/projections"
)

// ProjectionsCmd looks after the views.
type ProjectionsCmd struct {
	Status   ProjectionsStatusCmd   `cmd:"" help:"Show how far each view is, and what is wrong with it."`
	Rebuild  ProjectionsRebuildCmd  `cmd:"" help:"Fold views again from event zero, beside the live ones, and switch."`
	Rollback ProjectionsRollbackCmd `cmd:"" help:"Go back to the tables that the last rebuild replaced."`
	Verify   ProjectionsVerifyCmd   `cmd:"" help:"Compare a view with a fold from event zero, row for row."`
	Parked   ProjectionsParkedCmd   `cmd:"" help:"List what the views could not take, and what was skipped."`
	Retry    ProjectionsRetryCmd    `cmd:"" help:"Apply the parked events of a stream again."`
	Skip     ProjectionsSkipCmd     `cmd:"" help:"Leave a parked event out of a view, for good and on your word."`
	Unskip   ProjectionsUnskipCmd   `cmd:"" help:"Take a skip back; the next rebuild brings the event in."`
}

// ViewFlags name one view.
type ViewFlags struct {
	StoreFlags
	Name string `arg:"" help:"The view, such as inbox.v3; see projections status."`
}

// ProjectionsStatusCmd is `projections status`.
type ProjectionsStatusCmd struct{ StoreFlags }

// Run implements the command.
func (c ProjectionsStatusCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		list, err := projections.ReadStatus(ctx, cfg)
		if err != nil {
			return fmt.Errorf("read status: %w", err)
		}
		const head = "VIEW\tSTATE\tCHECKPOINT\tHEAD\tLAG\tSTALE\tSTREAMS\tPARKED\tSKIPPED\tPROGRESS\tOWNER\tREBUILD"
		err = table(t.stdout, head, func(line func(string, ...any)) {
			for _, s := range list {
				line("%s\t%s\t%d\t%d\t%s\t%.1fs\t%d\t%d\t%d\t%s\t%s\t%s", s.Name, s.State, s.Checkpoint, s.Head, s.Behind(), s.Unapplied.Seconds(),
					s.Streams, s.Parked, s.Skipped, s.ProgressAt.Format(time.RFC3339), orDash(s.Owner), rebuildState(s.Rebuild))
			}
		})
		for _, s := range list {
			if s.Error != "" {
				fmt.Fprintf(t.stdout, "%s: %s (since %s)\n", s.Name, s.Error, s.ErrorAt.Format(time.RFC3339))
			}
			if s.Parked > 0 {
				fmt.Fprintf(t.stdout, "%s: %d events of %d streams are parked: see `chatledger projections parked %s`\n", s.Name, s.Parked, s.Streams, s.Name)
			}
		}
		return err
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func rebuildState(r *projections.RebuildStatus) string {
	switch {
	case r == nil:
		return "-"
	case r.Running:
		return fmt.Sprintf("%d of %d", r.Done, r.Total)
	}
	return fmt.Sprintf("stopped at %d of %d", r.Done, r.Total)
}

// shownParked is how many parked events of a reactor are shown.
const shownParked = 20

// ProjectionsRebuildCmd is `projections rebuild`.
type ProjectionsRebuildCmd struct {
	StoreFlags
	Names []string `arg:"" name:"name" help:"The views, such as inbox.v3; see projections status. Several share the reading of the log."`
}

// rebuildGarbage is how much a rebuild lets the heap grow between collections,
// in per cent of what is in use: it makes little else than garbage.
const rebuildGarbage = 400

// Run implements the command.
func (c ProjectionsRebuildCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		defer debug.SetGCPercent(debug.SetGCPercent(rebuildGarbage))
		err := projections.RebuildAll(ctx, cfg, c.Names, showProgress(t.stderr))
		if poison, ok := errors.AsType[*projections.PoisonError](err); ok {
			return fmt.Errorf("the live view stays as it was: %w", poison)
		}
		if err != nil {
			return fmt.Errorf("rebuild %s: %w", strings.Join(c.Names, ", "), err)
		}
		for _, name := range c.Names {
			fmt.Fprintf(t.stdout, "%s is rebuilt and in use; `chatledger projections rollback %s` brings the old tables back\n", name, name)
		}
		return nil
	})
}

// showProgress returns a function that prints a line a second and each phase.
func showProgress(w io.Writer) func(projections.Progress) {
	type shown struct {
		phase string
		at    time.Time
	}
	last := map[string]shown{}
	return func(p projections.Progress) {
		if l := last[p.Name]; p.Phase == l.phase && now().Sub(l.at) < time.Second {
			return
		}
		last[p.Name] = shown{p.Phase, now()}
		fmt.Fprintf(w, "%s: %s, %d of %d events", p.Name, p.Phase, p.Done, p.Total)
		if p.Rate > 0 {
			fmt.Fprintf(w, ", %.0f a second", p.Rate)
		}
		if p.ETA > 0 {
			fmt.Fprintf(w, ", done in %s", p.ETA.Round(time.Second))
		}
		fmt.Fprintln(w)
	}
}

// ProjectionsRollbackCmd is `projections rollback`.
type ProjectionsRollbackCmd struct{ ViewFlags }

// Run implements the command.
func (c ProjectionsRollbackCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		if err := projections.Rollback(ctx, cfg, c.Name); err != nil {
			return fmt.Errorf("roll back %s: %w", c.Name, err)
		}
		fmt.Fprintf(t.stdout, "%s has its older tables again; a second rollback undoes this\n", c.Name)
		return nil
	})
}

// ProjectionsVerifyCmd is `projections verify`.
type ProjectionsVerifyCmd struct {
	StoreFlags
	Name   string `arg:"" optional:"" help:"The view, such as inbox.v3; all of them if left out."`
	Values bool   `help:"Show the values that differ too: they may be personal data."`
}

// Run implements the command. It fails if a view differs.
func (c ProjectionsVerifyCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		names, err := viewNames(cfg, c.Name)
		if err != nil {
			return err
		}
		differ := 0
		for _, name := range names {
			diff, err := projections.Verify(ctx, cfg, name)
			if err != nil {
				return fmt.Errorf("verify %s: %w", name, err)
			}
			if diff.Different == 0 {
				fmt.Fprintf(t.stdout, "%s: %d rows, equal to a fold from event zero to %d\n", name, diff.Rows, diff.Checkpoint)
				continue
			}
			differ++
			fmt.Fprintf(t.stdout, "%s: %d of %d rows differ from a fold from event zero to %d\n", name, diff.Different, diff.Rows, diff.Checkpoint)
			for _, d := range diff.First {
				c.printDiff(t.stdout, d)
			}
		}
		if differ > 0 {
			return fmt.Errorf("%d views differ from the log: rebuild them", differ)
		}
		return nil
	})
}

func (c ProjectionsVerifyCmd) printDiff(w io.Writer, d projections.RowDiff) {
	switch {
	case d.Live == nil:
		fmt.Fprintf(w, "  %s %q is missing\n", d.Table, d.Key)
	case d.Fresh == nil:
		fmt.Fprintf(w, "  %s %q is there and should not be\n", d.Table, d.Key)
	default:
		for _, column := range slices.Sorted(maps.Keys(d.Live)) {
			if c.Values {
				fmt.Fprintf(w, "  %s %q: %s is %q, should be %q\n", d.Table, d.Key, column, d.Live[column], d.Fresh[column])
			} else {
				fmt.Fprintf(w, "  %s %q: %s differs\n", d.Table, d.Key, column)
			}
		}
	}
}

// ProjectionsRetryCmd is `projections retry`.
type ProjectionsRetryCmd struct {
	ViewFlags
	Stream string `arg:"" help:"The stream whose events are parked."`
}

// Run implements the command.
func (c ProjectionsRetryCmd) Run(ctx context.Context, t *terminal) error {
	return withViews(ctx, c.StoreFlags, t, func(cfg projections.Config) error {
		n, err := projections.Retry(ctx, cfg, c.Name, c.Stream)
		if err != nil {
			return fmt.Errorf("retry %s: %d events applied: %w", c.Stream, n, err)
		}
		fmt.Fprintf(t.stdout, "%d events of %s applied to %s\n", n, c.Stream, c.Name)
		return nil
	})
}

// table prints columns that line up.
func table(w io.Writer, head string, rows func(line func(format string, args ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, head)
	rows(func(format string, args ...any) { fmt.Fprintf(tw, format+"\n", args...) })
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/eventstore"
)

// AuditCmd proves what the log holds, and checks proofs.
type AuditCmd struct {
	Key         AuditKeyCmd         `cmd:"" help:"Print the public key that checks what was signed."`
	Status      AuditStatusCmd      `cmd:"" help:"Show how far the proof of the log is."`
	Checkpoint  AuditCheckpointCmd  `cmd:"" help:"Print a signed checkpoint, to be kept elsewhere."`
	Verify      AuditVerifyCmd      `cmd:"" help:"Check the proof of a chat, and a transcript against it, without a server."`
	VerifyLog   AuditVerifyLogCmd   `cmd:"" name:"verify-log" help:"Check the whole log against signed checkpoints."`
	Consistency AuditConsistencyCmd `cmd:"" help:"Check, without a server, that a newer checkpoint has all that an older one had."`
	Restart     AuditRestartCmd     `cmd:"" help:"After a restore: begin another proof, of the present log, under another key."`
}

// AuditKeyCmd is `audit key`.
type AuditKeyCmd struct{ StoreFlags }

// Run implements the command.
func (c AuditKeyCmd) Run(ctx context.Context, t *terminal) error {
	return withAudit(ctx, c.StoreFlags, t, func(tree *audit.Tree, _ eventstore.Store) error {
		key, err := tree.Key(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(t.stdout, key)
		return nil
	})
}

// AuditStatusCmd is `audit status`.
type AuditStatusCmd struct{ StoreFlags }

// Run implements the command. It fails if the log is not the one that was hashed.
func (c AuditStatusCmd) Run(ctx context.Context, t *terminal) error {
	return withAudit(ctx, c.StoreFlags, t, func(tree *audit.Tree, _ eventstore.Store) error {
		s, err := tree.Status(ctx)
		if err != nil {
			return err
		}
		last, err := tree.Checkpoints(ctx, 0, 1)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.stdout, "tree %s\n%d events hashed, up to position %d of %d, at %s\n",
			s.Origin, s.Size, s.Position, s.Head, s.UpdatedAt.Format(time.RFC3339))
		for _, c := range last {
			fmt.Fprintf(t.stdout, "signed at %d events, %s\n", c.Size, c.SignedAt.Format(time.RFC3339))
		}
		return s.Problem
	})
}

// AuditCheckpointCmd is `audit checkpoint`.
type AuditCheckpointCmd struct {
	StoreFlags
	Size int64 `placeholder:"N" default:"0" help:"That of a tree of so many events; 0 is the last one (default: ${default})."`
}

// Run implements the command.
func (c AuditCheckpointCmd) Run(ctx context.Context, t *terminal) error {
	return withAudit(ctx, c.StoreFlags, t, func(tree *audit.Tree, _ eventstore.Store) error {
		var found audit.Checkpoint
		list, err := tree.Checkpoints(ctx, 0, 1)
		switch {
		case c.Size > 0:
			found, err = tree.CheckpointAt(ctx, c.Size)
		case err == nil && len(list) == 0:
			err = audit.ErrNoCheckpoint
		case err == nil:
			found = list[0]
		}
		if errors.Is(err, audit.ErrNoCheckpoint) {
			return errors.New("nothing was signed at that size")
		}
		if err != nil {
			return err
		}
		_, err = io.WriteString(t.stdout, found.Note)
		return err
	})
}

// AuditRestartCmd is `audit restart`.
type AuditRestartCmd struct{ StoreFlags }

// Help explains what help's one line cannot.
func (AuditRestartCmd) Help() string {
	return `When the log is not the one that was hashed, because it was restored from a backup or swapped, the proof stands still: to go on would be to deny what was signed. ` +
		`This begins another one, under another name and another key, so that auditors cannot but notice. Tell them why. No server may run meanwhile.`
}

// Run implements the command.
func (c AuditRestartCmd) Run(ctx context.Context, t *terminal) (err error) {
	if c.usesFiles() {
		lock, err := lockServer(c.Data)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.release()) }()
	}
	return withAudit(ctx, c.StoreFlags, t, func(tree *audit.Tree, _ eventstore.Store) error {
		origin, err := tree.Restart(ctx)
		if errors.Is(err, audit.ErrRuns) {
			return errors.New("a server runs on this log: stop it first")
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(t.stdout, "the proof begins anew, as %s; `chatledger audit key` prints its key\n", origin)
		return nil
	})
}

// AuditConsistencyCmd is `audit consistency`.
type AuditConsistencyCmd struct {
	Older string `arg:"" type:"existingfile" help:"A checkpoint that was kept, or a proof, which begins with one."`
	Newer string `arg:"" type:"existingfile" help:"A later one."`
	Proof string `type:"existingfile" required:"" placeholder:"FILE" help:"The answer of GET /v1/audit/consistency for the sizes of the two: the second lines of the checkpoints."`
	KeyFlag
}

// KeyFlag is the public key of the log.
type KeyFlag struct {
	Key string `required:"" placeholder:"KEY" help:"What audit key has printed, or a file that has it. Not from the server that is checked, if you can."`
}

// read returns the key.
func (k KeyFlag) read() (string, error) {
	if strings.HasPrefix(k.Key, "chatledger/") && strings.Contains(k.Key, "+") {
		return k.Key, nil
	}
	key, err := os.ReadFile(k.Key)
	if err != nil {
		return "", fmt.Errorf("--key is no key, and no file that has one: %w", err)
	}
	return strings.TrimSpace(string(key)), nil
}

// checkpoint returns the checkpoint that a file has, or that a proof begins with.
func (k KeyFlag) checkpoint(file string) (audit.Checkpoint, error) {
	key, err := k.read()
	if err != nil {
		return audit.Checkpoint{}, err
	}
	in, err := os.Open(file)
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	defer in.Close()
	c, err := audit.ReadCheckpoint(in, key)
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Run implements the command. It fails if the newer checkpoint is not of the same log
// as the older one, grown.
func (c AuditConsistencyCmd) Run(_ context.Context, t *terminal) error {
	older, err := c.checkpoint(c.Older)
	if err != nil {
		return err
	}
	newer, err := c.checkpoint(c.Newer)
	if err != nil {
		return err
	}
	answer, err := os.ReadFile(c.Proof)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	proof, err := audit.ParseConsistency(answer)
	if err != nil {
		return err
	}
	if err := audit.VerifyConsistency(older, newer, proof); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "the log of %d events has all that the log of %d events had, in the same places: %s\n", newer.Size, older.Size, newer.Origin)
	return nil
}

package main

import (
	"io"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
)

// What a reactor did in the time that was lost is not done again; what has come
// since the backup was restored is.
func TestResumeAfterARestore(t *testing.T) {
	where := StoreFlags{Data: t.TempDir(), Log: inFiles}
	quiet := &terminal{stdout: io.Discard, stderr: io.Discard, logger: slog.New(slog.DiscardHandler)}
	err := withParts(t.Context(), where, quiet, true, func(p *parts) error {
		o := commands.Origin{Workspace: "acme", Actor: "test", ActorKind: commands.ActorSystem}
		if _, err := p.commands.Workspaces.Create(t.Context(), o, workspace.Create{Name: "Acme"}); err != nil {
			return err
		}
		head, err := p.log.Head(t.Context())
		if err != nil || head.Position < 2 {
			t.Fatal(head, err)
		}
		for name, tc := range map[string]struct {
			before feed.Checkpoint
			after  eventstore.Position
			want   eventstore.Position
		}{
			"behind the backup":  {feed.Checkpoint{Store: uuid.Max, Position: 1}, -1, 1},
			"in another log":     {feed.Checkpoint{Store: uuid.New(), Position: 1}, -1, head.Position},
			"where one says":     {feed.Checkpoint{Store: uuid.Max, Position: 1}, 0, 0},
			"not behind the end": {feed.Checkpoint{Store: uuid.Max, Position: 1}, 1000, head.Position},
		} {
			epoch, err := p.accounts.Acquire(t.Context(), name, "test", 0)
			if err != nil {
				return err
			}
			if err := p.accounts.Checkpoints(epoch).Save(t.Context(), name, tc.before); err != nil {
				return err
			}
			at, err := p.resumeReactor(t.Context(), name, tc.after, true)
			if err != nil || at != tc.want {
				t.Errorf("%s: goes on behind %d, %v, want %d", name, at, err, tc.want)
			}
			now, err := p.accounts.Checkpoints(0).Load(t.Context(), name)
			if want := (feed.Checkpoint{Store: head.Store, Position: tc.want}); err != nil || now != want {
				t.Errorf("%s: left at %+v, %v, want %+v", name, now, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

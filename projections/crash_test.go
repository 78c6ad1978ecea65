//go:build unix

package projections_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	logpostgres "github.com/chatledger/chatledger/eventstore/postgres"
	logsqlite "github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
)

// The test binary runs itself with this set, to be killed: it is a directory,
// or the address of a PostgreSQL database.
const childData = "CHATLEDGER_PROJECTIONS_CHILD"

func TestMain(m *testing.M) {
	if where := os.Getenv(childData); where != "" {
		if err := appendAndProject(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if where := os.Getenv(childPlace); where != "" {
		if err := projectToThePoint(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// openBoth opens the log and the views of a place.
func openBoth(ctx context.Context, where string) (log eventstore.Store, views sqldb.DB, closeBoth func() error, err error) {
	if strings.HasPrefix(where, "postgres") {
		s, err := logpostgres.Open(ctx, where)
		if err != nil {
			return nil, nil, nil, err
		}
		db, err := sqldb.OpenPostgres(ctx, where, "chatledger_views", sqldb.Rebuildable)
		return s, db, func() error { return errors.Join(db.Close(), s.Close()) }, err
	}
	s, err := logsqlite.Open(ctx, filepath.Join(where, "events.db"))
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(where, "views.db"), sqldb.Rebuildable)
	return s, db, func() error { return errors.Join(db.Close(), s.Close()) }, err
}

// appendAndProject goes on until it is killed, rebuilding now and then, and
// prints the positions that the view has reached.
func appendAndProject(where string) error {
	ctx := context.Background()
	log, db, _, err := openBoth(ctx, where)
	if err != nil {
		return err
	}
	e := &env{log: log, db: db}
	cfg := e.config()
	cfg.Lease, cfg.Waiter = 300*time.Millisecond, projections.NewWaiter(db)
	cfg.BatchSize, cfg.ChunkSize, cfg.CacheRows = 50, 50, 20
	r, err := projections.NewRunner(ctx, cfg)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- r.Run(ctx) }()
	go func() {
		for {
			if err := projections.Rebuild(ctx, cfg, "toy.v1", nil); err != nil {
				failed <- err
				return
			}
		}
	}()
	go func() {
		for i := 0; ; i++ {
			data, err := json.Marshal(put{Owner: fmt.Sprintf("o%d", i%5), N: int64(i), Tag: fmt.Sprint(i)})
			if err != nil {
				failed <- err
				return
			}
			id := uuid.New()
			res, err := log.Append(ctx, fmt.Sprintf("item-%d", id[0]%30), eventstore.Any, eventstore.Event{ID: id, Type: "put", Data: data})
			if err == nil && i%10 == 0 {
				if err = cfg.Waiter.Wait(ctx, res.Position, "toy.v1"); err == nil {
					_, err = fmt.Println(res.Position)
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	return <-failed
}

// However often the process is killed in the middle of what it does: each event
// is in the tables once.
func TestKilledProcesses(t *testing.T) {
	places(t, func(t *testing.T, where string) {
		for round := range 4 {
			killed(t, where, 6+5*round)
		}
		e := at(t, where)
		cfg := e.config()
		_, stop := start(t, cfg)
		defer stop()
		waitFor(t, e.db, "toy.v1", e.append(t, "item-1", put{}))
		checkTables(t, e.folded(t, nil), readTables(t, e.db))
		verify(t, cfg)
		if s := status(t, cfg); s.Parked != 0 || s.Error != "" {
			t.Errorf("status %+v", s)
		}
	})
}

// killed runs a process until it has reported some positions, then kills it.
func killed(t *testing.T, where string, lines int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childData+"="+where)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for scan := bufio.NewScanner(out); seen < lines && scan.Scan(); {
		seen++
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if seen < lines {
		t.Fatalf("the process ended after %d of %d lines: %s", seen, lines, complaints.String())
	}
}

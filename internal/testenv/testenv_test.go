package testenv

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func query[T any](t *testing.T, url, sql string) (v T) {
	t.Helper()
	withConn(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(&v)
	})
	return v
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = Postgres(t)
		second := Postgres(t)
		withConn(t, first, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "CREATE TABLE a (x int)")
			return err
		})
		for url, want := range map[string]int{first: 1, second: 0} {
			if got := query[int](t, url, "SELECT count(*) FROM pg_tables WHERE tablename = 'a'"); got != want {
				t.Errorf("%s has %d tables, want %d", url, got, want)
			}
		}
	})
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		conn.Close(t.Context())
		t.Errorf("%s is still there after its test", first)
	}
}

func TestDurableServerSyncs(t *testing.T) {
	if got := query[string](t, PostgresDurable(t), "SHOW fsync"); got != "on" {
		t.Errorf("fsync = %s", got)
	}
}

func TestCloseRemovesEverything(t *testing.T) {
	c, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	if got := query[int](t, c.URL, "SELECT 1"); got != 1 {
		t.Errorf("SELECT 1 = %d", got)
	}
	pid := postmaster(t, c.dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, c.dir, pid)
}

// TestKilledUsersLeaveNothing has two processes use one cluster, and kills both.
func TestKilledUsersLeaveNothing(t *testing.T) {
	if os.Getenv("TESTENV_USER") != "" {
		beAUser(t)
	}
	t.Setenv("TMPDIR", shortDir(t)) // clusters of this test alone
	first, dir := startUser(t)
	pid := postmaster(t, dir)
	second, sameDir := startUser(t)
	if dir != sameDir {
		t.Fatalf("the second process started its own cluster: %s and %s", dir, sameDir)
	}
	kill(t, first)
	third, sameDir := startUser(t)
	if dir != sameDir {
		t.Fatalf("the cluster went away under its second user")
	}
	kill(t, second)
	kill(t, third)
	gone(t, dir, pid)

	fourth, newDir := startUser(t)
	kill(t, fourth)
	gone(t, newDir, "")
}

func TestSweepRemovesWhatAKilledSupervisorLeft(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	dir := filepath.Join(tempDir(), prefix()+"-abc")
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := join(settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gone(t, dir, "")
	if _, err := os.Stat(c.dir); err != nil {
		t.Error(err)
	}
}

func TestProgramsAreTheNewest(t *testing.T) {
	root := t.TempDir()
	installed := filepath.Join(root, "*", "bin")
	t.Setenv("PATH", root)
	if _, err := programs(installed); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install -y postgresql") {
		t.Errorf("without PostgreSQL: %v; want the command that installs it", err)
	}
	for version, names := range map[string][]string{
		"9":  {"initdb", "postgres", "pg_ctl"},
		"16": {"initdb", "postgres", "pg_ctl"},
		"17": {"psql"}, // the client alone
	} {
		dir := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := programs(installed); err != nil || got != filepath.Join(root, "16", "bin") {
		t.Errorf("programs = %s, %v; want 16", got, err)
	}
}

// shortDir is t.TempDir, but short enough for a socket and open to the server's user.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "cl-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// beAUser joins, says where, and waits to be killed.
func beAUser(t *testing.T) {
	c, err := join(settings{})
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("dir " + c.dir + "\n")
	io.Copy(io.Discard, os.Stdin) // until the parent kills this process or is gone itself
	os.Exit(0)
}

func startUser(t *testing.T) (cmd *exec.Cmd, dir string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestKilledUsersLeaveNothing$")
	cmd.Env = append(os.Environ(), "TESTENV_USER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(t, cmd) })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if dir, ok := strings.CutPrefix(lines.Text(), "dir "); ok {
			return cmd, dir
		}
	}
	t.Fatal("the process did not join")
	return nil, ""
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.ProcessState != nil {
		return
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // "signal: killed"
}

func postmaster(t *testing.T, dir string) (pid string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ = strings.Cut(string(b), "\n")
	return pid
}

// gone waits until dir and the process are no more.
func gone(t *testing.T, dir, pid string) {
	t.Helper()
	for deadline := time.Now().Add(stopTimeout); ; time.Sleep(pollInterval) {
		_, err := os.Stat(dir)
		alive := pid != "" && exec.Command("kill", "-0", pid).Run() == nil
		switch {
		case os.IsNotExist(err) && !alive:
			return
		case time.Now().After(deadline):
			t.Fatalf("%s: %v; server alive: %v", dir, err, alive)
		}
	}
}

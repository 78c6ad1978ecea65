// Package testenv brings the servers that tests need: today a PostgreSQL.
//
// It is imported by tests and by the wrapper in with/, never by the product. It
// must leave nothing behind: what it starts is stopped and removed when the last
// process that uses it has ended, in whatever way it ended.
package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable that, if set, is the URL of the
// PostgreSQL to use. Its user must be allowed to create databases.
const Variable = "CHATLEDGER_TEST_POSTGRES"

// A process holds on to a cluster until it ends: joined on first use, never let
// go of before, so that tests that run one after another share it.
var (
	shared  = sync.OnceValues(func() (*Cluster, error) { return join(settings{}) })
	durable = sync.OnceValues(func() (*Cluster, error) { return join(settings{fsync: true}) })
)

// Postgres returns the connection URL of a new, empty database, which is dropped
// when the test ends. The server does not fsync: it survives the death of any
// process, its own included, but not that of the machine. Without a PostgreSQL
// the test fails.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		server = clusterURL(t, shared)
	}
	return createDatabase(t, server)
}

// PostgresDurable is Postgres on a server that does fsync: for benchmarks, whose
// numbers would mean nothing otherwise.
func PostgresDurable(t testing.TB) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" || !fsyncs(t, server) {
		server = clusterURL(t, durable)
	}
	return createDatabase(t, server)
}

func clusterURL(t testing.TB, get func() (*Cluster, error)) string {
	t.Helper()
	c, err := get()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return c.URL
}

func createDatabase(t testing.TB, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		t.Fatalf("testenv: %s must be a URL such as postgres://user@host/postgres", Variable)
	}
	name := "test_" + strings.ToLower(rand.Text())
	execute(t, server, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { execute(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u.Path = "/" + name
	return u.String()
}

// timeout bounds each statement to the server; a busy machine is slow.
const timeout = time.Minute

// withConn does not use t.Context: it also serves t.Cleanup, when that is over.
func withConn(t testing.TB, server string, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("testenv: connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if err := do(ctx, conn); err != nil {
		t.Fatalf("testenv: %v", err)
	}
}

func execute(t testing.TB, server, statement string) {
	t.Helper()
	withConn(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	})
}

func fsyncs(t testing.TB, server string) (on bool) {
	t.Helper()
	withConn(t, server, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT current_setting('fsync')::bool").Scan(&on)
	})
	return on
}

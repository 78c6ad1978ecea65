package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/testenv"
)

// TestMigrate: a log that was filled before streams had numbers is the same log
// afterwards, and goes on.
func TestMigrate(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	const streams, each = 50, 7
	old := fillFirstSchema(t, url, streams, each)
	conn := connect(t, url)
	place := func() (oid uint32, id uuid.UUID) { // what the store's id is made from, with the server and the database
		var text string
		if err := conn.QueryRow(t.Context(), "SELECT 'chatledger_log.events'::regclass::oid, id::text FROM chatledger_log.store").Scan(&oid, &text); err != nil {
			t.Fatal(err)
		}
		return oid, uuid.MustParse(text)
	}
	oid, id := place()

	s := open(t, url)
	if o, i := place(); o != oid || i != id {
		t.Errorf("the log was %d %s and is now %d %s: its checkpoints would be refused", oid, id, o, i)
	}
	got := readAll(t, s, eventstore.AllQuery{})
	if len(got) != len(old) {
		t.Fatalf("%d events; there were %d", len(got), len(old))
	}
	for i, r := range got {
		if r.ID != old[i].ID || string(r.Data) != string(old[i].Data) || r.Stream != old[i].Stream || r.Revision != old[i].Revision || r.Position != eventstore.Position(i+1) {
			t.Fatalf("event %d is %+v; was %+v", i, r, old[i])
		}
	}
	for i := range streams {
		stream := old[i].Stream
		n := 0
		for r, err := range s.ReadStream(t.Context(), stream, eventstore.StreamQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Stream != stream || r.Revision != eventstore.Revision(n) {
				t.Errorf("event %d of %s is %s@%d", n, stream, r.Stream, r.Revision)
			}
			n++
		}
		if n != each {
			t.Errorf("%s has %d events; want %d", stream, n, each)
		}
		if _, err := s.Append(t.Context(), stream, eventstore.NoStream, events(1)...); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("%s as a new stream: %v; want a conflict", stream, err)
		}
		if res := add(t, s, stream, old[i].Event); !res.Existing || res.Position != old[i].Position || res.Revision != 0 {
			t.Errorf("repeat of the first event of %s = %+v", stream, res)
		}
		res, err := s.Append(t.Context(), stream, each-1, events(1)...)
		if want := (eventstore.Result{Revision: each, Position: eventstore.Position(len(old) + i + 1)}); err != nil || res != want {
			t.Errorf("the next event of %s is at %+v, %v; want %+v", stream, res, err, want)
		}
	}
}

// fillFirstSchema makes a log as the first version did.
func fillFirstSchema(t *testing.T, url string, streams, each int) (all []eventstore.Recorded) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, connect(t, url), "CREATE SCHEMA chatledger_log")
	config.RuntimeParams["search_path"] = "chatledger_log"
	db := stdlib.OpenDB(*config)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("schema"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for i := range each {
		for j := range streams {
			r := eventstore.Recorded{Stream: fmt.Sprintf("chat-%d", j), Revision: eventstore.Revision(i)}
			r.ID, r.Type, r.Data = uuid.New(), "a", fmt.Appendf(nil, `{"n":%d}`, len(all))
			err := conn.QueryRow(t.Context(), `SELECT at_position FROM append_events(
				streams => ARRAY[$1], wants => '{-2}', firsts => '{1}', counts => '{1}', owners => '{1}', ordinals => '{1}', names => ARRAY[$1],
				ids => ARRAY[$2::uuid], types => '{a}', datas => ARRAY[$3::bytea], metas => ARRAY[''::bytea])`,
				r.Stream, [16]byte(r.ID), r.Data).Scan(&r.Position)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

package kurrent_test

import (
	"errors"
	"io"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
)

// official returns EventStoreDB's own client, the judge of what the driver writes.
func official(t testing.TB, server *gatewaytest.Server) *esdb.Client {
	t.Helper()
	return gatewaytest.Client(t, server.Connection(gatewaytest.Writer, ""))
}

func deleteStream(t testing.TB, c *esdb.Client, stream string) {
	t.Helper()
	if _, err := c.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
}

func tombstone(t testing.TB, c *esdb.Client, stream string) {
	t.Helper()
	if _, err := c.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
}

// What the driver writes, the official client reads, and the other way round.
func TestOfficialClient(t *testing.T) {
	server := gatewaytest.Start(t, inSQLite(t), true)
	s, client := open(t, server.Connection(gatewaytest.Writer, "")), official(t, server)
	ctx := t.Context()
	es := events(700)
	if _, err := s.Append(ctx, "chat-1", eventstore.NoStream, es...); err != nil {
		t.Fatal(err)
	}
	theirs := event("test.theirs.v1")
	_, err := client.AppendToStream(ctx, "chat-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(699)}, esdb.EventData{
		EventID: theirs.ID, EventType: theirs.Type, ContentType: esdb.ContentTypeJson, Data: theirs.Data, Metadata: theirs.Meta,
	})
	if err != nil {
		t.Fatal(err)
	}
	es = append(es, theirs)

	read, err := client.ReadStream(ctx, "chat-1", esdb.ReadStreamOptions{}, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	n := 0
	for ours, err := range s.ReadStream(ctx, "chat-1", eventstore.StreamQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := read.Recv()
		if err != nil {
			t.Fatalf("the client has %d events: %v", n, err)
		}
		e := r.Event
		if e.EventID != es[n].ID || ours.ID != es[n].ID || e.EventType != ours.Type || string(e.Data) != string(ours.Data) ||
			string(e.UserMetadata) != string(ours.Meta) || e.EventNumber != uint64(ours.Revision) ||
			e.Position.Commit != uint64(ours.Position) || !e.CreatedDate.Equal(ours.Time) {
			t.Fatalf("event %d: the client has %+v, the driver %+v", n, e, ours)
		}
		n++
	}
	if n != len(es) {
		t.Errorf("%d events; want %d", n, len(es))
	}
	if _, err := read.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v; want EOF", err)
	}
}

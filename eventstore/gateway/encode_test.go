package gateway

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/eventstore"
)

// Events are encoded by hand. The general way must find the same in the bytes.
func TestEncodeEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		r := eventstore.Recorded{
			Event: eventstore.Event{
				ID: id, Type: rapid.StringMatching(`[a-z.]{1,120}`).Draw(t, "type"),
				Data: []byte(rapid.SampledFrom([]string{"", "{}", `{"a":1}`, "\x00"}).Draw(t, "data")),
				Meta: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "meta"),
			},
			Stream: rapid.StringMatching(`[a-z]{1,9}-[a-z0-9]{1,120}`).Draw(t, "stream"), Revision: eventstore.Revision(rapid.Int64Min(0).Draw(t, "revision")),
			Position: eventstore.Position(rapid.Int64Min(1).Draw(t, "position")), Time: time.UnixMicro(rapid.Int64Range(0, 1<<50).Draw(t, "time")),
		}
		e := outgoing{Recorded: r}
		if rapid.Bool().Draw(t, "with a link") {
			e.link = &link{"$ce-chat", uint64(r.Position)}
		}
		asString := rapid.Bool().Draw(t, "ids as text")

		var got streams.ReadResp
		if err := proto.Unmarshal(encodeEvent(e, asString), &got); err != nil {
			t.Fatal(err)
		}
		want := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
			Event: message(recordedOf(&r), asString), Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(r.Position)},
		}}}
		if e.link != nil {
			want.GetEvent().Link = message(e.link.recorded(&r), asString)
		}
		if !proto.Equal(&got, want) {
			t.Fatalf("got  %v\nwant %v", &got, want)
		}
	})
}

func message(r recorded, asString bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	id := &shared.UUID{Value: &shared.UUID_String_{String_: r.id.String()}}
	if !asString {
		most, least := int64(0), int64(0)
		for i := range 8 {
			most, least = most<<8|int64(r.id[i]), least<<8|int64(r.id[8+i])
		}
		id.Value = &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id: id, StreamIdentifier: identifier(r.stream), StreamRevision: r.revision, PreparePosition: r.position, CommitPosition: r.position,
		Metadata: map[string]string{"type": r.typ, "content-type": r.format, "created": strconv.FormatInt(r.created, 10)},
		Data:     bytes.Clone(r.data), CustomMetadata: bytes.Clone(r.meta),
	}
}

// A token that is revoked ends what is read with it, and nothing else; a check that
// fails ends nothing.
func TestRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newReaders(3)
		good, endGood, err := rs.begin(t.Context(), "good")
		if err != nil {
			t.Fatal(err)
		}
		defer endGood()
		bad, endBad, err := rs.begin(t.Context(), "bad")
		if err != nil {
			t.Fatal(err)
		}
		defer endBad()
		unsure, endUnsure, err := rs.begin(t.Context(), "unsure")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := rs.begin(t.Context(), "one too many"); !errors.Is(err, errTooMany) {
			t.Errorf("a fourth: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			rs.recheck(ctx, time.Minute, func(_ context.Context, secret string) error {
				return map[string]error{"bad": ErrUnauthenticated, "unsure": errors.New("the database is away")}[secret]
			})
		}()
		<-bad.Done()
		if cause := context.Cause(bad); !errors.Is(cause, errRevoked) {
			t.Errorf("the revoked one ended with %v", cause)
		}
		if good.Err() != nil || unsure.Err() != nil {
			t.Errorf("good: %v, unsure: %v; want neither to end", good.Err(), unsure.Err())
		}
		cancel()
		<-done
		endUnsure()
		rs.end()
		if cause := context.Cause(good); !errors.Is(cause, errStopping) {
			t.Errorf("at the end: %v", cause)
		}
		if _, _, err := rs.begin(t.Context(), "late"); !errors.Is(err, errStopping) {
			t.Errorf("after the end: %v", err)
		}
	})
}

package history_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/history"
	"github.com/chatledger/chatledger/projections/projectionstest"
)

func TestFold(t *testing.T) {
	e := projections.Event{Fact: chat.Claimed{By: "ann"}}
	e.Event = eventstore.Event{ID: uuid.UUID{15: 9}, Type: "chat.claimed.v1", Data: []byte(`{"by": "ann"}`)}
	e.Stream, e.Revision, e.Position = "chat-1", 3, 40
	e.Time = time.Unix(20, 0).UTC()
	e.Meta = eventstore.Metadata{
		Workspace: "acme", Actor: "ann", ActorKind: "agent", Command: "chat.claim", CommandID: "c",
		Correlation: "co", Causation: "ca", OccurredAt: time.Unix(10, 0).UTC(),
	}
	got := projectionstest.Rows[history.Fact](projectionstest.Fold(t, history.New(), e), "history_facts")
	want := []history.Fact{{
		Key: history.Key{Chat: "1", Revision: 3}, Workspace: "acme", Position: 40,
		ID: "00000000-0000-0000-0000-000000000009", Type: "chat.claimed.v1", At: 10e6, RecordedAt: 20e6,
		Actor: "ann", ActorKind: "agent", Command: "chat.claim", CommandID: "c", Correlation: "co", Causation: "ca",
		Data: `{"by": "ann"}`,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

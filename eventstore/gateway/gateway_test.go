package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLog(t testing.TB) *memory.Store {
	s := memory.New(time.Now)
	t.Cleanup(func() { s.Close() })
	return s
}

// inKurrentDB returns a log in a KurrentDB, for which another gateway stands: its
// positions have holes, and nobody may read from within one.
func inKurrentDB(t testing.TB) eventstore.Store {
	server := gatewaytest.Start(t, gatewaytest.Sparse(newLog(t)), true)
	s, err := kurrent.Open(t.Context(), server.Connection(gatewaytest.Writer, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// onEach runs a test with a dense log and with one in KurrentDB.
func onEach(t *testing.T, test func(*testing.T, eventstore.Store)) {
	t.Run("dense", func(t *testing.T) { test(t, newLog(t)) })
	t.Run("KurrentDB", func(t *testing.T) { test(t, inKurrentDB(t)) })
}

func client(t testing.TB, server *gatewaytest.Server, secret string) *esdb.Client {
	t.Helper()
	return gatewaytest.Client(t, server.Connection(secret, ""))
}

func event(typ, workspace string) eventstore.Event {
	id := uuid.New()
	return eventstore.Event{ID: id, Type: typ, Data: fmt.Appendf(nil, `{"id":%q}`, id), Meta: fmt.Appendf(nil, `{"workspace":%q}`, workspace)}
}

func add(t testing.TB, log eventstore.Store, stream string, events ...eventstore.Event) {
	t.Helper()
	if _, err := log.Append(t.Context(), stream, eventstore.Any, events...); err != nil {
		t.Fatal(err)
	}
}

// fill makes a log of two workspaces: at the odd positions acme's, chats and orders
// in turn, and at the even ones those of another.
func fill(t testing.TB, log eventstore.Store, events int) {
	for i := range events {
		add(t, log, fmt.Sprintf("%s-acme%d", []string{"chat", "order"}[i%2], i%6), event(fmt.Sprintf("test.kind%d.v1", i%3), "acme"))
		add(t, log, "chat-other", event("test.kind0.v1", "other"))
	}
}

// Every form of reading $all, against what the store says.
func TestReadAll(t *testing.T) { onEach(t, testReadAll) }

func testReadAll(t *testing.T, log eventstore.Store) {
	fill(t, log, 30)
	c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
	var acme []eventstore.Position // those that the analyst may see
	for r, err := range log.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(r.Meta), "acme") {
			acme = append(acme, r.Position)
		}
	}
	back := slices.Clone(acme)
	slices.Reverse(back)
	at := func(p uint64) esdb.Position { return esdb.Position{Commit: p, Prepare: p} }
	for name, tt := range map[string]struct {
		direction esdb.Direction
		from      esdb.AllPosition
		count     uint64
		want      []eventstore.Position
	}{
		"all":                         {esdb.Forwards, esdb.Start{}, math.MaxUint64, acme},
		"some":                        {esdb.Forwards, esdb.Start{}, 7, acme[:7]},
		"none":                        {esdb.Forwards, esdb.Start{}, 0, nil},
		"from the end":                {esdb.Forwards, esdb.End{}, 5, nil},
		"from an event":               {esdb.Forwards, at(uint64(acme[4])), 3, acme[4:7]},
		"from one that is not shown":  {esdb.Forwards, at(uint64(acme[4]) + 1), 3, acme[5:8]},
		"from behind the end":         {esdb.Forwards, at(1 << 40), 3, nil},
		"backwards":                   {esdb.Backwards, esdb.End{}, math.MaxUint64, back},
		"the last":                    {esdb.Backwards, esdb.End{}, 2, back[:2]},
		"backwards before an event":   {esdb.Backwards, at(uint64(acme[4])), 3, []eventstore.Position{acme[3], acme[2], acme[1]}},
		"backwards from the start":    {esdb.Backwards, esdb.Start{}, 3, nil},
		"backwards before the first":  {esdb.Backwards, at(uint64(acme[0])), 3, nil},
		"backwards before a far end":  {esdb.Backwards, at(1 << 40), 1, back[:1]},
		"backwards before the lowest": {esdb.Backwards, at(0), 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := c.ReadAll(t.Context(), esdb.ReadAllOptions{Direction: tt.direction, From: tt.from}, tt.count)
			var got []eventstore.Position
			for _, e := range gatewaytest.Drain(t, read, err) {
				got = append(got, eventstore.Position(e.Event.Position.Commit))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
}

// Every form of reading a stream.
func TestReadStream(t *testing.T) { onEach(t, testReadStream) }

func testReadStream(t *testing.T, log eventstore.Store) {
	for range 9 {
		add(t, log, "chat-1", event("test.happened.v1", "acme"))
	}
	add(t, log, "chat-2", event("test.happened.v1", "other"))
	c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
	for name, tt := range map[string]struct {
		direction esdb.Direction
		from      esdb.StreamPosition
		count     uint64
		want      []uint64
	}{
		"all":                        {esdb.Forwards, esdb.Start{}, math.MaxUint64, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		"some":                       {esdb.Forwards, esdb.Start{}, 2, []uint64{0, 1}},
		"from the middle":            {esdb.Forwards, esdb.Revision(7), 9, []uint64{7, 8}},
		"from behind the end":        {esdb.Forwards, esdb.Revision(9), 9, nil},
		"from the end":               {esdb.Forwards, esdb.End{}, 9, nil},
		"backwards":                  {esdb.Backwards, esdb.End{}, 2, []uint64{8, 7}},
		"backwards from the middle":  {esdb.Backwards, esdb.Revision(3), 3, []uint64{3, 2, 1}},
		"backwards from the start":   {esdb.Backwards, esdb.Start{}, 3, []uint64{0}},
		"backwards from far behind":  {esdb.Backwards, esdb.Revision(1 << 40), 1, []uint64{8}},
		"backwards, none is wanted":  {esdb.Backwards, esdb.End{}, 0, nil},
		"backwards, all are wanted":  {esdb.Backwards, esdb.End{}, math.MaxUint64, []uint64{8, 7, 6, 5, 4, 3, 2, 1, 0}},
		"from the middle, one of it": {esdb.Forwards, esdb.Revision(4), 1, []uint64{4}},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := c.ReadStream(t.Context(), "chat-1", esdb.ReadStreamOptions{Direction: tt.direction, From: tt.from}, tt.count)
			var got []uint64
			for _, e := range gatewaytest.Drain(t, read, err) {
				got = append(got, e.Event.EventNumber)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v; want %v", got, tt.want)
			}
		})
	}
	for _, stream := range []string{"chat-2", "chat-3", "$ce-nothing", "$et-nothing", "$ce-", "$et-", "$$chat-1"} {
		read, err := c.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{}, 5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read.Recv(); code(err) != esdb.ErrorCodeResourceNotFound {
			t.Errorf("%s: %v; want not found", stream, err)
		}
		read.Close()
	}
}

func code(err error) esdb.ErrorCode {
	if e, ok := esdb.FromError(err); !ok {
		return e.Code()
	}
	return -1
}

func TestVirtualStreams(t *testing.T) { onEach(t, testVirtualStreams) }

func testVirtualStreams(t *testing.T, log eventstore.Store) {
	fill(t, log, 30)
	c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
	read := func(stream string, o esdb.ReadStreamOptions, count uint64) []*esdb.ResolvedEvent {
		t.Helper()
		r, err := c.ReadStream(t.Context(), stream, o, count)
		return gatewaytest.Drain(t, r, err)
	}
	for stream, want := range map[string]int{"$ce-chat": 15, "$ce-order": 15, "$et-test.kind1.v1": 10, "$streams": 6} {
		all := read(stream, esdb.ReadStreamOptions{ResolveLinkTos: true}, math.MaxUint64)
		if len(all) != want {
			t.Errorf("%s has %d events; want %d", stream, len(all), want)
			continue
		}
		for i, e := range all {
			if e.Link == nil || e.Link.StreamID != stream || e.Link.EventType != "$>" || string(e.Link.Data) != fmt.Sprintf("%d@%s", e.Event.EventNumber, e.Event.StreamID) {
				t.Fatalf("%s: event %d has link %+v", stream, i, e.Link)
			}
			if i > 0 && e.Link.EventNumber <= all[i-1].Link.EventNumber {
				t.Errorf("%s: revision %d after %d", stream, e.Link.EventNumber, all[i-1].Link.EventNumber)
			}
		}
		// From an entry on, with the links alone.
		rest := read(stream, esdb.ReadStreamOptions{From: esdb.Revision(all[2].Link.EventNumber)}, 2)
		if len(rest) != 2 || rest[0].Event.EventID != all[2].Link.EventID || rest[1].Event.EventNumber != all[3].Link.EventNumber {
			t.Errorf("%s from the third entry: %+v", stream, rest)
		}
		if back := read(stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.Revision(all[2].Link.EventNumber), ResolveLinkTos: true}, 9); len(back) != 3 || back[0].Event.EventID != all[2].Event.EventID {
			t.Errorf("%s backwards from the third entry: %d events", stream, len(back))
		}
	}
}

// next returns the next of a subscription's messages that is not a checkpoint.
func next(t testing.TB, sub *esdb.Subscription) *esdb.SubscriptionEvent {
	t.Helper()
	for {
		m := sub.Recv()
		if m.SubscriptionDropped != nil {
			t.Fatalf("the subscription ended: %v", m.SubscriptionDropped.Error)
		}
		if m.CheckPointReached == nil {
			return m
		}
	}
}

// follow subscribes to a stream, in which nothing is shown yet.
func follow(t testing.TB, c *esdb.Client, stream string) *esdb.Subscription {
	t.Helper()
	sub, err := c.SubscribeToStream(t.Context(), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sub.Close() })
	if m := next(t, sub); m.CaughtUp == nil {
		t.Fatalf("%+v; want that it has caught up", m)
	}
	return sub
}

// A subscription with a filter: what is there, that it has caught up, what comes, and
// a checkpoint to go on from.
func TestSubscribe(t *testing.T) {
	for name, f := range map[string]*esdb.SubscriptionFilter{
		"prefix":         {Type: esdb.StreamFilterType, Prefixes: []string{"order-"}},
		"regex":          {Type: esdb.StreamFilterType, Regex: `^order-`},
		"prefix of both": {Type: esdb.StreamFilterType, Prefixes: []string{"ord", "nothing-"}},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, log eventstore.Store) {
				fill(t, log, 60)
				c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
				o := esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: f, MaxSearchWindow: 5, CheckpointInterval: 2}
				sub, err := c.SubscribeToAll(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				var last esdb.Position
				for n := range 30 {
					m := next(t, sub)
					if m.EventAppeared == nil || !strings.HasPrefix(m.EventAppeared.Event.StreamID, "order-") {
						t.Fatalf("message %d: %+v", n, m)
					}
					last = m.EventAppeared.Event.Position
				}
				if m := next(t, sub); m.CaughtUp == nil {
					t.Fatalf("after what is there: %+v; want that it has caught up", m)
				}
				for range 20 { // nothing that is wanted
					add(t, log, "chat-acme0", event("test.kind0.v1", "acme"))
				}
				point := sub.Recv().CheckPointReached
				if point == nil || point.Commit <= last.Commit {
					t.Fatalf("checkpoint %+v after %+v", point, last)
				}
				want := event("test.kind1.v1", "acme")
				add(t, log, "order-acme1", event("test.kind1.v1", "other"), want)
				if m := next(t, sub); m.EventAppeared == nil || m.EventAppeared.Event.EventID != want.ID {
					t.Fatalf("got %+v; want the new order's event, and not the other workspace's", m)
				}
				sub.Close()
				// From the checkpoint the same comes again, and nothing before it.
				o.From = *point
				if sub, err = c.SubscribeToAll(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				if m := next(t, sub); m.EventAppeared == nil || m.EventAppeared.Event.EventID != want.ID {
					t.Errorf("after the checkpoint: %+v", m)
				}
				sub.Close()
			})
		})
	}
}

func TestSubscribeToStreams(t *testing.T) {
	for _, stream := range []string{"chat-1", "$ce-chat", "$et-b"} {
		t.Run(stream, func(t *testing.T) {
			onEach(t, func(t *testing.T, log eventstore.Store) { subscribeToStream(t, log, stream) })
		})
	}
}

// subscribeToStream subscribes behind the event of type a.
func subscribeToStream(t *testing.T, log eventstore.Store, stream string) {
	c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
	add(t, log, "chat-1", event("a", "acme"), event("b", "acme"))
	o := esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true}
	if stream != "$et-b" {
		first, err := c.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{}, 1)
		o.From = esdb.Revision(gatewaytest.Drain(t, first, err)[0].Event.EventNumber)
	}
	sub, err := c.SubscribeToStream(t.Context(), stream, o)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if m := next(t, sub); m.EventAppeared == nil || m.EventAppeared.Event.EventType != "b" {
		t.Fatalf("%+v; want b", m)
	}
	if m := next(t, sub); m.CaughtUp == nil {
		t.Fatalf("%+v; want that it has caught up", m)
	}
	e := event("b", "acme")
	add(t, log, "chat-2", event("c", "acme"))
	add(t, log, "chat-1", e)
	for {
		m := next(t, sub)
		if m.EventAppeared != nil && m.EventAppeared.Event.EventID == e.ID {
			return
		}
		if m.EventAppeared == nil || stream == "chat-1" {
			t.Fatalf("%+v; want %s", m, e.ID)
		}
	}
}

func TestSubscribeToAStreamThatIsYetToCome(t *testing.T) {
	onEach(t, func(t *testing.T, log eventstore.Store) {
		c := client(t, gatewaytest.Start(t, log, false), gatewaytest.Analyst)
		sub := follow(t, c, "chat-9")
		add(t, log, "chat-9", event("a", "acme"))
		if m := next(t, sub); m.EventAppeared == nil || m.EventAppeared.Event.EventNumber != 0 {
			t.Fatalf("%+v; want the first event", m)
		}
	})
}

// Who may do what, and how it is refused.
func TestRights(t *testing.T) {
	log := newLog(t)
	fill(t, log, 3)
	readOnly, open := gatewaytest.Start(t, log, false), gatewaytest.Start(t, log, true)
	read := func(s *gatewaytest.Server, secret string) error {
		r, err := client(t, s, secret).ReadAll(t.Context(), esdb.ReadAllOptions{}, 1)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Recv()
		return err
	}
	write := func(s *gatewaytest.Server, secret string) error {
		_, err := client(t, s, secret).AppendToStream(t.Context(), "chat-x", esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "a", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)})
		return err
	}
	remove := func(s *gatewaytest.Server, secret string) error {
		_, err := client(t, s, secret).DeleteStream(t.Context(), "chat-other", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
		e, _ := errors.AsType[*esdb.Error](err)
		return e
	}
	for _, tt := range []struct {
		name string
		err  error
		want esdb.ErrorCode
	}{
		{"an analyst reads", read(readOnly, gatewaytest.Analyst), -1},
		{"nobody reads", read(readOnly, "no-such-secret"), esdb.ErrorCodeUnauthenticated},
		{"an agent reads", read(readOnly, gatewaytest.Agent), esdb.ErrorCodeAccessDenied},
		{"an analyst appends", write(readOnly, gatewaytest.Analyst), esdb.ErrorCodeAccessDenied},
		{"the writer appends to a log that only commands write", write(readOnly, gatewaytest.Writer), esdb.ErrorCodeAccessDenied},
		{"nobody appends", write(open, "no-such-secret"), esdb.ErrorCodeUnauthenticated},
		{"an analyst appends where it is allowed", write(open, gatewaytest.Analyst), esdb.ErrorCodeAccessDenied},
		{"an analyst deletes", remove(readOnly, gatewaytest.Analyst), esdb.ErrorCodeAccessDenied},
		{"the writer appends", write(open, gatewaytest.Writer), -1},
	} {
		if got := code(tt.err); got != tt.want {
			t.Errorf("%s: %v; want code %d, got %d", tt.name, tt.err, tt.want, got)
		}
	}
}

// What a client sends that makes no sense is refused, and says what is wrong.
func TestBadRequests(t *testing.T) {
	log := newLog(t)
	c := client(t, gatewaytest.Start(t, log, true), gatewaytest.Writer)
	_, err := c.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{Filter: &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "(?=x)"}})
	if err == nil || !strings.Contains(err.Error(), "RE2") {
		t.Errorf("a look-ahead: %v", err)
	}
	_, err = c.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{Filter: &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: strings.Repeat("x", 3_000)}})
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a long expression: %v", err)
	}
	_, err = c.AppendToStream(t.Context(), "a stream", esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "a"})
	if err == nil || !strings.Contains(err.Error(), "space") {
		t.Errorf("a name with a space: %v", err)
	}
	many := make([]esdb.EventData, eventstore.MaxEvents+1)
	for i := range many {
		many[i].EventType = "a"
	}
	if _, err = c.AppendToStream(t.Context(), "chat-1", esdb.AppendToStreamOptions{}, many...); err == nil {
		t.Error("too many events were appended")
	}
	if _, err := c.SubscribeToPersistentSubscription(t.Context(), "chat-1", "group", esdb.SubscribeToPersistentSubscriptionOptions{}); code(err) != esdb.ErrorCodeUnsupportedFeature {
		t.Errorf("a persistent subscription: %v; want unsupported", err)
	}
	management := map[string]func() error{
		"all": func() error {
			_, err := c.ListAllPersistentSubscriptions(t.Context(), esdb.ListPersistentSubscriptionsOptions{})
			return err
		},
		"those of a stream": func() error {
			_, err := c.ListPersistentSubscriptionsForStream(t.Context(), "chat-1", esdb.ListPersistentSubscriptionsOptions{})
			return err
		},
		"those of $all": func() error {
			_, err := c.ListPersistentSubscriptionsToAll(t.Context(), esdb.ListPersistentSubscriptionsOptions{})
			return err
		},
		"one": func() error {
			_, err := c.GetPersistentSubscriptionInfo(t.Context(), "chat-1", "group", esdb.GetPersistentSubscriptionOptions{})
			return err
		},
		"what one has parked": func() error {
			return c.ReplayParkedMessages(t.Context(), "chat-1", "group", esdb.ReplayParkedMessagesOptions{})
		},
		"a restart": func() error {
			return c.RestartPersistentSubscriptionSubsystem(t.Context(), esdb.RestartPersistentSubscriptionSubsystemOptions{})
		},
		"a new one": func() error {
			return c.CreatePersistentSubscription(t.Context(), "chat-1", "group", esdb.PersistentStreamSubscriptionOptions{})
		},
	}
	for what, ask := range management {
		if err := ask(); code(err) != esdb.ErrorCodeUnsupportedFeature {
			t.Errorf("persistent subscriptions, %s: %v; want unsupported", what, err)
		}
	}
}

// A server for tests: expectations, deleting, tombstones and metadata, as the client
// understands them.
func TestAppends(t *testing.T) {
	log := newLog(t)
	c := client(t, gatewaytest.Start(t, log, true), gatewaytest.Writer)
	ctx := t.Context()
	write := func(stream string, want esdb.ExpectedRevision) (*esdb.WriteResult, error) {
		return c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: want}, esdb.EventData{EventType: "a", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)})
	}
	for i, tt := range []struct {
		want esdb.ExpectedRevision
		at   int // -1: refused
	}{
		{esdb.StreamExists{}, -1},
		{esdb.Revision(0), -1},
		{esdb.NoStream{}, 0},
		{esdb.NoStream{}, -1},
		{esdb.StreamExists{}, 1},
		{esdb.Revision(0), -1},
		{esdb.Revision(1), 2},
		{esdb.Any{}, 3},
	} {
		res, err := write("chat-1", tt.want)
		if tt.at < 0 && code(err) != esdb.ErrorCodeWrongExpectedVersion || tt.at >= 0 && (err != nil || res.NextExpectedVersion != uint64(tt.at)) {
			t.Errorf("append %d at %#v = %+v, %v; want %d", i, tt.want, res, err, tt.at)
		}
	}
	numbers := func() (got []uint64) {
		r, err := c.ReadStream(ctx, "chat-1", esdb.ReadStreamOptions{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			e, err := r.Recv()
			if err != nil {
				return got
			}
			got = append(got, e.Event.EventNumber)
		}
	}
	m := esdb.StreamMetadata{}
	m.SetMaxCount(2)
	if _, err := c.SetStreamMetadata(ctx, "chat-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		t.Fatal(err)
	}
	if got := numbers(); !slices.Equal(got, []uint64{2, 3}) {
		t.Errorf("with a maximum of two: %v", got)
	}
	if back, err := c.GetStreamMetadata(ctx, "chat-1", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}); err != nil || *back.MaxCount() != 2 {
		t.Errorf("metadata: %+v, %v", back, err)
	}
	if _, err := c.DeleteStream(ctx, "chat-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(1)}); err == nil {
		t.Error("a stream was deleted at a revision it is not at")
	}
	if _, err := c.DeleteStream(ctx, "chat-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(3)}); err != nil {
		t.Fatal(err)
	}
	if got := numbers(); got != nil {
		t.Errorf("deleted: %v", got)
	}
	if res, err := write("chat-1", esdb.NoStream{}); err != nil || res.NextExpectedVersion != 4 {
		t.Errorf("append after it was deleted: %+v, %v; want revision 4", res, err)
	}
	if got := numbers(); !slices.Equal(got, []uint64{4}) {
		t.Errorf("after it was deleted and appended to: %v", got)
	}
	if _, err := c.TombstoneStream(ctx, "chat-1", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.StreamExists{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := write("chat-1", esdb.Any{}); code(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("append to a tombstoned stream: %v", err)
	}
	r, err := c.ReadStream(ctx, "chat-1", esdb.ReadStreamOptions{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Recv(); code(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("read of a tombstoned stream: %v", err)
	}
}

// A shutdown ends subscriptions, and their clients learn that they may come again.
func TestShutdownEndsSubscriptions(t *testing.T) {
	server := gatewaytest.Start(t, newLog(t), false)
	sub, err := client(t, server, gatewaytest.Analyst).SubscribeToAll(context.WithoutCancel(t.Context()), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if m := next(t, sub); m.CaughtUp == nil {
		t.Fatalf("%+v; want that it has caught up", m)
	}
	server.Stop()
	if m := sub.Recv(); m.SubscriptionDropped == nil || !strings.Contains(m.SubscriptionDropped.Error.Error(), "Unavailable") {
		t.Errorf("%+v; want that it was dropped as unavailable", m)
	}
}

// A stream that was deleted goes on for who follows it once it is written to again.
func TestSubscribeToAStreamThatWasDeleted(t *testing.T) {
	log := newLog(t)
	c := client(t, gatewaytest.Start(t, log, true), gatewaytest.Writer)
	add(t, log, "chat-1", event("a", "acme"), event("b", "acme"))
	if _, err := c.DeleteStream(t.Context(), "chat-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Fatal(err)
	}
	sub := follow(t, c, "chat-1")
	for _, typ := range []string{"c", "$streamDeleted"} { // the second ends the subscription, whatever it has shown
		_, err := c.AppendToStream(t.Context(), "chat-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, esdb.EventData{EventType: typ, ContentType: esdb.ContentTypeJson})
		if err != nil {
			t.Fatal(err)
		}
	}
	if m := sub.Recv(); m.EventAppeared == nil || m.EventAppeared.Event.EventNumber != 2 {
		t.Errorf("%+v; want the event that was appended", m)
	}
}

// Events that are too old to be shown do not count among those that are asked for.
func TestMaxAge(t *testing.T) {
	var age time.Duration
	log := memory.New(func() time.Time { return time.Now().Add(-age) })
	t.Cleanup(func() { log.Close() })
	add(t, log, "$$chat-1", eventstore.Event{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$maxAge":600}`)})
	age = time.Hour
	add(t, log, "chat-1", event("a", "acme"), event("b", "acme"))
	age = 0
	add(t, log, "chat-1", event("c", "acme"))
	c := client(t, gatewaytest.Start(t, log, true), gatewaytest.Writer)
	read, err := c.ReadStream(t.Context(), "chat-1", esdb.ReadStreamOptions{}, 2)
	if got := gatewaytest.Drain(t, read, err); len(got) != 1 || got[0].Event.EventNumber != 2 {
		t.Errorf("got %d events; want the last alone", len(got))
	}
}

// Metadata can be anything that a client has written.
func TestMetadataThatIsNull(t *testing.T) {
	log := newLog(t)
	c := client(t, gatewaytest.Start(t, log, true), gatewaytest.Writer)
	add(t, log, "chat-1", event("a", "acme"))
	add(t, log, "$$chat-1", eventstore.Event{ID: uuid.New(), Type: "$metadata", Data: []byte(`null`)})
	if _, err := c.DeleteStream(t.Context(), "chat-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
		t.Error(err)
	}
}

// busy is a log to which somebody writes all the time: whenever its end is looked at.
type busy struct{ eventstore.Store }

func (b busy) Head(ctx context.Context) (eventstore.Head, error) {
	if _, err := b.Append(ctx, "order-1", eventstore.Any, event("a", "acme")); err != nil {
		return eventstore.Head{}, err
	}
	return b.Store.Head(ctx)
}

// A follower of some streams catches up, too, while others are written to.
func TestCaughtUpInABusyLog(t *testing.T) {
	log := newLog(t)
	add(t, log, "chat-1", event("a", "acme"))
	c := client(t, gatewaytest.Start(t, busy{log}, false), gatewaytest.Analyst)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sub, err := c.SubscribeToStream(ctx, "$ce-chat", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if m := next(t, sub); m.EventAppeared == nil {
		t.Fatalf("%+v; want what is there", m)
	}
	if m := next(t, sub); m.CaughtUp == nil {
		t.Errorf("%+v; want that it has caught up", m)
	}
}

package eventstoretest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
)

// Linearizable checks that appends to a stream and reads of it, however they
// overlap, are such as if each took effect at one moment between its call and
// its return. An append whose outcome is unknown may take effect at any later
// moment, or never.
func Linearizable(t *testing.T, open Opener) {
	const rounds = 12
	s := open(t)
	for round := range rounds {
		stream := fmt.Sprintf("chat-%d", round)
		h := record(t, s, stream)
		result, info := porcupine.CheckOperationsVerbose(streamModel(), h, deadline)
		if result == porcupine.Ok {
			continue
		}
		longest := 0
		for _, partial := range info.PartialLinearizations() {
			for _, p := range partial {
				longest = max(longest, len(p))
			}
		}
		var b strings.Builder
		for _, op := range h {
			fmt.Fprintf(&b, "%d–%d %s\n", op.Call, op.Return, describe(op.Input, op.Output))
		}
		t.Fatalf("round %d is not linearizable (%s): at most %d of %d operations can be put in order\n%s", round, result, longest, len(h), &b)
	}
}

// call is what a client asks of the stream: to append ids, or to read if there
// are none.
type call struct {
	want eventstore.Revision
	ids  []uint32
}

// answer is what it is told.
type answer struct {
	outcome  outcome
	revision eventstore.Revision // of the last event appended, or of the stream in a conflict
	ids      string              // read: all of the stream's
}

type outcome string

const (
	stored   outcome = "stored"
	existing outcome = "existing"
	refused  outcome = "refused"
	unsure   outcome = "unknown"
	contents outcome = "contents"
)

// streamModel is a stream as Store's comments have it. Its state is the ids of
// its events, four bytes each.
func streamModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(string), input.(call), output.(answer))
		},
		DescribeOperation: describe,
	}
}

func step(have string, c call, got answer) (possible bool, after string) {
	if c.ids == nil {
		return got.outcome == unsure || got.ids == have, have
	}
	want, after := serve(have, c)
	return got.outcome == unsure || got == want, after
}

// serve does what an append should do.
func serve(have string, c call) (answer, string) {
	last := eventstore.Revision(len(have)/4 - 1)
	found, at := 0, eventstore.NoStream
	for _, id := range c.ids {
		if i := find(have, id); i >= 0 {
			found, at = found+1, eventstore.Revision(i)
		}
	}
	switch {
	case found == len(c.ids):
		return answer{outcome: existing, revision: at}, have
	case found > 0 || c.want != eventstore.Any && c.want != last:
		return answer{outcome: refused, revision: last}, have
	}
	return answer{outcome: stored, revision: last + eventstore.Revision(len(c.ids))}, have + pack(c.ids...)
}

func pack(ids ...uint32) string {
	var b []byte
	for _, id := range ids {
		b = binary.BigEndian.AppendUint32(b, id)
	}
	return string(b)
}

func find(have string, id uint32) int {
	for i := 0; i < len(have); i += 4 {
		if have[i:i+4] == pack(id) {
			return i / 4
		}
	}
	return -1
}

func describe(input, output any) string {
	c, got := input.(call), output.(answer)
	if c.ids == nil {
		return fmt.Sprintf("read: %s %x", got.outcome, got.ids)
	}
	return fmt.Sprintf("append %d at %d: %s, revision %d", c.ids, c.want, got.outcome, got.revision)
}

// record has some clients use a stream at the same time and returns what they
// did and were told.
func record(t *testing.T, s eventstore.Store, stream string) []porcupine.Operation {
	t.Helper()
	const clients, calls = 5, 12
	var mu sync.Mutex
	var all []porcupine.Operation
	began := time.Now()
	var wg sync.WaitGroup
	for n := range clients {
		c := client{Store: s, stream: stream, rnd: rand.New(rand.NewPCG(rand.Uint64(), 0)), next: uint32(n+1) << 16}
		wg.Go(func() {
			for range calls {
				op := porcupine.Operation{ClientId: n, Call: int64(time.Since(began))}
				in, out, err := c.do(t.Context())
				op.Input, op.Output, op.Return = in, out, int64(time.Since(began))
				if err != nil {
					t.Errorf("%s: %v", describe(in, out), err)
					return
				}
				mu.Lock()
				all = append(all, op)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	c := client{Store: s, stream: stream}
	last := porcupine.Operation{ClientId: clients, Input: call{}, Call: int64(time.Since(began))}
	out, err := c.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last.Output, last.Return = out, int64(time.Since(began))
	// An append of unknown outcome that nobody ever saw explains nothing, and is
	// left out; of the others the answer might have come at the very end.
	all = slices.DeleteFunc(all, func(op porcupine.Operation) bool {
		ids := op.Input.(call).ids
		return op.Output.(answer).outcome == unsure && find(out.ids, ids[len(ids)-1]) < 0
	})
	for i := range all {
		if all[i].Output.(answer).outcome == unsure {
			all[i].Return = last.Return
		}
	}
	return append(all, last)
}

// client is one of several on a stream.
type client struct {
	eventstore.Store

	stream string
	rnd    *rand.Rand
	next   uint32 // its next id
	last   []uint32
	known  eventstore.Revision // where it last knew the stream to be, + 1
}

// do makes one call of a random kind.
func (c *client) do(ctx context.Context) (in call, out answer, err error) {
	switch c.rnd.IntN(5) {
	case 0:
		out, err = c.read(ctx)
		return call{}, out, err
	case 1: // again, all or a part
		in = call{want: c.known - 1, ids: c.last}
		if len(c.last) > 1 && c.rnd.IntN(2) == 0 {
			in.ids = in.ids[: len(in.ids)-1 : len(in.ids)-1]
			if c.rnd.IntN(2) == 0 {
				in.ids = append(in.ids, c.fresh())
			}
		}
	case 2:
		in = call{want: eventstore.Any}
	default:
		in = call{want: c.known - 1}
	}
	if len(in.ids) == 0 {
		for range 1 + c.rnd.IntN(3) {
			in.ids = append(in.ids, c.fresh())
		}
		c.last = in.ids
	}
	if c.rnd.IntN(8) == 0 {
		short, cancel := context.WithTimeout(ctx, time.Duration(c.rnd.IntN(1500))*time.Microsecond)
		defer cancel()
		ctx = short
	}
	out, err = c.append(ctx, in)
	return in, out, err
}

func (c *client) fresh() uint32 {
	c.next++
	return c.next
}

// append reports an end of ctx as an unknown outcome, anything else unexpected
// as an error.
func (c *client) append(ctx context.Context, in call) (answer, error) {
	batch := make([]eventstore.Event, len(in.ids))
	for i, id := range in.ids {
		batch[i] = eventstore.Event{ID: uuid.UUID([]byte("linear-model" + pack(id))), Type: "a"}
	}
	res, err := c.Append(ctx, c.stream, in.want, batch...)
	var conflict *eventstore.ConflictError
	switch {
	case err == nil:
		c.known = res.Revision + 1
		if res.Existing {
			return answer{outcome: existing, revision: res.Revision}, nil
		}
		return answer{outcome: stored, revision: res.Revision}, nil
	case errors.As(err, &conflict):
		c.known = conflict.Got + 1
		return answer{outcome: refused, revision: conflict.Got}, nil
	case ctx.Err() == nil:
		return answer{outcome: unsure}, err
	}
	return answer{outcome: unsure}, nil // the caller has ended ctx, and asks no more
}

func (c *client) read(ctx context.Context) (answer, error) {
	var ids []byte
	for r, err := range c.ReadStream(ctx, c.stream, eventstore.StreamQuery{}) {
		if err != nil {
			return answer{outcome: unsure}, err
		}
		ids = append(ids, r.ID[12:]...)
	}
	c.known = eventstore.Revision(len(ids) / 4)
	return answer{outcome: contents, ids: string(ids)}, nil
}

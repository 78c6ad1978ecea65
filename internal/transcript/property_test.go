package transcript_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/transcript"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/projectionstest"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

// Whatever is in the log, and whatever comes after: the same position, the same
// bytes.
func TestSamePositionSameBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		world := viewstest.World(rt)
		// Each chat has to be one.
		chats := map[string]bool{}
		for _, r := range world {
			if strings.HasPrefix(r.Stream, "chat-") {
				chats[r.Stream] = true
			}
		}
		store := memory.New(viewstest.Base)
		add := func(stream string, e eventstore.Event) {
			if _, err := store.Append(t.Context(), stream, eventstore.Any, e); err != nil {
				rt.Fatal(err)
			}
		}
		for _, stream := range slices.Sorted(mapKeys(chats)) {
			e, err := viewstest.Codec().Encode(uuid.NewSHA1(uuid.Nil, []byte(stream)), chat.Opened{
				Workspace: viewstest.Workspace, Channel: "1", Customer: viewstest.Customer, Status: "OPEN", Category: chat.CategoryOpen, At: viewstest.Base(),
			}, eventstore.Metadata{Workspace: viewstest.Workspace})
			if err != nil {
				rt.Fatal(err)
			}
			add(stream, e)
		}
		cut := rapid.IntRange(0, len(world)).Draw(rt, "cut")
		for _, r := range world[:cut] {
			add(r.Stream, r.Event)
		}
		o := transcript.Options{
			Notes: rapid.Bool().Draw(rt, "notes"), Events: rapid.Bool().Draw(rt, "events"),
			Zone: zone(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu"}).Draw(rt, "zone")), AsOf: head(t, store),
		}
		render := func() map[string]string {
			all := map[string]string{}
			for _, stream := range slices.Sorted(mapKeys(chats)) {
				for _, o.Format = range formats {
					all[stream+"."+string(o.Format)] = write(t, store, strings.TrimPrefix(stream, "chat-"), o)
				}
			}
			return all
		}
		before := render()
		if diff := gocmp.Diff(before, render()); diff != "" {
			rt.Fatalf("not the same twice:\n%s", diff)
		}
		for _, r := range world[cut:] {
			add(r.Stream, r.Event)
		}
		if diff := gocmp.Diff(before, render()); diff != "" {
			rt.Fatalf("not the same after %d events (-before +after):\n%s", len(world)-cut, diff)
		}
	})
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A transcript shows what the conversation showed at its position.
func TestAsTheConversationShowsIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		story := viewstest.Draw(rt)
		events := story.Late(rt)
		events = events[:rapid.IntRange(1, len(events)).Draw(rt, "cut")]
		clock := viewstest.Base()
		store := memory.New(func() time.Time { return clock })
		for i, e := range events {
			clock = e.Time
			r, err := viewstest.Codec().Encode(uuid.NewSHA1(e.ID, fmt.Append(nil, i)), e.Fact.(codec.Event), e.Meta)
			if err != nil {
				rt.Fatal(err)
			}
			if _, err := store.Append(t.Context(), e.Stream, eventstore.Any, r); err != nil {
				rt.Fatal(err)
			}
			events[i].ID = r.ID
		}
		if _, err := transcript.New(t.Context(), store, story.Chat, transcript.Options{Zone: time.UTC, AsOf: head(t, store)}); err != nil {
			return // only a report has come so far: there is no chat to show
		}
		var doc struct{ Entries []transcript.Entry }
		text := write(t, store, story.Chat, transcript.Options{Format: chat.TranscriptJSON, Notes: true, Events: true, Zone: time.UTC, AsOf: head(t, store)})
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			rt.Fatal(err)
		}

		tables := projectionstest.Fold(t, conversation.New(), events...)
		rows := projectionstest.Rows[conversation.EntryRow](tables, "conversation_v3_entries")
		slices.SortFunc(rows, func(a, b conversation.EntryRow) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Position, b.Position))
		})
		deliveries := map[string]conversation.DeliveryRow{}
		for _, d := range projectionstest.Rows[conversation.DeliveryRow](tables, "conversation_v3_deliveries") {
			deliveries[d.ID] = d
		}
		reactions := map[string]string{}
		for _, r := range projectionstest.Rows[conversation.ReactionRow](tables, "conversation_v3_reactions") {
			reactions[r.Target] += r.Emoji
		}
		var want, got []string
		for i := range rows {
			r := &rows[i]
			provider, state := r.ProviderID, ""
			if r.Kind == conversation.KindMessage && r.Direction() == conversation.Out {
				d := deliveries[r.ID]
				provider, state = d.ProviderID, cmp.Or(d.State, "queued")
			}
			want = append(want, fmt.Sprint(r.Position, r.Kind, r.ID, r.At, r.ByKind, r.ByID, provider, state, reactions[provider]))
		}
		for _, e := range doc.Entries {
			provider, state, emoji := "", "", ""
			if m := e.Message; m != nil {
				provider = m.ProviderID
				if m.Delivery != nil {
					state = string(m.Delivery.State)
				}
				for _, r := range m.Reactions {
					emoji += r.Emoji
				}
			}
			got = append(got, fmt.Sprint(e.Position, e.Kind, e.ID, e.At.UnixMicro(), e.By.Kind, e.By.ID, provider, state, emoji))
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("conversation (-), transcript (+):\n%s", diff)
		}
	})
}

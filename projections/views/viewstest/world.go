package viewstest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

// Recording is an event on its way to a stream.
type Recording struct {
	Stream string
	eventstore.Event
}

// World draws what a whole log may hold: stories of a few chats, told at the
// same time, and between them any event of any catalogue with any values, in
// orders that no domain would allow. A fold has no say in what comes; it must
// come to the same rows however it is run. What it may rely on is in lawful.
func World(t *rapid.T) (all []Recording) {
	c := Codec()
	var lines [][]Recording // each in its own order
	for i := range rapid.IntRange(0, 2).Draw(t, "stories") {
		var line []Recording
		for _, e := range Draw(t).Late(t) {
			id := uuid.NewSHA1(e.ID, fmt.Appendf(nil, "story %d", i))
			line = append(line, encode(t, c, fmt.Sprintf("%s-%d", e.Stream, i), id, e.Fact.(codec.Event), e.Meta))
		}
		lines = append(lines, line)
	}
	var anything []Recording
	made := map[string]int{}
	for i := range rapid.IntRange(20, 80).Draw(t, "of anything") {
		k := rapid.SampledFrom(kinds()).Draw(t, "kind")
		fact := value(t, reflect.TypeOf(rapid.SampledFrom(k.events).Draw(t, "event"))).Interface().(codec.Event)
		stream := fmt.Sprintf("%s-%d", k.category, rapid.IntRange(1, 2).Draw(t, "which"))
		fact = lawful(t, fact, stream, made)
		meta := eventstore.Metadata{
			Workspace: Workspace,
			Actor:     rapid.SampledFrom([]string{"ann", "bob", Customer}).Draw(t, "actor"),
			ActorKind: rapid.SampledFrom([]string{"agent", "customer", "bot"}).Draw(t, "actor kind"),
		}
		if rapid.Bool().Draw(t, "known when") {
			meta.OccurredAt = value(t, reflect.TypeFor[time.Time]()).Interface().(time.Time)
		}
		anything = append(anything, encode(t, c, stream, uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "anything %d", i)), fact, meta))
	}
	lines = append(lines, anything)
	for len(lines) > 0 {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "whose turn")
		if len(lines[i]) == 0 {
			lines = append(lines[:i], lines[i+1:]...)
			continue
		}
		all, lines[i] = append(all, lines[i][0]), lines[i][1:]
	}
	return all
}

// lawful returns fact as it can be about messages, whose reports come to them
// from another row: a message has an id of its own, the provider takes it after
// that and once, under an id of its own, and what is reported twice is the same.
// made counts the messages of a stream.
func lawful(t *rapid.T, fact codec.Event, stream string, made map[string]int) codec.Event {
	message := func(i int) chat.MessageID { return chat.MessageID(fmt.Sprintf("message %d", i)) }
	provider := func(i int) string { return fmt.Sprintf("wamid.%d", i) }
	switch f := fact.(type) {
	case chat.MessageReceived:
		f.Message = message(made[stream])
		made[stream]++
		return f
	case chat.MessageQueued:
		f.Message = message(made[stream])
		made[stream]++
		return f
	case chat.MessageAccepted:
		taken := stream + " taken"
		if made[taken] == made[stream] {
			return chat.MarkedRead{By: "ann"}
		}
		f.Message, f.ProviderID = message(made[taken]), provider(made[taken])
		made[taken]++
		return f
	case chat.DeliveryRecorded:
		i := rapid.IntRange(0, 4).Draw(t, "about")
		f.Message, f.ProviderID = "", provider(i)
		if rapid.IntRange(0, 3).Draw(t, "ours") == 0 { // our own failure to hand it over
			f.Message, f.ProviderID, f.State = message(i), "", chat.Failed
		}
		f.At, f.Error = at(10+f.State.Rank()), nil
		if f.State == chat.Failed {
			f.Error = &chat.DeliveryError{Code: 131047, Title: "Re-engagement message"}
		}
		return f
	}
	return fact
}

// Codec returns the codec of everything that views are made of.
func Codec() codec.Codec[codec.Event] { return codec.New(catalogue()) }

func encode(t *rapid.T, c codec.Codec[codec.Event], stream string, id uuid.UUID, fact codec.Event, meta eventstore.Metadata) Recording {
	e, err := c.Encode(id, fact, meta)
	if err != nil {
		t.Fatal(err)
	}
	return Recording{stream, e}
}

// kind is a category of streams and what happens in them.
type kind struct {
	category string
	events   []codec.Event
}

func kinds() (list []kind) {
	list = append(list, kindOf("chat", chat.Events), kindOf("chat", chat.Events)) // most of a log
	return append(list, kindOf("order", order.Events), kindOf("agent", agent.Events), kindOf("teams", team.Events),
		kindOf("tags", tag.Events), kindOf("statuses", status.Events), kindOf("channel", channel.Events),
		kindOf("workspace", workspace.Events), kindOf("webhook", webhook.Events), kindOf("bulk", bulk.Events),
		kindOf("contact", contact.Events), kindOf("attributes", attribute.Events),
		kindOf("quickreplies", quickreply.Events), kindOf("call", call.Events), kindOf("savedviews", savedview.Events), kindOf("template", template.Events), kindOf("customviews", customview.Events))
}

func kindOf[E codec.Event](category string, events []E) kind {
	k := kind{category: category}
	add(&k.events, events)
	return k
}

// value draws a value of a type. Values are few, so that what one event names
// another has made.
func value(t *rapid.T, of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(at(rapid.IntRange(0, 5).Draw(t, "second"))))
		return v
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rapid.SampledFrom([]string{`{"a":1}`, `[]`, `"é"`}).Draw(t, "json")))
		return v
	}
	switch of.Kind() {
	case reflect.Struct:
		for i := range of.NumField() {
			v.Field(i).Set(value(t, of.Field(i).Type))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "given") {
			v.Set(reflect.New(of.Elem()))
			v.Elem().Set(value(t, of.Elem()))
		}
	case reflect.Slice:
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			v.Set(reflect.Append(v, value(t, of.Elem())))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			v.SetMapIndex(value(t, of.Key()), value(t, of.Elem()))
		}
	case reflect.String:
		v.SetString(rapid.SampledFrom(words(of)).Draw(t, "word"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "truth"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-1, 3).Draw(t, "number"))
	case reflect.Float64:
		v.SetFloat(rapid.SampledFrom([]float64{0, -1.5, 52.52}).Draw(t, "number"))
	default:
		t.Fatalf("an event has a %s: say how to draw one", of)
	}
	return v
}

// words lists what a string type may hold: its constants, if it has some, else
// ids and texts alike. Databases do not take NUL; no language is ASCII.
func words(of reflect.Type) []string {
	switch of {
	case reflect.TypeFor[chat.Category](), reflect.TypeFor[status.Category]():
		return []string{"open", "pending", "closed"}
	case reflect.TypeFor[chat.Delivery]():
		return []string{"queued", "sent", "delivered", "read", "failed"}
	case reflect.TypeFor[bulk.Outcome]():
		return []string{"done", "no_change", "conflict", "missing", "undone"}
	case reflect.TypeFor[contact.ID]():
		return []string{"1", "2", "a", "é\x00"} // streams among them
	case reflect.TypeFor[chat.TransferKind]():
		return []string{"agent", "team", "bot"}
	}
	return []string{"", "a", "b", "ann", "wamid.00", "é\x00", "é", "Straße 5 % _ ' \" \\"}
}

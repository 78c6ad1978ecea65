// Package viewstest tells stories of a chat in the orders in which its webhooks
// may arrive, and brings the views' tests their databases. It must not be
// imported by anything but tests.
package viewstest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/projections"
)

// What every story is about.
const (
	Workspace = "acme"
	Channel   = "channel-1"
	Customer  = "15551230001"
)

// Story is what happened to one chat, each thing at its time.
type Story struct {
	Chat  string
	scene []scene
}

type scene struct {
	at      time.Time
	fact    any
	webhook bool // it may arrive late; the rest is recorded when it happens
	then    []any
}

// Base is when stories begin.
func Base() time.Time { return time.Unix(1_790_000_000, 0).UTC() }

func at(second int) time.Time { return Base().Add(time.Duration(second) * time.Second) }

// Draw returns a story: customers and reports by webhook, agents in between.
// Whatever agents do, they do from second 100 on; a webhook arrives less than
// 50 seconds late, and one has arrived by then.
func Draw(t *rapid.T) Story {
	s := Story{Chat: ids.Chat(Workspace, Channel, Customer)}
	message := func(i int) (string, chat.MessageID) {
		provider := fmt.Sprintf("wamid.%02d", i)
		return provider, chat.MessageID(ids.Message(s.Chat, provider))
	}
	var out []string
	for i := range rapid.IntRange(0, 8).Draw(t, "agent's doings") {
		// Not on a whole second, and no two at once, as it is in life.
		when := at(100 + rapid.IntRange(0, 100).Draw(t, "second")).Add(time.Duration(i+1) * time.Millisecond)
		add := func(f any) { s.scene = append(s.scene, scene{at: when, fact: f}) }
		switch rapid.IntRange(0, 9).Draw(t, "doing") {
		case 0, 1, 2:
			id := chat.MessageID(fmt.Sprintf("out-%d", i))
			provider := fmt.Sprintf("wamid.OUT%d", i)
			out = append(out, provider)
			add(chat.MessageQueued{Message: id, Text: fmt.Sprintf("answer %d", i), By: "ann", Bot: i%2 == 1, At: when})
			s.scene = append(s.scene, scene{
				at: when.Add(time.Second + time.Microsecond), fact: chat.MessageAccepted{Message: id, ProviderID: provider, At: when.Add(time.Second)},
			})
			for j := range rapid.IntRange(0, 3).Draw(t, "reports") {
				state := rapid.SampledFrom([]chat.Delivery{chat.Sent, chat.Failed, chat.Delivered, chat.Read}).Draw(t, "state")
				seen := when.Truncate(time.Second).Add(time.Duration(2+state.Rank()) * time.Second)
				r := chat.DeliveryRecorded{ProviderID: provider, State: state, At: seen}
				if state == chat.Failed {
					r.Error = &chat.DeliveryError{Code: 131047, Title: "Re-engagement message"}
				}
				_ = j
				s.scene = append(s.scene, scene{at: seen, fact: r, webhook: true})
			}
		case 3:
			add(chat.Claimed{By: "ann"})
		case 4:
			add(chat.TagsChanged{Added: []chat.TagID{"vip", "late"}, Removed: []chat.TagID{"new"}})
		case 5:
			add(chat.NoteAdded{Note: chat.NoteID(fmt.Sprintf("note-%d", i)), Text: "careful", By: "ann", At: when})
		case 6:
			add(chat.StatusSet{Status: "REVIEW", Category: chat.CategoryPending, From: "OPEN"})
		case 8:
			add(chat.CallRequested{Call: fmt.Sprintf("call-%d", i), Phone: "+" + Customer, Provider: "webhook", By: "ann", At: when})
			s.scene = append(s.scene, scene{at: when.Add(time.Second), fact: chat.CallEnded{
				Call: fmt.Sprintf("call-%d", i), Outcome: "no_answer", At: when.Add(time.Second),
			}})
		case 9:
			add(chat.Snoozed{Until: when.Add(time.Minute), By: "ann", At: when})
			// By hand: the end by time marks a chat without unread messages as unread, and
			// whether there are any depends on which webhooks are late.
			s.scene = append(s.scene, scene{at: when.Add(time.Minute), fact: chat.Woken{Reason: chat.WokenByAgent, By: "ann"}})
		case 7:
			if rapid.Bool().Draw(t, "emptied") {
				add(chat.DetailsShared{Reason: chat.ByAgent, Emptied: []string{"name", "emails", "phones", "company"}, By: "ann", At: when})
			} else {
				add(chat.DetailsShared{Reason: chat.ByAgent, Name: fmt.Sprintf("Typed %d", i), Emails: []string{"typed@example.com"}, By: "ann", At: when})
			}
		}
	}
	for i := range rapid.IntRange(1, 12).Draw(t, "customer's doings") {
		when := at(rapid.IntRange(0, 180).Draw(t, "second"))
		if i == 0 {
			when = at(rapid.IntRange(0, 40).Draw(t, "first second"))
		}
		provider, id := message(i)
		name := rapid.SampledFrom([]string{"", "Ana", "Ana Lima"}).Draw(t, "profile")
		sc := scene{at: when, webhook: true}
		switch rapid.IntRange(0, 6).Draw(t, "doing") {
		case 0, 1, 2, 3:
			m := chat.MessageReceived{
				Message: id, ProviderID: provider, ProfileName: name, At: when,
				Content: chat.Content{Kind: "text", Text: "message " + provider},
			}
			if len(out) > 0 && i%2 == 1 {
				m.Context = &chat.Context{ProviderID: out[0]}
			}
			sc.fact = m
			if rapid.IntRange(0, 3).Draw(t, "card") == 0 {
				sc.then = []any{chat.DetailsShared{
					Reason: chat.ByContactCard, Name: "Card " + provider, Phones: []string{"+" + Customer},
					Emails: []string{provider + "@example.com"}, Company: "Lima Ltd", Message: id, At: when,
				}}
			}
		case 4, 5:
			target, _ := message(rapid.IntRange(0, 3).Draw(t, "target"))
			emoji := rapid.SampledFrom([]string{"", "👍", "❤️"}).Draw(t, "emoji")
			sc.fact = chat.ReactionReceived{ProviderID: provider, Target: target, Emoji: emoji, At: when}
		case 6:
			sc.fact = chat.SystemNoticed{ProviderID: provider, Kind: "user_changed_number", Text: "new number", NewNumber: "15559999999", At: when}
		}
		s.scene = append(s.scene, sc)
	}
	slices.SortStableFunc(s.scene, func(a, b scene) int { return a.at.Compare(b.at) })
	return s
}

// InOrder returns the story as it is recorded if no webhook is late.
func (s Story) InOrder() []projections.Event {
	places := make([]int, len(s.scene))
	for i := range places {
		places[i] = i
	}
	return s.record(places, make([]time.Duration, len(s.scene)))
}

// Late returns the story as it is recorded if webhooks are late, or come in
// another order. Those of the same second come in theirs: nothing but that says
// which of them was first.
func (s Story) Late(t *rapid.T) []projections.Event {
	places := make([]int, len(s.scene))
	late := make([]time.Duration, len(s.scene))
	for i, sc := range s.scene {
		places[i] = i
		if sc.webhook {
			late[i] = time.Duration(rapid.IntRange(0, 49).Draw(t, "late")) * time.Second
		}
	}
	places = rapid.Permutation(places).Draw(t, "order")
	for first, last := 0, 0; first < len(s.scene); first = last {
		for last < len(s.scene) && s.scene[last].at.Equal(s.scene[first].at) {
			last++
		}
		slices.Sort(late[first:last])
		slices.Sort(places[first:last])
	}
	return s.record(places, late)
}

// record returns the story with each scene so much late; places orders those that
// come at once.
func (s Story) record(places []int, late []time.Duration) []projections.Event {
	type arrival struct {
		scene
		recorded time.Time
		place    int
	}
	arrivals := make([]arrival, len(s.scene))
	for i, sc := range s.scene {
		arrivals[i] = arrival{sc, sc.at.Add(late[i]), places[i]}
	}
	slices.SortFunc(arrivals, func(a, b arrival) int {
		return cmp.Or(a.recorded.Compare(b.recorded), cmp.Compare(a.place, b.place))
	})
	var events []projections.Event
	reached := map[string]int{} // the domain records a report only if it says more
	add := func(fact any, a arrival) {
		e := projections.Event{Fact: fact}
		e.Stream = "chat-" + s.Chat
		e.ID = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%T %+v", fact, fact))
		if f, ok := fact.(interface{ EventType() string }); ok {
			e.Type = f.EventType()
		}
		e.Time = a.at // so that what agents do has the same time in every order
		e.Revision = eventstore.Revision(len(events))
		e.Position = eventstore.Position(len(events) + 1)
		e.Meta = eventstore.Metadata{Workspace: Workspace, Actor: "ann", ActorKind: "agent"}
		if a.webhook {
			e.Meta.Actor, e.Meta.ActorKind = Customer, "customer"
		}
		events = append(events, e)
	}
	opened := false
	for _, a := range arrivals {
		switch f := a.fact.(type) {
		case chat.DeliveryRecorded:
			if r, known := reached[f.ProviderID]; known && f.State.Rank() <= r {
				continue
			}
			reached[f.ProviderID] = f.State.Rank()
		case chat.MessageAccepted:
			reached[f.ProviderID] = max(reached[f.ProviderID], chat.Sent.Rank())
		default:
			if !opened {
				opened = true
				add(chat.Opened{Workspace: Workspace, Channel: Channel, Customer: Customer, Status: "OPEN", Category: chat.CategoryOpen, At: a.at}, a)
			}
		}
		add(a.fact, a)
		for _, f := range a.then {
			add(f, a)
		}
	}
	return events
}

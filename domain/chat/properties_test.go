package chat_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/media"
)

type command = domaintest.Command[chat.State, chat.Event]

// commands draws any command whose repeats the State knows, over few values, so
// that they meet.
func commands() *rapid.Generator[command] {
	agents := rapid.SampledFrom([]chat.AgentID{"", "ann", "bob"})
	words := rapid.SampledFrom([]string{"", "hi", "ho", "\x00"})
	messages := rapid.SampledFrom([]chat.MessageID{"", "o1", "o2", "m"})
	providers := rapid.SampledFrom([]string{"", "p1", "p2"})
	notes := rapid.SampledFrom([]chat.NoteID{"", "n1", "n2"})
	tags := rapid.SliceOfN(rapid.SampledFrom([]chat.TagID{"", "vip", "late", "new", "old"}), 0, 3)
	statuses := rapid.SampledFrom([]string{"", "OPEN", "REVIEW", "CLOSED"})
	categories := rapid.SampledFrom([]chat.Category{"", chat.CategoryOpen, chat.CategoryPending, chat.CategoryClosed})
	states := rapid.SampledFrom([]chat.Delivery{"", chat.Queued, chat.Sent, chat.Failed, chat.Delivered, chat.Read})
	kinds := rapid.SampledFrom([]chat.TransferKind{"", chat.ToAgent, chat.ToTeam, chat.ToBot})
	reasons := rapid.SampledFrom([]chat.ContactReason{"", chat.ByForm, chat.ByAgent, chat.ByChatflow})
	times := rapid.SampledFrom([]time.Time{{}, noon, noon.Add(time.Hour), noon.Add(2 * time.Hour), noon.Add(1e5 * time.Hour)})
	files := rapid.SampledFrom([]chat.FileID{"", "f1", "f2"})
	draws := []func(*rapid.T) command{
		func(t *rapid.T) command {
			return chat.SendMessage{Message: messages.Draw(t, "message"), Outgoing: chat.Outgoing{Text: words.Draw(t, "text")}, By: agents.Draw(t, "by")}
		},
		func(t *rapid.T) command {
			return chat.SendMessage{
				Message: messages.Draw(t, "message"), By: agents.Draw(t, "by"), At: noon,
				Outgoing: chat.Outgoing{
					Interactive: &chat.Interactive{Body: words.Draw(t, "body"), Buttons: []chat.ReplyButton{{ID: "y", Title: words.Draw(t, "title")}}},
					ReplyTo:     &chat.RepliedTo{Message: messages.Draw(t, "reply to"), ProviderID: providers.Draw(t, "provider")},
				},
			}
		},
		func(t *rapid.T) command {
			return chat.UploadFile{FileUploaded: chat.FileUploaded{
				File: chat.FileUse{ID: files.Draw(t, "file"), Kind: media.Image, SHA256: strings.Repeat("ab", 32), Size: 1, MIMEType: "image/png"},
				By:   agents.Draw(t, "by"), At: times.Draw(t, "at"),
			}}
		},
		func(t *rapid.T) command {
			return chat.SendMessage{
				Message: messages.Draw(t, "message"), By: agents.Draw(t, "by"), At: times.Draw(t, "at"),
				Outgoing: chat.Outgoing{Text: words.Draw(t, "caption"), Media: &chat.FileUse{ID: files.Draw(t, "file")}},
			}
		},
		func(t *rapid.T) command {
			return chat.React{
				ID: rapid.SampledFrom([]string{"", "r1", "r2", "r3"}).Draw(t, "reaction"), Message: messages.Draw(t, "message"), Target: "wamid.1",
				Emoji: rapid.SampledFrom([]string{"", "👍", "🙏", "no"}).Draw(t, "emoji"), By: agents.Draw(t, "by"),
			}
		},
		func(t *rapid.T) command {
			c := chat.SettleReaction{ID: rapid.SampledFrom([]string{"", "r1", "r2", "r3"}).Draw(t, "reaction"), Message: messages.Draw(t, "message"), ProviderID: providers.Draw(t, "provider")}
			if rapid.Bool().Draw(t, "failed") {
				c.Error = &chat.DeliveryError{Code: 1}
			}
			return c
		},
		func(t *rapid.T) command {
			return chat.AcceptMessage{Message: messages.Draw(t, "message"), ProviderID: providers.Draw(t, "provider")}
		},
		func(t *rapid.T) command {
			return chat.RecordDelivery{Message: messages.Draw(t, "message"), ProviderID: providers.Draw(t, "provider"), State: states.Draw(t, "state")}
		},
		func(t *rapid.T) command { return chat.Claim{By: agents.Draw(t, "by")} },
		func(t *rapid.T) command { return chat.Assign{To: agents.Draw(t, "to")} },
		func(*rapid.T) command { return chat.Unassign{} },
		func(t *rapid.T) command {
			return chat.Transfer{Kind: kinds.Draw(t, "kind"), To: string(agents.Draw(t, "to")), Reason: words.Draw(t, "reason")}
		},
		func(t *rapid.T) command {
			return chat.ChangeTags{Add: tags.Draw(t, "add"), Remove: tags.Draw(t, "remove")}
		},
		func(t *rapid.T) command {
			return chat.AddNote{Note: notes.Draw(t, "note"), Text: words.Draw(t, "text"), By: agents.Draw(t, "by")}
		},
		func(t *rapid.T) command {
			return chat.EditNote{Note: notes.Draw(t, "note"), Text: words.Draw(t, "text"), By: agents.Draw(t, "by"), Any: rapid.Bool().Draw(t, "any")}
		},
		func(t *rapid.T) command {
			return chat.DeleteNote{Note: notes.Draw(t, "note"), By: agents.Draw(t, "by"), Any: rapid.Bool().Draw(t, "any")}
		},
		func(t *rapid.T) command {
			return chat.SetStatus{Status: statuses.Draw(t, "status"), Category: categories.Draw(t, "category")}
		},
		func(t *rapid.T) command { return chat.Close{Status: statuses.Draw(t, "status")} },
		func(t *rapid.T) command {
			return chat.Reopen{Status: statuses.Draw(t, "status"), Category: categories.Draw(t, "category")}
		},
		func(t *rapid.T) command {
			return chat.MarkRead{By: agents.Draw(t, "by"), Show: rapid.Bool().Draw(t, "show")}
		},
		func(t *rapid.T) command {
			return chat.ShowTyping{By: agents.Draw(t, "by"), At: times.Draw(t, "at")}
		},
		func(t *rapid.T) command { return chat.MarkUnread{By: agents.Draw(t, "by")} },
		func(t *rapid.T) command {
			return chat.Delete{By: agents.Draw(t, "by"), Reason: words.Draw(t, "reason")}
		},
		func(t *rapid.T) command { return chat.Restore{By: agents.Draw(t, "by")} },
		func(t *rapid.T) command {
			return chat.RequestCall{Call: rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "call"), Phone: "+4915112345678", Provider: "webhook", By: agents.Draw(t, "by")}
		},
		func(t *rapid.T) command {
			return chat.EndCall{CallEnded: chat.CallEnded{Call: rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "call"), Outcome: "completed"}}
		},
		func(t *rapid.T) command {
			at := noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Hour)
			return chat.PutAside{UntilReply: rapid.Bool().Draw(t, "until reply"), Until: times.Draw(t, "until"), By: agents.Draw(t, "by"), At: at}
		},
		func(t *rapid.T) command {
			return chat.SendMessage{
				Message: messages.Draw(t, "message"), Outgoing: chat.Outgoing{Text: words.Draw(t, "text")}, By: agents.Draw(t, "by"), At: noon,
				Later: &chat.Later{SendAt: times.Draw(t, "send at"), CancelOnReply: rapid.Bool().Draw(t, "cancel on reply")},
			}
		},
		func(t *rapid.T) command {
			text, at, cancel := words.Draw(t, "text"), times.Draw(t, "send at"), rapid.Bool().Draw(t, "cancel on reply")
			return chat.ChangeScheduled{Message: messages.Draw(t, "message"), Text: &text, SendAt: &at, CancelOnReply: &cancel, By: agents.Draw(t, "by"), At: noon}
		},
		func(t *rapid.T) command {
			return chat.CancelScheduled{Message: messages.Draw(t, "message"), By: agents.Draw(t, "by")}
		},
		func(t *rapid.T) command {
			return chat.OfferTransfer{
				Kind: rapid.SampledFrom([]chat.TransferKind{chat.ToAgent, chat.ToTeam, chat.ToBot}).Draw(t, "kind"), To: string(agents.Draw(t, "to")),
				By: agents.Draw(t, "by"), For: 15 * time.Minute, At: times.Draw(t, "at"),
			}
		},
		func(t *rapid.T) command {
			return chat.AcceptTransfer{By: agents.Draw(t, "by"), Member: rapid.Bool().Draw(t, "member"), At: times.Draw(t, "at")}
		},
		func(t *rapid.T) command {
			return chat.DeclineTransfer{By: agents.Draw(t, "by"), Any: rapid.Bool().Draw(t, "any"), At: times.Draw(t, "at")}
		},
		func(t *rapid.T) command {
			return chat.WithdrawTransfer{By: agents.Draw(t, "by"), Any: rapid.Bool().Draw(t, "any"), At: times.Draw(t, "at")}
		},
		func(t *rapid.T) command {
			return chat.AskToCall{SendMessage: chat.SendMessage{
				Message: messages.Draw(t, "message"), Outgoing: chat.Outgoing{Text: words.Draw(t, "text")}, By: agents.Draw(t, "by"), At: times.Draw(t, "at"),
			}, Provider: rapid.SampledFrom([]string{"", "webhook", "whatsapp"}).Draw(t, "provider")}
		},
		func(t *rapid.T) command { return chat.ExpireTransfer{At: times.Draw(t, "at")} },
		func(t *rapid.T) command {
			return chat.SendDue{Message: messages.Draw(t, "message"), At: times.Draw(t, "at")}
		},
		func(t *rapid.T) command { return chat.WakeUp{By: agents.Draw(t, "by")} },
		func(t *rapid.T) command { return chat.WakeDue{At: times.Draw(t, "at")} },
		func(t *rapid.T) command {
			return chat.StoreMedia{MediaStored: chat.MediaStored{Message: messages.Draw(t, "message"), SHA256: strings.Repeat("ab", 32), Size: 1, MIMEType: "image/png"}}
		},
		func(t *rapid.T) command {
			return chat.FailMedia{MediaFailed: chat.MediaFailed{Message: messages.Draw(t, "message"), Code: chat.MediaGone}}
		},
		func(t *rapid.T) command {
			return chat.RequestMedia{Message: messages.Draw(t, "message"), By: agents.Draw(t, "by")}
		},
		func(t *rapid.T) command {
			return chat.ShareDetails{Reason: reasons.Draw(t, "reason"), Name: words.Draw(t, "name"), By: agents.Draw(t, "by")}
		},
	}
	return rapid.Custom(func(t *rapid.T) command { return rapid.SampledFrom(draws).Draw(t, "kind of command")(t) })
}

// incoming draws what a channel brings, which makes an event each time.
func incoming() *rapid.Generator[command] {
	return rapid.Custom(func(t *rapid.T) command {
		switch rapid.IntRange(0, 3).Draw(t, "kind of input") {
		case 2:
			return chat.RecordCallPermission{
				Workspace: "acme", Channel: "wa", Customer: "1", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen,
				Permission: chat.CallPermission{Allowed: rapid.Bool().Draw(t, "allowed"), At: noon},
			}
		case 0:
			return chat.ReceiveMessage{
				Workspace: "acme", Channel: "wa", Customer: "1", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen, Message: "m", ProviderID: "p",
				Content: chat.Content{Kind: "image", Media: &chat.Media{ID: "7"}},
			}
		case 1:
			return chat.ReceiveReaction{Workspace: "acme", Channel: "wa", Customer: "1", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen, ProviderID: "p", Target: "q"}
		}
		return chat.NoticeSystem{Workspace: "acme", Channel: "wa", Customer: "1", DefaultStatus: "OPEN", DefaultCategory: chat.CategoryOpen, ProviderID: "p"}
	})
}

// Whatever happened: a command that was accepted makes no event when repeated,
// delivery states only rise, unread is never negative, and tags are a set.
func TestAnyLifeOfAChat(t *testing.T) {
	commands, incoming := commands(), incoming()
	rapid.Check(t, func(t *rapid.T) {
		var s chat.State
		ranks := map[string]int{}
		unread := 0
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			var events []chat.Event
			if rapid.IntRange(0, 4).Draw(t, "who acts") == 0 {
				c := incoming.Draw(t, "incoming")
				events, _ = c.Decide(s)
				for _, e := range events {
					s = chat.Evolve(s, e)
				}
			} else {
				c := commands.Draw(t, "command")
				events, _ = c.Decide(s)
				s = domaintest.Do(t, chat.Evolve, s, c)
			}
			for _, e := range events {
				switch e := e.(type) {
				case chat.MessageReceived:
					unread++
				case chat.MarkedRead:
					unread = 0
				case chat.MarkedUnread, chat.ScheduleFailed:
					unread = max(unread, 1)
				case chat.Woken:
					if e.Reason == chat.WokenByTime {
						unread = max(unread, 1)
					}
				case chat.TagsChanged:
					for _, tag := range e.Added {
						if _, there := s.Tags[tag]; !there {
							t.Fatalf("tag %s was added and is not there", tag)
						}
					}
					for _, tag := range e.Removed {
						if _, there := s.Tags[tag]; there {
							t.Fatalf("tag %s was removed and is there", tag)
						}
					}
				}
			}
			if s.Offer != nil && (s.Assignee == "" || s.Closed() || s.Deleted) {
				t.Fatalf("offered, and nobody's, closed or deleted: %+v", s)
			}
			if s.Unread != unread || s.Unread < 0 {
				t.Fatalf("unread = %d, want %d", s.Unread, unread)
			}
			for m, o := range s.Outbound {
				if o.State.Rank() < ranks[string(m)] {
					t.Fatalf("message %s went back to %s", m, o.State)
				}
				ranks[string(m)] = o.State.Rank()
				if o.ProviderID != "" && s.Reports[o.ProviderID].Message != m {
					t.Fatalf("the provider's id of %s stands for %q", m, s.Reports[o.ProviderID].Message)
				}
			}
		}
	})
}

// The same messages, acceptances and reports lead to the same state in any order
// in which a message is queued before it is accepted, and with any repeats.
func TestDeliveryInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cs []command
		for i := range rapid.IntRange(1, 3).Draw(t, "messages") {
			m, p := chat.MessageID(fmt.Sprint("o", i)), fmt.Sprint("p", i)
			cs = append(cs, chat.SendMessage{Message: m, Outgoing: chat.Outgoing{Text: "hi"}, By: "bob"}, chat.AcceptMessage{Message: m, ProviderID: p})
			for _, d := range rapid.SliceOfN(rapid.SampledFrom([]chat.Delivery{chat.Sent, chat.Failed, chat.Delivered, chat.Read}), 0, 4).Draw(t, "reports") {
				cs = append(cs, chat.RecordDelivery{ProviderID: p, State: d})
			}
			if rapid.Bool().Draw(t, "we gave up") {
				cs = append(cs, chat.RecordDelivery{Message: m, State: chat.Failed})
			}
		}
		repeats := rapid.SliceOfN(rapid.SampledFrom(cs), 0, 5).Draw(t, "repeats")
		one := deliver(t, rapid.Permutation(slices.Concat(cs, repeats)).Draw(t, "one order"))
		other := deliver(t, rapid.Permutation(cs).Draw(t, "another order"))
		if !reflect.DeepEqual(one, other) {
			t.Fatalf("states differ:\n%+v\n%+v", one, other)
		}
	})
}

// deliver runs the commands; what names a message before it is there waits until
// it is, as the senders of such commands do.
func deliver(t *rapid.T, cs []command) chat.State {
	s := domaintest.Fold(chat.Evolve, past{opened})
	for len(cs) > 0 {
		var wait []command
		for _, c := range cs {
			if _, err := c.Decide(s); errors.Is(err, chat.ErrMessageNotFound) {
				wait = append(wait, c)
				continue
			}
			s = domaintest.Do(t, chat.Evolve, s, c)
		}
		if len(wait) == len(cs) {
			t.Fatalf("never accepted: %v", wait)
		}
		cs = wait
	}
	return s
}

// Reports about one message lead to the furthest of them.
func TestDeliveryIsTheFurthestReport(t *testing.T) {
	states := []chat.Delivery{chat.Sent, chat.Failed, chat.Delivered, chat.Read}
	rapid.Check(t, func(t *rapid.T) {
		reports := rapid.SliceOf(rapid.SampledFrom(states)).Draw(t, "reports")
		at := rapid.IntRange(0, len(reports)).Draw(t, "accepted after")
		s := domaintest.Fold(chat.Evolve, past{opened, queued})
		want := chat.Sent
		for i := range len(reports) + 1 {
			if i == at {
				s = domaintest.Do(t, chat.Evolve, s, command(chat.AcceptMessage{Message: "o1", ProviderID: "p"}))
			}
			if i < len(reports) {
				s = domaintest.Do(t, chat.Evolve, s, command(chat.RecordDelivery{ProviderID: "p", State: reports[i]}))
				if reports[i].Rank() > want.Rank() {
					want = reports[i]
				}
			}
		}
		if got := s.Outbound["o1"].State; got != want {
			t.Fatalf("%v lead to %s, want %s", reports, got, want)
		}
	})
}

// A long chat leaves a small state: the customer's messages are only counted.
func TestStateStaysSmall(t *testing.T) {
	s := domaintest.Fold(chat.Evolve, past{opened})
	for range 10_000 {
		s = chat.Evolve(s, hello)
	}
	if s.Unread != 10_000 || len(s.Outbound)+len(s.Reports)+len(s.Notes) > 0 {
		t.Errorf("state after 10,000 messages: %+v", s)
	}
}

// Every refusal is one of the chat's, with a message for people.
func TestRefusalsAreNamed(t *testing.T) {
	commands := commands()
	rapid.Check(t, func(t *rapid.T) {
		_, err := commands.Draw(t, "command").Decide(chat.State{})
		if err != nil && (!strings.HasPrefix(err.Error(), "chat.") || len(err.Error()) < 10) {
			t.Fatalf("refusal %q", err)
		}
	})
}

// Also where a log holds a report that came too late, the state does not go back.
func TestEvolveNeverGoesBack(t *testing.T) {
	states := rapid.SampledFrom([]chat.Delivery{chat.Queued, chat.Sent, chat.Failed, chat.Delivered, chat.Read})
	rapid.Check(t, func(t *rapid.T) {
		reports := rapid.SliceOfN(states, 1, 6).Draw(t, "reports")
		known := domaintest.Fold(chat.Evolve, past{opened, queued, taken})
		unknown := domaintest.Fold(chat.Evolve, past{opened, queued})
		want := chat.Sent
		for _, d := range reports {
			known = chat.Evolve(known, chat.DeliveryRecorded{ProviderID: "wamid.o1", State: d})
			unknown = chat.Evolve(unknown, chat.DeliveryRecorded{ProviderID: "wamid.o1", State: d})
			if d.Rank() > want.Rank() {
				want = d
			}
		}
		unknown = chat.Evolve(unknown, taken)
		if known.Outbound["o1"].State != want || unknown.Outbound["o1"].State != want {
			t.Fatalf("%v lead to %s and %s, want %s", reports, known.Outbound["o1"].State, unknown.Outbound["o1"].State, want)
		}
	})
}

package campaigns_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/campaigns"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

const acme = viewstest.Workspace

func sec(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func onBoth(t *testing.T, test func(*testing.T, *viewstest.Ledger)) {
	parts := viewstest.Parts{Log: func() eventstore.Store { return memory.New(time.Now) }, Postgres: testenv.Postgres, Now: time.Now}
	viewstest.OnBoth(t, parts, []func() projections.Projection{campaigns.New}, test)
}

// Each of the audience is in the state that the log says, whatever is told in which
// order; the counts are the sums.
func TestStates(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		want := map[string]string{}
		var who []string
		var done []campaign.Recipient
		add := func(name, state string, facts ...chat.Event) {
			who, want[name] = append(who, name), state
			r := campaign.Recipient{Contact: name, Customer: name, Chat: "chat-" + name, Message: "m-" + name}
			done = append(done, r)
			l.Record(t, "chat-"+r.Chat, chat.MessageQueued{Message: chat.MessageID(r.Message), Text: "Sale", Campaign: "c", By: "ann", At: sec(10)})
			for _, f := range facts {
				l.Record(t, "chat-"+r.Chat, f)
			}
		}
		accepted := func(name string) chat.Event {
			return chat.MessageAccepted{Message: chat.MessageID("m-" + name), ProviderID: "p-" + name, At: sec(11)}
		}
		report := func(name string, state chat.Delivery) chat.Event {
			return chat.DeliveryRecorded{ProviderID: "p-" + name, State: state, At: sec(12)}
		}
		reply := func(at int) chat.Event {
			return chat.MessageReceived{Message: "r", ProviderID: "r", Content: chat.Content{Kind: "text", Text: "yes"}, At: sec(at)}
		}
		add("queued", "queued ")
		add("sent", "sent ", accepted("sent"))
		add("read", "read ", accepted("read"), report("read", chat.Read), report("read", chat.Delivered))
		add("early", "delivered ", report("early", chat.Delivered), accepted("early"))
		add("failed", "failed 131026", chat.DeliveryRecorded{Message: "m-failed", State: chat.Failed, Error: &chat.DeliveryError{Code: 131026, Title: "no"}, At: sec(12)})
		add("replied", "replied ", accepted("replied"), report("replied", chat.Read), reply(20))
		add("before", "sent ", accepted("before"), reply(5))
		who = append(who, "blocked", "pending")
		want["blocked"], want["pending"] = "skipped blocked", "pending "
		done = append(done, campaign.Recipient{Contact: "blocked", Skipped: campaign.Blocked})
		l.Record(t, "campaign-c", campaign.Created{Workspace: acme, Name: "Sale", PerMinute: 60, By: "sue", At: sec(1)}, campaign.Launched{By: "sue", At: sec(2)},
			campaign.Started{At: sec(2)}, campaign.AudienceChosen{Contacts: who}, campaign.Frozen{Step: 1, Contacts: len(who), Position: 7, At: sec(3)},
			campaign.BatchPlanned{Step: 1, Recipients: done}, campaign.BatchDone{Step: 2, Recipients: done, At: sec(13)})
		// What comes after the batch was recorded.
		l.Record(t, "chat-chat-sent", report("sent", chat.Delivered))
		want["sent"] = "delivered "
		l.Record(t, "chat-none", report("none", chat.Read), reply(30))
		l.Read(t, func(tx sqldb.Tx) {
			got := map[string]string{}
			q := campaigns.Query{Limit: 2}
			for {
				page, err := campaigns.Recipients(t.Context(), tx, "c", "", q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Items {
					got[r.Contact] = r.State + " " + r.Reason
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			sums := map[string]int64{}
			for name, state := range want {
				sums[state]++
				if got[name] != state {
					t.Errorf("%s is %q, want %q", name, got[name], state)
				}
			}
			counts, err := campaigns.Counts(t.Context(), tx, "c")
			if err != nil || len(counts) != len(sums) {
				t.Errorf("%v, %v", counts, err)
			}
			for _, c := range counts {
				if c.N != sums[c.State+" "+c.Reason] {
					t.Errorf("%+v, want %d", c, sums[c.State+" "+c.Reason])
				}
			}
			only, err := campaigns.Recipients(t.Context(), tx, "c", campaigns.Skipped, campaigns.Query{})
			if err != nil || len(only.Items) != 1 || only.Items[0].Contact != "blocked" {
				t.Errorf("%+v, %v", only, err)
			}
			c, err := campaigns.Get(t.Context(), tx, acme, "c")
			if err != nil || c.Phase != "running" || c.Done != int64(len(done)) || c.Audience != int64(len(who)) || c.Position != 7 {
				t.Errorf("%+v, %v", c, err)
			}
			if _, err := campaigns.Get(t.Context(), tx, "other", "c"); !errors.Is(err, campaign.ErrNotFound) {
				t.Errorf("of another workspace: %v", err)
			}
		})
		l.Verify(t)
	})
}

func TestLists(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		for i := range 5 {
			l.Record(t, fmt.Sprint("campaign-", i), campaign.Created{Workspace: acme, Name: fmt.Sprint(i), PerMinute: 60, By: "sue", At: sec(i)})
		}
		l.Record(t, "campaign-1", campaign.Launched{Due: sec(100), By: "sue", At: sec(9)}, campaign.CampaignCancelled{By: "bob", Reason: "no", At: sec(10)})
		l.Record(t, "chat-1", chat.OptedOut{Reason: chat.ByWord, Message: "m", At: sec(3)})
		l.Record(t, "chat-2", chat.OptedOut{Reason: chat.ByStaff, By: "ann", At: sec(3)}, chat.OptedIn{Reason: chat.ByWord, Message: "n", At: sec(4)})
		l.Read(t, func(tx sqldb.Tx) {
			var names []string
			q := campaigns.Query{Limit: 2}
			for {
				page, err := campaigns.List(t.Context(), tx, acme, q)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page.Items {
					names = append(names, c.Name+" "+c.Phase)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(names, []string{"4 draft", "3 draft", "2 draft", "1 cancelled", "0 draft"}) {
				t.Errorf("%q", names)
			}
			for id, out := range map[string]bool{"1": true, "2": false} {
				if m, ok, err := campaigns.MarketingOf(t.Context(), tx, id); err != nil || !ok || m.Out != out {
					t.Errorf("%s: %+v %v %v", id, m, ok, err)
				}
			}
			if _, ok, err := campaigns.MarketingOf(t.Context(), tx, "3"); ok || err != nil {
				t.Errorf("of somebody who said nothing: %v %v", ok, err)
			}
		})
		l.Verify(t)
	})
}

// A campaign that has not begun is scheduled again once it is resumed, and for when.
func TestBeforeTheBeginning(t *testing.T) {
	onBoth(t, func(t *testing.T, l *viewstest.Ledger) {
		due := func(n int) int64 { return sec(n).UnixMicro() }
		for _, step := range []struct {
			fact  campaign.Event
			phase campaign.Phase
			due   int64
			by    string // who has stopped it
		}{
			{campaign.Created{Workspace: acme, Name: "Sale", PerMinute: 60, By: "sue", At: sec(1)}, campaign.Draft, 0, ""},
			{campaign.Launched{Due: sec(100), By: "sue", At: sec(2)}, campaign.Scheduled, due(100), ""},
			{campaign.CampaignPaused{By: "sam", At: sec(3)}, campaign.Paused, due(100), "sam"},
			{campaign.Rescheduled{Due: sec(200), By: "sue", At: sec(4)}, campaign.Paused, due(200), "sam"},
			{campaign.Resumed{Due: sec(200), By: "sue", At: sec(5)}, campaign.Scheduled, due(200), ""},
			{campaign.Rescheduled{Due: sec(150), By: "sue", At: sec(6)}, campaign.Scheduled, due(150), ""},
			{campaign.Started{At: sec(150)}, campaign.Selecting, due(150), ""},
		} {
			l.Record(t, "campaign-c", step.fact)
			l.Read(t, func(tx sqldb.Tx) {
				c, err := campaigns.Get(t.Context(), tx, acme, "c")
				if err != nil || c.Phase != string(step.phase) || c.Due != step.due || c.StoppedBy != step.by {
					t.Errorf("after %s: %+v, %v", step.fact.EventType(), c, err)
				}
			})
		}
	})
}

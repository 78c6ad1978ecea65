package campaign_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []campaign.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, campaign.Events) }

func at(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func create(change func(*campaign.Create)) campaign.Create {
	c := campaign.Create{
		Workspace: "acme", Name: " Sale ", Filter: []byte(`{}`), Channel: "shop", Template: "t",
		Values: campaign.Values{Body: map[string]string{"1": "{{contact.first_name}}"}}, By: "sue", At: at(1),
	}
	change(&c)
	return c
}

// A placeholder that cannot be read is explained in words, without the code of quick
// replies.
func TestBadPlaceholderIsExplained(t *testing.T) {
	cmd := create(func(c *campaign.Create) { c.Values.Body = map[string]string{"1": "{{contact.name"} })
	_, err := cmd.Decide(campaign.State{})
	refused, ok := errors.AsType[*fault.Error](err)
	if want := "a value cannot be read: the placeholder at character 1 has no }}"; !ok || refused.Msg != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDecisions(t *testing.T) {
	created := campaign.Created{
		Workspace: "acme", Name: "Sale", Filter: json.RawMessage(`{}`), Channel: "shop", Template: "t",
		Values: campaign.Values{Body: map[string]string{"1": "{{contact.first_name}}"}}, PerMinute: campaign.DefaultRate, By: "sue", At: at(1),
	}
	draft := past{created}
	then := func(before past, more ...campaign.Event) past { return append(append(past{}, before...), more...) }
	scheduled := then(draft, campaign.Launched{Due: at(100), By: "sue", At: at(2)})
	selecting := then(draft, campaign.Launched{By: "sue", At: at(2)}, campaign.Started{At: at(2)})
	chosen, frozen := campaign.AudienceChosen{Contacts: []string{"a", "b"}}, campaign.Frozen{Step: 1, Contacts: 2, Position: 7, At: at(3)}
	running := then(selecting, chosen, frozen)
	who := []campaign.Recipient{{Contact: "a", Chat: "c", Message: "m"}, {Contact: "b", Skipped: campaign.Blocked}}
	planned := then(running, campaign.BatchPlanned{Step: 1, Recipients: who})
	done := campaign.BatchDone{Step: 2, Recipients: who, At: at(4)}
	completed := then(planned, done, campaign.Ended{At: at(4)})
	paused := then(running, campaign.CampaignPaused{By: "sue", At: at(3)})
	pausedPlanned := then(planned, campaign.CampaignPaused{By: "sue", At: at(3)})
	cancelled := then(running, campaign.CampaignCancelled{By: "sue", At: at(3)})
	cancelledPlanned := then(planned, campaign.CampaignCancelled{By: "sue", At: at(3)})
	launch, pause, resume, cancel := campaign.Launch{By: "sue", At: at(2)}, campaign.Pause{By: "sue", At: at(3)}, campaign.Resume{By: "sue", At: at(4)}, campaign.Cancel{By: "sue", At: at(3)}
	held := then(scheduled, campaign.CampaignPaused{By: "sue", At: at(3)})
	reschedule := campaign.Reschedule{Due: at(50), By: "sue", At: at(3)}
	moved := then(scheduled, campaign.Rescheduled{Due: at(50), By: "sue", At: at(3)})
	record := campaign.Record{Step: 1, Recipients: who, At: at(4)}
	domaintest.Run(t, campaign.Evolve, []domaintest.Case[campaign.State, campaign.Event]{
		{Name: "create", When: create(func(*campaign.Create) {}), Then: draft},
		{Name: "create again", Given: draft, When: create(func(*campaign.Create) {})},
		{Name: "create for a group and a filter", When: create(func(c *campaign.Create) { c.Group = "g" }), Err: campaign.ErrAudience},
		{Name: "create for nobody", When: create(func(c *campaign.Create) { c.Filter = nil }), Err: campaign.ErrAudience},
		{Name: "create without a name", When: create(func(c *campaign.Create) { c.Name = " " }), Err: campaign.ErrNameMissing},
		{Name: "create with a long name", When: create(func(c *campaign.Create) { c.Name = strings.Repeat("x", 201) }), Err: campaign.ErrNameTooLong},
		{Name: "create without a channel", When: create(func(c *campaign.Create) { c.Channel = "" }), Err: campaign.ErrChannel},
		{Name: "create without a template", When: create(func(c *campaign.Create) { c.Template = "" }), Err: campaign.ErrTemplate},
		{Name: "create too fast", When: create(func(c *campaign.Create) { c.PerMinute = campaign.MaxRate + 1 }), Err: campaign.ErrRate},
		{Name: "create by nobody", When: create(func(c *campaign.Create) { c.By = "" }), Err: campaign.ErrBy},
		{Name: "create with a value of the agent", When: create(func(c *campaign.Create) { c.Values.Body = map[string]string{"1": "{{agent.name}}"} }), Err: campaign.ErrValues},
		{Name: "create with an open placeholder", When: create(func(c *campaign.Create) { c.Values.Body = map[string]string{"1": "{{contact.name"} }), Err: campaign.ErrValues},
		{Name: "create with a fallback for nothing", When: create(func(c *campaign.Create) { c.Values.Fallbacks = map[string]string{"contact.city": "there"} }), Err: campaign.ErrFallback},

		{Name: "launch", Given: draft, When: launch, Then: past{campaign.Launched{By: "sue", At: at(2)}, campaign.Started{At: at(2)}}},
		{Name: "launch later", Given: draft, When: campaign.Launch{Due: at(100), By: "sue", At: at(2)}, Then: past{campaign.Launched{Due: at(100), By: "sue", At: at(2)}}},
		{Name: "launch in the past", Given: draft, When: campaign.Launch{Due: at(1), By: "sue", At: at(2)}, Err: campaign.ErrSchedule},
		{Name: "launch in two years", Given: draft, When: campaign.Launch{Due: at(2).AddDate(2, 0, 0), By: "sue", At: at(2)}, Err: campaign.ErrSchedule},
		{Name: "launch twice", Given: running, When: launch, Err: campaign.ErrLaunched},
		{Name: "launch nothing", When: launch, Err: campaign.ErrNotFound},
		{Name: "start what is due", Given: scheduled, When: campaign.Start{At: at(100)}, Then: past{campaign.Started{At: at(100)}}},
		{Name: "start too early", Given: scheduled, When: campaign.Start{At: at(99)}},
		{Name: "start what was cancelled", Given: then(scheduled, campaign.CampaignCancelled{By: "sue"}), When: campaign.Start{At: at(100)}},

		{Name: "start what is paused", Given: held, When: campaign.Start{At: at(100)}},
		{Name: "start what is resumed", Given: then(held, campaign.Resumed{Due: at(100), By: "sue", At: at(4)}), When: campaign.Start{At: at(100)}, Then: past{campaign.Started{At: at(100)}}},
		{Name: "pause before it begins", Given: scheduled, When: pause, Then: past{campaign.CampaignPaused{By: "sue", At: at(3)}}},
		{Name: "pause while the audience is chosen", Given: selecting, When: pause, Err: campaign.ErrNotRunning},
		{Name: "resume before it begins", Given: held, When: resume, Then: past{campaign.Resumed{Due: at(100), By: "sue", At: at(4)}}},
		{Name: "resume what would have begun", Given: held, When: campaign.Resume{By: "sue", At: at(100)}, Then: past{campaign.Resumed{Due: at(100), By: "sue", At: at(100)}, campaign.Started{At: at(100)}}},
		{Name: "resume what is scheduled", Given: scheduled, When: resume},
		{Name: "reschedule", Given: scheduled, When: reschedule, Then: past{campaign.Rescheduled{Due: at(50), By: "sue", At: at(3)}}},
		{Name: "reschedule again", Given: moved, When: reschedule},
		{Name: "start what was moved", Given: moved, When: campaign.Start{At: at(50)}, Then: past{campaign.Started{At: at(50)}}},
		{Name: "reschedule what is paused", Given: held, When: reschedule, Then: past{campaign.Rescheduled{Due: at(50), By: "sue", At: at(3)}}},
		{Name: "resume what was moved", Given: then(held, campaign.Rescheduled{Due: at(50)}), When: resume, Then: past{campaign.Resumed{Due: at(50), By: "sue", At: at(4)}}},
		{Name: "reschedule for the past", Given: scheduled, When: campaign.Reschedule{Due: at(2), By: "sue", At: at(3)}, Err: campaign.ErrSchedule},
		{Name: "reschedule by nobody", Given: scheduled, When: campaign.Reschedule{Due: at(50), At: at(3)}, Err: campaign.ErrBy},
		{Name: "reschedule a draft", Given: draft, When: reschedule, Err: campaign.ErrNotScheduled},
		{Name: "reschedule what has begun", Given: running, When: reschedule, Err: campaign.ErrNotScheduled},
		{Name: "reschedule what is paused and has begun", Given: paused, When: reschedule, Err: campaign.ErrNotScheduled},
		{Name: "reschedule what is over", Given: cancelled, When: reschedule, Err: campaign.ErrOver},
		{Name: "reschedule nothing", When: reschedule, Err: campaign.ErrNotFound},

		{Name: "freeze", Given: selecting, When: campaign.Freeze{Contacts: []string{"a", "b"}, Position: 7, At: at(3)}, Then: past{chosen, frozen}},
		{Name: "freeze again", Given: running, When: campaign.Freeze{Contacts: []string{"c"}}},
		{Name: "freeze nobody", Given: selecting, When: campaign.Freeze{At: at(3)}, Then: past{campaign.Frozen{Step: 1, At: at(3)}, campaign.Ended{At: at(3)}}},
		{Name: "freeze too many", Given: selecting, When: campaign.Freeze{Contacts: make([]string, campaign.MaxAudience+1), At: at(3)}, Then: past{
			campaign.AudienceRefused{Code: campaign.ErrTooMany.Code, Reason: campaign.ErrTooMany.Msg, At: at(3)},
		}},

		{Name: "plan", Given: running, When: campaign.Plan{Step: 1, Recipients: who}, Then: past{campaign.BatchPlanned{Step: 1, Recipients: who}}},
		{Name: "plan again", Given: planned, When: campaign.Plan{Step: 1}},
		{Name: "plan while paused", Given: paused, When: campaign.Plan{Step: 1}},
		{Name: "record", Given: planned, When: record, Then: past{done, campaign.Ended{At: at(4)}}},
		{Name: "record again", Given: completed, When: record},
		{Name: "record what was not planned", Given: running, When: record},
		{Name: "record while paused", Given: pausedPlanned, When: record, Then: past{done, campaign.Ended{At: at(4)}}},
		{Name: "record after the end", Given: cancelledPlanned, When: record, Then: past{done}},

		{Name: "pause", Given: running, When: pause, Then: past{campaign.CampaignPaused{By: "sue", At: at(3)}}},
		{Name: "pause again", Given: paused, When: pause},
		{Name: "pause a draft", Given: draft, When: pause, Err: campaign.ErrNotRunning},
		{Name: "pause what is over", Given: completed, When: pause, Err: campaign.ErrOver},
		{Name: "pause at length", Given: running, When: campaign.Pause{Reason: strings.Repeat("x", 1001)}, Err: campaign.ErrReasonLong},
		{Name: "resume", Given: paused, When: resume, Then: past{campaign.Resumed{Step: 2, By: "sue", At: at(4)}}},
		{Name: "resume with a plan", Given: pausedPlanned, When: resume, Then: past{campaign.Resumed{Step: 1, By: "sue", At: at(4)}}},
		{Name: "resume what runs", Given: running, When: resume},
		{Name: "resume a draft", Given: draft, When: resume, Err: campaign.ErrNotPaused},
		{Name: "resume what is over", Given: cancelled, When: resume, Err: campaign.ErrOver},
		{Name: "cancel", Given: paused, When: cancel, Then: past{campaign.CampaignCancelled{By: "sue", At: at(3)}}},
		{Name: "cancel a schedule", Given: scheduled, When: cancel, Then: past{campaign.CampaignCancelled{By: "sue", At: at(3)}}},
		{Name: "cancel again", Given: cancelled, When: cancel},
		{Name: "cancel what is over", Given: completed, When: cancel, Err: campaign.ErrOver},
		{Name: "cancel nothing", When: cancel, Err: campaign.ErrNotFound},
	})
}

// However a campaign is paused and resumed, everybody is in one batch, and a batch
// keeps to its chunk and the rate.
func TestEverybodyIsInOneBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1_300).Draw(t, "audience")
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprint(i)
		}
		s := domaintest.Fold(campaign.Evolve, past{
			campaign.Created{PerMinute: rapid.IntRange(1, campaign.MaxRate).Draw(t, "rate")}, campaign.Launched{}, campaign.Started{},
		})
		do := func(c domaintest.Command[campaign.State, campaign.Event]) {
			s = domaintest.Do(t, campaign.Evolve, s, c)
		}
		do(campaign.Freeze{Contacts: all})
		next := 0
		for next < n {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				do(campaign.Pause{By: "sue"})
			case 1:
				do(campaign.Resume{By: "sue"})
			default:
				if s.Phase == campaign.Running && !s.Planned {
					if size := s.Batch(); size < 1 || next/campaign.ChunkSize != (next+size-1)/campaign.ChunkSize || size > max(1, s.Content.PerMinute/60) {
						t.Fatalf("a batch of %d behind %d at %d a minute", size, next, s.Content.PerMinute)
					}
					who := make([]campaign.Recipient, min(s.Batch(), n-next))
					do(campaign.Plan{Step: s.Step, Recipients: who})
				}
				if s.Planned {
					size := s.Batch()
					do(campaign.Record{Step: s.Step, Recipients: make([]campaign.Recipient, size), At: at(next)})
					next += size
				} else if s.Phase == campaign.Paused {
					do(campaign.Resume{By: "sue"})
				}
			}
			if s.Next != next {
				t.Fatalf("%d are done, %d say the batches", s.Next, next)
			}
		}
		if s.Phase != campaign.Completed {
			t.Fatalf("%s at the end", s.Phase)
		}
	})
}

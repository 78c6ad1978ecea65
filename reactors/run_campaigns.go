package reactors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

// RunCampaignsName names the reactor.
const RunCampaignsName = "run_campaigns.v1"

// RunCampaigns works campaigns: it freezes the audience, then does one batch for each
// event that leads to the next, when the rate lets it. A batch is planned in the log
// before anything is queued, and what is queued has ids that follow from the plan: so
// a batch that is worked again after a crash finds what it did.
type RunCampaigns struct {
	Campaigns commands.Campaigns
	// Choose returns the contacts of an audience, as in FillGroups.
	Choose func(ctx context.Context, req members.Requested, at eventstore.Position) (ids []string, missing int, position int64, err error)
	Now    func() time.Time

	Parallel int // messages being queued at once, of one campaign; default 16
}

const campaignParallel = 16

// Reactor returns it, ready for a Host.
func (r RunCampaigns) Reactor() Reactor {
	if r.Parallel == 0 {
		r.Parallel = campaignParallel
	}
	events := codec.New([]campaign.Event{campaign.Started{}, campaign.Frozen{}, campaign.BatchDone{}, campaign.Resumed{}, campaign.CampaignCancelled{}})
	return Reactor{
		Name:       RunCampaignsName,
		Categories: []string{"campaign"},
		Types:      events.Types(),
		Handle: func(ctx context.Context, e eventstore.Recorded) error {
			fact, err := events.Decode(e)
			if err != nil {
				return Permanent(err)
			}
			return r.handle(ctx, e, fact)
		},
	}
}

func (r RunCampaigns) handle(ctx context.Context, e eventstore.Recorded, fact campaign.Event) error {
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	b := batch{id: campaign.ID(strings.TrimPrefix(e.Stream, "campaign-")), origin: commands.Origin{
		Workspace: meta.Workspace, Actor: RunCampaignsName, ActorKind: commands.ActorSystem,
		Correlation: meta.Correlation, Causation: e.ID.String(), Traceparent: meta.Traceparent,
	}}
	var step int
	switch f := fact.(type) {
	case campaign.Started:
		return refused(r.freeze(ctx, b, e.Position))
	case campaign.Frozen:
		step = f.Step
	case campaign.BatchDone:
		step = f.Step
	case campaign.Resumed:
		if !f.Due.IsZero() { // it has not begun
			return nil
		}
		step = f.Step
	case campaign.CampaignCancelled:
	default:
		return nil
	}
	if b.state, err = r.Campaigns.Look(ctx, b.id); err != nil {
		return refused(err)
	}
	if _, cancelled := fact.(campaign.CampaignCancelled); cancelled {
		// A batch that was planned may have been done in part, and have failed.
		return refused(r.work(ctx, b))
	}
	if wait := b.state.Ready().Sub(r.Now()); wait > 0 && b.state.Step == step && b.state.Phase == campaign.Running && !b.state.Planned {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		if b.state, err = r.Campaigns.Look(ctx, b.id); err != nil {
			return refused(err)
		}
	}
	if b.state.Step != step { // another event leads on from here
		return nil
	}
	return refused(r.work(ctx, b))
}

// batch is what a step of a campaign depends on.
type batch struct {
	id     campaign.ID
	state  campaign.State
	origin commands.Origin
}

func (r RunCampaigns) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

func (r RunCampaigns) freeze(ctx context.Context, b batch, at eventstore.Position) error {
	s, err := r.Campaigns.Look(ctx, b.id)
	if err != nil || s.Phase != campaign.Selecting {
		return err
	}
	req := members.Requested{Workspace: s.Content.Workspace, Filter: s.Content.Filter, Me: s.Content.By, By: s.Content.By, At: s.At}
	if s.Content.Group != "" {
		req.Filter, err = json.Marshal(map[string]string{"field": "group", "op": "eq", "value": s.Content.Group})
		if err != nil {
			return fmt.Errorf("encode filter: %w", err)
		}
	}
	var cmd campaign.Freeze
	settled, err := r.settled(ctx, b.id)
	if err == nil {
		cmd.Contacts, _, cmd.Position, err = r.Choose(ctx, req, max(at, settled))
	}
	cmd.At = r.now()
	if f, no := errors.AsType[*fault.Error](err); no {
		cmd.Code, cmd.Reason = f.Code, f.Msg
	} else if err != nil {
		return err
	}
	_, err = r.Campaigns.Freeze(ctx, b.origin, b.id, cmd)
	return err
}

// groupPause is how long to wait before another look at a group that is being filled.
const groupPause = 200 * time.Millisecond

// settled waits until the group of a campaign has its members, as long as the campaign
// waits for them, and returns a position from which on they are shown.
func (r RunCampaigns) settled(ctx context.Context, id campaign.ID) (eventstore.Position, error) {
	for {
		s, err := r.Campaigns.Look(ctx, id)
		if err != nil || s.Phase != campaign.Selecting {
			return 0, err
		}
		at, ok, err := r.Campaigns.Choosable(ctx, s.Content)
		if ok || err != nil {
			return at, err
		}
		select {
		case <-time.After(groupPause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// work does the next batch, or what is left of one that was planned.
func (r RunCampaigns) work(ctx context.Context, b batch) error {
	step := b.state.Step
	if !b.state.Planned {
		if b.state.Phase != campaign.Running {
			return nil
		}
		if err := r.plan(ctx, b); err != nil {
			return err
		}
		var err error
		if b.state, err = r.Campaigns.Look(ctx, b.id); err != nil || b.state.Step != step || !b.state.Planned {
			return err // paused meanwhile, say
		}
	}
	planned, err := r.Campaigns.Planned(ctx, b.id, step)
	if err != nil {
		return err
	}
	o := b.origin
	o.Actor, o.ActorKind, o.OccurredAt = b.state.By, commands.ActorAgent, r.now()
	done := make([]campaign.Recipient, len(planned))
	work, within := errgroup.WithContext(ctx)
	work.SetLimit(r.Parallel)
	for i, p := range planned {
		work.Go(func() (err error) {
			if b.state.Phase == campaign.Cancelled {
				done[i], err = r.Campaigns.Did(within, b.id, p)
				return err
			}
			done[i], err = r.Campaigns.Send(within, o, b.id, b.state, p)
			return err
		})
	}
	err = work.Wait()
	if f, no := errors.AsType[*fault.Error](err); no && !errors.Is(err, commands.ErrBusy) {
		// The template or the channel cannot be used any more: whoever resumes the
		// campaign has this batch done, as it was planned.
		_, err := r.Campaigns.Pause(ctx, b.origin, b.id, campaign.Pause{By: RunCampaignsName, Reason: f.Code + ": " + f.Msg, At: r.now()})
		return err
	}
	if err != nil {
		return err
	}
	_, err = r.Campaigns.Record(ctx, b.origin, b.id, campaign.Record{Step: step, Recipients: done, At: r.now()})
	return err
}

func (r RunCampaigns) plan(ctx context.Context, b batch) error {
	who, err := r.Campaigns.Audience(ctx, b.id, b.state.Next, b.state.Batch())
	if err != nil {
		return err
	}
	cmd := campaign.Plan{Step: b.state.Step, Recipients: make([]campaign.Recipient, len(who))}
	work, within := errgroup.WithContext(ctx)
	work.SetLimit(r.Parallel)
	for i, id := range who {
		work.Go(func() (err error) {
			cmd.Recipients[i], err = r.Campaigns.Address(within, b.id, b.state.Content, id)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	_, err = r.Campaigns.Plan(ctx, b.origin, b.id, cmd)
	return err
}

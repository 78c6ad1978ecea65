// Package campaigns shows campaigns: how far each is, what became of everybody in its
// audience, and which customers take no marketing.
//
// It folds and reads; it decides nothing.
package campaigns

import (
	"maps"
	"slices"
	"strconv"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the campaigns up to date.
type Projection struct {
	campaigns  *projections.Rows[string, Campaign]
	recipients *projections.Rows[RecipientKey, Recipient]
	counts     *projections.Rows[CountKey, Count]
	chats      *projections.Rows[string, Chat]
	marketing  *projections.Rows[string, Marketing]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		campaigns: projections.NewRows("campaigns", func(c *Campaign) string { return c.ID },
			projections.Index{Name: "by_created", Columns: "workspace, created_at, campaign_id"},
		),
		recipients: projections.NewRows("campaigns_recipients", func(r *Recipient) RecipientKey { return r.RecipientKey },
			projections.Index{Name: "by_state", Columns: "campaign_id, state, contact_id"},
		),
		counts:    projections.NewRows("campaigns_counts", func(c *Count) CountKey { return c.CountKey }),
		chats:     projections.NewRows("campaigns_chats", func(c *Chat) string { return c.ID }),
		marketing: projections.NewRows("campaigns_marketing", func(m *Marketing) string { return m.Chat }),
	}
	p.chats.OnChange(p.tell)
	p.recipients.OnChange(p.count)
	return p
}

// Name returns the name under which the campaigns were first published.
func (*Projection) Name() string { return "campaigns.v1" }

// Categories returns the categories of streams that campaigns are made of: their own,
// and the chats in which their messages are.
func (*Projection) Categories() []string { return []string{"campaign", "chat"} }

// Tables returns the campaigns, and what is derived from them.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.chats, p.recipients, p.counts, p.campaigns, p.marketing}
}

// Apply records what e changes.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case campaign.Event:
		p.campaign(e.Subject(), f, e)
	case chat.Event:
		p.chat(e.Subject(), f)
	}
}

func (p *Projection) campaign(id string, f campaign.Event, e projections.Event) {
	change := func(fold func(*Campaign)) {
		p.campaigns.Upsert(id, func(c *Campaign) {
			fold(c)
			c.ID, c.Revision = id, int64(e.Revision)
		})
	}
	switch f := f.(type) {
	case campaign.Created:
		change(func(c *Campaign) {
			c.Workspace, c.Name, c.Group, c.Filter, c.Channel, c.Template = f.Workspace, f.Name, f.Group, string(f.Filter), f.Channel, f.Template
			c.Values, c.PerMinute, c.Phase = f.Values, int64(f.PerMinute), string(campaign.Draft)
			c.CreatedBy, c.CreatedAt = f.By, f.At.UnixMicro()
		})
	case campaign.Launched:
		change(func(c *Campaign) {
			c.Phase, c.LaunchedBy, c.LaunchedAt = string(campaign.Scheduled), f.By, f.At.UnixMicro()
			if !f.Due.IsZero() {
				c.Due = f.Due.UnixMicro()
			}
		})
	case campaign.Started:
		change(func(c *Campaign) { c.Phase, c.StartedAt = string(campaign.Selecting), f.At.UnixMicro() })
	case campaign.AudienceChosen:
		for _, who := range f.Contacts {
			p.recipients.Put(Recipient{RecipientKey: RecipientKey{id, who}, State: Pending})
		}
		change(func(*Campaign) {})
	case campaign.Frozen:
		change(func(c *Campaign) {
			c.Phase, c.Audience, c.Position, c.LastAt = string(campaign.Running), int64(f.Contacts), f.Position, f.At.UnixMicro()
		})
	case campaign.AudienceRefused:
		change(func(c *Campaign) {
			c.Phase, c.Code, c.Refusal, c.EndedAt = string(campaign.Rejected), f.Code, f.Reason, f.At.UnixMicro()
		})
	case campaign.BatchDone:
		p.done(id, f)
		change(func(c *Campaign) { c.Done, c.LastAt = int64(f.From+len(f.Recipients)), f.At.UnixMicro() })
	case campaign.CampaignPaused:
		change(func(c *Campaign) { c.Phase, c.StoppedBy, c.Why = string(campaign.Paused), f.By, f.Reason })
	case campaign.Resumed:
		change(func(c *Campaign) {
			if c.Phase, c.StoppedBy, c.Why = string(campaign.Running), "", ""; !f.Due.IsZero() {
				c.Phase = string(campaign.Scheduled)
			}
		})
	case campaign.Rescheduled:
		change(func(c *Campaign) { c.Due = f.Due.UnixMicro() })
	case campaign.CampaignCancelled:
		change(func(c *Campaign) {
			c.Phase, c.StoppedBy, c.Why, c.EndedAt = string(campaign.Cancelled), f.By, f.Reason, f.At.UnixMicro()
		})
	case campaign.Ended:
		change(func(c *Campaign) { c.Phase, c.EndedAt = string(campaign.Completed), f.At.UnixMicro() })
	default:
		change(func(*Campaign) {})
	}
}

// done records what became of a batch.
func (p *Projection) done(id string, f campaign.BatchDone) {
	for _, r := range f.Recipients {
		key := RecipientKey{id, r.Contact}
		p.recipients.Upsert(key, func(row *Recipient) {
			row.RecipientKey, row.Customer, row.Chat, row.Message = key, r.Customer, r.Chat, r.Message
			row.State, row.Reason, row.Detail, row.At = string(chat.Queued), string(r.Skipped), r.Detail, f.At.UnixMicro()
			if r.Skipped != "" {
				row.State = Skipped
			}
		})
		if r.Skipped == "" {
			p.chats.Update(r.Chat, func(c *Chat) {
				c.change(func(s *Sent) bool { return s.Message == r.Message }, func(s *Sent) { s.Contact = r.Contact })
			})
		}
	}
}

// Bounds of what is remembered of a chat.
const (
	maxSent  = 20
	maxEarly = 20
)

// change changes the last message that is the one, in a new list. It reports whether
// there is one.
func (c *Chat) change(is func(*Sent) bool, fold func(*Sent)) bool {
	for i := len(c.Sent) - 1; i >= 0; i-- {
		if is(&c.Sent[i]) {
			c.Sent = slices.Clone(c.Sent)
			fold(&c.Sent[i])
			return true
		}
	}
	return false
}

// reach takes in a report that says more than what is known.
func (s *Sent) reach(r Report) {
	if chat.Delivery(r.State).Rank() > chat.Delivery(s.State).Rank() {
		s.Report = r
	}
}

func (p *Projection) chat(id string, f chat.Event) {
	switch f := f.(type) {
	case chat.MessageQueued:
		if f.Campaign == "" {
			return
		}
		p.chats.Upsert(id, func(c *Chat) {
			at := f.At.UnixMicro()
			c.ID = id
			c.Sent = append(slices.Clone(c.Sent[max(0, len(c.Sent)-maxSent+1):]), Sent{
				Campaign: f.Campaign, Message: string(f.Message), QueuedAt: at, Report: Report{State: string(chat.Queued), At: at},
			})
		})
	case chat.MessageAccepted:
		p.chats.Update(id, func(c *Chat) {
			early, reported := c.Early[f.ProviderID]
			mine := c.change(func(s *Sent) bool { return s.Message == string(f.Message) }, func(s *Sent) {
				s.Provider = f.ProviderID
				s.reach(Report{State: string(chat.Sent), At: f.At.UnixMicro()})
				if reported {
					s.reach(early)
				}
			})
			if mine && reported {
				c.Early = maps.Clone(c.Early)
				delete(c.Early, f.ProviderID)
			}
		})
	case chat.DeliveryRecorded:
		p.chats.Update(id, func(c *Chat) { c.report(f) })
	case chat.MessageReceived:
		at := f.At.UnixMicro()
		p.chats.Update(id, func(c *Chat) {
			c.change(func(s *Sent) bool { return s.Provider != "" && s.State != string(chat.Failed) && s.QueuedAt <= at }, func(s *Sent) {
				if s.RepliedAt == 0 {
					s.RepliedAt = at
				}
			})
		})
	case chat.OptedOut:
		p.marketing.Put(Marketing{id, true, string(f.Reason), string(f.Message), string(f.By), f.Note, f.At.UnixMicro()})
	case chat.OptedIn:
		p.marketing.Put(Marketing{id, false, string(f.Reason), string(f.Message), string(f.By), f.Note, f.At.UnixMicro()})
	}
}

func (c *Chat) report(f chat.DeliveryRecorded) {
	r := Report{State: string(f.State), At: f.At.UnixMicro()}
	if f.Error != nil {
		r.Code, r.Title = f.Error.Code, f.Error.Title
	}
	known := c.change(func(s *Sent) bool {
		return f.Message != "" && s.Message == string(f.Message) || f.ProviderID != "" && s.Provider == f.ProviderID
	}, func(s *Sent) { s.reach(r) })
	waiting := slices.ContainsFunc(c.Sent, func(s Sent) bool { return s.Provider == "" })
	if known || !waiting || f.ProviderID == "" || len(c.Early) >= maxEarly {
		return
	}
	if before, ok := c.Early[f.ProviderID]; !ok || chat.Delivery(r.State).Rank() > chat.Delivery(before.State).Rank() {
		c.Early = maps.Clone(c.Early)
		if c.Early == nil {
			c.Early = map[string]Report{}
		}
		c.Early[f.ProviderID] = r
	}
}

// tell tells recipients how far their messages are.
func (p *Projection) tell(before, after *Chat) {
	if after == nil {
		return
	}
	for _, s := range after.Sent {
		if s.Contact == "" || before != nil && slices.Contains(before.Sent, s) {
			continue
		}
		p.recipients.Update(RecipientKey{s.Campaign, s.Contact}, func(r *Recipient) {
			r.State, r.At, r.Reason, r.Detail = s.State, s.At, "", ""
			if s.State == string(chat.Failed) {
				r.Reason, r.Detail = strconv.Itoa(s.Code), s.Title
			}
			if s.RepliedAt != 0 {
				r.State, r.At, r.Reason, r.Detail = Replied, s.RepliedAt, "", ""
			}
		})
	}
}

// count keeps the numbers of campaigns.
func (p *Projection) count(before, after *Recipient) {
	add := func(r *Recipient, n int64) {
		if r == nil {
			return
		}
		key := CountKey{r.Campaign, r.State, r.Reason}
		p.counts.Change(key, func(c *Count) *Count {
			if c == nil {
				c = &Count{CountKey: key}
			}
			if c.N += n; c.N == 0 {
				return nil
			}
			return c
		})
	}
	add(before, -1)
	add(after, 1)
}

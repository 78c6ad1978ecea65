package readapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/campaigns"
	"github.com/chatledger/chatledger/projections/contacts"
)

type inCampaigns struct {
	web.Read
	Paging
}

type inCampaign struct {
	web.Read
	Campaign string `path:"campaign"`
}

type inRecipients struct {
	web.Read
	Paging
	Campaign string `path:"campaign"`
	State    string `query:"state" enum:"pending,skipped,queued,sent,delivered,read,failed,replied" doc:"All of the audience if it is not given."`
}

// Campaign is a template that is sent to an audience.
type Campaign struct {
	ID        string          `json:"id"`
	Revision  int64           `json:"revision" doc:"For If-Match."`
	Name      string          `json:"name"`
	Group     string          `json:"group,omitempty" doc:"Its members are the audience."`
	Filter    json.RawMessage `json:"filter,omitempty" doc:"Or it chooses the audience from the contacts."`
	Channel   string          `json:"channel"`
	Template  string          `json:"template" doc:"The id of the template."`
	Values    campaign.Values `json:"values" doc:"What its variables get."`
	PerMinute int64           `json:"per_minute"`
	State     string          `json:"state" enum:"draft,scheduled,selecting,running,paused,completed,cancelled,rejected" doc:"completed: everybody was sent it or left out; how far the messages are is in counts. rejected: refusal says why there is no audience."`
	Refusal   *GroupRefusal   `json:"refusal" doc:"With state rejected, else null."`
	Audience  int64           `json:"audience" doc:"So many are in it."`
	Position  int64           `json:"audience_position" doc:"Of the log, that the audience reflects."`
	Done      int64           `json:"done" doc:"Of the audience: queued or left out."`
	PerSecond float64         `json:"per_second" doc:"Since it began."`
	ETASecs   *float64        `json:"eta_seconds" doc:"Until everybody is done, at its rate; null unless it is running."`
	Counts    []CampaignCount `json:"counts,omitempty" doc:"The audience by state and reason. Not in lists."`

	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	LaunchedBy string     `json:"launched_by,omitempty"`
	LaunchedAt *time.Time `json:"launched_at"`
	ScheduleAt *time.Time `json:"schedule_at" doc:"When it is to begin, or was; null if at once."`
	StartedAt  *time.Time `json:"started_at"`
	EndedAt    *time.Time `json:"ended_at"`
	StoppedBy  string     `json:"stopped_by,omitempty" doc:"Who paused or cancelled it; run_campaigns.v1 if the template or the channel could not be used any more."`
	Why        string     `json:"stopped_why,omitempty"`
}

// CampaignCount is how many of an audience are in a state.
type CampaignCount struct {
	State  string `json:"state" enum:"pending,skipped,queued,sent,delivered,read,failed,replied"`
	Reason string `json:"reason,omitempty" doc:"Of skipped: deleted, blocked, no_number, opted_out, missing_value, duplicate_number, chat_deleted, cancelled or refused. Of failed the provider's code."`
	Count  int64  `json:"count"`
}

func newCampaign(c campaigns.Campaign) Campaign {
	out := Campaign{
		ID: c.ID, Revision: c.Revision, Name: c.Name, Group: c.Group, Filter: rawOrNone(c.Filter), Channel: c.Channel, Template: c.Template,
		Values: c.Values, PerMinute: c.PerMinute, State: c.Phase, Audience: c.Audience, Position: c.Position, Done: c.Done,
		CreatedBy: c.CreatedBy, CreatedAt: moment(c.CreatedAt), LaunchedBy: c.LaunchedBy, LaunchedAt: momentOrNull(c.LaunchedAt),
		ScheduleAt: momentOrNull(c.Due), StartedAt: momentOrNull(c.StartedAt), EndedAt: momentOrNull(c.EndedAt), StoppedBy: c.StoppedBy, Why: c.Why,
	}
	if c.Code != "" {
		out.Refusal = &GroupRefusal{c.Code, c.Refusal}
	}
	if took := c.LastAt - c.StartedAt; c.Done > 0 && took > 0 {
		out.PerSecond = float64(c.Done) / float64(took) * float64(time.Second/time.Microsecond)
	}
	if c.Phase == string(campaign.Running) && c.PerMinute > 0 {
		eta := float64(c.Audience-c.Done) / float64(c.PerMinute) * time.Minute.Seconds()
		out.ETASecs = &eta
	}
	return out
}

func listCampaigns(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCampaigns) (web.List[Campaign], eventstore.Revision, error) {
	page, err := campaigns.List(ctx, tx, r.Workspace, campaigns.Query{Cursor: in.Cursor, Limit: in.Limit})
	items := make([]Campaign, len(page.Items))
	for i, c := range page.Items {
		items[i] = newCampaign(c)
	}
	return web.NewList(items, page.Next), none, err
}

func getCampaign(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inCampaign) (out Campaign, _ eventstore.Revision, _ error) {
	c, err := campaigns.Get(ctx, tx, r.Workspace, in.Campaign)
	if err != nil {
		return out, none, err
	}
	counts, err := campaigns.Counts(ctx, tx, c.ID)
	out = newCampaign(c)
	for _, n := range counts {
		out.Counts = append(out.Counts, CampaignCount{n.State, n.Reason, n.N})
	}
	return out, eventstore.Revision(c.Revision), err
}

// CampaignRecipient is somebody in the audience of a campaign.
type CampaignRecipient struct {
	Contact  string     `json:"contact"`
	Name     string     `json:"name" doc:"As it is now; empty if the contact is deleted."`
	State    string     `json:"state" enum:"pending,skipped,queued,sent,delivered,read,failed,replied"`
	Reason   string     `json:"reason,omitempty" doc:"Of skipped and failed; see counts."`
	Detail   string     `json:"detail,omitempty" doc:"Such as which value is missing, or the provider's words."`
	Customer string     `json:"customer,omitempty" doc:"The id in the channel that it goes to."`
	Chat     string     `json:"chat,omitempty"`
	Message  string     `json:"message,omitempty"`
	At       *time.Time `json:"at" doc:"When it came to this state; null while it is pending."`
}

func listRecipients(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inRecipients) (out web.List[CampaignRecipient], _ eventstore.Revision, _ error) {
	if _, err := campaigns.Get(ctx, tx, r.Workspace, in.Campaign); err != nil {
		return out, none, err
	}
	page, err := campaigns.Recipients(ctx, tx, in.Campaign, in.State, campaigns.Query{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return out, none, err
	}
	who := make([]string, len(page.Items))
	for i, p := range page.Items {
		who[i] = p.Contact
	}
	shown, err := contacts.Shown(ctx, tx, r.Workspace, who)
	items := make([]CampaignRecipient, len(page.Items))
	for i, p := range page.Items {
		items[i] = CampaignRecipient{
			Contact: p.Contact, Name: shown[p.Contact].Name, State: p.State, Reason: p.Reason, Detail: p.Detail,
			Customer: p.Customer, Chat: p.Chat, Message: p.Message, At: momentOrNull(p.At),
		}
	}
	return web.NewList(items, page.Next), none, err
}

// Marketing is whether a customer takes marketing on a channel.
type Marketing struct {
	OptedOut bool       `json:"opted_out"`
	Reason   string     `json:"reason,omitempty" enum:"word,agent,provider" doc:"Who said so at last: the customer by one of the words, an agent, or the provider. None: nobody said anything."`
	Message  string     `json:"message,omitempty" doc:"The message that says it."`
	By       string     `json:"by,omitempty"`
	Note     string     `json:"note,omitempty"`
	At       *time.Time `json:"at"`
}

func marketingOf(ctx context.Context, tx sqldb.Tx, chatID string) (Marketing, error) {
	m, _, err := campaigns.MarketingOf(ctx, tx, chatID)
	return Marketing{m.Out, m.Reason, m.Message, m.By, m.Note, momentOrNull(m.At)}, err
}

// campaigns returns what can be read of campaigns, from the views that show them and
// contacts.
func (a *API) campaigns(names []string) []web.Endpoint {
	return []web.Endpoint{
		read(a, "/v1/campaigns", seniors, "List campaigns, the latest first", names, listCampaigns),
		read(a, "/v1/campaigns/{campaign}", seniors, "How far a campaign is", names, getCampaign),
		read(a, "/v1/campaigns/{campaign}/recipients", seniors, "What became of the audience of a campaign", names, listRecipients, "By the id of the contact."),
	}
}

package commandapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/web"
)

type inCampaign struct {
	Campaign campaign.ID `path:"campaign"`
}

type campaignWith[B any] struct {
	Campaign campaign.ID `path:"campaign"`
	Body     B
}

// CampaignBody is a template that is to be sent to an audience.
type CampaignBody struct {
	Name      string          `json:"name"`
	Group     string          `json:"group,omitempty" doc:"The id of a group: its members at the launch are the audience."`
	Filter    json.RawMessage `json:"filter,omitempty" doc:"Or what chooses the audience, as POST /v1/contacts/query takes it; {} means every contact. At most 200,000."`
	Channel   string          `json:"channel"`
	Template  string          `json:"template" doc:"The id of a template of the channel; to launch, it has to be approved."`
	Values    campaign.Values `json:"values,omitzero" doc:"What its variables get: header and body by the variable's name, buttons by their place, each a text that may have placeholders such as {{contact.first_name}}. Who lacks one is left out, unless fallbacks has something in its place: {\"contact.first_name\": \"there\"}. A header that is no text gets a link, or as media the chat and the id of a file that was uploaded to a chat of the workspace within 30 days; the rest of media is filled in."`
	PerMinute int             `json:"per_minute,omitempty" minimum:"1" maximum:"60000" doc:"At most so many are queued in a minute; 600 if it is not given."`
}

func (b CampaignBody) command(c caller) campaign.Create {
	return campaign.Create{
		Workspace: c.Workspace, Name: b.Name, Group: b.Group, Filter: given(b.Filter), Channel: b.Channel, Template: b.Template,
		Values: b.Values, PerMinute: b.PerMinute, By: string(c.By), At: c.At,
	}
}

// LaunchBody says when a campaign begins.
type LaunchBody struct {
	At *time.Time `json:"schedule_at,omitempty" doc:"At once if it is not given."`
}

// RescheduleBody says when a campaign begins instead.
type RescheduleBody struct {
	At time.Time `json:"schedule_at"`
}

// MarketingBody says whether a customer takes marketing.
type MarketingBody struct {
	OptedOut bool   `json:"opted_out"`
	Reason   string `json:"reason,omitempty"`
}

func (a *api) campaigns() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		write(a, "POST /v1/campaigns", seniors, "Draft a campaign",
			func(ctx ctx, c caller, in *with[CampaignBody]) (result, error) {
				return a.Campaigns.Create(ctx, c.Origin, commands.NewCampaign(c.Origin), in.Body.command(c))
			}, answers(201), "Nothing is sent before it is launched."),
		write(a, "POST /v1/campaigns/{campaign}/launch", seniors, "Launch a campaign, now or at a time",
			func(ctx ctx, c caller, in *campaignWith[*LaunchBody]) (result, error) {
				cmd := campaign.Launch{By: string(c.By), At: c.At}
				if in.Body != nil && in.Body.At != nil {
					cmd.Due = *in.Body.At
				}
				return a.Campaigns.Launch(ctx, c.Origin, in.Campaign, cmd)
			}, answers(202), "When it begins its audience is frozen. Each number is sent the message once at most, whoever has it."),
		write(a, "PATCH /v1/campaigns/{campaign}", seniors, "Give a campaign that has not begun another time",
			func(ctx ctx, c caller, in *campaignWith[RescheduleBody]) (result, error) {
				return a.Campaigns.Reschedule(ctx, c.Origin, in.Campaign, campaign.Reschedule{Due: in.Body.At, By: string(c.By), At: c.At})
			}, "It was launched with schedule_at. If it is paused it stays so."),
		write(a, "POST /v1/campaigns/{campaign}/pause", seniors, "Pause a campaign",
			func(ctx ctx, c caller, in *campaignWith[*ReasonBody]) (result, error) {
				return a.Campaigns.Pause(ctx, c.Origin, in.Campaign, campaign.Pause{By: string(c.By), Reason: in.Body.reason(), At: c.At})
			}, "What is queued is sent. It takes effect after the batch under way: a second of the rate. One that has not begun does not begin before it is resumed."),
		write(a, "POST /v1/campaigns/{campaign}/resume", seniors, "Go on with a campaign that was paused",
			func(ctx ctx, c caller, in *inCampaign) (result, error) {
				return a.Campaigns.Resume(ctx, c.Origin, in.Campaign, campaign.Resume{By: string(c.By), At: c.At})
			}, "One that had not begun begins at schedule_at, or at once if that has passed."),
		write(a, "POST /v1/campaigns/{campaign}/cancel", seniors, "End a campaign before its time",
			func(ctx ctx, c caller, in *campaignWith[*ReasonBody]) (result, error) {
				return a.Campaigns.Cancel(ctx, c.Origin, in.Campaign, campaign.Cancel{By: string(c.By), Reason: in.Body.reason(), At: c.At})
			}, "What is queued is sent. It takes effect after the batch under way: a second of the rate."),
		write(a, "POST /v1/chats/{chat}/marketing", staff, "Say whether a customer takes marketing",
			func(ctx ctx, c caller, in *chatWith[MarketingBody]) (result, error) {
				return a.Chats.SetMarketing(ctx, c.Origin, in.Chat, chat.SetMarketing{Out: in.Body.OptedOut, Note: in.Body.Reason, By: c.By, At: c.At})
			}, "On the chat's channel. Campaigns leave out who does not; answers and notices are sent all the same."),
	}
}

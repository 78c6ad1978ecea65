package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Campaigns runs the commands of package campaign, and sends their messages. The id
// of a message is derived from the campaign and the number, so that the chat's own
// stream refuses a second one; the id of the command that sends it from the campaign
// and the contact, so that what is done again after a crash finds what it did.
type Campaigns struct {
	campaigns  *aggregate[campaign.State, campaign.Event]
	chats      *Chats
	contacts   *Contacts
	groups     Groups
	templates  Templates
	workspaces *aggregate[workspace.State, workspace.Event]
}

// Create drafts a campaign. Its group and template are checked at once.
func (c Campaigns) Create(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Create) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.create", string(id), func(ctx context.Context, s campaign.State) ([]campaign.Event, error) {
		events, err := cmd.Decide(s)
		if err != nil || len(events) == 0 {
			return events, err
		}
		created := events[0].(campaign.Created)
		if created.Values.Media, err = c.file(ctx, cmd.Workspace, created.Values.Media, cmd.At); err != nil {
			return nil, err
		}
		return []campaign.Event{created}, c.ready(ctx, cmd.Workspace, created, false)
	})
}

// file returns a file that was uploaded to a chat with all that is known of it. From then
// on the campaign has it, whatever becomes of the chat.
func (c Campaigns) file(ctx context.Context, workspace string, named *campaign.File, at time.Time) (*campaign.File, error) {
	if named == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	var f chat.FileUse
	err := c.chats.Look(ctx, workspace, chat.ID(named.Chat), func(s chat.State) (err error) {
		f, err = s.Uploaded(chat.FileID(named.ID), at)
		return err
	})
	switch {
	case errors.Is(err, chat.ErrNotFound), errors.Is(err, chat.ErrFileNotFound):
		return nil, campaign.ErrNoMedia
	case err != nil:
		return nil, err
	}
	return &campaign.File{Chat: named.Chat, ID: named.ID, Kind: string(f.Kind), SHA256: f.SHA256, Size: f.Size, MIMEType: f.MIMEType}, nil
}

// ready refuses a campaign whose group or template is not there. One that is to be
// sent needs a template that may be, and a channel that is connected.
func (c Campaigns) ready(ctx context.Context, workspace string, s campaign.Created, toSend bool) error {
	if s.Group != "" {
		if _, err := c.groups.Get(ctx, workspace, group.ID(s.Group)); err != nil {
			return err
		}
	}
	if err := c.templates.channels.exists(ctx, workspace, s.Channel); err != nil {
		return err
	}
	return c.templates.Look(ctx, workspace, template.ID(s.Template), func(t template.State) error {
		if t.Channel != s.Channel {
			return campaign.ErrOther
		}
		if toSend {
			if err := t.Usable(); err != nil {
				return err
			}
		}
		// Whatever stands for the placeholders: every variable has to have a value.
		f, err := t.Components.Fill(values(s.Values, func(s string) string { return s }))
		if m := s.Values.Media; err == nil && m != nil && m.Kind != string(f.Header.Kind) {
			return campaign.ErrMediaKind.With("the header takes a file of kind " + string(f.Header.Kind) + ", and this one is of kind " + m.Kind)
		}
		return err
	})
}

// values returns the values of a template, each as with makes it.
func values(v campaign.Values, with func(string) string) (out template.Values) {
	each := func(in map[string]string) map[string]string {
		out := make(map[string]string, len(in))
		for k, s := range in {
			out[k] = with(s)
		}
		return out
	}
	out = template.Values{Header: each(v.Header), Body: each(v.Body), Buttons: each(v.Buttons)}
	switch {
	case v.Media != nil:
		out.Media = &template.File{ID: v.Media.ID, Filename: v.Filename}
	case v.Link != "":
		out.Media = &template.File{Link: v.Link, Filename: v.Filename}
	}
	return out
}

// Launch has a campaign begin, now or at a time.
func (c Campaigns) Launch(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Launch) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.launch", string(id), func(ctx context.Context, s campaign.State) ([]campaign.Event, error) {
		events, err := cmd.Decide(s)
		if err != nil || len(events) == 0 {
			return events, err
		}
		return events, c.ready(ctx, o.Workspace, s.Content, true)
	})
}

// Start begins what is due.
func (c Campaigns) Start(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Start) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.start", string(id), decides(cmd.Decide))
}

// Reschedule gives a campaign that has not begun another time.
func (c Campaigns) Reschedule(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Reschedule) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.reschedule", string(id), decides(cmd.Decide))
}

// Pause stops a campaign for a while.
func (c Campaigns) Pause(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Pause) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.pause", string(id), decides(cmd.Decide))
}

// Resume goes on with a campaign that was paused.
func (c Campaigns) Resume(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Resume) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.resume", string(id), decides(cmd.Decide))
}

// Cancel ends a campaign.
func (c Campaigns) Cancel(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Cancel) (Result, error) {
	return c.campaigns.do(ctx, o, "campaign.cancel", string(id), decides(cmd.Decide))
}

// Freeze records the audience of a campaign.
func (c Campaigns) Freeze(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Freeze) (Result, error) {
	o.Command = audience(id)
	return c.campaigns.do(ctx, o, "campaign.freeze", string(id), decides(cmd.Decide))
}

// Plan records who of the next batch is to be sent what.
func (c Campaigns) Plan(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Plan) (Result, error) {
	o.Command = planning(id, cmd.Step)
	return c.campaigns.do(ctx, o, "campaign.plan", string(id), decides(cmd.Decide))
}

// Record records what became of a batch.
func (c Campaigns) Record(ctx context.Context, o Origin, id campaign.ID, cmd campaign.Record) (Result, error) {
	o.Command = ids.Command("campaign record", string(id), fmt.Sprint(cmd.Step))
	return c.campaigns.do(ctx, o, "campaign.record", string(id), decides(cmd.Decide))
}

// Look returns the state of a campaign.
func (c Campaigns) Look(ctx context.Context, id campaign.ID) (out campaign.State, err error) {
	err = c.campaigns.with(ctx, string(id), func(s campaign.State) error {
		if s.Phase == "" {
			return campaign.ErrNotFound
		}
		out = s
		return nil
	})
	return out, err
}

// Choosable returns whether the group of a campaign has its members, and from which
// position of the log on a view that has them shows them. A group that was deleted is
// refused. A campaign without a group has nothing to wait for.
func (c Campaigns) Choosable(ctx context.Context, s campaign.Created) (at eventstore.Position, ok bool, err error) {
	if s.Group == "" {
		return 0, true, nil
	}
	g, err := c.groups.Get(ctx, s.Workspace, group.ID(s.Group))
	if err != nil || g.Kind != group.Static {
		return 0, err == nil, err
	}
	members, err := c.groups.Look(ctx, g.ID)
	if err != nil || members.Choice == 0 || members.Pending { // not even asked for, or not made
		return 0, false, err
	}
	head, err := c.campaigns.store.Head(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("%w: read the head: %w", ErrUnavailable, err)
	}
	return head.Position, true, nil
}

// Audience returns the next n of the audience.
func (c Campaigns) Audience(ctx context.Context, id campaign.ID, from, n int) ([]string, error) {
	e, err := c.event(ctx, id, audience(id), from/campaign.ChunkSize)
	if err != nil {
		return nil, err
	}
	chosen, ok := e.(campaign.AudienceChosen)
	if at := from % campaign.ChunkSize; ok && at+n <= len(chosen.Contacts) {
		return chosen.Contacts[at : at+n], nil
	}
	return nil, fmt.Errorf("commands: campaign %s has no %d in its audience", id, from+n)
}

// Planned returns the plan of a batch.
func (c Campaigns) Planned(ctx context.Context, id campaign.ID, step int) ([]campaign.Recipient, error) {
	e, err := c.event(ctx, id, planning(id, step), 0)
	if err != nil {
		return nil, err
	}
	if p, ok := e.(campaign.BatchPlanned); ok {
		return p.Recipients, nil
	}
	return nil, fmt.Errorf("commands: campaign %s has no plan %d", id, step)
}

// event returns the n-th event of a command of a campaign, or nil.
func (c Campaigns) event(ctx context.Context, id campaign.ID, command uuid.UUID, n int) (campaign.Event, error) {
	q := eventstore.StreamQuery{Event: ids.Event(command, n), Limit: 1}
	for r, err := range c.campaigns.store.ReadStream(ctx, "campaign-"+string(id), q) {
		if err != nil {
			return nil, fmt.Errorf("%w: read campaign: %w", ErrUnavailable, err)
		}
		return c.campaigns.codec.Decode(r)
	}
	return nil, nil //nolint:nilnil // it was never recorded
}

func audience(id campaign.ID) uuid.UUID { return ids.Command("campaign freeze", string(id)) }

func planning(id campaign.ID, step int) uuid.UUID {
	return ids.Command("campaign plan", string(id), fmt.Sprint(step))
}

// Address says under which number somebody in the audience is to be sent a message,
// or why they are not.
func (c Campaigns) Address(ctx context.Context, id campaign.ID, s campaign.Created, who string) (r campaign.Recipient, err error) {
	r.Contact = who
	known, err := c.contacts.person(ctx, s.Workspace, contact.ID(who))
	switch {
	case err != nil:
		return r, err
	case known == nil:
		r.Skipped = campaign.Deleted
		return r, nil
	case known.blocked:
		r.Skipped = campaign.Blocked
		return r, nil
	}
	slices.Sort(known.chats)
	for _, id := range known.chats { // where they have written already
		err := c.chats.Look(ctx, s.Workspace, chat.ID(id), func(ch chat.State) error {
			if ch.Channel == s.Channel && (r.Customer == "" || ch.LastReceived.After(known.last)) {
				r.Customer, known.last = ch.Customer, ch.LastReceived
			}
			return nil
		})
		if absent(err) != nil {
			return r, err
		}
	}
	for _, phone := range known.phones {
		if number, ok := contact.Phone(phone); ok && r.Customer == "" {
			r.Customer = strings.TrimPrefix(number, "+") // WhatsApp's id of a customer
		}
	}
	if r.Customer == "" {
		r.Skipped = campaign.NoNumber
		return r, nil
	}
	r.Chat = ids.Chat(s.Workspace, s.Channel, r.Customer)
	r.Message = ids.CampaignMessage(string(id), r.Customer)
	return r, nil
}

// Send does what was planned for somebody: queues the message, or says why it does
// not. A refusal that is about the template or the channel, and so about everybody,
// is an error.
func (c Campaigns) Send(ctx context.Context, o Origin, id campaign.ID, s campaign.State, r campaign.Recipient) (campaign.Recipient, error) {
	if r.Skipped != "" {
		return r, nil
	}
	o.Command = sending(id, r)
	o.Channel = s.Content.Channel
	none := func(why campaign.SkipReason, detail string) (campaign.Recipient, error) {
		r.Skipped, r.Detail, r.Message = why, detail, ""
		return r, nil
	}
	var missing error
	var left campaign.SkipReason
	res, err := c.chats.chats.do(ctx, o, "chat.send_campaign", r.Chat, func(ctx context.Context, ch chat.State) ([]chat.Event, error) {
		missing, left = nil, ""
		cmd := chat.SendCampaign{
			Workspace: s.Content.Workspace, Channel: s.Content.Channel, Customer: r.Customer, Message: chat.MessageID(r.Message), Campaign: string(id),
			Outgoing: chat.Outgoing{Text: "text"}, By: chat.AgentID(cmp.Or(s.By, s.Content.By)), At: o.OccurredAt,
		}
		if err := c.chats.initial(ctx, o.Workspace, ch, &cmd.DefaultStatus, &cmd.DefaultCategory); err != nil {
			return nil, err
		}
		// Whether the chat takes it comes first.
		if events, err := cmd.Decide(ch); err != nil || len(events) == 0 {
			return nil, err
		}
		// What was so when it was planned may not be so any more: that can be days ago.
		who, err := c.contacts.person(ctx, s.Content.Workspace, contact.ID(r.Contact))
		switch {
		case err != nil:
			return nil, err
		case who == nil:
			left = campaign.Deleted
			return nil, nil
		case who.blocked:
			left = campaign.Blocked
			return nil, nil
		}
		filled, err := c.fill(ctx, s.Content, r, who)
		if f, no := errors.AsType[*fault.Error](err); no && f.Code == quickreply.ErrValueMissing.Code {
			missing = err
		}
		if err != nil {
			return nil, err
		}
		cmd.Outgoing, _, err = c.templates.Fill(ctx, o.Workspace, UseTemplate{Template: template.ID(s.Content.Template), Values: filled}, true)
		if m := s.Content.Values.Media; err == nil && m != nil { // of another chat, which need not have it any more
			cmd.Outgoing.Template.Header.File = &chat.FileUse{
				ID: chat.FileID(m.ID), Kind: media.Kind(m.Kind), SHA256: m.SHA256, Size: m.Size, MIMEType: m.MIMEType, Filename: s.Content.Values.Filename,
			}
		}
		return after(err, cmd.Decide, ch)
	})
	var refused *fault.Error
	switch {
	case err == nil && left != "":
		return none(left, "")
	case err == nil && res.Changed:
		return r, nil
	case err == nil:
		return none(campaign.DuplicateNumber, "")
	case missing != nil && errors.As(missing, &refused):
		return none(campaign.MissingValue, refused.Msg)
	case errors.Is(err, chat.ErrOptedOut):
		return none(campaign.OptedOut, "")
	case errors.Is(err, chat.ErrNotFound):
		return none(campaign.ChatDeleted, "")
	case !errors.As(err, &refused), errors.Is(err, ErrBusy):
		return r, err
	case refused.Field != "": // a value that the provider does not take, say
		return none(campaign.Refused, refused.Code)
	}
	return r, err
}

// Did returns what Send did for somebody, without doing it.
func (c Campaigns) Did(ctx context.Context, id campaign.ID, r campaign.Recipient) (campaign.Recipient, error) {
	if r.Skipped != "" {
		return r, nil
	}
	q := eventstore.StreamQuery{Event: ids.Event(sending(id, r), 0), Limit: 1}
	for _, err := range c.chats.chats.store.ReadStream(ctx, "chat-"+r.Chat, q) {
		if err != nil {
			return r, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		return r, nil
	}
	r.Skipped, r.Message = campaign.NotSent, ""
	return r, nil
}

// sending is the command that sends somebody the message of a campaign.
func sending(id campaign.ID, r campaign.Recipient) uuid.UUID {
	return ids.Command("campaign send", string(id), r.Contact)
}

// fill returns the values of the template for somebody. What is missing is refused.
func (c Campaigns) fill(ctx context.Context, s campaign.Created, r campaign.Recipient, k *known) (template.Values, error) {
	k.fields["first_name"] = firstName(k.fields["name"])
	k.fields["phone"] = cmp.Or(k.fields["phone"], "+"+r.Customer)
	var wrong error
	filled := values(s.Values, func(text string) string {
		t, err := quickreply.Parse(text)
		if err != nil {
			wrong = err
			return text
		}
		known := map[string]string{}
		for _, name := range t.Names() {
			v := k.fields[strings.TrimPrefix(name, "contact.")]
			if name == "workspace.name" {
				err := c.workspaces.with(ctx, s.Workspace, func(w workspace.State) error {
					v = w.Name
					return nil
				})
				wrong = cmp.Or(wrong, err)
			}
			known[name] = cmp.Or(strings.TrimSpace(v), s.Values.Fallbacks[name])
		}
		out, err := t.Fill(known, nil)
		wrong = cmp.Or(wrong, err)
		return out
	})
	return filled, wrong
}

// NewCampaign returns the id of the campaign that the command o makes.
func NewCampaign(o Origin) campaign.ID { return campaign.ID(ids.Of(o.Command, "campaign")) }

// Package conversation is what was said in a chat: messages in both directions
// with how far they got, reactions, notes, and what happened to the chat.
//
// It folds and reads; it decides nothing. Reports and reactions may precede the
// message they are about, and webhooks come in any order: the time in the event
// decides, and of the same time the position in the log.
package conversation

import (
	"strconv"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/projections"
)

// Projection keeps the conversations up to date.
type Projection struct {
	notes      *projections.Rows[NoteKey, NoteRow]
	reports    *projections.Rows[ReportKey, ReportRow]
	deliveries *projections.Rows[MessageKey, DeliveryRow]
	reactions  *projections.Rows[ReactionKey, ReactionRow]
	entries    *projections.Journal[EntryRow]
}

// New returns the projection with nothing pending.
func New() projections.Projection {
	p := &Projection{
		notes:      projections.NewRows("conversation_v3_notes", func(r *NoteRow) NoteKey { return r.NoteKey }),
		reports:    projections.NewRows("conversation_v3_reports", func(r *ReportRow) ReportKey { return r.ReportKey }),
		deliveries: projections.NewRows("conversation_v3_deliveries", func(r *DeliveryRow) MessageKey { return r.MessageKey }),
		reactions:  projections.NewRows("conversation_v3_reactions", func(r *ReactionRow) ReactionKey { return r.ReactionKey }),
		entries: projections.NewJournal("conversation_v3_entries", func(r *EntryRow) int64 { return r.Position },
			projections.Index{Name: "by_time", Columns: "chat_id, happened_at"}),
	}
	p.reports.OnChange(p.deliver)
	p.notes.OnChange(p.forget)
	return p
}

// Name returns the name under which the conversations were published in this
// form. In conversation.v1 an entry had everything in one row; in conversation.v2
// entries of the same time were ordered by the provider's ids.
func (*Projection) Name() string { return "conversation.v3" }

// Categories returns the one category of streams that conversations are made of.
func (*Projection) Categories() []string { return []string{"chat"} }

// Tables returns the entries, and what they are completed with.
func (p *Projection) Tables() []projections.Table {
	return []projections.Table{p.notes, p.reports, p.deliveries, p.reactions, p.entries}
}

// Apply records what e changes in its conversation.
func (p *Projection) Apply(e projections.Event) {
	switch f := e.Fact.(type) {
	case chat.MessageReceived:
		r := entry(e, KindMessage, string(f.Message))
		r.At, r.ProviderID = f.At.UnixMicro(), f.ProviderID
		r.ByKind, r.ByID = customer(e)
		r.Body = Body{Content: &f.Content, Context: f.Context, Referral: f.Referral, Blocked: f.Blocked}
		p.entries.Add(r)
	case chat.MessageQueued:
		r := entry(e, KindMessage, string(f.Message))
		r.At, r.ByKind, r.ByID = f.At.UnixMicro(), "agent", string(f.By)
		if f.Bot {
			r.ByKind = "bot"
		}
		content := f.Content()
		r.Body = Body{Content: &content, QuickReply: f.QuickReply, Template: f.Template, Campaign: f.Campaign}
		if f.ReplyTo != nil {
			r.Body.Context = &chat.Context{ProviderID: f.ReplyTo.ProviderID}
		}
		p.entries.Add(r)
	case chat.MessageAccepted:
		p.accepted(e, f)
	case chat.DeliveryRecorded:
		p.reported(e, f)
	case chat.ReactionReceived:
		p.reaction(e, f)
	case chat.ReactionQueued:
		p.react(e, f)
	case chat.ReactionFailed:
		p.unreact(e, f)
	case chat.NoteAdded:
		r := entry(e, KindNote, string(f.Note))
		r.At, r.ByKind, r.ByID = f.At.UnixMicro(), "agent", string(f.By)
		p.entries.Add(r)
		p.notes.Put(NoteRow{NoteKey: NoteKey{r.Chat, r.ID}, Position: r.Position, Text: f.Text})
	case chat.NoteEdited:
		p.notes.Update(NoteKey{e.Subject(), string(f.Note)}, func(r *NoteRow) {
			r.Text, r.EditedAt, r.EditedBy = f.Text, f.At.UnixMicro(), string(f.By)
		})
	case chat.NoteDeleted:
		p.notes.Update(NoteKey{e.Subject(), string(f.Note)}, func(r *NoteRow) {
			*r = NoteRow{NoteKey: r.NoteKey, Position: r.Position, Deleted: true}
		})
	default:
		p.system(e)
	}
}

// entry returns an entry that e makes, with what all have in common.
func entry(e projections.Event, kind, id string) EntryRow {
	return EntryRow{
		Position: int64(e.Position), Chat: e.Subject(), Workspace: e.Meta.Workspace, Kind: kind,
		At: e.At(), ID: id, ByKind: e.Meta.ActorKind, ByID: e.Meta.Actor,
		Revision: int64(e.Revision),
	}
}

const byCustomer = "customer"

// customer returns who sent what a webhook brought.
func customer(e projections.Event) (kind, id string) {
	if e.Meta.ActorKind == byCustomer {
		id = e.Meta.Actor
	}
	return byCustomer, id
}

// accepted notes that a message got to the provider, and links the reports that
// name it by the provider's id.
func (p *Projection) accepted(e projections.Event, f chat.MessageAccepted) {
	p.delivery(MessageKey{e.Subject(), string(f.Message)}, func(r *DeliveryRow) {
		r.ProviderID = f.ProviderID
		// A report that it was sent may have come first. That it was accepted
		// says the same, and says it in every order of arrival.
		if chat.Delivery(r.State).Rank() <= chat.Sent.Rank() {
			r.Progress = Progress{State: string(chat.Sent), StateAt: f.At.UnixMicro()}
		}
	})
	p.report(e, f.ProviderID, func(r *ReportRow) { r.Message = string(f.Message) })
}

func (p *Projection) reported(e projections.Event, f chat.DeliveryRecorded) {
	d := Progress{State: string(f.State), StateAt: f.At.UnixMicro()}
	if f.Error != nil {
		d.ErrorCode, d.ErrorTitle, d.ErrorDetails = int64(f.Error.Code), f.Error.Title, f.Error.Details
	}
	if f.Message != "" {
		p.delivery(MessageKey{e.Subject(), string(f.Message)}, func(r *DeliveryRow) { r.reach(d) })
	}
	if f.ProviderID != "" {
		p.report(e, f.ProviderID, func(r *ReportRow) { r.reach(d) })
	}
}

func (p *Projection) delivery(k MessageKey, fold func(*DeliveryRow)) {
	p.deliveries.Upsert(k, func(r *DeliveryRow) {
		r.MessageKey = k
		fold(r)
	})
}

func (p *Projection) report(e projections.Event, provider string, fold func(*ReportRow)) {
	k, workspace := ReportKey{e.Subject(), provider}, e.Meta.Workspace
	p.reports.Upsert(k, func(r *ReportRow) {
		r.ReportKey, r.Workspace = k, workspace
		fold(r)
	})
}

// deliver brings what was reported to the message, once that is known.
func (p *Projection) deliver(_, after *ReportRow) {
	if after == nil || after.Message == "" {
		return
	}
	d := after.Progress
	p.delivery(MessageKey{after.Chat, after.Message}, func(r *DeliveryRow) { r.reach(d) })
}

// forget takes a deleted note out of the conversation.
func (p *Projection) forget(_, after *NoteRow) {
	if after.Deleted {
		p.entries.Remove(after.Position)
	}
}

// reach moves to a later state, never to an earlier one.
func (p *Progress) reach(d Progress) {
	if d.State != "" && (p.State == "" || chat.Delivery(d.State).Rank() > chat.Delivery(p.State).Rank()) {
		*p = d
	}
}

// reaction keeps the last one of each person on each message.
func (p *Projection) reaction(e projections.Event, f chat.ReactionReceived) {
	kind, sender := customer(e)
	row := ReactionRow{
		ReactionKey: ReactionKey{e.Subject(), f.Target, sender}, Workspace: e.Meta.Workspace,
		SenderKind: kind, Emoji: f.Emoji, At: f.At.UnixMicro(), Position: int64(e.Position),
	}
	p.reactions.Change(row.ReactionKey, func(r *ReactionRow) *ReactionRow {
		if r != nil && r.At > row.At {
			return r
		}
		return &row
	})
}

// ours is the row of a reaction that one of us has put on a message, by an id that no
// customer has.
func ours(e projections.Event, target string, r chat.ShownReaction, at time.Time) ReactionRow {
	row := ReactionRow{
		ReactionKey: ReactionKey{e.Subject(), target, string(r.By)}, Workspace: e.Meta.Workspace,
		SenderKind: "agent", Emoji: r.Emoji, At: at.UnixMicro(), Position: int64(e.Position),
	}
	if r.Bot {
		row.SenderKind = "bot"
	}
	return row
}

// react puts our one reaction on a message, in the place of the one before.
func (p *Projection) react(e projections.Event, f chat.ReactionQueued) {
	if was := f.Instead; was != nil && was.By != f.By {
		p.reactions.Put(ours(e, f.Target, chat.ShownReaction{By: was.By, Bot: was.Bot}, f.At))
	}
	p.reactions.Put(ours(e, f.Target, chat.ShownReaction{Emoji: f.Emoji, By: f.By, Bot: f.Bot}, f.At))
}

// unreact takes a reaction away that the customer does not see, brings back what they
// see, and says why.
func (p *Projection) unreact(e projections.Event, f chat.ReactionFailed) {
	if f.Left.By != f.By {
		p.reactions.Put(ours(e, f.Target, chat.ShownReaction{By: f.By, Bot: f.Bot}, f.At))
	}
	if f.Left.By != "" {
		p.reactions.Put(ours(e, f.Target, f.Left, f.At))
	}
	r := entry(e, KindSystem, e.ID.String())
	r.At, r.ByKind, r.ByID = f.At.UnixMicro(), "system", ""
	s := System{Type: NoReaction, Message: string(f.Message), Text: f.Emoji}
	if f.Error != nil {
		s.Code, s.Reason = strconv.Itoa(f.Error.Code), f.Error.Title
	}
	r.Body = Body{System: &s}
	p.entries.Add(r)
}

// system records what happened to the chat, unless it is nothing to show.
func (p *Projection) system(e projections.Event) {
	r := entry(e, KindSystem, e.ID.String())
	var s System
	switch f := e.Fact.(type) {
	case chat.SystemNoticed:
		s = System{Type: Noticed, Text: f.Text, Notice: f.Kind, NewNumber: f.NewNumber}
		r.ID = ids.Message(r.Chat, f.ProviderID)
		r.At, r.ByKind, r.ByID = f.At.UnixMicro(), "system", ""
	case chat.DetailsShared:
		s = System{Type: Shared, Message: string(f.Message), Details: &Details{
			Reason: string(f.Reason), Name: f.Name, Emails: f.Emails, Phones: f.Phones,
			Company: f.Company, City: f.City, Country: f.Country, Emptied: f.Emptied, Gone: f.Gone,
		}}
		r.At = f.At.UnixMicro()
	case chat.Claimed:
		s = System{Type: Claimed, To: string(f.By)}
	case chat.Assigned:
		s = System{Type: Assigned, To: string(f.To), From: string(f.From)}
	case chat.Unassigned:
		s = System{Type: Unassigned, From: string(f.From)}
	case chat.Transferred:
		s = System{
			Type: Transferred, ToKind: string(f.Kind), To: f.To, From: string(f.From), FromTeam: string(f.FromTeam), Reason: f.Reason,
			Accepted: f.Accepted,
		}
	case chat.TransferOffered:
		s = System{
			Type: Offered, ToKind: string(f.Kind), To: f.To, From: string(f.From), FromTeam: string(f.FromTeam), Reason: f.Reason, Until: &f.Expires,
		}
		r.At = f.At.UnixMicro()
	case chat.CallPermissionChanged:
		s = System{Type: Permission, Cause: "declined", Message: string(f.Message)}
		if f.Allowed {
			s.Cause = "allowed"
		}
		if !f.Until.IsZero() {
			s.Until = &f.Until
		}
		r.At = f.At.UnixMicro()
		if f.Message == "" {
			r.ByKind, r.ByID = "system", ""
		}
	case chat.TransferLapsed:
		s = System{Type: Lapsed, Cause: string(f.Cause), Reason: f.Reason}
		if f.Cause == chat.LapsedByTime {
			r.ByKind, r.ByID = "system", ""
		}
	case chat.TagsChanged:
		s = System{Type: TagsChanged, Added: texts(f.Added), Removed: texts(f.Removed)}
	case chat.StatusSet:
		s = System{Type: StatusSet, Status: f.Status, Category: string(f.Category), Was: f.From}
	case chat.Closed:
		s = System{Type: Closed, Status: f.Status, Category: string(f.Category), Was: f.From}
	case chat.Reopened:
		s = System{Type: Reopened, Status: f.Status, Category: string(f.Category), Was: f.From, Message: string(f.Message)}
		r.since(e, f.Message)
	case chat.Deleted:
		s = System{Type: Deleted, Reason: f.Reason}
	case chat.Restored:
		s = System{Type: Restored, Message: string(f.Message)}
		r.since(e, f.Message)
	case chat.CallRequested:
		s = System{Type: CallAsked, Call: &CallEntry{ID: f.Call, Phone: f.Phone, Provider: f.Provider}}
		r.At = f.At.UnixMicro()
	case chat.CallEnded:
		s = System{Type: CallEnded, Call: &CallEntry{ID: f.Call, Outcome: f.Outcome, Reason: f.Reason, Duration: f.Duration}}
		r.At = f.At.UnixMicro()
		r.ByKind, r.ByID = "system", ""
	case chat.OptedOut:
		s = System{Type: OptedOut, Reason: string(f.Reason), Message: string(f.Message)}
		r.At = f.At.UnixMicro()
	case chat.OptedIn:
		s = System{Type: OptedIn, Reason: string(f.Reason), Message: string(f.Message)}
		r.At = f.At.UnixMicro()
	case chat.Snoozed:
		s = System{Type: Snoozed}
		if !f.Until.IsZero() {
			s.Until = &f.Until
		}
	case chat.Woken:
		s = System{Type: Woken, Reason: string(f.Reason), Message: string(f.Message)}
		r.since(e, f.Message)
		if f.Reason == chat.WokenByTime {
			r.ByKind, r.ByID = "system", ""
		}
	case chat.MessageScheduled:
		s = System{Type: Scheduled, Message: string(f.Message), Text: f.Outgoing.Text, Until: &f.SendAt}
		r.At = f.At.UnixMicro()
	case chat.ScheduleChanged:
		s = System{Type: Rescheduled, Message: string(f.Message), Text: f.Outgoing.Text, Until: &f.SendAt}
		r.At = f.At.UnixMicro()
	case chat.ScheduleCancelled:
		s = System{Type: Unscheduled, Message: string(f.Message), Reason: string(f.Reason)}
		r.At = f.At.UnixMicro()
		r.since(e, f.Reply)
	case chat.ScheduleFailed:
		s = System{Type: NotSent, Message: string(f.Message), Code: f.Code, Reason: f.Reason}
		r.At = f.At.UnixMicro()
		r.ByKind, r.ByID = "system", ""
	default:
		return
	}
	r.Body.System = &s
	p.entries.Add(r)
}

// since dates what a message did to the chat: not when the customer wrote, but
// when it took effect.
func (r *EntryRow) since(e projections.Event, m chat.MessageID) {
	if m != "" {
		r.At, r.ByKind, r.ByID = e.Time.UnixMicro(), "system", ""
	}
}

func texts[T ~string](list []T) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

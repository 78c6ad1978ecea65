package transcript

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
)

// Kinds of entry.
const (
	KindMessage = "message"
	KindNote    = "note"
	KindSystem  = "system"
)

const (
	byCustomer = "customer"
	byAgent    = "agent"
	byBot      = "bot"
	bySystem   = "system"
)

// About is what a transcript says of its chat, as of the position.
type About struct {
	AsOf        int64     `json:"as_of"` // the position
	Chat        string    `json:"chat"`
	Revision    int64     `json:"revision"` // the chat's
	Workspace   Ref       `json:"workspace"`
	Channel     Ref       `json:"channel"`
	Customer    Ref       `json:"customer"` // with the id in the channel
	Status      Ref       `json:"status"`
	Assignee    *Ref      `json:"assignee"`
	Team        *Ref      `json:"team"`
	Tags        []Ref     `json:"tags"`
	Deleted     bool      `json:"deleted"`
	OpenedAt    time.Time `json:"opened_at"`
	LastEventAt time.Time `json:"last_event_at"` // when the log accepted it
	TimeZone    string    `json:"time_zone"`
	Notes       bool      `json:"notes"`  // whether they are in it
	Events      bool      `json:"events"` // whether they are in it
}

// Ref is the id of something, with the name it had at the position if it had one.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// label is what people call it.
func (r Ref) label() string { return cmp.Or(r.Name, r.ID) }

// Author is who wrote or did something.
type Author struct {
	Kind string `json:"kind"` // customer, agent, bot or system
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Entry is one line of the conversation. Message, Note or System is set, as Kind
// says.
type Entry struct {
	Position int64     `json:"position"`
	Revision int64     `json:"revision"`
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`
	By       Author    `json:"by"`
	Message  *Message  `json:"message,omitempty"`
	Note     *Note     `json:"note,omitempty"`
	System   *System   `json:"system,omitempty"`
}

// Message is a message in either direction.
type Message struct {
	Direction  string         `json:"direction"` // in or out
	ProviderID string         `json:"provider_id,omitempty"`
	Content    chat.Content   `json:"content"`
	ReplyTo    *ReplyTo       `json:"reply_to,omitempty"`
	Referral   *chat.Referral `json:"referral,omitempty"`
	Blocked    bool           `json:"blocked,omitempty"`
	Reactions  []Reaction     `json:"reactions,omitempty"`
	Delivery   *Delivery      `json:"delivery,omitempty"`

	QuickReply *chat.QuickReplyUse `json:"quick_reply,omitempty"` // that it was made from
	Template   *chat.TemplateUse   `json:"template,omitempty"`    // that it is
	Campaign   string              `json:"campaign,omitempty"`    // that it is a part of
}

// ReplyTo names the message that another one answers; if the chat has it, also
// its id, time and author.
type ReplyTo struct {
	ProviderID string     `json:"provider_id,omitempty"`
	Message    string     `json:"message,omitempty"`
	At         *time.Time `json:"at,omitempty"`
	By         *Author    `json:"by,omitempty"`
	Forwarded  bool       `json:"forwarded,omitempty"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	By    Author    `json:"by"`
	Emoji string    `json:"emoji"`
	At    time.Time `json:"at"`
}

// Delivery is how far a message got.
type Delivery struct {
	State chat.Delivery       `json:"state"`
	At    time.Time           `json:"at"`
	Error *chat.DeliveryError `json:"error,omitempty"`
}

// Note is private text, as it was at the position.
type Note struct {
	Text     string     `json:"text"`
	EditedAt *time.Time `json:"edited_at,omitempty"`
	EditedBy *Ref       `json:"edited_by,omitempty"`
}

// System is something that happened to the chat.
type System struct {
	Type      string   `json:"type"`
	Text      string   `json:"text,omitempty"`
	Notice    string   `json:"notice,omitempty"`
	NewNumber string   `json:"new_number,omitempty"`
	ToKind    string   `json:"to_kind,omitempty"`
	To        *Ref     `json:"to,omitempty"`
	From      *Ref     `json:"from,omitempty"`
	FromTeam  *Ref     `json:"from_team,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Status    *Ref     `json:"status,omitempty"`
	Category  string   `json:"category,omitempty"`
	Was       *Ref     `json:"was,omitempty"`
	Added     []Ref    `json:"added,omitempty"`
	Removed   []Ref    `json:"removed,omitempty"`
	Message   string   `json:"message,omitempty"`
	Details   *Details `json:"details,omitempty"`
	Call      *Call    `json:"call,omitempty"`

	Until *time.Time `json:"until,omitempty"`
	Code  string     `json:"code,omitempty"`

	Accepted bool   `json:"accepted,omitempty"`
	Cause    string `json:"cause,omitempty"`
}

// Call is a call to the customer.
type Call struct {
	ID       string `json:"id"`
	Phone    string `json:"phone,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Duration int64  `json:"duration_seconds,omitempty"`
}

// Details is what was told about the visitor.
type Details struct {
	Reason  string   `json:"reason"`
	Name    string   `json:"name,omitempty"`
	Emails  []string `json:"emails,omitempty"`
	Phones  []string `json:"phones,omitempty"`
	Company string   `json:"company,omitempty"`
	City    string   `json:"city,omitempty"`
	Country string   `json:"country,omitempty"`
	Emptied []string `json:"emptied,omitempty"`
	Gone    bool     `json:"gone,omitempty"`
}

// Bounds of what is in memory at once, besides the index.
const (
	maxChunk      = 200     // entries
	maxChunkBytes = 1 << 20 // of their events, or one event
	maxGap        = 32      // events that are read and passed over rather than asked around
)

// entries yields the entries in order, and reads their events again, some at a
// time.
func (t *Transcript) entries(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for rest := t.index.items; len(rest) > 0; {
			n, bytes := 0, 0
			for n < len(rest) && n < maxChunk && (n == 0 || bytes < maxChunkBytes) {
				bytes += rest[n].size
				if rest[n].kind == KindNote {
					bytes += t.index.notes[rest[n].id].size
				}
				n++
			}
			facts, err := t.read(ctx, rest[:n])
			if err != nil {
				yield(nil, err)
				return
			}
			for _, i := range rest[:n] {
				if !yield(t.entry(i, facts), nil) {
					return
				}
			}
			rest = rest[n:]
		}
	}
}

// read returns the events of items by revision, in as few reads as it takes.
func (t *Transcript) read(ctx context.Context, items []item) (map[eventstore.Revision]chat.Event, error) {
	facts := make(map[eventstore.Revision]chat.Event, len(items))
	for _, i := range items {
		facts[i.revision] = nil
		if i.kind == KindNote {
			facts[t.index.notes[i.id].text] = nil
		}
	}
	c := chatCodec()
	stream := streamOf(t.about.Chat)
	wanted := slices.Sorted(maps.Keys(facts))
	for len(wanted) > 0 {
		n := 1
		for n < len(wanted) && wanted[n]-wanted[n-1] <= maxGap {
			n++
		}
		first, last := wanted[0], wanted[n-1]
		found := 0
		for r, err := range t.store.ReadStream(ctx, stream, eventstore.StreamQuery{From: first, Limit: int(last-first) + 1}) {
			if err != nil {
				return nil, fmt.Errorf("read chat: %w", err)
			}
			if _, ok := facts[r.Revision]; !ok {
				continue
			}
			e, err := c.Decode(r)
			if err != nil {
				return nil, err
			}
			facts[r.Revision] = e
			found++
		}
		if found < n {
			return nil, fmt.Errorf("read chat: %s lacks events from revision %d on that it had a moment ago", stream, first)
		}
		wanted = wanted[n:]
	}
	return facts, nil
}

func (t *Transcript) entry(i item, facts map[eventstore.Revision]chat.Event) *Entry {
	e := &Entry{
		Position: int64(i.position), Revision: int64(i.revision), ID: i.id, Kind: i.kind, At: t.time(i.at), By: t.author(i.by),
	}
	switch f := facts[i.revision].(type) {
	case chat.MessageReceived:
		e.Message = &Message{Direction: "in", ProviderID: f.ProviderID, Content: f.Content, Referral: f.Referral, Blocked: f.Blocked, Reactions: t.reactions(f.ProviderID)}
		if c := f.Context; c != nil {
			e.Message.ReplyTo = t.replyTo(c)
		}
	case chat.MessageQueued:
		provider := t.index.provider[i.id]
		p := t.index.sent[i.id]
		e.Message = &Message{
			Direction: "out", ProviderID: provider, Content: f.Content(),
			Delivery: &Delivery{State: p.state, At: t.time(p.at), Error: p.err}, Reactions: t.reactions(provider), QuickReply: f.QuickReply, Template: f.Template, Campaign: f.Campaign,
		}
		if r := f.ReplyTo; r != nil {
			e.Message.ReplyTo = t.replyTo(&chat.Context{ProviderID: r.ProviderID})
		}
	case chat.NoteAdded:
		n := t.index.notes[i.id]
		e.Note = &Note{Text: f.Text}
		if edit, ok := facts[n.text].(chat.NoteEdited); ok {
			at := t.time(n.editedAt)
			e.Note = &Note{edit.Text, &at, ref(t.names.agents, n.editedBy)}
		}
	default:
		e.System = t.system(f)
	}
	return e
}

func (t *Transcript) system(e chat.Event) *System {
	agent := func(id chat.AgentID) *Ref { return ref(t.names.agents, string(id)) }
	team := func(id string) *Ref { return ref(t.names.teams, id) }
	receiver := func(kind chat.TransferKind, id string) *Ref {
		switch kind {
		case chat.ToAgent:
			return ref(t.names.agents, id)
		case chat.ToTeam:
			return ref(t.names.teams, id)
		case chat.ToBot:
		}
		return nil
	}
	status := func(id string) *Ref {
		if id == "" {
			return nil
		}
		return &Ref{id, t.names.statuses[id].Name}
	}
	switch f := e.(type) {
	case chat.SystemNoticed:
		return &System{Type: "noticed", Text: f.Text, Notice: f.Kind, NewNumber: f.NewNumber}
	case chat.DetailsShared:
		return &System{Type: "details_shared", Message: string(f.Message), Details: &Details{
			Reason: string(f.Reason), Name: f.Name, Emails: f.Emails, Phones: f.Phones, Company: f.Company, City: f.City, Country: f.Country, Emptied: f.Emptied, Gone: f.Gone,
		}}
	case chat.Claimed:
		return &System{Type: "claimed", To: agent(f.By)}
	case chat.Assigned:
		return &System{Type: "assigned", To: agent(f.To), From: agent(f.From)}
	case chat.Unassigned:
		return &System{Type: "unassigned", From: agent(f.From)}
	case chat.Transferred:
		return &System{Type: "transferred", ToKind: string(f.Kind), To: receiver(f.Kind, f.To), From: agent(f.From), FromTeam: team(string(f.FromTeam)), Reason: f.Reason, Accepted: f.Accepted}
	case chat.TransferOffered:
		return &System{
			Type: "transfer_offered", ToKind: string(f.Kind), To: receiver(f.Kind, f.To), From: agent(f.From), FromTeam: team(string(f.FromTeam)),
			Reason: f.Reason, Until: t.until(f.Expires),
		}
	case chat.CallPermissionChanged:
		s := &System{Type: "call_permission", Cause: "declined", Until: t.until(f.Until), Message: string(f.Message)}
		if f.Allowed {
			s.Cause = "allowed"
		}
		return s
	case chat.TransferLapsed:
		return &System{Type: "transfer_lapsed", Cause: string(f.Cause), Reason: f.Reason}
	case chat.TagsChanged:
		return &System{Type: "tags_changed", Added: t.tags(f.Added), Removed: t.tags(f.Removed)}
	case chat.StatusSet:
		return &System{Type: "status_set", Status: status(f.Status), Category: string(f.Category), Was: status(f.From)}
	case chat.Closed:
		return &System{Type: "closed", Status: status(f.Status), Category: string(f.Category), Was: status(f.From)}
	case chat.Reopened:
		return &System{Type: "reopened", Status: status(f.Status), Category: string(f.Category), Was: status(f.From), Message: string(f.Message)}
	case chat.Deleted:
		return &System{Type: "deleted", Reason: f.Reason}
	case chat.Restored:
		return &System{Type: "restored", Message: string(f.Message)}
	case chat.CallRequested:
		return &System{Type: "call_requested", Call: &Call{ID: f.Call, Phone: f.Phone}}
	case chat.CallEnded:
		return &System{Type: "call_ended", Call: &Call{ID: f.Call, Outcome: f.Outcome, Reason: f.Reason, Duration: f.Duration}}
	case chat.Snoozed:
		return &System{Type: "snoozed", Until: t.until(f.Until)}
	case chat.MessageScheduled:
		return &System{Type: "message_scheduled", Message: string(f.Message), Text: f.Outgoing.Text, Until: t.until(f.SendAt)}
	case chat.ScheduleChanged:
		return &System{Type: "schedule_changed", Message: string(f.Message), Text: f.Outgoing.Text, Until: t.until(f.SendAt)}
	case chat.ScheduleCancelled:
		return &System{Type: "schedule_cancelled", Message: string(f.Message), Reason: string(f.Reason)}
	case chat.ScheduleFailed:
		return &System{Type: "schedule_failed", Message: string(f.Message), Code: f.Code, Reason: f.Reason}
	case chat.ReactionFailed:
		s := &System{Type: "reaction_failed", Message: string(f.Message), Text: f.Emoji}
		if f.Error != nil {
			s.Code, s.Reason = strconv.Itoa(f.Error.Code), f.Error.Title
		}
		return s
	case chat.OptedOut:
		return &System{Type: "opted_out", Reason: string(f.Reason), Message: string(f.Message)}
	case chat.OptedIn:
		return &System{Type: "opted_in", Reason: string(f.Reason), Message: string(f.Message)}
	case chat.Woken:
		return &System{Type: "woken", Reason: string(f.Reason), Message: string(f.Message)}
	}
	return &System{}
}

// until returns a time to come in the zone of the transcript, or nil if there is none.
func (t *Transcript) until(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.In(t.opts.Zone)
	return &at
}

func (t *Transcript) time(micros int64) time.Time { return time.UnixMicro(micros).In(t.opts.Zone) }

// author gives an author the name at the position. A chat has one customer.
func (t *Transcript) author(a Author) Author {
	switch a.Kind {
	case byCustomer:
		a.Name = t.about.Customer.Name
	case byAgent, byBot:
		a.Name = t.names.agents[a.ID]
	}
	return a
}

func (t *Transcript) reactions(provider string) (all []Reaction) {
	if provider == "" {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(t.index.reactions[provider]), func(r reaction) bool { return r.emoji == "" })
	slices.SortFunc(list, func(a, b reaction) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.position, b.position), cmp.Compare(a.by.ID, b.by.ID))
	})
	for _, r := range list {
		all = append(all, Reaction{t.author(r.by), r.emoji, t.time(r.at)})
	}
	return all
}

func (t *Transcript) replyTo(c *chat.Context) *ReplyTo {
	r := &ReplyTo{ProviderID: c.ProviderID, Forwarded: c.Forwarded, Message: t.index.message[c.ProviderID]}
	if a, ok := t.index.answered[c.ProviderID]; ok {
		at, by := t.time(a.at), t.author(a.by)
		r.At, r.By = &at, &by
	}
	return r
}

func (t *Transcript) tags(ids []chat.TagID) (all []Ref) {
	for _, id := range ids {
		all = append(all, Ref{string(id), t.names.tags[string(id)].Name})
	}
	return all
}

// ref returns nil for nobody.
func ref(names map[string]string, id string) *Ref {
	if id == "" {
		return nil
	}
	return &Ref{id, names[id]}
}

// shown returns what something stood for at the position.
func shown(names map[string]Ref, id string) Ref {
	if r, ok := names[id]; ok {
		return r
	}
	return Ref{ID: id}
}

func (t *Transcript) summary(chatID string) About {
	x, s := t.index, t.index.state
	a := About{
		AsOf: int64(t.opts.AsOf), Chat: chatID, Revision: int64(x.revision),
		Workspace: Ref{s.Workspace, t.names.workspace}, Channel: Ref{s.Channel, t.names.channel},
		Customer: Ref{s.Customer, cmp.Or(t.names.contact, x.shared.value, x.profile.value)}, Status: shown(t.names.statuses, s.Status),
		Assignee: ref(t.names.agents, string(s.Assignee)), Team: ref(t.names.teams, string(s.Team)), Tags: []Ref{}, Deleted: s.Deleted,
		OpenedAt: x.openedAt.In(t.opts.Zone), LastEventAt: x.lastAt.In(t.opts.Zone), TimeZone: t.opts.Zone.String(),
		Notes: t.opts.Notes, Events: t.opts.Events,
	}
	for _, id := range slices.Sorted(maps.Keys(s.Tags)) {
		a.Tags = append(a.Tags, shown(t.names.tags, string(id)))
	}
	slices.SortFunc(a.Tags, func(a, b Ref) int { return cmp.Compare(a.ID, b.ID) })
	a.Tags = slices.Compact(a.Tags)
	return a
}

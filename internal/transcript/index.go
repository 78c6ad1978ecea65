package transcript

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

func streamOf(chatID string) string { return "chat-" + chatID }

func chatCodec() codec.Codec[chat.Event] { return codec.New(chat.Events) }

// item is where an entry is, and what puts it in its place.
//
// The order is that of the conversation: by the time at which it happened
// outside, else by the time at which it was recorded, and of the same time by
// position.
type item struct {
	at       int64  // microseconds since 1970 UTC
	id       string // of the message, the note or the event
	position eventstore.Position

	kind     string
	by       Author // without the name
	revision eventstore.Revision
	size     int // of the event, in bytes
}

func (a item) compare(b item) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.position, b.position))
}

// index is what the whole chat says about its entries.
type index struct {
	state    chat.State
	revision eventstore.Revision // the chat's
	openedAt time.Time
	lastAt   time.Time // when the last event was recorded

	items     []item
	notes     map[string]*note
	sent      map[string]*progress // by message, of those to the customer
	reports   map[string]*progress // by provider id
	message   map[string]string    // provider id to id, of every message that has one
	provider  map[string]string    // message id to provider id, of those to the customer
	reactions map[string][]reaction
	answered  map[string]answered // by provider id, of the messages that others answer
	replies   map[string]struct{} // provider ids of these

	shared, profile stamped // names of the customer

	agents, teams, tags, statuses map[string]struct{} // ids that need names

	actors map[string]string // each once in memory
}

type note struct {
	text     eventstore.Revision // of the event with the present text
	size     int
	editedAt int64
	editedBy string
	deleted  bool
}

type progress struct {
	message string // of a report, once it is known
	state   chat.Delivery
	at      int64
	err     *chat.DeliveryError
}

// reach moves to a later state, never to an earlier one.
func (p *progress) reach(q progress) {
	if q.state != "" && (p.state == "" || q.state.Rank() > p.state.Rank()) {
		p.state, p.at, p.err = q.state, q.at, q.err
	}
}

type reaction struct {
	by       Author
	emoji    string
	at       int64
	position eventstore.Position
}

type answered struct {
	at int64
	by Author
}

type stamped struct {
	value string
	at    int64
}

// later takes v, which the log has behind s, unless it was said before s.
func (s *stamped) later(v stamped) {
	if v.value != "" && (*s == (stamped{}) || v.at >= s.at) {
		*s = v
	}
}

func readIndex(ctx context.Context, store Streams, chatID string, o Options) (*index, error) {
	x := &index{
		revision: eventstore.NoStream, notes: map[string]*note{}, sent: map[string]*progress{}, reports: map[string]*progress{},
		message: map[string]string{}, provider: map[string]string{}, reactions: map[string][]reaction{}, answered: map[string]answered{}, replies: map[string]struct{}{},
		agents: map[string]struct{}{}, teams: map[string]struct{}{}, tags: map[string]struct{}{}, statuses: map[string]struct{}{}, actors: map[string]string{},
	}
	c := chatCodec()
	for r, err := range store.ReadStream(ctx, streamOf(chatID), eventstore.StreamQuery{}) {
		if err != nil {
			return nil, fmt.Errorf("read chat: %w", err)
		}
		if r.Position > o.AsOf {
			break
		}
		e, err := c.Decode(r)
		if err != nil {
			return nil, err
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			return nil, err
		}
		switch e.(type) {
		case chat.MessageQueued, chat.MessageAccepted, chat.DeliveryRecorded: // what the state keeps of them is in the index
		default:
			x.state = chat.Evolve(x.state, e)
		}
		x.revision, x.lastAt = r.Revision, r.Time
		x.add(chatID, r, meta, e)
	}
	if !x.state.Exists {
		return nil, chat.ErrNotFound
	}
	for id, r := range x.reports {
		if r.message != "" {
			x.progress(r.message).reach(*x.reports[id])
		}
	}
	x.items = slices.DeleteFunc(x.items, func(i item) bool {
		switch i.kind {
		case KindNote:
			return !o.Notes || x.notes[i.id].deleted
		case KindSystem:
			return !o.Events
		}
		return false
	})
	slices.SortFunc(x.items, item.compare)
	x.nameAnswered()
	x.needNames()
	return x, nil
}

// add takes in one event. What it keeps it copies: a decoded event shares the
// memory of its whole text.
func (x *index) add(chatID string, r eventstore.Recorded, meta eventstore.Metadata, e chat.Event) {
	at := r.Time
	if !meta.OccurredAt.IsZero() {
		at = meta.OccurredAt
	}
	i := item{
		at: at.UnixMicro(), position: r.Position, revision: r.Revision, size: len(r.Data),
		by: Author{Kind: x.actor(meta.ActorKind), ID: x.actor(meta.Actor)},
	}
	customer := Author{Kind: byCustomer}
	if meta.ActorKind == byCustomer {
		customer.ID = i.by.ID
	}
	switch f := e.(type) {
	case chat.Opened:
		x.openedAt = f.At
	case chat.MessageReceived:
		i.kind, i.id, i.by, i.at = KindMessage, strings.Clone(string(f.Message)), customer, f.At.UnixMicro()
		x.items = append(x.items, i)
		x.message[strings.Clone(f.ProviderID)] = i.id
		if f.Context != nil && f.Context.ProviderID != "" {
			x.replies[strings.Clone(f.Context.ProviderID)] = struct{}{}
		}
		x.profile.later(stamped{strings.Clone(f.ProfileName), i.at})
	case chat.MessageQueued:
		i.kind, i.id, i.at = KindMessage, strings.Clone(string(f.Message)), f.At.UnixMicro()
		i.by = Author{Kind: byAgent, ID: x.actor(string(f.By))}
		if f.Bot {
			i.by.Kind = byBot
		}
		x.items = append(x.items, i)
		if f.ReplyTo != nil {
			x.replies[strings.Clone(f.ReplyTo.ProviderID)] = struct{}{}
		}
		x.progress(i.id).reach(progress{state: chat.Queued, at: i.at})
	case chat.MessageAccepted:
		id, provider := strings.Clone(string(f.Message)), strings.Clone(f.ProviderID)
		x.message[provider], x.provider[id] = id, provider
		// That it was accepted says that it was sent, whether or not a report said
		// so before.
		if p := x.progress(id); p.state.Rank() <= chat.Sent.Rank() {
			*p = progress{state: chat.Sent, at: f.At.UnixMicro()}
		}
		x.report(provider).message = id
	case chat.DeliveryRecorded:
		p := progress{state: chat.Delivery(strings.Clone(string(f.State))), at: f.At.UnixMicro()}
		if f.Error != nil {
			p.err = &chat.DeliveryError{Code: f.Error.Code, Title: strings.Clone(f.Error.Title), Details: strings.Clone(f.Error.Details)}
		}
		if f.Message != "" {
			x.progress(strings.Clone(string(f.Message))).reach(p)
		}
		if f.ProviderID != "" {
			x.report(strings.Clone(f.ProviderID)).reach(p)
		}
	case chat.ReactionReceived:
		x.react(strings.Clone(f.Target), reaction{customer, strings.Clone(f.Emoji), f.At.UnixMicro(), r.Position})
	case chat.ReactionQueued:
		if was := f.Instead; was != nil && was.By != f.By {
			x.reactOurs(r, f.Target, chat.ShownReaction{By: was.By, Bot: was.Bot}, f.At)
		}
		x.reactOurs(r, f.Target, chat.ShownReaction{Emoji: f.Emoji, By: f.By, Bot: f.Bot}, f.At)
	case chat.ReactionFailed:
		if f.Left.By != f.By {
			x.reactOurs(r, f.Target, chat.ShownReaction{By: f.By, Bot: f.Bot}, f.At)
		}
		if f.Left.By != "" {
			x.reactOurs(r, f.Target, f.Left, f.At)
		}
		x.system(chatID, i, r, e)
	case chat.NoteAdded:
		i.kind, i.id, i.at = KindNote, strings.Clone(string(f.Note)), f.At.UnixMicro()
		i.by = Author{Kind: byAgent, ID: strings.Clone(string(f.By))}
		x.items = append(x.items, i)
		x.notes[i.id] = &note{text: r.Revision}
	case chat.NoteEdited:
		if n := x.notes[string(f.Note)]; n != nil && !n.deleted {
			n.text, n.size, n.editedAt, n.editedBy = r.Revision, len(r.Data), f.At.UnixMicro(), strings.Clone(string(f.By))
		}
	case chat.NoteDeleted:
		if n := x.notes[string(f.Note)]; n != nil {
			n.deleted = true
		}
	default:
		x.system(chatID, i, r, e)
	}
}

// system takes in what happened to the chat, unless it is nothing to show.
func (x *index) system(chatID string, i item, r eventstore.Recorded, e chat.Event) {
	i.kind, i.id = KindSystem, r.ID.String()
	since := func(m chat.MessageID) { // what a message led to, when it took effect
		if m != "" {
			i.at, i.by = r.Time.UnixMicro(), Author{Kind: bySystem}
		}
	}
	need := func(names map[string]struct{}, id string) {
		if id != "" {
			names[strings.Clone(id)] = struct{}{}
		}
	}
	switch f := e.(type) {
	case chat.SystemNoticed:
		i.at, i.by = f.At.UnixMicro(), Author{Kind: bySystem}
		i.id = ids.Message(chatID, f.ProviderID)
	case chat.DetailsShared:
		i.at = f.At.UnixMicro()
		x.shared.later(stamped{strings.Clone(f.Name), i.at})
		if slices.Contains(f.Emptied, chat.DetailName) && i.at >= x.shared.at {
			x.shared = stamped{at: i.at}
		}
	case chat.Claimed:
		need(x.agents, string(f.By))
	case chat.Assigned:
		need(x.agents, string(f.To))
		need(x.agents, string(f.From))
	case chat.Unassigned:
		need(x.agents, string(f.From))
	case chat.Transferred:
		need(x.agents, string(f.From))
		need(x.teams, string(f.FromTeam))
		switch f.Kind {
		case chat.ToAgent:
			need(x.agents, f.To)
		case chat.ToTeam:
			need(x.teams, f.To)
		}
	case chat.TransferOffered:
		i.at = f.At.UnixMicro()
		need(x.agents, string(f.From))
		need(x.teams, string(f.FromTeam))
		if f.Kind == chat.ToTeam {
			need(x.teams, f.To)
		} else {
			need(x.agents, f.To)
		}
	case chat.CallPermissionChanged:
		i.at = f.At.UnixMicro()
		if f.Message == "" {
			i.by = Author{Kind: bySystem}
		}
	case chat.TransferLapsed:
		if f.Cause == chat.LapsedByTime {
			i.by = Author{Kind: bySystem}
		}
	case chat.TagsChanged:
		for _, t := range slices.Concat(f.Added, f.Removed) {
			need(x.tags, string(t))
		}
	case chat.StatusSet:
		need(x.statuses, f.Status)
		need(x.statuses, f.From)
	case chat.Closed:
		need(x.statuses, f.Status)
		need(x.statuses, f.From)
	case chat.Reopened:
		need(x.statuses, f.Status)
		need(x.statuses, f.From)
		since(f.Message)
	case chat.Deleted:
	case chat.Restored:
		since(f.Message)
	case chat.CallRequested:
		i.at = f.At.UnixMicro()
	case chat.CallEnded:
		i.at, i.by = f.At.UnixMicro(), Author{Kind: bySystem}
	case chat.Snoozed:
		i.at = f.At.UnixMicro()
	case chat.OptedOut:
		i.at = f.At.UnixMicro()
	case chat.OptedIn:
		i.at = f.At.UnixMicro()
	case chat.Woken:
		since(f.Message)
		if f.Reason == chat.WokenByTime {
			i.by = Author{Kind: bySystem}
		}
	case chat.MessageScheduled:
		i.at = f.At.UnixMicro()
	case chat.ScheduleChanged:
		i.at = f.At.UnixMicro()
	case chat.ScheduleCancelled:
		i.at = f.At.UnixMicro()
		since(f.Reply)
	case chat.ReactionFailed:
		i.at, i.by = f.At.UnixMicro(), Author{Kind: bySystem}
	case chat.ScheduleFailed:
		i.at, i.by = f.At.UnixMicro(), Author{Kind: bySystem}
	default:
		return
	}
	x.items = append(x.items, i)
}

// actor returns a copy of s that is shared by all that are equal to it.
func (x *index) actor(s string) string {
	if known, ok := x.actors[s]; ok {
		return known
	}
	s = strings.Clone(s)
	x.actors[s] = s
	return s
}

func (x *index) progress(message string) *progress {
	if x.sent[message] == nil {
		x.sent[message] = &progress{}
	}
	return x.sent[message]
}

func (x *index) report(provider string) *progress {
	if x.reports[provider] == nil {
		x.reports[provider] = &progress{}
	}
	return x.reports[provider]
}

// react keeps the last reaction of each person on each message.
func (x *index) react(target string, r reaction) {
	list := x.reactions[target]
	k := slices.IndexFunc(list, func(o reaction) bool { return o.by.ID == r.by.ID })
	switch {
	case k < 0:
		x.reactions[target] = append(list, r)
	case r.at >= list[k].at:
		list[k] = r
	}
}

// reactOurs keeps a reaction of one of us, the last one of the log.
func (x *index) reactOurs(e eventstore.Recorded, target string, s chat.ShownReaction, at time.Time) {
	r := reaction{by: Author{Kind: byAgent, ID: x.actor(string(s.By))}, emoji: strings.Clone(s.Emoji), at: at.UnixMicro(), position: e.Position}
	if s.Bot {
		r.by.Kind = byBot
	}
	list := x.reactions[target]
	if k := slices.IndexFunc(list, func(o reaction) bool { return o.by.ID == r.by.ID }); k >= 0 {
		list[k] = r
		return
	}
	x.reactions[strings.Clone(target)] = append(list, r)
}

// nameAnswered finds out when the messages that others answer were written, and
// by whom.
func (x *index) nameAnswered() {
	wanted := map[string]string{} // message id to provider id
	for provider := range x.replies {
		if id, known := x.message[provider]; known {
			wanted[id] = provider
		}
	}
	for _, i := range x.items {
		if provider, ok := wanted[i.id]; ok && i.kind == KindMessage {
			x.answered[provider] = answered{i.at, i.by}
		}
	}
}

// needNames notes whose names the entries need besides.
func (x *index) needNames() {
	for _, i := range x.items {
		if i.by.Kind == byAgent || i.by.Kind == byBot {
			x.agents[i.by.ID] = struct{}{}
		}
	}
	for _, list := range x.reactions {
		for _, r := range list {
			if r.by.Kind == byAgent || r.by.Kind == byBot {
				x.agents[r.by.ID] = struct{}{}
			}
		}
	}
	for _, n := range x.notes {
		if n.editedBy != "" {
			x.agents[n.editedBy] = struct{}{}
		}
	}
	if x.state.Assignee != "" {
		x.agents[string(x.state.Assignee)] = struct{}{}
	}
	if x.state.Team != "" {
		x.teams[string(x.state.Team)] = struct{}{}
	}
	for t := range x.state.Tags {
		x.tags[string(t)] = struct{}{}
	}
	x.statuses[x.state.Status] = struct{}{}
}

// Package commands is the list of things the system can be asked to do: load
// what happened, decide, append. One file for each aggregate.
//
// It never reads a view. Whatever a decision depends on, it folds from the log.
package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/attribute"
	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/campaign"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/group"
	"github.com/chatledger/chatledger/domain/members"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/quickreply"
	"github.com/chatledger/chatledger/domain/request"
	"github.com/chatledger/chatledger/domain/savedview"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/domain/team"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

// Origin says on whose behalf, for what reason and under which conditions a
// command runs. It is an argument everywhere, never a context value.
type Origin struct {
	Workspace string
	Actor     string // an agent's id, a customer's id in the channel, or a reactor's name
	ActorKind ActorKind
	Channel   string // the channel's id, if one is involved

	// Command names the command: a repeat carries the same and gets the first
	// result. Zero means that the command is never repeated.
	Command uuid.UUID
	// Keyed says that Command comes from a caller's idempotency key: then also
	// the answer of a command that changed nothing is kept for the repeat.
	Keyed bool
	// Fingerprint tells one request from another. If it is set, a repeat with
	// another one is refused as ErrKeyReused.
	Fingerprint string

	// IfMatch, if set, is the revision that the subject must still have.
	IfMatch *eventstore.Revision

	OccurredAt  time.Time // UTC; when it happened outside, if known
	Correlation string    // what all that one request leads to has in common; the id of its command if it is empty
	Causation   string    // id of the event that led to the command, if one did, or of the command that it is a part of
	Traceparent string    // W3C Trace Context
}

// identified returns o with a command id, made if it has none.
func (o Origin) identified() Origin {
	if o.Command == uuid.Nil {
		o.Command = uuid.Must(uuid.NewV7()) // what is random is always there
	}
	return o
}

// part returns the origin of a command that the one of o, which has an id, needs for
// itself, on another stream: it has an id of its own, and says what it belongs to.
func (o Origin) part(command uuid.UUID) Origin {
	o.Correlation, o.Causation = cmp.Or(o.Correlation, o.Command.String()), cmp.Or(o.Causation, o.Command.String())
	o.Command, o.IfMatch, o.Keyed, o.Fingerprint = command, nil, false, ""
	return o
}

// ActorKind is the sort of actor in an Origin.
type ActorKind string

// Kinds of actor.
const (
	ActorAgent    ActorKind = "agent"
	ActorBot      ActorKind = "bot"
	ActorCustomer ActorKind = "customer"
	ActorSystem   ActorKind = "system"
)

// Result is what a command led to. A repeat gets the Result of the first run.
type Result struct {
	ID       string              // of the aggregate
	Revision eventstore.Revision // of its stream afterwards
	Position eventstore.Position // of its last event
	Changed  bool                // false if nothing had to be done
}

// Stale refuses a command whose Origin.IfMatch is not the present revision.
type Stale struct {
	Subject   string // the stream
	Want, Got eventstore.Revision
	Since     []eventstore.Recorded // what happened after Want, at most staleLimit events
}

const staleLimit = 100

func (e *Stale) Error() string {
	return fmt.Sprintf("%s is at revision %d, not %d", e.Subject, e.Got, e.Want)
}

// Options are the parts of Commands that have defaults.
type Options struct {
	Now       func() time.Time // default time.Now
	CacheSize int              // events whose folded states are kept in memory; default 500,000
}

// Commands holds every command, by what it is about.
type Commands struct {
	Chats      Chats
	Contacts   Contacts
	Attributes Attributes
	Orders     Orders
	Agents     Agents
	Teams      Teams
	Tags       Tags
	Statuses   Statuses
	Channels   Channels
	Workspaces Workspaces
	Webhooks   Webhooks
	Bulk       Bulk
	Exports    Exports
	Groups     Groups
	Campaigns  Campaigns

	QuickReplies QuickReplies
	Calls        Calls
	SavedViews   SavedViews
	Templates    Templates
	CustomViews  CustomViews
}

// New returns the commands on a log.
func New(store eventstore.Store, o Options) *Commands {
	if o.Now == nil {
		o.Now = clock
	}
	if o.CacheSize == 0 {
		o.CacheSize = 500_000
	}
	cache := newCache(o.CacheSize)
	requests := &aggregate[request.State, request.Event]{
		category: "request", store: store, codec: codec.New(request.Events), evolve: request.Evolve, now: o.Now,
	}
	var (
		chats      = newAggregate("chat", store, cache, requests, o.Now, chat.Events, chat.Evolve, chat.ErrNotFound, func(s chat.State) string { return s.Workspace })
		contacts   = newAggregate("contact", store, cache, requests, o.Now, contact.Events, contact.Evolve, contact.ErrNotFound, func(s contact.State) string { return s.Workspace })
		attributes = newAggregate("attributes", store, cache, requests, o.Now, attribute.Events, attribute.Evolve, nil, nil)
		orders     = newAggregate("order", store, cache, requests, o.Now, order.Events, order.Evolve, order.ErrNotFound, func(s order.State) string { return s.Workspace })
		agents     = newAggregate("agent", store, cache, requests, o.Now, agent.Events, agent.Evolve, agent.ErrNotFound, func(s agent.State) string { return s.Workspace })
		channels   = newAggregate("channel", store, cache, requests, o.Now, channel.Events, channel.Evolve, channel.ErrNotFound, func(s channel.State) string { return s.Workspace })
		exports    = newAggregate("export", store, nil, requests, o.Now, export.Events, export.Evolve, export.ErrNotFound, func(s export.State) string { return s.Workspace })
		jobs       = newAggregate("bulk", store, cache, requests, o.Now, bulk.Events, bulk.Evolve, bulk.ErrNotFound, func(s bulk.State) string { return s.Workspace })
		calls      = newAggregate("call", store, cache, requests, o.Now, call.Events, call.Evolve, call.ErrNotFound, func(s call.State) string { return s.Request.Workspace })
		webhooks   = newAggregate("webhook", store, nil, requests, o.Now, webhook.Events, webhook.Evolve, webhook.ErrNotFound, func(s webhook.State) string { return s.Workspace })
		teams      = newAggregate("teams", store, cache, requests, o.Now, team.Events, team.Evolve, nil, nil)
		tags       = newAggregate("tags", store, cache, requests, o.Now, tag.Events, tag.Evolve, nil, nil)
		statuses   = newAggregate("statuses", store, cache, requests, o.Now, status.Events, status.Evolve, nil, nil)
		workspaces = newAggregate("workspace", store, cache, requests, o.Now, workspace.Events, workspace.Evolve, nil, nil)
	)
	c := &Commands{
		Agents:     Agents{agents},
		Teams:      Teams{teams, agents},
		Tags:       Tags{tags},
		Statuses:   Statuses{statuses, store},
		Channels:   Channels{channels},
		Workspaces: Workspaces{workspaces, statuses},
		Webhooks:   Webhooks{webhooks},
	}
	c.Orders = Orders{orders, chats, c.Agents, c.Tags, &c.Chats, &c.Templates}
	c.Attributes = Attributes{attributes}
	c.Contacts = Contacts{contacts, chats, c.Attributes, c.Agents, c.Tags, c.Statuses}
	c.Chats = Chats{chats, c.Agents, c.Teams, c.Tags, c.Statuses, c.Channels, c.Workspaces, c.Contacts}
	c.Groups = Groups{
		groups:  newAggregate("groups", store, cache, requests, o.Now, group.Events, group.Evolve, nil, nil),
		members: newAggregate("members", store, cache, requests, o.Now, members.Events, members.Evolve, group.ErrNotFound, func(s members.State) string { return s.Workspace }),
	}
	c.Bulk = Bulk{jobs, &c.Chats, &c.Contacts, &c.Orders, &c.Exports}
	c.QuickReplies = QuickReplies{
		replies: newAggregate("quickreplies", store, cache, requests, o.Now, quickreply.Events, quickreply.Evolve, quickreply.ErrNotFound, func(s quickreply.State) string { return s.Workspace }),
		chats:   chats, agents: c.Agents, teams: c.Teams, statuses: c.Statuses, channels: c.Channels, workspaces: workspaces,
		contacts: c.Contacts, attributes: c.Attributes,
	}
	c.Calls = Calls{calls, chats, channels, c.Contacts}
	c.SavedViews = SavedViews{newAggregate("savedviews", store, cache, requests, o.Now, savedview.Events, savedview.Evolve, savedview.ErrNotFound, func(s savedview.State) string { return s.Workspace })}
	c.CustomViews = CustomViews{newAggregate("customviews", store, cache, requests, o.Now, customview.Events, customview.Evolve, nil, nil)}
	c.Exports = Exports{exports, attributes, c.CustomViews.views}
	c.Templates = Templates{
		templates: newAggregate("template", store, cache, requests, o.Now, template.Events, template.Evolve, template.ErrNotFound, func(s template.State) string { return s.Workspace }),
		chats:     chats, channels: c.Channels, spaces: c.Workspaces, contacts: c.Contacts,
	}
	c.Campaigns = Campaigns{
		campaigns: newAggregate("campaign", store, cache, requests, o.Now, campaign.Events, campaign.Evolve, campaign.ErrNotFound, func(s campaign.State) string { return s.Content.Workspace }),
		chats:     &c.Chats, contacts: &c.Contacts, groups: c.Groups, templates: c.Templates, workspaces: workspaces,
	}
	return c
}

// Events returns the whole catalogue: every type of event that is in the log.
func Events() []codec.Event {
	var all []codec.Event
	add(&all, workspace.Events)
	add(&all, agent.Events)
	add(&all, team.Events)
	add(&all, tag.Events)
	add(&all, status.Events)
	add(&all, channel.Events)
	add(&all, webhook.Events)
	add(&all, chat.Events)
	add(&all, contact.Events)
	add(&all, attribute.Events)
	add(&all, order.Events)
	add(&all, bulk.Events)
	add(&all, export.Events)
	add(&all, group.Events)
	add(&all, members.Events)
	add(&all, campaign.Events)
	add(&all, quickreply.Events)
	add(&all, call.Events)
	add(&all, savedview.Events)
	add(&all, template.Events)
	add(&all, customview.Events)
	add(&all, request.Events)
	return all
}

func add[E codec.Event](all *[]codec.Event, events []E) {
	for _, e := range events {
		*all = append(*all, e)
	}
}

// IsEvent reports whether there is a type of events with this name.
func IsEvent(name string) bool {
	for _, e := range Events() {
		if e.EventType() == name {
			return true
		}
	}
	return false
}

// Codec returns the codec of the whole catalogue.
func Codec() codec.Codec[codec.Event] { return codec.New(Events()) }

// IsRefusal reports whether err is an answer to the caller rather than a
// failure: trying again does not help. ErrBusy is none.
func IsRefusal(err error) bool {
	var stale *Stale
	return errors.As(err, &stale) || isFault(err) && !errors.Is(err, ErrBusy)
}

// decideFunc chooses the events that follow from a state, or refuses. It may
// look at other aggregates, and must not keep or change the state.
type decideFunc[S, E any] func(ctx context.Context, s S) ([]E, error)

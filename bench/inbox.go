package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/sqlite"
)

// An inbox as a company has it: most chats are closed, some agents and some tags
// have more than others.
const (
	inboxSpace   = "acme"
	inboxAgents  = 50
	inboxTags    = 30
	inboxFillers = 128
	inboxSeed    = 7
)

type inboxStatus struct {
	id       string
	category chat.Category
	share    float64 // of the chats
}

func inboxStatuses() []inboxStatus {
	return []inboxStatus{
		{"CLOSED", chat.CategoryClosed, 0.70},
		{"OPEN", chat.CategoryOpen, 0.12},
		{"INPROGRESS", chat.CategoryOpen, 0.10},
		{"REVIEW", chat.CategoryPending, 0.04},
		{"ONHOLD", chat.CategoryPending, 0.03},
		{"DEPENDENCY", chat.CategoryPending, 0.01},
	}
}

// profile is how the nth chat of the inbox stands in the end.
type profile struct {
	status   inboxStatus
	assignee string // "" for nobody
	tags     []chat.TagID
	read     bool
	at       time.Time // it began
	answered time.Time
}

func profileOf(n int) (p profile) {
	r := rand.New(rand.NewPCG(inboxSeed, uint64(n)))
	share := r.Float64()
	for _, p.status = range inboxStatuses() {
		if share -= p.status.share; share < 0 {
			break
		}
	}
	if r.IntN(4) > 0 {
		p.assignee = fmt.Sprintf("agent-%d", int(inboxAgents*math.Pow(r.Float64(), 1.5)))
	}
	for range 1 + r.IntN(3) {
		p.tags = append(p.tags, chat.TagID(fmt.Sprintf("tag-%d", int(inboxTags*math.Pow(r.Float64(), 2)))))
	}
	p.read = r.IntN(10) > 0
	p.at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(250 * 24 * time.Hour)))).Truncate(time.Microsecond)
	p.answered = p.at.Add(time.Duration(r.Int64N(int64(48 * time.Hour)))).Truncate(time.Microsecond)
	return p
}

// facts returns what happened to the nth chat: two messages, and what led to its
// profile.
func (p profile) facts(n int) []codec.Event {
	received, queued := chat.MessageID(numbered(5, n).String()), chat.MessageID(numbered(6, n).String())
	by := p.assignee
	if by == "" {
		by = "agent-0"
	}
	facts := []codec.Event{
		chat.Opened{Workspace: inboxSpace, Channel: "whatsapp", Customer: fmt.Sprintf("5511%09d", n), Status: "OPEN", Category: chat.CategoryOpen, At: p.at},
		chat.MessageReceived{
			Message: received, ProviderID: "wamid." + string(received), ProfileName: "Ana Lima",
			Content: chat.Content{Kind: "text", Text: "Hi, what about my parcel? It was to come on Monday."}, At: p.at,
		},
		chat.TagsChanged{Added: p.tags},
	}
	if p.assignee != "" {
		facts = append(facts, chat.Claimed{By: chat.AgentID(p.assignee)})
	}
	facts = append(facts, chat.MessageQueued{Message: queued, Text: "It left today and is with you tomorrow.", By: chat.AgentID(by), At: p.answered})
	if p.read {
		facts = append(facts, chat.MarkedRead{By: chat.AgentID(by)})
	}
	switch {
	case p.status.category == chat.CategoryClosed:
		facts = append(facts, chat.Closed{Status: p.status.id, Category: p.status.category, From: "OPEN"})
	case p.status.id != "OPEN":
		facts = append(facts, chat.StatusSet{Status: p.status.id, Category: p.status.category, From: "OPEN"})
	}
	return facts
}

// contactOf is which chats' customers are contacts: one in so many.
const contactOf = 4

// contactsFrom is where the numbers of a contact's events begin, after those of the chat.
const contactsFrom = streamLength / 2

// contact returns what happened to the contact that the nth customer is, nothing if it
// is none.
func (p profile) contact(n int) []codec.Event {
	if n%contactOf != 0 {
		return nil
	}
	number, by := fmt.Sprintf("5511%09d", n), contact.Source{Reason: contact.ByContactCard, Chat: numbered(9, n).String()}
	details := []contact.Change{
		{Field: contact.Name, Values: []string{"Ana Lima"}}, {Field: contact.Phones, Values: []string{"+" + number}},
		{Field: contact.Emails, Values: []string{"ana." + number + "@example.com"}}, {Field: contact.Language, Values: []string{"pt"}},
	}
	return []codec.Event{
		contact.Added{Workspace: inboxSpace, Source: by, Status: "OPEN", Category: "open", At: p.at},
		contact.DetailsSet{Changes: details, Source: by, At: p.at},
		contact.ChatLinked{Link: contact.Link{Chat: numbered(9, n).String(), Channel: "whatsapp", Customer: number}, At: p.at},
	}
}

// fillInbox records the chats of an inbox, and who of their customers is a contact.
func fillInbox(ctx context.Context, s eventstore.Store, chats int) error {
	c := commands.Codec()
	g, ctx := errgroup.WithContext(ctx)
	each := (chats + inboxFillers - 1) / inboxFillers
	for f := range inboxFillers {
		g.Go(func() error {
			for n := f * each; n < min(chats, (f+1)*each); n++ {
				p := profileOf(n)
				if err := p.record(ctx, s, c, "chat-"+numbered(9, n).String(), n*streamLength, p.facts(n)); err != nil {
					return err
				}
				if err := p.record(ctx, s, c, "contact-"+numbered(10, n).String(), n*streamLength+contactsFrom, p.contact(n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// record appends what happened to one stream; its events are numbered from first.
func (p profile) record(ctx context.Context, s eventstore.Store, c codec.Codec[codec.Event], stream string, first int, facts []codec.Event) error {
	if len(facts) == 0 {
		return nil
	}
	events := make([]eventstore.Event, len(facts))
	for i, fact := range facts {
		meta := eventstore.Metadata{
			Workspace: inboxSpace, Actor: p.assignee, ActorKind: "agent", Channel: "whatsapp", Command: "chat.receive",
			CommandID: numbered(7, first).String(), OccurredAt: p.at,
		}
		var err error
		if events[i], err = c.Encode(numbered(8, first+i), fact, meta); err != nil {
			return err
		}
	}
	if _, err := s.Append(ctx, stream, eventstore.NoStream, events...); err != nil {
		return fmt.Errorf("fill log: %w", err)
	}
	return nil
}

// kept returns the folder for what is filled: a lasting one, if -data names it.
func (b *bench) kept() string {
	if b.data != "" {
		return b.data
	}
	return b.dir
}

// inboxLog opens the log of an inbox with this many chats, filled.
func (b *bench) inboxLog(ctx context.Context, dir string, chats int) (_ *sqlite.Store, err error) {
	s, err := sqlite.Open(ctx, filepath.Join(dir, "events.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	want := 0
	for n := range chats {
		p := profileOf(n)
		want += len(p.facts(n)) + len(p.contact(n))
	}
	switch int(head.Position) {
	case want:
	case 0:
		began := now()
		if err := fillInbox(ctx, s, chats); err != nil {
			return nil, err
		}
		fmt.Fprintf(b.log, "filled the log with %d events of %d chats in %s\n", want, chats, now().Sub(began).Round(time.Second))
	default:
		return nil, fmt.Errorf("%s has %d events, not %d: remove it", dir, head.Position, want)
	}
	return s, nil
}

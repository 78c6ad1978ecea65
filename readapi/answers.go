package readapi

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/inbox"
)

type inChatAnswers struct {
	web.Read
	Paging
	Chat string `path:"chat"`
}

type inContactAnswers struct {
	web.Read
	Paging
	Contact string `path:"contact"`
}

// FlowAnswer is what a person answered to a question of a chatflow.
type FlowAnswer struct {
	ID        string    `json:"id" doc:"Of the event."`
	Position  int64     `json:"position"`
	Contact   string    `json:"contact" doc:"Who answered: the id of the contact that they are, or would be."`
	Chat      *string   `json:"chat" doc:"The chat it was given in, or null."`
	Bot       string    `json:"bot"`
	Flow      string    `json:"flow" example:"welcome"`
	Question  string    `json:"question" example:"shirt size?"`
	Value     string    `json:"value" example:"M"`
	Attribute *string   `json:"attribute" doc:"The attribute that it filled, or null."`
	Marked    bool      `json:"marked_as_contact" doc:"It says that they are a contact."`
	At        time.Time `json:"at"`
}

// listChatAnswers shows what the customer of a chat has answered, in whatever chat, and
// whether or not they are a contact.
func (a *API) listChatAnswers(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inChatAnswers) (out web.List[FlowAnswer], _ eventstore.Revision, err error) {
	c, err := inbox.Get(ctx, tx, r.Workspace, in.Chat)
	if err == nil {
		out, err = a.answers(ctx, []string{ids.Contact(r.Workspace, c.Customer)}, in.Paging)
	}
	return out, none, err
}

func (a *API) listContactAnswers(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inContactAnswers) (out web.List[FlowAnswer], _ eventstore.Revision, err error) {
	parts, err := contacts.Parts(ctx, tx, r.Workspace, in.Contact, false)
	if err == nil {
		out, err = a.answers(ctx, parts, in.Paging)
	}
	return out, none, err
}

const (
	answersList = "contacts/answers"
	answersSeen = 5_000 // events that are looked at for a page
)

// answers returns a page of what some people have answered, the latest first.
func (a *API) answers(ctx context.Context, people []string, p Paging) (out web.List[FlowAnswer], err error) {
	from, limit, err := parseSeam(answersList, seam{}, p)
	if err != nil {
		return out, err
	}
	past, err := a.backwards(ctx, "contact-", people, from)
	if err != nil {
		return out, err
	}
	var (
		events = codec.New(contact.Events)
		found  = effects{}
		items  []FlowAnswer
		next   string
	)
	for range answersSeen {
		r, err := past.take(ctx)
		if err != nil || r == nil {
			return web.NewList(items, ""), err
		}
		e, err := events.Decode(*r)
		if err != nil {
			return out, err
		}
		f, ok := e.(contact.Answered)
		switch {
		case !ok:
			found.note(r.Stream, e)
			continue
		case len(items) == limit:
			return web.NewList(items, next), nil
		}
		led := found.take(r.Stream, f)
		items = append(items, FlowAnswer{
			ID: r.ID.String(), Position: int64(r.Position), Contact: strings.TrimPrefix(r.Stream, "contact-"), Chat: orNull(f.Chat),
			Bot: string(f.Bot), Flow: f.Flow, Question: f.Question, Value: f.Value,
			Attribute: orNull(cmp.Or(f.Attribute, led.attribute)), Marked: f.Marks || led.marked, At: f.At,
		})
		next = cursor.Encode(answersList, past.seam())
	}
	if len(items) < limit {
		next = cursor.Encode(answersList, past.seam())
	}
	return web.NewList(items, next), nil
}

// effect is what an answer led to. Answers that were recorded before they said so
// themselves are known by it.
type effect struct {
	marked    bool
	attribute string
}

// effects are those of answers that are still to come, backwards, by stream, flow and
// question.
type effects map[[3]string]effect

func (m effects) note(stream string, e contact.Event) {
	add := func(s contact.Source, add func(*effect)) {
		if s.Reason == contact.ByChatflow {
			key := [3]string{stream, s.Flow, s.Question}
			f := m[key]
			add(&f)
			m[key] = f
		}
	}
	marks := func(f *effect) { f.marked = true }
	switch e := e.(type) {
	case contact.Added:
		add(e.Source, marks)
	case contact.Restored:
		if e.Source != nil {
			add(*e.Source, marks)
		}
	case contact.DetailsSet:
		for _, c := range e.Changes {
			if id, own := contact.Attribute(c.Field); own {
				add(e.Source, func(f *effect) { f.attribute = id })
			}
		}
	}
}

func (m effects) take(stream string, e contact.Answered) effect {
	key := [3]string{stream, e.Flow, e.Question}
	defer delete(m, key)
	return m[key]
}

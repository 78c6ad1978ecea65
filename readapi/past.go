package readapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/cursor"
	"github.com/chatledger/chatledger/projections/orders"
)

// The past of contacts and orders is read from the log: their streams are short.

type inContactHistory struct {
	web.Read
	Paging
	Contact string `path:"contact"`
}

type inOrderHistory struct {
	web.Read
	Paging
	Order string `path:"order"`
	After string `query:"after" pattern:"^(0|[1-9][0-9]{0,17})$" doc:"Only what happened after this revision."`
}

// ContactFact is an event of a contact, or of one that is shown as a part of it.
type ContactFact struct {
	Fact
	Contact string `json:"contact" doc:"Whose event it is, and revision: the contact's own, or that of one that was merged into it."`
}

// listContactHistory shows the history of a deleted contact to those who examine.
func (a *API) listContactHistory(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inContactHistory) (out web.List[ContactFact], _ eventstore.Revision, err error) {
	examines := r.Role == agent.RoleAuditor || r.Role == agent.RoleAdmin
	parts, err := contacts.Parts(ctx, tx, r.Workspace, in.Contact, examines)
	if err != nil {
		return out, none, err
	}
	past, next, err := a.forwards(ctx, "contacts/history", "contact-", parts, seam{}, in.Paging)
	if err != nil {
		return out, none, err
	}
	var items []ContactFact
	for _, e := range past {
		f, err := newFact(e)
		if err != nil {
			return out, none, err
		}
		items = append(items, ContactFact{f, e.Stream[len("contact-"):]})
	}
	return web.NewList(items, next), none, nil
}

func (a *API) listOrderHistory(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inOrderHistory) (out web.List[Fact], _ eventstore.Revision, err error) {
	o, err := orders.Get(ctx, tx, r.Workspace, in.Order)
	if err != nil {
		return out, none, err
	}
	var from seam
	if in.After != "" {
		after, err := strconv.ParseInt(in.After, 10, 64)
		if err != nil {
			return out, none, web.BadRequest(web.CodeInvalid, "query.after", "want a revision")
		}
		from.Next = map[string]eventstore.Revision{o.ID: eventstore.Revision(after) + 1}
	}
	past, next, err := a.forwards(ctx, "orders/history", "order-", []string{o.ID}, from, in.Paging)
	if err != nil {
		return out, none, err
	}
	var items []Fact
	for _, e := range past {
		f, err := newFact(e)
		if err != nil {
			return out, none, err
		}
		items = append(items, f)
	}
	return web.NewList(items, next), none, nil
}

func newFact(e eventstore.Recorded) (Fact, error) {
	meta, err := eventstore.DecodeMetadata(e)
	at := meta.OccurredAt
	if at.IsZero() {
		at = e.Time
	}
	return Fact{
		ID: e.ID.String(), Revision: int64(e.Revision), Position: int64(e.Position), Type: e.Type, At: at, RecordedAt: e.Time,
		Actor: meta.Actor, ActorKind: meta.ActorKind, Command: meta.Command, CommandID: meta.CommandID,
		Correlation: meta.Correlation, Causation: meta.Causation, Data: json.RawMessage(e.Data),
	}, err
}

// seam is where streams that are read as one are cut: what a cursor of theirs holds.
type seam struct {
	Position eventstore.Position            `json:"p"` // of the last event that was shown
	Next     map[string]eventstore.Revision `json:"n"` // of each thing: what comes next, or, backwards, what came last
}

// parseSeam returns where a page begins: at unset, if the cursor names no place.
func parseSeam(list string, unset seam, p Paging) (s seam, limit int, err error) {
	if limit, err = cursor.Limit(p.Limit); err != nil {
		return s, 0, err
	}
	s = unset
	if p.Cursor != "" {
		s = seam{}
		err = cursor.Decode(list, p.Cursor, &s)
	}
	if s.Next == nil {
		s.Next = map[string]eventstore.Revision{}
	}
	return s, limit, err
}

// forwards returns a page of what happened to some things of a category, in the order of
// the log. A thing that was added while pages are read is read on from where the others
// are.
func (a *API) forwards(ctx context.Context, list, category string, things []string, unset seam, p Paging) (page []eventstore.Recorded, next string, err error) {
	from, limit, err := parseSeam(list, unset, p)
	if err != nil {
		return nil, "", err
	}
	for _, id := range things {
		first, known := from.Next[id]
		q := eventstore.StreamQuery{From: max(0, first)}
		if known || from.Position == 0 {
			q.Limit = limit + 1
		}
		n := 0
		for r, err := range a.Store.ReadStream(ctx, category+id, q) {
			if err != nil {
				return nil, "", fmt.Errorf("read %s%s: %w", category, id, err)
			}
			if !known && r.Position <= from.Position {
				continue
			}
			page = append(page, r)
			if n++; n > limit {
				break
			}
		}
	}
	slices.SortFunc(page, func(a, b eventstore.Recorded) int { return cmp.Compare(a.Position, b.Position) })
	if len(page) <= limit {
		return page, "", nil
	}
	page = page[:limit]
	for _, r := range page {
		from.Position, from.Next[r.Stream[len(category):]] = r.Position, r.Revision+1
	}
	return page, cursor.Encode(list, from), nil
}

// backwards are things of a category that are read from the present on backwards, in
// the order of the log.
type backwards struct {
	store   eventstore.Store
	strands []*strand
	at      eventstore.Position // of what was taken last
}

// strand is the stream of one thing.
type strand struct {
	id, stream string
	rest       eventstore.Revision   // what is before it was not read yet
	read       []eventstore.Recorded // what was read and not taken yet, oldest first
}

const strandPiece = 200 // events of a stream that are read at once

// backwards begins at a seam, or at the end. What a thing that was added while pages are
// read has behind the others is left out.
func (a *API) backwards(ctx context.Context, category string, things []string, from seam) (*backwards, error) {
	b := &backwards{store: a.Store, at: from.Position}
	for _, id := range things {
		s := &strand{id: id, stream: category + id}
		for r, err := range a.Store.ReadStream(ctx, s.stream, eventstore.StreamQuery{Backwards: true, Limit: 1}) {
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", s.stream, err)
			}
			s.rest = r.Revision + 1
		}
		if next, known := from.Next[id]; known {
			s.rest = min(s.rest, next)
		}
		b.strands = append(b.strands, s)
	}
	return b, nil
}

// take returns the latest event that was not taken yet, nil if there is none.
func (b *backwards) take(ctx context.Context) (*eventstore.Recorded, error) {
	var latest *strand
	for _, s := range b.strands {
		if err := s.fill(ctx, b.store, b.at); err != nil {
			return nil, err
		}
		if len(s.read) > 0 && (latest == nil || s.last().Position > latest.last().Position) {
			latest = s
		}
	}
	if latest == nil {
		return nil, nil
	}
	r := latest.last()
	latest.read = latest.read[:len(latest.read)-1]
	b.at = r.Position
	return r, nil
}

func (s *strand) last() *eventstore.Recorded { return &s.read[len(s.read)-1] }

// fill reads on until there is an event before a position, if there is one. 0 means the
// end of the log.
func (s *strand) fill(ctx context.Context, store eventstore.Store, before eventstore.Position) error {
	for len(s.read) == 0 && s.rest > 0 {
		from := max(0, s.rest-strandPiece)
		for r, err := range store.ReadStream(ctx, s.stream, eventstore.StreamQuery{From: from, Limit: int(s.rest - from)}) {
			if err != nil {
				return fmt.Errorf("read %s: %w", s.stream, err)
			}
			if before == 0 || r.Position < before {
				s.read = append(s.read, r)
			}
		}
		s.rest = from
	}
	return nil
}

// seam returns where it has got to.
func (b *backwards) seam() seam {
	s := seam{Position: b.at, Next: map[string]eventstore.Revision{}}
	for _, t := range b.strands {
		s.Next[t.id] = t.rest + eventstore.Revision(len(t.read))
	}
	return s
}

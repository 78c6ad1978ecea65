package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/export"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/domain/tag"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/ids"
)

// Bulk runs the commands of package bulk, and those of each item of a job. The
// ids of the items' commands are derived from the job, so that a chunk that is
// worked again after a crash finds what it did.
type Bulk struct {
	jobs  *aggregate[bulk.State, bulk.Event]
	chats *Chats

	contacts *Contacts
	orders   *Orders
	exports  *Exports
}

// Request asks for a job. What it says about statuses, agents and tags is checked
// first, so that a mistake is told at once and not 100,000 times. A tag to add is
// made if there is none of its name.
func (c Bulk) Request(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Request) (Result, error) {
	o = o.identified()
	return c.jobs.do(ctx, o, "bulk.request", string(id), func(ctx context.Context, s bulk.State) ([]bulk.Event, error) {
		events, err := cmd.Decide(s)
		if err != nil || len(events) == 0 {
			return events, err
		}
		switch cmd.Action {
		case bulk.Close:
			var to status.Item
			to, err = c.chats.statuses.closing(ctx, o.Workspace, cmd.Status)
			if err == nil && to.Category != status.Closed {
				err = chat.ErrStatusNotClosed
			}
		case bulk.SetStatus:
			_, err = c.chats.statuses.find(ctx, o.Workspace, cmd.Status)
		case bulk.Assign:
			err = c.chats.agents.mayHold(ctx, o.Workspace, cmd.Agent)
		case bulk.Tag:
			for _, name := range cmd.Tags {
				if _, err = c.chats.tags.find(ctx, o.Workspace, name); errors.Is(err, tag.ErrNotFound) {
					_, err = c.chats.tags.make(ctx, o, name)
				}
				if err != nil {
					return nil, err
				}
			}
		case bulk.Untag, bulk.Unassign, bulk.Delete, bulk.Restore:
		}
		return events, err
	})
}

// Freeze records the selection of a job.
func (c Bulk) Freeze(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Freeze) (Result, error) {
	o.Command = freezing(id)
	return c.jobs.do(ctx, o, "bulk.freeze", string(id), decides(cmd.Decide))
}

// Record says what became of a chunk.
func (c Bulk) Record(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Record) (Result, error) {
	o.Command = recording(id, cmd.Phase, cmd.Attempt, cmd.Chunk)
	return c.jobs.do(ctx, o, "bulk.record", string(id), decides(cmd.Decide))
}

// Stop ends a job that is being cancelled.
func (c Bulk) Stop(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Stop) (Result, error) {
	return c.jobs.do(ctx, o, "bulk.stop", string(id), decides(cmd.Decide))
}

// Cancel stops a job that runs.
func (c Bulk) Cancel(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Cancel) (Result, error) {
	res, err := c.jobs.do(ctx, o, "bulk.cancel", string(id), decides(cmd.Decide))
	return res, c.unlessExport(ctx, o, id, err)
}

// Retry tries again what failed.
func (c Bulk) Retry(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Retry) (Result, error) {
	res, err := c.jobs.do(ctx, o, "bulk.retry", string(id), decides(cmd.Decide))
	return res, c.unlessExport(ctx, o, id, err)
}

// Undo takes back what a job did.
func (c Bulk) Undo(ctx context.Context, o Origin, id bulk.ID, cmd bulk.Undo) (Result, error) {
	res, err := c.jobs.do(ctx, o, "bulk.undo", string(id), decides(cmd.Decide))
	return res, c.unlessExport(ctx, o, id, err)
}

// unlessExport returns err, or, if there is no such job since it is an export, that.
func (c Bulk) unlessExport(ctx context.Context, o Origin, id bulk.ID, err error) error {
	if !errors.Is(err, bulk.ErrNotFound) {
		return err
	}
	there, looked := c.exports.there(ctx, o.Workspace, export.ID(id))
	switch {
	case looked != nil:
		return looked
	case there:
		return bulk.ErrExport
	}
	return err
}

// Look calls use with the present state of a job, which use must neither keep nor
// change.
func (c Bulk) Look(ctx context.Context, id bulk.ID, use func(bulk.State) error) error {
	return c.jobs.with(ctx, string(id), func(s bulk.State) error {
		if s.Phase == "" {
			return bulk.ErrNotFound
		}
		return use(s)
	})
}

// Chosen returns what was asked for with a job, with all ids.
func (c Bulk) Chosen(ctx context.Context, id bulk.ID) (bulk.Requested, error) {
	for r, err := range c.jobs.store.ReadStream(ctx, "bulk-"+string(id), eventstore.StreamQuery{Limit: 1}) {
		if err != nil {
			return bulk.Requested{}, fmt.Errorf("%w: read job: %w", ErrUnavailable, err)
		}
		e, err := c.jobs.codec.Decode(r)
		if err != nil {
			return bulk.Requested{}, err
		}
		if req, ok := e.(bulk.Requested); ok {
			return req, nil
		}
	}
	return bulk.Requested{}, bulk.ErrNotFound
}

// Chunk returns the items of a chunk, and what has become of them in the attempts
// so far, the last one of each item.
func (c Bulk) Chunk(ctx context.Context, id bulk.ID, chunk, attempts int) (bulk.Selected, map[string]bulk.Item, error) {
	e, err := c.event(ctx, id, freezing(id), chunk)
	selected, ok := e.(bulk.Selected)
	if err != nil || !ok {
		return selected, nil, errors.Join(err, notThere(ok, id))
	}
	became := make(map[string]bulk.Item, len(selected.IDs))
	for attempt := 1; attempt <= attempts; attempt++ {
		e, err := c.event(ctx, id, recording(id, bulk.Running, attempt, chunk), 0)
		if err != nil {
			return selected, nil, err
		}
		if worked, ok := e.(bulk.Worked); ok {
			for _, i := range worked.Items {
				became[i.ID] = i
			}
		}
	}
	return selected, became, nil
}

func notThere(ok bool, id bulk.ID) error {
	if ok {
		return nil
	}
	return fmt.Errorf("commands: job %s has no such chunk", id)
}

// event returns the n-th event of a command of a job, or nil.
func (c Bulk) event(ctx context.Context, id bulk.ID, command uuid.UUID, n int) (bulk.Event, error) {
	q := eventstore.StreamQuery{Event: ids.Event(command, n), Limit: 1}
	for r, err := range c.jobs.store.ReadStream(ctx, "bulk-"+string(id), q) {
		if err != nil {
			return nil, fmt.Errorf("%w: read job: %w", ErrUnavailable, err)
		}
		return c.jobs.codec.Decode(r)
	}
	return nil, nil //nolint:nilnil // it was never recorded
}

// Do does to an item what a job is for. o.IfMatch is the revision it must have.
func (c Bulk) Do(ctx context.Context, o Origin, id bulk.ID, attempt int, req bulk.Requested, item string) (bulk.Item, error) {
	o.Command = doing(id, attempt, item)
	cmd := bulk.Item{ID: item}
	do := c.doChat
	switch filter.Target(req.Target) {
	case filter.Contacts:
		do = c.doContact
	case filter.Orders:
		do = c.doOrder
	case filter.Chats:
	}
	if moved, err := c.touched(ctx, req, item); moved || err != nil {
		cmd.Outcome, cmd.Code = bulk.Conflict, bulk.CodeTouched
		return cmd, err
	}
	res, err := overQuiet(o, func(o Origin) (Result, error) { return do(ctx, o, req, item) })
	return became(cmd, res, err, bulk.Done, bulk.Conflict)
}

// touched reports whether anything has happened to a chat since the time up to which
// a job wants it to have been left alone. What it has done itself, before a crash,
// is no such thing: the command finds that.
func (c Bulk) touched(ctx context.Context, req bulk.Requested, item string) (bool, error) {
	if req.Untouched.IsZero() || req.Target != string(filter.Chats) {
		return false, nil
	}
	for r, err := range c.chats.chats.store.ReadStream(ctx, "chat-"+item, eventstore.StreamQuery{Backwards: true, Limit: 100}) {
		if err != nil {
			return false, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		if !quiet(r.Type) && r.Type != (chat.Deleted{}).EventType() {
			return r.Time.After(req.Untouched), nil
		}
	}
	return false, nil
}

func unknownAction(req bulk.Requested) error {
	return fmt.Errorf("commands: unknown bulk action %q of %s", req.Action, req.Target)
}

func (c Bulk) doChat(ctx context.Context, o Origin, req bulk.Requested, item string) (Result, error) {
	about := chat.ID(item)
	switch req.Action {
	case bulk.Close:
		return c.chats.Close(ctx, o, about, req.Status)
	case bulk.SetStatus:
		return c.chats.SetStatus(ctx, o, about, req.Status)
	case bulk.Assign:
		return c.chats.Assign(ctx, o, about, chat.Assign{To: chat.AgentID(req.Agent)})
	case bulk.Unassign:
		return c.chats.Unassign(ctx, o, about, chat.Unassign{})
	case bulk.Tag:
		return c.chats.ChangeTags(ctx, o, about, ChangeTags{Add: req.Tags})
	case bulk.Untag:
		return c.chats.ChangeTags(ctx, o, about, ChangeTags{Remove: req.Tags})
	case bulk.Delete:
		return c.chats.Delete(ctx, o, about, chat.Delete{By: chat.AgentID(req.By), Reason: req.Reason})
	case bulk.Restore:
		return c.chats.Restore(ctx, o, about, chat.Restore{By: chat.AgentID(req.By)})
	}
	return Result{}, unknownAction(req)
}

func (c Bulk) doContact(ctx context.Context, o Origin, req bulk.Requested, item string) (Result, error) {
	about := contact.ID(item)
	switch req.Action {
	case bulk.SetStatus:
		return c.contacts.SetStatus(ctx, o, about, req.Status)
	case bulk.Assign:
		return c.contacts.Assign(ctx, o, about, contact.Assign{To: contact.AgentID(req.Agent)})
	case bulk.Unassign:
		return c.contacts.Unassign(ctx, o, about, contact.Unassign{})
	case bulk.Tag:
		return c.contacts.ChangeTags(ctx, o, about, ChangeTags{Add: req.Tags})
	case bulk.Untag:
		return c.contacts.ChangeTags(ctx, o, about, ChangeTags{Remove: req.Tags})
	case bulk.Delete:
		return c.contacts.Delete(ctx, o, about, contact.Delete{By: contact.AgentID(req.By), Reason: req.Reason})
	case bulk.Restore:
		return c.contacts.Restore(ctx, o, about, contact.Restore{By: contact.AgentID(req.By)})
	case bulk.Close:
	}
	return Result{}, unknownAction(req)
}

func (c Bulk) doOrder(ctx context.Context, o Origin, req bulk.Requested, item string) (Result, error) {
	about := order.ID(item)
	switch req.Action {
	case bulk.Assign:
		return c.orders.Assign(ctx, o, about, order.Assign{To: req.Agent})
	case bulk.Unassign:
		return c.orders.Unassign(ctx, o, about, order.Unassign{})
	case bulk.Tag:
		return c.orders.ChangeTags(ctx, o, about, ChangeTags{Add: req.Tags})
	case bulk.Untag:
		return c.orders.ChangeTags(ctx, o, about, ChangeTags{Remove: req.Tags})
	case bulk.Close, bulk.SetStatus, bulk.Delete, bulk.Restore:
	}
	return Result{}, unknownAction(req)
}

// became says what a command's answer means for an item. It returns the error of a
// command that has no answer.
func became(i bulk.Item, res Result, err error, done, stale bulk.Outcome) (bulk.Item, error) {
	var refused *fault.Error
	var outdated *Stale
	switch {
	case err == nil && res.Changed:
		i.Outcome, i.Revision = done, int64(res.Revision)
	case err == nil:
		i.Outcome = bulk.NoChange
	case errors.As(err, &outdated):
		i.Outcome, i.Code = stale, "revision.stale"
	case !errors.As(err, &refused), errors.Is(err, ErrBusy):
		return i, err
	default:
		i.Outcome, i.Code = bulk.Conflict, refused.Code
		switch refused.Kind {
		case fault.NotFound:
			i.Outcome = bulk.Missing
		case fault.Forbidden:
			i.Outcome = bulk.Forbidden
		case fault.Internal, fault.Invalid, fault.Conflict, fault.Reused:
		}
	}
	return i, nil
}

// Did returns what Do did to an item, without doing it: Skipped if it did nothing.
func (c Bulk) Did(ctx context.Context, id bulk.ID, attempt int, target, item string) (bulk.Item, error) {
	_, r, err := c.effect(ctx, id, attempt, target, item)
	if err != nil || r.Stream == "" {
		return bulk.Item{ID: item, Outcome: bulk.Skipped}, err
	}
	return bulk.Item{ID: item, Outcome: bulk.Done, Revision: int64(r.Revision)}, nil
}

// effect returns the event that Do made of an item.
func (c Bulk) effect(ctx context.Context, id bulk.ID, attempt int, target, item string) (codec.Event, eventstore.Recorded, error) {
	category, decode := "chat", decoding(c.chats.chats)
	switch filter.Target(target) {
	case filter.Contacts:
		category, decode = "contact", decoding(c.contacts.contacts)
	case filter.Orders:
		category, decode = "order", decoding(c.orders.orders)
	case filter.Chats:
	}
	q := eventstore.StreamQuery{Event: ids.Event(doing(id, attempt, item), 0), Limit: 1}
	for r, err := range c.jobs.store.ReadStream(ctx, category+"-"+item, q) {
		if err != nil {
			return nil, r, fmt.Errorf("%w: read %s: %w", ErrUnavailable, category, err)
		}
		e, err := decode(r)
		return e, r, err
	}
	return nil, eventstore.Recorded{}, nil
}

func decoding[S any, E codec.Event](a *aggregate[S, E]) func(eventstore.Recorded) (codec.Event, error) {
	return func(r eventstore.Recorded) (codec.Event, error) { return a.codec.Decode(r) }
}

// Reverse undoes what Do did to an item of a target, if nobody has touched that since.
func (c Bulk) Reverse(ctx context.Context, o Origin, id bulk.ID, attempts int, req bulk.Requested, item bulk.Item) (bulk.Item, error) {
	out := bulk.Item{ID: item.ID}
	var did codec.Event
	var at eventstore.Recorded
	for attempt := attempts; attempt > 0 && did == nil; attempt-- {
		var err error
		if did, at, err = c.effect(ctx, id, attempt, req.Target, item.ID); err != nil {
			return out, err
		}
	}
	var ended chat.Waiting
	if e, ok := did.(chat.Event); ok {
		var err error
		if ended, err = c.ended(ctx, e, at); err != nil {
			return out, err
		}
	}
	revision := eventstore.Revision(item.Revision)
	o.IfMatch, o.Command = &revision, ids.Command("bulk undo", string(id), item.ID)
	res, err := overQuiet(o, func(o Origin) (Result, error) {
		switch e := did.(type) {
		case chat.Event:
			return c.puttingBack(ended).reverseChat(ctx, o, chat.ID(item.ID), req.By, e)
		case contact.Event:
			return c.reverseContact(ctx, o, contact.ID(item.ID), req.By, e)
		case order.Event:
			return c.reverseOrder(ctx, o, order.ID(item.ID), e)
		}
		return Result{}, errOther
	})
	if errors.Is(err, errOther) {
		return out, fmt.Errorf("commands: job %s: %s: %w", id, item.ID, err)
	}
	out, err = became(out, res, err, bulk.Undone, bulk.Touched)
	if err == nil && out.Outcome == bulk.Undone && ended.Offer != nil {
		var again bool
		if again, err = c.offers(ctx, item.ID, o.Command); err == nil && !again {
			out.Code = bulk.CodeOfferOver
		}
	}
	return out, err
}

// ended returns what of a chat ended with an event of its stream that does not say so.
func (c Bulk) ended(ctx context.Context, did chat.Event, at eventstore.Recorded) (ended chat.Waiting, err error) {
	switch did.(type) {
	case chat.Closed, chat.Deleted, chat.Assigned, chat.Unassigned:
	default:
		return ended, nil
	}
	var before chat.Waiting
	for r, err := range c.chats.chats.store.ReadStream(ctx, at.Stream, eventstore.StreamQuery{Limit: int(at.Revision)}) {
		if err != nil {
			return ended, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		e, err := c.chats.chats.codec.Decode(r)
		if err != nil {
			return ended, err
		}
		before = before.Evolve(e)
	}
	return before.EndedBy(did), nil
}

// puttingBack returns c with commands on chats that also put back what had ended.
func (c Bulk) puttingBack(ended chat.Waiting) Bulk {
	if ended.Snooze == nil && ended.Offer == nil {
		return c
	}
	chats := *c.chats
	chats.chats = chats.chats.adding(func(ctx context.Context, o Origin, s chat.State, undoes []chat.Event) ([]chat.Event, error) {
		cmd := chat.PutBack{Ended: ended, At: chats.chats.now().UTC().Truncate(time.Microsecond), Undoes: undoes}
		if offer := ended.Offer; offer != nil {
			err := chats.mayReceive(ctx, o.Workspace, offer.Kind, offer.To)
			if err != nil && !isFault(err) {
				return nil, err
			}
			cmd.Taken = err == nil
		}
		return cmd.Decide(s), nil
	})
	c.chats = &chats
	return c
}

// offers reports whether a command on a chat has offered it to somebody.
func (c Bulk) offers(ctx context.Context, item string, command uuid.UUID) (bool, error) {
	n := 0
	for r, err := range c.jobs.store.ReadStream(ctx, "chat-"+item, eventstore.StreamQuery{Event: ids.Event(command, 0)}) {
		if err != nil {
			return false, fmt.Errorf("%w: read chat: %w", ErrUnavailable, err)
		}
		if r.ID != ids.Event(command, n) {
			break
		}
		if r.Type == (chat.TransferOffered{}).EventType() {
			return true, nil
		}
		n++
	}
	return false, nil
}

// overQuiet runs a command that wants a revision also if nothing but quiet events
// came after that one.
func overQuiet(o Origin, run func(Origin) (Result, error)) (Result, error) {
	const tries = 5
	for try := 1; ; try++ {
		res, err := run(o)
		outdated, stale := errors.AsType[*Stale](err)
		if !stale || try == tries || len(outdated.Since) == 0 ||
			slices.ContainsFunc(outdated.Since, func(r eventstore.Recorded) bool { return !quiet(r.Type) }) ||
			outdated.Since[len(outdated.Since)-1].Revision != outdated.Got {
			return res, err
		}
		o.IfMatch = &outdated.Got
	}
}

// quiet reports whether an event of a chat or a contact is nobody's doing that a bulk
// operation could trample on: how far a message got, where its file is kept, who took
// a copy, what another view of the same person already said.
func quiet(eventType string) bool {
	switch eventType {
	case chat.MessageAccepted{}.EventType(), chat.DeliveryRecorded{}.EventType(), chat.MediaStored{}.EventType(), chat.MediaFailed{}.EventType(),
		chat.TranscriptDownloaded{}.EventType(), chat.DetailsShared{}.EventType(), contact.ChatLinked{}.EventType():
		return true
	}
	return false
}

// errOther says that an item's event is none that a job makes.
var errOther = errors.New("a job did something else to it")

func (c Bulk) reverseChat(ctx context.Context, o Origin, about chat.ID, by string, did chat.Event) (Result, error) {
	switch e := did.(type) {
	case chat.Closed:
		return c.chats.SetStatus(ctx, o, about, e.From)
	case chat.StatusSet:
		return c.chats.SetStatus(ctx, o, about, e.From)
	case chat.Reopened:
		return c.chats.SetStatus(ctx, o, about, e.From)
	case chat.Assigned:
		if e.From == "" {
			return c.chats.Unassign(ctx, o, about, chat.Unassign{})
		}
		return c.chats.Assign(ctx, o, about, chat.Assign{To: e.From})
	case chat.Unassigned:
		return c.chats.Assign(ctx, o, about, chat.Assign{To: e.From})
	case chat.TagsChanged:
		return c.chats.ChangeTags(ctx, o, about, ChangeTags{Add: texts(e.Removed), Remove: texts(e.Added)})
	case chat.Deleted:
		return c.chats.Restore(ctx, o, about, chat.Restore{By: chat.AgentID(by)})
	case chat.Restored:
		return c.chats.Delete(ctx, o, about, chat.Delete{By: chat.AgentID(by)})
	default:
		return Result{}, errOther
	}
}

func (c Bulk) reverseContact(ctx context.Context, o Origin, about contact.ID, by string, did contact.Event) (Result, error) {
	switch e := did.(type) {
	case contact.StatusSet:
		return c.contacts.SetStatus(ctx, o, about, e.From)
	case contact.Assigned:
		if e.From == "" {
			return c.contacts.Unassign(ctx, o, about, contact.Unassign{})
		}
		return c.contacts.Assign(ctx, o, about, contact.Assign{To: e.From})
	case contact.Unassigned:
		return c.contacts.Assign(ctx, o, about, contact.Assign{To: e.From})
	case contact.TagsChanged:
		return c.contacts.ChangeTags(ctx, o, about, ChangeTags{Add: texts(e.Removed), Remove: texts(e.Added)})
	case contact.Deleted:
		return c.contacts.Restore(ctx, o, about, contact.Restore{By: contact.AgentID(by)})
	case contact.Restored:
		return c.contacts.Delete(ctx, o, about, contact.Delete{By: contact.AgentID(by)})
	default:
		return Result{}, errOther
	}
}

func (c Bulk) reverseOrder(ctx context.Context, o Origin, about order.ID, did order.Event) (Result, error) {
	switch e := did.(type) {
	case order.Assigned:
		if e.From == "" {
			return c.orders.Unassign(ctx, o, about, order.Unassign{})
		}
		return c.orders.Assign(ctx, o, about, order.Assign{To: e.From})
	case order.Unassigned:
		return c.orders.Assign(ctx, o, about, order.Assign{To: e.From})
	case order.TagsChanged:
		return c.orders.ChangeTags(ctx, o, about, ChangeTags{Add: e.Removed, Remove: e.Added})
	default:
		return Result{}, errOther
	}
}

func texts[T ~string](tags []T) (out []string) {
	for _, t := range tags {
		out = append(out, string(t))
	}
	return out
}

// The ids of a job's commands.

func freezing(id bulk.ID) uuid.UUID { return ids.Command("bulk freeze", string(id)) }

func recording(id bulk.ID, phase bulk.Phase, attempt, chunk int) uuid.UUID {
	return ids.Command("bulk record", string(id), string(phase), fmt.Sprint(attempt), fmt.Sprint(chunk))
}

func doing(id bulk.ID, attempt int, item string) uuid.UUID {
	return ids.Command("bulk do", string(id), fmt.Sprint(attempt), item)
}

// NewJob returns the id of the job that the command o asks for.
func NewJob(o Origin) bulk.ID { return bulk.ID(ids.Of(o.Command, "bulk")) }

package readapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/inbox"
)

type inState struct {
	web.Read
	Chat string `path:"chat"`
	At   string `query:"at" maxLength:"64" example:"revision:12" doc:"Which point: revision:12 (after that event of the chat), position:1955 (of the log), or a time such as 2026-11-26T09:30:00Z (what the log had by then). None: now."`
}

type inDifference struct {
	web.Read
	Chat string `path:"chat"`
	From string `query:"from" maxLength:"64" example:"revision:3" doc:"As at of the state. None: before the chat began."`
	To   string `query:"to" maxLength:"64" example:"2026-11-26T09:30:00Z" doc:"None: now."`
}

// ChatState is a chat as it was at a point, from the log. Ids are those that were
// given then: what was merged or remapped since is not followed.
type ChatState struct {
	Chat       string         `json:"chat"`
	Revision   int64          `json:"revision" doc:"Of the last event that counts; -1 if the chat had not begun."`
	Position   int64          `json:"position" doc:"Of that event; 0 if there is none."`
	RecordedAt *time.Time     `json:"recorded_at" doc:"When the log accepted that event."`
	Exists     bool           `json:"exists"`
	Deleted    bool           `json:"deleted"`
	Channel    string         `json:"channel"`
	Customer   string         `json:"customer"`
	Status     string         `json:"status"`
	Category   string         `json:"status_category"`
	Assignee   *string        `json:"assignee"`
	Team       *string        `json:"team"`
	Tags       []string       `json:"tags" nullable:"false"`
	Unread     int            `json:"unread"`
	Snoozed    bool           `json:"snoozed"`
	Until      *time.Time     `json:"snoozed_until"`
	OfferedTo  *string        `json:"offered_to" doc:"The agent or team to whom the chat was offered."`
	Call       *string        `json:"call" doc:"The call that took the line."`
	OptedOut   bool           `json:"marketing_opted_out"`
	Scheduled  []string       `json:"scheduled" nullable:"false" doc:"Messages that waited for their time."`
	Notes      []string       `json:"notes" nullable:"false" doc:"Ids of those that were not deleted."`
	Received   int            `json:"received" doc:"Messages of the customer so far."`
	Sent       map[string]int `json:"sent" nullable:"false" doc:"Messages to the customer so far, by how far they had got."`
	Visitor    StateVisitor   `json:"visitor"`
}

// StateVisitor is what was known of the customer.
type StateVisitor struct {
	IsContact   bool   `json:"is_contact"`
	Name        string `json:"name"`
	ProfileName string `json:"profile_name"`
	Phone       string `json:"phone"`
	Email       string `json:"email"`
	Company     string `json:"company"`
	City        string `json:"city"`
	Country     string `json:"country"`
}

// Difference is what changed in a chat between two points.
type Difference struct {
	From    StatePoint    `json:"from"`
	To      StatePoint    `json:"to"`
	Events  int           `json:"events" doc:"Between the two; GET …/history?after= and the revision of from lists them."`
	Changes []StateChange `json:"changes" nullable:"false" doc:"Fields that have another value, by name."`
}

// StatePoint is a point in the life of a chat.
type StatePoint struct {
	Revision   int64      `json:"revision"`
	Position   int64      `json:"position"`
	RecordedAt *time.Time `json:"recorded_at"`
}

// StateChange is a field with another value.
type StateChange struct {
	Field string          `json:"field" example:"assignee"`
	From  json.RawMessage `json:"from"`
	To    json.RawMessage `json:"to"`
}

// point is which events of a chat count: those for which it reports true come first.
type point func(eventstore.Recorded) bool

func now(eventstore.Recorded) bool { return true }

// parsePoint returns the point that a parameter names, and unset if it names none.
func parsePoint(field, s string, unset point) (point, error) {
	kind, number, numbered := strings.Cut(s, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case s == "":
		return unset, nil
	case numbered && kind == "revision" && err == nil && n >= 0:
		return func(r eventstore.Recorded) bool { return int64(r.Revision) <= n }, nil
	case numbered && kind == "position" && err == nil && n >= 0:
		return func(r eventstore.Recorded) bool { return int64(r.Position) <= n }, nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, web.BadRequest(web.CodeInvalid, "query."+field, "want revision:N, position:N or a time such as 2026-11-26T09:30:00Z")
	}
	return func(r eventstore.Recorded) bool { return !r.Time.After(at) }, nil
}

// standing is a chat as far as its events were folded.
type standing struct {
	chat.State
	last     eventstore.Recorded
	received int
}

// replay folds the events of a chat that count at each of some points, the earliest
// first, and calls use at each.
func (a *API) replay(ctx context.Context, id string, use func(int, standing), points ...point) error {
	events := codec.New(chat.Events)
	s := standing{last: eventstore.Recorded{Revision: none}}
	i := 0
	for r, err := range a.Store.ReadStream(ctx, "chat-"+id, eventstore.StreamQuery{}) {
		if err != nil {
			return fmt.Errorf("read chat: %w", err)
		}
		for i < len(points) && !points[i](r) {
			use(i, s)
			i++
		}
		if i == len(points) {
			return nil
		}
		e, err := events.Decode(r)
		if err != nil {
			return err
		}
		s.State, s.last = chat.Evolve(s.State, e), r
		if _, ok := e.(chat.MessageReceived); ok {
			s.received++
		}
	}
	for ; i < len(points); i++ {
		use(i, s)
	}
	return nil
}

// mayReplay refuses whoever must not see a chat. One that is deleted is for those who
// examine.
func (a *API) mayReplay(ctx context.Context, tx sqldb.Tx, r *web.Request, id string) error {
	_, err := inbox.Get(ctx, tx, r.Workspace, id)
	if err == nil || r.Role != agent.RoleAuditor && r.Role != agent.RoleAdmin {
		return err
	}
	for e, readErr := range a.Store.ReadStream(ctx, "chat-"+id, eventstore.StreamQuery{Limit: 1}) {
		if readErr != nil {
			return fmt.Errorf("read chat: %w", readErr)
		}
		if meta, metaErr := eventstore.DecodeMetadata(e); metaErr == nil && meta.Workspace == r.Workspace {
			return nil
		}
	}
	return err
}

func (a *API) getState(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inState) (out ChatState, _ eventstore.Revision, err error) {
	at, err := parsePoint("at", in.At, now)
	if err == nil {
		err = a.mayReplay(ctx, tx, r, in.Chat)
	}
	if err == nil {
		err = a.replay(ctx, in.Chat, func(_ int, s standing) { out = newState(in.Chat, s) }, at)
	}
	return out, none, err
}

func (a *API) getDifference(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDifference) (out Difference, _ eventstore.Revision, err error) {
	from, err := parsePoint("from", in.From, func(eventstore.Recorded) bool { return false })
	if err != nil {
		return out, none, err
	}
	to, err := parsePoint("to", in.To, now)
	if err == nil {
		err = a.mayReplay(ctx, tx, r, in.Chat)
	}
	if err != nil {
		return out, none, err
	}
	var states [2]ChatState
	backwards := false
	err = a.replay(ctx, in.Chat, func(i int, s standing) {
		states[i] = newState(in.Chat, s)
		backwards = s.last.Revision >= 0 && !to(s.last)
	}, from, func(r eventstore.Recorded) bool { return to(r) || from(r) })
	switch {
	case err != nil:
		return out, none, err
	case backwards:
		return out, none, web.BadRequest(web.CodeInvalid, "query.to", "to comes before from")
	}
	out = Difference{From: states[0].point(), To: states[1].point(), Events: int(states[1].Revision - states[0].Revision), Changes: []StateChange{}}
	before, err := fieldsOf(states[0])
	if err != nil {
		return out, none, err
	}
	after, err := fieldsOf(states[1])
	for _, field := range slices.Sorted(maps.Keys(after)) {
		if !reflect.DeepEqual(before[field], after[field]) {
			out.Changes = append(out.Changes, StateChange{field, before[field], after[field]})
		}
	}
	return out, none, err
}

func (s ChatState) point() StatePoint { return StatePoint{s.Revision, s.Position, s.RecordedAt} }

// fieldsOf returns what a state says, by field, but for where it is.
func fieldsOf(s ChatState) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for prefix, part := range map[string]any{"": s, "visitor.": s.Visitor} {
		b, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return nil, err
		}
		for name, v := range fields {
			out[prefix+name] = v
		}
	}
	for _, place := range []string{"visitor", "revision", "position", "recorded_at"} {
		delete(out, place)
	}
	return out, nil
}

func newState(id string, s standing) ChatState {
	k := s.Known
	out := ChatState{
		Chat: id, Revision: int64(s.last.Revision), Position: int64(s.last.Position),
		Exists: s.Exists, Deleted: s.Deleted, Channel: s.Channel, Customer: s.Customer, Status: s.Status, Category: string(s.Category),
		Assignee: orNull(string(s.Assignee)), Team: orNull(string(s.Team)), Tags: sorted(s.Tags), Unread: s.Unread, Snoozed: s.Snooze != nil,
		Call: orNull(s.Call), OptedOut: s.OptedOut, Scheduled: sorted(s.Scheduled), Notes: []string{}, Received: s.received, Sent: map[string]int{},
		Visitor: StateVisitor{
			IsContact: !s.Details.At.IsZero(), Name: k.Name.Value, ProfileName: k.Profile.Value, Phone: k.Phone.Value, Email: k.Email.Value,
			Company: k.Company.Value, City: k.City.Value, Country: k.Country.Value,
		},
	}
	if s.last.Revision >= 0 {
		at := s.last.Time
		out.RecordedAt = &at
	}
	if s.Snooze != nil && !s.Snooze.Until.IsZero() {
		until := s.Snooze.Until
		out.Until = &until
	}
	if s.Offer != nil {
		out.OfferedTo = &s.Offer.To
	}
	for id, n := range s.Notes {
		if !n.Deleted {
			out.Notes = append(out.Notes, string(id))
		}
	}
	slices.Sort(out.Notes)
	for _, m := range s.Outbound {
		out.Sent[string(m.State)]++
	}
	return out
}

// sorted returns the keys of a map in their order.
func sorted[K ~string, V any](m map[K]V) []string {
	out := []string{}
	for k := range m {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

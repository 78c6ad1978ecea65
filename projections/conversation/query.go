package conversation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections/cursor"
)

// ErrBoth refuses a query in both directions.
var ErrBoth = fault.Bad("after", "cursor.both", "want before or after, not both")

// Query says which part of a conversation to read.
type Query struct {
	Workspace string
	Chat      string
	Before    string // cursor: the entries just before it
	After     string // cursor: the entries just after it; with neither, the newest
	Limit     int    // 1 to 200; 0 means 50
	Notes     bool   // with the notes
	Events    bool   // with what happened to the chat
}

// Page is a part of a conversation, oldest entry first.
type Page struct {
	Entries   []Entry
	Older     string // cursor, to be passed as Before; "" if there is nothing older
	Newer     string // cursor, to be passed as After, now or once more has come; "" for an empty conversation
	MoreNewer bool   // there is something newer already
}

// Entry is one line of a conversation. Message, Note or System is set, as Kind
// says. Times are in microseconds since 1970 UTC.
type Entry struct {
	ID       string
	Kind     string
	At       int64
	By       Author
	Message  *Message
	Note     *Note
	System   *System
	Revision int64 // of the event that made the entry
	Position int64
}

// Author is who wrote or did something.
type Author struct {
	Kind string // customer, agent, bot or system
	ID   string // of the agent, or the customer's id in the channel; may be empty
}

// Message is a message in either direction.
type Message struct {
	ProviderID string // "" until the provider took it
	Direction  string // in or out
	Content    chat.Content
	Context    *Context
	Referral   *chat.Referral
	Reactions  []Reaction
	Delivery   *Delivery // only of messages to the customer
}

// Context is what a message answers.
type Context struct {
	chat.Context
	Message string // id of the message it answers, if we know that one
}

// Reaction is an emoji on a message.
type Reaction struct {
	By    Author
	Emoji string
	At    int64
}

// Delivery is how far a message got, and why no further.
type Delivery struct {
	State string
	At    int64
	Error *chat.DeliveryError // only with state failed
}

// Note is private text.
type Note struct {
	Text     string
	EditedAt int64 // 0 if never
	EditedBy string
}

// place is an entry's place in its conversation.
type place struct {
	At    int64  `json:"t"`
	Tie   string `json:"i"`
	Entry string `json:"e"`
}

func (r *EntryRow) cursor() string {
	return cursor.Encode(list, place{r.At, r.Tie, r.ID})
}

const list = "conversation"

const entryColumns = `chat_id, entry_id, kind, happened_at, tie, by_kind, by_id, direction, provider_id, note_text, edited_at, edited_by, body,
	delivery_state, delivery_at, error_code, error_title, error_details, revision, position`

// List returns a page of a conversation. One of a chat that does not exist, or
// of another workspace, is empty; whether a chat is deleted is for the caller to
// know. Pages that are read one after another show every entry once, whatever
// is added in the meantime elsewhere.
func List(ctx context.Context, tx sqldb.Tx, q Query) (Page, error) {
	limit, err := cursor.Limit(q.Limit)
	if err != nil {
		return Page{}, err
	}
	if q.Before != "" && q.After != "" {
		return Page{}, ErrBoth
	}
	if strings.Contains(q.Chat, "\x00") {
		return Page{}, nil
	}
	forwards := q.After != ""
	sql, args, err := q.sql(forwards, limit+1)
	if err != nil {
		return Page{}, err
	}
	rows, err := sqldb.Select[EntryRow](ctx, tx, sql, args...)
	if err != nil {
		return Page{}, fmt.Errorf("list entries: %w", err)
	}
	more := len(rows) > limit
	rows = rows[:min(limit, len(rows))]
	if !forwards {
		slices.Reverse(rows)
	}
	page := Page{Newer: q.After}
	if len(rows) > 0 {
		page.Newer = rows[len(rows)-1].cursor()
		if forwards || more {
			page.Older = rows[0].cursor()
		}
	}
	page.MoreNewer = forwards && more || q.Before != ""
	if page.Entries, err = entries(ctx, tx, q.Chat, rows); err != nil {
		return Page{}, fmt.Errorf("list entries: %w", err)
	}
	return page, nil
}

func (q Query) sql(forwards bool, limit int) (string, []any, error) {
	kinds := []string{KindMessage}
	if q.Notes {
		kinds = append(kinds, KindNote)
	}
	if q.Events {
		kinds = append(kinds, KindSystem)
	}
	args := []any{q.Chat, q.Workspace}
	where := "chat_id = $1 AND workspace = $2"
	if len(kinds) < 3 {
		where += " AND kind IN " + sqldb.In(&args, kinds)
	}
	compare, direction := " < ", " DESC"
	if forwards {
		compare, direction = " > ", ""
	}
	if c := q.Before + q.After; c != "" {
		var from place
		if err := cursor.Decode(list, c, &from); err != nil {
			if forwards {
				return "", nil, errAfter
			}
			return "", nil, errBefore
		}
		n := len(args)
		args = append(args, from.At, from.Tie, from.Entry)
		where += fmt.Sprintf(" AND (happened_at, tie, entry_id)%s($%d, $%d, $%d)", compare, n+1, n+2, n+3)
	}
	args = append(args, limit)
	return "SELECT " + entryColumns + " FROM conversation_entries WHERE " + where +
		" ORDER BY happened_at" + direction + ", tie" + direction + ", entry_id" + direction +
		" LIMIT $" + strconv.Itoa(len(args)), args, nil
}

// Refusals of a damaged or foreign cursor: cursor.ErrInvalid, with the field.
var (
	errBefore = fault.Bad("before", cursor.ErrInvalid.Code, cursor.ErrInvalid.Msg)
	errAfter  = fault.Bad("after", cursor.ErrInvalid.Code, cursor.ErrInvalid.Msg)
)

// entries completes rows with the reactions to them and the messages they
// answer.
func entries(ctx context.Context, tx sqldb.Tx, chatID string, rows []EntryRow) ([]Entry, error) {
	var known, answered []string // provider ids
	for i := range rows {
		if r := &rows[i]; r.ProviderID != "" {
			known = append(known, r.ProviderID)
		}
		if c := rows[i].Body.Context; c != nil && c.ProviderID != "" {
			answered = append(answered, c.ProviderID)
		}
	}
	reactions, err := reactionsTo(ctx, tx, chatID, known)
	if err != nil {
		return nil, err
	}
	messages, err := messagesCalled(ctx, tx, chatID, answered)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(rows))
	for i := range rows {
		r := &rows[i]
		e := Entry{
			ID: r.ID, Kind: r.Kind, At: r.At, By: Author{r.ByKind, r.ByID},
			System: r.Body.System, Revision: r.Revision, Position: r.Position,
		}
		switch r.Kind {
		case KindMessage:
			e.Message = r.message(messages)
			if r.ProviderID != "" {
				e.Message.Reactions = reactions[r.ProviderID]
			}
		case KindNote:
			e.Note = &Note{r.Text, r.EditedAt, r.EditedBy}
		}
		out[i] = e
	}
	return out, nil
}

func (r *EntryRow) message(ids map[string]string) *Message {
	m := &Message{ProviderID: r.ProviderID, Direction: r.Direction, Referral: r.Body.Referral}
	if r.Body.Content != nil {
		m.Content = *r.Body.Content
	}
	if c := r.Body.Context; c != nil {
		m.Context = &Context{*c, ids[c.ProviderID]}
	}
	if r.State != "" {
		m.Delivery = &Delivery{State: r.State, At: r.StateAt}
		if r.State == string(chat.Failed) {
			m.Delivery.Error = &chat.DeliveryError{Code: int(r.ErrorCode), Title: r.ErrorTitle, Details: r.ErrorDetails}
		}
	}
	return m
}

// reactionsTo returns the reactions to messages, by their provider ids.
func reactionsTo(ctx context.Context, tx sqldb.Tx, chatID string, messages []string) (map[string][]Reaction, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	args := []any{chatID}
	rows, err := sqldb.Select[ReactionRow](ctx, tx, `SELECT target, sender, sender_kind, emoji, happened_at
		FROM conversation_reactions WHERE chat_id = $1 AND emoji <> '' AND target IN `+sqldb.In(&args, messages)+
		` ORDER BY happened_at, tie, sender`, args...)
	if err != nil {
		return nil, err
	}
	out := map[string][]Reaction{}
	for _, r := range rows {
		out[r.Target] = append(out[r.Target], Reaction{Author{r.SenderKind, r.Sender}, r.Emoji, r.At})
	}
	return out, nil
}

// messagesCalled returns the ids of messages, by their provider ids.
func messagesCalled(ctx context.Context, tx sqldb.Tx, chatID string, providerIDs []string) (map[string]string, error) {
	if len(providerIDs) == 0 {
		return nil, nil
	}
	args := []any{chatID}
	rows, err := sqldb.Select[EntryRow](ctx, tx, `SELECT entry_id, provider_id
		FROM conversation_entries WHERE chat_id = $1 AND provider_id IN `+sqldb.In(&args, providerIDs), args...)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range rows {
		out[r.ProviderID] = r.ID
	}
	return out, nil
}

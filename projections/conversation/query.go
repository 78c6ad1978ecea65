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
	Blocked    bool
	Reactions  []Reaction
	Delivery   *Delivery // only of messages to the customer
	QuickReply *chat.QuickReplyUse
	Template   *chat.TemplateUse
	Campaign   string // that it is a part of; "" if of none
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
	At       int64 `json:"t"`
	Position int64 `json:"p"`
}

func (r *EntryRow) cursor() string {
	return cursor.Encode(list, place{r.At, r.Position})
}

// CursorAt returns a cursor behind everything in a conversation up to a time, in
// microseconds since 1970 UTC. Before it is the page that ends there.
func CursorAt(at int64) string { return cursor.Encode(list, place{At: at + 1}) }

// list is what cursors are of. Those of "conversation" were places in the order of
// the provider's ids, which there is no more.
const list = "conversation/position"

const entryColumns = "position, chat_id, kind, happened_at, entry_id, by_kind, by_id, provider_id, body, revision"

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
		args = append(args, from.At, from.Position)
		where += fmt.Sprintf(" AND (happened_at, position)%s($%d, $%d)", compare, n+1, n+2)
	}
	args = append(args, limit)
	return "SELECT " + entryColumns + " FROM conversation_v3_entries WHERE " + where +
		" ORDER BY happened_at" + direction + ", position" + direction + " LIMIT $" + strconv.Itoa(len(args)), args, nil
}

// Refusals of a damaged or foreign cursor: cursor.ErrInvalid, with the field.
var (
	errBefore = fault.Bad("before", cursor.ErrInvalid.Code, cursor.ErrInvalid.Msg)
	errAfter  = fault.Bad("after", cursor.ErrInvalid.Code, cursor.ErrInvalid.Msg)
)

// entries completes rows with what may have changed since, the reactions to them
// and the messages they answer.
func entries(ctx context.Context, tx sqldb.Tx, chatID string, rows []EntryRow) ([]Entry, error) {
	var sent, noted []string
	for i := range rows {
		switch r := &rows[i]; {
		case r.Kind == KindMessage && r.Direction() == Out:
			sent = append(sent, r.ID)
		case r.Kind == KindNote:
			noted = append(noted, r.ID)
		}
	}
	deliveries, err := rowsOf(ctx, tx, "conversation_v3_deliveries", "message", chatID, sent, func(r *DeliveryRow) string { return r.ID })
	if err != nil {
		return nil, err
	}
	notes, err := rowsOf(ctx, tx, "conversation_v3_notes", "note", chatID, noted, func(r *NoteRow) string { return r.ID })
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(rows))
	var known []string // provider ids
	for i := range rows {
		r := &rows[i]
		out[i] = Entry{
			ID: r.ID, Kind: r.Kind, At: r.At, By: Author{r.ByKind, r.ByID},
			System: r.Body.System, Revision: r.Revision, Position: r.Position,
		}
		switch r.Kind {
		case KindMessage:
			m := r.message(deliveries[r.ID])
			out[i].Message = m
			if m.ProviderID != "" {
				known = append(known, m.ProviderID)
			}
		case KindNote:
			n := notes[r.ID]
			out[i].Note = &Note{n.Text, n.EditedAt, n.EditedBy}
		}
	}
	reactions, err := reactionsTo(ctx, tx, chatID, known)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if m := out[i].Message; m != nil {
			m.Reactions = reactions[m.ProviderID]
		}
	}
	return out, nameAnswered(ctx, tx, chatID, out)
}

// rowsOf returns the rows of a table that belong to a chat and have one of ids
// in column, by these ids.
func rowsOf[R any](ctx context.Context, tx sqldb.Tx, table, column, chatID string, ids []string, id func(*R) string) (map[string]R, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{chatID}
	rows, err := sqldb.Select[R](ctx, tx, "SELECT * FROM "+table+" WHERE chat_id = $1 AND "+column+" IN "+sqldb.In(&args, ids), args...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]R, len(rows))
	for i := range rows {
		out[id(&rows[i])] = rows[i]
	}
	return out, nil
}

func (r *EntryRow) message(d DeliveryRow) *Message {
	m := &Message{ProviderID: r.ProviderID, Direction: r.Direction(), Referral: r.Body.Referral, Blocked: r.Body.Blocked, QuickReply: r.Body.QuickReply, Template: r.Body.Template, Campaign: r.Body.Campaign}
	if r.Body.Content != nil {
		m.Content = *r.Body.Content
	}
	if c := r.Body.Context; c != nil {
		m.Context = &Context{Context: *c}
	}
	if m.Direction == In {
		return m
	}
	m.ProviderID = d.ProviderID
	m.Delivery = &Delivery{State: string(chat.Queued), At: r.At}
	if d.State != "" {
		m.Delivery = &Delivery{State: d.State, At: d.StateAt}
	}
	if d.State == string(chat.Failed) {
		m.Delivery.Error = &chat.DeliveryError{Code: int(d.ErrorCode), Title: d.ErrorTitle, Details: d.ErrorDetails}
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
		FROM conversation_v3_reactions WHERE chat_id = $1 AND emoji <> '' AND target IN `+sqldb.In(&args, messages)+
		` ORDER BY happened_at, position, sender`, args...)
	if err != nil {
		return nil, err
	}
	out := map[string][]Reaction{}
	for _, r := range rows {
		out[r.Target] = append(out[r.Target], Reaction{Author{r.SenderKind, r.Sender}, r.Emoji, r.At})
	}
	return out, nil
}

// answerReach is how many entries before a message we look through for the one
// that it answers.
const answerReach = 5_000

// nameAnswered gives the messages that answer another its id. Ours are found by
// the provider's id, the customer's among the entries before the answer.
func nameAnswered(ctx context.Context, tx sqldb.Tx, chatID string, entries []Entry) error {
	var answered []string
	var latest int64
	for _, e := range entries {
		if m := e.Message; m != nil && m.Context != nil && m.Context.ProviderID != "" {
			answered = append(answered, m.Context.ProviderID)
			latest = max(latest, e.At)
		}
	}
	if len(answered) == 0 {
		return nil
	}
	ours, err := rowsOf(ctx, tx, "conversation_v3_reports", "provider_id", chatID, answered, func(r *ReportRow) string { return r.ProviderID })
	if err != nil {
		return err
	}
	args := []any{chatID, latest}
	theirs, err := sqldb.Select[EntryRow](ctx, tx, fmt.Sprintf(`SELECT entry_id, provider_id FROM (
			SELECT entry_id, provider_id FROM conversation_v3_entries WHERE chat_id = $1 AND happened_at <= $2
			ORDER BY happened_at DESC LIMIT %d) AS before
		WHERE provider_id IN `, answerReach)+sqldb.In(&args, answered), args...)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for provider, r := range ours {
		ids[provider] = r.Message
	}
	for _, r := range theirs {
		ids[r.ProviderID] = r.ID
	}
	for _, e := range entries {
		if m := e.Message; m != nil && m.Context != nil {
			m.Context.Message = ids[m.Context.ProviderID]
		}
	}
	return nil
}

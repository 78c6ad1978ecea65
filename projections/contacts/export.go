package contacts

import (
	"context"
	"fmt"
	"slices"

	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// idsAtOnce is how many ids are in one query.
const idsAtOnce = 500

// Details is what is known of a contact and is not in the list.
type Details struct {
	Emails, Phones []string
	Attributes     map[string]string // by the attribute's id
	Parts          []string          // ids: its own, and those of the contacts merged into it
}

// DetailsOf returns the details of those of some contacts that are shown, by id.
func DetailsOf(ctx context.Context, tx sqldb.Tx, workspace string, ids []string) (map[string]Details, error) {
	out := make(map[string]Details, len(ids))
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := []any{workspace}
		rows, err := sqldb.Select[Row](ctx, tx, "SELECT contact_id, parts FROM contacts_v3 WHERE listed = $1 AND contact_id IN "+sqldb.In(&args, some), args...)
		if err != nil {
			return nil, fmt.Errorf("get details: %w", err)
		}
		for _, r := range rows {
			d := Details{Emails: texts(r.Values(contact.Emails)), Phones: texts(r.Values(contact.Phones)), Attributes: map[string]string{}}
			for _, p := range r.Parts {
				d.Parts = append(d.Parts, p.ID)
				for field := range p.Fields {
					if id, own := contact.Attribute(field); own && r.one(field) != "" {
						d.Attributes[id] = r.one(field)
					}
				}
			}
			out[r.ID] = d
		}
	}
	return out, nil
}

func texts(values []Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Text
	}
	return out
}

// NotesOf returns the notes on some contacts, by the contact that they were written on,
// each the latest 200, the oldest first.
func NotesOf(ctx context.Context, tx sqldb.Tx, ids []string) (map[string][]Note, error) {
	out := map[string][]Note{}
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := []any{maxNotes}
		rows, err := sqldb.Select[Note](ctx, tx, `SELECT contact_id, note_id, text, author, at, edited_at, edited_by FROM (
			SELECT n.*, row_number() OVER (PARTITION BY contact_id ORDER BY at DESC, note_id DESC) AS place FROM contacts_v3_notes n
			WHERE contact_id IN `+sqldb.In(&args, some)+`) latest WHERE place <= $1 ORDER BY at, note_id`, args...)
		if err != nil {
			return nil, fmt.Errorf("get notes: %w", err)
		}
		for _, n := range rows {
			out[n.Contact] = append(out[n.Contact], n)
		}
	}
	return out, nil
}

// OfChats returns whose some chats are, by the chat. Of two contacts of a chat it is the
// one with the first id, as for Of.
func OfChats(ctx context.Context, tx sqldb.Tx, workspace string, chats []string) (map[string]Listed, error) {
	type chatting struct {
		Listed
		Chat string `db:"chat_id"`
	}
	out := make(map[string]Listed, len(chats))
	for some := range slices.Chunk(chats, idsAtOnce) {
		args := []any{workspace}
		rows, err := sqldb.Select[chatting](ctx, tx, "SELECT "+columns+`, l.chat_id FROM contacts_v3_chats l
			JOIN contacts_v3 c ON c.contact_id = l.contact_id AND c.listed = l.listed
			WHERE l.listed = $1 AND l.chat_id IN `+sqldb.In(&args, some)+" ORDER BY c.contact_id DESC", args...)
		if err != nil {
			return nil, fmt.Errorf("look whose chats are: %w", err)
		}
		for _, r := range rows {
			out[r.Chat] = r.Listed
		}
	}
	return out, nil
}

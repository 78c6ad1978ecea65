package readapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/conversation"
	"github.com/chatledger/chatledger/projections/search"
)

type inSearch struct {
	web.Read
	Paging
	Q    string `query:"q" required:"true" example:"invoice zur" doc:"What to look for: at most 200 characters and 16 words."`
	Kind string `query:"kind" enum:"message,note,visitor,contact,order" doc:"Only these; all if it is not given."`
}

// Found is something with the words that were looked for.
type Found struct {
	Kind     string     `json:"kind" enum:"message,note,visitor,contact,order" doc:"visitor is who is in a chat, whether or not they are a contact."`
	ID       string     `json:"id" doc:"Of the message, the note, the contact or the order; of a visitor that of the chat."`
	Position int64      `json:"position" doc:"Of the event that made it read as it does; the order of the list."`
	At       time.Time  `json:"at" doc:"When it was written; of a visitor or a contact, when what is known became what it is."`
	By       *Author    `json:"by" doc:"Null for a contact."`
	Chat     *string    `json:"chat" doc:"Null for a contact, an order without a chat, and their notes."`
	Contact  *string    `json:"contact" doc:"Of a contact and its notes; else null."`
	Order    *string    `json:"order" doc:"Of an order and its notes; else null."`
	Place    string     `json:"place,omitempty" doc:"Of a message or a note in a chat: for before of the chat's messages, where it is the last then; for after, what came next."`
	Visitor  Matched    `json:"visitor"`
	Snippet  []Fragment `json:"snippet" nullable:"false" doc:"The part of the text with the first of the words. The fragments put together are the text; it is plain text, to be escaped in HTML."`
}

// Matched is who it is about; empty if nobody is known.
type Matched struct {
	Name  string `json:"name"`
	Phone string `json:"phone" doc:"That the customer writes from."`
}

// Fragment is a piece of a text.
type Fragment struct {
	Text string `json:"text"`
	Hit  bool   `json:"hit" doc:"It is one of the words that were looked for."`
}

// searchTime is how long a page may take. What has two common words, but hardly ever
// together, takes longest to find.
const searchTime = 250 * time.Millisecond

func (a *API) findText(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inSearch) (web.List[Found], eventstore.Revision, error) {
	began := a.Now()
	page, err := search.Find(ctx, tx, search.Query{
		Workspace: r.Workspace, Text: in.Q, Kind: in.Kind, Cursor: in.Cursor, Limit: in.Limit,
		Enough: func() bool { return a.Now().Sub(began) > searchTime },
	})
	if err != nil {
		return web.List[Found]{}, none, err
	}
	items := make([]Found, len(page.Found))
	for i, f := range page.Found {
		items[i] = Found{
			Kind: f.Kind, ID: f.Ref, Position: f.Position, At: moment(f.At), Chat: orNull(f.Chat), Contact: orNull(f.Contact), Order: orNull(f.Order),
			Visitor: Matched{f.Name, f.Phone}, Snippet: make([]Fragment, len(f.Snippet)),
		}
		if f.Kind != search.KindContact {
			items[i].By = &Author{f.ByKind, f.By}
		}
		if f.Chat != "" && (f.Kind == search.KindMessage || f.Kind == search.KindNote) {
			items[i].Place = conversation.CursorAt(f.At)
		}
		for j, part := range f.Snippet {
			items[i].Snippet[j] = Fragment(part)
		}
	}
	return web.NewList(items, page.Next), none, nil
}

package commandapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/transcript"
	"github.com/chatledger/chatledger/internal/web"
)

// readers are those who may see a conversation.
var readers = []agent.Role{agent.RoleAgent, agent.RoleBot, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin}

type inTranscript struct {
	Chat   chat.ID `path:"chat"`
	Format string  `query:"format" enum:"json,csv,txt,html" doc:"json if it is not given."`
	Notes  string  `query:"notes" enum:"true,false" doc:"With private notes; true if it is not given."`
	Events string  `query:"events" enum:"true,false" doc:"With what happened to the chat; true if it is not given."`
	Zone   string  `query:"tz" maxLength:"64" example:"Europe/Berlin" doc:"The time zone of all times in it, an IANA name; UTC if it is not given."`
	AsOf   int64   `query:"as_of" minimum:"1" doc:"A position of the log: nothing behind it is in the transcript. The end of the log if it is not given."`
}

// command checks what the domain cannot.
func (in *inTranscript) command(c caller, role agent.Role) (chat.DownloadTranscript, error) {
	cmd := chat.DownloadTranscript{
		Format: chat.TranscriptFormat(cmp.Or(in.Format, string(chat.TranscriptJSON))),
		Notes:  in.Notes != "false", Events: in.Events != "false", Zone: cmp.Or(in.Zone, "UTC"), AsOf: in.AsOf,
		By: c.By, Hidden: role == agent.RoleAuditor || role == agent.RoleAdmin,
	}
	if _, err := transcript.Zone(cmd.Zone); err != nil {
		return cmd, web.BadRequest(web.CodeInvalid, "query.tz", "it is no time zone of the IANA database, such as Europe/Berlin")
	}
	return cmd, nil
}

// maxDownloads is how many transcripts a token may download at once: each has an
// index of its chat in memory.
const maxDownloads = 4

const codeDownloads = "transcript.too_many"

// downloads counts the transcripts that are under way, by token.
type downloads struct {
	mu       sync.Mutex
	underWay map[string]int
}

// enter counts one more, unless the token has too many.
func (d *downloads) enter(token string) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.underWay[token] >= maxDownloads {
		return nil, false
	}
	d.underWay[token]++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.underWay[token]--; d.underWay[token] == 0 {
			delete(d.underWay, token)
		}
	}), true
}

// beginDownload counts a download of the caller's, and refuses one too many, or one that
// is only looked for: each is an event.
func (a *api) beginDownload(r *web.Request) (leave func(), err error) {
	if r.Method != http.MethodGet {
		return nil, web.NewProblem(http.StatusMethodNotAllowed, web.CodeMethod, "this route takes GET")
	}
	leave, ok := a.downloads.enter(r.TokenID)
	if !ok {
		return nil, web.NewProblem(http.StatusTooManyRequests, codeDownloads, fmt.Sprintf("a token may download %d transcripts at once", maxDownloads))
	}
	return leave, nil
}

// writeTime is how long a client may take for a part of a transcript.
const writeTime = 30 * time.Second

// transcript is a route that both records and shows, as proof is: who takes a
// transcript with them is in the log before the first byte is sent.
func (a *api) transcript() web.Endpoint {
	route := web.Route{
		Method: http.MethodGet, Path: "/v1/chats/{chat}/transcript", Tag: "chats", Summary: "Download a transcript",
		Description: "What was said, as of a position of the log: the same position and options give the same bytes, whenever they are asked for. " +
			"Entries are in the order in which things happened outside, or else were recorded. Position says what the transcript reflects. " +
			"Each download is an event of the chat, with who took what; a repeat with the same Idempotency-Key is not another one, and gets the same bytes. " +
			"Auditors and admins get that of a deleted chat, too.",
		Roles: readers, Stream: true, Records: true, ContentType: "application/json",
	}
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *inTranscript) (_ *web.Stream, err error) {
		leave, err := a.beginDownload(r)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				leave()
			}
		}()
		c, err := a.caller(r)
		if err != nil {
			return nil, err
		}
		cmd, err := in.command(c, r.Role)
		if err != nil {
			return nil, err
		}
		if cmd.AsOf, err = a.asOf(ctx, r.Workspace, in.Chat, in.AsOf); err != nil {
			return nil, refusal(err)
		}
		res, err := a.Chats.DownloadTranscript(ctx, c.Origin, in.Chat, cmd)
		if err != nil {
			return nil, refusal(err)
		}
		recorded, err := a.downloaded(ctx, c, in.Chat)
		if err != nil {
			return nil, err
		}
		t, err := a.open(ctx, in.Chat, recorded)
		if err != nil {
			return nil, err
		}
		return web.NewStream(func(w http.ResponseWriter, r *http.Request) {
			defer leave()
			h := w.Header()
			h.Set("Content-Type", transcript.ContentType(recorded.Format))
			h.Set("Content-Disposition", `attachment; filename="`+filename(in.Chat, recorded)+`"`)
			h.Set("Content-Security-Policy", transcript.Policy()+"; frame-ancestors 'none'; sandbox")
			h.Set("Position", web.Position(eventstore.Position(recorded.AsOf)))
			h.Set("ETag", web.ETag(res.Revision))
			out := &patient{w: w, control: http.NewResponseController(w), now: a.now}
			if err := t.Write(r.Context(), out); err != nil {
				panic(http.ErrAbortHandler) // half a transcript must not look like a whole one
			}
		}), nil
	}, func(op *huma.Operation) {
		ok := op.Responses["200"]
		ok.Content["application/json"].Schema = &huma.Schema{
			Type:        huma.TypeObject,
			Description: "schema names its form, about says what the chat was at the position, entries are what was said and done, count says how many they are.",
		}
		ok.Description = "The transcript, in the format asked for"
		for _, f := range []chat.TranscriptFormat{chat.TranscriptCSV, chat.TranscriptText, chat.TranscriptHTML} {
			media, _, _ := strings.Cut(transcript.ContentType(f), ";")
			ok.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		}
		text := &huma.Schema{Type: huma.TypeString}
		ok.Headers = map[string]*huma.Param{
			"Position": {Schema: text, Description: "The position of the log that the transcript reflects."},
			"ETag":     {Schema: text, Description: "The chat's revision after the download, for If-Match."},
		}
	})
}

// asOf returns the position that a transcript is to reflect, if the chat was
// there by then. A chat that is not there at all is left to the command.
func (a *api) asOf(ctx context.Context, workspace string, id chat.ID, asked int64) (int64, error) {
	head, err := a.store.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: read the head: %w", commands.ErrUnavailable, err)
	}
	switch {
	case asked == 0:
		return int64(head.Position), nil
	case asked > int64(head.Position):
		return 0, chat.ErrAsOf.With(fmt.Sprintf("the log ends at %d", head.Position))
	}
	err = a.Chats.Look(ctx, workspace, id, func(chat.State) error { return nil })
	if errors.Is(err, chat.ErrNotFound) {
		return asked, nil
	}
	if err != nil {
		return 0, err
	}
	owner, err := transcript.Opened(ctx, a.store, string(id), eventstore.Position(asked))
	if err == nil && owner == "" {
		err = chat.ErrAsOf.With("the chat was not there yet")
	}
	return asked, err
}

// downloaded returns what the log has about the download c asks for, which may
// be what c asked for the first time.
func (a *api) downloaded(ctx context.Context, c caller, id chat.ID) (f chat.TranscriptDownloaded, err error) {
	q := eventstore.StreamQuery{Event: ids.Event(c.Command, 0), Limit: 1}
	for e, err := range a.store.ReadStream(ctx, "chat-"+string(id), q) {
		if err != nil {
			return f, refusal(fmt.Errorf("%w: read chat: %w", commands.ErrUnavailable, err))
		}
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return f, fmt.Errorf("decode %s: %w", e.Type, err)
		}
		return f, nil
	}
	return f, fmt.Errorf("read chat: the log has no download by command %s", c.Command)
}

func (a *api) open(ctx context.Context, id chat.ID, f chat.TranscriptDownloaded) (*transcript.Transcript, error) {
	zone, err := transcript.Zone(f.Zone)
	if err != nil {
		return nil, fmt.Errorf("load zone: %w", err)
	}
	return transcript.New(ctx, a.store, string(id), transcript.Options{
		Format: f.Format, Notes: f.Notes, Events: f.Events, Zone: zone, AsOf: eventstore.Position(f.AsOf),
	})
}

// filename has nothing in it that a header or a disk would have to escape.
func filename(id chat.ID, f chat.TranscriptDownloaded) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, string(id))
	return fmt.Sprintf("chat-%s-%d.%s", safe, f.AsOf, f.Format)
}

// patient moves the deadline of the answer on with each part of it.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(p.now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}

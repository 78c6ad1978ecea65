package readapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/chatledger/chatledger/domain/chat"
	mediatypes "github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/media"
)

// Files opens the files of messages.
type Files interface {
	// Open opens a file that is kept for a workspace under its SHA-256, or returns
	// blob.ErrNotFound.
	Open(ctx context.Context, workspace, sha256 string) (io.ReadSeekCloser, error)
}

// MediaState is how far the file of a message is.
type MediaState struct {
	State    string `json:"state" enum:"fetching,stored,failed"`
	Size     int64  `json:"size,omitempty" doc:"In bytes, once it is stored."`
	MIMEType string `json:"mime_type,omitempty" doc:"As which it is shown; as the sender has it until it is stored."`
	Filename string `json:"filename,omitempty" doc:"As the sender calls it."`
	SHA256   string `json:"sha256,omitempty" doc:"Of what it holds, once it is stored."`
	URL      string `json:"url,omitempty" doc:"Where it is, once it is stored: a path of this API."`
	Code     string `json:"code,omitempty" enum:"gone,too_large,empty,type,damaged,refused,bad_address,unreachable,no_channel" doc:"With state failed: why."`
	Reason   string `json:"reason,omitempty" doc:"The same for people."`
}

func newMediaState(f media.File) *MediaState {
	s := &MediaState{State: f.State, Size: f.Size, MIMEType: f.MIMEType, Filename: f.Filename, SHA256: f.SHA256, Code: f.Code, Reason: f.Reason}
	if f.SHA256 != "" {
		s.URL = "/v1/chats/" + url.PathEscape(f.Chat) + "/messages/" + url.PathEscape(f.Message) + "/media"
	}
	return s
}

// showMedia completes the entries of a conversation with their files.
func showMedia(ctx context.Context, tx sqldb.Tx, workspace, chatID string, entries []Entry) error {
	var with []string
	for _, e := range entries {
		if e.Message != nil && e.Message.Content.Media != nil {
			with = append(with, e.ID)
		}
	}
	files, err := media.Of(ctx, tx, workspace, chatID, with)
	for _, e := range entries {
		if f, ok := files[e.ID]; ok && e.Message != nil {
			e.Message.Media = newMediaState(f)
		}
	}
	return err
}

const (
	codeMediaMissing = "media.missing"
	mediaPart        = 30 * time.Second // for a client to take a part of a file
	mediaPolicy      = "default-src 'none'; sandbox; frame-ancestors 'none'"
)

// messageMedia hands out the file of a message. What customers send is never shown
// as a page: its type is one of those that WhatsApp documents and its first bytes
// bear out, and a browser is told to believe that.
func (a *API) messageMedia(views ...string) web.Endpoint {
	type input struct {
		web.Read
		Chat     string `path:"chat"`
		Message  string `path:"message"`
		Download string `query:"download" enum:"true,false" doc:"To be saved rather than shown; what is no image, sound or film always is."`
	}
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: "/v1/chats/{chat}/messages/{message}/media", Tag: "chats", Summary: "The file of a message",
		Description: "Byte for byte as it was sent. The ETag is its SHA-256; Range and If-None-Match are understood. " +
			"A message without a file is a 404; one whose file is still fetched, or could not be had, is a 409 that says so.",
		Roles: anyone, Stream: true, ContentType: mediatypes.Opaque,
	}, func(ctx context.Context, r *web.Request, in *input) (*web.Stream, error) {
		if err := in.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error { return a.Waiter.Wait(ctx, p, views...) }); err != nil {
			return nil, err
		}
		var file media.File
		var at eventstore.Position
		err := a.DB.Read(ctx, func(tx sqldb.Tx) (err error) {
			if at, err = projections.Checkpoints(ctx, tx, views...); err != nil {
				return err
			}
			if _, err := inbox.Get(ctx, tx, r.Workspace, in.Chat); err != nil {
				return err
			}
			file, err = media.Get(ctx, tx, r.Workspace, in.Chat, in.Message)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case file.State == string(chat.MediaFetching):
			return nil, chat.ErrMediaFetching
		case file.State == string(chat.MediaLost):
			return nil, chat.ErrMediaFailed.With("the file could not be had (" + file.Code + "): " + file.Reason)
		}
		content, err := a.Files.Open(ctx, r.Workspace, file.SHA256)
		if errors.Is(err, blob.ErrNotFound) {
			a.Log.ErrorContext(ctx, "a file is missing", slog.String("chat", in.Chat), slog.String("message", in.Message), slog.String("sha256", file.SHA256))
			return nil, web.NewProblem(http.StatusNotFound, codeMediaMissing, "the file was kept, but is not there any more")
		}
		if err != nil {
			return nil, fmt.Errorf("open file: %w", err)
		}
		return web.NewStream(func(w http.ResponseWriter, hr *http.Request) {
			defer content.Close()
			h := w.Header()
			h.Set("Content-Type", contentType(file.MIMEType))
			h.Set("Content-Disposition", disposition(file, in.Download == "true"))
			h.Set("Content-Security-Policy", mediaPolicy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			h.Set("Cache-Control", "private, no-cache") // to be asked for again: the chat may be deleted
			h.Set("ETag", `"`+file.SHA256+`"`)
			h.Set("Position", web.Position(at))
			http.ServeContent(&patient{w, http.NewResponseController(w), a.Now}, hr, "", time.Time{}, content)
		}), nil
	}, func(op *huma.Operation) {
		text := &huma.Schema{Type: huma.TypeString}
		etag := &huma.Param{Schema: text, Description: "The SHA-256 of the file."}
		whole := op.Responses["200"]
		whole.Headers = map[string]*huma.Param{
			"ETag": etag, "Position": {Schema: text, Description: "The position of the log that the answer reflects."},
			"Content-Disposition": {Schema: text, Description: "With the name of the file."},
		}
		for _, k := range []mediatypes.Kind{mediatypes.Image, mediatypes.Audio, mediatypes.Video, mediatypes.Document} {
			for _, t := range k.Types() {
				whole.Content[t] = &huma.MediaType{Schema: text}
			}
		}
		op.Parameters = append(op.Parameters,
			&huma.Param{Name: "Range", In: "header", Schema: text, Example: "bytes=0-1023", Description: "A part of the file."},
			&huma.Param{Name: "If-None-Match", In: "header", Schema: text, Description: "The ETag of a copy that the client has."})
		op.Responses["206"] = &huma.Response{Description: "The part that Range asks for", Content: whole.Content, Headers: whole.Headers}
		op.Responses["304"] = &huma.Response{Description: "The client's copy is the file", Headers: map[string]*huma.Param{"ETag": etag}}
		op.Responses["416"] = &huma.Response{Description: "The file has no such part"}
		op.Responses["409"] = &huma.Response{Ref: "#/components/responses/Conflict"}
	})
}

func contentType(t string) string {
	if t == "text/plain" {
		return "text/plain; charset=utf-8"
	}
	return t
}

// disposition says whether a browser may show a file, and what it is called.
func disposition(f media.File, download bool) string {
	how := "attachment"
	if mediatypes.Inline(f.MIMEType) && !download {
		how = "inline"
	}
	if d := mime.FormatMediaType(how, map[string]string{"filename": filename(f)}); d != "" {
		return d
	}
	return how
}

// filename is what the sender calls a file, without a path, or else made of its
// kind.
func filename(f media.File) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == 0x7F || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`\:*?<>|`, r) {
			return '_'
		}
		return r
	}, path.Base(f.Filename))
	if name == "." || name == "/" || name == ".." {
		return f.Kind + mediatypes.Extension(f.MIMEType)
	}
	return name
}

// patient moves the deadline of the answer on with each part of it.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(p.now().Add(mediaPart)) // where there are deadlines
	return p.ResponseWriter.Write(b)
}

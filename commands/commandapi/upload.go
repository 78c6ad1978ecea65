package commandapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/web"
)

// Files keeps what is uploaded.
type Files interface {
	// Put keeps what r holds, and says where; if r fails, it keeps nothing.
	Put(ctx context.Context, workspace string, r io.Reader) (blob.Blob, error)
}

const uploadTime = 10 * time.Minute // for a whole file

// upload is a file in a request. It is not read before it is wanted.
type upload struct {
	Chat chat.ID `path:"chat"`

	request *http.Request
	control *http.ResponseController
}

// Resolve implements huma.Resolver.
func (u *upload) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	u.request, u.control = r, http.NewResponseController(w)
	return nil
}

// UploadedFile is the answer to an upload.
type UploadedFile struct {
	Written
	Kind     string `json:"kind" enum:"image,audio,video,document,sticker"`
	MIMEType string `json:"mime_type"`
	Size     int64  `json:"size" doc:"In bytes."`
	SHA256   string `json:"sha256"`
}

// uploadFile takes a file, which may be much larger than what is read into memory.
func (a *api) uploadFile() web.Endpoint {
	return web.NewEndpoint(web.Route{
		Method: http.MethodPost, Path: "/v1/chats/{chat}/media", Tag: "chats", Summary: "Upload a file to be sent",
		Description: "The body is the file, with its Content-Type. It has to be one that WhatsApp takes, of the size that it takes, and to be what it says. " +
			"The id in the answer goes into a message of the same chat. The same file again is answered with the same id.",
		Roles: anyone, Status: http.StatusCreated, Stream: true,
	}, func(ctx context.Context, r *web.Request, in *upload) (*web.Answer[UploadedFile], error) {
		c, err := a.caller(r)
		if err != nil {
			return nil, err
		}
		if c.Keyed {
			c.Fingerprint = r.Fingerprint()
		}
		out, res, err := a.upload(ctx, c, in)
		if err != nil {
			return nil, refusal(err)
		}
		return &web.Answer[UploadedFile]{ETag: web.ETag(res.Revision), Position: web.Position(res.Position), Body: out}, nil
	}, func(op *huma.Operation) {
		content := map[string]*huma.MediaType{}
		for _, k := range []media.Kind{media.Image, media.Audio, media.Video, media.Document, media.Sticker} {
			for _, t := range k.Types() {
				content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
			}
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: content}
	})
}

func (a *api) upload(ctx context.Context, c caller, in *upload) (out UploadedFile, res result, err error) {
	if err := a.Chats.Look(ctx, c.Workspace, in.Chat, chat.State.Attachable); err != nil {
		return out, res, err
	}
	declared := in.request.Header.Get("Content-Type")
	kind := media.KindOf(declared)
	if strings.HasPrefix(declared, "image/webp") {
		kind = media.Sticker // WhatsApp sends no other WebP
	}
	if kind == "" {
		return out, res, media.ErrType.With("WhatsApp takes no file of the type that Content-Type says")
	}
	if in.request.ContentLength > kind.Max() {
		return out, res, kind.TooLarge()
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	_ = in.control.SetReadDeadline(a.now().Add(uploadTime)) // where there are deadlines
	_ = in.control.SetWriteDeadline(a.now().Add(uploadTime + answerWait))
	source := &reading{r: in.request.Body}
	body := bufio.NewReaderSize(source, media.Head)
	head, err := body.Peek(media.Head)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return out, res, web.BadRequest(web.CodeInvalid, "body", "the file broke off")
	case len(head) == 0:
		return out, res, media.ErrEmpty
	}
	shown, err := media.Type(kind, declared, head)
	most, tooLarge := kind.Max(), kind.TooLarge()
	switch {
	case err != nil:
		return out, res, err
	case shown == media.Opaque:
		return out, res, media.ErrType.With("the file is not what its Content-Type says")
	case kind == media.Sticker && !media.Moves(head):
		most, tooLarge = media.MaxStill, media.ErrTooLarge.With("the file is larger than the 100 KB that a sticker may have that does not move")
	}
	kept, err := a.files.Put(ctx, c.Workspace, blob.Check(body, most, ""))
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return out, res, tooLarge
	case err != nil && source.broken:
		return out, res, web.BadRequest(web.CodeInvalid, "body", "the file broke off")
	case err != nil:
		return out, res, fmt.Errorf("%w: keep a file: %w", commands.ErrUnavailable, err)
	}
	if c.Keyed {
		c.Fingerprint += " " + kept.SHA256 // the body was not kept for it
	}
	f := chat.FileUse{Kind: kind, SHA256: kept.SHA256, Size: kept.Size, MIMEType: shown}
	res, err = a.Chats.UploadFile(ctx, c.Origin, in.Chat, chat.UploadFile{FileUploaded: chat.FileUploaded{File: f, By: c.By, Bot: c.Bot, At: c.At}})
	return UploadedFile{written(res), string(kind), shown, kept.Size, kept.SHA256}, res, err
}

// reading remembers whether its reader failed.
type reading struct {
	r      io.Reader
	broken bool
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.broken = r.broken || err != nil && !errors.Is(err, io.EOF)
	return n, err
}

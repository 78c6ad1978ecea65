package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
)

// sentFile is a file in a message, by the id that Meta gave it.
type sentFile struct {
	ID       string `json:"id"`
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
}

// Upload brings a file to Meta, which keeps it for 30 days under ProviderID, as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
// has it. Nobody sees it before a message is sent with it, so it may be repeated:
// the outcome is never Unknown.
func (c *Client) Upload(ctx context.Context, a Account, f chat.FileUse, content io.Reader) Sent {
	ctx, cancel := context.WithTimeout(ctx, MediaTime)
	defer cancel()
	req, err := newUpload(ctx, a, f, content)
	if err != nil {
		return Sent{Outcome: Refused, Error: &chat.DeliveryError{Code: CodeNoChannel, Title: "The channel is not set up to send", Details: err.Error()}, Cause: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Sent{Outcome: Again, Error: unreachable(), Cause: fmt.Errorf("upload a file: %w", hideURL(err))}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Sent{Outcome: Again, Error: unreachable(), Cause: fmt.Errorf("read the answer to an upload: %w", err)}
	}
	var said struct {
		ID string `json:"id"`
	}
	sent := c.judge(resp, body, &said, func() (string, bool) { return said.ID, said.ID != "" && len(said.ID) <= maxID })
	if sent.Outcome == Unknown {
		sent.Outcome, sent.Error = Again, unreachable()
	}
	return sent
}

func newUpload(ctx context.Context, a Account, f chat.FileUse, content io.Reader) (*http.Request, error) {
	address, err := endpoint(a, "media")
	if err != nil {
		return nil, err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := errors.Join(w.WriteField("messaging_product", "whatsapp"), w.WriteField("type", f.MIMEType)); err != nil {
		return nil, err
	}
	part := textproto.MIMEHeader{}
	part.Set("Content-Disposition", `form-data; name="file"; filename="file`+media.Extension(f.MIMEType)+`"`)
	part.Set("Content-Type", f.MIMEType)
	if _, err := w.CreatePart(part); err != nil {
		return nil, err
	}
	before := form.Len() // the file goes here
	if err := w.Close(); err != nil {
		return nil, err
	}
	around := form.Bytes()
	body := io.MultiReader(bytes.NewReader(around[:before]), io.LimitReader(content, f.Size), bytes.NewReader(around[before:]))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return nil, errors.New("the Graph URL of the channel cannot be used")
	}
	req.ContentLength = int64(len(around)) + f.Size
	req.Header.Set("Authorization", "Bearer "+a.Secrets.AccessToken)
	req.Header.Set("Content-Type", w.FormDataContentType())
	return req, nil
}

// attach makes m the file of kind k.
func (m *message) attach(k media.Kind, f *sentFile) {
	if k == media.Voice {
		k = media.Audio
	}
	m.Type = string(k)
	switch k {
	case media.Image:
		m.Image = f
	case media.Audio:
		m.Audio = f
	case media.Video:
		m.Video = f
	case media.Document:
		m.Document = f
	case media.Sticker:
		m.Sticker = f
	}
}

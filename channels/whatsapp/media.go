package whatsapp

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

// MediaTime bounds how long the file of a message may take to come, in all.
const MediaTime = 5 * time.Minute

// MediaAge is how long Meta keeps the file of a message that a webhook told of. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
const MediaAge = 7 * 24 * time.Hour

// File is a file that Meta hands out. Close Body.
type File struct {
	Body     io.ReadCloser
	MIMEType string // as Meta has it
	Size     int64  // as Meta announces it; -1 if it does not
	SHA256   string // as Meta announces it, in hex; "" if it does not
}

// MediaError is why a file did not come.
type MediaError struct {
	Code  chat.MediaFailureCode
	Why   string        // for people
	Again bool          // it may come later
	After time.Duration // with Again: not before, if Meta said so
	Cause error         // for the log; nil if Meta answered
}

func (e *MediaError) Error() string {
	if e.Cause != nil {
		return "fetch a file: " + e.Cause.Error()
	}
	return "fetch a file: " + string(e.Code) + ": " + e.Why
}

func (e *MediaError) Unwrap() error { return e.Cause }

// OpenMedia asks Meta where a file is, and opens it there. Any failure is a
// *MediaError, of Body too.
//
// Meta's answer is not trusted to say where to go: the access token goes along, so
// only to hosts of Meta's, by HTTPS, and to the one that the channel itself is
// configured for. No redirect is followed.
func (c *Client) OpenMedia(ctx context.Context, a Account, id string) (*File, error) {
	base, err := graph(a)
	if err != nil {
		return nil, &MediaError{Code: chat.MediaNoChannel, Why: "The channel is not set up to fetch files.", Cause: err}
	}
	about := struct {
		URL      string      `json:"url"`
		MIMEType string      `json:"mime_type"`
		SHA256   string      `json:"sha256"`
		Size     json.Number `json:"file_size"`
	}{}
	resp, err := c.get(ctx, a, base+"/"+url.PathEscape(id)+"?phone_number_id="+url.QueryEscape(a.PhoneNumberID))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, c.noMedia(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&about); err != nil {
		return nil, lost(fmt.Errorf("read what Meta says of a file: %w", err))
	}
	if !ours(base, about.URL) {
		return nil, &MediaError{Code: chat.MediaElsewhere, Why: "WhatsApp named an address for the file that is not one of its own."}
	}
	content, err := c.get(ctx, a, about.URL)
	if err != nil {
		return nil, err
	}
	if content.StatusCode != http.StatusOK {
		defer content.Body.Close()
		// The address is good for five minutes: the next try asks for a new one.
		return nil, &MediaError{
			Code: chat.MediaRefused, Why: "WhatsApp did not hand the file out: HTTP status " + strconv.Itoa(content.StatusCode) + ".",
			Again: true, After: c.retryAfter(content),
		}
	}
	f := &File{Body: body{content.Body}, MIMEType: scrub(about.MIMEType), Size: content.ContentLength, SHA256: Digest(about.SHA256)}
	if n, err := about.Size.Int64(); err == nil && f.Size < 0 {
		f.Size = n
	}
	return f, nil
}

// get asks for something of Meta's.
func (c *Client) get(ctx context.Context, a Account, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, &MediaError{Code: chat.MediaElsewhere, Why: "WhatsApp named an address for the file that cannot be used.", Cause: hideURL(err)}
	}
	req.Header.Set("Authorization", "Bearer "+a.Secrets.AccessToken)
	req.Header.Set("Accept-Encoding", "identity") // the size is that of the file
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lost(hideURL(err))
	}
	return resp, nil
}

// body gives its failures their kind.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lost(err)
	}
	return n, err
}

func lost(cause error) *MediaError {
	return &MediaError{Code: chat.MediaUnreachable, Why: "WhatsApp could not be reached for the file, or broke off, in several tries.", Again: true, Cause: cause}
}

// Codes of the Graph API about things that are not there, or not any more.
const (
	codeNoObject     = 100    // with the sub-code below: "Object with ID … does not exist"
	subcodeNoObject  = 33     //
	codeMediaExpired = 131052 // media download error
)

// noMedia says why Meta did not tell where a file is.
func (c *Client) noMedia(resp *http.Response) *MediaError {
	var said struct {
		Error *struct {
			Message   string `json:"message"`
			Code      int    `json:"code"`
			Subcode   int    `json:"error_subcode"`
			Transient bool   `json:"is_transient"`
		} `json:"error"`
	}
	status := resp.StatusCode
	err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&said)
	if err != nil || said.Error == nil {
		e := &MediaError{
			Code: chat.MediaUnreachable, Why: "WhatsApp answered with HTTP status " + strconv.Itoa(status) + ".",
			Again: status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError, After: c.retryAfter(resp),
		}
		if !e.Again {
			e.Code = chat.MediaRefused
		}
		return e
	}
	why := clip(scrub(title("", said.Error.Message)), maxText)
	switch e := said.Error; {
	case e.Code == codeNoObject && e.Subcode == subcodeNoObject, e.Code == codeMediaExpired, status == http.StatusNotFound:
		return &MediaError{Code: chat.MediaGone, Why: "WhatsApp does not have the file any more: " + why}
	case e.Transient, retryable(e.Code), status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return &MediaError{Code: chat.MediaUnreachable, Why: "WhatsApp was not able to hand the file out: " + why, Again: true, After: c.retryAfter(resp)}
	default:
		return &MediaError{Code: chat.MediaRefused, Why: fmt.Sprintf("WhatsApp did not hand the file out: %s (error %d)", why, e.Code)}
	}
}

// mediaHosts are those that Meta hands files out from: these, and what is below
// them.
var mediaHosts = []string{"fbsbx.com", "fbcdn.net", "whatsapp.net"}

// ours reports whether an address is one of Meta's, or is where base is.
func ours(base, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" {
		return false
	}
	if b, err := url.Parse(base); err == nil && u.Scheme == b.Scheme && strings.EqualFold(u.Host, b.Host) {
		return true
	}
	if u.Scheme != "https" || u.Port() != "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, h := range mediaHosts {
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	return false
}

// Digest returns a SHA-256 in hex. Meta writes it so, or in base 64. What is
// neither is "".
func Digest(s string) string {
	const size = 32
	if b, err := hex.DecodeString(strings.ToLower(s)); err == nil && len(b) == size {
		return strings.ToLower(s)
	}
	if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) == size {
		return hex.EncodeToString(b)
	}
	return ""
}

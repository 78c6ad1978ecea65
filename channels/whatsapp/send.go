package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatledger/chatledger/domain/chat"
)

// Where the Graph API is, unless a channel says otherwise.
const (
	GraphURL     = "https://graph.facebook.com"
	GraphVersion = "v23.0"
)

const (
	sendTimeout = 30 * time.Second
	maxAnswer   = 1 << 20
)

// Codes of our own for messages that failed, beside Meta's, which are positive.
const (
	CodeOutcomeUnknown = -1 // Meta may have taken the message; it is not sent again
	CodeUnreachable    = -2 // Meta could not be reached, or said nothing of use, in all tries
	CodeNoChannel      = -3 // the channel was disconnected
	CodeNoFile         = -4 // the file of the message is not there any more
)

// Outcome is what a try to send led to.
type Outcome int

// Outcomes.
const (
	Accepted Outcome = iota + 1 // Meta took the message
	Again                       // Meta did not take it, and may do so later
	Refused                     // Meta did not take it and will not
	Unknown                     // the request may have arrived, the answer did not
)

// Sent is how a try to send ended.
type Sent struct {
	Outcome    Outcome
	ProviderID string              // with Accepted
	Error      *chat.DeliveryError // without Accepted: for people
	After      time.Duration       // with Again: not before, if Meta said so
	Cause      error               // without Accepted: for the log; nil if Meta answered
}

// Client sends through the Graph API. The zero value is not ready: use
// NewClient.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// NewClient returns a Client that sends with transport, or with one of its own
// if that is nil.
func NewClient(transport http.RoundTripper, now func() time.Time) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			MaxIdleConnsPerHost:   64,
			MaxConnsPerHost:       64,
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 20 * time.Second,
			ForceAttemptHTTP2:     true,
		}
	}
	return &Client{now: now, http: &http.Client{
		Transport: transport,
		// A redirect would send the access token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// versioned matches base addresses that name the version themselves.
var versioned = regexp.MustCompile(`/v[0-9]+\.[0-9]+$`)

// endpoint returns the address of what an account has, such as its messages.
func endpoint(a Account, edge string) (string, error) {
	base, err := graph(a)
	return base + "/" + url.PathEscape(a.PhoneNumberID) + "/" + edge, err
}

// graph returns the address of the Graph API, with its version.
func graph(a Account) (string, error) {
	base := strings.TrimRight(a.Secrets.GraphURL, "/")
	if base == "" {
		base = GraphURL
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("the Graph URL of the channel is not an http address")
	}
	if !versioned.MatchString(base) {
		base += "/" + GraphVersion
	}
	return base, nil
}

// postMessage posts a message, once.
func (c *Client) postMessage(ctx context.Context, a Account, payload any) Sent {
	var said struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	return c.post(ctx, a, "messages", payload, &said, func() (string, bool) {
		if len(said.Messages) == 0 || said.Messages[0].ID == "" || len(said.Messages[0].ID) > maxID {
			return "", false
		}
		return said.Messages[0].ID, true
	})
}

// post posts a payload to something of an account, once. If the answer is a
// success it is decoded into said, and id returns what was made, and false if
// the answer does not say.
func (c *Client) post(ctx context.Context, a Account, edge string, payload, said any, id func() (string, bool)) Sent {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, connected, err := newRequest(ctx, a, edge, payload)
	if err != nil {
		return Sent{Outcome: Refused, Error: &chat.DeliveryError{Code: CodeNoChannel, Title: "The channel is not set up to send", Details: err.Error()}, Cause: err}
	}
	resp, err := c.http.Do(req)
	switch {
	case err != nil && !connected.Load():
		return Sent{Outcome: Again, Error: unreachable(), Cause: fmt.Errorf("connect to the Graph API: %w", hideURL(err))}
	case err != nil:
		return unknown(fmt.Errorf("post to %s: %w", edge, hideURL(err)))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode < 300 {
		return unknown(fmt.Errorf("read the answer of %s: %w", edge, err))
	}
	return c.judge(resp, body, said, id)
}

// newRequest returns the request, and whether a connection for it came about.
func newRequest(ctx context.Context, a Account, edge string, content any) (*http.Request, *atomic.Bool, error) {
	payload, err := json.Marshal(content)
	if err != nil {
		return nil, nil, err
	}
	address, err := endpoint(a, edge)
	if err != nil {
		return nil, nil, err
	}
	connected := &atomic.Bool{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, errors.New("the Graph URL of the channel cannot be used")
	}
	req.Header.Set("Authorization", "Bearer "+a.Secrets.AccessToken)
	req.Header.Set("Content-Type", "application/json")
	return req, connected, nil
}

// hideURL takes the address off an error of http: it is of no use to a log, and
// an operator may have put a secret into it.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func unknown(cause error) Sent {
	return Sent{Outcome: Unknown, Cause: cause, Error: OutcomeUnknown()}
}

// OutcomeUnknown is what a message fails with that may have been sent.
func OutcomeUnknown() *chat.DeliveryError {
	return &chat.DeliveryError{
		Code: CodeOutcomeUnknown, Title: "Outcome unknown",
		Details: "WhatsApp did not answer, so the message may or may not have been sent. It is not sent again by itself.",
	}
}

func unreachable() *chat.DeliveryError {
	return &chat.DeliveryError{Code: CodeUnreachable, Title: "WhatsApp could not be reached", Details: "No answer of use in several tries. The message was not sent."}
}

// answer is what the Graph API says of an error.
type answer struct {
	Error *struct {
		Message   string `json:"message"`
		Code      int    `json:"code"`
		Transient bool   `json:"is_transient"`
		Data      struct {
			Details string `json:"details"`
		} `json:"error_data"`
		UserTitle string `json:"error_user_title"`
	} `json:"error"`
}

func (c *Client) judge(resp *http.Response, body []byte, said any, id func() (string, bool)) Sent {
	var a answer
	readable := json.Unmarshal(body, &a) == nil
	if resp.StatusCode < 300 && readable && a.Error == nil && json.Unmarshal(body, said) == nil {
		if made, ok := id(); ok {
			return Sent{Outcome: Accepted, ProviderID: scrub(made)}
		}
	}
	switch {
	case readable && a.Error != nil:
		e := &chat.DeliveryError{Code: a.Error.Code, Title: clip(scrub(title(a.Error.UserTitle, a.Error.Message)), maxWord), Details: clip(scrub(a.Error.Data.Details), maxText)}
		if a.Error.Transient || retryable(a.Error.Code) || resp.StatusCode == http.StatusTooManyRequests {
			return Sent{Outcome: Again, Error: e, After: c.retryAfter(resp)}
		}
		return Sent{Outcome: Refused, Error: e}
	}
	// No answer of the Graph API, but of something before it.
	cause := fmt.Errorf("the answer to a message has status %d and no error of the Graph API", resp.StatusCode)
	switch s := resp.StatusCode; {
	case s < 300, s == http.StatusBadGateway, s == http.StatusGatewayTimeout:
		// Taken under an id we do not know; or a gateway lost sight of it.
		return unknown(cause)
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s >= 500:
		return Sent{Outcome: Again, Error: unreachable(), After: c.retryAfter(resp), Cause: cause}
	default:
		return Sent{Outcome: Refused, Cause: cause, Error: &chat.DeliveryError{
			Code: s, Title: "HTTP status " + strconv.Itoa(s), Details: "The Graph API did not say why.",
		}}
	}
}

// title prefers what is meant for people. Meta begins a message with its code:
// "(#131047) Re-engagement message".
func title(user, message string) string {
	if user != "" {
		return user
	}
	if rest, ok := strings.CutPrefix(message, "(#"); ok {
		if _, after, ok := strings.Cut(rest, ") "); ok {
			return after
		}
	}
	return message
}

// retryable tells Meta's errors that pass from those that do not. The list is
// that of
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
// and, for codes below 1000, of
// https://developers.facebook.com/docs/graph-api/guides/error-handling
//
// What is not in it fails the message at once, so that the agent sees it. That
// goes for an access token that expired (190) or lacks a right (0, 3, 10,
// 200-299) too: only an operator can mend it, perhaps in days, and an answer
// that is sent by itself days later is worse than one that visibly failed. So
// does a number that was limited for spam (131048) or blocked for a breach of
// policy (368), and a message that Meta held back for the customer's sake
// (131049), which is not to be tried again soon.
func retryable(code int) bool {
	switch code {
	case 1, // unknown, possibly a server error: wait and try again
		2,              // temporary, down or overloaded
		4, 17, 32, 613, // too many calls of the app, the user, the page
		341,    // a temporary limit of the application
		80007,  // rate limit of the business account
		130429, // rate limit: the throughput of the number is reached
		131000, // something went wrong: try again
		131016, // service unavailable
		131056, // too many messages to this customer: wait and try again
		131057, // the account is in maintenance mode, for minutes
		133004: // server temporarily unavailable
		return true
	}
	return false
}

// retryAfter reads the header of that name: seconds or a date.
func (c *Client) retryAfter(resp *http.Response) time.Duration {
	h := resp.Header.Get("Retry-After")
	if s, err := strconv.Atoi(h); err == nil && s >= 0 {
		return time.Duration(min(s, 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil {
		return max(0, t.Sub(c.now()))
	}
	return 0
}

package calling

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
	"strconv"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	askTimeout = 30 * time.Second
	maxAnswer  = 64 << 10
	maxWord    = 200
	maxDetails = 1_000
)

// Client asks a channel's click-to-call service for calls. Use NewClient.
type Client struct {
	find Find
	now  func() time.Time
	http *http.Client
}

// NewClient returns a Client that asks through transport, or one of its own if
// that is nil.
func NewClient(find Find, transport http.RoundTripper, now func() time.Time) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 16, IdleConnTimeout: 60 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second, ForceAttemptHTTP2: true,
		}
	}
	return &Client{find: find, now: now, http: &http.Client{
		Transport: transport,
		// What is signed for one address is not for another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is what a service is asked for.
type request struct {
	Type       string `json:"type"` // call.start or call.end
	Call       string `json:"call"`
	Workspace  string `json:"workspace"`
	Channel    string `json:"channel"`
	Chat       string `json:"chat"`
	Agent      string `json:"agent"`
	To         string `json:"to"`
	Offer      string `json:"offer,omitempty"`
	ProviderID string `json:"provider_id,omitempty"`
}

// Place asks for a call, once.
func (c *Client) Place(ctx context.Context, k Call) Answer { return c.ask(ctx, "call.start", k) }

// HangUp asks for the end of a call. It does no harm to ask again.
func (c *Client) HangUp(ctx context.Context, k Call) Answer { return c.ask(ctx, "call.end", k) }

func (c *Client) ask(ctx context.Context, what string, k Call) Answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	settings, err := c.find(ctx, k.Channel)
	switch {
	case errors.Is(err, ErrNotSetUp):
		return Answer{Outcome: Refused, Reason: "provider_not_setup", Details: "The channel is not set up for calls.", Cause: err}
	case err != nil:
		return Answer{Outcome: Again, Reason: "unreachable", Details: "The settings could not be read.", Cause: err}
	}
	body, err := json.Marshal(request{what, k.ID, k.Workspace, k.Channel, k.Chat, k.By, k.Phone, k.Offer, k.ProviderID})
	if err != nil {
		return Answer{Outcome: Refused, Reason: "invalid_request", Details: "The call cannot be described.", Cause: err}
	}
	connected := &atomic.Bool{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, settings.URL, bytes.NewReader(body))
	if err != nil {
		return Answer{Outcome: Refused, Reason: "provider_not_setup", Details: "The address of the service cannot be used.", Cause: errors.New("the address of the service cannot be used")}
	}
	req.Header.Set("Content-Type", "application/json")
	Sign(req.Header, settings.Secret, k.ID+"-"+what[len("call."):], c.now(), body)
	resp, err := c.http.Do(req)
	switch {
	case err != nil && !connected.Load():
		return Answer{Outcome: Again, Reason: "unreachable", Details: "The service could not be reached.", Cause: fmt.Errorf("connect to the call service: %w", hideURL(err))}
	case err != nil:
		return unknown(fmt.Errorf("ask the call service: %w", hideURL(err)))
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode < 300 {
		return unknown(fmt.Errorf("read the answer of the call service: %w", err))
	}
	return judge(resp, said)
}

// judge reads an answer: 2xx with an optional {"id"}, or an error with an optional
// {"code", "message"}.
func judge(resp *http.Response, body []byte) Answer {
	var said struct {
		ID      string `json:"id"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // an answer that says nothing is one, too
	status := resp.StatusCode
	a := Answer{Reason: clean(said.Code, maxWord), Details: clean(said.Message, maxDetails)}
	if a.Reason == "" {
		a.Reason = "http_" + strconv.Itoa(status)
	}
	switch {
	case status < 300:
		return Answer{Outcome: Accepted, ProviderID: clean(said.ID, maxWord)}
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return unknown(fmt.Errorf("the call service answered %d", status))
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		a.Outcome = Again
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			a.After = time.Duration(min(s, 3600)) * time.Second
		}
	default:
		a.Outcome = Refused
	}
	return a
}

func unknown(cause error) Answer {
	return Answer{
		Outcome: Unknown, Reason: "outcome_unknown", Cause: cause,
		Details: "The service did not answer, so the call may or may not have been made. It is not made again by itself.",
	}
}

// hideURL takes the address off an error of http: an operator may have put a
// secret into it.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// clean returns text that can be kept, of so many runes at most.
func clean(s string, most int) string {
	out := make([]rune, 0, min(len(s), most))
	for _, r := range s {
		if len(out) == most {
			break
		}
		if r == utf8.RuneError || unicode.IsControl(r) {
			continue
		}
		out = append(out, r)
	}
	return string(out)
}

// Package graphtest is a stand-in for Meta's Graph API, as far as messages are
// sent through it: for tests and for the demo.
//
// It takes POST /{version}/{phone-number-id}/messages and …/calls as documented,
// hands out files, remembers what it took, can report on it by signed webhooks, and misbehaves when
// told to. It delivers nothing to anybody.
package graphtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp"
)

// Message is what the server took.
type Message struct {
	ID            string // what it was answered with
	PhoneNumberID string
	To            string
	Type          string // such as text or template; read for what says that a message was read
	Text          string // of a text
	Callback      string // what the reports are to repeat
	ReplyTo       string // what the message that it answers is called
	Payload       string // the whole request
}

// Behaviour is how a request is answered. The zero value takes the message.
type Behaviour struct {
	Status     int           // not 0: answer with this status
	Code       int           // and this error of the Graph API; 0: with a body that is no JSON
	Title      string        // of the error
	Details    string        // of the error
	RetryAfter string        // header
	Take       bool          // take the message all the same: the answer lies
	Delay      time.Duration // before the answer
	Hang       bool          // never answer; ends with the request or the server
	Cut        bool          // break the connection off without an answer
}

// Config is what Start needs. The zero value takes any token.
type Config struct {
	AccessToken string     // "": any
	Templates   []Template // that Meta has and has approved; nil: any
	// Taken, if set, is called for each message or reaction that was taken, before it
	// is answered.
	Taken func(Message)
	// Media, if set, is asked for files that PutMedia was not told of.
	Media func(id string) (Media, bool)
}

// Server is the stand-in. It is an http.Handler, for those who have a listener
// already; Start listens by itself.
type Server struct {
	URL string // set by Start, such as "http://127.0.0.1:34567"

	config Config
	http   *http.Server
	served chan struct{}
	done   chan struct{}
	close  sync.Once

	mu    sync.Mutex
	taken []Message
	rung  []Call

	media       map[string]Media
	mediaAsked  []string
	mediaScript []Behaviour

	requests int
	script   []Behaviour
	decide   func(n int, m Message) Behaviour
	grown    chan struct{} // closed and replaced when something was asked
}

const keep = 100_000 // messages remembered

// New returns a Server that does not listen.
func New(c Config) *Server {
	return &Server{config: c, done: make(chan struct{}), grown: make(chan struct{})}
}

// Start returns a Server that listens on a free port of this machine.
func Start(c Config) (*Server, error) {
	s := New(c)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // ends with ErrServerClosed
	}()
	return s, nil
}

// Close ends the server and what it is hanging on to.
func (s *Server) Close() error {
	s.close.Do(func() { close(s.done) })
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	<-s.served
	return err
}

// Next sets how the next requests are answered, one after the other; those
// behind them are taken.
func (s *Server) Next(b ...Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, b...)
}

// Decide sets how requests are answered that Next says nothing about. n counts
// all requests, from 1. Nil takes them.
func (s *Server) Decide(decide func(n int, m Message) Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide = decide
}

// Taken returns the messages that were taken, in order.
func (s *Server) Taken() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Requests returns how many requests there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Wait returns when there were n requests.
func (s *Server) Wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		enough, grown := s.requests >= n, s.grown
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{version}/{phone}/messages", s.messages)
	mux.HandleFunc("POST /{version}/{phone}/calls", s.calls)
	mux.HandleFunc("POST /{version}/{phone}/media", s.upload)
	mux.HandleFunc("GET /{version}/{media}", s.whereMedia)
	mux.HandleFunc("GET "+attachments+"{$}", s.getMedia)
	mux.ServeHTTP(w, r)
}

func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return
	}
	m, refused := s.read(body)
	m.PhoneNumberID = r.PathValue("phone")
	b := s.behaviour(m)
	switch {
	case s.config.AccessToken != "" && r.Header.Get("Authorization") != "Bearer "+s.config.AccessToken:
		fail(w, http.StatusUnauthorized, 190, "Invalid OAuth access token - Cannot parse access token", "")
		return
	case refused != nil:
		fail(w, http.StatusBadRequest, refused.code, fmt.Sprintf("(#%d) %s", refused.code, refused.title), refused.details)
		return
	}
	if b.Status == 0 && !b.Hang && !b.Cut || b.Take {
		m = s.take(m)
	}
	if m.Type == markRead {
		s.answer(w, r, b, map[string]any{"success": true})
		return
	}
	s.answer(w, r, b, map[string]any{
		"messaging_product": "whatsapp",
		"contacts":          []any{map[string]any{"input": m.To, "wa_id": m.To}},
		"messages":          []any{map[string]any{"id": m.ID}},
	})
}

func (s *Server) behaviour(m Message) (b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	close(s.grown)
	s.grown = make(chan struct{})
	switch {
	case len(s.script) > 0:
		b, s.script = s.script[0], s.script[1:]
	case s.decide != nil:
		b = s.decide(s.requests, m)
	}
	return b
}

func (s *Server) take(m Message) Message {
	m.ID = newID("wamid.")
	s.mu.Lock()
	if s.taken = append(s.taken, m); len(s.taken) > keep {
		s.taken = slices.Delete(s.taken, 0, keep/2)
	}
	s.mu.Unlock()
	if s.config.Taken != nil && m.Type != markRead {
		s.config.Taken(m)
	}
	return m
}

func newID(prefix string) string {
	id := make([]byte, 18)
	_, _ = rand.Read(id) // never fails
	return prefix + base64.StdEncoding.EncodeToString(id)
}

// answer answers a request as b says, else with success.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, b Behaviour, success map[string]any) {
	if b.Delay > 0 || b.Hang {
		t := time.NewTimer(b.Delay)
		defer t.Stop()
		elapsed := t.C
		if b.Hang {
			elapsed = nil
		}
		select {
		case <-elapsed:
		case <-r.Context().Done():
			return
		case <-s.done:
			panic(http.ErrAbortHandler)
		}
	}
	if b.Cut {
		panic(http.ErrAbortHandler) // as net/http documents it
	}
	if b.RetryAfter != "" {
		w.Header().Set("Retry-After", b.RetryAfter)
	}
	switch {
	case b.Status != 0 && b.Code == 0:
		http.Error(w, "out of order", b.Status)
	case b.Status != 0:
		fail(w, b.Status, b.Code, fmt.Sprintf("(#%d) %s", b.Code, b.Title), b.Details)
	default:
		write(w, http.StatusOK, success)
	}
}

func fail(w http.ResponseWriter, status, code int, message, details string) {
	e := map[string]any{"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2C3d4E5"}
	if details != "" {
		e["error_data"] = map[string]any{"messaging_product": "whatsapp", "details": details}
	}
	write(w, status, map[string]any{"error": e})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// Report is a status webhook about a message.
type Report struct {
	Message Message
	Status  string // sent, delivered, read or failed
	At      time.Time
	Code    int // with failed
	Title   string
}

// Post sends a report to the webhook at url, signed.
func (r Report) Post(ctx context.Context, client *http.Client, url, appSecret string) error {
	status := map[string]any{
		"id": r.Message.ID, "status": r.Status, "recipient_id": r.Message.To,
		"timestamp": strconv.FormatInt(r.At.Unix(), 10),
	}
	if r.Message.Callback != "" {
		status["biz_opaque_callback_data"] = r.Message.Callback
	}
	if r.Code != 0 {
		status["errors"] = []any{map[string]any{"code": r.Code, "title": r.Title, "message": r.Title}}
	}
	return PostChange(ctx, client, url, appSecret, "messages", map[string]any{
		"messaging_product": "whatsapp",
		"metadata":          map[string]any{"display_phone_number": "", "phone_number_id": r.Message.PhoneNumberID},
		"statuses":          []any{status},
	})
}

// PostChange sends a webhook with one change of a field to url, signed.
func PostChange(ctx context.Context, client *http.Client, url, appSecret, field string, value map[string]any) error {
	body, err := json.Marshal(map[string]any{
		"object": "whatsapp_business_account",
		"entry":  []any{map[string]any{"id": "0", "changes": []any{map[string]any{"field": field, "value": value}}}},
	})
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post report: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", whatsapp.Sign(body, appSecret))
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("post report: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("post report: status %d", resp.StatusCode)
	}
	return nil
}

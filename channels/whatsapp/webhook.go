package whatsapp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// What became of a request to the webhook. Everything but Kept, Verified and
// Unavailable is a rejection.
const (
	Kept              = "kept"
	Verified          = "verified"
	Unavailable       = "unavailable" // could not be kept now: Meta tries again
	UnknownChannel    = "unknown_channel"
	WrongSignature    = "wrong_signature"
	NotJSON           = "not_json"
	TooLarge          = "too_large"
	WrongVerification = "wrong_verification"
	Unreadable        = "unreadable" // the body broke off
)

const (
	// maxBody is more than the 3 MB that Meta documents as the most of a payload.
	maxBody      = 4 << 20
	maxChallenge = 1_000
	keepTimeout  = 15 * time.Second
	retryAfter   = "5" // seconds
)

// Webhook is the http.Handler for GET and POST /webhooks/whatsapp/{channel}.
//
// A POST is answered with 200 when the payload is in the log, byte for byte;
// it is understood later. Meta repeats what is not answered so, for up to seven
// days. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
type Webhook struct {
	Accounts Accounts
	Webhooks commands.Webhooks
	Logger   *slog.Logger

	// Count, if set, is told what became of each request, by the constants above.
	Count func(outcome string)
}

// ServeHTTP implements http.Handler. It takes the channel from the path value
// "channel" if there is one, else from the end of the path.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("channel")
	if id == "" {
		id = r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	}
	switch r.Method {
	case http.MethodGet, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
		return
	}
	if !isID(id) {
		h.reject(w, UnknownChannel, http.StatusNotFound, "no such channel")
		return
	}
	account, err := h.Accounts(r.Context(), id)
	switch {
	case errors.Is(err, ErrUnknownChannel):
		h.reject(w, UnknownChannel, http.StatusNotFound, "no such channel")
	case err != nil:
		h.unavailable(w, r, err)
	case r.Method == http.MethodGet:
		h.verify(w, r, account)
	default:
		h.receive(w, r, account)
	}
}

// isID reports whether s can be the id of a channel: not every database can look
// for what is no printable text.
func isID(s string) bool {
	return len(s) <= maxID && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// verify answers Meta's question whether this address wants its webhooks.
func (h *Webhook) verify(w http.ResponseWriter, r *http.Request, a Account) {
	q := r.URL.Query()
	challenge := q.Get("hub.challenge")
	if q.Get("hub.mode") != "subscribe" || challenge == "" || len(challenge) > maxChallenge || !sameSecret(q.Get("hub.verify_token"), a.Secrets.VerifyToken) {
		h.reject(w, WrongVerification, http.StatusForbidden, "not verified")
		return
	}
	h.count(Verified)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, challenge) //nolint:gosec // plain text, not to be sniffed, for whoever knows the token
}

// sameSecret compares in constant time. A secret that is not set equals nothing.
func sameSecret(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return hmac.Equal(a[:], b[:]) && want != ""
}

func (h *Webhook) receive(w http.ResponseWriter, r *http.Request, a Account) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		h.reject(w, TooLarge, http.StatusRequestEntityTooLarge, "too large")
		return
	case err != nil:
		h.reject(w, Unreadable, http.StatusBadRequest, "the body could not be read")
		return
	case !Signed(body, r.Header.Get("X-Hub-Signature-256"), a.Secrets.AppSecret):
		h.reject(w, WrongSignature, http.StatusUnauthorized, "wrong signature")
		return
	case !utf8.Valid(body) || !json.Valid(body): // JSON is UTF-8 (RFC 8259)
		h.reject(w, NotJSON, http.StatusBadRequest, "no JSON")
		return
	case escapedSize(body) > eventstore.MaxEventSize-(64<<10):
		h.reject(w, TooLarge, http.StatusRequestEntityTooLarge, "too large")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), keepTimeout)
	defer cancel()
	id := ids.Webhook(a.Channel, body)
	_, err = h.Webhooks.Receive(ctx, commands.Origin{
		Workspace: a.Workspace, Actor: "whatsapp", ActorKind: commands.ActorSystem, Channel: a.Channel,
		Command: ids.Command("whatsapp webhook", id), Traceparent: traceparent(r),
	}, webhook.ID(id), webhook.Receive{Channel: a.Channel, Body: string(body)})
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	h.count(Kept)
	w.WriteHeader(http.StatusOK)
}

// Signed reports whether header is "sha256=" and the HMAC-SHA256 of body with
// the app secret, in hex.
func Signed(body []byte, header, appSecret string) bool {
	sum, ok := strings.CutPrefix(header, "sha256=")
	if !ok || appSecret == "" {
		return false
	}
	got, err := hex.DecodeString(sum)
	if err != nil {
		return false
	}
	return hmac.Equal(got, signature(body, appSecret))
}

// Sign returns the value of X-Hub-Signature-256 for body.
func Sign(body []byte, appSecret string) string {
	return "sha256=" + hex.EncodeToString(signature(body, appSecret))
}

func signature(body []byte, appSecret string) []byte {
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	return mac.Sum(nil)
}

// escapedSize is how long body is as a string in JSON.
func escapedSize(body []byte) int {
	n := len(body)
	for _, c := range body {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < ' ' || c == 0xE2: // U+2028 and U+2029 begin with this one
			n += 5
		}
	}
	return n
}

func traceparent(r *http.Request) string {
	return clip(r.Header.Get("Traceparent"), 100)
}

func (h *Webhook) count(outcome string) {
	if h.Count != nil {
		h.Count(outcome)
	}
}

func (h *Webhook) reject(w http.ResponseWriter, outcome string, status int, says string) {
	h.count(outcome)
	http.Error(w, says, status)
}

func (h *Webhook) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	h.Logger.LogAttrs(r.Context(), slog.LevelError, "a webhook could not be kept", slog.Any("error", err))
	w.Header().Set("Retry-After", retryAfter)
	h.reject(w, Unavailable, http.StatusServiceUnavailable, "try again")
}

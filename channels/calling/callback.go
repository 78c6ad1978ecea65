package calling

import (
	"context"
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
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/internal/ids"
)

// What became of a request to the callback. Everything but Kept and Unavailable
// is a rejection.
const (
	Kept           = "kept"
	Unavailable    = "unavailable" // could not be kept now: the service tries again
	UnknownChannel = "unknown_channel"
	WrongSignature = "wrong_signature" // or too old
	Malformed      = "malformed"
	Refusal        = "refused" // the report is about no call, or says what cannot be
)

const (
	maxBody     = 128 << 10
	keepTimeout = 15 * time.Second
	maxChannel  = 200
)

// Callback is the http.Handler for POST /webhooks/calls/{channel}: how far a call
// got. It answers 200 when that is in the log.
//
// A message that is shown again does nothing: its id names the command, and a call
// only moves on.
type Callback struct {
	Find   Find
	Calls  commands.Calls
	Now    func() time.Time
	Logger *slog.Logger
	Count  func(outcome string) // told what became of each request; may be nil
}

// report is the body of a callback.
type report struct {
	Call       string     `json:"call"`
	Status     string     `json:"status"`
	ProviderID string     `json:"provider_id"`
	Duration   int64      `json:"duration"`
	Reason     string     `json:"reason"`
	Message    string     `json:"message"`
	Answer     string     `json:"answer"`
	At         *time.Time `json:"at"`
}

// ServeHTTP implements http.Handler.
func (h *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel := r.PathValue("channel")
	if len(channel) > maxChannel || !utf8.ValidString(channel) || strings.ContainsFunc(channel, unicode.IsControl) {
		h.reject(w, UnknownChannel, http.StatusNotFound, "no such channel")
		return
	}
	settings, err := h.Find(r.Context(), channel)
	switch {
	case errors.Is(err, ErrNotSetUp):
		h.reject(w, UnknownChannel, http.StatusNotFound, "no such channel")
		return
	case err != nil:
		h.unavailable(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.reject(w, Malformed, http.StatusBadRequest, "the body cannot be read, or is larger than 128 KiB")
		return
	}
	id, ok := Verify(r.Header, settings.Secret, h.Now(), body)
	if !ok {
		h.reject(w, WrongSignature, http.StatusUnauthorized, "wrong signature, or not of the last five minutes")
		return
	}
	var in report
	if err := json.Unmarshal(body, &in); err != nil || in.Call == "" {
		h.reject(w, Malformed, http.StatusBadRequest, "want a JSON object with call and status")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), keepTimeout)
	defer cancel()
	err = h.record(ctx, settings, channel, id, in)
	var refusal *fault.Error
	switch {
	case errors.As(err, &refusal) && !errors.Is(err, commands.ErrBusy):
		status := map[fault.Kind]int{fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict}[refusal.Kind]
		if status == 0 {
			status = http.StatusBadRequest
		}
		h.reject(w, Refusal, status, refusal.Error())
	case err != nil:
		h.unavailable(w, r, err)
	default:
		h.count(Kept)
		w.WriteHeader(http.StatusOK)
	}
}

func (h *Callback) record(ctx context.Context, s Settings, channel, message string, in report) error {
	if len(in.Call) > maxMessageID || !utf8.ValidString(in.Call) || strings.ContainsFunc(in.Call, unicode.IsControl) {
		return call.ErrNotFound
	}
	at := h.Now().UTC().Truncate(time.Microsecond)
	if in.At != nil && in.At.Before(at.Add(tolerance)) && in.At.After(at.Add(-24*time.Hour)) {
		at = in.At.UTC().Truncate(time.Microsecond)
	}
	// A service is heard only about the calls of its own channel.
	err := h.Calls.Look(ctx, s.Workspace, call.ID(in.Call), func(k call.State) error {
		if k.Request.Channel != channel || k.Request.Provider != call.Webhook {
			return call.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return err
	}
	origin := commands.Origin{
		Workspace: s.Workspace, Actor: "calls", ActorKind: commands.ActorSystem, Channel: channel,
		Command: ids.Command("call report", channel, in.Call, message), OccurredAt: at,
	}
	if in.Answer != "" {
		o := origin
		o.Command = ids.Command("call session", channel, in.Call, message)
		if _, err := h.Calls.AnswerSession(ctx, o, call.ID(in.Call), call.AnswerSession{ProviderID: in.ProviderID, Answer: in.Answer, At: at}); err != nil {
			return err
		}
	}
	_, err = h.Calls.Report(ctx, origin, call.ID(in.Call), call.Report{
		ProviderID: in.ProviderID, Phase: phase(in.Status), Reason: clean(in.Reason, maxWord), Details: clean(in.Message, maxDetails),
		Duration: in.Duration, At: at,
	})
	return err
}

// phase takes the words that services use for the same thing.
func phase(status string) call.Phase {
	switch status {
	case "requested", "queued", "initiated":
		return call.Asked
	case "answered":
		return call.InProgress
	case "busy", "declined":
		return call.Rejected
	}
	return call.Phase(status)
}

func (h *Callback) count(outcome string) {
	if h.Count != nil {
		h.Count(outcome)
	}
}

func (h *Callback) reject(w http.ResponseWriter, outcome string, status int, says string) {
	h.count(outcome)
	http.Error(w, says, status)
}

func (h *Callback) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	h.Logger.LogAttrs(r.Context(), slog.LevelError, "a report about a call could not be kept", slog.Any("error", err))
	w.Header().Set("Retry-After", "5")
	h.reject(w, Unavailable, http.StatusServiceUnavailable, "try again")
}

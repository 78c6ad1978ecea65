package graphtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is an action on a call that the server took.
type Call struct {
	ID            string // what it was answered with, or is about
	PhoneNumberID string
	Action        string // connect or terminate
	To            string
	SDP           string
	Callback      string // what the reports are to repeat
}

// Rung returns the actions on calls that were taken, in order.
func (s *Server) Rung() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rung)
}

// calls checks a request as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/reference/
// has it. Next and Decide say how it is answered, with the callee as the message's.
func (s *Server) calls(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return
	}
	var req struct {
		Product string `json:"messaging_product"`
		To      string `json:"to"`
		Call    string `json:"call_id"`
		Action  string `json:"action"`
		Session struct {
			Type string `json:"sdp_type"`
			SDP  string `json:"sdp"`
		} `json:"session"`
		Callback string `json:"biz_opaque_callback_data"`
	}
	valid := json.Unmarshal(body, &req) == nil && req.Product == "whatsapp" && len(req.Callback) <= 512
	switch req.Action {
	case "connect":
		valid = valid && req.To != "" && req.Session.Type == "offer" && strings.HasPrefix(req.Session.SDP, "v=0")
	case "terminate":
		valid = valid && req.Call != ""
	default:
		valid = false
	}
	b := s.behaviour(Message{PhoneNumberID: r.PathValue("phone"), To: req.To, Callback: req.Callback})
	switch {
	case s.config.AccessToken != "" && r.Header.Get("Authorization") != "Bearer "+s.config.AccessToken:
		fail(w, http.StatusUnauthorized, 190, "Invalid OAuth access token - Cannot parse access token", "")
		return
	case !valid:
		fail(w, http.StatusBadRequest, 100, "(#100) Invalid parameter", "not a call as documented")
		return
	}
	k := Call{ID: req.Call, PhoneNumberID: r.PathValue("phone"), Action: req.Action, To: req.To, SDP: req.Session.SDP, Callback: req.Callback}
	answer := map[string]any{"success": true}
	if k.Action == "connect" {
		k.ID = newID("wacid.")
		answer = map[string]any{"messaging_product": "whatsapp", "calls": []any{map[string]any{"id": k.ID}}}
	}
	if b.Status == 0 && !b.Hang && !b.Cut || b.Take {
		s.mu.Lock()
		s.rung = append(s.rung, k)
		s.mu.Unlock()
	}
	s.answer(w, r, b, answer)
}

// CallReport is a webhook about a call: with Status RINGING, ACCEPTED or REJECTED a
// status, with Event connect or terminate what happened to it.
type CallReport struct {
	Call     Call
	Status   string // RINGING, ACCEPTED, REJECTED; of terminate COMPLETED or FAILED
	Event    string // connect or terminate
	SDP      string // of connect
	Duration int    // seconds, of terminate; 0 if nobody took it
	At       time.Time
}

// Post sends a report to the webhook at url, signed.
func (r CallReport) Post(ctx context.Context, client *http.Client, url, appSecret string) error {
	value := map[string]any{
		"messaging_product": "whatsapp",
		"metadata":          map[string]any{"display_phone_number": "", "phone_number_id": r.Call.PhoneNumberID},
	}
	about := map[string]any{"id": r.Call.ID, "timestamp": strconv.FormatInt(r.At.Unix(), 10)}
	if r.Call.Callback != "" {
		about["biz_opaque_callback_data"] = r.Call.Callback
	}
	if r.Event == "" {
		about["type"], about["status"], about["recipient_id"] = "call", r.Status, r.Call.To
		value["statuses"] = []any{about}
		return PostChange(ctx, client, url, appSecret, "calls", value)
	}
	about["event"], about["direction"], about["to"] = r.Event, "BUSINESS_INITIATED", r.Call.To
	if r.SDP != "" {
		about["session"] = map[string]any{"sdp_type": "answer", "sdp": r.SDP}
	}
	if r.Status != "" {
		about["status"] = r.Status
	}
	if r.Duration > 0 {
		about["start_time"] = strconv.FormatInt(r.At.Unix()-int64(r.Duration), 10)
		about["end_time"] = strconv.FormatInt(r.At.Unix(), 10)
		about["duration"] = r.Duration
	}
	value["calls"] = []any{about}
	return PostChange(ctx, client, url, appSecret, "calls", value)
}

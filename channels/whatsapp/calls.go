package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/chatledger/chatledger/channels/calling"
	"github.com/chatledger/chatledger/domain/call"
)

// Calls makes calls through the WhatsApp Business Calling API, as far as that is
// signalling: the offer is the caller's and the answer comes by webhook, so that
// sound goes between the caller's end and WhatsApp and never through here. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/business-initiated-calls
type Calls struct {
	Accounts Accounts
	Client   *Client
}

type session struct {
	Type string `json:"sdp_type"`
	SDP  string `json:"sdp"`
}

// callAction is the body of POST /{phone-number-id}/calls.
type callAction struct {
	Product  string   `json:"messaging_product"`
	To       string   `json:"to,omitempty"`
	Call     string   `json:"call_id,omitempty"`
	Action   string   `json:"action"`
	Session  *session `json:"session,omitempty"`
	Callback string   `json:"biz_opaque_callback_data,omitempty"`
}

// Place offers a call to the customer. Our id of it goes along, which Meta repeats
// in its reports.
func (c Calls) Place(ctx context.Context, k calling.Call) calling.Answer {
	return c.ask(ctx, k, callAction{
		Product: "whatsapp", To: k.Customer, Action: "connect", Session: &session{"offer", k.Offer}, Callback: k.ID,
	}, func(a callAnswer) bool {
		return len(a.Calls) > 0 && a.Calls[0].ID != "" && len(a.Calls[0].ID) <= maxCallID
	})
}

// maxCallID bounds Meta's id of a call, in bytes; they have about 60.
const maxCallID = 200

// HangUp ends a call.
func (c Calls) HangUp(ctx context.Context, k calling.Call) calling.Answer {
	return c.ask(ctx, k, callAction{Product: "whatsapp", Call: k.ProviderID, Action: "terminate"}, func(a callAnswer) bool { return a.Success })
}

// callAnswer is what the Graph API says to a callAction.
type callAnswer struct {
	Calls []struct {
		ID string `json:"id"`
	} `json:"calls"`
	Success bool `json:"success"`
}

func (c Calls) ask(ctx context.Context, k calling.Call, action callAction, complete func(callAnswer) bool) calling.Answer {
	account, err := c.Accounts(ctx, k.Channel)
	if errors.Is(err, ErrUnknownChannel) {
		return calling.Answer{Outcome: calling.Refused, Reason: "provider_not_setup", Details: "The channel was disconnected.", Cause: err}
	} else if err != nil {
		return calling.Answer{Outcome: calling.Again, Reason: "unreachable", Cause: err}
	}
	var said callAnswer
	sent := c.Client.post(ctx, account, "calls", action, &said, func() (string, bool) {
		if !complete(said) {
			return "", false
		}
		if len(said.Calls) > 0 {
			return said.Calls[0].ID, true
		}
		return "", true
	})
	a := calling.Answer{ProviderID: sent.ProviderID, After: sent.After, Cause: sent.Cause}
	switch sent.Outcome {
	case Accepted:
		a.Outcome = calling.Accepted
		return a
	case Again:
		a.Outcome = calling.Again
	case Refused:
		a.Outcome = calling.Refused
	case Unknown:
		a.Outcome = calling.Unknown
	}
	if e := sent.Error; e != nil {
		a.Reason, a.Details = "whatsapp_"+strconv.Itoa(e.Code), clip(fmt.Sprintf("%s %s", e.Title, e.Details), call.MaxDetails)
		switch e.Code {
		case CodeOutcomeUnknown:
			a.Reason = "outcome_unknown"
		case CodeUnreachable:
			a.Reason = "unreachable"
		case codeNoCallPermission:
			a.Reason = "no_permission"
		}
	}
	return a
}

// codeNoCallPermission is Meta's code for a customer who has not allowed calls.
const codeNoCallPermission = 138006

package commandapi

import (
	"context"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/chat"
)

type inCall struct {
	Call call.ID `path:"call"`
}

// CallBody says whom to call.
type CallBody struct {
	Phone string `json:"phone,omitempty" example:"+491712345678" doc:"The first number that is known of the customer if it is not given. WhatsApp calls the customer's account, whatever the number."`
	Offer string `json:"offer,omitempty" maxLength:"65536" doc:"The SDP offer (RFC 8866) of the caller's end, such as RTCPeerConnection.createOffer makes it. WhatsApp needs one; others get it passed on."`
}

func (b *CallBody) command(c caller) chat.RequestCall {
	cmd := chat.RequestCall{Call: string(commands.NewCall(c.Origin)), By: c.By, At: c.At}
	if b != nil {
		cmd.Phone, cmd.Offer = b.Phone, b.Offer
	}
	return cmd
}

// RequestedCall is the answer to a call.
type RequestedCall struct {
	Written
	Chat  string `json:"chat"`
	State string `json:"state" enum:"requested"`
}

func requestedCall(r commands.Result, _ caller, in *chatWith[*CallBody]) RequestedCall {
	return RequestedCall{written(r), string(in.Chat), string(call.Asked)}
}

// AskToCallBody says why the customer is to be called.
type AskToCallBody struct {
	Text string `json:"text" example:"May we call you about your order?" doc:"At most 1,024 characters."`
}

func (a *api) askToCall(ctx context.Context, c caller, in *chatWith[AskToCallBody]) (result, error) {
	r, err := a.Chats.AskToCall(ctx, c.Origin, in.Chat, chat.AskToCall{SendMessage: chat.SendMessage{
		Message: commands.NewMessage(c.Origin), Outgoing: chat.Outgoing{Text: in.Body.Text}, By: c.By, At: c.At,
	}})
	return r, a.offering(ctx, c, in.Chat, err)
}

package whatsapp

import "context"

// reactionBody is an emoji on a message. "" takes it away.
type reactionBody struct {
	Message string `json:"message_id"`
	Emoji   string `json:"emoji"`
}

// React puts an emoji on a message of the customer, once, as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/reaction-messages
// has it. The outcome means what it means with Send.
func (c *Client) React(ctx context.Context, a Account, to, target, emoji string) Sent {
	return c.postMessage(ctx, a, message{Product: "whatsapp", Recipient: "individual", To: to, Type: "reaction", Reaction: &reactionBody{target, emoji}})
}

// ShowRead shows a customer that a message of theirs was read, and all before it, as
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/mark-message-as-read
// has it. Once more changes nothing. With typing they see, too, that somebody writes, for
// 25 seconds or until a message comes:
// https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators
func (c *Client) ShowRead(ctx context.Context, a Account, target string, typing bool) Sent {
	type indicator struct {
		Type string `json:"type"`
	}
	body := struct {
		Product string     `json:"messaging_product"`
		Status  string     `json:"status"`
		Message string     `json:"message_id"`
		Typing  *indicator `json:"typing_indicator,omitempty"`
	}{Product: "whatsapp", Status: "read", Message: target}
	if typing {
		body.Typing = &indicator{"text"}
	}
	var said struct {
		Success bool `json:"success"`
	}
	return c.post(ctx, a, "messages", body, &said, func() (string, bool) { return "", said.Success })
}

package commandapi

import (
	"context"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/internal/web"
)

// ScheduleBody is a message for the customer, and when to send it.
type ScheduleBody struct {
	SendBody
	SendAt        time.Time `json:"send_at" example:"2026-12-01T09:00:00+01:00" doc:"A time to come, within a year."`
	CancelOnReply bool      `json:"cancel_on_reply,omitempty" doc:"Not to be sent if the customer writes before."`
}

// ScheduledPatch changes a message that waits for its time.
type ScheduledPatch struct {
	Text          *string    `json:"text,omitempty" example:"Your parcel leaves today." doc:"It then is no longer that of a quick reply."`
	SendAt        *time.Time `json:"send_at,omitempty" example:"2026-12-01T10:00:00+01:00"`
	CancelOnReply *bool      `json:"cancel_on_reply,omitempty"`
}

// ScheduledMessage is the answer to a message for later.
type ScheduledMessage struct {
	Written
	Chat  string `json:"chat"`
	State string `json:"state" enum:"waiting"`
}

// schedules is the table of what can be asked about messages for later.
func (a *api) schedules() []web.Endpoint {
	type ctx = context.Context
	return []web.Endpoint{
		respond(a, "POST /v1/chats/{chat}/scheduled", anyone, "Answer the customer at a time", a.schedule, scheduledMessage, answers(201), "When its time comes the message is queued under the same id, as if it was sent by hand then. If the chat takes no message by that time, since it was closed, say, the message fails, and the conversation says so. A free message also fails if the customer has been silent for too long by then (chat.window_closed). A quick reply or a template is filled in now."),
		write(a, "PATCH /v1/chats/{chat}/scheduled/{message}", anyone, "Change a message that waits for its time",
			func(ctx ctx, c caller, in *messageWith[ScheduledPatch]) (result, error) {
				b := in.Body
				if b.Text == nil && b.SendAt == nil && b.CancelOnReply == nil {
					return result{}, web.BadRequest(web.CodeInvalid, "body", "nothing to change is given")
				}
				return a.Chats.ChangeScheduled(ctx, c.Origin, in.Chat, chat.ChangeScheduled{
					Message: in.Message, Text: b.Text, SendAt: b.SendAt, CancelOnReply: b.CancelOnReply, By: c.By, Bot: c.Bot, At: c.At,
				})
			}),
		write(a, "DELETE /v1/chats/{chat}/scheduled/{message}", anyone, "Cancel a message that waits for its time",
			func(ctx ctx, c caller, in *inMessage) (result, error) {
				return a.Chats.CancelScheduled(ctx, c.Origin, in.Chat, chat.CancelScheduled{Message: in.Message, By: c.By, Bot: c.Bot, At: c.At})
			}),
	}
}

func (a *api) schedule(ctx context.Context, c caller, in *chatWith[ScheduleBody]) (result, error) {
	return a.queue(ctx, c, in.Chat, in.Body.SendBody, &chat.Later{SendAt: in.Body.SendAt, CancelOnReply: in.Body.CancelOnReply})
}

func scheduledMessage(r result, c caller, in *chatWith[ScheduleBody]) ScheduledMessage {
	w := written(r)
	w.ID = string(commands.NewMessage(c.Origin))
	return ScheduledMessage{Written: w, Chat: string(in.Chat), State: "waiting"}
}

package demo

import (
	"cmp"
	"context"
	"errors"
	"net/http"
)

// Templates defines the templates of the shop, which the provider then approves.
func (g *Generator) Templates(ctx context.Context) error {
	for _, t := range []struct{ name, category, body, footer string }{
		{"follow_up", "utility", "Hello {{1}}, about your question: may we still help you?", "Demo Shop"},
		{"autumn_sale", "marketing", "Hello {{first_name}}, all hats are {{discount}} off until Sunday.", "Reply STOP to get no more offers."},
	} {
		var made struct {
			ID string `json:"id"`
		}
		err := g.call(ctx, g.config.Admin, http.MethodPost, "/v1/templates", object{
			"channel": g.config.Channel, "name": t.name, "language": "en", "category": t.category,
			"components": object{"body": t.body, "footer": t.footer},
		}, &made)
		if err != nil {
			return err
		}
		g.followUp = cmp.Or(g.followUp, made.ID)
		err = g.report(ctx, "message_template_status_update", object{
			"event": "APPROVED", "message_template_id": len(t.name), "message_template_name": t.name, "message_template_language": "en", "reason": "NONE",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// answer sends a text, or the template if the customer has been silent for too long.
func (g *Generator) answer(ctx context.Context, by Agent, c chat, text string) error {
	path := "/v1/chats/" + c.ID + "/messages"
	err := g.call(ctx, by, http.MethodPost, path, says(text), nil)
	if refused, ok := errors.AsType[*answerError](err); !ok || refused.status != http.StatusConflict {
		return err
	}
	return g.post(ctx, by, path, object{"template": object{"id": g.followUp, "values": object{"body": object{"1": cmp.Or(c.firstName(), "there")}}}})
}

package commands

import (
	"context"

	"github.com/chatledger/chatledger/domain/webhook"
)

// Webhooks runs the commands of package webhook.
type Webhooks struct {
	webhooks *aggregate[webhook.State, webhook.Event]
}

// Receive keeps a delivery. The id is ids.Webhook of its bytes, so that the same
// delivery is kept once.
func (c Webhooks) Receive(ctx context.Context, o Origin, id webhook.ID, cmd webhook.Receive) (Result, error) {
	cmd.Workspace = o.Workspace
	return c.webhooks.do(ctx, o, "webhook.receive", string(id), decides(cmd.Decide))
}

// RecordTranslation says what was in a delivery.
func (c Webhooks) RecordTranslation(ctx context.Context, o Origin, id webhook.ID, cmd webhook.RecordTranslation) (Result, error) {
	return c.webhooks.do(ctx, o, "webhook.record_translation", string(id), decides(cmd.Decide))
}

// SetAside says that nothing of a delivery was used, and why.
func (c Webhooks) SetAside(ctx context.Context, o Origin, id webhook.ID, cmd webhook.SetAsideDelivery) (Result, error) {
	return c.webhooks.do(ctx, o, "webhook.set_aside", string(id), decides(cmd.Decide))
}

// RequestRetranslation asks for a delivery to be translated again.
func (c Webhooks) RequestRetranslation(ctx context.Context, o Origin, id webhook.ID, cmd webhook.RequestRetranslation) (Result, error) {
	return c.webhooks.do(ctx, o, "webhook.request_retranslation", string(id), decides(cmd.Decide))
}

// Look calls use with the present state of a delivery of the workspace.
func (c Webhooks) Look(ctx context.Context, workspace string, id webhook.ID, use func(webhook.State) error) error {
	return c.webhooks.with(ctx, string(id), func(s webhook.State) error {
		if !s.Exists || s.Workspace != workspace {
			return webhook.ErrNotFound
		}
		return use(s)
	})
}

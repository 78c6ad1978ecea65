package reactors

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
)

// TranslateWebhooksName names the reactor.
const TranslateWebhooksName = "translate_webhooks.v1"

// TranslateWebhooks turns deliveries of providers into commands: when one was
// received, and when it is to be translated again.
//
// The deliveries of a customer are translated in the order they came in: of what
// has the same time, the earlier in the log is shown first. Of different times
// views do not depend on it, so one that is parked holds back no other.
type TranslateWebhooks struct {
	Store    eventstore.Store
	WhatsApp *whatsapp.Translator
}

// Reactor returns it, ready for a Host.
func (t TranslateWebhooks) Reactor() Reactor {
	events := codec.New(webhook.Events)
	return Reactor{
		Name:       TranslateWebhooksName,
		Categories: []string{"webhook"},
		Types:      []string{webhook.Received{}.EventType(), webhook.RetranslationRequested{}.EventType()},
		Unordered:  true,
		Keys: func(e eventstore.Recorded) []string {
			keys := []string{e.Stream}
			if fact, err := events.Decode(e); err == nil {
				if r, ok := fact.(webhook.Received); ok {
					p, _ := whatsapp.Parse([]byte(r.Body), e.Time)
					for _, c := range p.Customers() {
						keys = append(keys, r.Channel+" "+c)
					}
				}
			}
			return keys
		},
		Handle: func(ctx context.Context, e eventstore.Recorded) error { return t.handle(ctx, events, e) },
	}
}

func (t TranslateWebhooks) handle(ctx context.Context, events codec.Codec[webhook.Event], e eventstore.Recorded) error {
	fact, err := events.Decode(e)
	if err != nil {
		return Permanent(err)
	}
	received, at := fact, e.Time
	if _, again := fact.(webhook.RetranslationRequested); again {
		for first, err := range t.Store.ReadStream(ctx, e.Stream, eventstore.StreamQuery{Limit: 1}) {
			if err != nil {
				return fmt.Errorf("read %s: %w", e.Stream, err)
			}
			if received, err = events.Decode(first); err != nil {
				return Permanent(err)
			}
			at = first.Time
		}
	}
	r, ok := received.(webhook.Received)
	if !ok {
		return Permanent(fmt.Errorf("%s does not begin with what was received", e.Stream))
	}
	meta, err := eventstore.DecodeMetadata(e)
	if err != nil {
		return Permanent(err)
	}
	return t.WhatsApp.Translate(ctx, whatsapp.Delivery{
		ID: webhook.ID(strings.TrimPrefix(e.Stream, "webhook-")), Channel: r.Channel, Workspace: r.Workspace,
		Body: []byte(r.Body), Received: at,
		Event: e.ID.String(), Correlation: meta.Correlation, Traceparent: meta.Traceparent,
	})
}

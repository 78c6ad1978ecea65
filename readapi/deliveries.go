package readapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections/deliveries"
	"github.com/chatledger/chatledger/projections/directory"
)

type inDeliveries struct {
	web.Read
	Paging
	Channel string `path:"channel"`
	State   string `query:"state" enum:"received,translated,set_aside"`
}

type inDelivery struct {
	web.Read
	Channel  string `path:"channel"`
	Delivery string `path:"delivery"`
}

// Delivery is what a provider delivered by webhook, and what became of it.
type Delivery struct {
	ID         string    `json:"id"`
	Revision   int64     `json:"revision" doc:"For If-Match."`
	Channel    string    `json:"channel"`
	State      string    `json:"state" enum:"received,translated,set_aside" doc:"received: not yet translated, or to be translated again."`
	Code       string    `json:"code,omitempty" doc:"Why nothing of it was used."`
	Reason     string    `json:"reason,omitempty"`
	Messages   int64     `json:"messages" doc:"In it, as are the next two."`
	Statuses   int64     `json:"statuses"`
	Orders     int64     `json:"orders"`
	Ignored    []string  `json:"ignored" nullable:"false" doc:"Fields that are kept for later."`
	Size       int64     `json:"size" doc:"Of the body, in bytes."`
	ReceivedAt time.Time `json:"received_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

func newDelivery(d deliveries.Delivery) Delivery {
	return Delivery{
		d.ID, d.Revision, d.Channel, d.State, d.Code, d.Reason, d.Messages, d.Statuses, d.Orders, orEmpty(d.Ignored),
		d.Size, moment(d.ReceivedAt), moment(d.UpdatedAt),
	}
}

func listDeliveries(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDeliveries) (web.List[Delivery], eventstore.Revision, error) {
	if _, err := directory.GetChannel(ctx, tx, r.Workspace, in.Channel); err != nil {
		return web.List[Delivery]{}, none, err
	}
	page, err := deliveries.List(ctx, tx, deliveries.Query{
		Workspace: r.Workspace, Channel: in.Channel, State: in.State, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return web.List[Delivery]{}, none, err
	}
	items := make([]Delivery, len(page.Deliveries))
	for i, d := range page.Deliveries {
		items[i] = newDelivery(d)
	}
	return web.NewList(items, page.Next), none, nil
}

func getDelivery(ctx context.Context, tx sqldb.Tx, r *web.Request, in *inDelivery) (Delivery, eventstore.Revision, error) {
	d, err := deliveries.Get(ctx, tx, r.Workspace, in.Delivery)
	if err == nil && d.Channel != in.Channel {
		err = deliveries.ErrNotFound
	}
	return newDelivery(d), eventstore.Revision(d.Revision), err
}

// rawBody is what a provider sent, byte for byte.
type rawBody struct {
	ContentType string `header:"Content-Type"`
	Position    string `header:"Position"`
	Body        []byte
}

// deliveryBody answers from the log: views keep no bodies.
func (a *API) deliveryBody() web.Endpoint {
	type input struct {
		Channel  string `path:"channel"`
		Delivery string `path:"delivery"`
	}
	return web.NewEndpoint(web.Route{
		Method: http.MethodGet, Path: "/v1/channels/{channel}/deliveries/{delivery}/body", Tag: "channels",
		Summary: "What the provider delivered, byte for byte", Roles: examiners, ContentType: "application/octet-stream",
	}, func(ctx context.Context, r *web.Request, in *input) (*rawBody, error) {
		for e, err := range a.Store.ReadStream(ctx, "webhook-"+in.Delivery, eventstore.StreamQuery{Limit: 1}) {
			if err != nil {
				return nil, fmt.Errorf("read delivery: %w", err)
			}
			var f webhook.Received
			if e.Type != f.EventType() {
				break
			}
			if err := json.Unmarshal(e.Data, &f); err != nil {
				return nil, fmt.Errorf("decode %s: %w", e.Type, err)
			}
			if f.Workspace == r.Workspace && f.Channel == in.Channel {
				return &rawBody{"application/octet-stream", web.Position(e.Position), []byte(f.Body)}, nil
			}
		}
		return nil, deliveries.ErrNotFound
	}, nil)
}

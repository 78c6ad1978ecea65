package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/money"
	"github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/internal/ids"
)

// Delivery is a webhook that was kept, and the event that asks for it to be
// translated.
type Delivery struct {
	ID          webhook.ID
	Channel     string
	Workspace   string
	Body        []byte
	Received    time.Time
	Event       string // id of the event: that it was received, or is to be translated again
	Correlation string
	Traceparent string
}

// Translator makes commands of deliveries.
//
// The id of each command is derived from the channel and the provider's id of
// what it is about. So the same message in another delivery, a delivery
// translated again, and one that was interrupted lead to nothing twice.
type Translator struct {
	Accounts Accounts
	Commands *commands.Commands
	Actor    string // names the reactor in the log
	Logger   *slog.Logger
}

// Translate runs the commands that a delivery stands for and records what was in
// it. What is wrong with one message holds up no other customer's: if it returns
// an error, everything else was done, and the delivery is to be translated
// again.
func (t *Translator) Translate(ctx context.Context, d Delivery) error {
	p, ok := Parse(d.Body, d.Received)
	switch {
	case !ok:
		return t.setAside(ctx, d, webhook.Malformed, "the body is no JSON object")
	case p.Object != businessAccount:
		return t.setAside(ctx, d, webhook.NotWhatsApp, "the object is "+strconv.Quote(clip(p.Object, 100))+", not "+businessAccount)
	case len(p.Changes) == 0:
		return t.setAside(ctx, d, webhook.Empty, fmt.Sprintf("%d entries without a change", p.Entries))
	}
	account, err := t.Accounts(ctx, d.Channel)
	if errors.Is(err, ErrUnknownChannel) {
		return t.setAside(ctx, d, webhook.NotOurs, "the channel was disconnected")
	} else if err != nil {
		return err
	}
	run := translation{t: t, d: d, account: account, held: map[string]bool{}}
	for _, c := range p.Changes {
		if (c.Field == "messages" || c.Field == "calls") && c.PhoneNumberID != account.PhoneNumberID {
			run.foreign++
			run.ignore("not ours")
			continue
		}
		run.change(ctx, c)
	}
	if err := errors.Join(run.failed...); err != nil {
		return err
	}
	switch {
	case run.messages+run.statuses > 0 || run.refused:
		_, err = t.Commands.Webhooks.RecordTranslation(ctx, t.origin(d, "translated", d.Event), d.ID, webhook.RecordTranslation{
			Messages: run.messages, Statuses: run.statuses, Orders: run.orders, Ignored: run.ignored,
		})
		return err
	case run.foreign > 0:
		return t.setAside(ctx, d, webhook.NotOurs, "for another phone number than the channel's")
	case len(run.ignored) > 0:
		return t.setAside(ctx, d, webhook.NotSupported, "kept for later: "+strings.Join(run.ignored, ", "))
	}
	return t.setAside(ctx, d, webhook.Empty, "changes without anything in them")
}

const businessAccount = "whatsapp_business_account"

func (t *Translator) setAside(ctx context.Context, d Delivery, code, reason string) error {
	_, err := t.Commands.Webhooks.SetAside(ctx, t.origin(d, "set aside", d.Event), d.ID, webhook.SetAsideDelivery{Code: code, Reason: clip(reason, 900)})
	return err
}

// origin is that of a command which we, not a customer, are the actor of.
func (t *Translator) origin(d Delivery, scope string, unique ...string) commands.Origin {
	return commands.Origin{
		Workspace: d.Workspace, Actor: t.Actor, ActorKind: commands.ActorSystem, Channel: d.Channel,
		Command:     ids.Command("whatsapp "+scope, append([]string{d.Channel}, unique...)...),
		Correlation: d.Correlation, Causation: d.Event, Traceparent: d.Traceparent,
	}
}

// translation is one run over one delivery.
type translation struct {
	t       *Translator
	d       Delivery
	account Account

	messages, statuses, orders, foreign int
	templates                           int // words about templates so far
	ignored                             []string
	refused                             bool
	failed                              []error
	held                                map[string]bool // customers whose later messages wait for a failed one
}

func (r *translation) ignore(what ...string) {
	for _, w := range what {
		if !slices.Contains(r.ignored, w) && len(r.ignored) < maxFields {
			r.ignored = append(r.ignored, w)
		}
	}
}

func (r *translation) change(ctx context.Context, c Change) {
	r.ignore(c.Ignored...)
	for _, m := range c.Messages {
		if r.each(ctx, m.From, "message", func() error { return r.message(ctx, m) }) {
			r.messages++
			if m.Order != nil {
				r.orders++
			}
		}
	}
	for _, s := range c.Statuses {
		if r.each(ctx, s.Customer, "status", func() error { return r.status(ctx, s) }) {
			r.statuses++
		}
	}
	for _, s := range c.Templates {
		if r.each(ctx, "", "template", func() error { return r.templateStatus(ctx, s, r.d.Received) }) {
			r.statuses++
		}
	}
	for _, k := range c.Calls {
		if r.each(ctx, k.Customer, "call", func() error { return r.call(ctx, k) }) {
			r.statuses++
		}
	}
}

// each runs the commands of one message or status, and reports success. A
// refusal is noted, since trying again would not help; after a failure the rest
// of this customer's waits, so that the order is kept.
func (r *translation) each(ctx context.Context, customer, what string, run func() error) bool {
	if r.held[customer] {
		return false
	}
	err := safely(run)
	var refusal *fault.Error
	switch {
	case err == nil:
		return true
	case errors.As(err, &refusal) && !errors.Is(err, commands.ErrBusy):
		r.refused = true
		r.ignore(what + ": " + refusal.Code)
		r.t.Logger.LogAttrs(ctx, slog.LevelWarn, "a part of a delivery was refused", slog.String("delivery", string(r.d.ID)), slog.String("part", what), slog.String("code", refusal.Code))
	default:
		r.held[customer] = true
		if len(r.failed) < maxFields {
			r.failed = append(r.failed, fmt.Errorf("translate %s: %w", what, err))
		}
	}
	return false
}

func safely(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

// customerOrigin is that of a command whose actor is the customer.
func (r *translation) customerOrigin(m Message, what string) commands.Origin {
	o := r.t.origin(r.d, what, m.ID)
	o.Actor, o.ActorKind, o.OccurredAt = m.From, commands.ActorCustomer, m.At
	return o
}

func (r *translation) message(ctx context.Context, m Message) error {
	chats, id := r.t.Commands.Chats, chat.ID(ids.Chat(r.d.Workspace, r.d.Channel, m.From))
	switch {
	case m.Reaction != nil:
		_, err := chats.ReceiveReaction(ctx, r.customerOrigin(m, "message"), id, chat.ReceiveReaction{
			Workspace: r.d.Workspace, Channel: r.d.Channel, Customer: m.From,
			ProviderID: m.ID, Target: m.Reaction.Target, Emoji: m.Reaction.Emoji, At: m.At,
		})
		return err
	case m.System != nil:
		_, err := chats.NoticeSystem(ctx, r.customerOrigin(m, "message"), id, chat.NoticeSystem{
			Workspace: r.d.Workspace, Channel: r.d.Channel, Customer: m.From,
			ProviderID: m.ID, Kind: m.System.Kind, Text: m.System.Text, NewNumber: m.System.NewNumber, At: m.At,
		})
		return err
	}
	if m.Auto {
		o := r.t.origin(r.d, "call permission", m.ID)
		o.OccurredAt = m.At
		_, err := chats.RecordCallPermission(ctx, o, id, chat.RecordCallPermission{
			Workspace: r.d.Workspace, Channel: r.d.Channel, Customer: m.From, Permission: *m.Calls,
		})
		return err
	}
	content, message := *m.Content, chat.MessageID(ids.Message(string(id), m.ID))
	if m.Order != nil {
		content.Order = ids.Order(string(id), m.ID)
	}
	_, err := chats.Receive(ctx, r.customerOrigin(m, "message"), id, chat.ReceiveMessage{
		Workspace: r.d.Workspace, Channel: r.d.Channel, Customer: m.From,
		Message: message, ProviderID: m.ID, ProfileName: m.ProfileName,
		Content: content, Context: m.Context, Referral: m.Referral, Calls: m.Calls, At: m.At,
	})
	if err != nil {
		return err
	}
	if m.Order != nil {
		if err := r.order(ctx, m, string(id), string(message)); err != nil {
			return err
		}
	}
	details, reason := m.OwnCard, chat.ByContactCard
	if m.Form != nil {
		details, reason = m.Form, chat.ByForm
	}
	if d := details; d != nil && (d.Name != "" || len(d.Emails)+len(d.Phones) > 0) {
		_, err = chats.ShareDetails(ctx, r.customerOrigin(m, "details"), id, chat.ShareDetails{
			Reason: reason, Name: d.Name, Emails: d.Emails, Phones: d.Phones,
			Company: d.Company, City: d.City, Country: d.Country, Message: message, At: m.At,
		})
	}
	return err
}

// order places what the customer ordered; what cannot be placed is kept as
// refused, with the reason.
func (r *translation) order(ctx context.Context, m Message, chatID, message string) error {
	id := order.ID(ids.Order(chatID, m.ID))
	lines, currency, err := m.Order.place()
	if err == nil {
		_, err = r.t.Commands.Orders.Place(ctx, r.customerOrigin(m, "order"), id, order.Place{
			Workspace: r.d.Workspace, Chat: chatID, Channel: r.d.Channel, Customer: m.From, Message: message,
			Source: order.SourceWhatsApp, Catalog: m.Order.Catalog, Comment: m.Order.Comment,
			Currency: currency, Lines: lines, At: m.At,
		})
	}
	var refusal *fault.Error
	if !errors.As(err, &refusal) || refusal.Kind != fault.Invalid {
		return err
	}
	_, err = r.t.Commands.Orders.Refuse(ctx, r.customerOrigin(m, "order"), id, order.Refuse{Refused: order.Refused{
		Workspace: r.d.Workspace, Chat: chatID, Channel: r.d.Channel, Customer: m.From, Message: message,
		Source: order.SourceWhatsApp, Catalog: m.Order.Catalog, Comment: m.Order.Comment,
		Lines: m.Order.Lines, Code: refusal.Code, Reason: refusal.Msg, At: m.At,
	}})
	return err
}

// place turns the text of an order into numbers, exactly, or says what is wrong
// with it.
func (o *Order) place() (lines []order.PlaceLine, currency string, err error) {
	switch {
	case o.More:
		return nil, "", order.ErrTooManyLines
	case len(o.Lines) == 0:
		return nil, "", order.ErrNoLines
	}
	for i, l := range o.Lines {
		if i > 0 && l.Currency != currency {
			return nil, "", order.ErrMixedCurrencies
		}
		currency = l.Currency
	}
	for _, l := range o.Lines {
		quantity, err := strconv.ParseInt(l.Quantity, 10, 64)
		if err != nil {
			return nil, "", order.ErrQuantity
		}
		price, err := money.ParseMinor(l.Price, l.Currency)
		if err != nil {
			return nil, "", err
		}
		lines = append(lines, order.PlaceLine{Product: l.Product, Quantity: quantity, UnitPrice: price})
	}
	return lines, currency, nil
}

func (r *translation) status(ctx context.Context, s Status) error {
	id := chat.ID(ids.Chat(r.d.Workspace, r.d.Channel, s.Customer))
	if s.Message != "" {
		// The answer to the sending may have been lost: now we know the id. If the
		// message is not ours, or has an id, the report says nothing new about that.
		o := r.t.origin(r.d, "accepted", s.ID)
		o.OccurredAt = s.At
		_, err := r.t.Commands.Chats.Accept(ctx, o, id, chat.AcceptMessage{Message: s.Message, ProviderID: s.ID, At: s.At})
		if err != nil && !commands.IsRefusal(err) {
			return err
		}
	}
	o := r.t.origin(r.d, "status", s.ID, string(s.State))
	o.OccurredAt = s.At
	_, err := r.t.Commands.Chats.RecordDelivery(ctx, o, id, chat.RecordDelivery{
		ProviderID: s.ID, State: s.State, Error: s.Error, At: s.At,
	})
	return err
}

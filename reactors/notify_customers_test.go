package reactors_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	orderdomain "github.com/chatledger/chatledger/domain/order"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/reactors"
)

// told is a shop whose order was confirmed, with a message that says so.
func told(t *testing.T) (s *shop, id chat.ID, o commands.Origin) {
	t.Helper()
	s = newShop(t)
	id = s.open("15551230001")
	o = commands.Origin{Workspace: workspace, Actor: "ana", ActorKind: commands.ActorAgent}
	_, err := s.commands.Orders.Place(t.Context(), o, "1", orderdomain.Place{
		Workspace: workspace, Chat: string(id), Source: orderdomain.SourceAPI, Currency: "EUR",
		Lines: []orderdomain.PlaceLine{{Product: "tea", Quantity: 1, UnitPrice: 100}}, At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.commands.Orders.Confirm(t.Context(), o, "1", orderdomain.Confirm{}, &commands.Notice{By: "ana", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return s, id, o
}

func (s *shop) notify() reactors.Reactor {
	return reactors.NotifyCustomers{Orders: s.reacting.Orders, Chats: s.reacting.Chats, Templates: s.reacting.Templates}.Reactor()
}

// requested returns the event that asks for the message.
func (s *shop) requested() (e eventstore.Recorded) {
	s.t.Helper()
	for r, err := range s.store.ReadStream(s.t.Context(), "order-1", eventstore.StreamQuery{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Type == "order.notice_requested.v1" {
			e = r
		}
	}
	return e
}

// The message goes the way of all messages, and out once, however often the
// event is handled.
func TestCustomersAreToldOnce(t *testing.T) {
	s, id, _ := told(t)
	_, stop := host(t, reactors.Config{
		Store: s.log, Reactors: append(s.reactors(), s.notify()), Leases: s.leases, Parking: s.parking, Alone: true,
	})
	until(t, "the message is out", func() bool { return s.count("chat.message_accepted.v1") == 1 && s.count("order.notice_queued.v1") == 1 })
	stop()
	for range 2 {
		if err := s.notify().Handle(t.Context(), s.requested()); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := s.count("chat.message_queued.v1"), s.count("order.notice_queued.v1"); n != 1 || m != 1 {
		t.Errorf("%d messages, %d times said so", n, m)
	}
	sent := s.graph.Taken()
	if len(sent) != 1 || sent[0].Text != "Your order is confirmed." || s.chatOf(sent[0].To) != string(id) {
		t.Errorf("sent %+v", sent)
	}
}

// A chat that was closed meanwhile does not take it, and the order says why. That
// stays so when the event is handled again.
func TestAClosedChatTakesNoNotice(t *testing.T) {
	s, id, o := told(t)
	if _, err := s.commands.Chats.Close(t.Context(), o, id, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.notify().Handle(t.Context(), s.requested()); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := s.count("order.notice_refused.v1"), s.count("chat.message_queued.v1"); n != 1 || m != 0 {
		t.Errorf("refused %d times, %d messages", n, m)
	}
	broken := s.requested()
	broken.Data = []byte(`{"message":1}`)
	if err := s.notify().Handle(t.Context(), broken); err == nil {
		t.Error("an event that cannot be read is handled")
	}
}

// A template goes out with the values that were given, also where no text can be sent,
// and is refused if it cannot be sent any more.
func TestCustomersAreToldByATemplate(t *testing.T) {
	for _, approved := range []bool{true, false} {
		s, id, o := told(t)
		channel := s.channel
		_, err := s.commands.Templates.Define(t.Context(), o, template.Define{
			Channel: channel, Name: "shipped", Language: "en", Category: template.Utility, Components: template.Components{Body: "Dear {{name}}, it is on its way."},
		})
		if err != nil {
			t.Fatal(err)
		}
		report := func(status template.Status) {
			t.Helper()
			if _, err := s.commands.Templates.Report(t.Context(), o, template.Report{Channel: channel, Name: "shipped", Language: "en", Status: status, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		report(template.Approved)
		tell := &commands.Notice{By: "ana", At: time.Now().Add(48 * time.Hour), Template: &commands.UseTemplate{
			Template: commands.TemplateID(workspace, channel, "shipped", "en"), Values: template.Values{Body: map[string]string{"name": "Ana"}},
		}}
		if _, err := s.commands.Orders.Process(t.Context(), o, "1", orderdomain.Process{}, tell); err != nil {
			t.Fatal(err)
		}
		if !approved {
			report(template.Rejected)
		}
		if err := s.notify().Handle(t.Context(), s.requested()); err != nil {
			t.Fatal(err)
		}
		if !approved {
			if n, m := s.count("order.notice_refused.v1"), s.count("chat.message_queued.v1"); n != 1 || m != 0 {
				t.Errorf("refused %d times, %d messages", n, m)
			}
			continue
		}
		var sent chat.MessageQueued
		for r, err := range s.store.ReadStream(t.Context(), "chat-"+string(id), eventstore.StreamQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Type == sent.EventType() {
				if err := json.Unmarshal(r.Data, &sent); err != nil {
					t.Fatal(err)
				}
			}
		}
		if sent.Text != "Dear Ana, it is on its way." || sent.Template == nil || sent.Template.Name != "shipped" || len(sent.Template.Body) != 1 || sent.Template.Body[0].Text != "Ana" {
			t.Errorf("sent %+v", sent)
		}
	}
}

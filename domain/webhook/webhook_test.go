package webhook_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/webhook"
)

type past = []webhook.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, webhook.Events) }

func TestDecisions(t *testing.T) {
	body := `{"object":"whatsapp_business_account","text":"\u0000 é"}`
	receive := webhook.Receive{Workspace: "acme", Channel: "wa", Body: body}
	received := webhook.Received{Workspace: "acme", Channel: "wa", Body: body}
	translated := webhook.Translated{Messages: 1, Statuses: 2, Orders: 1, Ignored: []string{"calls"}}
	translate := webhook.RecordTranslation{Messages: 1, Statuses: 2, Orders: 1, Ignored: []string{"calls"}}
	aside := webhook.SetAside{Code: webhook.NotOurs, Reason: "another number"}
	setAside := webhook.SetAsideDelivery{Code: webhook.NotOurs, Reason: "another number"}
	again := webhook.RetranslationRequested{By: "sue"}
	ask := webhook.RequestRetranslation{By: "sue"}
	domaintest.Run(t, webhook.Evolve, []domaintest.Case[webhook.State, webhook.Event]{
		{Name: "receive", When: receive, Then: past{received}},
		{Name: "receive again", Given: past{received}, When: receive},
		{Name: "receive nothing", When: webhook.Receive{Workspace: "acme", Channel: "wa"}, Err: webhook.ErrMalformed},
		{Name: "receive what is not JSON", When: webhook.Receive{Workspace: "acme", Channel: "wa", Body: "{"}, Err: webhook.ErrMalformed},
		{Name: "receive what is not UTF-8", When: webhook.Receive{Workspace: "acme", Channel: "wa", Body: "\"\xff\""}, Err: webhook.ErrMalformed},
		{Name: "receive for no channel", When: webhook.Receive{Workspace: "acme", Body: "{}"}, Err: webhook.ErrIncomplete},
		{Name: "translate", Given: past{received}, When: translate, Then: past{translated}},
		{Name: "translate again", Given: past{received, translated}, When: translate},
		{Name: "translate again otherwise", Given: past{received, translated}, When: webhook.RecordTranslation{Messages: 2}, Then: past{webhook.Translated{Messages: 2}}},
		{Name: "translate again as asked", Given: past{received, translated, again}, When: translate, Then: past{translated}},
		{Name: "translate what was set aside", Given: past{received, aside}, When: translate, Then: past{translated}},
		{Name: "translate nothing known", When: translate, Err: webhook.ErrNotFound},
		{Name: "translate less than nothing", Given: past{received}, When: webhook.RecordTranslation{Orders: -1}, Err: webhook.ErrCounts},
		{Name: "set aside", Given: past{received}, When: setAside, Then: past{aside}},
		{Name: "set aside again", Given: past{received, aside}, When: setAside},
		{Name: "set aside again as asked", Given: past{received, aside, again}, When: setAside, Then: past{aside}},
		{Name: "set aside nothing known", When: setAside, Err: webhook.ErrNotFound},
		{Name: "set aside for no reason", Given: past{received}, When: webhook.SetAsideDelivery{Code: "mood"}, Err: webhook.ErrCode},
		{Name: "set aside at length", Given: past{received}, When: webhook.SetAsideDelivery{Code: webhook.Empty, Reason: strings.Repeat("a", 1001)}, Err: webhook.ErrReasonLong},
		{Name: "ask again", Given: past{received, translated}, When: ask, Then: past{again}},
		{Name: "ask again while it waits", Given: past{received}, When: ask},
		{Name: "ask twice", Given: past{received, aside, again}, When: ask},
		{Name: "ask by nobody", Given: past{received, translated}, When: webhook.RequestRetranslation{}, Err: webhook.ErrByMissing},
		{Name: "ask for nothing known", When: ask, Err: webhook.ErrNotFound},
	})
}

func TestAnyLifeOfADelivery(t *testing.T) {
	commands := rapid.SampledFrom([]domaintest.Command[webhook.State, webhook.Event]{
		webhook.Receive{Workspace: "acme", Channel: "wa", Body: "{}"},
		webhook.RecordTranslation{},
		webhook.RecordTranslation{Messages: 1, Ignored: []string{"calls"}},
		webhook.SetAsideDelivery{Code: webhook.Empty},
		webhook.SetAsideDelivery{Code: webhook.NotOurs},
		webhook.RequestRetranslation{By: "sue"},
	})
	rapid.Check(t, func(t *rapid.T) {
		var s webhook.State
		for _, c := range rapid.SliceOfN(commands, 1, 30).Draw(t, "commands") {
			s = domaintest.Do(t, webhook.Evolve, s, c)
			if s.Done && s.Outcome == nil {
				t.Fatalf("state %+v", s)
			}
		}
	})
}

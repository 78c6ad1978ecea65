package readapi_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chatledger/chatledger/domain/agent"
)

func TestTransfersThatMustBeAccepted(t *testing.T) {
	l := newLedger(t)
	l.connect(acme)
	bob, bobs := l.colleague("Bob")
	cid, cids := l.colleague("Cid")
	me := l.agents[ann]
	sue := agent.RoleSupervisor
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	talk := "/v1/chats/" + first
	l.must(200, ann, "POST", talk+"/claim", "")
	l.must(201, sue, "POST", "/v1/teams", `{"name":"Billing"}`)
	for _, id := range []string{bob, cid} {
		l.must(200, sue, "POST", "/v1/teams/billing/members", fmt.Sprintf(`{"agent":%q}`, id))
	}
	offer := func(as any, body string) object {
		t.Helper()
		return l.must(200, as, "POST", talk+"/transfer", body)
	}
	toBob := fmt.Sprintf(`{"agent":%q,"reason":"Speaks French.","accept":true}`, bob)
	found := func(as any, filter string) []any {
		t.Helper()
		return l.must(200, as, "POST", "/v1/chats/query?min_position="+l.head(), `{"filter":`+filter+`}`).field("id")
	}
	const mine = `{"field":"offered_to","op":"eq","value":"me"}`

	before := time.Now()
	offer(ann, toBob)
	for path, got := range map[string]object{"the chat": l.get(talk), "the list": l.get("/v1/chats?assignee=" + me).items()[0]} {
		expires, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got.at("offer.expires_at")))
		if got["assignee"] != me || got.at("offer.to") != "agent" || got.at("offer.agent") != bob || got.at("offer.by.id") != me || got.at("offer.reason") != "Speaks French." ||
			err != nil || expires.Before(before.Add(15*time.Minute-time.Second)) || expires.After(time.Now().Add(15*time.Minute)) {
			t.Errorf("%s shows %v", path, got)
		}
	}
	if got := found(bobs, mine); !slices.Equal(got, []any{first}) {
		t.Errorf("offered to Bob: %v", got)
	}
	if got := found(ann, mine); len(got) > 0 {
		t.Errorf("offered to Ann: %v", got)
	}
	if n := l.must(200, bobs, "POST", "/v1/chats/count?min_position="+l.head(), `{"filter":`+mine+`}`); n["count"] != 1.0 || n["exact"] != true {
		t.Errorf("counted: %v", n)
	}
	if o := l.must(409, ann, "POST", talk+"/transfer", `{"team":"billing","accept":true}`); o["code"] != "chat.offer_pending" {
		t.Errorf("another: %v", o)
	}
	for _, who := range []any{cids, sue, ann} {
		if o := l.must(403, who, "POST", talk+"/transfer/accept", ""); o["code"] != "chat.offer_of_another" {
			t.Errorf("accepted by %v: %v", who, o)
		}
	}
	l.must(403, cids, "POST", talk+"/transfer/decline", "")
	l.must(403, cids, "POST", talk+"/transfer/withdraw", "")
	l.must(200, bobs, "POST", talk+"/transfer/decline", `{"reason":"At lunch."}`)
	if o := l.must(409, bobs, "POST", talk+"/transfer/accept", ""); o["code"] != "chat.no_offer" {
		t.Errorf("after it was declined: %v", o)
	}
	if c := l.get(talk); c["offer"] != nil || c["assignee"] != me {
		t.Errorf("declined: %v", c)
	}

	offer(sue, toBob)
	l.must(200, ann, "POST", talk+"/transfer/withdraw", `{"reason":"I speak it, too."}`)
	offer(agent.RoleBot, fmt.Sprintf(`{"agent":%q,"accept":true,"expires_in":60}`, bob))
	if c := l.get(talk); c.at("offer.by.kind") != "bot" {
		t.Errorf("offered by a bot: %v", c)
	}
	l.must(200, bobs, "POST", talk+"/transfer/accept", "")
	if again := l.must(200, bobs, "POST", talk+"/transfer/accept", ""); again["changed"] != false {
		t.Errorf("accepted twice: %v", again)
	}
	if c := l.get(talk); c["offer"] != nil || c["assignee"] != bob {
		t.Errorf("accepted: %v", c)
	}
	var said []any
	for _, e := range l.get(talk + "/messages").items() {
		if s, ok := e["system"].(map[string]any); ok {
			said = append(said, s["type"], s["reason"], s["cause"], s["accepted"])
		}
	}
	if want := []any{
		"claimed", nil, nil, nil,
		"transfer_offered", "Speaks French.", nil, nil, "transfer_lapsed", "At lunch.", "declined", nil,
		"transfer_offered", "Speaks French.", nil, nil, "transfer_lapsed", "I speak it, too.", "withdrawn", nil,
		"transfer_offered", nil, nil, nil, "transferred", nil, nil, true,
	}; !slices.Equal(said, want) {
		t.Errorf("the conversation says\n%v, want\n%v", said, want)
	}

	// To a team: two members want it at once.
	offer(bobs, `{"team":"billing","accept":true,"reason":"An invoice."}`)
	l.must(403, ann, "POST", talk+"/transfer/accept", "") // no member
	l.must(403, cids, "POST", talk+"/transfer/decline", "")
	if o := l.must(409, bobs, "POST", talk+"/transfer/accept", ""); o["code"] != "chat.transfer_to_self" {
		t.Errorf("accepted by who has it: %v", o)
	}
	dan, dans := l.colleague("Dan")
	l.must(200, sue, "POST", "/v1/teams/billing/members", fmt.Sprintf(`{"agent":%q}`, dan))
	if got := found(cids, `{"field":"offered_to","op":"in","value":["me","billing"]}`); !slices.Equal(got, []any{first}) {
		t.Errorf("offered to the team: %v", got)
	}
	var racers sync.WaitGroup
	answers := make([]answer, 2)
	for i, secret := range []string{cids, dans} {
		racers.Go(func() { answers[i] = l.do(secret, "POST", talk+"/transfer/accept", "") })
	}
	racers.Wait()
	winner := cid
	if answers[1].status == 200 {
		winner = dan
		slices.Reverse(answers)
	}
	if answers[0].status != 200 || answers[1].status != 409 || l.object(answers[1])["code"] != "chat.no_offer" {
		t.Errorf("two at once: %v", answers)
	}
	if c := l.get(talk); c["assignee"] != winner || c["team"] != "billing" || c["offer"] != nil {
		t.Errorf("accepted for the team: %v", c)
	}

	// What is decided otherwise ends it.
	for _, over := range []struct{ path, body string }{
		{"/assign", fmt.Sprintf(`{"agent":%q}`, me)}, {"/unassign", ""}, {"/transfer", `{"to":"bot"}`}, {"/close", ""},
	} {
		l.must(200, sue, "POST", talk+"/assign", fmt.Sprintf(`{"agent":%q}`, cid))
		offer(cids, toBob)
		l.must(200, sue, "POST", talk+over.path, over.body)
		if c := l.get(talk); c["offer"] != nil {
			t.Errorf("after %s: %v", over.path, c["offer"])
		}
		l.must(409, bobs, "POST", talk+"/transfer/accept", "")
	}
	l.must(200, sue, "POST", talk+"/reopen", "")
	offer(sue, toBob)
	l.must(200, agent.RoleAdmin, "POST", "/v1/agents/"+bob+"/deactivate", "")
	if a := l.do(bobs, "POST", talk+"/transfer/accept", ""); a.status < 400 {
		t.Errorf("accepted by one who left: %v", a)
	}
	l.must(409, ann, "POST", talk+"/transfer", toBob)
	if c := l.get(talk); c.at("offer.agent") != bob {
		t.Errorf("whom it is offered to has left: %v", c)
	}
	l.must(200, sue, "DELETE", talk, "")
	l.must(404, ann, "POST", talk+"/transfer/accept", "")

	other := "/v1/chats/" + second + "/transfer"
	if o := l.must(409, ann, "POST", other, `{"team":"billing","accept":true}`); o["code"] != "chat.not_assigned" {
		t.Errorf("of nobody's chat: %v", o)
	}
	for body, want := range map[string]string{
		`{"to":"bot","accept":true}`:                           "body.accept",
		`{"team":"billing","expires_in":5}`:                    "body.expires_in",
		`{"team":"billing","accept":true,"expires_in":0}`:      "body.expires_in",
		`{"team":"billing","accept":true,"expires_in":100000}`: "body.expires_in",
	} {
		if o := l.must(400, ann, "POST", other, body); o.at("errors.0.location") != want {
			t.Errorf("%s: %v", body, o)
		}
	}
}

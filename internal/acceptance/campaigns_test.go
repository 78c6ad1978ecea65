package acceptance

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var campaignContacts = flag.Int("campaign.contacts", 240, "contacts that TestCampaignOverABadGraph writes to")

// badGraph takes templates, but for 5 %: of the numbers that end in 00, 20, 40, 60 and
// 80 it cuts off the connection, before or after it took the message; it refuses for
// good; or it refuses once.
type badGraph struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	http  *http.Server
	taken map[string]int // by number
	asked map[string]int
}

func (g *badGraph) start() {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	where := g.addr
	if where == "" {
		where = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = l.Addr().String()
	g.http = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go g.http.Serve(l)
}

func (g *badGraph) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.http.Close()
}

func (g *badGraph) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.taken)
}

func (g *badGraph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		To       string `json:"to"`
		Type     string `json:"type"`
		Template struct {
			Name       string `json:"name"`
			Components []struct {
				Type       string `json:"type"`
				Parameters []struct {
					Text string `json:"text"`
				} `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Type != "template" || in.Template.Name != "sale" ||
		len(in.Template.Components) != 1 || !strings.HasPrefix(in.Template.Components[0].Parameters[0].Text, "Customer") {
		g.t.Errorf("the provider got %+v: %v", in, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked[in.To]++
	refuse := func(status, code int) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":"(#%d) no","type":"OAuthException","code":%d,"error_data":{"details":"no"}}}`, code, code)
	}
	cut := func() {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
	}
	switch in.To[len(in.To)-2:] {
	case "00":
		cut()
		return
	case "20":
		g.taken[in.To]++
		cut()
		return
	case "40":
		refuse(http.StatusBadRequest, 131026)
		return
	case "60":
		if g.asked[in.To] == 1 {
			refuse(http.StatusTooManyRequests, 130429)
			return
		}
	case "80":
		refuse(http.StatusBadRequest, 131050)
		return
	}
	g.taken[in.To]++
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":%q}],"messages":[{"id":"wamid.C%s"}]}`, in.To, in.To, in.To)
}

// A campaign to many, with a provider that fails 5 % and dies in the middle, as the
// server does: nobody gets the message twice, and what became of everybody is told.
func TestCampaignOverABadGraph(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		n := *campaignContacts
		g := &badGraph{t: t, taken: map[string]int{}, asked: map[string]int{}}
		g.start()
		t.Cleanup(g.kill)
		sue, admin := s.token("supervisor", "Sue"), s.token("admin", "Ada")
		channel := s.channel("http://" + g.addr)
		s.start()

		var csv strings.Builder
		csv.WriteString("name,phone\n")
		number := func(i int) string { return fmt.Sprintf("4366012%05d", i) }
		for i := range n {
			fmt.Fprintf(&csv, "Customer%d Surname,+%s\n", i, number(i))
		}
		r, err := sue.do("POST", "/v1/contacts/import?name=all", csv.String(), "Content-Type: text/csv")
		if err != nil || r.status != 200 {
			t.Fatalf("import: %d %s %v", r.status, r.body, err)
		}
		add := func(body string) string {
			return sue.must(201, "POST", "/v1/contacts", body).object(t)["id"].(string)
		}
		blocked, numberless := add(`{"name":"Customer Blocked","phones":["+436601399991"]}`), add(`{"name":"Customer None","emails":["none@example.com"]}`)
		nameless, twin := add(`{"phones":["+436601399993"]}`), add(`{"name":"Customer Twin","emails":["twin@example.com"]}`)
		sue.must(200, "POST", "/v1/contacts/"+blocked+"/block", "")
		sue.must(200, "PATCH", "/v1/contacts/"+twin, fmt.Sprintf(`{"phones":["+%s"]}`, number(1)))

		// Somebody has opted out before.
		said := func(id, text string) {
			body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"1","phone_number_id":%q},
				"contacts":[{"profile":{"name":"C"},"wa_id":%q}],"messages":[{"from":%q,"id":%q,"timestamp":%q,"type":"text","text":{"body":%q}}]}}]}]}`,
				phoneNumber, number(2), number(2), id, strconv.FormatInt(time.Now().Unix(), 10), text)
			if status := s.deliver(channel, []byte(body)); status != 200 {
				t.Fatalf("webhook: %d", status)
			}
		}
		said("wamid.IN1", " Stópp! ")

		template := admin.must(201, "POST", "/v1/templates", fmt.Sprintf(
			`{"channel":%q,"name":"sale","language":"en_US","category":"marketing","components":{"body":"Hello {{1}}, there is a sale."}}`, channel)).object(t)["id"].(string)
		approved := `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{"event":"APPROVED","message_template_id":1,"message_template_name":"sale","message_template_language":"en_US","reason":"NONE"},"field":"message_template_status_update"}]}]}`
		body := fmt.Sprintf(`{"name":"Sale","filter":{},"channel":%q,"template":%q,"values":{"body":{"1":"{{contact.first_name}}"}},"per_minute":%d}`, channel, template, min(n*10, 60_000))
		c := sue.must(201, "POST", "/v1/campaigns", body).object(t)["id"].(string)
		path := "/v1/campaigns/" + c
		if got := sue.must(409, "POST", path+"/launch", "").object(t); got["code"] != "template.not_approved" {
			t.Errorf("launch before the approval: %v", got)
		}
		if status := s.deliver(channel, []byte(approved)); status != 200 {
			t.Fatalf("webhook: %d", status)
		}
		s.until("the campaign is launched", func() bool {
			r, err := sue.do("POST", path+"/launch", fmt.Sprintf(`{"schedule_at":%q}`, time.Now().Add(500*time.Millisecond).UTC().Format(time.RFC3339Nano)))
			return err == nil && r.status == 202
		})
		s.until("a third is sent", func() bool { return g.count() > n/3 })
		g.kill()
		s.kill()
		s.start()
		g.start()
		s.until("half is sent", func() bool { return g.count() > n/2 })
		sue.must(200, "POST", path+"/pause", "")
		sue.must(200, "POST", path+"/resume", "")
		counts := map[string]float64{}
		s.until("everybody is told of", func() bool {
			r, err := sue.do("GET", path, "")
			if err != nil || r.status != 200 {
				return false
			}
			got := r.object(t)
			clear(counts)
			all, open := 0.0, 0.0
			list, _ := got["counts"].([]any)
			for _, i := range list {
				i := i.(map[string]any)
				state, count := i["state"].(string), i["count"].(float64)
				all += count
				if state == "pending" || state == "queued" {
					open += count
				}
				reason, _ := i["reason"].(string)
				counts[strings.TrimSuffix(state+" "+reason, " ")] = count
			}
			return got["state"] == "completed" && open == 0 && all == got["audience"].(float64)
		})
		if counts["skipped blocked"] != 1 || counts["skipped no_number"] != 1 || counts["skipped missing_value"] != 1 ||
			counts["skipped duplicate_number"] != 1 || counts["skipped opted_out"] != 1 {
			t.Errorf("counts: %v", counts)
		}
		t.Logf("counts: %v", counts)
		g.mu.Lock()
		for to, times := range g.taken {
			if times > 1 {
				t.Errorf("%s got it %d times", to, times)
			}
		}
		g.mu.Unlock()
		for _, r := range sue.all(path + "/recipients") {
			to, _ := r["customer"].(string)
			g.mu.Lock()
			taken := g.taken[to]
			g.mu.Unlock()
			reason, _ := r["reason"].(string)
			switch state := r["state"]; {
			case state == "sent" && taken != 1:
				t.Errorf("%s is %v and was taken %d times", to, state, taken)
			case (state == "failed" || state == "skipped") && reason == "":
				t.Errorf("no reason: %v", r)
			}
		}
		for id, why := range map[string]string{blocked: "blocked", numberless: "no_number", nameless: "missing_value"} {
			found := false
			for _, r := range sue.all(path + "/recipients?state=skipped") {
				found = found || r["contact"] == id && r["reason"] == why
			}
			if !found {
				t.Errorf("%s was not left out as %s", id, why)
			}
		}
		if parked := s.run("reactors", "status"); strings.Contains(parked, "parked:") {
			t.Errorf("parked: %s", parked)
		}
	})
}

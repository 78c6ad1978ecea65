package acceptance

import (
	"bytes"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/internal/testenv"
)

// In passing it is short; a soak is
//
//	go test ./internal/acceptance -run ManyProcesses -processes.for 3m -timeout 9m -v
var processesFor = flag.Duration("processes.for", 8*time.Second, "how long TestManyProcesses loads its processes")

// fleet is one installation that many processes serve.
type fleet struct {
	*server // for subcommands

	mu        sync.Mutex
	processes []*server
	apis      []string // where those that serve the API listen now
}

// add starts a process for some roles. One that serves the API has a place among them.
func (f *fleet) add(roles string) {
	s := &server{t: f.t, where: f.where, serve: []string{"--roles", roles}}
	f.t.Cleanup(s.kill)
	s.start()
	f.processes = append(f.processes, s)
	if roles == "api" {
		f.apis = append(f.apis, s.addr)
	}
}

// bounce kills a process and starts it again after a while.
func (f *fleet) bounce(i int, down time.Duration) {
	s := f.processes[i]
	before := s.addr
	s.kill()
	time.Sleep(down)
	s.start()
	f.mu.Lock()
	defer f.mu.Unlock()
	for j := range f.apis {
		if f.apis[j] == before {
			f.apis[j] = s.addr
		}
	}
}

// api returns a server whose API is the n-th of the fleet's at this moment.
func (f *fleet) api(n int) *server {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &server{t: f.t, addr: f.apis[n%len(f.apis)]}
}

// Two processes for the API, two for the views and one for side effects on one
// PostgreSQL, under load, each killed in turn: nothing that was acknowledged is lost,
// nothing is done twice, what one process wrote the other shows, and the views equal a
// rebuild.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	const clients, chats = 64, 16
	url, g := testenv.Postgres(t), newGraph(t)
	f := &fleet{server: newServer(t, "--log", url, "--views", url)}
	channel, admin := f.channel(g.URL), f.token("admin", "Root")
	for _, roles := range []string{"projections", "projections", "reactors", "api", "api"} {
		f.add(roles)
	}
	f.addr = f.apis[0]
	webhook := func(id, from, text string) []byte {
		return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
			"metadata":{"display_phone_number":"15550001111","phone_number_id":%q},"contacts":[{"profile":{"name":"Ana"},"wa_id":%q}],
			"messages":[{"from":%q,"id":"wamid.%s","timestamp":"%d","type":"text","text":{"body":%q}}]}}]}]}`, phoneNumber, from, from, id, time.Now().Unix(), text)
	}
	customer := func(n int64) string { return fmt.Sprintf("1555123%04d", n%chats) }
	for n := range int64(chats) {
		if status := f.deliver(channel, webhook(fmt.Sprint("hello", n), customer(n), "hello")); status != 200 {
			t.Fatalf("deliver: %d", status)
		}
	}
	var paths []string
	f.until("there are chats", func() bool {
		list := admin.all("/v1/chats")
		paths = paths[:0]
		for _, c := range list {
			paths = append(paths, "/v1/chats/"+c["id"].(string))
		}
		return len(paths) == chats
	})

	var next, acknowledged, shown atomic.Int64
	stop := make(chan struct{})
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	var done sync.Map // texts that were acknowledged
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for !stopped() {
				n := next.Add(1)
				text := fmt.Sprintf("unique-%07d", n)
				chat, ok := paths[n%chats], false
				// Who is not answered asks again, at the other process, with the same key.
				for try := 0; !ok && try < 400; try++ {
					s := f.api(int(n) + try)
					as := client{s, admin.token}
					var r response
					var err error
					switch n % 3 {
					case 0:
						ok = s.deliver(channel, webhook(text, customer(n), text)) == 200
					case 1:
						r, err = as.do("POST", chat+"/notes", fmt.Sprintf(`{"text":%q}`, text), "Idempotency-Key: "+text)
						ok = err == nil && r.status == 201
					case 2:
						r, err = as.do("POST", chat+"/messages", fmt.Sprintf(`{"text":%q}`, text), "Idempotency-Key: "+text)
						ok = err == nil && r.status == 202
					}
					if !ok {
						time.Sleep(25 * time.Millisecond)
						continue
					}
					if n%3 == 1 && n%5 == 0 { // what one wrote the other shows
						other := client{f.api(int(n) + try + 1), admin.token}
						got, err := other.do("GET", chat+"/messages?limit=200&min_position="+r.header.Get("Position"), "")
						if err == nil && got.status == 200 {
							shown.Add(1)
							if !bytes.Contains(got.body, []byte(text)) {
								t.Errorf("%s was acknowledged at %s, and is not shown at %s", text, r.header.Get("Position"), got.header.Get("Position"))
							}
						}
					}
				}
				if !ok {
					t.Errorf("%s was never acknowledged", text)
					return
				}
				done.Store(text, true)
				acknowledged.Add(1)
			}
		})
	}
	began, kills := time.Now(), 0
	for i := 0; time.Since(began) < *processesFor || i < len(f.processes); i++ {
		time.Sleep(*processesFor / 20)
		f.bounce(i%len(f.processes), *processesFor/40)
		kills++
	}
	close(stop)
	wg.Wait()
	f.addr = f.api(0).addr
	f.until("the reactors have caught up", func() bool {
		behind := 0
		for line := range strings.Lines(f.run("reactors", "status")) {
			if c := strings.Fields(line); len(c) == 5 && c[2] != c[3] && c[0] != "REACTOR" {
				behind++
			}
		}
		return behind == 0
	})

	// Each text once, by what happened with it.
	unique := regexp.MustCompile(`unique-\d{7}`)
	times := map[string]int{}
	for line := range strings.Lines(f.run("events", "dump")) {
		_, typ, _ := strings.Cut(line, `"type":"`)
		typ, _, _ = strings.Cut(typ, `"`)
		if texts := unique.FindAllString(line, -1); texts != nil && typ != "webhook.received.v1" {
			times[typ+" "+texts[0]]++
		}
	}
	done.Range(func(key, _ any) bool {
		text := key.(string)
		total := times["chat.message_received.v1 "+text] + times["chat.note_added.v1 "+text] + times["chat.message_queued.v1 "+text]
		if total != 1 {
			t.Errorf("%s happened %d times", text, total)
		}
		return true
	})
	sent := map[string]int{}
	for _, text := range g.sent() {
		if sent[text]++; sent[text] == 2 {
			t.Errorf("%s was sent twice", text)
		}
	}
	t.Logf("%d acknowledged over %d kills in %s, %d sent, %d looked for at the other process", acknowledged.Load(), kills, time.Since(began).Round(time.Second), len(sent), shown.Load())
	if shown.Load() == 0 || len(sent) == 0 {
		t.Error("nothing was sent, or shown by another process")
	}
	f.verifyAll()
}

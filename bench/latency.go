package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/internal/ids"
)

// Of the installation that latencies are measured on.
const (
	latencyAgents  = 8 // each with a token
	latencyChats   = 4 // of each client
	latencySecret  = "s3cret"
	latencyPhone   = "106540352242922"
	latencySpace   = "default"
	latencyWarm    = 500 * time.Millisecond
	latencyEvery   = 200 * time.Millisecond // a command of a client that keeps to a schedule
	latencyTooLong = time.Minute
)

// installation is a product with what clients need.
type installation struct {
	*product
	channel string
	tokens  []string
	agents  []string
	post    int // webhooks that were delivered
	cases   []*latencyCase
}

// latencyCase is one thing measured.
type latencyCase struct {
	what     string // command or webhook
	clients  int
	every    time.Duration // a client begins one this often; 0: as soon as the last one is visible
	p50, p99 series        // ms
	rate     series        // a second
	cpu      series        // of the server, µs for each
}

const (
	commandVisible = "command"
	webhookVisible = "webhook"
)

// latency measures how long it takes until what somebody did is visible.
func (b *bench) latency(ctx context.Context) (_ *report, err error) {
	url, stop, err := graph()
	if err != nil {
		return nil, err
	}
	engines := b.engines
	installations := map[string]*installation{}
	defer func() {
		for _, in := range installations {
			err = errors.Join(err, in.stop())
		}
		err = errors.Join(err, stop())
	}()
	for _, engine := range engines {
		var where []string
		if engine == enginePostgres {
			db, err := b.servers.database()
			if err != nil {
				return nil, err
			}
			where = []string{"--log", db}
		}
		p, err := b.install(ctx, "latency-"+strings.ToLower(engine), where...)
		if err != nil {
			return nil, err
		}
		in := &installation{product: p}
		installations[engine] = in
		for _, what := range []string{commandVisible, webhookVisible} {
			for _, clients := range []int{1, 64} {
				in.cases = append(in.cases, &latencyCase{what: what, clients: clients})
			}
		}
		in.cases = append(in.cases, &latencyCase{what: commandVisible, clients: 64, every: latencyEvery})
		if err := in.prepare(ctx, url); err != nil {
			return nil, err
		}
		if err := in.start(ctx); err != nil {
			return nil, err
		}
		if err := in.openChats(ctx); err != nil {
			return nil, err
		}
	}
	for round := range b.rounds {
		for i := range installations[engines[0]].cases {
			for j := range engines {
				engine := engines[(j+round)%len(engines)]
				in := installations[engine]
				c := in.cases[(i+round)%len(in.cases)]
				if err := in.measure(ctx, c, b.latencySpan); err != nil {
					return nil, fmt.Errorf("%s: %w", engine, err)
				}
				fmt.Fprintf(b.log, "round %d  %-10s %s, %2d clients%s: p50 %.2f ms, p99 %.2f ms, %.0f/s, %.0f µs of the server's CPU\n",
					round+1, engine, c.what, c.clients, c.pace(), last(c.p50), last(c.p99), last(c.rate), last(c.cpu))
			}
		}
	}
	r := &report{
		title: "From a command to the screen",
		intro: fmt.Sprintf("A server of the binary, with its log on disk, all views, and the clients on the same machine. A *command* is an "+
			"assignment, a tag added or taken off, a note, or a message to the customer, in turns; its client then asks for the chat, the "+
			"list with the tag, or the conversation with `min_position` of the command's answer, finds in it what it did, and does the next. "+
			"A *webhook* is a signed delivery with a message; its client is told by the stream of changes that the message is there, then asks "+
			"for the conversation. The time is from the sending of the first request to the last answer.\n\n"+
			"Where nothing else is said, the loop is closed: every client does one after the other without a pause, so that 64 of them "+
			"keep the machine busy whatever it can do, and the time is that of the queue which they form; how many a second came of it "+
			"is beside it. Where *each every %s* is said, the loop is open: the clients begin at fixed times, one after the other, as "+
			"people would who do not know of each other, and the time is counted from when a command was due, also if its client was "+
			"still waiting for the one before. Median of %d rounds (minimum–maximum) of %s, in turns.", latencyEvery, b.rounds, b.latencySpan),
		notes: []string{"The CPU of the server includes all it does besides: seven views, the stream of changes, and sending the messages on."},
	}
	t := table{head: []string{"", "clients", "p50, ms", "p99, ms", "a second", "CPU of the server, µs for each"}}
	for _, engine := range engines {
		for _, c := range installations[engine].cases {
			t.rows = append(t.rows, []string{fmt.Sprintf("**%s**, %s → visible%s", engine, c.what, c.pace()), fmt.Sprint(c.clients),
				c.p50.String(), c.p99.String(), c.rate.String(), c.cpu.String()})
			if engine == engineSQLite && c.what == commandVisible && c.clients == 64 && c.every == 0 {
				r.targets = append(r.targets, target{what: "SQLite, command → visible, 64 clients, p99", got: c.p99.median(), want: 25, unit: "ms", atMost: true})
			}
		}
	}
	r.tables = []table{t}
	return r, nil
}

func (c *latencyCase) pace() string {
	if c.every == 0 {
		return ""
	}
	return fmt.Sprintf(", each every %s", c.every)
}

func last(s series) float64 { return s[len(s)-1] }

// prepare makes a channel and the agents.
func (in *installation) prepare(ctx context.Context, graph string) (err error) {
	in.channel, err = in.run(ctx, "channel", "add", "whatsapp", "--name", "Shop", "--phone-number-id", latencyPhone,
		"--verify-token", "choose-one", "--app-secret", latencySecret, "--access-token", "from-meta", "--graph-url", graph)
	if err != nil {
		return err
	}
	for i := range latencyAgents {
		name := fmt.Sprintf("agent-%d", i)
		token, err := in.run(ctx, "token", "create", "--role", "agent", "--name", name)
		if err != nil {
			return err
		}
		in.tokens, in.agents = append(in.tokens, token), append(in.agents, ids.Agent(latencySpace, name))
	}
	return nil
}

// customer returns the phone number of a client's nth customer.
func customer(client, n int) string { return fmt.Sprintf("1555%07d", client*latencyChats+n) }

func (in *installation) chat(client, n int) string {
	return ids.Chat(latencySpace, in.channel, customer(client, n))
}

// openChats has every customer write, and waits until all chats are there.
func (in *installation) openChats(ctx context.Context) error {
	for _, c := range in.cases {
		if c.what == webhookVisible && c.clients == 64 {
			for n := range latencyChats {
				if _, err := in.together(ctx, c.clients, func(l *listener, client int, caller *caller) (time.Time, bool, error) {
					return time.Time{}, true, in.deliver(ctx, l, caller, client, n)
				}, 1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measure adds what a span of c takes.
func (in *installation) measure(ctx context.Context, c *latencyCase, span time.Duration) error {
	if c.what == webhookVisible {
		// A provider gives the second of a message. What agents did in that second
		// comes after it, and might be all that a client sees.
		if err := pause(ctx, now().Truncate(time.Second).Add(time.Second).Sub(now())); err != nil {
			return err
		}
	}
	began := now()
	from := began.Add(latencyWarm)
	until := from.Add(span)
	var cpu float64
	var once sync.Once
	turns := make([]int, c.clients)
	took, err := in.together(ctx, c.clients, func(l *listener, client int, caller *caller) (time.Time, bool, error) {
		at := now()
		if c.every > 0 { // clients begin evenly spread
			at = began.Add(c.every*time.Duration(client)/time.Duration(c.clients) + c.every*time.Duration(turns[client]))
			if err := pause(ctx, at.Sub(now())); err != nil {
				return at, false, err
			}
		}
		if at.After(until) {
			return at, false, nil
		}
		if at.After(from) {
			once.Do(func() { cpu, _ = in.cpuSeconds() })
		}
		n := turns[client]
		turns[client]++
		if c.what == webhookVisible {
			return at, at.After(from), in.deliver(ctx, l, caller, client, n%latencyChats)
		}
		return at, at.After(from), in.command(caller, client, n)
	}, 0)
	if err != nil {
		return err
	}
	spent, err := in.cpuSeconds()
	if err != nil {
		return err
	}
	slices.Sort(took)
	if len(took) == 0 {
		return errors.New("nothing was measured")
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	c.p50 = append(c.p50, ms(took[len(took)/2]))
	c.p99 = append(c.p99, ms(took[len(took)*99/100]))
	lasted := now().Sub(from)
	if c.every > 0 {
		lasted = span // then clients wait for what they do not do any more
	}
	c.rate = append(c.rate, float64(len(took))/lasted.Seconds())
	c.cpu = append(c.cpu, (spent-cpu)*1e6/float64(len(took)))
	return nil
}

// together runs step for each client again and again, at most the given number
// of times if that is not 0, until it says that it measured nothing for want of
// time, and returns how long those took that count, from when they say that they
// were due.
func (in *installation) together(ctx context.Context, clients int, step func(l *listener, client int, c *caller) (due time.Time, counts bool, err error), times int) (took []time.Duration, err error) {
	l, err := in.listen(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var mu sync.Mutex
	var g errgroup.Group
	for client := range clients {
		g.Go(func() (err error) {
			c, err := dial(ctx, in.addr, "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close()) }()
			var mine []time.Duration
			steps, measured := 0, false
			for ; times == 0 || steps < times; steps++ {
				due, counts, err := step(l, client, c)
				if err != nil {
					return err
				}
				if counts {
					measured = true
					mine = append(mine, now().Sub(due))
				} else if measured {
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			return nil
		})
	}
	return took, g.Wait()
}

// command does the nth thing of a client and waits until it is visible.
func (in *installation) command(c *caller, client, n int) error {
	agent := client % latencyAgents
	auth := bearer(in.tokens[agent])
	chat := in.chat(client, n/4%latencyChats)
	path := "/v1/chats/" + chat
	turn := n / 4 / latencyChats // how often the chat had its turn before
	switch n % 4 {
	case 0:
		to := in.agents[(agent+turn)%latencyAgents]
		return see(c, auth, path+"/assign", `{"agent":"`+to+`"}`, path+"?", `"assignee":"`+to+`"`, true)
	case 1:
		tag := fmt.Sprintf("client-%d", client)
		verb := "add"
		if turn%2 == 1 {
			verb = "remove"
		}
		return see(c, auth, path+"/tags", `{"`+verb+`":["`+tag+`"]}`, "/v1/chats?tag="+tag+"&", chat, verb == "add")
	case 2:
		return see(c, auth, path+"/notes", `{"text":"prefers to be called after six"}`, path+"/messages?limit=10&", "", true)
	default:
		return see(c, auth, path+"/messages", `{"text":"your parcel left today"}`, path+"/messages?limit=10&", "", true)
	}
}

// see sends a command, then reads what must show it, or must not: a text, or the
// id in the command's answer.
func see(c *caller, auth, command, body, read, text string, shows bool) error {
	position, answer, err := c.do(http.MethodPost, command, auth, []byte(body))
	if err != nil {
		return err
	}
	if text == "" {
		_, rest, _ := bytes.Cut(answer, []byte(`"id":"`))
		id, _, _ := bytes.Cut(rest, []byte(`"`))
		text = string(id)
	}
	_, answer, err = c.do(http.MethodGet, read+"min_position="+position, auth, nil)
	if err != nil {
		return err
	}
	if text == "" || bytes.Contains(answer, []byte(text)) != shows {
		return fmt.Errorf("POST %s %s is not visible at its position %s (looking for %q): %.400s", command, body, position, text, answer)
	}
	return nil
}

// deliver posts a message of a client's nth customer and waits until it is
// visible.
func (in *installation) deliver(ctx context.Context, l *listener, c *caller, client, n int) error {
	from, id := customer(client, n), l.next()
	body := fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":`+
		`{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"%s"},`+
		`"contacts":[{"profile":{"name":"Ana Lima"},"wa_id":"%s"}],`+
		`"messages":[{"from":"%s","id":"%s","timestamp":"%d","type":"text","text":{"body":"Do you deliver on Sundays?"}}]}}]}]}`,
		latencyPhone, from, from, id, now().Unix())
	mac := hmac.New(sha256.New, []byte(latencySecret))
	mac.Write(body)
	told := l.expect(id)
	signature := "X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac.Sum(nil)) + "\r\n"
	if _, _, err := c.do(http.MethodPost, "/webhooks/whatsapp/"+in.channel, signature, body); err != nil {
		return err
	}
	timer := time.NewTimer(latencyTooLong)
	defer timer.Stop()
	var position string
	select {
	case position = <-told:
	case <-l.ended:
		return fmt.Errorf("the stream of changes ended: %w", l.err)
	case <-timer.C:
		return fmt.Errorf("nobody was told of message %s", id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	auth := bearer(in.tokens[client%latencyAgents])
	_, answer, err := c.do(http.MethodGet, "/v1/chats/"+in.chat(client, n)+"/messages?limit=10&min_position="+position, auth, nil)
	if err == nil && !bytes.Contains(answer, []byte(id)) {
		err = fmt.Errorf("message %s is not visible at its position %s: %.400s", id, position, answer)
	}
	return err
}

// listener hears the stream of changes and tells clients where their messages
// are in the log.
type listener struct {
	in    *installation
	c     *caller
	ended chan struct{}
	err   error // why; to be read after ended is closed

	mu      sync.Mutex
	waiting map[string]chan string // by the provider's id of the message
}

func (in *installation) listen(ctx context.Context) (*listener, error) {
	c, err := dial(ctx, in.addr, bearer(in.tokens[0]))
	if err != nil {
		return nil, err
	}
	if err := c.send(http.MethodGet, "/v1/changes", "", nil); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, fmt.Errorf("follow changes: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("follow changes: %s", resp.Status)
	}
	l := &listener{in: in, c: c, ended: make(chan struct{}), waiting: map[string]chan string{}}
	go func() {
		defer close(l.ended)
		l.err = l.hear(bufio.NewReaderSize(resp.Body, 64<<10))
	}()
	return l, nil
}

// next returns the provider's id of a new message.
func (l *listener) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.post++
	return fmt.Sprintf("wamid.BENCH%09d", l.in.post)
}

func (l *listener) expect(id string) <-chan string {
	told := make(chan string, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[id] = told
	return told
}

func (l *listener) hear(in *bufio.Reader) error {
	position := ""
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if p, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			position = string(bytes.TrimSpace(p))
			continue
		}
		_, rest, ok := bytes.Cut(line, []byte(`"provider_id":"`))
		if !ok {
			continue
		}
		id, _, _ := bytes.Cut(rest, []byte(`"`))
		l.mu.Lock()
		told := l.waiting[string(id)]
		delete(l.waiting, string(id))
		l.mu.Unlock()
		if told != nil {
			told <- position
		}
	}
}

func (l *listener) close() error {
	err := l.c.close()
	<-l.ended
	return err
}

// Package demo makes traffic for a server to show: customers who write, order
// and share their details, agents who answer.
//
// It is a client like any other: signed webhooks and API calls over HTTP. It
// must not touch the log, the views or the commands.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says where the traffic goes.
type Config struct {
	URL           string // of the server: "http://host:port"
	Channel       string // id of the channel
	PhoneNumberID string // of its account
	Phone         string // digits that customers write to
	AppSecret     string // signs the webhooks

	Agents     []Agent // who answer; at least one
	Supervisor Agent   // who assigns and transfers
	Admin      Agent   // who defines the templates

	Outbox *Outbox // of the provider that is played

	Run    string        // told apart from other runs on the same data; in provider ids
	Seed   uint64        // the same seed makes the same customers and messages
	Chats  int           // customers to begin with
	Pause  time.Duration // between two things that happen in Run; default 700 ms
	Now    func() time.Time
	Logger *slog.Logger
}

// Agent is a member of staff.
type Agent struct{ Name, ID, Token string }

// Generator makes the traffic. Its methods are called by one goroutine.
type Generator struct {
	config   Config
	client   *http.Client
	random   *rand.Rand
	people   []*person
	sequence int
	tour     string // id of the chat that staff leaves to the viewer
	followUp string // id of the template for customers who have been silent for a day
}

// Outbox knows the messages that the provider took and has not reported on yet.
// It is safe for concurrent use.
type Outbox struct {
	mu   sync.Mutex
	sent []sentMessage
}

type sentMessage struct{ to, providerID string }

// Sent notes that the provider took a message to a customer, who will get and
// perhaps read it.
func (o *Outbox) Sent(to, providerID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, sentMessage{to, providerID})
}

// take returns what is in the outbox and empties it.
func (o *Outbox) take() []sentMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	sent := o.sent
	o.sent = nil
	return sent
}

// New returns a generator.
func New(c Config) *Generator {
	return &Generator{
		config: c,
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
		random: rand.New(rand.NewPCG(c.Seed, 0)), //nolint:gosec // the same seed must make the same traffic
	}
}

// Close ends the connections that the generator kept.
func (g *Generator) Close() { g.client.CloseIdleConnections() }

// workers is how many requests are under way at once while the past is made.
const workers = 8

// Customers makes the past of n more customers, over the last two weeks: they
// open chats, write, order and share their details.
func (g *Generator) Customers(ctx context.Context, n int) error {
	end := g.config.Now()
	var deliveries [][]object // one webhook each
	for range n {
		p := newPerson(g.random, len(g.people))
		g.people = append(g.people, p)
		deliveries = append(deliveries, g.past(p, end)...)
	}
	// Webhooks come in any order; the inbox is the same.
	g.random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	return each(ctx, deliveries, func(ctx context.Context, values []object) error { return g.deliver(ctx, values...) })
}

// past is what one customer wrote before now: the values of some webhooks.
func (g *Generator) past(p *person, now time.Time) (deliveries [][]object) {
	r := g.random
	at := now.Add(-time.Duration(1+r.IntN(14*24*60)) * time.Minute)
	opening := pick(r, openings)
	if r.IntN(8) == 0 {
		opening = "Hi!"
	}
	deliveries = append(deliveries, []object{g.messages(p, g.message(p, at, "text", text(fill(opening, p.city))))})
	for range r.IntN(6) {
		if at = at.Add(time.Duration(1+r.IntN(180)) * time.Minute); at.After(now) {
			break
		}
		switch n := r.IntN(20); {
		case n < 3:
			deliveries = append(deliveries, []object{g.messages(p, g.order(p, at))})
		case n == 3: // two messages in one value
			deliveries = append(deliveries, []object{g.messages(p,
				g.message(p, at, "text", text(pick(r, followUps))), g.anyMessage(p, at.Add(time.Second)))})
		case n == 4:
			deliveries = append(deliveries, []object{g.messages(p, g.message(p, at, "contacts", []object{card(p.name, p.phone, p.email, p.company)}))})
		default:
			deliveries = append(deliveries, []object{g.messages(p, g.anyMessage(p, at))})
		}
	}
	if r.IntN(10) == 0 { // delivered twice, as it happens
		deliveries = append(deliveries, deliveries[len(deliveries)-1])
	}
	return deliveries
}

// Staff works through the inbox once: agents claim, answer, tag, note and
// close; the supervisor assigns and transfers; orders go their way.
func (g *Generator) Staff(ctx context.Context) error {
	chats, err := g.unassigned(ctx, g.config.Supervisor, max(len(g.people), 1))
	if err != nil {
		return err
	}
	r := g.random
	jobs := make([]func(context.Context) error, 0, len(chats))
	for i, c := range chats {
		if c.ID == g.tour || r.IntN(100) < 35 {
			continue // left for the viewer
		}
		agent, other := g.config.Agents[i%len(g.config.Agents)], g.config.Agents[(i+1)%len(g.config.Agents)]
		plan := g.plan(c, agent, other)
		jobs = append(jobs, func(ctx context.Context) error {
			for _, do := range plan {
				if err := do(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := each(ctx, jobs, func(ctx context.Context, do func(context.Context) error) error { return do(ctx) }); err != nil {
		return err
	}
	return g.orders(ctx, len(g.people))
}

// plan is what staff does about one chat. All that is random is chosen now.
func (g *Generator) plan(c chat, agent, other Agent) (steps []func(context.Context) error) {
	r := g.random
	post := func(by Agent, action string, body object) {
		steps = append(steps, func(ctx context.Context) error { return g.post(ctx, by, "/v1/chats/"+c.ID+"/"+action, body) })
	}
	if r.IntN(4) == 0 {
		post(g.config.Supervisor, "assign", object{"agent": agent.ID})
	} else {
		post(agent, "claim", nil)
	}
	if r.IntN(2) == 0 {
		post(agent, "tags", object{"add": []string{pick(r, tagNames)}})
	}
	if r.IntN(3) > 0 {
		text := fill(pick(r, answers), c.firstName())
		steps = append(steps, func(ctx context.Context) error { return g.answer(ctx, agent, c, text) })
	}
	post(agent, "read", nil)
	if r.IntN(4) == 0 {
		post(agent, "notes", says(pick(r, notes)))
	}
	switch r.IntN(8) {
	case 0, 1:
		post(agent, "close", nil)
	case 2:
		post(agent, "status", object{"status": pick(r, []string{"INPROGRESS", "ONHOLD", "REVIEW"})})
	case 3:
		post(agent, "transfer", object{"to": "agent", "agent": other.ID, "reason": "knows this customer"})
	case 4:
		post(agent, "unassign", nil)
	}
	return steps
}

// Run keeps the traffic going until ctx is done. What fails is logged, once
// each, and does not end it.
func (g *Generator) Run(ctx context.Context) {
	ticker := time.NewTicker(cmp.Or(g.config.Pause, 700*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := g.step(ctx); err != nil && ctx.Err() == nil {
			g.config.Logger.Warn("demo traffic", "error", err)
		}
	}
}

// step does one thing that happens in a shop's day.
func (g *Generator) step(ctx context.Context) error {
	r, at := g.random, g.config.Now()
	if err := g.Reports(ctx); err != nil {
		return err
	}
	switch n := r.IntN(20); {
	case n == 0:
		p := newPerson(r, len(g.people))
		g.people = append(g.people, p)
		return g.deliver(ctx, g.messages(p, g.message(p, at, "text", text(fill(pick(r, openings), p.city)))))
	case n < 9 && len(g.people) > 0:
		p := pick(r, g.people)
		return g.deliver(ctx, g.messages(p, g.anyMessage(p, at)))
	case n == 9 && len(g.people) > 0:
		p := pick(r, g.people)
		return g.deliver(ctx, g.messages(p, g.order(p, at)))
	case n == 10:
		return g.orders(ctx, 1)
	default:
		agent, other := pick(r, g.config.Agents), pick(r, g.config.Agents)
		chats, err := g.unassigned(ctx, agent, 2)
		chats = slices.DeleteFunc(chats, func(c chat) bool { return c.ID == g.tour })
		if err != nil || len(chats) == 0 {
			return err
		}
		for _, do := range g.plan(chats[0], agent, other) {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// Reports tells the server, as the provider does, what became of the messages
// that were sent: nearly all are delivered, most are read, a few fail.
func (g *Generator) Reports(ctx context.Context) error {
	sent := g.config.Outbox.take()
	// Sorted, so that the same seed makes the same reports.
	slices.SortFunc(sent, func(a, b sentMessage) int { return cmp.Compare(a.providerID, b.providerID) })
	r, at := g.random, g.config.Now()
	var values [][]object
	for _, m := range sent {
		values = append(values, []object{g.status(m.to, m.providerID, "sent", at)})
		switch n := r.IntN(30); {
		case n == 0:
			values = append(values, []object{g.status(m.to, m.providerID, "failed", at)})
		case n < 20: // read may come before delivered
			values = append(values, []object{g.status(m.to, m.providerID, "read", at.Add(2*time.Second))},
				[]object{g.status(m.to, m.providerID, "delivered", at.Add(time.Second))})
		default:
			values = append(values, []object{g.status(m.to, m.providerID, "delivered", at.Add(time.Second))})
		}
	}
	return each(ctx, values, func(ctx context.Context, v []object) error { return g.deliver(ctx, v...) })
}

// each calls do for all items, some at once, and stops at the first error.
func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return do(ctx, item) })
	}
	return group.Wait()
}

// fill puts value into a sentence that has a place for it.
func fill(sentence, value string) string {
	for i := range len(sentence) - 1 {
		if sentence[i:i+2] == "%s" {
			return fmt.Sprintf("%s%s%s", sentence[:i], value, sentence[i+2:])
		}
	}
	return sentence
}

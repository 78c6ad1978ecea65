package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/codec"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/search"
)

const (
	searchChat  = 20     // messages of a chat
	searchWords = 60_000 // different ones in the texts
	searchAsked = 500    // searches of each kind in a round
	searchSlow  = 20     // of those that look at everything
	searchWarm  = 50
	searchFound = 20     // on a page
	searchLive  = 5_000  // messages a second
	searchBurst = 50_000 // messages that are there at once
)

// What is searched for.
const (
	askPrefix  = "a word of some text, its first 3 to 6 letters"
	askCommon  = "one of the hundred commonest words, its first 2 letters"
	askRare    = "the rarest word of some text, whole"
	askTwo     = "two words of one text, the first letters of each"
	askApart   = "two common words that no text has together"
	askPhone   = "the last six digits of a phone number"
	askNothing = "a word that is nowhere"
)

func searchKinds() []string {
	return []string{askPrefix, askCommon, askRare, askTwo, askApart, askPhone, askNothing}
}

// lexicon is a language: the nth word is about n times as rare as the first.
type lexicon struct{ words []string }

func newLexicon() lexicon {
	r := rand.New(rand.NewPCG(inboxSeed, 11))
	first := []string{"b", "br", "c", "ch", "d", "f", "g", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "v", "z"}
	second := []string{"a", "e", "i", "o", "u", "ä", "é", "ou", "ai", "ão"}
	seen := map[string]bool{"apart": true}
	var l lexicon
	for len(l.words) < searchWords {
		var b strings.Builder
		for range 1 + min(3, len(l.words)/40) - r.IntN(2)*min(1, len(l.words)/100) {
			b.WriteString(first[r.IntN(len(first))] + second[r.IntN(len(second))])
		}
		b.WriteString(first[r.IntN(len(first))])
		if w := b.String(); !seen[w] {
			seen[w] = true
			l.words = append(l.words, w)
		}
	}
	return l
}

// draw returns a word, as often as it occurs.
func (l lexicon) draw(r *rand.Rand) string {
	return l.words[int(math.Pow(float64(len(l.words)), r.Float64()))-1]
}

// text returns the nth message: 6 to 18 words. Of the two words that are never
// together, each is in one message of ten.
func (l lexicon) text(n int) string {
	r := rand.New(rand.NewPCG(inboxSeed, uint64(n)))
	words := make([]string, 6+r.IntN(13))
	for i := range words {
		words[i] = l.draw(r)
	}
	switch r.IntN(10) {
	case 0:
		words[0] = "apartleft"
	case 1:
		words[0] = "apartright"
	}
	return strings.ToUpper(words[0][:1]) + strings.Join(words, " ")[1:] + "."
}

func (l lexicon) message(n int) codec.Event {
	id, at := chat.MessageID(numbered(5, n).String()), time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	if n%2 == 1 {
		return chat.MessageQueued{Message: id, Text: l.text(n), By: "agent-7", At: at}
	}
	return chat.MessageReceived{Message: id, ProviderID: "wamid." + string(id), ProfileName: "Ana Lima", Content: chat.Content{Kind: "text", Text: l.text(n)}, At: at}
}

func searchCustomer(n int) string { return fmt.Sprintf("5511%09d", n*7919%1_000_000_000) }

// append records messages of a chat, which it opens.
func (l lexicon) append(ctx context.Context, s eventstore.Store, c codec.Codec[codec.Event], nth, first, count int) error {
	facts := []codec.Event{chat.Opened{Workspace: inboxSpace, Channel: "whatsapp", Customer: searchCustomer(nth), Status: "OPEN", Category: chat.CategoryOpen, At: time.Unix(int64(nth), 0)}}
	for n := first; n < first+count; n++ {
		facts = append(facts, l.message(n))
	}
	events := make([]eventstore.Event, len(facts))
	for i, f := range facts {
		var err error
		meta := eventstore.Metadata{Workspace: inboxSpace, Actor: "agent-7", ActorKind: "agent", Channel: "whatsapp", Command: "chat.receive"}
		if events[i], err = c.Encode(numbered(8, nth*(searchChat+1)+i), f, meta); err != nil {
			return err
		}
	}
	_, err := s.Append(ctx, "chat-"+numbered(9, nth).String(), eventstore.Any, events...)
	return err
}

// searchLog opens the log, filled with messages.
func (b *bench) searchLog(ctx context.Context, l lexicon, dir string) (_ *sqlite.Store, err error) {
	s, err := sqlite.Open(ctx, filepath.Join(dir, "events.db"))
	if err != nil {
		return nil, err
	}
	head, err := s.Head(ctx)
	if err != nil || head.Position > 0 {
		return s, err
	}
	began := now()
	c := commands.Codec()
	g, filling := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	for nth := range b.messages / searchChat {
		g.Go(func() error { return l.append(filling, s, c, nth, nth*searchChat, searchChat) })
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("fill log: %w", err), s.Close())
	}
	fmt.Fprintf(b.log, "filled the log with %d messages in %s\n", b.messages, now().Sub(began).Round(time.Second))
	return s, nil
}

// search measures full-text search, and what it takes to keep it up.
func (b *bench) search(ctx context.Context) (_ *report, err error) {
	dir := filepath.Join(b.kept(), fmt.Sprintf("search-%d", b.messages))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	l := newLexicon()
	log, err := b.searchLog(ctx, l, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	r := &report{
		title: "Search",
		intro: fmt.Sprintf("%s messages of 6 to 18 words, of a language with %s words of which the nth is about n times as rare as the first; twenty messages a chat. "+
			"Asked for: the newest %d with all words, as the handler asks for them, snippets included. %s searches of each kind in a round, one after the other; median of %d rounds (minimum–maximum). "+
			"Live: the view has all that, and follows a log that gets %s messages a second in appends of %d, for %s.",
			figure(float64(b.messages)), figure(searchWords), searchFound, figure(searchAsked), b.rounds, figure(searchLive), searchChat, searchSpan),
		notes: []string{"A burst is what is appended at once to a log that the view had caught up with; the indexes are there. The log is in a SQLite file for both.",
			"The seconds until a message is found are those from before its append is called to when the view reports its position; with both on the same processors."},
	}
	t := table{head: []string{"", "p50, ms", "p99, ms"}}
	live := table{head: []string{"", "rebuild, events/s", "burst, messages/s", "live: found after, ms, p50", "p99"}}
	for _, engine := range b.engines {
		at := place{dir: dir}
		if engine == enginePostgres {
			if at.postgres, err = b.servers.database(); err != nil {
				return nil, err
			}
		}
		cases, kept, err := b.searchEngine(ctx, l, log, engine, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", engine, err)
		}
		for _, c := range cases {
			t.rows = append(t.rows, []string{fmt.Sprintf("**%s**, %s", engine, c.what), c.p50.String(), c.p99.String()})
			if c.what == askPrefix || c.what == askCommon {
				r.targets = append(r.targets, target{what: engine + ", " + c.what + ", p99", got: c.p99.median(), want: 30, unit: "ms", atMost: true})
			}
		}
		r.targets = append(r.targets, target{what: engine + ", messages indexed in a burst", got: kept.burst.median(), want: searchLive, unit: "messages/s"})
		rebuilt := "–"
		if kept.rebuilt > 0 {
			rebuilt = figure(kept.rebuilt)
		}
		live.rows = append(live.rows, []string{engine, rebuilt, kept.burst.String(), kept.p50.String(), kept.p99.String()})
	}
	r.tables = []table{t, live}
	return r, nil
}

const searchSpan = 4 * time.Second

// upkeep is what it takes to keep a view up.
type upkeep struct {
	rebuilt         float64 // events/s
	burst, p50, p99 series
}

func (b *bench) searchEngine(ctx context.Context, l lexicon, log *sqlite.Store, engine string, at place) (cases []*listCase, kept *upkeep, err error) {
	db, err := at.openSearch(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := commands.Codec()
	cfg := projections.Config{
		Store: log, DB: db, Now: now, Alone: true, Waiter: projections.NewWaiter(db), Projections: []func() projections.Projection{search.New},
		Decode: func(e eventstore.Recorded) (any, error) { return c.Decode(e) },
	}
	kept = &upkeep{}
	name := search.New().Name()
	states, err := projections.ReadStatus(ctx, cfg)
	if err == nil {
		kept.rebuilt = 0
	} else if err := projections.Prepare(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if states, err = projections.ReadStatus(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if states[0].Checkpoint == 0 {
		began := now()
		if err := projections.Rebuild(ctx, cfg, name, nil); err != nil {
			return nil, nil, err
		}
		kept.rebuilt = float64(states[0].Head) / now().Sub(began).Seconds()
		fmt.Fprintf(b.log, "rebuilt %s on %s: %.0f events/s\n", name, engine, kept.rebuilt)
	}
	runner, err := projections.NewRunner(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(running) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	head, err := log.Head(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.Waiter.Wait(ctx, head.Position, name); err != nil {
		return nil, nil, err
	}
	if cases, err = b.searches(ctx, l, db, engine); err != nil {
		return nil, nil, err
	}
	next := int(head.Position) // chats, so that none comes twice
	for range b.rounds {
		burst, p50, p99, err := b.follow(ctx, l, cfg, name, &next)
		if err != nil {
			return nil, nil, err
		}
		kept.burst, kept.p50, kept.p99 = append(kept.burst, burst), append(kept.p50, p50), append(kept.p99, p99)
		fmt.Fprintf(b.log, "%s: a burst at %.0f messages/s; live: found after %.1f ms, p99 %.1f ms\n", engine, burst, p50, p99)
	}
	return cases, kept, nil
}

func (p place) openSearch(ctx context.Context) (sqldb.DB, error) {
	if p.postgres != "" {
		return sqldb.OpenPostgres(ctx, p.postgres, viewsSchema, sqldb.Rebuildable)
	}
	return sqldb.OpenSQLite(ctx, filepath.Join(p.dir, "search.db"), sqldb.Rebuildable)
}

// searches measures what is asked.
func (b *bench) searches(ctx context.Context, l lexicon, db sqldb.DB, engine string) (cases []*listCase, err error) {
	for _, what := range searchKinds() {
		cases = append(cases, &listCase{engine: engine, what: what})
	}
	for round := range b.rounds {
		for i := range cases {
			c := cases[(i+round)%len(cases)]
			r := rand.New(rand.NewPCG(uint64(round), 5))
			var took []time.Duration
			asked := searchAsked
			if c.what == askApart {
				asked = searchSlow
			}
			for n := range searchWarm + asked {
				if n < searchWarm && c.what == askApart {
					continue
				}
				if n < searchWarm && round > 0 {
					continue
				}
				text := l.ask(r, c.what, b.messages)
				began := now()
				var page search.Page
				err := db.Read(ctx, func(tx sqldb.Tx) (err error) {
					page, err = search.Find(ctx, tx, search.Query{Workspace: inboxSpace, Text: text, Limit: searchFound})
					return err
				})
				if err != nil {
					return nil, err
				}
				if n >= searchWarm {
					took = append(took, now().Sub(began))
				}
				if nowhere := c.what == askNothing || c.what == askApart; (len(page.Found) == 0) != nowhere {
					return nil, fmt.Errorf("%s, %q: found %d", c.what, text, len(page.Found))
				}
			}
			slices.Sort(took)
			c.p50 = append(c.p50, float64(took[len(took)/2].Microseconds())/1e3)
			c.p99 = append(c.p99, float64(took[len(took)*99/100].Microseconds())/1e3)
			fmt.Fprintf(b.log, "round %d  %-10s %-60s p50 %.2f ms, p99 %.2f ms\n", round+1, engine, c.what, last(c.p50), last(c.p99))
		}
	}
	return cases, nil
}

// ask returns what somebody types.
func (l lexicon) ask(r *rand.Rand, what string, messages int) string {
	begin := func(w string, n int) string {
		letters := []rune(w)
		return string(letters[:min(n, len(letters))])
	}
	switch what {
	case askPrefix:
		return begin(l.draw(r), 3+r.IntN(4))
	case askCommon:
		return begin(l.words[r.IntN(100)], 2)
	case askRare:
		return l.some(r, messages)
	case askTwo:
		words := strings.Fields(l.text(r.IntN(messages)))
		return begin(words[1], 4) + " " + begin(words[len(words)/2+1], 4)
	case askApart:
		return "apartleft apartright"
	case askPhone:
		number := searchCustomer(r.IntN(messages / searchChat))
		return number[len(number)-6:]
	}
	return "wwwww" + begin(l.draw(r), 3)
}

// some returns a word that occurs, chosen from all of them.
func (l lexicon) some(r *rand.Rand, messages int) string {
	words := strings.Fields(strings.TrimSuffix(l.text(r.IntN(messages)), "."))
	rarest, at := "", -1
	for _, w := range words[1:] {
		if i := slices.Index(l.words, w); i > at {
			rarest, at = w, i
		}
	}
	return rarest
}

// follow has messages appended, many at once and then so many a second, and
// returns how fast they come to be found.
func (b *bench) follow(ctx context.Context, l lexicon, cfg projections.Config, name string, next *int) (burst, p50, p99 float64, err error) {
	c := commands.Codec()
	add := func() error {
		*next++
		return l.append(ctx, cfg.Store, c, *next, *next*searchChat, searchChat)
	}
	wait := func() error {
		head, err := cfg.Store.Head(ctx)
		if err != nil {
			return err
		}
		return cfg.Waiter.Wait(ctx, head.Position, name)
	}
	began := now()
	g, filling := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	first := *next + 1
	for nth := range searchBurst / searchChat {
		g.Go(func() error { return l.append(filling, cfg.Store, c, first+nth, (first+nth)*searchChat, searchChat) })
	}
	*next += searchBurst / searchChat
	if err := errors.Join(g.Wait(), wait()); err != nil {
		return 0, 0, 0, err
	}
	burst = searchBurst / now().Sub(began).Seconds()

	var took []float64
	began = now()
	each := time.Second * searchChat / searchLive
	for n := 0; now().Sub(began) < searchSpan; n++ {
		if err := pause(ctx, began.Add(time.Duration(n)*each).Sub(now())); err != nil {
			return 0, 0, 0, err
		}
		at := now()
		if err := add(); err != nil {
			return 0, 0, 0, err
		}
		if n%25 == 0 { // every tenth of a second
			if err := wait(); err != nil {
				return 0, 0, 0, err
			}
			took = append(took, float64(now().Sub(at).Microseconds())/1e3)
		}
	}
	if err := wait(); err != nil {
		return 0, 0, 0, err
	}
	slices.Sort(took)
	return burst, took[len(took)/2], took[len(took)*99/100], nil
}

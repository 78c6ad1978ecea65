package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/contacts"
	"github.com/chatledger/chatledger/projections/directory"
	"github.com/chatledger/chatledger/projections/groups"
	"github.com/chatledger/chatledger/projections/inbox"
	"github.com/chatledger/chatledger/projections/offers"
	"github.com/chatledger/chatledger/projections/orders"
	"github.com/chatledger/chatledger/projections/visitor"
	"github.com/chatledger/chatledger/readapi"
)

const (
	listAsked   = 1_000 // requests of each kind in a round
	listWarm    = 300   // before those of the first round
	listPage    = 10    // the page further down
	viewsSchema = "list_views"
)

// place says where views are, for a process that is told on its command line.
type place struct {
	dir      string // with the log, and the views if they are in a file
	postgres string // URL of the views' database, if they are there
}

func (p place) open(ctx context.Context) (sqldb.DB, error) {
	if p.postgres != "" {
		return sqldb.OpenPostgres(ctx, p.postgres, viewsSchema, sqldb.Rebuildable)
	}
	return sqldb.OpenSQLite(ctx, filepath.Join(p.dir, "views.db"), sqldb.Rebuildable)
}

// reader is the reading half of a server with one view, the inbox.
type reader struct {
	log     *sqlite.Store
	db      sqldb.DB
	config  projections.Config
	handler http.Handler
}

func openReader(ctx context.Context, p place) (_ *reader, err error) {
	r := &reader{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.log, err = sqlite.Open(ctx, filepath.Join(p.dir, "events.db")); err != nil {
		return nil, err
	}
	if r.db, err = p.open(ctx); err != nil {
		return nil, err
	}
	c := commands.Codec()
	r.config = projections.Config{
		Store: r.log, DB: r.db, Now: now, Alone: true, Waiter: projections.NewWaiter(r.db), Projections: []func() projections.Projection{inbox.New, offers.New, visitor.New, orders.New, directory.New, contacts.New, groups.New},
		Decode: func(e eventstore.Recorded) (any, error) { return c.Decode(e) },
	}
	read := readapi.New(readapi.Config{
		DB: r.db, Store: r.log, Waiter: r.config.Waiter, Now: now, Metrics: prometheus.NewRegistry(),
		Status: func(ctx context.Context) ([]projections.Status, error) { return projections.ReadStatus(ctx, r.config) },
	})
	r.handler = web.New(web.Config{
		Authenticate: func(context.Context, string) (web.Principal, error) {
			return web.Principal{Workspace: inboxSpace, Role: agent.RoleAgent, Agent: "agent-7", TokenID: "bench"}, nil
		},
		Now: now, Limits: web.Limits{Rate: 1e9, Burst: 1e9},
	}, read.Endpoints()...)
	return r, nil
}

func (r *reader) close() (err error) {
	if r.db != nil {
		err = r.db.Close()
	}
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	return err
}

// serveList is a process of its own: it serves the inbox at a place and says
// where it listens, until its input ends.
func serveList(ctx context.Context, args []string) (err error) {
	r, err := openReader(ctx, place{args[0], args[1]})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	runner, err := projections.NewRunner(ctx, r.config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: r.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // ends with Close
	fmt.Fprintln(os.Stdout, l.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Close())
}

// question is a request that lists ask.
type question struct {
	path  string      // with its query
	query inbox.Query // the same; the zero value asks for counts
	body  string      // of a POST
}

// listCase is one thing measured.
type listCase struct {
	engine, what, where string
	p50, p99            series // ms
}

// What is asked, and where the time is taken.
const (
	firstPage = "page 1"
	laterPage = "page 10"
	counts    = "counts"
	anyFilter = "any filter, 4 levels"

	inQuery   = "the queries alone"
	inHandler = "the whole request, inside the server"
	overHTTP  = "over HTTP, one client"
)

// list measures the list of chats and its counts.
func (b *bench) list(ctx context.Context) (_ *report, err error) {
	dir := filepath.Join(b.kept(), fmt.Sprintf("inbox-%d", b.chats))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	log, err := b.inboxLog(ctx, dir, b.chats)
	if err != nil {
		return nil, err
	}
	head, err := log.Head(ctx)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := log.Close(); err != nil {
		return nil, err
	}
	r := &report{
		title: "The list of chats",
		intro: fmt.Sprintf("An inbox of %s chats in one workspace, from %s events: six statuses, %d agents, %d tags, one to three tags on each chat, some "+
			"of all these much more common than others; every fourth customer is a contact. Asked for: 50 chats with a status, an assignee and a tag, those of a chat chosen at random, "+
			"so that combinations come up as often as they occur; page 10 of such a list, for those that are so long; and the counts of "+
			"the tabs. And 50 chats by filters of four levels over any of the fields, with values that occur and values that do not, as POST /v1/chats/query takes them. %s requests of each kind in a round, one after the other; median of %d rounds (minimum–maximum).",
			figure(float64(b.chats)), figure(float64(head.Position)), inboxAgents, inboxTags, figure(listAsked), b.rounds),
		notes: []string{"The log is in a SQLite file for both. The server is a process of its own with the reading half of the product: log, inbox, " +
			"its runner and the routes; authentication is left out. The pages of the files that it has mapped are in the system's cache once, however many map them, and go when others need the room."},
	}
	t := table{head: []string{"", "", "p50, ms", "p99, ms"}}
	m := table{head: []string{"Memory of the server, MB", "its own, after the start", "its own, after the requests", "pages of the files that it has mapped"}}
	wants := map[string][2]float64{engineSQLite: {0.5, 3}, enginePostgres: {1.5, 10}}
	for _, engine := range b.engines {
		at := place{dir: dir}
		if engine == enginePostgres {
			if at.postgres, err = b.servers.database(); err != nil {
				return nil, err
			}
		}
		cases, memory, err := b.listEngine(ctx, engine, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", engine, err)
		}
		for _, c := range cases {
			t.rows = append(t.rows, []string{fmt.Sprintf("**%s**, %s", engine, c.what), c.where, c.p50.String(), c.p99.String()})
			if c.where != inHandler {
				continue
			}
			what := fmt.Sprintf("%s, %s, inside the server, ", engine, c.what)
			if c.what == anyFilter {
				r.targets = append(r.targets, target{what: what + "p99", got: c.p99.median(), want: 150, unit: "ms", atMost: true})
			} else if c.what != counts {
				r.targets = append(r.targets, target{what: what + "p50", got: c.p50.median(), want: wants[engine][0], unit: "ms", atMost: true})
				r.targets = append(r.targets, target{what: what + "p99", got: c.p99.median(), want: wants[engine][1], unit: "ms", atMost: true})
			} else {
				r.targets = append(r.targets, target{what: what + "p99", got: c.p99.median(), want: 2, unit: "ms", atMost: true})
			}
		}
		m.rows = append(m.rows, append([]string{engine}, memory...))
	}
	r.tables = []table{t, m}
	return r, nil
}

func (b *bench) listEngine(ctx context.Context, engine string, at place) (cases []*listCase, mem []string, err error) {
	r, err := openReader(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := b.fillView(ctx, r, engine); err != nil {
		return nil, nil, err
	}
	questions, err := b.questions(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "serve-list", at.dir, at.postgres)
	cmd.Stderr = b.log
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, nil, fmt.Errorf("start server: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close(), cmd.Wait()) }()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("start server: %w", err)
	}
	client, err := dial(ctx, strings.TrimSpace(addr), bearer("bench"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, client.close()) }()
	started, err := memory(cmd.Process.Pid)
	if err != nil {
		return nil, nil, err
	}
	ask := map[string]func(question) error{
		inQuery:   func(q question) error { return r.query(ctx, q) },
		inHandler: func(q question) error { return r.handle(ctx, q) },
		overHTTP: func(q question) error {
			_, _, err := client.do(http.MethodGet, q.path, "", nil)
			return err
		},
	}
	for _, what := range []string{firstPage, laterPage, counts} {
		for _, where := range []string{inQuery, inHandler, overHTTP} {
			cases = append(cases, &listCase{engine: engine, what: what, where: where})
		}
	}
	cases = append(cases, &listCase{engine: engine, what: anyFilter, where: inHandler})
	for round := range b.rounds {
		for i := range cases {
			c := cases[(i+round)%len(cases)]
			random := rand.New(rand.NewPCG(uint64(round), 3)) // the same questions for each
			list := questions[c.what]
			var took []time.Duration
			for n := range listWarm + listAsked {
				if n < listWarm && round > 0 {
					continue
				}
				q := list[random.IntN(len(list))]
				began := now()
				if err := ask[c.where](q); err != nil {
					return nil, nil, err
				}
				if n >= listWarm {
					took = append(took, now().Sub(began))
				}
			}
			slices.Sort(took)
			c.p50 = append(c.p50, float64(took[len(took)/2].Microseconds())/1e3)
			c.p99 = append(c.p99, float64(took[len(took)*99/100].Microseconds())/1e3)
			fmt.Fprintf(b.log, "round %d  %-10s %-8s %-40s p50 %.2f ms, p99 %.2f ms\n", round+1, engine, c.what, c.where, last(c.p50), last(c.p99))
		}
	}
	after, err := memory(cmd.Process.Pid)
	return cases, []string{figure(started.own), figure(after.own), figure(after.mapped)}, err
}

// fillView brings the view up to the log, by a rebuild if it is empty.
func (b *bench) fillView(ctx context.Context, r *reader, engine string) error {
	if err := projections.Prepare(ctx, r.config); err != nil {
		return err
	}
	states, err := projections.ReadStatus(ctx, r.config)
	if err != nil {
		return err
	}
	if states[0].Lag == 0 {
		return nil
	}
	began := now()
	var names []string
	for _, s := range states {
		names = append(names, s.Name)
	}
	if err := projections.RebuildAll(ctx, r.config, names, nil); err != nil {
		return err
	}
	took := now().Sub(began)
	fmt.Fprintf(b.log, "rebuilt inbox, visitors and orders on %s from %d events in %s: %.0f/s\n", engine, states[0].Head, took.Round(time.Second), float64(states[0].Head)/took.Seconds())
	if r.db.Engine() != sqldb.Postgres {
		return nil
	}
	// The server's autovacuum would come to it in a minute.
	return r.db.Write(ctx, func(tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, "ANALYZE")
		return err
	})
}

// questions returns what is asked, by kind.
func (b *bench) questions(ctx context.Context, r *reader) (map[string][]question, error) {
	random := rand.New(rand.NewPCG(inboxSeed, 1))
	of := func() question {
		p := profileOf(random.IntN(b.chats))
		q := inbox.Query{Workspace: inboxSpace, Status: p.status.id, Assignee: &p.assignee, Tag: string(p.tags[random.IntN(len(p.tags))])}
		values := url.Values{"status": {q.Status}, "assignee": {p.assignee}, "tag": {q.Tag}}
		if p.assignee == "" {
			values.Set("assignee", "none")
		}
		return question{path: "/v1/chats?" + values.Encode(), query: q}
	}
	all := map[string][]question{counts: {{path: "/v1/chats/counts"}}}
	for range 2 * listAsked {
		all[firstPage] = append(all[firstPage], of())
		all[anyFilter] = append(all[anyFilter], question{path: "/v1/chats/query", body: `{"filter":` + drawFilter(random, 4) + "}"})
	}
	for tries := 0; len(all[laterPage]) < listAsked/4 && tries < 10*listAsked; tries++ {
		q := of()
		err := r.db.Read(ctx, func(tx sqldb.Tx) error {
			for range listPage - 1 {
				page, err := inbox.List(ctx, tx, q.query)
				if err != nil {
					return err
				}
				q.query.Cursor = page.Next
				if page.Next == "" {
					break
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if q.query.Cursor != "" {
			q.path += "&cursor=" + url.QueryEscape(q.query.Cursor)
			all[laterPage] = append(all[laterPage], q)
		}
	}
	if len(all[laterPage]) == 0 {
		return nil, errors.New("no list is ten pages long: want more -chats")
	}
	return all, nil
}

// drawFilter returns a filter over any field of chats.
func drawFilter(r *rand.Rand, depth int) string {
	if depth > 1 && (depth == 4 || r.IntN(2) == 0) {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = drawFilter(r, depth-1)
		}
		switch r.IntN(5) {
		case 0:
			return `{"not":` + parts[0] + `}`
		case 1, 2:
			return `{"or":[` + strings.Join(parts, ",") + `]}`
		}
		return `{"and":[` + strings.Join(parts, ",") + `]}`
	}
	fields := filter.Fields(filter.Chats)
	f := fields[r.IntN(len(fields))]
	ops := f.Kind.Ops()
	op := ops[r.IntN(len(ops))]
	p := profileOf(r.IntN(1_000_000))
	value := func() string {
		switch {
		case f.Kind == filter.Bool:
			return []string{"true", "false"}[r.IntN(2)]
		case f.Kind == filter.Time:
			return fmt.Sprintf(`"%s"`, p.at.Add(time.Duration(r.IntN(48))*time.Hour).Format(time.RFC3339))
		case f.Words != nil && op != filter.Prefix:
			return fmt.Sprintf("%q", f.Words[r.IntN(len(f.Words))])
		}
		known := map[string]string{"status": p.status.id, "assignee": p.assignee, "tag": string(p.tags[0]), "channel": "whatsapp", "phone": "+5511", "language": "pt", "email": "ana.5511000000004@example.com", "order_status": "placed"}
		if v := known[f.Name]; v != "" {
			return fmt.Sprintf("%q", v)
		}
		return []string{`"a"`, `"Customer"`, `"55"`, `"nothing like it"`}[r.IntN(4)]
	}
	v := value()
	switch op {
	case filter.In, filter.Between:
		v = "[" + v + "," + value() + "]"
	case filter.Exists:
		v = []string{"true", "false"}[r.IntN(2)]
	}
	return fmt.Sprintf(`{"field":%q,"op":%q,"value":%s}`, f.Name, op, v)
}

// query is what the handler asks of the database.
func (r *reader) query(ctx context.Context, q question) error {
	return r.db.Read(ctx, func(tx sqldb.Tx) error {
		if _, err := projections.Checkpoints(ctx, tx, r.config.Projections[0]().Name()); err != nil {
			return err
		}
		if q.query.Workspace == "" {
			_, err := inbox.Counts(ctx, tx, inboxSpace, "agent-7")
			return err
		}
		page, err := inbox.List(ctx, tx, q.query)
		if err == nil && len(page.Chats) == 0 {
			err = fmt.Errorf("no chats for %s", q.path)
		}
		return err
	})
}

// handle has the routes answer, with no network between.
func (r *reader) handle(ctx context.Context, q question) error {
	method := http.MethodGet
	if q.body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, q.path, strings.NewReader(q.body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer bench")
	w := answer{header: http.Header{}, status: http.StatusOK}
	r.handler.ServeHTTP(&w, request)
	if w.status != http.StatusOK || w.body.Len() == 0 {
		return fmt.Errorf("%s: %d: %.300s", q.path, w.status, w.body.Bytes())
	}
	return nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

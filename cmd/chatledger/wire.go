package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/audit/auditapi"
	"github.com/chatledger/chatledger/channels/calling"
	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/commands/commandapi"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/call"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/template"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/gateway"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/blob"
	"github.com/chatledger/chatledger/internal/blob/dir"
	"github.com/chatledger/chatledger/internal/blob/s3"
	"github.com/chatledger/chatledger/internal/logcopy"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/audience"
	bulkview "github.com/chatledger/chatledger/projections/bulk"
	"github.com/chatledger/chatledger/projections/choosing"
	"github.com/chatledger/chatledger/projections/scripted"
	"github.com/chatledger/chatledger/projections/search"
	"github.com/chatledger/chatledger/projections/views"
	"github.com/chatledger/chatledger/projections/viewsapi"
	"github.com/chatledger/chatledger/publishing"
	"github.com/chatledger/chatledger/publishing/kafka"
	"github.com/chatledger/chatledger/publishing/nats"
	"github.com/chatledger/chatledger/reactors"
	"github.com/chatledger/chatledger/readapi"
)

// This file alone knows every concrete type: which driver, which database,
// which views, which reactors, which routes.

const (
	inFiles      = "sqlite" // what --log and --views say for files in --data
	accountsName = "accounts"
	searchName   = "search"
	auditName    = "audit"
	customName   = "custom"

	accountsCache = 8  // MB of pages: it is small, and so is what is used of the tree of proofs
	customCache   = 32 // MB of pages: rows are kept in memory, too, where they are made
	searchShare   = 4  // what part of the pages of the views is for the index of words
)

// errNoData refuses to read what is not there, rather than to make it.
var errNoData = errors.New("there is no data yet: check --data and --log, or run `chatledger serve` or `chatledger demo` first")

// log is an open event store.
type log interface {
	eventstore.Store
	Close() error
}

// openLog opens the log; create says whether it may be made.
func openLog(ctx context.Context, f StoreFlags, t *terminal, create bool) (log, error) {
	switch {
	case f.Log == inFiles:
		path, err := f.file("events.db", create)
		if err != nil {
			return nil, err
		}
		cache, _ := f.sqliteCache()
		return opened(sqlite.Open(ctx, path, sqlite.Clock(now), sqlite.Logger(t.logger), sqlite.Cache(cache)))
	case isPostgres(f.Log):
		return opened(postgres.Open(ctx, f.Log, postgres.WithSchema(f.Schema+"_log"), postgres.WithLogger(t.logger)))
	case isKurrent(f.Log):
		return opened(kurrent.Open(ctx, f.Log))
	}
	return nil, fmt.Errorf("--log is %q: want sqlite, postgres://… or esdb://…", f.Log)
}

// opened returns a driver's store as a log. One that was not opened is no log, not even
// an empty one that could be closed.
func opened[L log](l L, err error) (log, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

// openDB opens one of the databases of --views.
func openDB(ctx context.Context, f StoreFlags, name string, create bool, opts ...sqldb.Option) (sqldb.DB, error) {
	switch where := f.views(); {
	case where == inFiles:
		path, err := f.file(name+".db", create)
		if err != nil {
			return nil, err
		}
		_, cache := f.sqliteCache()
		switch name {
		case accountsName, auditName:
			cache = accountsCache
		case customName:
			cache = customCache
		case searchName:
			cache /= searchShare
		default:
			cache -= cache / searchShare
		}
		return sqldb.OpenSQLite(ctx, path, append(opts, sqldb.Cache(cache))...)
	case isPostgres(where):
		return sqldb.OpenPostgres(ctx, where, f.Schema+"_"+name, opts...)
	case isKurrent(where):
		return nil, errors.New("--views is missing: KurrentDB keeps the log alone; want sqlite or postgres://…")
	default:
		return nil, fmt.Errorf("--views is %q: want sqlite or postgres://…", where)
	}
}

// file returns the path of a database in the data folder.
func (f StoreFlags) file(name string, create bool) (string, error) {
	path := filepath.Join(f.Data, name)
	if create {
		if err := os.MkdirAll(f.Data, 0o700); err != nil {
			return "", fmt.Errorf("make data folder: %w", err)
		}
		// Made here, for its owner alone: SQLite would let others read it.
		made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return "", fmt.Errorf("make database: %w", err)
		}
		return path, made.Close()
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", path, errNoData)
	} else if err != nil {
		return "", fmt.Errorf("look at data: %w", err)
	}
	return path, nil
}

// alone reports whether the lock on the data folder keeps other servers out.
func (f StoreFlags) alone() bool { return f.Log == inFiles && f.views() == inFiles }

func isPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

func isKurrent(where string) bool { return kurrent.IsConnection(where) }

// withLog opens the log for a command that only reads it.
func withLog(ctx context.Context, f StoreFlags, t *terminal, do func(eventstore.Store) error) (err error) {
	l, err := openLog(ctx, f, t, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do(l)
}

// parts are the open databases and what works on them.
type parts struct {
	log      log
	accounts *accounts.Accounts
	commands *commands.Commands

	accountsDB sqldb.DB
	auditDB    sqldb.DB
	caches     Caches
	files      files
}

// files keep the files of messages.
type files interface {
	blob.Store
	Close() error
}

// openFiles opens what keeps the files of messages.
func openFiles(f StoreFlags) (files, error) {
	if strings.HasPrefix(f.Media, "s3:") {
		bucket, err := s3.Open(f.Media)
		if err != nil {
			return nil, fmt.Errorf("--media: %w", err)
		}
		return bucket, nil
	}
	return dir.Open(f.media(), now())
}

// media returns the folder of files.
func (f StoreFlags) media() string { return cmp.Or(f.Media, filepath.Join(f.Data, "media")) }

// checkFiles looks whether the files of messages can be reached. It changes nothing.
func checkFiles(ctx context.Context, f StoreFlags, d *diagnosis) {
	if !strings.HasPrefix(f.Media, "s3:") {
		switch info, err := os.Stat(f.media()); {
		case errors.Is(err, fs.ErrNotExist):
			d.okf("media", "%s: none yet", f.media())
		case err != nil:
			d.failf("media", "%v", err)
		case !info.IsDir():
			d.failf("media", "%s is not a folder: check --media", f.media())
		case info.Mode().Perm()&0o077 != 0:
			d.warnf("media", "%s can be entered by others (%v): chmod 700 %s", f.media(), info.Mode().Perm(), f.media())
		default:
			d.okf("media", "%s, its owner's alone", f.media())
		}
		return
	}
	bucket, err := s3.Open(f.Media)
	if err == nil {
		err = errors.Join(bucket.Check(ctx), bucket.Close())
	}
	if err != nil {
		d.failf("media", "%v: check --media and the keys", err)
		return
	}
	d.okf("media", "the bucket is there")
}

// keep says how much is kept in memory, before anything is.
func (p *parts) keep(c Caches) {
	p.caches = c
	p.commands = commands.New(p.log, commands.Options{Now: now, CacheSize: c.CacheEvents})
}

// openParts opens what commands need; create says whether it may be made.
func openParts(ctx context.Context, f StoreFlags, t *terminal, create bool) (_ *parts, err error) {
	p := &parts{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.log, err = openLog(ctx, f, t, create); err != nil {
		return nil, err
	}
	if p.accountsDB, err = openDB(ctx, f, accountsName, create); err != nil {
		return nil, err
	}
	if p.accounts, err = accounts.Open(ctx, p.accountsDB, now); err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	p.commands = commands.New(p.log, commands.Options{Now: now})
	return p, nil
}

func (p *parts) close() (err error) {
	if p.files != nil {
		err = errors.Join(err, p.files.Close())
	}
	if p.auditDB != nil {
		err = errors.Join(err, p.auditDB.Close())
	}
	if p.accountsDB != nil {
		err = errors.Join(err, p.accountsDB.Close())
	}
	if p.log != nil {
		err = errors.Join(err, p.log.Close())
	}
	return err
}

// withParts opens what commands need, for a subcommand.
func withParts(ctx context.Context, f StoreFlags, t *terminal, create bool, do func(*parts) error) (err error) {
	p, err := openParts(ctx, f, t, create)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return do(p)
}

// copyAccounts copies the accounts that belong to a log for the copy of it.
func copyAccounts(ctx context.Context, from, to StoreFlags, source, target eventstore.Store) (err error) {
	var open [2]*accounts.Accounts
	for i, f := range []StoreFlags{from, to} {
		db, err := openDB(ctx, f, accountsName, i == 1)
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }() // what was written is committed
		if open[i], err = accounts.Open(ctx, db, now); err != nil {
			return fmt.Errorf("open accounts: %w", err)
		}
	}
	here, err := source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of source: %w", err)
	}
	there, err := target.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head of target: %w", err)
	}
	return open[0].CopyTo(ctx, open[1], accounts.Move{
		From: here.Store, To: there.Store,
		Position: func(ctx context.Context, at eventstore.Position) (eventstore.Position, error) {
			return logcopy.Position(ctx, source, target, at)
		},
	})
}

// openAudit opens the tree of proofs of the log.
func (p *parts) openAudit(ctx context.Context, f StoreFlags, t *terminal, create bool) (tree *audit.Tree, err error) {
	// It can be made again from the log, and comes out the same.
	if p.auditDB, err = openDB(ctx, f, auditName, create, sqldb.Rebuildable); err != nil {
		return nil, err
	}
	cfg := audit.Config{
		Store: p.log, DB: p.auditDB, Keys: p.accounts, Leases: p.accounts, Holder: processName(), Alone: f.alone(), Now: now, Logger: t.logger,
	}
	if create {
		return audit.Open(ctx, cfg)
	}
	return audit.OpenExisting(ctx, cfg)
}

// withAudit opens the tree for a subcommand.
func withAudit(ctx context.Context, f StoreFlags, t *terminal, do func(*audit.Tree, eventstore.Store) error) error {
	return withParts(ctx, f, t, false, func(p *parts) error {
		tree, err := p.openAudit(ctx, f, t, false)
		if errors.Is(err, errNoData) || errors.Is(err, audit.ErrNoTree) {
			return errNoTree
		}
		if err != nil {
			return err
		}
		return do(tree, p.log)
	})
}

// errNoTree says how a tree comes to be.
var errNoTree = errors.New("nothing is proven yet: run `chatledger serve` first")

// viewDBs are the databases of the views. The index of words has one of its own: to
// keep it up takes more writing than all others, which must not wait for it.
type viewDBs struct{ views, search sqldb.DB }

func openViews(ctx context.Context, f StoreFlags, create bool) (dbs viewDBs, err error) {
	if dbs.views, err = openDB(ctx, f, "views", create, sqldb.Rebuildable); err != nil {
		return dbs, err
	}
	if dbs.search, err = openDB(ctx, f, searchName, create, sqldb.Rebuildable); err != nil {
		return dbs, errors.Join(err, dbs.Close())
	}
	return dbs, nil
}

// Close closes those that are open.
func (d viewDBs) Close() (err error) {
	for _, db := range []sqldb.DB{d.views, d.search} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// apart says which views are not in the database of the others.
func (d viewDBs) apart() map[string]sqldb.DB {
	return map[string]sqldb.DB{(*search.Projection)(nil).Name(): d.search}
}

func projectionsConfig(store eventstore.Store, dbs viewDBs, t *terminal) projections.Config {
	catalogue := commands.Codec()
	return projections.Config{
		Store: store, DB: dbs.views, Apart: dbs.apart(), Projections: views.All(), Now: now, Logger: t.logger,
		Waiter: projections.NewWaiter(dbs.views, dbs.search),
		Decode: func(r eventstore.Recorded) (any, error) { return catalogue.Decode(r) },
	}
}

// application is everything that a server runs.
type application struct {
	http       *http.Server
	background []service
	views      io.Closer
	caughtUp   func(context.Context) error // waits until the views show what is in the log now
}

// service is something that works until its context ends.
type service struct {
	name  string
	first bool // to end, before requests are
	run   func(context.Context) error
}

// assemble puts the server together on top of its parts.
func (p *parts) assemble(ctx context.Context, f StoreFlags, what Serving, t *terminal) (a application, err error) {
	if p.files, err = openFiles(f); err != nil {
		return a, err
	}
	dbs, err := openViews(ctx, f, true)
	if err != nil {
		return a, err
	}
	custom, err := p.customViews(ctx, f, t)
	if err != nil {
		return a, errors.Join(err, dbs.Close())
	}
	a.views = closers{dbs, custom}
	alone := f.alone()
	cfg := projectionsConfig(p.log, dbs, t)
	cfg.Alone, cfg.Owner, cfg.CacheRows = alone, processName(), p.caches.CacheRows
	runner, err := projections.NewRunner(ctx, cfg)
	if err != nil {
		return a, fmt.Errorf("start views: %w", err)
	}
	tree, err := p.openAudit(ctx, f, t, true)
	if err != nil {
		return a, fmt.Errorf("open audit: %w", err)
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	read := readapi.New(readapi.Config{
		DB: dbs.views, Apart: dbs.apart(), Store: p.log, Waiter: cfg.Waiter, Files: p.files, Now: now, Log: t.logger, Status: runner.Status, Metrics: metrics,
		Custom: readapi.Custom{DB: custom.db, Scripts: custom.try, Known: commands.IsEvent},
	})
	endpoints := read.Probes()
	if what.has(roleAPI) {
		endpoints = slices.Concat(read.Endpoints(), commandapi.Endpoints(p.commands, p.log, p.files, tree, now), viewsapi.Endpoints(cfg), auditapi.Endpoints(tree))
	}
	api := web.New(web.Config{
		Authenticate: p.authenticate, Now: now, Log: t.logger, Metrics: metrics,
	}, endpoints...)
	api.Handle("GET /metrics", read.MetricsHandler())
	if what.has(roleAPI) {
		p.takeReports(api, metrics, t)
	}
	a.http = api.Server()
	a.http.RegisterOnShutdown(read.CloseStreams)
	if what.has(roleAPI) {
		a.background = append(a.background, service{name: "changes", run: read.Run})
	}
	if what.has(roleProjections) {
		a.background = append(a.background, service{name: "views", run: runner.Run}, service{name: "audit", run: tree.Run},
			service{name: "custom views", run: custom.runner.Run})
	}
	handled := func() []reactors.Stats { return nil }
	if what.has(roleReactors) {
		host, run, err := p.react(t, alone, choosing.From{DB: dbs.views, Waiter: cfg.Waiter}, what.Publish)
		if err != nil {
			return a, err
		}
		handled = host.Stats
		a.background = append(a.background, service{name: "reactors", first: true, run: run})
	}
	metrics.MustRegister(state{views: runner.Status, reactors: handled, audit: tree.Status})
	a.caughtUp = func(ctx context.Context) error {
		head, err := p.log.Head(ctx)
		if err != nil {
			return fmt.Errorf("read head of log: %w", err)
		}
		var names []string
		for _, newView := range cfg.Projections {
			names = append(names, newView().Name())
		}
		return cfg.Waiter.Wait(ctx, head.Position, names...)
	}
	return a, nil
}

// takeReports adds the webhooks, by which others tell what happened.
func (p *parts) takeReports(api *web.API, metrics prometheus.Registerer, t *terminal) {
	webhooks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chatledger_webhooks_total", Help: "Requests to the webhook of a channel, by what became of them.",
	}, []string{"outcome"})
	metrics.MustRegister(webhooks)
	hook := &whatsapp.Webhook{
		Accounts: p.whatsappAccounts(), Webhooks: p.commands.Webhooks, Logger: t.logger,
		Count: func(outcome string) { webhooks.WithLabelValues(outcome).Inc() },
	}
	api.Handle("GET /webhooks/whatsapp/{channel}", hook)
	api.Handle("POST /webhooks/whatsapp/{channel}", hook)
	reports := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "chatledger_call_reports_total", Help: "Requests to the call webhook of a channel, by what became of them.",
	}, []string{"outcome"})
	metrics.MustRegister(reports)
	api.Handle("POST /webhooks/calls/{channel}", &calling.Callback{
		Find: p.callSettings, Calls: p.commands.Calls, Now: now, Logger: t.logger,
		Count: func(outcome string) { reports.WithLabelValues(outcome).Inc() },
	})
}

// react returns what runs the reactors, and how. publish is where events are published
// to, if they are.
func (p *parts) react(t *terminal, alone bool, from choosing.From, publish string) (*reactors.Host, func(context.Context) error, error) {
	client, phone := whatsapp.NewClient(nil, now), calling.NewClient(p.callSettings, nil, now)
	list := p.reactors(t, client, phone, from)
	broker, closeBroker, err := p.publishTo(publish, t)
	if err != nil {
		return nil, nil, fmt.Errorf("--publish: %w", err)
	}
	if broker.To != nil {
		list = append(list, broker.Reactor())
	}
	host, err := reactors.New(reactors.Config{
		Store: p.log, Leases: p.accounts, Parking: p.accounts, Logger: t.logger, Now: now,
		Holder: processName(), Alone: alone,
		Drain: reactorTime, Reactors: list,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start reactors: %w", err), closeBroker())
	}
	return host, func(ctx context.Context) error {
		defer client.Close()
		defer phone.Close()
		return errors.Join(host.Run(ctx), closeBroker())
	}, nil
}

// publishTo returns what publishes events to a broker, without To if there is none, and
// what closes the connection.
func (p *parts) publishTo(address string, t *terminal) (r reactors.Publish, closeBroker func() error, err error) {
	r.Store = p.log
	switch {
	case address == "":
		return r, func() error { return nil }, nil
	case nats.IsAddress(address):
		to, err := nats.Open(nats.Config{Address: address, InLog: publishing.InLog(p.log), Logger: t.logger})
		if err != nil {
			return r, nil, err
		}
		r.To, r.InOrder = to, true
		return r, to.Close, nil
	case kafka.IsAddress(address):
		to, err := kafka.Open(address, t.logger)
		if err != nil {
			return r, nil, err
		}
		r.To = to
		return r, to.Close, nil
	}
	return r, nil, errors.New("want nats://HOST:PORT/PREFIX or kafka://HOST:PORT/TOPIC; see docs/publishing.md")
}

// listenGateway listens for clients of KurrentDB, and returns what serves them.
func (p *parts) listenGateway(ctx context.Context, f StoreFlags, g Gateway, t *terminal) (func(context.Context) error, error) {
	if g.AllowAppends && kurrent.IsConnection(f.Log) {
		return nil, errors.New("--esdb-allow-appends needs a log in sqlite or postgres: one in KurrentDB is written to there")
	}
	cert, key, trust, err := g.certificate(f.Data, func(hosts ...string) (authority, cert, key []byte, err error) {
		own, err := gateway.SelfSigned(now(), hosts...)
		return own.Authority, own.Cert, own.Key, err
	})
	if err != nil {
		return nil, fmt.Errorf("certificate of the gateway: %w", err)
	}
	settings, err := gateway.TLS(cert, key)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for clients of KurrentDB: %w", err)
	}
	server := gateway.New(gateway.Config{
		Store: p.log, TLS: settings, Now: now, Logger: t.logger, Appends: g.AllowAppends,
		Authenticate: func(ctx context.Context, secret string) (gateway.Rights, error) {
			who, err := p.authenticate(ctx, secret)
			if errors.Is(err, web.ErrToken) {
				return gateway.Rights{}, gateway.ErrUnauthenticated
			}
			if err != nil {
				return gateway.Rights{}, err
			}
			return rightsOf(who, g.AllowAppends)
		},
	})
	fmt.Fprintf(t.stderr, "clients of KurrentDB connect to %s\n", g.connection(listener.Addr().String(), trust))
	return func(ctx context.Context) error { return server.Serve(ctx, listener) }, nil
}

// rightsOf says what the bearer of a token may read of the log, or write to it.
func rightsOf(who web.Principal, appends bool) (gateway.Rights, error) {
	switch who.Role {
	case agent.RoleAuditor, agent.RoleAnalyst:
	case agent.RoleAdmin:
		if appends {
			return gateway.Rights{Append: true}, nil
		}
	default:
		return gateway.Rights{}, gateway.ErrForbidden
	}
	return gateway.Rights{Workspace: who.Workspace}, nil
}

// customViews is what custom views need. Their rows are in a database of their own, so
// that no other view waits for scripts.
type customViews struct {
	db         sqldb.DB
	runner     *scripted.Runner
	build, try *viewscript.Pool // who tries something out does not hold up what is built
}

func (p *parts) customViews(ctx context.Context, f StoreFlags, t *terminal) (c customViews, err error) {
	if c.db, err = openDB(ctx, f, customName, true, sqldb.Rebuildable); err != nil {
		return c, err
	}
	c.build, c.try = viewscript.NewPool(viewscript.Config{Processes: customProcesses}), viewscript.NewPool(viewscript.Config{Processes: customProcesses})
	catalogue := commands.Codec()
	c.runner, err = scripted.New(ctx, scripted.Config{
		Store: p.log, DB: c.db, Scripts: c.build, Now: now, Logger: t.logger, Owner: processName(), Workers: customProcesses,
		Alone:  f.alone(),
		Decode: func(r eventstore.Recorded) (any, error) { return catalogue.Decode(r) },
	})
	if err != nil {
		return c, errors.Join(fmt.Errorf("start custom views: %w", err), c.db.Close())
	}
	return c, nil
}

// customProcesses is how many processes build custom views at once, and how many try
// them out.
const customProcesses = 2

// Close ends the processes of scripts and closes the database.
func (c customViews) Close() error {
	c.build.Close()
	c.try.Close()
	return c.db.Close()
}

// closers are closed together.
type closers []io.Closer

func (all closers) Close() (err error) {
	for _, c := range all {
		err = errors.Join(err, c.Close())
	}
	return err
}

// reactors lists what answers events with side effects.
func (p *parts) reactors(t *terminal, client *whatsapp.Client, phone *calling.Client, from choosing.From) []reactors.Reactor {
	known := p.whatsappAccounts()
	return []reactors.Reactor{
		reactors.TranslateWebhooks{
			Store: p.log,
			WhatsApp: &whatsapp.Translator{
				Accounts: known, Commands: p.commands, Actor: reactors.TranslateWebhooksName, Logger: t.logger,
			},
		}.Reactor(),
		reactors.SendMessages{
			Accounts: known, Client: client, Files: p.files, Chats: p.commands.Chats, Attempts: p.accounts, Now: now, Logger: t.logger,
		}.Reactor(),
		reactors.SendSignals{
			Accounts: known, Client: client, Chats: p.commands.Chats, Attempts: p.accounts, Now: now, Logger: t.logger,
		}.Reactor(),
		reactors.FetchMedia{Accounts: known, Client: client, Files: p.files, Chats: p.commands.Chats, Now: now}.Reactor(),
		reactors.SweepFiles{
			Store: p.log, Checkpoints: p.accounts.Checkpoints(0), Timers: p.accounts, Files: p.files, Chats: p.commands.Chats, Now: now, Logger: t.logger,
		}.Reactor(),
		reactors.KeepContacts{Store: p.log, Chats: p.commands.Chats, Contacts: p.commands.Contacts}.Reactor(),
		reactors.RunBulk{Bulk: p.commands.Bulk, Select: bulkview.Chooser{From: from}.Choose, Now: now}.Reactor(),
		reactors.RunCampaigns{Campaigns: p.commands.Campaigns, Choose: audience.Chooser{From: from}.Members, Now: now}.Reactor(),
		reactors.FillGroups{Groups: p.commands.Groups, Choose: audience.Chooser{From: from}.Members, Now: now}.Reactor(),
		reactors.AssignChats{
			Store: p.log, Chats: p.commands.Chats, Teams: p.commands.Teams, Agents: p.commands.Agents, Workspaces: p.commands.Workspaces, Now: now,
		}.Reactor(),
		reactors.KeepTime{Timers: p.accounts, Chats: p.commands.Chats, Calls: p.commands.Calls, Campaigns: p.commands.Campaigns, Workspaces: p.commands.Workspaces, Bulk: p.commands.Bulk, Now: now, Logger: t.logger}.Reactor(),
		reactors.NotifyCustomers{Orders: p.commands.Orders, Chats: p.commands.Chats, Templates: p.commands.Templates}.Reactor(),
		reactors.PlaceCalls{
			Callers: map[call.Provider]reactors.Caller{call.Webhook: phone, call.WhatsApp: whatsapp.Calls{Accounts: known, Client: client}},
			Calls:   p.commands.Calls, Chats: p.commands.Chats, Attempts: p.accounts, Now: now, Logger: t.logger,
		}.Reactor(),
	}
}

// callSettings finds the click-to-call service of a connected channel.
func (p *parts) callSettings(ctx context.Context, id string) (calling.Settings, error) {
	var s calling.Settings
	err := p.commands.Channels.Look(ctx, channel.ID(id), func(c channel.State) error {
		if !c.Connected || c.Calls != string(call.Webhook) {
			return calling.ErrNotSetUp
		}
		s.Workspace = c.Workspace
		return nil
	})
	if errors.Is(err, channel.ErrNotFound) {
		return s, calling.ErrNotSetUp
	} else if err != nil {
		return s, err
	}
	kept, err := p.accounts.CallSettings(ctx, id)
	if errors.Is(err, accounts.ErrNoCallSettings) {
		return s, calling.ErrNotSetUp
	}
	s.URL, s.Secret = kept.URL, kept.Secret
	return s, err
}

// processName tells people which process holds a lease.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s %d", host, os.Getpid())
}

// whatsappAccounts finds the accounts of WhatsApp channels.
func (p *parts) whatsappAccounts() whatsapp.Accounts {
	return whatsapp.NewAccounts(p.commands.Channels, func(ctx context.Context, channel string) (whatsapp.Secrets, error) {
		s, err := p.accounts.ChannelSecrets(ctx, channel)
		return whatsapp.Secrets(s), err
	})
}

// eachTemplate calls visit for each template that the provider has for a channel.
func (p *parts) eachTemplate(ctx context.Context, channel, business string, visit func(workspace string, m template.Mirror) error) error {
	account, err := p.whatsappAccounts()(ctx, channel)
	if errors.Is(err, whatsapp.ErrUnknownChannel) {
		return fmt.Errorf("there is no WhatsApp channel %q that is connected; channel list has those that are", channel)
	} else if err != nil {
		return err
	}
	client := whatsapp.NewClient(nil, now)
	defer client.Close()
	return client.Templates(ctx, account, business, func(t whatsapp.ListedTemplate) error {
		return visit(account.Workspace, template.Mirror{
			Report:   template.Report{Channel: channel, Name: t.Name, Language: t.Language, Status: t.Status, Reason: t.Reason, ProviderID: t.ID},
			Category: t.Category, Components: t.Components,
		})
	})
}

// authenticate says whose a secret is. What its bearer may do is what the agent
// may do now: a deactivation or another role counts at once.
func (p *parts) authenticate(ctx context.Context, secret string) (web.Principal, error) {
	t, err := p.accounts.Authenticate(ctx, secret)
	if errors.Is(err, accounts.ErrToken) {
		return web.Principal{}, web.ErrToken
	}
	if err != nil {
		return web.Principal{}, err
	}
	who := web.Principal{Workspace: t.Workspace, Agent: t.Agent, Name: t.Name, TokenID: t.ID}
	err = p.commands.Agents.Look(ctx, t.Workspace, agent.ID(t.Agent), func(s agent.State) error {
		if !s.Active {
			return web.ErrToken
		}
		who.Role = s.Role
		return nil
	})
	if errors.Is(err, agent.ErrNotFound) {
		err = web.ErrToken // the token is of another log
	}
	return who, err
}

// usesFiles reports whether anything is in the data folder.
func (f StoreFlags) usesFiles() bool { return f.Log == inFiles || f.views() == inFiles }

// withViews opens log and views for a command that looks after the views, which
// are made if they are not there.
func withViews(ctx context.Context, f StoreFlags, t *terminal, do func(projections.Config) error) error {
	return withViewsDB(ctx, f, t, true, do)
}

// withExistingViews is withViews for a command that changes nothing.
func withExistingViews(ctx context.Context, f StoreFlags, t *terminal, do func(projections.Config) error) error {
	return withViewsDB(ctx, f, t, false, do)
}

func withViewsDB(ctx context.Context, f StoreFlags, t *terminal, create bool, do func(projections.Config) error) (err error) {
	return withLog(ctx, f, t, func(store eventstore.Store) (err error) {
		dbs, err := openViews(ctx, f, create)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dbs.Close()) }()
		cfg := projectionsConfig(store, dbs, t)
		if create {
			if err := projections.Prepare(ctx, cfg); err != nil {
				return fmt.Errorf("prepare views: %w", err)
			}
		}
		return do(cfg)
	})
}

// checkAccounts looks at tokens, channels and reactors.
func checkAccounts(ctx context.Context, f StoreFlags, d *diagnosis) error {
	return withParts(ctx, f, d.t, false, func(p *parts) error {
		return errors.Join(p.checkTokens(ctx, d), p.checkChannels(ctx, d), p.checkReactors(ctx, d))
	})
}

func (p *parts) checkTokens(ctx context.Context, d *diagnosis) error {
	tokens, err := p.accounts.ListTokens(ctx, "")
	if err != nil {
		return fmt.Errorf("list tokens: %w", err)
	}
	valid := 0
	for _, t := range tokens {
		if t.Valid(now()) {
			valid++
		}
	}
	if valid == 0 {
		d.warnf("tokens", "there is no valid one: run `chatledger token create`")
		return nil
	}
	d.okf("tokens", "%d valid, of %d", valid, len(tokens))
	return nil
}

func (p *parts) checkChannels(ctx context.Context, d *diagnosis) error {
	list, err := p.channels(ctx)
	if err != nil {
		return err
	}
	connected, bare := 0, 0
	for _, ch := range list {
		if !ch.Connected {
			continue
		}
		connected++
		_, err := p.accounts.ChannelSecrets(ctx, string(ch.id))
		switch {
		case errors.Is(err, accounts.ErrNoSecrets):
			bare++
			d.failf("channels", "%s has no secrets: its webhooks are refused; run `chatledger channel add` again", ch.id)
		case err != nil:
			return fmt.Errorf("look for secrets: %w", err)
		}
	}
	if bare == 0 {
		d.okf("channels", "%d connected", connected)
	}
	return nil
}

func (p *parts) checkReactors(ctx context.Context, d *diagnosis) error {
	list, err := p.reactorStatus(ctx)
	if err != nil {
		return err
	}
	for _, r := range list {
		switch {
		case r.otherLog:
			d.failf(r.name, "its checkpoint is of another log, or behind its end: was one of the databases restored or swapped? If that is meant, stop the server and run `chatledger reactors resume %s`, or --all for all of them", r.name)
		case r.parked.Events > 0:
			d.failf(r.name, "%d events are parked: see `chatledger reactors status`, mend the cause, then `chatledger reactors retry %s`", r.parked.Events, r.name)
		default:
			d.okf(r.name, "at %d, nothing parked", r.checkpoint)
		}
	}
	return nil
}

// checkAudit looks whether the tree of proofs is of this log.
func checkAudit(ctx context.Context, f StoreFlags, d *diagnosis) {
	err := withAudit(ctx, f, d.t, func(tree *audit.Tree, _ eventstore.Store) error {
		s, err := tree.Status(ctx)
		switch {
		case err != nil:
			return err
		case s.Problem != nil:
			d.failf("audit", "%v. If the log was restored or swapped on purpose, stop the server and run `chatledger audit restart`", s.Problem)
		default:
			d.okf("audit", "%d events hashed, %d positions behind", s.Size, s.Head-s.Position)
		}
		return nil
	})
	switch {
	case errors.Is(err, errNoTree):
		d.warnf("audit", "%v", err)
	case err != nil:
		d.failf("audit", "%v", err)
	}
}

// reactorState is what is known of a reactor from outside its process.
type reactorState struct {
	name       string
	checkpoint eventstore.Position
	head       eventstore.Position
	otherLog   bool // it stands still: its checkpoint is of another log, or behind the end
	parked     reactors.ParkedCount
}

// state says in a word or two how a reactor is.
func (r reactorState) state() string {
	switch {
	case r.otherLog:
		return "other log"
	case r.parked.Events > 0:
		return "parked"
	}
	return "ok"
}

func (p *parts) reactorStatus(ctx context.Context) (list []reactorState, err error) {
	head, err := p.log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read head of log: %w", err)
	}
	for _, name := range reactorNames() {
		at, err := p.accounts.Checkpoints(0).Load(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("read checkpoint of %s: %w", name, err)
		}
		parked, err := p.accounts.CountParked(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("count what %s has parked: %w", name, err)
		}
		if name == reactors.PublishName && at.Store == uuid.Nil {
			continue // nothing was ever published: see --publish
		}
		other := at.Store != uuid.Nil && (at.Store != head.Store || at.Position > head.Position)
		list = append(list, reactorState{name, at.Position, head.Position, other, parked})
	}
	return list, nil
}

// resumeReactor makes a reactor go on behind a position of the present log. alone
// says that no server can be running.
func (p *parts) resumeReactor(ctx context.Context, name string, after eventstore.Position, alone bool) (at eventstore.Position, err error) {
	head, err := p.log.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("read head of log: %w", err)
	}
	if after < 0 {
		before, err := p.accounts.Checkpoints(0).Load(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("read checkpoint: %w", err)
		}
		after = head.Position
		if before.Store == uuid.Max { // what came after the restore is handled
			after = before.Position
		}
	}
	after = min(after, head.Position)
	wait := abandoned
	if alone {
		wait = 0
	}
	var epoch int64
	for end := now().Add(2 * abandoned); ; {
		epoch, err = p.accounts.Acquire(ctx, name, "operator", wait)
		if err != nil {
			return 0, err
		}
		if epoch != 0 {
			break
		}
		if now().After(end) {
			return 0, fmt.Errorf("a server runs %s: stop it first", name)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(abandoned / 10):
		}
	}
	err = p.accounts.Checkpoints(epoch).Save(ctx, name, feed.Checkpoint{Store: head.Store, Position: after})
	return after, errors.Join(err, p.accounts.Release(ctx, name, epoch))
}

// abandoned is how long a lease stands still before its holder counts as dead.
const abandoned = 5 * time.Second

// parkedEvents returns the first events that a reactor has parked.
func (p *parts) parkedEvents(ctx context.Context, reactor string) ([]reactors.Parked, error) {
	return p.accounts.ListParked(ctx, reactors.ParkedQuery{Reactor: reactor, Limit: shownParked})
}

func reactorNames() []string {
	return []string{reactors.TranslateWebhooksName, reactors.SendMessagesName, reactors.RunBulkName, reactors.FillGroupsName, reactors.RunCampaignsName, reactors.NotifyCustomersName, reactors.AssignChatsName, reactors.KeepContactsName, reactors.PlaceCallsName, reactors.KeepTimeName, reactors.FetchMediaName, reactors.SendSignalsName, reactors.SweepFilesName, reactors.PublishName}
}

// Package readapi is the reading side of the HTTP API: queries on the views, by GET
// or, where what they ask is too much for a URL, by POST; files of lists and messages; the stream
// of changes; and whether the server is well.
//
// It answers from views, and from the log where it is asked for the log itself.
// It never runs a command and never writes.
package readapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
)

// Config is what New needs. DB, Store, Waiter, Files, Now, Status and Metrics
// have no default.
type Config struct {
	DB     sqldb.DB            // of the views
	Apart  map[string]sqldb.DB // of the views that have one of their own, by their names; as in projections.Config
	Store  eventstore.Store    // the log
	Waiter *projections.Waiter
	Files  Files // of messages
	Now    func() time.Time
	Log    *slog.Logger // nil: nothing is logged

	Status  func(context.Context) ([]projections.Status, error) // of every view
	Metrics prometheus.Gatherer                                 // what MetricsHandler shows

	Custom Custom // the rows of custom views

	// MaxLag is how long a view may be behind the log before the server calls
	// itself not ready; default 30 s.
	MaxLag time.Duration
	Stream StreamConfig
}

// StreamConfig bounds the streams of changes. Zero values mean the defaults.
type StreamConfig struct {
	Heartbeat time.Duration // how often an idle stream says where it is; default 15 s
	Recheck   time.Duration // how often the token is looked at again; default 30 s
	Write     time.Duration // for a client to take what it is sent; default 10 s
	Buffer    int           // events that may wait for a client; default 256
	PerToken  int           // streams at once; default 16
}

func (c *StreamConfig) setDefaults() {
	setDefault(&c.Heartbeat, 15*time.Second)
	setDefault(&c.Recheck, 30*time.Second)
	setDefault(&c.Write, 10*time.Second)
	setDefault(&c.Buffer, 256)
	setDefault(&c.PerToken, 16)
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

// API answers queries.
type API struct {
	Config
	hub *hub

	writing chan struct{} // files with custom views: one for each that is being written
	ready   readiness
	live    liveJobs
}

// New returns an API. Its streams carry events while Run runs.
func New(c Config) *API {
	c.Stream.setDefaults()
	setDefault(&c.MaxLag, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &API{Config: c, hub: newHub(c.Store, c.Stream, c.Log), writing: make(chan struct{}, customFiles)}
}

// Run follows the log for all streams of changes, until ctx ends; then the
// streams end, too.
func (a *API) Run(ctx context.Context) error { return a.hub.run(ctx) }

// CloseStreams ends every stream, and those that begin later at once: for
// http.Server.RegisterOnShutdown, since Shutdown would wait for them.
func (a *API) CloseStreams() { a.hub.stop() }

// Who may read what. Bots and agents see what they work on; the history of a
// chat is for people, what providers delivered for those who check it.
var (
	anyone    = []agent.Role{agent.RoleAgent, agent.RoleBot, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin}
	people    = []agent.Role{agent.RoleAgent, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin}
	seniors   = []agent.Role{agent.RoleSupervisor, agent.RoleAdmin}
	examiners = []agent.Role{agent.RoleAuditor, agent.RoleAdmin}
)

// reading is what the input of a query embeds: web.Read.
type reading interface {
	Min() eventstore.Position
	NotReached() error
	Await(context.Context, *web.Request, func(context.Context, eventstore.Position) error) error
}

// none is the revision of an answer that is about more than one thing.
const none eventstore.Revision = -1

// read returns the endpoint of a query on views. query runs in one snapshot,
// the same that the Position of the answer is read in. The revision it returns
// becomes the ETag, unless it is none.
func read[I, B any](a *API, path string, roles []agent.Role, summary string, views []string,
	query func(ctx context.Context, tx sqldb.Tx, r *web.Request, in *I) (B, eventstore.Revision, error), description ...string,
) web.Endpoint {
	route := web.Route{Method: http.MethodGet, Path: path, Summary: summary, Roles: roles}
	return answer(a, route, views, query, description)
}

// ask is read for what is asked in a body.
func ask[I, B any](a *API, path string, roles []agent.Role, summary string, views []string,
	query func(ctx context.Context, tx sqldb.Tx, r *web.Request, in *I) (B, eventstore.Revision, error), description ...string,
) web.Endpoint {
	route := web.Route{Method: http.MethodPost, Query: true, Path: path, Summary: summary, Roles: roles}
	return answer(a, route, views, query, description)
}

func answer[I, B any](a *API, route web.Route, views []string,
	query func(ctx context.Context, tx sqldb.Tx, r *web.Request, in *I) (B, eventstore.Revision, error), description []string,
) web.Endpoint {
	route.Tag, route.Description = tagOf(route.Path), strings.Join(description, "\n\n")
	return web.NewEndpoint(route, func(ctx context.Context, r *web.Request, in *I) (*web.Answer[B], error) {
		want := any(in).(reading)
		err := want.Await(ctx, r, func(ctx context.Context, p eventstore.Position) error {
			return a.Waiter.Wait(ctx, p, views...)
		})
		if err != nil {
			return nil, err
		}
		var out web.Answer[B]
		err = a.database(views).Read(ctx, func(tx sqldb.Tx) error {
			at, err := projections.Checkpoints(ctx, tx, views...)
			if err != nil {
				return err
			}
			if at < want.Min() { // a view was rolled back meanwhile
				return want.NotReached()
			}
			body, revision, err := query(ctx, tx, r, in)
			if err != nil {
				return err
			}
			out.Body, out.Position = body, web.Position(at)
			if revision != none {
				out.ETag = web.ETag(revision)
			}
			return nil
		})
		if errors.Is(err, sqldb.ErrClosed) {
			return nil, web.Unavailable(web.CodeTimeout, "the server is shutting down", time.Second)
		}
		return &out, err
	}, nil)
}

// database returns where the views are that a query is about: all in one.
func (a *API) database(views []string) sqldb.DB {
	if len(views) > 0 && a.Apart[views[0]] != nil {
		return a.Apart[views[0]]
	}
	return a.DB
}

// tagOf returns "chats" for /v1/chats/{chat}.
func tagOf(path string) string {
	tag, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	return tag
}

// moment returns the time of a row.
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// momentOrNull returns nil for a time that never was.
func momentOrNull(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := moment(micros)
	return &t
}

// orNull returns nil for nothing.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty returns a list that is never null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

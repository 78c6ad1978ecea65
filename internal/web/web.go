// Package web is what every HTTP route of the server has in common: problem
// documents, authentication and roles, limits, the headers of the consistency
// contract, the OpenAPI document and its readable page.
//
// It knows no command and no view: commandapi and readapi hand it their
// endpoints. Identity reaches them as an argument, never through a context.
package web

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatledger/chatledger/domain/agent"
)

// Principal is who makes a request: what a token says about its bearer.
type Principal struct {
	Workspace string
	Role      agent.Role
	Agent     string // the agent's id; "" for a token that belongs to no member of staff
	Name      string // of the token
	TokenID   string
}

// Actor names the principal in the log: the agent, or the token of a program.
func (p Principal) Actor() string {
	if p.Agent != "" {
		return p.Agent
	}
	return "token:" + p.TokenID
}

// Authenticate returns whose secret it is. A secret that is not, or no longer,
// valid is an error that matches ErrToken; any other error is a failure.
type Authenticate func(ctx context.Context, secret string) (Principal, error)

// Config is what New needs. Authenticate and Now have no default.
type Config struct {
	Title, Version, Description string // default: those of chatledger's API
	Tags                        []Tag  // in the order of the readable page; default as above

	Authenticate Authenticate
	Now          func() time.Time
	Log          *slog.Logger          // nil: nothing is logged
	Metrics      prometheus.Registerer // nil: nothing is counted
	Limits       Limits
}

// Tag groups operations in the documentation.
type Tag struct{ Name, Description string }

// Limits bound what one caller can ask for. Zero values mean the defaults.
type Limits struct {
	Rate         float64       // requests a second and token, on average; default 2,000
	Burst        int           // requests at once and token; default 4,000
	FailureRate  float64       // failed authentications a second and remote address; default 1
	FailureBurst int           // failed authentications at once and remote address; default 30
	Callers      int           // tokens and addresses that are remembered; default 10,000
	Body         int64         // bytes of a request's body; default 1 MB
	Timeout      time.Duration // for the answer, streams excepted; default 30 s
	Wait         time.Duration // for min_position, if the request does not say; default 5 s
}

func (l *Limits) setDefaults() {
	setDefault(&l.Rate, 2000)
	setDefault(&l.Burst, 4000)
	setDefault(&l.FailureRate, 1)
	setDefault(&l.FailureBurst, 30)
	setDefault(&l.Callers, 10_000)
	setDefault(&l.Body, 1<<20)
	setDefault(&l.Timeout, 30*time.Second)
	setDefault(&l.Wait, 5*time.Second)
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

// API is the handler of everything that is registered with it.
type API struct {
	config   Config
	mux      *http.ServeMux
	huma     huma.API
	routes   []Route
	tokens   *limiter
	failures *limiter
	seconds  *prometheus.HistogramVec // nil: nothing is counted
	document func() document          // what is served about the API; made once, on first use
}

// New returns an API with the routes of its own documentation and those of
// endpoints. It panics if an endpoint says neither its roles nor that it is
// public, or if two have the same route: a mistake in the program.
func New(c Config, endpoints ...Endpoint) *API {
	c.Limits.setDefaults()
	c.describe()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		config:   c,
		mux:      http.NewServeMux(),
		tokens:   newLimiter(c.Limits.Rate, c.Limits.Burst, c.Limits.Callers),
		failures: newLimiter(c.Limits.FailureRate, c.Limits.FailureBurst, c.Limits.Callers),
	}
	if c.Metrics != nil {
		a.seconds = newHistogram(c.Metrics)
	}
	a.huma = humago.New(a.mux, humaConfig(a))
	a.document = sync.OnceValue(func() document { return newDocument(a.huma.OpenAPI(), c.Log) })
	for _, e := range endpoints {
		if len(e.Route.Roles) == 0 && !e.Route.Public {
			panic("web: " + e.Route.Method + " " + e.Route.Path + " has no rule about who may call it")
		}
		e.register(a)
		a.routes = append(a.routes, e.Route)
	}
	a.serveDocument()
	return a
}

// Routes returns the routes of the endpoints, in the order of registration.
func (a *API) Routes() []Route { return slices.Clone(a.routes) }

// Handle serves pattern, as http.ServeMux understands it, with a handler that
// looks after its own authentication, such as a signed webhook or a page. It
// gets the request's id, log line, metrics, headers and recovery like any other.
func (a *API) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// OpenAPI returns the OpenAPI 3.1 document as indented JSON.
func (a *API) OpenAPI() []byte { return a.document().indented }

// Server returns an HTTP server of a with timeouts that suit it. The write
// timeout does not hold for streams, which set their own with each event.
func (a *API) Server() *http.Server {
	return &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.config.Log.Handler(), slog.LevelDebug),
	}
}

// humaConfig leaves out what New serves itself, and the $schema links.
func humaConfig(a *API) huma.Config {
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: a.config.Title, Version: a.config.Version, Description: a.config.Description},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					bearer: {Type: "http", Scheme: "bearer", Description: "A token made with `chatledger token create`."},
				},
				Responses: map[string]*huma.Response{},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.transform},
	}
	for _, t := range a.config.Tags {
		c.Tags = append(c.Tags, &huma.Tag{Name: t.Name, Description: t.Description})
	}
	problem := c.Components.Schemas.Schema(problemType, true, "")
	for _, status := range slices.Sorted(maps.Keys(problemNames)) {
		c.Components.Responses[problemNames[status]] = &huma.Response{
			Description: problemDocs[status],
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
		}
	}
	return c
}

const bearer = "bearer"

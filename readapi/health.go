package readapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chatledger/chatledger/internal/web"
)

// Health is whether the server can do its work.
type Health struct {
	Status string  `json:"status" enum:"ok,failing"`
	Checks []Check `json:"checks,omitempty"`
}

// Check is one thing that the server needs. Why it fails is in the log.
type Check struct {
	Name  string `json:"name" example:"log"`
	OK    bool   `json:"ok"`
	State string `json:"state,omitempty" example:"behind" doc:"Of a view that fails: stopped or behind."`
}

type health struct {
	Status int
	Body   Health
}

// readiness keeps the last answer for a moment, since anybody may ask.
type readiness struct {
	mu     sync.Mutex
	until  time.Time
	answer health
}

const (
	readinessKept    = time.Second
	readinessTimeout = 3 * time.Second
)

// Probes are the endpoints of a process that serves no API.
func (a *API) Probes() []web.Endpoint { return a.health() }

func (a *API) health() []web.Endpoint {
	tag := "health"
	return []web.Endpoint{
		web.NewEndpoint(web.Route{
			Method: http.MethodGet, Path: "/healthz", Tag: tag, Public: true,
			Summary: "Whether the process runs",
		}, func(context.Context, *web.Request, *struct{}) (*health, error) {
			return &health{http.StatusOK, Health{Status: "ok"}}, nil
		}, nil),
		web.NewEndpoint(web.Route{
			Method: http.MethodGet, Path: "/readyz", Tag: tag, Public: true,
			Summary:     "Whether the server can do its work",
			Description: "503 if the log or the views cannot be reached, or if a view has stopped or is too far behind.",
		}, func(ctx context.Context, _ *web.Request, _ *struct{}) (*health, error) {
			out := a.readiness(ctx)
			return &out, nil
		}, nil),
	}
}

// MetricsHandler serves the metrics in Prometheus' format.
func (a *API) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelError), MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

func (a *API) readiness(ctx context.Context) health {
	a.ready.mu.Lock()
	defer a.ready.mu.Unlock()
	if now := a.Now(); now.After(a.ready.until) {
		// Not the caller's context: the answer is for others, too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readinessTimeout)
		defer cancel()
		a.ready.answer, a.ready.until = a.examine(ctx), now.Add(readinessKept)
	}
	return a.ready.answer
}

func (a *API) examine(ctx context.Context) health {
	out := health{http.StatusOK, Health{Status: "ok"}}
	report := func(name, state string, err error) {
		if err != nil {
			a.Log.Error("not ready", slog.String("check", name), slog.Any("error", err))
		}
		ok := err == nil && state == ""
		if !ok {
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "failing"
		}
		out.Body.Checks = append(out.Body.Checks, Check{name, ok, state})
	}
	_, err := a.Store.Head(ctx)
	report("log", "", err)
	views, err := a.Status(ctx)
	report("views", "", err)
	for _, v := range views {
		switch {
		case v.Error != "":
			report(v.Name, "stopped", nil)
		case v.LagTime > a.MaxLag:
			report(v.Name, "behind", nil)
		default:
			report(v.Name, "", nil)
		}
	}
	return out
}

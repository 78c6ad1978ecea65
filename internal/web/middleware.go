package web

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// record is what the log line of a request is made of. It is in the context of
// the request, for this package only.
type record struct {
	id        string
	principal Principal
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.config.Now()
	rec := &record{id: requestID(r)}
	r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
	sw := &statusWriter{ResponseWriter: w}
	h := sw.Header()
	h.Set("X-Request-ID", rec.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer func() {
		v := recover()
		begun := sw.status != 0
		err, _ := v.(error)
		aborted := errors.Is(err, http.ErrAbortHandler)
		if v != nil && !aborted {
			a.config.Log.Error("request panicked", slog.String("request", rec.id), slog.String("route", r.Pattern),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			if !begun {
				a.writeProblem(sw, r, internalProblem())
			}
		}
		a.observe(r, rec, sw, a.config.Now().Sub(start))
		if aborted || v != nil && begun {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
	}()
	a.route(sw, r)
}

// route answers what no route matches as a problem, like everything else.
func (a *API) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	probe := probe{header: http.Header{}}
	h.ServeHTTP(&probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		a.writeProblem(w, r, NewProblem(probe.status, CodeMethod, "this route takes "+allow).with("Allow", allow))
		return
	}
	a.writeProblem(w, r, NewProblem(http.StatusNotFound, CodeNoRoute, "there is no such route"))
}

// observe writes the access log and the metrics: neither has personal data, a
// query or an address in it.
func (a *API) observe(r *http.Request, rec *record, w *statusWriter, took time.Duration) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	if r.Context().Err() != nil && w.status == 0 {
		status = statusClientGone
	}
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	level := slog.LevelInfo
	if r.Method == http.MethodGet && rec.principal.TokenID == "" && status < http.StatusBadRequest {
		level = slog.LevelDebug // probes, metrics and the documentation would drown the rest
	}
	a.config.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request",
		slog.String("request", rec.id), slog.String("route", route), slog.String("method", method(r.Method)), slog.Int("status", status),
		slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("workspace", rec.principal.Workspace), slog.String("token", rec.principal.TokenID))
	if a.seconds != nil {
		a.seconds.WithLabelValues(route, method(r.Method), strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// method keeps the number of label values bounded: callers may invent methods.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

func newHistogram(metrics prometheus.Registerer) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "chatledger", Subsystem: "http", Name: "request_duration_seconds",
		Help:    "How long requests took, by route, method and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "method", "status"})
	metrics.MustRegister(h)
	return h
}

// requestID takes over the caller's id if it is one that a log can hold.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-ID"); validRequestID.MatchString(id) {
		return id
	}
	return rand.Text()
}

var validRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// probe finds out what http.ServeMux would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

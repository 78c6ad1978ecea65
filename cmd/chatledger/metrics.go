package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/reactors"
)

// What can be seen of views and reactors from outside.
var (
	viewsUp       = prometheus.NewDesc("chatledger_views_readable", "1 if the state of the views can be read; if not, nothing else is said of them.", nil, nil)
	viewLag       = prometheus.NewDesc("chatledger_view_lag_events", "Events that are not in the view: behind its checkpoint, or parked. An estimate where the log is in KurrentDB.", []string{"view"}, nil)
	viewLagTime   = prometheus.NewDesc("chatledger_view_lag_seconds", "Age of the oldest of these events.", []string{"view"}, nil)
	viewParked    = prometheus.NewDesc("chatledger_view_parked_events", "Events that the view could not take, or that wait behind one.", []string{"view"}, nil)
	viewStreams   = prometheus.NewDesc("chatledger_view_parked_streams", "Streams that these are of.", []string{"view"}, nil)
	viewSkipped   = prometheus.NewDesc("chatledger_view_skipped_events", "Events that are left out on an operator's word.", []string{"view"}, nil)
	viewProgress  = prometheus.NewDesc("chatledger_view_progress_timestamp_seconds", "When the checkpoint of the view moved last, in seconds since 1970.", []string{"view"}, nil)
	viewUp        = prometheus.NewDesc("chatledger_view_running", "1 if a process moves the view.", []string{"view"}, nil)
	viewFailing   = prometheus.NewDesc("chatledger_view_failing", "1 if the last attempt to move the view failed, or none can be made.", []string{"view"}, nil)
	viewOwner     = prometheus.NewDesc("chatledger_view_owner", "1 for the process that moves the view.", []string{"view", "owner"}, nil)
	reactorUp     = prometheus.NewDesc("chatledger_reactor_running", "1 if this process runs the reactor.", []string{"reactor"}, nil)
	reactorEvents = prometheus.NewDesc("chatledger_reactor_events_total", "Events handled by this process.", []string{"reactor", "outcome"}, nil)
	auditEvents   = prometheus.NewDesc("chatledger_audit_hashed_events", "Events in the tree of proofs.", nil, nil)
	auditLag      = prometheus.NewDesc("chatledger_audit_lag_positions", "How far the log goes on behind the tree of proofs.", nil, nil)
	auditBroken   = prometheus.NewDesc("chatledger_audit_broken", "1 if the log is not the one that was hashed: swapped, restored or altered.", nil, nil)
	reactorParked = prometheus.NewDesc("chatledger_reactor_parked_events", "Events that are parked, as far as this process knows.", []string{"reactor"}, nil)
)

// scrapeTime bounds what a scrape may ask of the databases.
const scrapeTime = 3 * time.Second

// state tells Prometheus how views and reactors are, as of the scrape.
type state struct {
	views    func(context.Context) ([]projections.Status, error)
	reactors func() []reactors.Stats
	audit    func(context.Context) (audit.Status, error)
}

// Describe implements prometheus.Collector.
func (state) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		viewsUp, viewLag, viewLagTime, viewParked, viewStreams, viewSkipped, viewProgress, viewUp, viewFailing, viewOwner,
		reactorUp, reactorEvents, reactorParked, auditEvents, auditLag, auditBroken,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (s state) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	list, err := s.views(ctx)
	gauge(viewsUp, number(err == nil)) // the rest of the scrape is needed then more than ever
	for _, v := range list {
		gauge(viewLag, float64(v.Lag+v.Parked), v.Name)
		gauge(viewLagTime, v.Unapplied.Seconds(), v.Name)
		gauge(viewParked, float64(v.Parked), v.Name)
		gauge(viewStreams, float64(v.Streams), v.Name)
		gauge(viewSkipped, float64(v.Skipped), v.Name)
		gauge(viewProgress, float64(v.ProgressAt.UnixMicro())/1e6, v.Name)
		gauge(viewUp, number(v.State == projections.StateRunning), v.Name)
		gauge(viewFailing, number(v.Error != ""), v.Name)
		if v.Owner != "" {
			gauge(viewOwner, 1, v.Name, v.Owner)
		}
	}
	if tree, err := s.audit(ctx); err == nil {
		gauge(auditEvents, float64(tree.Size))
		gauge(auditLag, float64(max(0, tree.Head-tree.Position)))
		gauge(auditBroken, number(tree.Problem != nil))
	}
	for _, r := range s.reactors() {
		gauge(reactorUp, number(r.Running), r.Reactor)
		gauge(reactorParked, float64(r.Parked), r.Reactor)
		for outcome, n := range map[string]int64{"handled": r.Handled, "retried": r.Retried, "failed": r.Failed} {
			to <- prometheus.MustNewConstMetric(reactorEvents, prometheus.CounterValue, float64(n), r.Reactor, outcome)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

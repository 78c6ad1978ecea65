package acceptance

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatledger/chatledger/publishing/nats/natstest"
)

// In passing NATS is away while some writes are acknowledged; a real outage is
//
//	go test ./internal/acceptance -run Publishing -publish.outage 30s -v
var publishOutage = flag.Duration("publish.outage", 0, "how long NATS is away in TestPublishing, at least")

// A server publishes under load, while NATS is away and comes back, and is itself killed:
// afterwards the stream holds each event once, in the order of the log.
func TestPublishing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		const writers, enough = 4, 40
		broker := natstest.Start(t, nil)
		s.serve = []string{"--publish", "nats://" + broker.Host() + "/shop"}
		channel, admin := s.channel("http://127.0.0.1:1"), s.token("admin", "Root")
		if out := s.run("reactors", "status"); strings.Contains(out, "publish.v1") {
			t.Errorf("a reactor that never ran is shown:\n%s", out)
		}
		s.start()
		files, _ := fixtures(t)
		text := string(files["01-text.json"])
		var sent atomic.Int64
		write := func(n int64) bool {
			body := strings.NewReplacer("wamid.HBgLMTU1NTEyMzAwMD01A", fmt.Sprint("wamid.", n), "15551230001", fmt.Sprint(15551230000+n%7)).Replace(text)
			return s.deliver(channel, []byte(body)) == 200
		}
		load := func(during func(more func())) { s.underLoad(writers, enough, &sent, write, during) }
		load(func(more func()) {
			broker.Stop()
			began, from := time.Now(), sent.Load()
			more()
			s.until("the outage is over", func() bool { return time.Since(began) >= *publishOutage })
			t.Logf("NATS was away for %.1f s, while %d webhooks were sent", time.Since(began).Seconds(), sent.Load()-from)
			broker.Restart()
		})
		load(func(func()) {
			s.kill()
			s.start()
		})
		load(func(more func()) {
			broker.Stop()
			s.kill()
			s.start()
			more()
			broker.Restart()
		})
		s.settle(admin, channel)
		want := logged(s)
		js := broker.Connect()
		s.until("all is published", func() bool {
			info, err := js.StreamInfo("shop")
			return err == nil && info.State.Msgs >= uint64(len(want))
		})
		var got []string
		for _, m := range natstest.Read(t, js, "shop") {
			got = append(got, fmt.Sprintf("%d %s %s@%d", m.Event.Position, m.Event.ID, m.Event.Subject, m.Event.Revision))
		}
		t.Logf("%d events are in the stream", len(got))
		if !slices.Equal(got, want) {
			t.Errorf("the stream holds %d events, want %d, or another order", len(got), len(want))
		}
		var status string
		s.until("it is noted how far it was published", func() bool {
			status = s.run("reactors", "status")
			return strings.Contains(status, "publish.v1")
		})
		if strings.Contains(status, "publish.v1: parked") {
			t.Errorf("status:\n%s", status)
		}
		s.stop()
	})
}

// logged lists what is to be published of the log, in its order.
func logged(s *server) (list []string) {
	s.t.Helper()
	for _, e := range s.events() {
		if stream := e["stream"].(string); !strings.HasPrefix(stream, "webhook-") && !strings.HasPrefix(stream, "request-") {
			list = append(list, fmt.Sprintf("%.0f %s %s@%.0f", e["position"], e["id"], stream, e["revision"]))
		}
	}
	return list
}

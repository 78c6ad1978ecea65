package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chatledger/chatledger/projections/views"
)

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// Killed under load, restarted: whatever was acknowledged is there, every view equals
// its rebuild from event zero, and the log is what was signed on the way.
func TestKillUnderLoad(t *testing.T) {
	const kills, writers, enough = 5, 8, 150
	onBoth(t, func(t *testing.T, s *server) {
		channel, admin := s.channel("http://127.0.0.1:1"), s.token("admin", "Root")
		s.start()
		files, _ := fixtures(t)
		var mu sync.Mutex
		acknowledged := map[string]bool{} // texts of notes and messages
		var signed []string               // checkpoints that an auditor has kept
		var next, done atomic.Int64
		for round := range kills {
			done.Store(0)
			chat := "/v1/chats/" + s.ensureChat(admin, channel, files)
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for {
						n := next.Add(1)
						text := fmt.Sprintf("unique-%06d", n)
						var ok bool
						if n%2 == 0 {
							r, err := admin.do("POST", chat+"/notes", fmt.Sprintf(`{"text":%q}`, text))
							if err != nil {
								return
							}
							ok = r.status == 201
						} else {
							body := strings.NewReplacer("wamid.HBgLMTU1NTEyMzAwMD01A", "wamid."+text, "Hi, do you deliver on Sundays? 🙂", text,
								"15551230001", fmt.Sprintf("1555123%04d", n%50)).Replace(string(files["01-text.json"]))
							status := s.deliver(channel, []byte(body))
							if status == 0 {
								return
							}
							ok = status == 200
						}
						if ok {
							mu.Lock()
							acknowledged[text] = true
							mu.Unlock()
							done.Add(1)
						}
					}
				})
			}
			s.until(fmt.Sprintf("%d writes are acknowledged", enough*(round+1)), func() bool { return done.Load() >= enough })
			signed = append(signed, s.checkpoint(admin))
			s.kill()
			wg.Wait()
			s.start()
		}
		s.settle(admin, channel)
		var log strings.Builder
		dense := 0
		for _, e := range s.events() {
			dense++
			if int(e["position"].(float64)) != dense {
				t.Fatalf("position %v follows %d", e["position"], dense-1)
			}
			fmt.Fprintln(&log, e)
		}
		var shown strings.Builder
		for _, chat := range admin.all("/v1/chats") {
			for _, m := range admin.all("/v1/chats/" + chat["id"].(string) + "/messages") {
				fmt.Fprintln(&shown, m)
			}
		}
		logged, seen := log.String(), shown.String()
		for text := range acknowledged {
			if !strings.Contains(logged, text) {
				t.Errorf("%s was acknowledged and is not in the log", text)
			}
			if n := strings.Count(seen, text); n == 0 {
				t.Errorf("%s was acknowledged and is not shown", text)
			}
		}
		t.Logf("%d writes acknowledged over %d kills", len(acknowledged), kills)
		s.verifyAll()
		s.verifySigned(append(signed, s.checkpoint(admin)))
		s.stop()
		s.verifyAll()
		s.verifySigned(signed)
	})
}

// verifyAll compares every view with its rebuild, row for row.
func (s *server) verifyAll() {
	s.t.Helper()
	for _, newView := range views.All() {
		view := newView().Name()
		if out, err := s.try("projections", "verify", view); err != nil {
			s.t.Errorf("%s: %v", view, err)
		} else {
			s.t.Log(out)
		}
	}
}

// checkpoint has the log signed as it is now, and keeps what was signed in a file.
func (s *server) checkpoint(admin client) (file string) {
	s.t.Helper()
	var state struct {
		Head int64 `json:"head"`
	}
	admin.must(200, "GET", "/v1/audit", "").into(s.t, &state)
	text := admin.must(200, "GET", fmt.Sprintf("/v1/audit/checkpoint?min_position=%d&wait=10", state.Head), "").body
	file = filepath.Join(s.t.TempDir(), fmt.Sprintf("checkpoint-%d.txt", state.Head))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// verifySigned checks the log against checkpoints.
func (s *server) verifySigned(files []string) {
	s.t.Helper()
	args := []string{"audit", "verify-log", "--key", s.run("audit", "key")}
	for _, f := range files {
		args = append(args, "--checkpoint", f)
	}
	s.t.Log(s.run(args...))
}

// ensureChat returns the id of the first chat, which is made if there is none.
func (s *server) ensureChat(admin client, channel string, files map[string][]byte) string {
	s.t.Helper()
	if got := s.deliver(channel, files["01-text.json"]); got != 200 {
		s.t.Fatalf("deliver: %d", got)
	}
	s.settle(admin, channel)
	for _, chat := range admin.all("/v1/chats") {
		if c, ok := chat["contact"].(map[string]any); ok && c["name"] == "Ana Lima" {
			return chat["id"].(string)
		}
	}
	s.t.Fatal("no chat of Ana Lima")
	return ""
}

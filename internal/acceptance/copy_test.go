package acceptance

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	pgstore "github.com/chatledger/chatledger/eventstore/postgres"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/testenv"
)

// In passing the logs are short; those that somebody would move are
//
//	go test ./internal/acceptance -run CopyKilled -copy.events 1000000 -timeout 60m -v
var copyEvents = flag.Int("copy.events", 0, "events that TestCopyKilled copies, if not a few")

// closable is an open log.
type closable interface {
	eventstore.Store
	Close() error
}

// A copy of a log is killed with -9 several times and run again: then both hold the
// same, event for event.
func TestCopyKilled(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url, source := testenv.Postgres(t), t.TempDir()
		target, err := pgstore.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		copyKilled(t, source, url, target, cmp.Or(*copyEvents, 30_000))
	})
	t.Run("gateway", func(t *testing.T) {
		t.Parallel()
		behind, connection := logServer(t)
		behind.stop()
		source := t.TempDir() // begins as the target does, which had to have a token
		behind.copyLog("sqlite:"+behind.where[1], "sqlite:"+source)
		behind.start()
		target, err := kurrent.Open(t.Context(), connection)
		if err != nil {
			t.Fatal(err)
		}
		copyKilled(t, source, connection, target, cmp.Or(*copyEvents, 1_500))
		behind.stop()
	})
}

// copyLog runs `log copy` and returns what it printed.
func (s *server) copyLog(from, to string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute+time.Duration(*copyEvents)*3*time.Millisecond)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "log", "copy", "--from", from, "--to", to).CombinedOutput()
	if err != nil {
		s.t.Fatalf("log copy: %v\n%s", err, out)
	}
	return string(out)
}

var copied = regexp.MustCompile(`(?m)^(\d+) events copied, (\d+) were there already; all are equal in both.*$`)

func copyKilled(t *testing.T, folder, to string, target closable, n int) {
	t.Helper()
	const kills = 3
	defer target.Close()
	s := &server{t: t}
	source, err := sqlite.Open(t.Context(), filepath.Join(folder, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	fillLog(t, source, n)
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	end := func() eventstore.Position {
		head, err := target.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return head.Position
	}
	killed := 0
	for range kills {
		before := end()
		cmd := exec.Command(binary, "log", "copy", "--from", "sqlite:"+folder, "--to", to)
		s.log = &output{}
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.until("the copy has added a part", func() bool { return end() > before+eventstore.Position(n/40) })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if cmd.Wait() == nil { // it was faster
			break
		}
		killed++
	}
	if killed == 0 {
		t.Fatalf("the copy had ended before it was killed\n%s", s.log)
	}
	began := time.Now()
	last := s.copyLog("sqlite:"+folder, to)
	took := time.Since(began)
	numbers := copied.FindStringSubmatch(last)
	if numbers == nil {
		t.Fatalf("log copy: %s", last)
	}
	added, err1 := strconv.Atoi(numbers[1])
	found, err2 := strconv.Atoi(numbers[2])
	if err1 != nil || err2 != nil || found < killed || added+found < n {
		t.Errorf("of more than %d events, over %d kills: %s", n, killed, last)
	}
	if source, err = sqlite.Open(t.Context(), filepath.Join(folder, "events.db")); err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	want, got := allEvents(t, source), allEvents(t, target)
	t.Logf("%d kills; then in %.1f s %s", killed, took.Seconds(), numbers[0])
	if len(want) != added+found || len(got) != len(want) {
		t.Fatalf("%d events in the target, %d in the source; %s", len(got), len(want), last)
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("event %d is\n%s in the target,\n%s in the source", i, got[i], want[i])
		}
	}
}

// An installation moves from SQLite to PostgreSQL: it has the same tokens, channels and
// conversations there, does nothing a second time, and goes on.
func TestSwitchOver(t *testing.T) {
	t.Parallel()
	graph := newGraph(t)
	before := newServer(t)
	channel, admin := before.channel(graph.URL), before.token("admin", "Root")
	before.start()
	files, _ := fixtures(t)
	chat := "/v1/chats/" + before.ensureChat(admin, channel, files)
	send := func(who client, text string) {
		who.must(202, "POST", chat+"/messages", fmt.Sprintf(`{"text":%q}`, text))
		who.s.until(text+" is sent", func() bool {
			for _, m := range who.all(chat + "/messages?events=false") {
				if strings.Contains(fmt.Sprint(m), text) && dig(m, "message", "delivery", "state") == "sent" {
					return true
				}
			}
			return false
		})
	}
	before.writesNow(admin, channel, chat, files)
	send(admin, "Yes, from ten")
	before.settle(admin, channel)
	shown := fmt.Sprint(admin.all("/v1/chats"), admin.all(chat+"/messages"))
	before.stop()

	url := testenv.Postgres(t)
	before.copyLog("sqlite:"+before.where[1], url)
	if out, err := exec.Command(binary, "log", "copy-accounts", "--from", "sqlite:"+before.where[1], "--to", url).CombinedOutput(); err != nil {
		t.Fatalf("log copy-accounts: %v\n%s", err, out)
	}
	after := newServer(t, "--log", url, "--views", url)
	after.start()
	admin.s = after
	if now := fmt.Sprint(admin.all("/v1/chats"), admin.all(chat+"/messages")); now != shown {
		t.Errorf("shown before the move\n%s\nand after it\n%s", shown, now)
	}
	send(admin, "until four")
	if got := after.deliver(channel, files["01-text.json"]); got != 200 {
		t.Errorf("deliver: %d", got)
	}
	if want := []string{"Yes, from ten", "until four"}; !slices.Equal(graph.sent(), want) {
		t.Errorf("sent %q, want %q", graph.sent(), want)
	}
	after.stop()
}

// fillLog appends n events to streams that take turns.
func fillLog(t *testing.T, log eventstore.Store, n int) {
	t.Helper()
	const streams, together = 20, 3
	for i := 0; i*together < n; i++ {
		events := make([]eventstore.Event, together)
		for j := range events {
			events[j] = eventstore.Event{
				ID: uuid.New(), Type: "chat.tested.v1", Meta: []byte(`{"workspace":"acme"}`),
				Data: fmt.Appendf(nil, `{"n":%d,"text":%q}`, j, strings.Repeat("olá ", i%50)),
			}
		}
		// Each stream has its turns at two times: first it begins, then it goes on.
		round, stream := i/streams%2, i/streams/2*streams+i%streams
		if _, err := log.Append(t.Context(), fmt.Sprintf("chat-%d", stream), eventstore.Revision(round*together)-1, events...); err != nil {
			t.Fatal(err)
		}
	}
}

// allEvents returns what has to be equal in a copy of each event.
func allEvents(t *testing.T, log eventstore.Store) (all []string) {
	t.Helper()
	for r, err := range log.ReadAll(t.Context(), eventstore.AllQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(r.Stream, " ", r.Revision, " ", r.ID, " ", r.Type, " ", string(r.Data), " ", string(r.Meta)))
	}
	return all
}

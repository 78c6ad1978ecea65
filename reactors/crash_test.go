//go:build unix

package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/media"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/feed"
	"github.com/chatledger/chatledger/eventstore/sqlite"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/blob/dir"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/reactors"
)

// The test binary runs itself with these set, to be killed: the folder of the
// databases, and where in its work the process ends, such as "after call 2": the
// second time that a call has been made.
const (
	childData  = "CHATLEDGER_REACTORS_CHILD"
	childPoint = "CHATLEDGER_REACTORS_POINT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childData); dir != "" {
		if err := react(dir, os.Getenv(childPoint)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // it was to be killed
	}
	goleak.VerifyTestMain(m)
}

// bomb kills its process, as kill -9 does, when a point is passed for the n-th
// time.
type bomb struct {
	point string
	left  atomic.Int64
}

func (b *bomb) pass(point string) {
	if point == b.point && b.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it has arrived
	}
}

// around is a step that can be cut off before and after it takes effect.
func around[T any](b *bomb, step string, do func() (T, error)) (T, error) {
	b.pass("before " + step)
	v, err := do()
	b.pass("after " + step)
	return v, err
}

type nothing struct{}

func (b *bomb) around(step string, do func() error) error {
	_, err := around(b, step, func() (nothing, error) { return nothing{}, do() })
	return err
}

type minedStore struct {
	eventstore.Store
	*bomb
}

func (s minedStore) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	return around(s.bomb, events[len(events)-1].Type, func() (eventstore.Result, error) { return s.Store.Append(ctx, stream, want, events...) })
}

type minedAttempts struct {
	reactors.Attempts
	*bomb
}

func (a minedAttempts) BeginAttempt(ctx context.Context, reactor string, at eventstore.Position) (reactors.Attempt, error) {
	return around(a.bomb, "begin", func() (reactors.Attempt, error) { return a.Attempts.BeginAttempt(ctx, reactor, at) })
}

func (a minedAttempts) EndAttempt(ctx context.Context, reactor string, at eventstore.Position, to reactors.Attempt) error {
	return a.around("end", func() error { return a.Attempts.EndAttempt(ctx, reactor, at, to) })
}

func (a minedAttempts) ForgetAttempt(ctx context.Context, reactor string, at eventstore.Position) error {
	return a.around("forget", func() error { return a.Attempts.ForgetAttempt(ctx, reactor, at) })
}

type minedTransport struct {
	http.RoundTripper
	*bomb
}

func (t minedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	step := "call"
	if strings.HasSuffix(r.URL.Path, "/media") {
		step = "upload"
	}
	return around(t.bomb, step, func() (*http.Response, error) { return t.RoundTripper.RoundTrip(r) })
}

type minedLeases struct {
	reactors.Leases
	*bomb
}

func (l minedLeases) Checkpoints(epoch int64) feed.Checkpoints {
	return minedCheckpoints{l.Leases.Checkpoints(epoch), l.bomb}
}

type minedCheckpoints struct {
	feed.Checkpoints
	*bomb
}

func (c minedCheckpoints) Save(ctx context.Context, consumer string, at feed.Checkpoint) error {
	return c.around("save", func() error { return c.Checkpoints.Save(ctx, consumer, at) })
}

// react runs the reactors on the databases in a folder until it is killed.
func react(folder, at string) error {
	ctx := context.Background()
	b := &bomb{point: at}
	if i := strings.LastIndexByte(at, ' '); i > 0 {
		n, err := strconv.Atoi(at[i+1:])
		if err != nil {
			return err
		}
		b.point = at[:i]
		b.left.Store(int64(n))
	}
	log, err := sqlite.Open(ctx, filepath.Join(folder, "events.db"))
	if err != nil {
		return err
	}
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(folder, "accounts.db"))
	if err != nil {
		return err
	}
	a, err := accounts.Open(ctx, db, time.Now)
	if err != nil {
		return err
	}
	files, err := dir.Open(filepath.Join(folder, "media"), time.Now())
	if err != nil {
		return err
	}
	store := minedStore{log, b}
	s := &shop{log: store, files: files, commands: newCommands(store), accounts: a, attempts: minedAttempts{a, b}, client: whatsapp.NewClient(minedTransport{&http.Transport{}, b}, time.Now)}
	s.reacting, s.lookup = s.commands, s.newLookup()
	h, err := reactors.New(reactors.Config{
		Store: store, Reactors: s.reactors(), Leases: minedLeases{a, b}, Parking: a, Alone: true,
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Holder: "child",
	})
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

// crash runs reactors in a process of its own, until it kills itself at a point,
// or for as long as alive says.
func (s *shop) crash(dir, at string, alive func()) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childData+"="+dir, childPoint+"="+at)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if alive != nil {
		alive()
		if err := cmd.Process.Kill(); err != nil {
			s.t.Fatal(err)
		}
	}
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || ctx.Err() != nil {
		s.t.Fatalf("%s was not reached: %v: %s", at, err, complaints.String())
	}
}

// newDurableShop is a shop whose databases are files.
func newDurableShop(t *testing.T) (s *shop, dir string) {
	t.Helper()
	dir = t.TempDir()
	log, err := sqlite.Open(t.Context(), filepath.Join(dir, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return newShopOn(t, log, openAccounts(t, dir), openFiles(t, dir)), dir
}

// sent says how the messages of a chat ended: those that were accepted, and
// those that failed since nobody knows their outcome. It checks that the
// provider got none twice, and none that is not in order.
func (s *shop) sent(id chat.ID, messages []chat.MessageID) (accepted, unknown int) {
	s.t.Helper()
	taken := map[string]int{}
	var order []chat.MessageID
	for _, m := range s.graph.Taken() {
		if chat.ID(s.chatOf(m.To)) == id {
			taken[m.Callback]++
			order = append(order, chat.MessageID(m.Callback))
		}
	}
	inOrder := slices.DeleteFunc(slices.Clone(messages), func(m chat.MessageID) bool { return taken[string(m)] == 0 })
	if !slices.Equal(order, inOrder) {
		s.t.Errorf("the provider took %v, want %v", order, inOrder)
	}
	outcomes := s.outcomes(id)
	for _, m := range messages {
		switch o := s.outbound(id, m); {
		case o.ProviderID != "" && taken[string(m)] == 1:
			accepted++
		case o.State == chat.Failed && s.failure(id, m).Code == whatsapp.CodeOutcomeUnknown:
			unknown++
		case o.State == chat.Failed && taken[string(m)] == 0: // refused for good, or in all tries
		default:
			s.t.Errorf("%s: %+v, taken %d times", m, o, taken[string(m)])
		}
		if outcomes[m] != 1 {
			s.t.Errorf("%s: %d outcomes are in the log", m, outcomes[m])
		}
	}
	return accepted, unknown
}

// settled reports whether all messages of a chat have an outcome.
func (s *shop) settled(id chat.ID, messages []chat.MessageID) bool {
	s.t.Helper()
	return !slices.ContainsFunc(messages, func(m chat.MessageID) bool {
		o := s.outbound(id, m)
		return o.ProviderID == "" && o.State != chat.Failed
	})
}

// A process that dies at any step of sending a message: none is sent twice, and
// all are sent but for those that the process may have been sending.
func TestKilledWhileItSends(t *testing.T) {
	type want struct {
		taken, unknown int
		about          bool // checkpoints are saved by the clock, whatever is being done
	}
	safe, before, after, whenever := want{4, 0, false}, want{3, 1, false}, want{4, 1, false}, want{4, 1, true}
	for at, want := range map[string]want{
		"before begin 2":                    safe,
		"after begin 2":                     before,
		"before call 2":                     before,
		"after call 2":                      after,
		"before end 2":                      after,
		"after end 2":                       safe,
		"before chat.message_accepted.v1 2": safe,
		"after chat.message_accepted.v1 2":  safe,
		"before forget 2":                   safe,
		"after forget 2":                    safe,
		"after forget 4":                    safe,
		"before save 1":                     whenever,
		"after save 1":                      whenever,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, dir := newDurableShop(t)
			id := s.open("15551230001")
			var messages []chat.MessageID
			for i := range 4 {
				messages = append(messages, s.say(id, i))
			}
			s.crash(dir, at, nil)
			_, stop := s.start()
			until(t, "all have an outcome", func() bool { return s.settled(id, messages) })
			stop()
			accepted, unknown := s.sent(id, messages)
			if want.about {
				want.taken, want.unknown = want.taken-min(1, 4-len(s.graph.Taken())), min(unknown, want.unknown)
			}
			if taken := len(s.graph.Taken()); taken != want.taken || unknown != want.unknown || accepted != 4-unknown || s.graph.Requests() != taken {
				t.Errorf("%d accepted, %d unknown, %d taken of %d requests; want %+v", accepted, unknown, taken, s.graph.Requests(), want)
			}
		})
	}
}

// A process that dies at any step of sending a file: what is uploaded twice is sent
// once.
func TestKilledWhileItSendsFiles(t *testing.T) {
	type want struct{ uploads, taken, unknown int }
	safe := want{3, 3, 0}
	for at, want := range map[string]want{
		"before upload 2":                   safe,
		"after upload 2":                    {4, 3, 0},
		"before begin 2":                    {4, 3, 0},
		"after begin 2":                     {3, 2, 1},
		"before call 2":                     {3, 2, 1},
		"after call 2":                      {3, 3, 1},
		"before end 2":                      {3, 3, 1},
		"after end 2":                       safe,
		"before chat.message_accepted.v1 2": safe,
		"after chat.message_accepted.v1 2":  safe,
		"after forget 2":                    safe,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, dir := newDurableShop(t)
			id := s.open("15551230001")
			var messages []chat.MessageID
			for i := range 3 {
				messages = append(messages, s.attach(id, chat.FileUse{Kind: media.Image, MIMEType: "image/jpeg"}, fmt.Sprint(jpeg, i), "look"))
			}
			s.crash(dir, at, nil)
			_, stop := s.start()
			until(t, "all have an outcome", func() bool { return s.settled(id, messages) })
			stop()
			accepted, unknown := s.sent(id, messages)
			uploads := len(s.graph.MediaRequests())
			if taken := len(s.graph.Taken()); taken != want.taken || unknown != want.unknown || uploads != want.uploads || accepted != 3-unknown || s.graph.Requests() != taken {
				t.Errorf("%d uploads, %d accepted, %d unknown, %d taken of %d requests; want %+v", uploads, accepted, unknown, taken, s.graph.Requests(), want)
			}
		})
	}
}

// A process that dies at any step of translating webhooks: each leads to its
// events once.
func TestKilledWhileItTranslates(t *testing.T) {
	for _, at := range []string{
		"before chat.message_received.v1 1", "after chat.message_received.v1 1", "after chat.message_received.v1 3",
		"before order.placed.v1 1", "after order.placed.v1 1", "before chat.details_shared.v1 1",
		"before webhook.translated.v1 1", "after webhook.translated.v1 2", "before save 1",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, dir := newDurableShop(t)
			names := []string{"01-text.json", "02-text-second.json", "10-contact-card.json", "18-order.json", "25-two-visitors-one-payload.json"}
			for _, name := range names {
				if got := s.post(fixture(t, name)); got != http.StatusOK {
					t.Fatalf("%s: %d", name, got)
				}
			}
			s.crash(dir, at, nil)
			_, stop := s.start()
			until(t, "all are translated", func() bool { return s.count("webhook.translated.v1") == len(names) })
			stop()
			got := map[string]int{
				"chats": s.count("chat.opened.v1"), "messages": s.count("chat.message_received.v1"), "orders": s.count("order.placed.v1"),
				"contacts": s.count("chat.details_shared.v1"), "translated": s.count("webhook.translated.v1"), "set aside": s.count("webhook.set_aside.v1"),
			}
			for what, n := range map[string]int{"chats": 3, "messages": 7, "orders": 1, "contacts": 1, "translated": len(names), "set aside": 0} {
				if got[what] != n {
					t.Errorf("%s: %d, want %d", what, got[what], n)
				}
			}
		})
	}
}

// Processes that die whenever it may be, one after the other.
func TestKilledAnywhere(t *testing.T) {
	const chats, each, kills = 3, 8, 3
	s, dir := newDurableShop(t)
	s.graph.Decide(behaveBadly())
	messages := map[chat.ID][]chat.MessageID{}
	for c := range chats {
		id := s.open(fmt.Sprint("1555123000", c))
		for i := range each {
			messages[id] = append(messages[id], s.say(id, i))
		}
	}
	for round := range kills {
		s.crash(dir, "", func() {
			if err := s.graph.Wait(t.Context(), (round+1)*5); err != nil {
				t.Fatal(err)
			}
		})
	}
	_, stop := s.start()
	lost := 0
	for id, list := range messages {
		until(t, "all have an outcome", func() bool { return s.settled(id, list) })
	}
	stop()
	for id, list := range messages {
		_, unknown := s.sent(id, list)
		lost += unknown
	}
	if lost > kills*chats {
		t.Errorf("of %d messages nobody knows the outcome, after %d kills", lost, kills)
	}
}

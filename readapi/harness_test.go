package readapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatledger/chatledger/audit"
	"github.com/chatledger/chatledger/audit/auditapi"
	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/commands/commandapi"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/domain/channel"
	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/webhook"
	"github.com/chatledger/chatledger/domain/workspace"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/accounts"
	"github.com/chatledger/chatledger/internal/blob/dir"
	"github.com/chatledger/chatledger/internal/ids"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/viewscript"
	"github.com/chatledger/chatledger/internal/web"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/scripted"
	"github.com/chatledger/chatledger/projections/views"
	"github.com/chatledger/chatledger/projections/viewsapi"
	"github.com/chatledger/chatledger/readapi"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == viewscript.Command {
		if err := viewscript.Serve(os.Stdin, os.Stdout, time.Now); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test; a busy machine is slow.
const patience = 30 * time.Second

// ledger is a whole server but for its ports and files: a log, commands, the
// real runner on real views, accounts, and both halves of the API.
type ledger struct {
	t         testing.TB
	store     *memory.Store
	commands  *commands.Commands
	accounts  *accounts.Accounts
	read      *readapi.API
	web       *web.API
	log       *logBuffer
	workers   *projectionsControl
	views     projections.Config
	files     *dir.Store
	tree      *audit.Tree
	stopAudit func()
	agents    map[agent.Role]string // ids
	tokens    map[agent.Role]string // secrets
	tokenIDs  map[agent.Role]string
}

type projectionsControl struct {
	pause func() // stops the runner, and waits until it has stopped
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const acme = "acme"

type query = eventstore.AllQuery

var allRoles = []agent.Role{agent.RoleAgent, agent.RoleBot, agent.RoleSupervisor, agent.RoleAuditor, agent.RoleAnalyst, agent.RoleAdmin}

func newLedger(t testing.TB, change ...func(*readapi.Config, *web.Config)) *ledger {
	t.Helper()
	l := &ledger{
		t: t, store: memory.New(time.Now), log: &logBuffer{},
		agents: map[agent.Role]string{}, tokens: map[agent.Role]string{}, tokenIDs: map[agent.Role]string{},
	}
	ctx := t.Context()
	l.commands = commands.New(l.store, commands.Options{Now: time.Now})
	db := openDB(t, "views.db")
	var err error
	if l.accounts, err = accounts.Open(ctx, openDB(t, "accounts.db"), time.Now); err != nil {
		t.Fatal(err)
	}
	decode := commands.Codec()
	apart := map[string]sqldb.DB{"search.v2": openDB(t, "search.db")}
	waiter := projections.NewWaiter(db, apart["search.v2"])
	logger := slog.New(slog.NewTextHandler(l.log, nil))
	l.views = projections.Config{
		Store: l.store, DB: db, Apart: apart, Projections: views.All(), Now: time.Now, Waiter: waiter, Logger: logger,
		Decode: func(r eventstore.Recorded) (any, error) { return decode.Decode(r) },
	}
	runner, err := projections.NewRunner(ctx, l.views)
	if err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	if l.files, err = dir.Open(filepath.Join(t.TempDir(), "media"), time.Now()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.files.Close(); err != nil {
			t.Error(err)
		}
	})
	rc := readapi.Config{DB: db, Apart: apart, Store: l.store, Waiter: waiter, Files: l.files, Now: time.Now, Log: logger, Status: runner.Status, Metrics: metrics}
	wc := web.Config{Now: time.Now, Log: logger, Metrics: metrics, Authenticate: l.authenticate, Limits: web.Limits{Rate: 1e6, Burst: 1e6, FailureBurst: 1e6}}
	var custom *scripted.Runner
	rc.Custom, custom = l.custom(t)
	for _, c := range change {
		c(&rc, &wc)
	}
	l.read = readapi.New(rc)
	if l.tree, err = audit.Open(ctx, audit.Config{
		Store: l.store, DB: openDB(t, "audit.db"), Keys: l.accounts, Leases: l.accounts, Holder: "test", Alone: true, Now: time.Now, Logger: logger,
		Pace: time.Millisecond,
	}); err != nil {
		t.Fatal(err)
	}
	l.web = web.New(wc, slices.Concat(commandapi.Endpoints(l.commands, l.store, l.files, l.tree, time.Now), l.read.Endpoints(), viewsapi.Endpoints(l.views), auditapi.Endpoints(l.tree))...)
	l.web.Handle("GET /metrics", l.read.MetricsHandler())

	l.workers = &projectionsControl{pause: background(t, runner.Run)}
	stop, stopCustom := background(t, l.read.Run), background(t, custom.Run)
	l.stopAudit = background(t, l.tree.Run)
	t.Cleanup(func() {
		stop()
		stopCustom()
		l.stopAudit()
		l.workers.pause()
		if err := l.store.Close(); err != nil {
			t.Error(err)
		}
	})
	l.settle(acme)
	for _, role := range allRoles {
		name := "The " + string(role)
		id := ids.Agent(acme, name)
		_, err := l.commands.Agents.Invite(ctx, l.origin(acme), agent.ID(id), agent.Invite{Name: name, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		l.agents[role] = id
		l.tokens[role], l.tokenIDs[role] = l.token(acme, role, id)
	}
	return l
}

// custom returns what custom views need, and what builds them.
func (l *ledger) custom(t testing.TB) (readapi.Custom, *scripted.Runner) {
	t.Helper()
	db := openDB(t, "custom.db")
	c := viewscript.Config{Processes: 1, Limit: 500 * time.Millisecond, Silence: time.Second}
	build, try := viewscript.NewPool(c), viewscript.NewPool(c)
	t.Cleanup(build.Close)
	t.Cleanup(try.Close)
	runner, err := scripted.New(t.Context(), scripted.Config{
		Store: l.store, DB: db, Decode: l.views.Decode, Scripts: build, Now: time.Now, Logger: l.views.Logger, Poll: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return readapi.Custom{DB: db, Scripts: try, Known: commands.IsEvent}, runner
}

func openDB(t testing.TB, name string) sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), name), sqldb.Rebuildable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// background runs something until stop is called, which waits for its end.
func background(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (l *ledger) authenticate(ctx context.Context, secret string) (web.Principal, error) {
	t, err := l.accounts.Authenticate(ctx, secret)
	if errors.Is(err, accounts.ErrToken) {
		return web.Principal{}, web.ErrToken
	}
	return web.Principal{Workspace: t.Workspace, Role: t.Role, Agent: t.Agent, Name: t.Name, TokenID: t.ID}, err
}

func (l *ledger) origin(workspace string) commands.Origin {
	return commands.Origin{Workspace: workspace, Actor: "test", ActorKind: commands.ActorSystem}
}

// settle makes a workspace.
func (l *ledger) settle(id string) {
	l.t.Helper()
	if _, err := l.commands.Workspaces.Create(l.t.Context(), l.origin(id), workspace.Create{Name: strings.ToUpper(id)}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) token(workspace string, role agent.Role, of string) (secret, id string) {
	l.t.Helper()
	secret, t, err := l.accounts.CreateToken(l.t.Context(), accounts.NewToken{Workspace: workspace, Role: role, Agent: of, Name: "test"})
	if err != nil {
		l.t.Fatal(err)
	}
	return secret, t.ID
}

// colleague is another agent, with a token.
func (l *ledger) colleague(name string) (id, secret string) {
	l.t.Helper()
	id = ids.Agent(acme, name)
	if _, err := l.commands.Agents.Invite(l.t.Context(), l.origin(acme), agent.ID(id), agent.Invite{Name: name, Role: agent.RoleAgent}); err != nil {
		l.t.Fatal(err)
	}
	secret, _ = l.token(acme, agent.RoleAgent, id)
	return id, secret
}

// connect makes a channel.
func (l *ledger) connect(workspace string) string {
	l.t.Helper()
	id := ids.Channel(workspace, "whatsapp", "1065")
	_, err := l.commands.Channels.Connect(l.t.Context(), l.origin(workspace), channel.ID(id),
		channel.Connect{Kind: channel.WhatsApp, Name: "Shop", Account: "1065", Phone: "+15550001"})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// receive has a customer write, and returns the chat's id.
func (l *ledger) receive(workspace, customer, text string) string {
	l.t.Helper()
	ch := ids.Channel(workspace, "whatsapp", "1065")
	id := ids.Chat(workspace, ch, customer)
	provider := fmt.Sprintf("wamid.%s.%s", customer, text)
	o := l.origin(workspace)
	o.Channel = ch
	_, err := l.commands.Chats.Receive(l.t.Context(), o, chat.ID(id), chat.ReceiveMessage{
		Workspace: workspace, Channel: ch, Customer: customer, Message: chat.MessageID(ids.Message(id, provider)), ProviderID: provider,
		ProfileName: "Customer " + customer, Content: chat.Content{Kind: "text", Text: text}, At: time.Now().UTC(),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// deliver keeps a webhook.
func (l *ledger) deliver(workspace, channel, body string) string {
	l.t.Helper()
	id := ids.Webhook(channel, []byte(body))
	_, err := l.commands.Webhooks.Receive(l.t.Context(), l.origin(workspace), webhook.ID(id),
		webhook.Receive{Workspace: workspace, Channel: channel, Body: body})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

func (l *ledger) head() string {
	l.t.Helper()
	h, err := l.store.Head(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprint(h.Position)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request as a role, or with a secret. Headers are name, value ….
func (l *ledger) do(as any, method, path, body string, header ...string) answer {
	l.t.Helper()
	r := httptest.NewRequestWithContext(l.t.Context(), method, path, strings.NewReader(body))
	switch as := as.(type) {
	case agent.Role:
		r.Header.Set("Authorization", "Bearer "+l.tokens[as])
	case string:
		if as != "" {
			r.Header.Set("Authorization", "Bearer "+as)
		}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.web.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// must makes a request that has to be answered with status, and returns the
// body.
func (l *ledger) must(status int, as any, method, path, body string, header ...string) object {
	l.t.Helper()
	a := l.do(as, method, path, body, header...)
	if a.status != status {
		l.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	return l.object(a)
}

// get reads, as an admin, what reflects the whole log.
func (l *ledger) get(path string) object {
	l.t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return l.must(200, agent.RoleAdmin, "GET", path+sep+"min_position="+l.head(), "")
}

type object map[string]any

func (l *ledger) object(a answer) (o object) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		l.t.Fatalf("%v in %s", err, a.body)
	}
	return o
}

// at returns what is under a path such as "items.0.id".
func (o object) at(path string) any {
	var v any = map[string]any(o)
	for name := range strings.SplitSeq(path, ".") {
		switch c := v.(type) {
		case map[string]any:
			v = c[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}

func (o object) items() (all []object) {
	list, _ := o["items"].([]any)
	for _, i := range list {
		all = append(all, i.(map[string]any))
	}
	return all
}

// field returns one field of every item.
func (o object) field(path string) (all []any) {
	for _, i := range o.items() {
		all = append(all, i.at(path))
	}
	return all
}

// until waits for a condition that nothing announces.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/cmd/chatledger/demo"
	"github.com/chatledger/chatledger/domain/agent"
	"github.com/chatledger/chatledger/internal/accounts"
)

// DemoCmd is `demo`.
type DemoCmd struct {
	Listen string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (default: ${default}); if it is taken, a free port is."`
	Data   string `type:"path" placeholder:"FOLDER" env:"-" help:"Folder to keep the data in (default: a temporary one, removed at the end)."`
	Chats  int    `default:"300" placeholder:"N" help:"Customers to begin with (default: ${default})."`
	Seed   uint64 `default:"1" placeholder:"N" help:"The same seed makes the same customers (default: ${default})."`
}

// What the demo's channel is called at the provider that it plays.
const (
	demoWorkspace     = "demo"
	demoPhoneNumberID = "106540352242922"
	demoPhone         = "15550001111"
	demoAppSecret     = "demo-app-secret"
	demoAccessToken   = "demo-access-token"
	demoVerifyToken   = "demo-verify-token" //nolint:gosec // of a provider that is played
)

// Run implements the command.
func (c DemoCmd) Run(ctx context.Context, t *terminal) (err error) {
	began := now()
	if c.Data == "" {
		if c.Data, err = os.MkdirTemp("", "chatledger-demo-"); err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(c.Data)) }()
	}
	// The terminal is for the tour: of the log, only what is wrong.
	quiet := &terminal{stdout: t.stdout, stderr: t.stderr, logger: slog.New(atLeast{t.logger.Handler(), slog.LevelWarn})}

	outbox := &demo.Outbox{}
	graph, err := graphtest.Start(graphtest.Config{
		AccessToken: demoAccessToken,
		Taken:       func(m graphtest.Message) { outbox.Sent(m.To, m.ID) },
		Media: func(id string) (graphtest.Media, bool) {
			content, mimeType, ok := demo.File(id)
			return graphtest.Media{Body: content, MIMEType: mimeType}, ok
		},
	})
	if err != nil {
		return fmt.Errorf("start the stand-in for the provider: %w", err)
	}
	defer func() { err = errors.Join(err, graph.Close()) }()

	flags := StoreFlags{Data: c.Data, Log: inFiles, Schema: "chatledger"}
	s, err := startServer(ctx, flags, Caches{}, everything(c.Listen), quiet)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(c.Listen)
		if splitErr != nil {
			return err
		}
		s, err = startServer(ctx, flags, Caches{}, everything(net.JoinHostPort(host, "0")), quiet)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "chatledger demo: %s (data in %s)\n", s.url, c.Data)

	staff, err := s.hireDemoStaff(ctx, graph.URL)
	if err != nil {
		return errors.Join(err, s.halt())
	}
	traffic := demo.New(demo.Config{
		URL: s.url, Channel: staff.channel, PhoneNumberID: demoPhoneNumberID, Phone: demoPhone, AppSecret: demoAppSecret,
		Agents: staff.agents, Supervisor: staff.supervisor, Admin: staff.admin, Outbox: outbox,
		Run: strconv.FormatInt(began.Unix(), 36), Seed: c.Seed, Now: now, Logger: quiet.logger,
	})
	defer traffic.Close()

	worked := make(chan error, 1)
	work, stop := context.WithCancel(ctx)
	go func() { worked <- c.work(work, traffic, s, staff, t.stdout, began) }()
	ended := s.wait(ctx)
	stop()
	if err := <-worked; err != nil && ctx.Err() == nil {
		return errors.Join(ended, err)
	}
	return ended
}

// work makes the traffic and shows the tour as soon as there is something to see.
func (c DemoCmd) work(ctx context.Context, traffic *demo.Generator, s *server, staff demoStaff, w io.Writer, began time.Time) error {
	if err := traffic.Templates(ctx); err != nil {
		return err
	}
	first := min(c.Chats, 20)
	if err := traffic.Customers(ctx, first); err != nil {
		return err
	}
	chat, err := traffic.TourChat(ctx)
	if err != nil {
		return err
	}
	env, err := staff.writeTour(c.Data, s.url, chat)
	if err != nil {
		return err
	}
	staff.printTour(w, s.url, chat, env)

	if err := traffic.Customers(ctx, c.Chats-first); err != nil {
		return err
	}
	if err := traffic.Staff(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d chats made in %s; new messages, orders and answers keep coming. Ctrl-C ends it.\n",
		c.Chats, now().Sub(began).Round(100*time.Millisecond))
	traffic.Run(ctx)
	return nil
}

// demoStaff is who works in the demo.
type demoStaff struct {
	channel    string
	agents     []demo.Agent
	supervisor demo.Agent
	admin      demo.Agent
	tokens     []roleToken
}

type roleToken struct {
	role   agent.Role
	name   string
	secret string
}

// hireDemoStaff makes the demo's workspace, channel, staff and tokens.
func (s *server) hireDemoStaff(ctx context.Context, graphURL string) (staff demoStaff, err error) {
	for _, who := range []roleToken{
		{role: agent.RoleAgent, name: "Mia Weber"},
		{role: agent.RoleAgent, name: "Tom Adeyemi"},
		{role: agent.RoleAgent, name: "Aisha Rahman"},
		{role: agent.RoleSupervisor, name: "Sofia Marin"},
		{role: agent.RoleAuditor, name: "Paul Becker"},
		{role: agent.RoleAnalyst, name: "Lena Novak"},
		{role: agent.RoleAdmin, name: "Ada Osei"},
		{role: agent.RoleBot, name: "Helper Bot"},
	} {
		made, err := s.parts.createToken(ctx, newToken{workspace: demoWorkspace, role: who.role, name: who.name})
		if err != nil {
			return staff, err
		}
		who.secret = made.secret
		switch who.role {
		case agent.RoleAgent:
			staff.agents = append(staff.agents, demo.Agent{Name: who.name, ID: made.agent, Token: made.secret})
			if len(staff.agents) > 1 {
				continue // one token for each role is shown
			}
		case agent.RoleSupervisor:
			staff.supervisor = demo.Agent{Name: who.name, ID: made.agent, Token: made.secret}
		case agent.RoleAdmin:
			staff.admin = demo.Agent{Name: who.name, ID: made.agent, Token: made.secret}
		}
		staff.tokens = append(staff.tokens, who)
	}
	staff.channel, err = s.parts.addChannel(ctx, newChannel{
		workspace: demoWorkspace, name: "Demo Shop", phoneNumberID: demoPhoneNumberID, phone: demoPhone,
		secrets: accounts.ChannelSecrets{VerifyToken: demoVerifyToken, AppSecret: demoAppSecret, AccessToken: demoAccessToken, GraphURL: graphURL},
	})
	return staff, err
}

// writeTour writes what docs/tour.md begins with: a file of shell variables, for its
// owner alone.
func (d demoStaff) writeTour(folder, url, chat string) (path string, err error) {
	path = filepath.Join(folder, "tour.env")
	var text bytes.Buffer
	fmt.Fprintf(&text, "export URL=%s CHAT=%s CHANNEL=%s APP_SECRET=%s DATA=%s\n", url, chat, d.channel, demoAppSecret, "'"+strings.ReplaceAll(folder, "'", `'\''`)+"'")
	for _, t := range d.tokens {
		fmt.Fprintf(&text, "export %s=%s\n", strings.ToUpper(string(t.role)), t.secret)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("write the tour's variables: %w", err)
	}
	return path, nil
}

func (d demoStaff) printTour(w io.Writer, url, chat, env string) {
	fmt.Fprintln(w, "\nA token for each role:")
	tokens := map[agent.Role]string{}
	for _, t := range d.tokens {
		fmt.Fprintf(w, "  %-11s %s   (%s)\n", t.role, t.secret, t.name)
		tokens[t.role] = t.secret
	}
	fmt.Fprintf(w, "\nA tour of the whole by curl is in docs/tour.md; it begins with: source %s\n", env)
	fmt.Fprintf(w, `
Three lines to start with; the whole API is at %s/docs:

  curl -s -H 'Authorization: Bearer %s' '%s/v1/chats?limit=3'

  curl -s -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' %s/v1/chats/%s/messages -d '{"text":"Hello from curl"}'

  curl -s -H 'Authorization: Bearer %s' %s/v1/chats/%s/history
`, url, tokens[agent.RoleAgent], url, tokens[agent.RoleSupervisor], url, chat, tokens[agent.RoleAuditor], url, chat)
}

// atLeast drops log records below a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}

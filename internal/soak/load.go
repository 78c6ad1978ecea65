package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatledger/chatledger/cmd/chatledger/demo"
)

// load is everybody who works with the server.
type load struct {
	s       *server
	o       options
	traffic *demo.Generator
	client  *http.Client

	requests  atomic.Int64 // of readers and streams
	connected atomic.Int64 // streams

	mu       sync.Mutex
	failed   int
	examples []string
}

func newLoad(s *server, o options) *load {
	l := &load{s: s, o: o, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	last := len(s.staff) - 1
	l.traffic = demo.New(demo.Config{
		URL: s.url, Channel: s.channel, PhoneNumberID: phoneNumberID, Phone: phone, AppSecret: appSecret,
		Agents: s.staff[:last], Supervisor: s.staff[last], Outbox: s.outbox,
		Run: "SOAK", Seed: 1, Now: time.Now, Pause: o.pause, Logger: slog.New(l),
	})
	return l
}

func (l *load) close() {
	l.traffic.Close()
	l.client.CloseIdleConnections()
}

// run works until ctx is done.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.traffic.Run(ctx) })
	for i := range l.o.readers {
		wg.Go(func() { l.read(ctx, rand.New(rand.NewPCG(1, uint64(i)))) }) //nolint:gosec // to be repeatable is the point
	}
	for i := range l.o.streams {
		wg.Go(func() { l.follow(ctx, l.s.staff[i%len(l.s.staff)].Token, rand.New(rand.NewPCG(2, uint64(i)))) }) //nolint:gosec // the same
	}
	wg.Wait()
}

// fail notes what went wrong, once the load is not just being ended.
func (l *load) fail(ctx context.Context, err error) {
	if ctx.Err() != nil || err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed++; len(l.examples) < 10 {
		l.examples = append(l.examples, err.Error())
	}
}

func (l *load) failures() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d requests failed, such as:\n%s", l.failed, strings.Join(l.examples, "\n"))
}

// read pages through the inbox as agents do, several times a second.
func (l *load) read(ctx context.Context, rnd *rand.Rand) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	filters := []string{"", "&assignee=none", "&category=open", "&status=INPROGRESS", "&unread=true", "&sort=created", "&tag=vip"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var p page
		list := "/v1/chats?limit=50" + filters[rnd.IntN(len(filters))]
		if l.get(ctx, list, &p); p.Next != "" && rnd.IntN(2) == 0 {
			l.get(ctx, list+"&cursor="+p.Next, &p)
		}
		if len(p.Items) == 0 {
			continue
		}
		chat := "/v1/chats/" + p.Items[rnd.IntN(len(p.Items))].ID
		for _, path := range []string{chat, chat + "/messages", chat + "/visitor", chat + "/history", "/v1/chats/counts", "/v1/orders", "/v1/tags"} {
			if rnd.IntN(2) == 0 {
				l.get(ctx, path, &struct{}{})
			}
		}
	}
}

// readAll reads every chat once.
func (l *load) readAll(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(8)
	for cursor := ""; ctx.Err() == nil; {
		var p page
		if l.get(ctx, "/v1/chats?limit=200&sort=created"+cursor, &p); len(p.Items) == 0 {
			break
		}
		for _, item := range p.Items {
			for _, part := range []string{"", "/messages?limit=200", "/history?limit=200", "/visitor"} {
				work.Go(func() error {
					l.get(ctx, "/v1/chats/"+item.ID+part, &struct{}{})
					return ctx.Err()
				})
			}
		}
		if p.Next == "" {
			break
		}
		cursor = "&cursor=" + p.Next
	}
	return errors.Join(work.Wait(), l.failures())
}

// page is as much of a list of chats as readers look at.
type page struct {
	Items []struct {
		ID string `json:"id"`
	} `json:"items"`
	Next string `json:"next_cursor"`
}

// get reads one answer.
func (l *load) get(ctx context.Context, path string, into any) {
	who := l.s.staff[l.requests.Add(1)%int64(len(l.s.staff))]
	err := func() error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		resp, err := l.open(ctx, path, who.Token, "")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		switch {
		case err != nil:
			return fmt.Errorf("GET %s: %w", path, err)
		case resp.StatusCode != http.StatusOK:
			return fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
		}
		return json.Unmarshal(body, into)
	}()
	l.fail(ctx, err)
}

func (l *load) open(ctx context.Context, path, token, lastEvent string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.s.url+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if lastEvent != "" {
		req.Header.Set("Last-Event-ID", lastEvent)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	return resp, nil
}

// follow connects to the stream of changes, stays for a while, leaves without a
// word and comes back where it was. What it gets must be newer than what it has.
func (l *load) follow(ctx context.Context, token string, rnd *rand.Rand) {
	last := int64(-1)
	for n := 0; ctx.Err() == nil; n++ {
		stay, leave := context.WithTimeout(ctx, time.Second+time.Duration(rnd.Int64N(int64(9*time.Second))))
		if rnd.IntN(4) == 0 { // somebody new
			last = -1
		}
		before := last
		err := l.stay(stay, token, &last)
		l.fail(stay, err)
		leave()
		if err != nil && last == before { // no busy loop on a server that refuses
			pause := time.NewTimer(500 * time.Millisecond)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		}
	}
}

func (l *load) stay(ctx context.Context, token string, last *int64) error {
	l.requests.Add(1)
	from := ""
	if *last >= 0 {
		from = strconv.FormatInt(*last, 10)
	}
	resp, err := l.open(ctx, "/v1/changes", token, from)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("GET /v1/changes: %s: %s", resp.Status, body)
	}
	l.connected.Add(1)
	defer l.connected.Add(-1)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		id, isID := bytes.CutPrefix(lines.Bytes(), []byte("id: "))
		if bytes.Equal(lines.Bytes(), []byte("event: cutoff")) {
			return errors.New("GET /v1/changes: cut off")
		}
		if !isID {
			continue
		}
		at, err := strconv.ParseInt(string(id), 10, 64)
		if err != nil || at < *last {
			return fmt.Errorf("GET /v1/changes: id %q comes after %d", id, *last)
		}
		*last = at
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(errors.New("GET /v1/changes: the server ended the stream"), lines.Err())
}

// Enabled implements slog.Handler, for the traffic, which logs what fails.
func (*load) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (l *load) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	fmt.Fprintln(os.Stderr, "traffic:", text)
	l.fail(ctx, errors.New(text))
	return nil
}

// WithAttrs implements slog.Handler.
func (l *load) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *load) WithGroup(string) slog.Handler { return l }

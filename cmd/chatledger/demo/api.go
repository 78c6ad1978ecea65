package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chat and order are the parts of a row that staff looks at.
type chat struct {
	ID      string `json:"id"`
	Contact struct {
		Name string `json:"name"`
	} `json:"contact"`
}

func (c chat) firstName() string {
	first, _, _ := strings.Cut(c.Contact.Name, " ")
	return first
}

type order struct {
	ID     string `json:"id"`
	Chat   string `json:"chat"`
	Status string `json:"status"`
}

type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor"`
}

func says(s string) object { return object{"text": s} }

// unassigned returns up to n open chats that nobody has, last active first.
func (g *Generator) unassigned(ctx context.Context, by Agent, n int) ([]chat, error) {
	return list[chat](ctx, g, by, "/v1/chats", url.Values{"assignee": {"none"}, "category": {"open"}}, n)
}

// orders moves up to n orders one step on, but for the viewer's.
func (g *Generator) orders(ctx context.Context, n int) error {
	found, err := list[order](ctx, g, g.config.Supervisor, "/v1/orders", url.Values{}, n)
	if err != nil {
		return err
	}
	next := map[string]string{"placed": "confirm", "confirmed": "process", "processing": "ship", "shipped": "deliver"}
	for _, o := range found {
		action := next[o.Status]
		var body object
		switch {
		case action == "" || o.Chat == g.tour || g.random.IntN(3) == 0:
			continue
		case action == "confirm" && g.random.IntN(10) == 0:
			action, body = "cancel", object{"reason": "asked for by the customer"}
		case action == "ship":
			body = object{"carrier": "DHL", "tracking": fmt.Sprintf("JD%09d", g.random.IntN(1e9))}
		}
		if err := g.post(ctx, g.config.Supervisor, "/v1/orders/"+o.ID+"/"+action, body); err != nil {
			return err
		}
	}
	return nil
}

// list reads pages until it has n items or there are no more.
func list[T any](ctx context.Context, g *Generator, by Agent, path string, query url.Values, n int) (all []T, err error) {
	for {
		query.Set("limit", strconv.Itoa(min(n-len(all), 200)))
		var p page[T]
		if err := g.call(ctx, by, http.MethodGet, path+"?"+query.Encode(), nil, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if p.Next == "" || len(all) >= n {
			return all, nil
		}
		query.Set("cursor", p.Next)
	}
}

// post sends a command. A refusal is part of a busy day: somebody else was
// faster. Anything else is an error.
func (g *Generator) post(ctx context.Context, by Agent, path string, body object) error {
	err := g.call(ctx, by, http.MethodPost, path, body, nil)
	if refused, ok := errors.AsType[*answerError](err); ok && slices.Contains([]int{http.StatusConflict, http.StatusPreconditionFailed}, refused.status) {
		return nil
	}
	return err
}

type answerError struct {
	status int
	what   string
}

func (e *answerError) Error() string { return e.what }

// call makes one request, again if the server asks to wait.
func (g *Generator) call(ctx context.Context, by Agent, method, path string, body object, into any) error {
	var data []byte
	if body != nil || method == http.MethodPost {
		if body == nil {
			body = object{}
		}
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
	}
	for attempt := 1; ; attempt++ {
		req, err := http.NewRequestWithContext(ctx, method, g.config.URL+path, bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("make request: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+by.Token)
		if data != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := g.client.Do(req)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		resp.Body.Close()
		switch busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable; {
		case err != nil:
			return fmt.Errorf("%s %s: %w", method, path, err)
		case busy && attempt < 20:
			if err := pause(ctx, resp.Header.Get("Retry-After")); err != nil {
				return err
			}
		case resp.StatusCode >= 300:
			return &answerError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(answer))}
		case into == nil:
			return nil
		default:
			if err := json.Unmarshal(answer, into); err != nil {
				return fmt.Errorf("%s %s: decode answer: %w", method, path, err)
			}
			return nil
		}
	}
}

// pause waits as long as a server asked for, at least a little and not for ever.
func pause(ctx context.Context, retryAfter string) error {
	wait := 200 * time.Millisecond
	if seconds, err := strconv.Atoi(retryAfter); err == nil {
		wait = max(wait, min(time.Duration(seconds)*time.Second, 10*time.Second))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// TourChat has a customer write whom the traffic leaves alone from then on, and returns
// the id of their chat as soon as the inbox shows it.
func (g *Generator) TourChat(ctx context.Context) (string, error) {
	p, at := newPerson(g.random, -1), g.config.Now()
	err := g.deliver(ctx, g.messages(p,
		g.message(p, at.Add(-time.Second), "image", object{"id": "image-tea", "mime_type": "image/jpeg", "caption": "This one"}),
		g.message(p, at, "text", text("Hello! Do you still have the tea that I had last time?"))))
	if err != nil {
		return "", err
	}
	wanted := object{"filter": object{"field": "phone", "op": "eq", "value": "+" + p.phone}}
	for {
		var found page[chat]
		if err := g.call(ctx, g.config.Supervisor, http.MethodPost, "/v1/chats/query", wanted, &found); err != nil {
			return "", err
		}
		if len(found.Items) > 0 {
			g.tour = found.Items[0].ID
			return g.tour, nil
		}
		if err := pause(ctx, ""); err != nil {
			return "", err
		}
	}
}

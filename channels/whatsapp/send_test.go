package whatsapp_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/channels/whatsapp"
	"github.com/chatledger/chatledger/channels/whatsapp/graphtest"
	"github.com/chatledger/chatledger/domain/chat"
)

func graph(t *testing.T) (*graphtest.Server, whatsapp.Account, *whatsapp.Client) {
	t.Helper()
	g, err := graphtest.Start(graphtest.Config{AccessToken: "access"})
	if err != nil {
		t.Fatal(err)
	}
	c := whatsapp.NewClient(nil, func() time.Time { return received })
	t.Cleanup(func() {
		c.Close()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, whatsapp.Account{PhoneNumberID: phoneID, Secrets: whatsapp.Secrets{AccessToken: "access", GraphURL: g.URL}}, c
}

func TestSendText(t *testing.T) {
	g, a, c := graph(t)
	got := c.Send(t.Context(), a, "15551230001", "m1", chat.Outgoing{Text: "Yes <we> do & \"more\""}, "")
	taken := g.Taken()
	if len(taken) != 1 {
		t.Fatalf("%+v, taken %v", got, taken)
	}
	want := graphtest.Message{ID: got.ProviderID, PhoneNumberID: phoneID, To: "15551230001", Type: "text", Text: "Yes <we> do & \"more\"", Callback: "m1", Payload: taken[0].Payload}
	if got.Outcome != whatsapp.Accepted || !strings.HasPrefix(got.ProviderID, "wamid.") || taken[0] != want {
		t.Errorf("%+v, taken %+v", got, taken[0])
	}
	a.Secrets.GraphURL += "/v99.1/" // the address may name the version
	if got := c.Send(t.Context(), a, "15551230001", "m1", chat.Outgoing{Text: "again"}, ""); got.Outcome != whatsapp.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestSendTextWhenGraphMisbehaves(t *testing.T) {
	for _, tc := range []struct {
		name string
		b    graphtest.Behaviour
		want whatsapp.Sent
	}{
		{
			"too many calls",
			graphtest.Behaviour{Status: 429, Code: 130429, Title: "Rate limit hit", RetryAfter: "7"},
			whatsapp.Sent{Outcome: whatsapp.Again, After: 7 * time.Second, Error: &chat.DeliveryError{Code: 130429, Title: "Rate limit hit"}},
		},
		{
			"too many calls, with a date",
			graphtest.Behaviour{Status: 400, Code: 131056, Title: "Pair rate limit hit", RetryAfter: received.Add(time.Minute).Format(http.TimeFormat)},
			whatsapp.Sent{Outcome: whatsapp.Again, After: time.Minute, Error: &chat.DeliveryError{Code: 131056, Title: "Pair rate limit hit"}},
		},
		{
			"something went wrong",
			graphtest.Behaviour{Status: 500, Code: 131000, Title: "Something went wrong"},
			whatsapp.Sent{Outcome: whatsapp.Again, Error: &chat.DeliveryError{Code: 131000, Title: "Something went wrong"}},
		},
		{"429 without an error", graphtest.Behaviour{Status: 429, RetryAfter: "x"}, whatsapp.Sent{Outcome: whatsapp.Again, Error: &chat.DeliveryError{Code: whatsapp.CodeUnreachable}}},
		{"500", graphtest.Behaviour{Status: 500}, whatsapp.Sent{Outcome: whatsapp.Again, Error: &chat.DeliveryError{Code: whatsapp.CodeUnreachable}}},
		{"503", graphtest.Behaviour{Status: 503}, whatsapp.Sent{Outcome: whatsapp.Again, Error: &chat.DeliveryError{Code: whatsapp.CodeUnreachable}}},
		{"a gateway that lost sight of it", graphtest.Behaviour{Status: 502, Take: true}, whatsapp.Sent{Outcome: whatsapp.Unknown, Error: &chat.DeliveryError{Code: whatsapp.CodeOutcomeUnknown}}},
		{"504", graphtest.Behaviour{Status: 504}, whatsapp.Sent{Outcome: whatsapp.Unknown, Error: &chat.DeliveryError{Code: whatsapp.CodeOutcomeUnknown}}},
		{"200 and no id", graphtest.Behaviour{Status: 200}, whatsapp.Sent{Outcome: whatsapp.Unknown, Error: &chat.DeliveryError{Code: whatsapp.CodeOutcomeUnknown}}},
		{"broken off after it was taken", graphtest.Behaviour{Cut: true, Take: true}, whatsapp.Sent{Outcome: whatsapp.Unknown, Error: &chat.DeliveryError{Code: whatsapp.CodeOutcomeUnknown}}},
		{
			"re-engagement",
			graphtest.Behaviour{Status: 400, Code: 131047, Title: "Re-engagement message", Details: "more than 24 hours"},
			whatsapp.Sent{Outcome: whatsapp.Refused, Error: &chat.DeliveryError{Code: 131047, Title: "Re-engagement message", Details: "more than 24 hours"}},
		},
		{
			"the token expired",
			graphtest.Behaviour{Status: 401, Code: 190, Title: "Access token has expired"},
			whatsapp.Sent{Outcome: whatsapp.Refused, Error: &chat.DeliveryError{Code: 190, Title: "Access token has expired"}},
		},
		{"404 without an error", graphtest.Behaviour{Status: 404}, whatsapp.Sent{Outcome: whatsapp.Refused, Error: &chat.DeliveryError{Code: 404, Title: "HTTP status 404"}}},
		{"a redirect", graphtest.Behaviour{Status: 307}, whatsapp.Sent{Outcome: whatsapp.Refused, Error: &chat.DeliveryError{Code: 307, Title: "HTTP status 307"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, a, c := graph(t)
			g.Next(tc.b)
			got := c.Send(t.Context(), a, "15551230001", "m1", chat.Outgoing{Text: "hi"}, "")
			if got.Error != nil && got.Error.Code < 1000 && got.Error.Code != 190 { // words of our own
				got.Error.Details = ""
				if got.Error.Code < 0 {
					got.Error.Title = ""
				}
			}
			got.Cause = nil
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := g.Requests(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestSendTextWhenTheAnswerNeverComes(t *testing.T) {
	g, a, c := graph(t)
	g.Next(graphtest.Behaviour{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_ = g.Wait(ctx, 1)
		cancel()
	}()
	if got := c.Send(ctx, a, "15551230001", "m1", chat.Outgoing{Text: "hi"}, ""); got.Outcome != whatsapp.Unknown || got.Cause == nil {
		t.Errorf("%+v", got)
	}
}

func TestSendTextWhenNobodyListens(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := whatsapp.Account{PhoneNumberID: phoneID, Secrets: whatsapp.Secrets{AccessToken: "t-s3cret", GraphURL: "http://" + l.Addr().String() + "/?key=u-s3cret"}}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := whatsapp.NewClient(nil, time.Now)
	defer c.Close()
	got := c.Send(t.Context(), a, "15551230001", "m1", chat.Outgoing{Text: "hi"}, "")
	if got.Outcome != whatsapp.Again || strings.Contains(got.Cause.Error(), "s3cret") {
		t.Errorf("%+v", got)
	}
}

func TestSendTextWithoutAnAddress(t *testing.T) {
	c := whatsapp.NewClient(nil, time.Now)
	defer c.Close()
	for _, url := range []string{"ftp://x", "::", "graph.facebook.com", "http://"} {
		got := c.Send(t.Context(), whatsapp.Account{Secrets: whatsapp.Secrets{GraphURL: url}}, "1", "m1", chat.Outgoing{Text: "hi"}, "")
		if got.Outcome != whatsapp.Refused || got.Error.Code != whatsapp.CodeNoChannel {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

// What is answered with a tap goes out as documented, and the stand-in takes no other.
func TestSendInteractive(t *testing.T) {
	g, a, c := graph(t)
	for _, tc := range []struct {
		out  chat.Interactive
		want string // "" if it is refused
	}{
		{
			chat.Interactive{Header: "Sizes", Body: "Which?", Footer: "Thanks", List: &chat.ChoiceList{Button: "Choose", Sections: []chat.ListSection{
				{Title: "All", Rows: []chat.ListRow{{ID: "s", Title: "S", Description: "small"}, {ID: "l", Title: "L"}}},
			}}},
			`{"type":"list","header":{"type":"text","text":"Sizes"},"body":{"text":"Which?"},"footer":{"text":"Thanks"},"action":{"button":"Choose","sections":[{"title":"All","rows":[{"id":"s","title":"S","description":"small"},{"id":"l","title":"L"}]}]}}`,
		},
		{
			chat.Interactive{Body: "Look", Link: &chat.LinkButton{Title: "Track it", URL: "https://example.com/a?b=c"}},
			`{"type":"cta_url","body":{"text":"Look"},"action":{"name":"cta_url","parameters":{"display_text":"Track it","url":"https://example.com/a?b=c"}}}`,
		},
		{
			chat.Interactive{Body: "Well?", Buttons: []chat.ReplyButton{{ID: "y", Title: "Yes"}}},
			`{"type":"button","body":{"text":"Well?"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}}]}}`,
		},
		{chat.Interactive{Body: "Well?", Buttons: []chat.ReplyButton{{ID: "y", Title: strings.Repeat("y", 21)}}}, ""},
		{chat.Interactive{Body: "Well?", List: &chat.ChoiceList{Button: "b", Sections: []chat.ListSection{{Title: "a", Rows: []chat.ListRow{{ID: "s", Title: "S"}}}, {Rows: []chat.ListRow{{ID: "t", Title: "T"}}}}}}, ""},
		{chat.Interactive{Body: "Well?", Link: &chat.LinkButton{Title: "Look", URL: "nowhere"}}, ""},
	} {
		before := len(g.Taken())
		got := c.Send(t.Context(), a, "15551230001", "m1", chat.Outgoing{Interactive: &tc.out}, "")
		if tc.want == "" {
			if got.Outcome != whatsapp.Refused || got.Error.Code != 131009 {
				t.Errorf("%+v: %+v", tc.out, got)
			}
			continue
		}
		if taken := g.Taken(); len(taken) != before+1 || !strings.Contains(taken[before].Payload, `"interactive":`+tc.want) {
			t.Errorf("%+v: %+v, taken %v, want %s", tc.out, got, taken[before:], tc.want)
		}
	}
}

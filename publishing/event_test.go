package publishing_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/publishing"
)

func recorded(data string) eventstore.Recorded {
	return eventstore.Recorded{
		Event: eventstore.Event{
			ID: uuid.MustParse("0190c3a1-0000-7000-8000-000000000001"), Type: "chat.opened.v1", Data: []byte(data),
			Meta: []byte(`{"workspace":"acme","actor":"4915","actor_kind":"customer","channel":"c","command":"chat.receive","command_id":"k","$correlationId":"corr","$causationId":"cause","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`),
		},
		Stream: "chat-7", Revision: 3, Position: 9_007_199_254_740_993, Time: time.Date(2026, 11, 26, 12, 0, 0, 250_000_000, time.UTC),
	}
}

const source = "urn:uuid:5c0f9d5e-1111-4222-8333-444455556666"

// The form is a promise to those who read it.
func TestTheFormOfAnEvent(t *testing.T) {
	const want = `{
  "specversion": "1.0",
  "id": "0190c3a1-0000-7000-8000-000000000001",
  "source": "urn:uuid:5c0f9d5e-1111-4222-8333-444455556666",
  "type": "chat.opened.v1",
  "subject": "chat-7",
  "time": "2026-11-26T12:00:00.25Z",
  "datacontenttype": "application/json",
  "position": "9007199254740993",
  "revision": "3",
  "workspace": "acme",
  "actor": "4915",
  "actorkind": "customer",
  "correlationid": "corr",
  "causationid": "cause",
  "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  "data": {
    "text": "<b> & 🙂"
  }
}`
	e := publishing.New(publishing.Source(uuid.MustParse("5c0f9d5e-1111-4222-8333-444455556666")), recorded(`{"text":"<b> & 🙂"}`))
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
	back, err := publishing.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e, back); d != "" {
		t.Error(d)
	}
}

// CloudEvents allows lower-case letters and digits in the names of attributes, and says
// that they should be short.
func TestNamesOfAttributes(t *testing.T) {
	b, err := publishing.New(source, recorded(`{}`)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range all {
		if name == "data" {
			continue
		}
		if len(name) > 20 || strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			t.Errorf("%s is no name of an attribute", name)
		}
		if _, ok := value.(string); !ok {
			t.Errorf("%s is %T", name, value)
		}
	}
}

func TestUnusualData(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"none":      {"", `"datacontenttype":"application/octet-stream"`},
		"no JSON":   {"\x00\x01", `"data_base64":"AAE="`},
		"at limit":  {`"` + strings.Repeat("x", publishing.MaxData-2) + `"`, `"data":"xxx`},
		"too large": {`"` + strings.Repeat("x", publishing.MaxData-1) + `"`, `"datasize":"524289"}`},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := publishing.New(source, recorded(test.data)).Encode()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(b), test.want) {
				t.Errorf("got %.1000s\nwant in it %s", b, test.want)
			}
			if _, err := publishing.Decode(b); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnreadableMetadata(t *testing.T) {
	r := recorded(`{}`)
	r.Meta = []byte(`{"workspace":`)
	if e := publishing.New(source, r); e.Workspace != "" || e.ID != r.ID || e.Topic() != "_.chat.opened.v1" {
		t.Errorf("got %+v", e)
	}
}

func TestDecodeRefusesWhatIsNotOurs(t *testing.T) {
	for _, s := range []string{``, `{}`, `[]`, `{"specversion":"1.0","id":"1","type":"x","source":"y"}`, `{"specversion":"1.0","id":"0190c3a1-0000-7000-8000-000000000001","type":"x","source":"y","subject":"z"}`} {
		if e, err := publishing.Decode([]byte(s)); err == nil {
			t.Errorf("%s is %+v", s, e)
		}
	}
}

func TestTopic(t *testing.T) {
	for workspace, want := range map[string]string{
		"acme":       "acme.chat.opened.v1",
		"":           "_.chat.opened.v1",
		"a.b":        "a%2Eb.chat.opened.v1",
		"*":          "%2A.chat.opened.v1",
		"> x":        "%3E%20x.chat.opened.v1",
		"Müller":     "M%C3%BCller.chat.opened.v1",
		"a%2Eb":      "a%252Eb.chat.opened.v1",
		"north_1-EU": "north_1-EU.chat.opened.v1",
	} {
		if got := (publishing.Event{Workspace: workspace, Type: "chat.opened.v1"}).Topic(); got != want {
			t.Errorf("%q: got %s, want %s", workspace, got, want)
		}
	}
}

func TestInLog(t *testing.T) {
	s := memory.New(time.Now)
	defer s.Close()
	ids := []uuid.UUID{uuid.New(), uuid.New()}
	for _, id := range ids {
		if _, err := s.Append(t.Context(), "chat-1", eventstore.Any, eventstore.Event{ID: id, Type: "x.v1", Data: []byte("{}"), Meta: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	there := publishing.InLog(s)
	for _, test := range []struct {
		e    publishing.Event
		want bool
	}{
		{publishing.Event{ID: ids[0], Subject: "chat-1", Position: 1}, true},
		{publishing.Event{ID: ids[1], Subject: "chat-1", Position: 2}, true},
		{publishing.Event{ID: ids[1], Subject: "chat-1", Position: 1}, false},
		{publishing.Event{ID: ids[1], Subject: "chat-2", Position: 2}, false},
		{publishing.Event{ID: uuid.New(), Subject: "chat-1", Position: 2}, false},
	} {
		if got, err := there(t.Context(), test.e); err != nil || got != test.want {
			t.Errorf("%+v: %t, %v", test.e, got, err)
		}
	}
}

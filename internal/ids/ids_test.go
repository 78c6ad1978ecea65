package ids

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// These values are in logs: a change of recipe would make the same customer a
// second chat. Whoever sees this test fail must restore the recipe, not the test.
func TestRecipesNeverChange(t *testing.T) {
	command := uuid.MustParse("0190a5c0-0000-7000-8000-000000000001")
	for _, tt := range []struct{ name, got, want string }{
		{"chat", Chat("acme", "shop", "15551230001"), "17b55568-c3ce-5651-89f2-470769811570"},
		{"message", Message("c1", "wamid.1"), "58126cff-94b5-57b1-b236-cb345d571382"},
		{"order", Order("c1", "wamid.1"), "c5415a47-efe0-5079-aa41-18227307132b"},
		{"order with an external id", ExternalOrder("acme", "A-1"), "e0d4e1a3-f5f0-592a-96d3-c732f04d6802"},
		{"channel", Channel("acme", "whatsapp", "1055"), "418f0e79-a3b2-5d08-805f-34d97c12fb3a"},
		{"contact", Contact("acme", "15551230001"), "150e6a8c-442d-5a9a-96ae-128a1665b4a2"},
		{"contact by address", Contact("acme", " Ann@Example.com "), "419a87e5-db83-55ad-b1df-ff30d8ed300b"},
		{"agent", Agent("acme", "ann@example.com"), "95e18bf4-36e5-55b7-87a6-10b17360775f"},
		{"agent in another case", Agent("acme", " Ann@Example.com "), "95e18bf4-36e5-55b7-87a6-10b17360775f"},
		{"quick replies", QuickReplies("acme", "team.billing"), "757eb52c-966b-59d3-a919-3b409f86065e"},
		{"template", Template("acme", "ch", "delivery_update", "en_US"), "21a879e5-f465-588f-b4a1-a7e5acc41d06"},
		{"saved views", SavedViews("acme", "personal.ann"), "67badb36-2403-5e8e-8eb7-30d0d244af3f"},
		{"message of a campaign", CampaignMessage("c1", "15551230001"), "c1133a0c-39af-54ed-91d4-aacabacf86dc"},
		{"webhook", Webhook("shop", []byte(`{"a":1}`)), "cf50b2f8-5394-54ec-b823-29624282c097"},
		{"command", Command("http", "acme", "ann", "k").String(), "0cad1f58-338f-5c24-ba81-a690fb9286d7"},
		{"made by a command", Of(command, "note"), "ab8ea407-8a14-5f1a-990a-36171628105a"},
		{"first event", Event(command, 0).String(), "984decae-6b63-531f-9566-6d1e605355bb"},
		{"twelfth event", Event(command, 11).String(), "00be3839-9a6a-5a68-a005-f4d151b7d57e"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %s; it was %s", tt.name, tt.got, tt.want)
		}
	}
}

// However the same bytes are divided into parts, each division has its own id.
func TestIDsAreUnambiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.StringMatching(`[a1: ]{0,12}`).Draw(t, "bytes")
		cut := func(name string) []string {
			i := rapid.IntRange(0, len(all)).Draw(t, name)
			j := rapid.IntRange(i, len(all)).Draw(t, name)
			return []string{all[:i], all[i:j], all[j:]}
		}
		a, b := cut("a"), cut("b")
		if same := Chat(a[0], a[1], a[2]) == Chat(b[0], b[1], b[2]); same != slices.Equal(a, b) {
			t.Fatalf("%q and %q: same id %v", a, b, same)
		}
		if Command(all) == Command(all, "") || Command(a[0], a[1:]...) == Command(a[0]+a[1], a[2]) {
			t.Fatalf("%q: the number of parts does not count", a)
		}
	})
}

// The same words name different things.
func TestKindsDoNotMeet(t *testing.T) {
	seen := map[string]string{}
	for kind, id := range map[string]string{
		"message": Message("a", "b"), "order": Order("a", "b"), "agent": Agent("a", "b"), "contact": Contact("a", "b"),
		"command": Command("a", "b").String(), "chat": Chat("a", "b", ""), "channel": Channel("a", "b", ""),
		"webhook": Webhook("a", []byte("b")), "command of one": Command("a").String(),
	} {
		if other, taken := seen[id]; taken {
			t.Errorf("%s and %s are both %s", kind, other, id)
		}
		seen[id] = kind
	}
	command := uuid.New()
	for n := range 1000 {
		id := Event(command, n).String()
		if other, taken := seen[id]; taken {
			t.Errorf("event %d and %s are both %s", n, other, id)
		}
		seen[id] = fmt.Sprint("event ", n)
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "",
		"VIP":                "vip",
		" Big  spender! ":    "big-spender",
		"--a--b--":           "a-b",
		"São Paulo":          "são-paulo",
		"Ünïted 2":           "ünïted-2",
		"大客户":                "大客户",
		"हिन्दी भाषा":        "हिन्दी-भाषा",
		"👋":                  "",
		"a👋b":                "a-b",
		"a\x00b\nc":          "a-b-c",
		"\xff":               "",
		"a\xffb":             "a-b",
		"../etc/passwd":      "etc-passwd",
		"snake_case":         "snake-case",
		"<script>":           "script",
		"İstanbul":           "istanbul",
		"١٢٣":                "١٢٣",
		"vip-2":              "vip-2",
		"\u2028line\u00a0sp": "line-sp",
	} {
		if got := Slug(name); got != want {
			t.Errorf("Slug(%q) = %q; want %q", name, got, want)
		}
	}
}

// A slug is text without what would need quoting, and the slug of itself.
func FuzzSlug(f *testing.F) {
	for _, s := range []string{"", "VIP", " Big  spender! ", "--a--b--", "São Paulo", "大客户", "👋", "a\x00b", "\xff", "../x", "ǅ", "Σ", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		slug := Slug(name)
		if !utf8.ValidString(slug) || Slug(slug) != slug {
			t.Errorf("Slug(%q) = %q, whose slug is %q", name, slug, Slug(slug))
		}
		if strings.Contains(slug, "--") || strings.HasPrefix(slug, "-") || strings.HasSuffix(slug, "-") {
			t.Errorf("Slug(%q) = %q has a dash too many", name, slug)
		}
		for _, r := range slug {
			if r != '-' && !isWord(r) {
				t.Errorf("Slug(%q) = %q has %q", name, slug, r)
			}
		}
		if Slug(" "+name+"!") != slug {
			t.Errorf("Slug(%q) = %q, but with marks around it %q", name, slug, Slug(" "+name+"!"))
		}
	})
}

// Whatever comes from outside: an id is a UUID of version 5, the same again, and
// that of nothing else.
func FuzzIDs(f *testing.F) {
	f.Add("acme", "shop", "15551230001", "acme", "shop1", "5551230001")
	f.Add("a", "b", "", "a", "b", "")
	f.Add("", "1: 1:", "", "", "", "1: 1:")
	f.Add("\xff", "\x00", "İ", "\ufffd", "", "i\u0307")
	f.Fuzz(func(t *testing.T, a, b, c, x, y, z string) {
		same := a == x && b == y && c == z
		for name, of := range map[string]func(a, b, c string) string{
			"chat":    Chat,
			"channel": Channel,
			"command": func(a, b, c string) string { return Command(a, b, c).String() },
			"message": func(a, b, c string) string { return Message(a, b) + Order(b, c) },
			"webhook": func(a, b, c string) string { return Webhook(a, []byte(b)) + Webhook(b, []byte(c)) },
		} {
			one, other := of(a, b, c), of(x, y, z)
			if (one == other) != same {
				t.Errorf("%s: %q, %q, %q and %q, %q, %q: same id %v", name, a, b, c, x, y, z, one == other)
			}
			if id, err := uuid.Parse(one[:36]); err != nil || id.Version() != 5 {
				t.Errorf("%s: %s: %v", name, one, err)
			}
		}
		if Agent(a, b) != Agent(a, " "+strings.ToLower(b)+"\n") {
			t.Errorf("case or spaces make %q another agent", b)
		}
	})
}

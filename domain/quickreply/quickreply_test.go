package quickreply_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/quickreply"
)

type (
	past  = []quickreply.Event
	cases = []domaintest.Case[quickreply.State, quickreply.Event]
)

var (
	everybody = quickreply.Place{Scope: quickreply.Workspace}
	billing   = quickreply.Place{Scope: quickreply.Team, Of: "billing"}
	anns      = quickreply.Place{Scope: quickreply.Personal, Of: "ann"}

	hello = quickreply.Created{Workspace: "acme", Scope: "workspace", Reply: "workspace.hello", Version: 1, Shortcut: "hello", Text: "Hello {{contact.name}}", By: "sue"}
	bye   = quickreply.Created{Workspace: "acme", Scope: "workspace", Reply: "workspace.bye", Version: 1, Shortcut: "bye", Text: "Bye", By: "sue"}
	gone  = quickreply.Archived{Reply: "workspace.hello", By: "sue"}
	hi    = quickreply.Edited{Reply: "workspace.hello", Version: 2, Shortcut: "hi", Text: "Hello {{contact.name}}", By: "ann"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, quickreply.Events) }

func TestDecisions(t *testing.T) {
	str := func(s string) *string { return &s }
	create := func(change func(*quickreply.Create)) quickreply.Create {
		c := quickreply.Create{Workspace: "acme", Place: everybody, Reply: "workspace.hello", Shortcut: "hello", Text: "Hello {{contact.name}}", By: "sue"}
		change(&c)
		return c
	}
	as := func(shortcut string) quickreply.Create {
		return create(func(c *quickreply.Create) { c.Shortcut = shortcut })
	}
	saying := func(text string) quickreply.Create { return create(func(c *quickreply.Create) { c.Text = text }) }
	domaintest.Run(t, quickreply.Evolve, cases{
		{Name: "create", When: as("hello"), Then: past{hello}},
		{Name: "create with a slash", When: as(" /hello "), Then: past{hello}},
		{Name: "create for a team", When: create(func(c *quickreply.Create) { c.Place, c.Reply = billing, "team.billing.hello" }), Then: past{quickreply.Created{
			Workspace: "acme", Scope: "team", Of: "billing", Reply: "team.billing.hello", Version: 1, Shortcut: "hello", Text: hello.Text, By: "sue",
		}}},
		{Name: "create for oneself", When: create(func(c *quickreply.Create) { c.Place, c.Reply = anns, "personal.ann.hello" }), Then: past{quickreply.Created{
			Workspace: "acme", Scope: "personal", Of: "ann", Reply: "personal.ann.hello", Version: 1, Shortcut: "hello", Text: hello.Text, By: "sue",
		}}},
		{Name: "create again", Given: past{hello}, When: as("hello")},
		{Name: "create with another text", Given: past{hello}, When: saying("Good day"), Err: quickreply.ErrShortcutTaken},
		{Name: "create with another's shortcut", Given: past{hello}, When: create(func(c *quickreply.Create) { c.Reply, c.Shortcut = "workspace.hello-2", "HELLO" }), Err: quickreply.ErrShortcutTaken},
		{Name: "create with an archived one's shortcut", Given: past{hello, gone}, When: create(func(c *quickreply.Create) { c.Reply = "workspace.hello-2" }), Then: past{quickreply.Created{
			Workspace: "acme", Scope: "workspace", Reply: "workspace.hello-2", Version: 1, Shortcut: "hello", Text: hello.Text, By: "sue",
		}}},
		{Name: "create with an archived one's id", Given: past{hello, gone}, When: as("other"), Err: quickreply.ErrShortcutTaken},
		{Name: "create in another's place", When: create(func(c *quickreply.Create) { c.Place = billing }), Err: quickreply.ErrShortcut},
		{Name: "create nowhere", When: create(func(c *quickreply.Create) { c.Place.Scope = "world" }), Err: quickreply.ErrScope},
		{Name: "create for the workspace of somebody", When: create(func(c *quickreply.Create) { c.Place.Of = "ann" }), Err: quickreply.ErrScope},
		{Name: "create for no team", When: create(func(c *quickreply.Create) { c.Place = quickreply.Place{Scope: quickreply.Team} }), Err: quickreply.ErrTeamMissing},
		{Name: "create for nobody", When: create(func(c *quickreply.Create) { c.Place = quickreply.Place{Scope: quickreply.Personal} }), Err: quickreply.ErrOwnerMissing},
		{Name: "create by nobody", When: create(func(c *quickreply.Create) { c.By = "" }), Err: quickreply.ErrByMissing},
		{Name: "create in no workspace", When: create(func(c *quickreply.Create) { c.Workspace = "" }), Err: quickreply.ErrWorkspace},
		{Name: "create without a shortcut", When: as("/"), Err: quickreply.ErrShortcut},
		{Name: "create with two words", When: as("hello there"), Err: quickreply.ErrShortcut},
		{Name: "create with a dot", When: as("a.b"), Err: quickreply.ErrShortcut},
		{Name: "create with dashes only", When: as("--"), Err: quickreply.ErrShortcut},
		{Name: "create with a long shortcut", When: as(strings.Repeat("a", 41)), Err: quickreply.ErrShortcut},
		{Name: "create without a text", When: saying(" "), Err: quickreply.ErrTextMissing},
		{Name: "create with a long text", When: saying(strings.Repeat("a", 4097)), Err: quickreply.ErrTextTooLong},
		{Name: "create NUL", When: saying("a\x00"), Err: quickreply.ErrTextInvalid},
		{Name: "create with an unknown placeholder", When: saying("Hello {{contact.nme}}"), Err: quickreply.ErrPlaceholder},
		{Name: "create with half a placeholder", When: saying("Hello {{contact.name"), Err: quickreply.ErrUnclosed},
		{Name: "create with too much to fill in", When: saying(strings.Repeat("{{chat.id}}", 101)), Err: quickreply.ErrTooManyToFill},

		{
			Name: "create with an attribute", When: create(func(c *quickreply.Create) {
				c.Text, c.Attributes = "Size {{contact.attributes.shoe-size}}", []string{"shoe-size"}
			}), Then: past{quickreply.Created{
				Workspace: "acme", Scope: "workspace", Reply: "workspace.hello", Version: 1, Shortcut: "hello", Text: "Size {{contact.attributes.shoe-size}}", By: "sue",
			}},
		},
		{Name: "create with an unknown attribute", When: saying("Size {{contact.attributes.shoe-size}}"), Err: quickreply.ErrPlaceholder},
		{Name: "edit to an unknown attribute", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Text: str("{{contact.attributes.x}}"), By: "ann"}, Err: quickreply.ErrPlaceholder},

		{Name: "edit the shortcut", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Shortcut: str("/hi"), By: "ann"}, Then: past{hi}},
		{Name: "edit the text", Given: past{hello, hi}, When: quickreply.Edit{Reply: "workspace.hello", Text: str("Hey"), By: "ann"}, Then: past{
			quickreply.Edited{Reply: "workspace.hello", Version: 3, Shortcut: "hi", Text: "Hey", By: "ann"},
		}},
		{Name: "edit nothing", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Shortcut: str("hello"), Text: str(hello.Text), By: "ann"}},
		{Name: "edit in case", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Shortcut: str("Hello"), By: "ann"}, Then: past{
			quickreply.Edited{Reply: "workspace.hello", Version: 2, Shortcut: "Hello", Text: hello.Text, By: "ann"},
		}},
		{Name: "edit to another's shortcut", Given: past{hello, bye}, When: quickreply.Edit{Reply: "workspace.hello", Shortcut: str("Bye"), By: "ann"}, Err: quickreply.ErrShortcutTaken},
		{Name: "edit to a shortcut given back", Given: past{hello, hi, bye}, When: quickreply.Edit{Reply: "workspace.bye", Shortcut: str("hello"), By: "ann"}, Then: past{
			quickreply.Edited{Reply: "workspace.bye", Version: 2, Shortcut: "hello", Text: "Bye", By: "ann"},
		}},
		{Name: "edit to no shortcut", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Shortcut: str(""), By: "ann"}, Err: quickreply.ErrShortcut},
		{Name: "edit to no text", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Text: str(""), By: "ann"}, Err: quickreply.ErrTextMissing},
		{Name: "edit to an unknown placeholder", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Text: str("{{x}}"), By: "ann"}, Err: quickreply.ErrPlaceholder},
		{Name: "edit by nobody", Given: past{hello}, When: quickreply.Edit{Reply: "workspace.hello", Text: str("x")}, Err: quickreply.ErrByMissing},
		{Name: "edit an archived one", Given: past{hello, gone}, When: quickreply.Edit{Reply: "workspace.hello", Text: str("x"), By: "ann"}, Err: quickreply.ErrArchived},
		{Name: "edit an unknown one", When: quickreply.Edit{Reply: "workspace.hello", Text: str("x"), By: "ann"}, Err: quickreply.ErrNotFound},

		{Name: "archive", Given: past{hello}, When: quickreply.Archive{Reply: "workspace.hello", By: "sue"}, Then: past{gone}},
		{Name: "archive again", Given: past{hello, gone}, When: quickreply.Archive{Reply: "workspace.hello", By: "sue"}},
		{Name: "archive by nobody", Given: past{hello}, When: quickreply.Archive{Reply: "workspace.hello"}, Err: quickreply.ErrByMissing},
		{Name: "archive an unknown one", When: quickreply.Archive{Reply: "workspace.hello", By: "sue"}, Err: quickreply.ErrNotFound},
		{Name: "restore", Given: past{hello, gone}, When: quickreply.Restore{Reply: "workspace.hello", By: "sue"}, Then: past{quickreply.Restored{Reply: "workspace.hello", By: "sue"}}},
		{Name: "restore one in use", Given: past{hello}, When: quickreply.Restore{Reply: "workspace.hello", By: "sue"}},
		{
			Name: "restore when another has the shortcut", Given: past{hello, gone, bye, quickreply.Edited{Reply: "workspace.bye", Version: 2, Shortcut: "HELLO"}},
			When: quickreply.Restore{Reply: "workspace.hello", By: "sue"}, Err: quickreply.ErrShortcutTaken,
		},
		{Name: "restore by nobody", Given: past{hello, gone}, When: quickreply.Restore{Reply: "workspace.hello"}, Err: quickreply.ErrByMissing},
		{Name: "restore an unknown one", When: quickreply.Restore{Reply: "workspace.hello", By: "sue"}, Err: quickreply.ErrNotFound},
	})
}

func TestTooMany(t *testing.T) {
	var s quickreply.State
	for i := range quickreply.MaxReplies {
		name := fmt.Sprintf("r%d", i)
		s = quickreply.Evolve(s, quickreply.Created{Workspace: "acme", Scope: "workspace", Reply: everybody.ID(name), Version: 1, Shortcut: name, Text: "x"})
	}
	c := quickreply.Create{Workspace: "acme", Place: everybody, Reply: "workspace.hello", Shortcut: "hello", Text: "x", By: "sue"}
	if _, err := c.Decide(s); !errors.Is(err, quickreply.ErrTooMany) {
		t.Errorf("refusal = %v, want %v", err, quickreply.ErrTooMany)
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[quickreply.ID]quickreply.Place{
		"workspace.hello":    everybody,
		"team.billing.hello": billing,
		"personal.ann.hello": anns,
	} {
		if at, ok := id.Place(); !ok || at != want {
			t.Errorf("%s is in %+v, %v", id, at, ok)
		}
		if got := want.ID("hello"); got != id {
			t.Errorf("the id is %s, want %s", got, id)
		}
	}
	for _, id := range []quickreply.ID{"", "hello", "workspace", "workspace.", "workspace.a.b", "team.billing", "team..hello", "team.billing.", "team.billing.a.b", "world.hello", "personal.hello"} {
		if at, ok := id.Place(); ok {
			t.Errorf("%q is in %+v", id, at)
		}
	}
}

// What is wrong with a text is told with its place.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"Hello {{contact.nme}}":                      "{{contact.nme}} at character 7 is no placeholder",
		"é{{ chat.x }}":                              "{{chat.x}} at character 2 is no placeholder",
		"{{contact.name}} {{}}":                      "{{}} at character 18 is no placeholder",
		`\{{x}} {{y}}`:                               "{{y}} at character 8 is no placeholder",
		"{{custom.A}}":                               "{{custom.A}} at character 1 is no placeholder",
		"{{contact.attributes.}}":                    "{{contact.attributes.}} at character 1 is no placeholder",
		"{{contact.attributes.a b}}":                 "{{contact.attributes.a b}} at character 1 is no placeholder",
		"{{custom.}}":                                "{{custom.}} at character 1 is no placeholder",
		"{{Contact.name}}":                           "{{Contact.name}} at character 1 is no placeholder",
		"{{{contact.name}}}":                         "{{{contact.name}} at character 1 is no placeholder",
		"{{" + strings.Repeat("x", 50) + "}}":        "{{" + strings.Repeat("x", 40) + "…}} at character 1",
		"{{custom." + strings.Repeat("x", 41) + "}}": "is no placeholder",
		"a\n{{contact.name}} {{contact":              "the placeholder at character 20 has no }}",
	} {
		if _, err := quickreply.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	got, err := quickreply.Parse("{{ contact.name }}, {{custom.a_1}} {{contact.name}} }} {")
	if got := got.Attributes(); len(got) != 0 {
		t.Errorf("attributes %q", got)
	}
	if got, err := quickreply.Parse("{{contact.attributes.größe}}"); err != nil || !slices.Equal(got.Attributes(), []string{"größe"}) {
		t.Errorf("attributes %q, %v", got.Attributes(), err)
	}
	if want := []string{"contact.name", "custom.a_1"}; err != nil || !slices.Equal(got.Names(), want) {
		t.Errorf("names %q, %v; want %q", got.Names(), err, want)
	}
}

func TestFill(t *testing.T) {
	values := map[string]string{"contact.name": "Ana {{agent.name}}", "agent.name": " ", "chat.id": "7", "workspace.name": strings.Repeat("w", 4096)}
	for _, tt := range []struct {
		text   string
		custom map[string]string
		want   string
		err    error
		names  string
	}{
		{text: "Hello", want: "Hello"},
		{text: "Hello {{contact.name}}!", want: "Hello Ana {{agent.name}}!"}, // a value is no text to fill in
		{text: "{{chat.id}}{{chat.id}}", want: "77"},
		{text: `\{{chat.id}} is {{chat.id}}`, want: "{{chat.id}} is 7"},
		{text: "{{custom.code}}", custom: map[string]string{"code": "AB"}, want: "AB"},
		{text: "{{agent.name}}", err: quickreply.ErrValueMissing, names: "{{agent.name}}"},
		{text: "{{contact.email}} {{agent.name}} {{contact.email}}", err: quickreply.ErrValueMissing, names: "{{contact.email}}, {{agent.name}}"},
		{text: "{{custom.code}}", err: quickreply.ErrCustomMissing, names: "{{custom.code}}"},
		{text: "{{custom.code}}", custom: map[string]string{"code": "\n"}, err: quickreply.ErrCustomMissing, names: "{{custom.code}}"},
		{text: "{{custom.code}} {{contact.city}}", err: quickreply.ErrValueMissing, names: "{{custom.code}}, {{contact.city}}"},
		{text: "x", custom: map[string]string{"code": "AB"}, err: quickreply.ErrCustomUnknown, names: "{{custom.code}}"},
		{text: "{{custom.code}}", custom: map[string]string{"code": "a\x00"}, err: quickreply.ErrCustomUnclean},
		{text: "{{custom.code}}", custom: map[string]string{"code": strings.Repeat("é", 1001)}, err: quickreply.ErrCustomUnclean},
		{text: "{{workspace.name}}", want: values["workspace.name"]},
		{text: "{{workspace.name}}!", err: quickreply.ErrFilledIsTooLong},
	} {
		parsed, err := quickreply.Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsed.Fill(values, tt.custom)
		if tt.err == nil && (err != nil || got != tt.want) || tt.err != nil && (!errors.Is(err, tt.err) || !strings.HasSuffix(err.Error(), tt.names)) {
			t.Errorf("%q: %q, %v; want %q, %v", tt.text, got, err, tt.want, tt.err)
		}
	}
}

// A text without placeholders is sent as it is, and one with them is what is
// between them and the values.
func TestFillingKeepsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringOf(rapid.SampledFrom([]rune("ab {}\\é\n.")))
		values := map[string]string{}
		var text, want strings.Builder
		for i := range rapid.IntRange(0, 4).Draw(t, "pieces") {
			literal := strings.ReplaceAll(piece.Draw(t, "literal"), "{{", "")
			literal = strings.TrimRight(literal, `\{`) // would be one with what follows
			text.WriteString(literal)
			want.WriteString(literal)
			name := rapid.SampledFrom(quickreply.Placeholders).Draw(t, "name")
			if values[name] == "" {
				values[name] = fmt.Sprint("value ", i)
			}
			text.WriteString("{{" + name + "}}")
			want.WriteString(values[name])
		}
		parsed, err := quickreply.Parse(text.String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Fill(values, nil); err != nil || got != want.String() {
			t.Fatalf("%q, %v; want %q", got, err, want.String())
		}
		if names := parsed.Names(); len(names) != len(values) {
			t.Fatalf("names %q of %q", names, slices.Sorted(maps.Keys(values)))
		}
	})
}

// Whatever is typed, Parse refuses it or can fill it in.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "Hello {{contact.name}}", "{{", "}}", `\{{`, `\\{{chat.id}}`, "{{{{chat.id}}}}", "{{custom.a}}{{ custom.b }}", "é{{x}}", "\xff{{chat.id}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := quickreply.Parse(text)
		if err != nil {
			return
		}
		values, custom := map[string]string{}, map[string]string{}
		for _, name := range parsed.Names() {
			if c, ok := strings.CutPrefix(name, "custom."); ok {
				custom[c] = "v"
			} else {
				values[name] = "v"
			}
		}
		if _, err := parsed.Fill(values, custom); err != nil && !errors.Is(err, quickreply.ErrFilledIsTooLong) {
			t.Errorf("%q: %v", text, err)
		}
		if len(parsed.Names()) > 0 {
			if _, err := parsed.Fill(nil, nil); err == nil {
				t.Errorf("%q is filled with nothing", text)
			}
		}
	})
}

// Whatever happens, a shortcut finds one quick reply, and each in use is found
// by its own.
func TestShortcutsStayApart(t *testing.T) {
	ids := rapid.SampledFrom([]quickreply.ID{"workspace.a", "workspace.b", "workspace.c"})
	words := rapid.SampledFrom([]string{"a", "A", "b", "/b", "c", "", "d"})
	texts := rapid.SampledFrom([]string{"x", "y", "{{chat.id}}", ""})
	commands := rapid.Custom(func(t *rapid.T) domaintest.Command[quickreply.State, quickreply.Event] {
		id := ids.Draw(t, "reply")
		switch rapid.IntRange(0, 4).Draw(t, "command") {
		case 0:
			shortcut := words.Draw(t, "shortcut")
			return quickreply.Edit{Reply: id, Shortcut: &shortcut, By: "ann"}
		case 1:
			text := texts.Draw(t, "text")
			return quickreply.Edit{Reply: id, Text: &text, By: "ann"}
		case 2:
			return quickreply.Archive{Reply: id, By: "ann"}
		case 3:
			return quickreply.Restore{Reply: id, By: "ann"}
		}
		return quickreply.Create{Workspace: "acme", Place: everybody, Reply: id, Shortcut: words.Draw(t, "shortcut"), Text: texts.Draw(t, "text"), By: "ann"}
	})
	rapid.Check(t, func(t *rapid.T) {
		var s quickreply.State
		for _, c := range rapid.SliceOfN(commands, 1, 40).Draw(t, "commands") {
			s = domaintest.Do(t, quickreply.Evolve, s, c)
			for _, id := range []quickreply.ID{"workspace.a", "workspace.b", "workspace.c"} {
				r, ok := s.Get(id)
				if !ok {
					continue
				}
				found, used := s.Find(strings.ToUpper(r.Shortcut))
				if !r.Archived && (!used || found.ID != id) || r.Archived && used && found.ID == id {
					t.Fatalf("%q of %s (archived %v) finds %s, %v", r.Shortcut, id, r.Archived, found.ID, used)
				}
			}
		}
	})
}

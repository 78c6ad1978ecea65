package template_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
	"github.com/chatledger/chatledger/domain/template"
)

type (
	past  = []template.Event
	cases = []domaintest.Case[template.State, template.Event]
)

var (
	noon  = time.Date(2026, 9, 21, 12, 0, 0, 0, time.UTC)
	parts = template.Components{
		Header: &template.Header{Kind: template.TextHeader, Text: "Order {{1}}"}, Body: "Hello {{1}}, {{2}} left today.", Footer: "Acme Tea",
		Buttons: []template.Button{
			{Kind: template.QuickReply, Text: "Thanks"},
			{Kind: template.URL, Text: "Track it", URL: "https://shop.example/track/{{1}}"},
			{Kind: template.Phone, Text: "Call us", Phone: "+15550001"},
			{Kind: template.CopyCode},
		},
	}
	defined  = template.Defined{Workspace: "acme", Channel: "wa", Name: "left", Language: "en_US", Category: template.Utility, Components: parts, By: "sue"}
	approved = template.StatusReported{Workspace: "acme", Channel: "wa", Name: "left", Language: "en_US", Status: template.Approved, ProviderID: "594", At: noon}
	other    = template.Components{Body: "Bye"}
)

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, template.Events) }

// at returns a refusal with the field that the request has it in.
func at(field string, e *fault.Error) *fault.Error {
	c := *e
	c.Field = field
	return &c
}

func TestDecisions(t *testing.T) {
	define := func(change func(*template.Define)) template.Define {
		c := template.Define{Workspace: "acme", Channel: "wa", Name: "left", Language: "en_US", Category: template.Utility, Components: parts, By: "sue"}
		change(&c)
		return c
	}
	of := func(c template.Components) template.Define {
		return define(func(d *template.Define) { d.Components = c })
	}
	body := func(s string) template.Define { return of(template.Components{Body: s}) }
	button := func(b template.Button) template.Define {
		return of(template.Components{Body: "a", Buttons: []template.Button{b}})
	}
	header := func(h template.Header) template.Define { return of(template.Components{Body: "a", Header: &h}) }
	report := func(change func(*template.Report)) template.Report {
		c := template.Report{Workspace: "acme", Channel: "wa", Name: "left", Language: "en_US", Status: template.Approved, ProviderID: "594", At: noon}
		change(&c)
		return c
	}
	same := func(*template.Report) {}
	paused := approved
	paused.Status, paused.Reason = template.Paused, "complaints"
	mirror := template.Mirror{Report: report(same), Category: template.Utility, Components: parts, By: "sync"}
	read := defined
	read.By = "sync"
	changed := mirror
	changed.Components = other
	const first = "components.buttons[0]"
	domaintest.Run(t, template.Evolve, cases{
		{Name: "define", When: define(func(*template.Define) {}), Then: past{defined}},
		{Name: "define once more", Given: past{defined}, When: define(func(*template.Define) {})},
		{Name: "define otherwise", Given: past{defined}, When: body("Bye"), Err: template.ErrExists},
		{Name: "define nowhere", When: define(func(c *template.Define) { c.Workspace = "" }), Err: template.ErrWorkspace},
		{Name: "define on no channel", When: define(func(c *template.Define) { c.Channel = "" }), Err: template.ErrChannel},
		{Name: "define by nobody", When: define(func(c *template.Define) { c.By = "" }), Err: template.ErrByMissing},
		{Name: "define with capitals", When: define(func(c *template.Define) { c.Name = "Left" }), Err: template.ErrName},
		{Name: "define with a long name", When: define(func(c *template.Define) { c.Name = strings.Repeat("a", 513) }), Err: template.ErrName},
		{Name: "define in English", When: define(func(c *template.Define) { c.Language = "English" }), Err: template.ErrLanguage},
		{Name: "define for fun", When: define(func(c *template.Define) { c.Category = "fun" }), Err: template.ErrCategory},
		{Name: "define without a body", When: body(" "), Err: template.ErrBody},
		{Name: "define with a long body", When: body(strings.Repeat("é", 1025)), Err: template.ErrBody},
		{Name: "define with a gap", When: body("{{1}} {{3}}"), Err: at("components.body", template.ErrVariables)},
		{Name: "define with both sorts", When: body("{{1}} {{name}}"), Err: at("components.body", template.ErrVariables)},
		{Name: "define with half a variable", When: body("{{1"), Err: at("components.body", template.ErrVariables)},
		{Name: "define with a long header", When: header(template.Header{Kind: template.TextHeader, Text: strings.Repeat("a", 61)}), Err: template.ErrHeader},
		{Name: "define with two variables in the header", When: header(template.Header{Kind: template.TextHeader, Text: "{{1}} {{2}}"}), Err: at("components.header.text", template.ErrVariables)},
		{Name: "define with a text on an image", When: header(template.Header{Kind: template.ImageHeader, Text: "a"}), Err: template.ErrHeader},
		{Name: "define with a song", When: header(template.Header{Kind: "song"}), Err: template.ErrHeader},
		{Name: "define with a long footer", When: of(template.Components{Body: "a", Footer: strings.Repeat("a", 61)}), Err: template.ErrFooter},
		{Name: "define with a variable footer", When: of(template.Components{Body: "a", Footer: "{{1}}"}), Err: template.ErrFooter},
		{Name: "define with too many buttons", When: of(template.Components{Body: "a", Buttons: make([]template.Button, 11)}), Err: template.ErrButtons},
		{Name: "define with a mute button", When: button(template.Button{Kind: template.QuickReply}), Err: at(first+".text", template.ErrButtons)},
		{Name: "define with a door", When: button(template.Button{Kind: "door", Text: "a"}), Err: at(first+".kind", template.ErrButtons)},
		{Name: "define with a button to nowhere", When: button(template.Button{Kind: template.URL, Text: "a", URL: "shop"}), Err: at(first+".url", template.ErrButtons)},
		{Name: "define with a variable host", When: button(template.Button{Kind: template.URL, Text: "a", URL: "https://{{1}}/a"}), Err: at(first+".url", template.ErrButtons)},
		{Name: "define with an address to call", When: button(template.Button{Kind: template.Phone, Text: "a", URL: "https://a"}), Err: at(first+".url", template.ErrButtons)},
		{Name: "define with a number to answer", When: button(template.Button{Kind: template.QuickReply, Text: "a", Phone: "+1"}), Err: at(first+".phone", template.ErrButtons)},
		{Name: "define with a wrong number", When: button(template.Button{Kind: template.Phone, Text: "a", Phone: "1"}), Err: at(first+".phone", template.ErrButtons)},

		{Name: "change", Given: past{defined, approved}, When: template.Change{Category: template.Marketing, Components: other, By: "sue"}, Then: past{template.Changed{Category: template.Marketing, Components: other, By: "sue"}}},
		{Name: "change nothing", Given: past{defined}, When: template.Change{Category: template.Utility, Components: parts, By: "bob"}},
		{Name: "change what is not there", Given: past{approved}, When: template.Change{Category: template.Utility, Components: parts, By: "bob"}, Err: template.ErrNotFound},
		{Name: "change to nothing", Given: past{defined}, When: template.Change{Category: template.Utility, By: "bob"}, Err: template.ErrBody},

		{Name: "approved", Given: past{defined}, When: report(same), Then: past{approved}},
		{Name: "approved before it is defined", When: report(same), Then: past{approved}},
		{Name: "approved twice", Given: past{defined, approved}, When: report(same)},
		{Name: "paused", Given: past{defined, approved}, When: report(func(r *template.Report) { r.Status, r.Reason = template.Paused, "complaints" }), Then: past{paused}},
		{Name: "approved by nobody knows whom", Given: past{defined, approved}, When: report(func(r *template.Report) { r.ProviderID = "" })},
		{Name: "lost", Given: past{defined}, When: report(func(r *template.Report) { r.Status = "lost" }), Err: template.ErrStatus},
		{Name: "a template of no name", When: report(func(r *template.Report) { r.Name = "" }), Err: template.ErrName},

		{Name: "mirror", When: mirror, Then: past{read, approved}},
		{Name: "mirror what is known", Given: past{defined, approved}, When: mirror},
		{Name: "mirror what was changed", Given: past{defined, approved}, When: changed, Then: past{template.Changed{Category: template.Utility, Components: other, By: "sync"}, approved}},
		{Name: "mirror nonsense", When: template.Mirror{Report: report(same), Category: template.Utility, By: "sync"}, Err: template.ErrBody},
	})
}

func TestStatusIsKeptUntilItIsDefined(t *testing.T) {
	s := domaintest.Fold(template.Evolve, past{approved})
	if err := s.Usable(); !errors.Is(err, template.ErrNotFound) {
		t.Errorf("what is not defined: %v", err)
	}
	s = template.Evolve(s, defined)
	if err := s.Usable(); err != nil {
		t.Errorf("approved, then defined: %v", err)
	}
	s = template.Evolve(s, template.Changed{Category: template.Utility, Components: other, By: "sue"})
	if err := s.Usable(); !errors.Is(err, template.ErrNotApproved) {
		t.Errorf("changed: %v", err)
	}
	strange := defined
	strange.Components.Other = []string{"CAROUSEL"}
	s = domaintest.Fold(template.Evolve, past{strange, approved})
	if err := s.Usable(); !errors.Is(err, template.ErrUnknownPart) {
		t.Errorf("with a part we do not know: %v", err)
	}
}

func TestFill(t *testing.T) {
	got, err := parts.Fill(template.Values{
		Header: map[string]string{"1": "7"}, Body: map[string]string{"1": "Ann", "2": "Green tea"}, Buttons: map[string]string{"1": "JD7", "3": "TEA10"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := template.Filled{
		Header: &template.FilledHeader{Kind: template.TextHeader, Value: &template.Value{Text: "7"}},
		Body:   []template.Value{{Text: "Ann"}, {Text: "Green tea"}},
		Buttons: []template.FilledButton{
			{Place: 1, Kind: template.URL, Text: "JD7"}, {Place: 3, Kind: template.CopyCode, Text: "TEA10"},
		},
		Text: "Order 7\n\nHello Ann, Green tea left today.\n\nAcme Tea",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	named, err := template.Components{Body: "{{ last_name }}, {{first}}, {{last_name}}"}.Fill(template.Values{Body: map[string]string{"first": "{{last_name}}", "last_name": "Lima"}})
	if err != nil || named.Text != "Lima, {{last_name}}, Lima" || !reflect.DeepEqual(named.Body, []template.Value{{"last_name", "Lima"}, {"first", "{{last_name}}"}}) {
		t.Errorf("%+v, %v", named, err)
	}
	image := template.Components{Header: &template.Header{Kind: template.ImageHeader}, Body: "Tea"}
	shown, err := image.Fill(template.Values{Media: &template.File{Link: "https://shop.example/tea.jpg"}})
	if err != nil || shown.Header.File.Link != "https://shop.example/tea.jpg" || shown.Text != "Tea" {
		t.Errorf("%+v, %v", shown, err)
	}
	ten := template.Components{Body: "{{10}}{{9}}{{8}}{{7}}{{6}}{{5}}{{4}}{{3}}{{2}}{{1}}"}
	values := map[string]string{}
	for i, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		values[n] = string(rune('a' + i))
	}
	if f, err := ten.Fill(template.Values{Body: values}); err != nil || f.Text != "jihgfedcba" || f.Body[0].Text != "a" || f.Body[9].Text != "j" {
		t.Errorf("ten: %+v, %v", f, err)
	}
}

func TestWhatCannotBeFilled(t *testing.T) {
	all := func(change func(*template.Values)) template.Values {
		v := template.Values{Header: map[string]string{"1": "7"}, Body: map[string]string{"1": "Ann", "2": "Tea"}, Buttons: map[string]string{"1": "JD7", "3": "TEA10"}}
		change(&v)
		return v
	}
	image := template.Components{Header: &template.Header{Kind: template.ImageHeader}, Body: "Tea"}
	for name, tc := range map[string]struct {
		of    template.Components
		v     template.Values
		want  *fault.Error
		field string
		says  string
	}{
		"no values of the body":    {parts, all(func(v *template.Values) { v.Body = nil }), template.ErrValue, "values.body", "{{1}}, {{2}}"},
		"spaces":                   {parts, all(func(v *template.Values) { v.Body["2"] = " " }), template.ErrValue, "values.body", "{{2}}"},
		"no header":                {parts, all(func(v *template.Values) { v.Header = nil }), template.ErrValue, "values.header", "{{1}}"},
		"no code":                  {parts, all(func(v *template.Values) { delete(v.Buttons, "3") }), template.ErrValue, "values.buttons.3", "button 3"},
		"a value too many":         {parts, all(func(v *template.Values) { v.Body["3"] = "x" }), template.ErrStrange, "values.body", "3"},
		"a button that takes none": {parts, all(func(v *template.Values) { v.Buttons["0"] = "x" }), template.ErrStrange, "values.buttons", "0"},
		"two lines":                {parts, all(func(v *template.Values) { v.Body["1"] = "a\nb" }), template.ErrBadValue, "values.body.1", "line"},
		"five spaces":              {parts, all(func(v *template.Values) { v.Body["1"] = "a     b" }), template.ErrBadValue, "values.body.1", "spaces"},
		"NUL":                      {parts, all(func(v *template.Values) { v.Body["1"] = "a\x00" }), template.ErrBadValue, "values.body.1", ""},
		"a long body":              {parts, all(func(v *template.Values) { v.Body["1"] = strings.Repeat("a", 1010) }), template.ErrFilledLong, "values.body", ""},
		"a long header":            {parts, all(func(v *template.Values) { v.Header["1"] = strings.Repeat("a", 60) }), template.ErrFilledLong, "values.header", ""},
		"a long code":              {parts, all(func(v *template.Values) { v.Buttons["3"] = strings.Repeat("a", 16) }), template.ErrFilledLong, "values.buttons.3", ""},
		"a file for a text":        {parts, all(func(v *template.Values) { v.Media = &template.File{Link: "https://a/b"} }), template.ErrStrange, "values.media", ""},
		"no image":                 {image, template.Values{}, template.ErrValue, "values.media", "image"},
		"an image from here":       {image, template.Values{Media: &template.File{Link: "file:///etc/passwd"}}, template.ErrBadValue, "values.media.link", ""},
		"an image with a name":     {image, template.Values{Media: &template.File{Link: "https://a/b", Filename: "b"}}, template.ErrBadValue, "values.media.filename", ""},
		"a text for an image":      {image, template.Values{Header: map[string]string{"1": "a"}}, template.ErrStrange, "values.header", ""},
		"a text for no header":     {other, template.Values{Header: map[string]string{"1": "a"}}, template.ErrStrange, "values.header", ""},
	} {
		_, err := tc.of.Fill(tc.v)
		if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, tc.want) || f.Field != tc.field || !strings.Contains(f.Msg, tc.says) {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

// What may be defined can be filled in by giving each variable that it names a value,
// and then no variable is left.
func TestWhatIsDefinedCanBeFilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([ a-z{}]|\{\{[12]\}\}|\{\{name\}\}){0,12}`)
		c := template.Components{Body: text.Draw(t, "body")}
		if rapid.Bool().Draw(t, "header") {
			c.Header = &template.Header{Kind: template.TextHeader, Text: text.Draw(t, "text")}
		}
		_, err := template.Define{Workspace: "w", Channel: "c", Name: "n", Language: "en", Category: template.Utility, Components: c, By: "b"}.Decide(template.State{})
		if err != nil {
			return
		}
		give := func(s string) map[string]string {
			m := map[string]string{}
			for _, n := range template.Variables(s) {
				m[n] = "X"
			}
			return m
		}
		v := template.Values{Body: give(c.Body)}
		if c.Header != nil {
			v.Header = give(c.Header.Text)
		}
		f, err := c.Fill(v)
		if err != nil || strings.Contains(f.Text, "{{") || len(f.Body) != len(v.Body) {
			t.Fatalf("%+v: %+v, %v", c, f, err)
		}
	})
}

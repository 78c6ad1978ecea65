package filter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
)

func TestParse(t *testing.T) {
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		raw  string
		want filter.Node
	}{
		{``, nil},
		{` null `, nil},
		{`{}`, nil},
		{`{"field":"status","op":"eq","value":"OPEN"}`, filter.Cond{Field: "status", Op: filter.Eq, Values: []filter.Value{{Text: "OPEN"}}}},
		{`{"op":"eq","value":null,"field":"assignee"}`, filter.Cond{Field: "assignee", Op: filter.Eq, Values: []filter.Value{{}}}},
		{`{"field":"assignee","op":"in","value":["me","bob"]}`, filter.Cond{Field: "assignee", Op: filter.In, Values: []filter.Value{{Me: true}, {Text: "bob"}}}},
		{`{"field":"tag","op":"exists"}`, filter.Cond{Field: "tag", Kind: filter.Set, Op: filter.Exists, Want: true}},
		{`{"field":"tag","op":"exists","value":false}`, filter.Cond{Field: "tag", Kind: filter.Set, Op: filter.Exists}},
		{`{"field":"unread","op":"ne","value":true}`, filter.Cond{Field: "unread", Kind: filter.Bool, Op: filter.Ne, Values: []filter.Value{{Bool: true}}}},
		{
			`{"field":"created","op":"between","value":["2026-11-26","-90m"]}`,
			filter.Cond{Field: "created", Kind: filter.Time, Op: filter.Between, Values: []filter.Value{{Time: day}, {Ago: 90 * time.Minute}}},
		},
		{
			`{"field":"created","op":"lt","value":"2026-11-26T01:00:00+01:00"}`,
			filter.Cond{Field: "created", Kind: filter.Time, Op: filter.Lt, Values: []filter.Value{{Time: day}}},
		},
		{`{"not":{"field":"name","op":"contains","value":"x"}}`, filter.Not{Of: filter.Cond{Field: "name", Kind: filter.Word, Op: filter.Contains, Values: []filter.Value{{Text: "x"}}}}},
		{
			`{"not":{"field":"attributes.size","op":"between","value":[38,"42.5"]}}`,
			filter.Not{Of: filter.Cond{Field: "attributes.size", Kind: filter.Own, Op: filter.Between, Values: []filter.Value{{Text: "38"}, {Text: "42.5"}}, Path: "filter.not"}},
		},
		{`{"field":"attributes.vip","op":"eq","value":true}`, filter.Cond{Field: "attributes.vip", Kind: filter.Own, Op: filter.Eq, Values: []filter.Value{{Text: "true"}}, Path: "filter"}},
		{
			`{"and":[{"or":[{"field":"is_contact","op":"eq","value":false}]}]}`,
			filter.And{filter.Or{filter.Cond{Field: "is_contact", Kind: filter.Bool, Op: filter.Eq, Values: []filter.Value{{}}}}},
		},
	} {
		f, err := filter.Parse(filter.Chats, []byte(tt.raw))
		if err != nil {
			t.Errorf("%s: %v", tt.raw, err)
		} else if d := cmp.Diff(tt.want, f.Root); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.raw, d)
		}
	}
}

// What is wrong is named by its place.
func TestParseRefuses(t *testing.T) {
	cond := `{"field":"tag","op":"exists"}`
	nested := func(n int) string { return strings.Repeat(`{"not":`, n) + cond + strings.Repeat(`}`, n) }
	many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	for _, tt := range []struct {
		raw, at string
		err     error
	}{
		{`{`, "filter", filter.ErrSyntax},
		{`[]`, "filter", filter.ErrSyntax},
		{`"x"`, "filter", filter.ErrSyntax},
		{`{} {}`, "filter", filter.ErrSyntax},
		{`{"and":[]}`, "filter.and", filter.ErrSyntax},
		{`{"and":{}}`, "filter.and", filter.ErrSyntax},
		{`{"and":[{}]}`, "filter.and[0]", filter.ErrSyntax},
		{`{"and":[` + cond + `],"or":[]}`, "filter.and", filter.ErrSyntax},
		{`{"xor":[]}`, "filter.xor", filter.ErrSyntax},
		{`{"field":"tag","op":"eq","value":"a","value":"b"}`, "filter", filter.ErrSyntax},
		{`{"field":7,"op":"eq"}`, "filter.field", filter.ErrSyntax},
		{`{"op":"eq","value":"a"}`, "filter.field", filter.ErrSyntax},
		{`{"and":[` + cond + `,{"field":"colour","op":"eq","value":"a"}]}`, "filter.and[1].field", filter.ErrField},
		{`{"field":"tag"}`, "filter.op", filter.ErrSyntax},
		{`{"field":"tag","op":"lt","value":"a"}`, "filter.op", filter.ErrOperator},
		{`{"field":"tag","op":"eq"}`, "filter.value", filter.ErrValue},
		{`{"field":"tag","op":"eq","value":""}`, "filter.value", filter.ErrValue},
		{`{"field":"tag","op":"eq","value":null}`, "filter.value", filter.ErrValue},
		{`{"field":"tag","op":"eq","value":"a\u0000"}`, "filter.value", filter.ErrValue},
		{`{"field":"tag","op":"in","value":[]}`, "filter.value", filter.ErrValue},
		{`{"field":"tag","op":"in","value":["a",7]}`, "filter.value[1]", filter.ErrValue},
		{`{"field":"tag","op":"exists","value":"yes"}`, "filter.value", filter.ErrValue},
		{`{"field":"unread","op":"eq","value":"true"}`, "filter.value", filter.ErrValue},
		{`{"field":"status_category","op":"eq","value":"shut"}`, "filter.value", filter.ErrValue},
		{`{"field":"created","op":"between","value":["2026-11-26"]}`, "filter.value", filter.ErrValue},
		{`{"field":"created","op":"lt","value":"yesterday"}`, "filter.value", filter.ErrValue},
		{`{"field":"created","op":"lt","value":"-7y"}`, "filter.value", filter.ErrValue},
		{`{"field":"created","op":"lt","value":"-99999999999999d"}`, "filter.value", filter.ErrValue},
		{`{"field":"created","op":"lt","value":7}`, "filter.value", filter.ErrValue},
		{nested(filter.MaxDepth), strings.Repeat(".not", filter.MaxDepth), filter.ErrSize},
		{nested(1000), "", filter.ErrSize},
		{`{"or":[` + many(filter.MaxConds+1, cond) + `]}`, fmt.Sprintf("filter.or[%d]", filter.MaxConds), filter.ErrSize},
		{`{"field":"tag","op":"in","value":[` + many(filter.MaxValues+1, `"a"`) + `]}`, "filter.value", filter.ErrSize},
		{`{"field":"tag","op":"eq","value":"` + strings.Repeat("a", filter.MaxText+1) + `"}`, "filter.value", filter.ErrSize},
		{strings.Repeat(" ", filter.MaxSize+1), "filter", filter.ErrSize},
	} {
		_, err := filter.Parse(filter.Chats, []byte(tt.raw))
		var f *fault.Error
		if !errors.Is(err, tt.err) || !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.HasSuffix(f.Field, tt.at) || f.Msg == "" {
			t.Errorf("%.80s: %v at %+v, want %v at %s", tt.raw, err, f, tt.err, tt.at)
		}
	}
	if _, err := filter.Parse(filter.Chats, []byte(nested(filter.MaxDepth-1))); err != nil {
		t.Errorf("the deepest filter: %v", err)
	}
}

func TestFields(t *testing.T) {
	for _, target := range []filter.Target{filter.Chats, filter.Contacts, filter.Orders} {
		seen := map[string]bool{}
		for _, f := range filter.Fields(target) {
			if seen[f.Name] || len(f.Kind.Ops()) == 0 {
				t.Errorf("%s: %+v", target, f)
			}
			seen[f.Name] = true
		}
		if !seen["status"] || !seen["id"] {
			t.Errorf("%s: only %v", target, seen)
		}
	}
}

// Whatever comes, it is a filter within the bounds or a refusal that says where.
func FuzzParse(f *testing.F) {
	f.Add(`{"and":[{"field":"status","op":"in","value":["OPEN"]},{"not":{"field":"tag","op":"eq","value":"spam"}}]}`)
	f.Add(`{"field":"last_activity","op":"between","value":["-7d","2026-11-26T09:30:00Z"]}`)
	f.Add(`{"or":[{"field":"name","op":"prefix","value":"é"},{"field":"assignee","op":"eq","value":null}]}`)
	f.Add(`{"and":[{"field":"has_ordered","op":"eq","value":true},{"field":"attributes.size","op":"gt","value":41.5}]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, target := range []filter.Target{filter.Chats, filter.Contacts, filter.Orders} {
			parsed, err := filter.Parse(target, []byte(raw))
			if err != nil {
				var refusal *fault.Error
				if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Field, "filter") {
					t.Fatalf("%s: %v is no refusal", target, err)
				}
				continue
			}
			conds := 0
			if depth := measure(parsed.Root, &conds); depth > filter.MaxDepth || conds > filter.MaxConds {
				t.Fatalf("%s: %d levels, %d conditions", target, depth, conds)
			}
		}
	})
}

func measure(n filter.Node, conds *int) (depth int) {
	deepest := func(list []filter.Node) (d int) {
		for _, n := range list {
			d = max(d, measure(n, conds))
		}
		return d
	}
	switch n := n.(type) {
	case filter.And:
		return 1 + deepest(n)
	case filter.Or:
		return 1 + deepest(n)
	case filter.Not:
		return 1 + measure(n.Of, conds)
	case filter.Cond:
		*conds++
		return 1
	}
	return 0
}

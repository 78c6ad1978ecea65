package readapi

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/chatledger/chatledger/internal/web"
)

// Where a client says that it was is a position that we could have told it, or
// is refused by the name of what said so.
func FuzzLastEventID(f *testing.F) {
	for _, s := range []string{"", "0", "42", "-1", "+1", "01", "1e3", "9223372036854775807", "9223372036854775808", " 1", "1\n", "\u0661", "1,2"} {
		f.Add(s, "")
		f.Add("", s)
		f.Add(s, "7")
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		at, given, err := inChanges{LastEventID: header, After: query}.after()
		value, location := header, "header.Last-Event-ID"
		if value == "" {
			value, location = query, "query.after"
		}
		switch {
		case err != nil:
			p, ok := errors.AsType[*web.Problem](err)
			if !ok || p.Status != http.StatusBadRequest || p.Code != codeResume || len(p.Errors) != 1 || p.Errors[0].Location != location {
				t.Errorf("%q, %q: refused with %v", header, query, err)
			}
			if n, err := strconv.ParseUint(value, 10, 63); err == nil && strconv.FormatUint(n, 10) == value {
				t.Errorf("%q, %q: refused, though it is a position", header, query)
			}
		case given != (value != ""):
			t.Errorf("%q, %q: given %v", header, query, given)
		case given && (at < 0 || web.Position(at) != value):
			t.Errorf("%q, %q: taken as %d", header, query, at)
		}
	})
}

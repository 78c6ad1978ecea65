package readapi_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	domain "github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// importCSV imports a file, and returns the rows by number and the last line.
func (l *ledger) importCSV(file string) (rows map[int]object, sum object) {
	l.t.Helper()
	return l.importAs("test.csv", file)
}

func (l *ledger) importAs(name, file string) (rows map[int]object, sum object) {
	l.t.Helper()
	a := l.do(aSenior, "POST", "/v1/contacts/import?name="+name, file, "Content-Type", "text/csv")
	if a.status != http.StatusOK {
		l.t.Fatalf("import: %d %s", a.status, a.body)
	}
	rows = map[int]object{}
	for line := range strings.Lines(a.body) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			l.t.Fatalf("%v in %q", err, line)
		}
		if n, ok := o["row"].(float64); ok {
			rows[int(n)] = o
		} else {
			sum = o
		}
	}
	return rows, sum
}

func TestImportTwice(t *testing.T) {
	l := newLedger(t)
	l.must(201, aSenior, "POST", "/v1/attributes", `{"name":"Shirt size","kind":"choice","choices":["S","M"]}`)
	var b strings.Builder
	b.WriteString("\ufeffName,email,phone,city,Shirt Size,id\r\n")
	const many = 1000
	for i := range many {
		fmt.Fprintf(&b, "Person %d,p%d@example.com;q%d@example.com,'+1555%07d,\"Rome, %d\",s,x\n", i, i, i, i, i)
	}
	b.WriteString("Only a name,,,,,\n\n,,,,,\n,not an address,,,,\nBig,,+4930123456,,XXL,\n=cmd(),f@example.com,,,,\n")
	file := b.String()
	rows, sum := l.importCSV(file)
	if sum["done"] != true || sum["added"] != many+2.0 || sum["refused"] != 2.0 || sum["rows"] != many+5.0 || sum["skipped"] != 1.0 {
		t.Errorf("the first time: %v", sum)
	}
	if r := rows[many+3]; r["outcome"] != "skipped" || r["code"] != "import.empty_row" {
		t.Errorf("a row of empty cells: %v", r)
	}
	if r := rows[many+4]; r["outcome"] != "refused" || r["code"] != "contact.bad_email" || r["field"] != "emails" {
		t.Errorf("row of a bad address: %v", r)
	}
	if r := rows[many+5]; r["code"] != "attribute.bad_value" || r["field"] != "attributes.Shirt Size" {
		t.Errorf("row of a bad size: %v", r)
	}
	one := "/v1/contacts/" + rows[9]["contact"].(string)
	c := l.get(one)
	for at, want := range map[string]any{
		"name": "Person 7", "email": "p7@example.com", "phone": "+15550000007", "city": "Rome, 7", "reason": "import", "added.import": "test.csv",
		"fields.1.values.1.value": "q7@example.com", "fields.4.field": "attributes.shirt-size", "fields.4.values.0.value": "S",
	} {
		if got := c.at(at); got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}

	// What agents did since then stays.
	l.must(200, anAgent, "PATCH", one, `{"city":"Wien"}`)
	head := l.head()
	again, sum := l.importCSV(file)
	if sum["unchanged"] != many+2.0 || sum["refused"] != 2.0 || sum["added"] != 0.0 || sum["updated"] != 0.0 {
		t.Errorf("the second time: %v", sum)
	}
	if l.head() != head {
		t.Errorf("the log has grown from %s to %s", head, l.head())
	}
	if again[9]["code"] != "import.row_done" || again[9]["contact"] != rows[9]["contact"] || again[many+2]["contact"] != rows[many+2]["contact"] {
		t.Errorf("other contacts: %v", again[9])
	}
	if c := l.get(one); c["city"] != "Wien" {
		t.Errorf("city %v", c["city"])
	}
	// A file that says something else does change something.
	if _, sum = l.importCSV("phone;city\n+15550000007;Paris\n+15550000007;Oslo\n"); sum["updated"] != 2.0 {
		t.Errorf("another file: %v", sum)
	}
	if c := l.get(one); c["city"] != "Oslo" {
		t.Errorf("of two rows about one, the last counts: %v", c["city"])
	}
	l.must(200, aSenior, "DELETE", one, "")
	if rows, _ = l.importCSV("phone,city\n+15550000007,Bern\n"); rows[2]["code"] != "contact.deleted" {
		t.Errorf("a deleted one: %v", rows)
	}
}

// Each name is an import of its own: what it says is new, whatever was imported before;
// under the same name nothing is said twice.
func TestImportsOfOtherNames(t *testing.T) {
	l := newLedger(t)
	const header, porto, lisboa = "name,email,city\n", "Ivy,ivy@e.com,Porto\n", "Ivy,ivy@e.com,Lisboa\n"
	run := func(name, file, outcome, city string) {
		t.Helper()
		rows, sum := l.importAs(name, header+file)
		last := rows[1+strings.Count(file, "\n")]
		if sum["done"] != true || last["outcome"] != outcome {
			t.Errorf("%s %q: %v %v, want %s", name, file, rows, sum, outcome)
		}
		if got := l.get("/v1/contacts/" + last["contact"].(string))["city"]; got != city {
			t.Errorf("%s %q: city %v, want %s", name, file, got, city)
		}
	}
	for _, name := range []string{"", "a"} { // as many that have no name are one
		run(name, porto, map[string]string{"": "added", "a": "updated"}[name], "Porto")
		run(name+"2", lisboa, "updated", "Lisboa")
		run(name+"3", porto, "updated", "Porto")
		run(name+"4", lisboa, "updated", "Lisboa")
		run(name, porto, "unchanged", "Lisboa") // run again, it does not undo what came after it
		run(name+"3", porto, "unchanged", "Lisboa")
	}
	// Of rows about one contact the last counts, also if an earlier one says the same.
	run("b", porto+lisboa+porto, "updated", "Porto")
	run("b", porto+lisboa+porto, "unchanged", "Porto")
	contact := "/v1/contacts/" + l.get("/v1/contacts").items()[0]["id"].(string)
	l.must(200, anAgent, "PATCH", contact, `{"city":"Wien"}`)
	run("b", porto+lisboa+porto, "unchanged", "Wien")
	run("b", porto+"Ivy,ivy@e.com,Faro\n"+porto, "unchanged", "Faro") // of a file that was corrected, what is new
}

// What was imported when names did not tell imports apart is not imported again either.
func TestImportFromBeforeNames(t *testing.T) {
	l := newLedger(t)
	changes := []domain.Change{{Field: "name", Values: []string{"Ivy"}}, {Field: "emails", Values: []string{"ivy@e.com"}}, {Field: "city", Values: []string{"Porto"}}}
	id := l.commands.Contacts.Identify(acme, changes)
	command := ids.Command("contact import", acme, string(id), commands.RowHash(changes))
	source := domain.Source{Reason: domain.ByImport, Import: "old", By: "ann"}
	for i, e := range []domain.Event{
		domain.Added{Workspace: acme, Source: source, Status: "OPEN", Category: "open", At: time.Now()},
		domain.DetailsSet{Changes: changes, Source: source, At: time.Now()},
	} {
		encoded, err := commands.Codec().Encode(ids.Event(command, i), e, eventstore.Metadata{Workspace: acme})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.store.Append(t.Context(), "contact-"+string(id), eventstore.Any, encoded); err != nil {
			t.Fatal(err)
		}
	}
	l.must(200, anAgent, "PATCH", "/v1/contacts/"+string(id), `{"city":"Wien"}`)
	const file = "name,email,city\nIvy,ivy@e.com,Porto\n"
	if rows, _ := l.importAs("old", file); rows[2]["outcome"] != "unchanged" || rows[2]["code"] != "import.row_done" || rows[2]["contact"] != string(id) {
		t.Errorf("the same import: %v", rows)
	}
	if rows, _ := l.importAs("new", file); rows[2]["outcome"] != "updated" {
		t.Errorf("another import: %v", rows)
	}
}

// A row that had nothing to say the first time has nothing to say the second time either,
// but what was refused or not reached then is done.
func TestImportAgainAfterAgents(t *testing.T) {
	l := newLedger(t)
	const file = "name,email,city\nIvy,ivy@e.com,Porto\nBob,bob@e.com,Oslo\n"
	l.importAs("a", file)
	rows, _ := l.importAs("b", file)
	if rows[2]["outcome"] != "unchanged" || rows[2]["code"] != nil {
		t.Errorf("known already: %v", rows)
	}
	ivy, bob := "/v1/contacts/"+rows[2]["contact"].(string), "/v1/contacts/"+rows[3]["contact"].(string)
	l.must(200, anAgent, "PATCH", ivy, `{"city":"Wien","emails":["ivy@e.com","new@e.com"]}`)
	l.must(200, anAgent, "PATCH", ivy, `{"emails":["new@e.com"]}`)
	head := l.head()
	if rows, _ = l.importAs("b", file); rows[2]["outcome"] != "unchanged" || rows[2]["code"] != "import.row_done" || l.head() != head {
		t.Errorf("again: %v", rows)
	}
	if c := l.get(ivy); c["city"] != "Wien" || c["email"] != "new@e.com" {
		t.Errorf("what an agent did is undone: %v", c)
	}
	if rows, _ = l.importAs("b", "name,email,city\nIvy,ivy@e.com,Porto\nBob,bob@e.com,Bergen\n"); rows[2]["outcome"] != "unchanged" || rows[3]["outcome"] != "updated" {
		t.Errorf("a corrected file: %v", rows)
	}
	if c := l.get(bob); c["city"] != "Bergen" {
		t.Errorf("%v", c)
	}
}

// No row is without a result, and none is taken in part.
func TestImportSaysWhatBecameOfEachRow(t *testing.T) {
	l := newLedger(t)
	rows, sum := l.importCSV("id,name,city\n,,\n,Ana,Rome,,\n,Bob,Oslo,Norway\nx,,\n,Eve\n")
	for row, want := range map[int]string{2: "skipped import.empty_row", 3: "added <nil>", 4: "refused import.too_many_cells", 5: "skipped import.empty_row", 6: "added <nil>"} {
		if got := fmt.Sprint(rows[row]["outcome"], " ", rows[row]["code"]); got != want {
			t.Errorf("row %d: %s, want %s", row, got, want)
		}
	}
	if sum["rows"] != 5.0 || sum["added"] != 2.0 || sum["refused"] != 1.0 || sum["skipped"] != 2.0 || rows[4]["reason"] != "the row has 4 cells, the header 3" {
		t.Errorf("%v %v", sum, rows[4])
	}
}

func TestImportRefuses(t *testing.T) {
	l := newLedger(t)
	for file, at := range map[string]string{
		"name,shoe\nAna,41\n":    "body.header[1]",
		"name,email,Email\n":     "body.header[2]",
		"city,name,City\n":       "body.header[2]",
		"":                       "body",
		"\"name\nAna":            "body",
		strings.Repeat("a", 9e4): "body",
	} {
		a := l.do(aSenior, "POST", "/v1/contacts/import", file)
		if a.status != 400 || l.object(a).at("errors.0.location") != at && at != "body" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.20q: %d %v %s", file, a.status, a.header, a.body)
		}
		if file == "" && !strings.Contains(a.body, "the file is empty") {
			t.Errorf("nothing: %s", a.body)
		}
	}
	// What is behind a row that cannot be read is left alone.
	for _, bad := range []string{`Bob,"` + strings.Repeat("x", 70_000) + "\"\n", "Bob,\"x\"y\n"} {
		rows, sum := l.importCSV("name,city\nAna,Rome\n" + bad + "Eve,Oslo\n")
		if len(rows) != 1 || sum["done"] != false || sum["code"] != "import.unreadable" {
			t.Errorf("%.20q: %v %v", bad, rows, sum)
		}
	}
}

func TestExport(t *testing.T) {
	l := newLedger(t)
	var want []string
	for i := range 230 {
		name := fmt.Sprintf("=HYPERLINK(%d)", i)
		l.must(201, anAgent, "POST", "/v1/contacts", fmt.Sprintf(`{"name":%q,"phones":["+1555%07d"],"city":"a, \"b\""}`, name, i))
		want = append(want, name)
	}
	slices.Reverse(want)
	export := func(filter string) answer {
		t.Helper()
		file := l.must(201, aSenior, "POST", "/v1/exports", `{"target":"contacts","format":"csv","filter":`+filter+`}`)["file"].(string)
		return l.do(aSenior, "GET", file+"?min_position="+l.head(), "")
	}
	a := export(`{}`)
	all, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || a.status != 200 || len(all) != 231 || a.header.Get("Position") == "" {
		t.Fatalf("%d, %d lines, %v", a.status, len(all), err)
	}
	for i, name := range want {
		if row := all[i+1]; row[1] != "'"+name || row[3][0] != '\'' || row[5] != `a, "b"` {
			t.Errorf("line %d is %q, want %q", i+1, row, name)
		}
	}
	// What was exported can be imported: it says nothing new.
	if _, sum := l.importCSV(a.body); sum["unchanged"] != 230.0 {
		t.Errorf("imported again: %v", sum)
	}
	if a := export(`{"field":"name","op":"contains","value":"(44)"}`); strings.Count(a.body, "\n") != 2 {
		t.Errorf("filtered: %s", a.body)
	}
	l.must(400, aSenior, "POST", "/v1/exports", `{"target":"contacts","format":"csv","filter":{"field":"name"}}`)
}

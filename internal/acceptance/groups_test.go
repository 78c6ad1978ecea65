package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// members returns the ids of the contacts of a list of members.
func (c client) members(path string) (ids []string) {
	for _, m := range c.all(path) {
		ids = append(ids, m["id"].(string))
	}
	slices.Sort(ids)
	return ids
}

// chosen waits until a choice of the members of a group is made, and returns it.
func (c client) chosen(group string, choice int) (made map[string]any) {
	c.s.t.Helper()
	c.s.until(fmt.Sprint("choice ", choice, " is made"), func() bool {
		r, err := c.do("GET", "/v1/groups/"+group, "")
		if err != nil || r.status != 200 {
			return false
		}
		made, _ = r.object(c.s.t)["choice"].(map[string]any)
		return made != nil && made["choice"] == float64(choice) && made["state"] != "pending"
	})
	return made
}

// The revision that one answer about a group has is good for whatever is done to it
// next. Other groups do not matter, nor that the members are chosen as was asked for. An
// old one is refused, with what happened since.
func TestRevisionsOfGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		sue := s.token("supervisor", "Sue")
		s.start()
		contact := func(name string) string {
			return sue.must(201, "POST", "/v1/contacts", fmt.Sprintf(`{"name":%q,"city":"Rome"}`, name)).object(t)["id"].(string)
		}
		ana, bea := contact("Ana"), contact("Bea")
		choice := map[string]int{}
		settled := func(path string) { sue.chosen(strings.TrimPrefix(path, "/v1/groups/"), choice[path]) }
		made := func(body string) (path, tag string) {
			r := sue.must(201, "POST", "/v1/groups", body)
			path = "/v1/groups/" + r.object(t)["id"].(string)
			choice[path] = 1
			settled(path)
			return path, r.header.Get("ETag")
		}
		romans, tag := made(`{"name":"Romans","filter":{"field":"city","op":"eq","value":"Rome"}}`)
		friends, friendly := made(fmt.Sprintf(`{"name":"Friends","ids":[%q]}`, ana))
		first := map[string]string{romans: tag, friends: friendly}
		last := map[string]string{romans: tag, friends: friendly}
		position := ""
		do := func(status int, method, path, to, body string) {
			t.Helper()
			r := sue.must(status, method, path+to, body, "If-Match: "+last[path])
			last[path], position = r.header.Get("ETag"), r.header.Get("Position")
			if tag := fmt.Sprintf("\"%v\"", r.object(t)["revision"]); tag != last[path] {
				t.Errorf("%s %s: revision %s, ETag %s", method, to, tag, last[path])
			}
			if status == 202 {
				choice[path]++
				settled(path)
			}
			shown := sue.must(200, "GET", path+"?min_position="+position, "")
			if got := shown.header.Get("ETag"); got != last[path] || fmt.Sprintf("\"%v\"", shown.object(t)["revision"]) != got {
				t.Errorf("%s %s answered with %s, and then there is %s", method, to, last[path], got)
			}
		}
		for i := range 2 {
			do(200, "PATCH", romans, "", fmt.Sprintf(`{"name":"Romans %d"}`, i))
			do(202, "POST", romans, "/refresh", "")
			do(202, "PUT", friends, "/members", fmt.Sprintf(`{"ids":[%q]}`, bea))
			do(202, "POST", romans, "/refresh", "")
			do(200, "PATCH", friends, "", fmt.Sprintf(`{"name":"Friends %d"}`, i))
			do(200, "PATCH", romans, "", fmt.Sprintf(`{"filter":{"field":"name","op":"eq","value":"Ana %d"}}`, i))
			do(202, "PUT", friends, "/members", fmt.Sprintf(`{"ids":[%q]}`, ana))
			made(fmt.Sprintf(`{"name":"Another %d","filter":{}}`, i))
		}
		for _, g := range sue.must(200, "GET", "/v1/groups?min_position="+position, "").object(t)["items"].([]any) {
			path := "/v1/groups/" + dig(g, "id").(string)
			if tag, ok := last[path]; ok && fmt.Sprintf("\"%v\"", dig(g, "revision")) != tag {
				t.Errorf("the list has %v of %s, want %s", dig(g, "revision"), dig(g, "name"), tag)
			}
		}
		for _, stale := range []struct{ method, path, to, body string }{
			{"PATCH", romans, "", `{"name":"X"}`},
			{"POST", romans, "/refresh", ""},
			{"DELETE", romans, "", ""},
			{"PATCH", friends, "", `{"name":"X"}`},
			{"PUT", friends, "/members", fmt.Sprintf(`{"ids":[%q]}`, ana)},
		} {
			got := sue.must(412, stale.method, stale.path+stale.to, stale.body, "If-Match: "+first[stale.path]).object(t)
			since, _ := got["since"].([]any)
			if fmt.Sprintf("\"%v\"", got["revision"]) != last[stale.path] || float64(len(since)) != got["revision"] || dig(got, "since", 0, "revision") != 1.0 {
				t.Errorf("%s %s by the first revision: %v", stale.method, stale.to, got)
			}
		}
		sue.must(200, "DELETE", romans, "", "If-Match: "+last[romans])
		s.verifyAll()
	})
}

// A group goes through its life on the real server: made, looked at, refreshed,
// killed over, edited and deleted.
func TestGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		sue := s.token("supervisor", "Sue")
		s.start()
		at := func(r response) string { return "?min_position=" + r.header.Get("Position") }
		var last response
		contact := func(name, city string) string {
			last = sue.must(201, "POST", "/v1/contacts", fmt.Sprintf(`{"name":%q,"city":%q}`, name, city))
			return last.object(t)["id"].(string)
		}
		ana, bea, cid := contact("Ana", "Rome"), contact("Bea", "Rome"), contact("Cid", "Wien")
		const romans = `{"field":"city","op":"eq","value":"Rome"}`
		sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
		same := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}

		preview := sue.must(200, "POST", "/v1/groups/preview"+at(last), `{"filter":`+romans+`}`).object(t)
		if preview["count"] != 2.0 || preview["exact"] != true || len(preview["items"].([]any)) != 2 {
			t.Errorf("preview: %v", preview)
		}

		made := sue.must(201, "POST", "/v1/groups", `{"name":"Romans","filter":`+romans+`}`, "Idempotency-Key: g")
		again := sue.must(201, "POST", "/v1/groups", `{"name":"Romans","filter":`+romans+`}`, "Idempotency-Key: g")
		id := made.object(t)["id"].(string)
		if again.object(t)["id"] != id {
			t.Errorf("the repeat made another: %v", again.object(t))
		}
		first := sue.chosen(id, 1)
		if first["members"] != 2.0 || first["added"] != 2.0 || first["state"] != "made" {
			t.Errorf("first choice: %v", first)
		}
		path := "/v1/groups/" + id
		same("members", sue.members(path+"/members"), sorted(ana, bea))
		if got := sue.must(409, "POST", "/v1/groups", `{"name":"romans","filter":{}}`).object(t); got["code"] != "group.name_taken" {
			t.Errorf("the same name: %v", got)
		}

		// Somebody moves in, somebody away: the group is as it was until it is refreshed.
		sue.must(200, "PATCH", "/v1/contacts/"+bea, `{"city":"Wien"}`)
		moved := sue.must(200, "PATCH", "/v1/contacts/"+cid, `{"city":"Rome"}`)
		same("members before the refresh", sue.members(path+"/members"+at(moved)), sorted(ana, bea))
		diff := sue.must(200, "POST", path+"/refresh/preview"+at(moved), "").object(t)
		if dig(diff, "added", "count") != 1.0 || dig(diff, "added", "items", 0, "id") != cid || dig(diff, "removed", "count") != 1.0 || dig(diff, "removed", "items", 0, "id") != bea {
			t.Errorf("difference: %v", diff)
		}
		sue.must(202, "POST", path+"/refresh", "")
		second := sue.chosen(id, 2)
		if second["members"] != 2.0 || second["added"] != 1.0 || second["removed"] != 1.0 {
			t.Errorf("second choice: %v", second)
		}
		s.kill()
		s.start()
		same("members", sue.members(fmt.Sprint(path, "/members?min_position=", second["made_at_position"])), sorted(ana, cid))
		same("as of the first choice", sue.members(fmt.Sprint(path, "/members?as_of=", first["made_at_position"])), sorted(ana, bea))
		same("as of before", sue.members(fmt.Sprint(path, "/members?as_of=", first["made_at_position"].(float64)-1)), nil)
		same("added", sue.members(path+"/choices/2/changes?change=added"), []string{cid})
		same("removed", sue.members(path+"/choices/2/changes?change=removed"), []string{bea})
		if list := sue.all(path + "/choices"); len(list) != 2 || list[0]["choice"] != 2.0 {
			t.Errorf("choices: %v", list)
		}
		sue.must(400, "GET", path+"/members?as_of=0", "")
		if got := sue.must(400, "GET", path+"/members?as_of=99999999", "").object(t); got["code"] != "group.as_of_ahead" {
			t.Errorf("as of the future: %v", got)
		}

		why := sue.must(200, "GET", path+"/members/"+bea+"/why", "").object(t)
		if why["in"] != false || why["passes"] != false || dig(why, "filter", "has") != "Wien" || dig(why, "chosen", 0, "until_choice") != 2.0 || dig(why, "chosen", 0, "choice") != 1.0 {
			t.Errorf("why: %v", why)
		}
		why = sue.must(200, "GET", path+"/members/"+cid+"/why", "").object(t)
		if why["in"] != true || why["passes"] != true || dig(why, "chosen", 0, "position") != second["position"] || dig(why, "filter", "values", 0) != "Rome" {
			t.Errorf("why: %v", why)
		}

		// Merged and deleted contacts.
		sue.must(200, "POST", "/v1/contacts/"+ana+"/merge", fmt.Sprintf(`{"contact":%q}`, cid))
		gone := sue.must(200, "DELETE", "/v1/contacts/"+ana, "")
		same("after the deletion", sue.members(path+"/members"+at(gone)), nil)
		if got := sue.all(fmt.Sprint(path, "/members?as_of=", second["made_at_position"])); len(got) != 2 || got[0]["contact"] != nil {
			t.Errorf("as of the second choice: %v", got)
		}
		back := sue.must(200, "POST", "/v1/contacts/"+ana+"/restore", "")
		same("after the restore", sue.members(path+"/members"+at(back)), []string{ana})

		// Names, a dynamic group, and what a contact is in.
		named := sue.must(201, "POST", "/v1/groups", fmt.Sprintf(`{"name":"Friends","ids":[%q,%q,"nobody"]}`, ana, bea)).object(t)["id"].(string)
		if c := sue.chosen(named, 1); c["members"] != 2.0 || c["missing"] != 1.0 || c["named"] != 3.0 {
			t.Errorf("named: %v", c)
		}
		if got := sue.must(409, "POST", "/v1/groups/"+named+"/refresh", "").object(t); got["code"] != "group.named" {
			t.Errorf("refresh of names: %v", got)
		}
		sue.must(202, "PUT", "/v1/groups/"+named+"/members", fmt.Sprintf(`{"ids":[%q]}`, bea))
		if c := sue.chosen(named, 2); c["members"] != 1.0 || c["removed"] != 1.0 {
			t.Errorf("named anew: %v", c)
		}
		live := sue.must(201, "POST", "/v1/groups", `{"name":"Viennese","kind":"dynamic","filter":{"field":"city","op":"eq","value":"Wien"}}`)
		dynamic := "/v1/groups/" + live.object(t)["id"].(string)
		same("dynamic", sue.members(dynamic+"/members"+at(live)), []string{bea})
		if got := sue.must(409, "GET", dynamic+"/members?as_of=1", "").object(t); got["code"] != "group.dynamic_as_of" {
			t.Errorf("dynamic as of: %v", got)
		}
		if got := sue.must(200, "GET", dynamic, "").object(t); got["members"] != 1.0 || got["choice"] != nil {
			t.Errorf("dynamic: %v", got)
		}
		var in []string
		for _, g := range sue.must(200, "GET", "/v1/contacts/"+bea, "").object(t)["in_groups"].([]any) {
			in = append(in, g.(map[string]any)["name"].(string))
		}
		same("groups of Bea", in, []string{"Friends", "Viennese"})

		// Download.
		file := sue.must(201, "POST", "/v1/exports", fmt.Sprintf(`{"target":"contacts","format":"csv","columns":["name"],"filter":{"field":"group","op":"eq","value":%q}}`, id)).object(t)["file"].(string)
		if got := string(sue.must(200, "GET", file, "").body); got != "name\r\nAna\r\n" {
			t.Errorf("download: %q", got)
		}

		// Edit, then the end.
		sue.must(200, "PATCH", path, `{"name":"Former Romans"}`)
		edited := sue.must(200, "PATCH", path, `{"filter":{"field":"name","op":"eq","value":"Nobody"}}`)
		same("edited", sue.members(path+"/members"+at(edited)), []string{ana})
		sue.must(200, "DELETE", path, "")
		s.until("the group is gone and empty", func() bool {
			r, err := sue.do("GET", "/v1/contacts/"+ana, "")
			return err == nil && r.status == 200 && len(r.object(t)["groups"].([]any)) == 0
		})
		sue.must(404, "GET", path, "")
		var names []string
		for _, g := range sue.all("/v1/groups") {
			names = append(names, g["name"].(string))
		}
		same("groups", names, []string{"Friends", "Viennese"})
		if parked := s.run("reactors", "status"); strings.Contains(parked, "parked:") {
			t.Errorf("parked: %s", parked)
		}
		s.verifyAll()
	})
}

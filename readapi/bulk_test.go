package readapi_test

import (
	"fmt"
	"testing"
)

func TestBulkOverHTTP(t *testing.T) {
	l := newLedger(t)
	first, second := l.receive(acme, "15551", "hello"), l.receive(acme, "15552", "hello")
	preview := l.must(200, sue, "POST", "/v1/bulk/preview?min_position="+l.head(),
		fmt.Sprintf(`{"target":"chats","selection":{"filter":{"field":"status","op":"eq","value":"OPEN"},"except":[%q]}}`, first))
	if preview["count"] != 1.0 || preview["exact"] != true || preview.at("items.0.id") != second {
		t.Errorf("preview: %v", preview)
	}
	job := l.must(202, sue, "POST", "/v1/bulk", `{"action":"tag","target":"chats","tags":["Sale"],"selection":{"filter":{}}}`, "Idempotency-Key", "k")
	again := l.must(202, sue, "POST", "/v1/bulk", `{"action":"tag","target":"chats","tags":["Sale"],"selection":{"filter":{}}}`, "Idempotency-Key", "k")
	if job["id"] != again["id"] {
		t.Errorf("a repeat made another job: %v, %v", job, again)
	}
	path := "/v1/bulk/" + job["id"].(string)
	at := "?min_position=" + l.head()
	got := l.must(200, sue, "GET", path+at, "")
	if got["state"] != "selecting" || got["action"] != "tag" || got.at("tags.0") != "Sale" || got.at("progress.eta_seconds") != nil {
		t.Errorf("job: %v", got)
	}
	l.must(202, sue, "POST", path+"/cancel", "")
	l.must(202, sue, "POST", path+"/cancel", "")
	if got := l.must(409, sue, "POST", path+"/undo", ""); got["code"] != "bulk.running" {
		t.Errorf("undo: %v", got)
	}
	at = "?min_position=" + l.head()
	if got := l.must(200, sue, "GET", path+at, ""); got["state"] != "cancelling" || got["cancelled_by"] == nil {
		t.Errorf("cancelled: %v", got)
	}
	if list := l.must(200, sue, "GET", "/v1/bulk"+at, "").items(); len(list) != 1 {
		t.Errorf("list: %v", list)
	}
	if items := l.must(200, sue, "GET", path+"/items"+at, "").items(); len(items) != 0 {
		t.Errorf("items: %v", items)
	}
}

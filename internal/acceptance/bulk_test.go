package acceptance

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

var bulkChats = flag.Int("bulk.chats", 1_500, "chats that TestBulkCloseWhileAgentsWork closes")

// importChats puts n open chats into the log, each with a message, and returns
// their ids.
func (s *server) importChats(n int) (ids []string) {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "chats.ndjson")
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	began := time.Now().Add(-24 * time.Hour).UTC()
	for i := range n {
		id, at := uuid.New().String(), began.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano)
		ids = append(ids, id)
		customer := fmt.Sprintf("1555%07d", i)
		data := []string{
			fmt.Sprintf(`{"workspace":"acme","channel":"shop","customer":%q,"status":"OPEN","category":"open","at":%q}`, customer, at),
			fmt.Sprintf(`{"message":"m-%s","provider_id":"wamid.%s","profile_name":"Customer %d","content":{"kind":"text","text":"Where is parcel %d?"},"at":%q}`, id, id, i, i, at),
		}
		for r, typ := range []string{"chat.opened.v1", "chat.message_received.v1"} {
			fmt.Fprintf(w, `{"position":%d,"stream":"chat-%s","revision":%d,"id":%q,"type":%q,"recorded_at":%q,"data":%s,"metadata":{"workspace":"acme","actor":%q,"actor_kind":"customer","occurred_at":%q}}`+"\n",
				2*i+r+1, id, r, uuid.New(), typ, at, data[r], customer, at)
		}
	}
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.run("events", "import", path)
	return ids
}

// job is what GET /v1/bulk/{job} answers, as far as it matters here.
type job struct {
	State    string
	Items    int
	Outcomes map[string]int
	EndedAt  time.Time `json:"ended_at"`
	Progress struct {
		Items      int
		Done       int
		PerSecond  float64  `json:"per_second"`
		ETASeconds *float64 `json:"eta_seconds"`
	}
}

func (c client) job(path string) (j job, ok bool) {
	c.s.t.Helper()
	r, err := c.do("GET", path, "")
	if err != nil || r.status != 200 {
		return j, false
	}
	r.into(c.s.t, &j)
	return j, true
}

// items returns the ids of the items of a job with an outcome.
func (c client) items(path, outcome string) (ids []string) {
	for _, i := range c.all(path + "/items?outcome=" + outcome) {
		ids = append(ids, i["id"].(string))
	}
	return ids
}

// A supervisor closes every open chat while 16 agents work on them, and the server
// is killed twice in the middle. Each chat is closed, or was changed by somebody
// since the selection; nobody's change is lost; then the undo brings back all but
// what was touched since.
func TestBulkCloseWhileAgentsWork(t *testing.T) {
	const agents = 16
	onBoth(t, func(t *testing.T, s *server) {
		n := *bulkChats
		ids := s.importChats(n)
		sue, agent := s.token("supervisor", "Sue"), s.token("agent", "Ann")
		s.start()
		s.until("the inbox shows all", func() bool {
			r, err := sue.do("GET", "/v1/chats/counts", "")
			return err == nil && r.status == 200 && int(r.object(t)["all"].(float64)) == n
		})

		var mu sync.Mutex
		notes := map[string]string{} // that were acknowledged, and their chats
		var stop atomic.Bool
		var working sync.WaitGroup
		for a := range agents {
			working.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(a), 7))
				for i := 0; !stop.Load(); i++ {
					id, text := ids[rnd.IntN(n)], fmt.Sprintf("note %d of %d", i, a)
					r, err := agent.do("POST", "/v1/chats/"+id+"/notes", fmt.Sprintf(`{"text":%q}`, text))
					if err == nil && r.status == 201 {
						mu.Lock()
						notes[text] = id
						mu.Unlock()
					}
					time.Sleep(50 * time.Millisecond) // people are slower
				}
			})
		}
		halt := sync.OnceFunc(func() { stop.Store(true); working.Wait() })
		defer halt()

		asked := time.Now()
		path := "/v1/bulk/" + sue.must(202, "POST", "/v1/bulk",
			`{"action":"close","target":"chats","selection":{"filter":{"field":"status_category","op":"eq","value":"open"}}}`).object(t)["id"].(string)
		var after time.Time // of the last kill
		type guess struct {
			at, end time.Time
			done    int
		}
		var guesses []guess
		for _, share := range []int{5, 2} {
			s.until("a part is done", func() bool {
				j, ok := sue.job(path)
				return ok && j.Items > 0 && j.Progress.Done >= min(n/share, n-500)
			})
			s.kill()
			s.start()
			after = time.Now()
		}
		var end job
		s.until("the job has finished", func() bool {
			j, ok := sue.job(path)
			if eta := j.Progress.ETASeconds; ok && eta != nil {
				now := time.Now()
				guesses = append(guesses, guess{now, now.Add(time.Duration(*eta * float64(time.Second))), j.Progress.Done})
			}
			end = j
			return ok && j.State == "finished"
		})
		took := time.Since(asked)
		t.Logf("%d chats closed in %.1f s with two kills, %.0f a second by the job's own count", end.Outcomes["done"], took.Seconds(), end.Progress.PerSecond)
		worked := s.bulkWork()
		near, all := 0, 0 // guesses within 20 % of what was left, unless that was less than a second
		for i, g := range guesses {
			if left := end.EndedAt.Sub(g.at); left >= time.Second {
				all++
				if g.end.Sub(end.EndedAt).Abs() <= left/5 {
					near++
				}
			}
			if i%max(1, len(guesses)/8) == 0 {
				t.Logf("%.1f s after the last kill, %.1f s were left; the ETA was %.1f s; %d were done and %d shown",
					g.at.Sub(after).Seconds(), end.EndedAt.Sub(g.at).Seconds(), g.end.Sub(g.at).Seconds(), worked(g.at), g.done)
			}
		}

		t.Logf("%d of %d guesses were within 20 %%", near, all)

		if o := end.Outcomes; o["done"]+o["conflict"] != n || o["waiting"] != 0 || end.Items != n || o["done"] == 0 {
			t.Fatalf("outcomes %v of %d", o, n)
		}
		done, conflicts := sue.items(path, "done"), sue.items(path, "conflict")
		if len(done) != end.Outcomes["done"] || len(conflicts) != end.Outcomes["conflict"] {
			t.Errorf("%d done and %d conflicts are listed of %v", len(done), len(conflicts), end.Outcomes)
		}

		// The undo, while agents still work.
		sue.must(202, "POST", path+"/undo", "")
		s.until("the job is undone", func() bool {
			j, ok := sue.job(path)
			end = j
			return ok && j.State == "undone"
		})
		halt()
		if o := end.Outcomes; o["undone"]+o["touched"] != len(done) || o["conflict"] != len(conflicts) || o["done"] != 0 {
			t.Errorf("after the undo %v; %d had been done", o, len(done))
		}
		touched := sue.items(path, "touched")
		t.Logf("undone %d, touched %d, conflicts %d; undo at %.0f a second", end.Outcomes["undone"], len(touched), len(conflicts), end.Progress.PerSecond)

		s.checkBulk(done, conflicts, touched, notes)
		s.verifyAll()
	})
}

// bulkWork returns how many items the log says were worked by a time.
func (s *server) bulkWork() func(time.Time) int {
	s.t.Helper()
	type chunk struct {
		at    time.Time
		items int
	}
	var chunks []chunk
	for _, e := range s.events() {
		if e["type"] != "bulk.worked.v1" {
			continue
		}
		data := e["data"].(map[string]any)
		at, err := time.Parse(time.RFC3339, data["at"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		chunks = append(chunks, chunk{at, len(data["items"].([]any))})
	}
	return func(by time.Time) (n int) {
		for _, c := range chunks {
			if !c.at.After(by) {
				n += c.items
			}
		}
		return n
	}
}

// checkBulk looks at the log: what was closed had nothing between the selection and
// the close, what is a conflict had; every acknowledged note is there.
func (s *server) checkBulk(done, conflicts, touched []string, notes map[string]string) {
	s.t.Helper()
	types, texts := map[string][]string{}, map[string]bool{}
	for _, e := range s.events() {
		id, ok := strings.CutPrefix(e["stream"].(string), "chat-")
		if !ok {
			continue
		}
		typ := e["type"].(string)
		types[id] = append(types[id], typ)
		if data := e["data"].(map[string]any); typ == "chat.note_added.v1" {
			texts[data["text"].(string)] = true
		}
	}
	for text := range notes {
		if !texts[text] {
			s.t.Errorf("%q was acknowledged and is not in the log", text)
		}
	}
	touchedSet := map[string]bool{}
	for _, id := range touched {
		touchedSet[id] = true
	}
	for _, id := range done {
		list := types[id]
		closed, reopened := slices.Index(list, "chat.closed.v1"), slices.Index(list, "chat.reopened.v1")
		switch {
		case closed < 0 || slices.Contains(list[closed+1:], "chat.closed.v1"):
			s.t.Errorf("%s is done, and was not closed once: %v", id, list)
		case touchedSet[id] && (reopened >= 0 || closed == len(list)-1):
			s.t.Errorf("%s is touched: %v", id, list)
		case !touchedSet[id] && reopened != closed+1:
			s.t.Errorf("%s was undone over something else: %v", id, list)
		}
	}
	for _, id := range conflicts {
		if list := types[id]; slices.Contains(list, "chat.closed.v1") || !slices.Contains(list, "chat.note_added.v1") {
			s.t.Errorf("%s is a conflict: %v", id, list)
		}
	}
}

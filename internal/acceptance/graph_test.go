package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// graph stands in for Meta's Graph API: it takes text messages as documented for
// POST /{phone-number-id}/messages and calls the n-th one wamid.OUTn.
type graph struct {
	*httptest.Server
	mu    sync.Mutex
	texts []string
}

func newGraph(t *testing.T) *graph {
	g := &graph{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Product string `json:"messaging_product"`
			To      string `json:"to"`
			Type    string `json:"type"`
			Text    struct {
				Body string `json:"body"`
			} `json:"text"`
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		if err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/"+phoneNumber+"/messages") ||
			r.Header.Get("Authorization") != "Bearer access" || in.Product != "whatsapp" || in.Type != "text" {
			t.Errorf("the provider got %s %s %+v: %v", r.Method, r.URL.Path, in, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		g.mu.Lock()
		g.texts = append(g.texts, in.Text.Body)
		n := len(g.texts)
		g.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":%q}],"messages":[{"id":"wamid.OUT%d"}]}`, in.To, in.To, n)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *graph) sent() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.texts)
}

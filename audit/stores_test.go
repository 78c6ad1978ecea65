package audit

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
	"github.com/chatledger/chatledger/eventstore/gateway/gatewaytest"
	"github.com/chatledger/chatledger/eventstore/kurrent"
	"github.com/chatledger/chatledger/internal/sqldb"
)

// The tree does not care how a log numbers its events, nor over what wire it comes.
func TestOtherLogs(t *testing.T) {
	for name, open := range map[string]func(*testing.T) eventstore.Store{
		"holes": func(t *testing.T) eventstore.Store {
			return eventstoretest.Sparse(newLog(t, 0), func(bool) error { return errors.New("there is no event at this position") })
		},
		"kurrent": func(t *testing.T) eventstore.Store {
			s, err := kurrent.Open(t.Context(), gatewaytest.Start(t, newLog(t, 0), true).Connection(gatewaytest.Writer, ""))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, keys := open(t), &keyring{}
			db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "audit.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, n := range []int{1, 1, 255, 50} { // the tree is opened anew each time
				appendEvents(t, store, n)
				grow(t, openTree(t, config(store, db, keys)))
			}
			tree := openTree(t, config(store, db, keys))
			head, err := store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s, err := tree.Status(t.Context()); err != nil || s.Problem != nil || s.Size != 307 || s.Position != head.Position {
				t.Fatalf("%+v, %v", s, err)
			}
			key, err := tree.Key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := tree.NewBundle(t.Context(), BundleQuery{Chat: "1", Streams: []string{"chat-1"}, AsOf: head.Position})
			var text bytes.Buffer
			if err == nil {
				err = b.Write(t.Context(), &text)
			}
			if err != nil {
				t.Fatal(err)
			}
			v, err := VerifyBundle(&text, key, nothing)
			if err != nil || v.Streams[0].Events < 100 {
				t.Errorf("%+v, %v", v, err)
			}
			log, err := VerifyLog(store.ReadAll(t.Context(), eventstore.AllQuery{}), []Checkpoint{v.Checkpoint}, nil)
			if err != nil || log.Signed != 307 {
				t.Errorf("%+v, %v", log, err)
			}
		})
	}
}

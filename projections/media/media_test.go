package media_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
	"github.com/chatledger/chatledger/internal/sqldb"
	"github.com/chatledger/chatledger/internal/testenv"
	"github.com/chatledger/chatledger/projections"
	"github.com/chatledger/chatledger/projections/media"
	"github.com/chatledger/chatledger/projections/views/viewstest"
)

func at(s int) time.Time { return time.Unix(1_790_000_000+int64(s), 0).UTC() }

func us(s int) int64 { return at(s).UnixMicro() }

func TestMedia(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{media.New}, func(t *testing.T, l *viewstest.Ledger) {
		receive := func(s int, id string, m *chat.Media) {
			l.Record(t, "chat-c1", chat.MessageReceived{
				Message: chat.MessageID(id), ProviderID: "wamid." + id, At: at(s), Content: chat.Content{Kind: "document", Text: "see", Media: m},
			})
		}
		receive(0, "m1", &chat.Media{ID: "1", MIMEType: "application/pdf", Filename: "order.pdf"})
		receive(1, "m2", &chat.Media{ID: "2", MIMEType: "text/html"})
		receive(2, "m3", nil)
		check := func(want ...media.File) {
			t.Helper()
			l.Read(t, func(tx sqldb.Tx) {
				got, err := media.Of(t.Context(), tx, "acme", "c1", []string{"m1", "m2", "m3", "m4", "m5"})
				if err != nil {
					t.Fatal(err)
				}
				all := map[string]media.File{}
				for _, f := range want {
					all[f.Message] = f
					one, err := media.Get(t.Context(), tx, "acme", "c1", f.Message)
					if diff := cmp.Diff(f, one); err != nil || diff != "" {
						t.Errorf("%v (-want +got):\n%s", err, diff)
					}
				}
				if diff := cmp.Diff(all, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
		m1 := media.File{Key: media.Key{Chat: "c1", Message: "m1"}, Workspace: "acme", Kind: "document", Filename: "order.pdf", State: "fetching", MIMEType: "application/pdf", At: us(0)}
		m2 := media.File{Key: media.Key{Chat: "c1", Message: "m2"}, Workspace: "acme", Kind: "document", State: "fetching", MIMEType: "text/html", At: us(1)}
		check(m1, m2)

		l.Record(t, "chat-c1", chat.MediaStored{Message: "m1", SHA256: "ab", Size: 5, MIMEType: "application/pdf", At: at(3)})
		l.Record(t, "chat-c1", chat.MediaFailed{Message: "m2", Code: chat.MediaGone, Reason: "it is gone", At: at(4)})
		m1.State, m1.SHA256, m1.Size, m1.At = "stored", "ab", 5, us(3)
		m2.State, m2.Code, m2.Reason, m2.At = "failed", "gone", "it is gone", us(4)
		check(m1, m2)

		l.Record(t, "chat-c1", chat.MediaRequested{Message: "m2", By: "ann", At: at(5)})
		m2.State, m2.Code, m2.Reason, m2.At = "fetching", "", "", us(5)
		check(m1, m2)
		l.Record(t, "chat-c1", chat.MediaStored{Message: "m2", SHA256: "cd", Size: 6, MIMEType: "application/octet-stream", At: at(6)})
		m2.State, m2.SHA256, m2.Size, m2.MIMEType, m2.At = "stored", "cd", 6, "application/octet-stream", us(6)
		check(m1, m2)

		// What is sent is kept from the beginning.
		l.Record(t, "chat-c1", chat.MessageQueued{Message: "m4", Text: "the bill", By: "ann", At: at(7), Media: &chat.FileUse{
			ID: "f1", Kind: "document", SHA256: "ef", Size: 7, MIMEType: "application/pdf", Filename: "bill.pdf",
		}})
		l.Record(t, "chat-c1", chat.MessageQueued{Message: "m5", Text: "no file", By: "ann", At: at(8)})
		check(m1, m2, media.File{
			Key: media.Key{Chat: "c1", Message: "m4"}, Workspace: "acme", Kind: "document", Filename: "bill.pdf", State: "stored",
			SHA256: "ef", Size: 7, MIMEType: "application/pdf", At: us(7),
		})

		l.Read(t, func(tx sqldb.Tx) {
			for _, key := range [][3]string{{"other", "c1", "m1"}, {"acme", "c2", "m1"}, {"acme", "c1", "m3"}, {"acme", "c1", "\x00"}} {
				if _, err := media.Get(t.Context(), tx, key[0], key[1], key[2]); !errors.Is(err, chat.ErrMediaNotFound) {
					t.Errorf("%q: %v", key, err)
				}
			}
			if got, err := media.Of(t.Context(), tx, "other", "c1", []string{"m1"}); len(got) != 0 || err != nil {
				t.Errorf("a stranger sees %v, %v", got, err)
			}
		})
	})
}

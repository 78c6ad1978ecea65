package visitor_test

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
	"github.com/chatledger/chatledger/projections/views/viewstest"
	"github.com/chatledger/chatledger/projections/visitor"
)

func TestGet(t *testing.T) {
	parts := viewstest.Parts{
		Log:      func() eventstore.Store { return memory.New(time.Now) },
		Postgres: testenv.Postgres,
		Now:      time.Now,
	}
	viewstest.OnBoth(t, parts, []func() projections.Projection{visitor.New}, func(t *testing.T, l *viewstest.Ledger) {
		opened := chat.Opened{Workspace: "acme", Channel: "ch", Customer: viewstest.Customer, Status: "OPEN", Category: "open", At: sec(50)}
		l.Record(t, "chat-1", opened, message(50, "Ana"))
		l.Record(t, "chat-2", opened, message(50, "Ana"), chat.DetailsShared{
			Reason: chat.ByAgent, Name: "Ana Lima", Phones: []string{"+1999"}, Emails: []string{"a@x"}, By: "ann", At: sec(60),
		})
		l.Read(t, func(tx sqldb.Tx) {
			p, err := visitor.Get(t.Context(), tx, "acme", "1")
			if err != nil {
				t.Fatal(err)
			}
			phone := visitor.Field{Value: "+15551230001", Source: visitor.Source{Kind: "channel", By: viewstest.Customer, ByKind: "customer", At: us(50)}}
			if diff := cmp.Diff(phone, p.Phone); diff != "" || p.Row.Phone != phone.Value || p.Name != "Ana" || p.IsContact {
				t.Errorf("profile %+v, phone (-want +got):\n%s", p, diff)
			}
			if p, err = visitor.Get(t.Context(), tx, "acme", "2"); err != nil {
				t.Fatal(err)
			}
			typed := p.Fields.Name.Source
			if p.Phone != (visitor.Field{Value: "+1999", Source: typed}) || typed.By != "ann" || p.Name != "Ana Lima" || !p.IsContact ||
				len(p.Emails) != 1 || p.Emails[0] != (visitor.Field{Value: "a@x", Source: typed}) {
				t.Errorf("profile %+v", p)
			}
			for _, at := range [][2]string{{"other", "1"}, {"acme", "3"}, {"acme", "\x00"}} {
				if _, err := visitor.Get(t.Context(), tx, at[0], at[1]); !errors.Is(err, visitor.ErrNotFound) {
					t.Errorf("get %q: %v, want %v", at, err, visitor.ErrNotFound)
				}
			}
		})
		l.Verify(t)
	})
}

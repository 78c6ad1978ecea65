package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chatledger/chatledger/commands"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/memory"
)

// meddler is a store on which somebody else does something right after an append
// to a stream, once.
type meddler struct {
	eventstore.Store
	stream string
	meddle func()
}

func (m *meddler) Append(ctx context.Context, stream string, want eventstore.Revision, events ...eventstore.Event) (eventstore.Result, error) {
	res, err := m.Store.Append(ctx, stream, want, events...)
	if do := m.meddle; do != nil && stream == m.stream {
		m.meddle = nil
		do()
	}
	return res, err
}

// Of two who merge a contact into another at once, one is refused. That leaves no
// trace, and the repeat of the request is refused, too, whatever happened since.
func TestAMergeThatIsTooLate(t *testing.T) {
	ctx := t.Context()
	log := memory.New(time.Now)
	m := &meddler{Store: log}
	late, quick := commands.New(m, commands.Options{Now: time.Now}), commands.New(log, commands.Options{Now: time.Now})
	add := func(name string) contact.ID {
		res, err := quick.Contacts.Add(ctx, keyed(ann, name, "{}"), contact.Add{
			Workspace: acme, Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}},
			Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: time.Unix(1, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		return contact.ID(res.ID)
	}
	x, y, z := add("x"), add("y"), add("z")
	merge := contact.Merge{By: "ann", At: time.Unix(2, 0)}
	m.stream, m.meddle = "contact-"+string(x), func() {
		if _, err := quick.Contacts.Merge(ctx, keyed(ann, "quick", "{}"), z, y, merge); err != nil {
			t.Error(err)
		}
	}
	apart := func(when string) {
		t.Helper()
		res, err := late.Contacts.Merge(ctx, keyed(ann, "late", "{}"), x, y, merge)
		if !errors.Is(err, contact.ErrMerged) || res.Changed {
			t.Errorf("%s: %+v, %v; want %v", when, res, err, contact.ErrMerged)
		}
		err = late.Contacts.Look(ctx, acme, x, func(s contact.State) error {
			if len(s.Absorbed) > 0 {
				t.Errorf("%s: it still has %v", when, s.Absorbed)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	apart("too late")
	apart("again")
	if _, err := quick.Contacts.Unmerge(ctx, keyed(ann, "undo", "{}"), z, y, contact.Unmerge{By: "ann", At: time.Unix(3, 0)}); err != nil {
		t.Fatal(err)
	}
	apart("again, when it could be done")
	err := quick.Contacts.Look(ctx, acme, y, func(s contact.State) error {
		if s.Into != "" {
			t.Errorf("it was merged into %s, which knows nothing of it", s.Into)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The repeat of a request that made a contact finds it, also if the number is
// somebody else's by now.
func TestAContactIsMadeOnce(t *testing.T) {
	ctx := t.Context()
	log := memory.New(time.Now)
	add := func() (commands.Result, error) {
		c := commands.New(log, commands.Options{Now: time.Now})
		return c.Contacts.Add(ctx, keyed(ann, "add", "{}"), contact.Add{
			Workspace: acme, Changes: []contact.Change{{Field: contact.Phones, Values: []string{"+15551230001"}}},
			Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: time.Unix(1, 0),
		})
	}
	first, err := add()
	if err != nil {
		t.Fatal(err)
	}
	c := commands.New(log, commands.Options{Now: time.Now})
	_, err = c.Contacts.Edit(ctx, by(ann), contact.ID(first.ID), contact.Edit{
		Changes: []contact.Change{{Field: contact.Phones, Values: []string{"+15551230002"}}},
		By:      "ann", At: time.Unix(2, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := add(); err != nil || again != first {
		t.Errorf("again: %+v, %v; want %+v", again, err, first)
	}
}

// What a merge says of its position is where it has taken effect.
func TestAMergeIsWhereItTakesEffect(t *testing.T) {
	ctx := t.Context()
	log := memory.New(time.Now)
	c := commands.New(log, commands.Options{Now: time.Now})
	var made []contact.ID
	for _, name := range []string{"x", "y"} {
		res, err := c.Contacts.Add(ctx, keyed(ann, name, "{}"), contact.Add{
			Workspace: acme, Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}},
			Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: time.Unix(1, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, contact.ID(res.ID))
	}
	res, err := c.Contacts.Merge(ctx, by(ann), made[0], made[1], contact.Merge{By: "ann", At: time.Unix(2, 0)})
	if err != nil {
		t.Fatal(err)
	}
	head, err := log.Head(ctx)
	if err != nil || res.Position != head.Position || !res.Changed {
		t.Errorf("%+v, the log ends at %d, %v", res, head.Position, err)
	}
}

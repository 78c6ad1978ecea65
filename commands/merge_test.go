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
	x, y, z := newContact(t, quick, "x"), newContact(t, quick, "y"), newContact(t, quick, "z")
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
	x, y := newContact(t, c, "x"), newContact(t, c, "y")
	res, err := c.Contacts.Merge(ctx, by(ann), x, y, contact.Merge{By: "ann", At: time.Unix(2, 0)})
	if err != nil {
		t.Fatal(err)
	}
	head, err := log.Head(ctx)
	if err != nil || res.Position != head.Position || !res.Changed {
		t.Errorf("%+v, the log ends at %d, %v", res, head.Position, err)
	}
}

// Unblocking a contact unblocks those that were blocked before they were merged into it.
// What is interrupted has no effect yet, and its repeat completes it.
func TestUnblockingReachesAllParts(t *testing.T) {
	log := memory.New(time.Now)
	m := &meddler{Store: log}
	c := commands.New(m, commands.Options{Now: time.Now})
	x, y, z := newContact(t, c, "x"), newContact(t, c, "y"), newContact(t, c, "z")
	for _, id := range []contact.ID{y, z} {
		if _, err := c.Contacts.Block(t.Context(), by(ann), id, contact.Block{By: "ann", Reason: "spam", At: time.Unix(2, 0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Contacts.Merge(t.Context(), by(ann), x, id, contact.Merge{By: "ann", At: time.Unix(3, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	blocked := func() (n int) {
		for _, id := range []contact.ID{x, y, z} {
			err := c.Contacts.Look(t.Context(), acme, id, func(s contact.State) error {
				if s.Blocked {
					n++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	unblock := func(ctx context.Context, key string) (commands.Result, error) {
		return c.Contacts.Unblock(ctx, keyed(ann, key, "{}"), x, contact.Unblock{By: "ann", At: time.Unix(4, 0)})
	}
	stale := keyed(ann, "stale", "{}")
	stale.IfMatch = new(eventstore.Revision)
	if _, err := c.Contacts.Unblock(t.Context(), stale, x, contact.Unblock{By: "ann", At: time.Unix(4, 0)}); err == nil || blocked() != 2 {
		t.Errorf("a stale one: %v, %d are blocked", err, blocked())
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.stream, m.meddle = "contact-"+string(x), cancel
	if _, err := unblock(ctx, "key"); err == nil || blocked() != 2 {
		t.Errorf("interrupted: %v, %d are blocked", err, blocked())
	}
	first, err := unblock(t.Context(), "key")
	head, _ := log.Head(t.Context())
	if err != nil || blocked() != 0 || !first.Changed || first.ID != string(x) || first.Position != head.Position {
		t.Errorf("again: %+v, %v, %d are blocked", first, err, blocked())
	}
	if other, err := unblock(t.Context(), "other"); err != nil || other.Changed {
		t.Errorf("once more: %+v, %v", other, err)
	}

	// A repeat does nothing new.
	if _, err := c.Contacts.Unmerge(t.Context(), by(ann), x, y, contact.Unmerge{By: "ann", At: time.Unix(5, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Contacts.Block(t.Context(), by(ann), y, contact.Block{By: "ann", At: time.Unix(6, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Contacts.Merge(t.Context(), by(ann), x, y, contact.Merge{By: "ann", At: time.Unix(7, 0)}); err != nil {
		t.Fatal(err)
	}
	if again, err := unblock(t.Context(), "key"); err != nil || again.Revision != first.Revision || blocked() != 1 {
		t.Errorf("the repeat: %+v, %v, %d are blocked", again, err, blocked())
	}
}

// newContact adds a contact with a name.
func newContact(t *testing.T, c *commands.Commands, name string) contact.ID {
	t.Helper()
	res, err := c.Contacts.Add(t.Context(), keyed(ann, name, "{}"), contact.Add{
		Workspace: acme, Changes: []contact.Change{{Field: contact.Name, Values: []string{name}}},
		Source: contact.Source{Reason: contact.ByAgent, By: "ann"}, At: time.Unix(1, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	return contact.ID(res.ID)
}

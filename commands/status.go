package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chatledger/chatledger/domain/chat"
	"github.com/chatledger/chatledger/domain/contact"
	"github.com/chatledger/chatledger/domain/status"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/ids"
)

// Statuses runs the commands of package status. All statuses of a workspace are in
// one stream; a Result's ID is the workspace's, but of Create that of a status that
// was there already.
type Statuses struct {
	statuses *aggregate[status.State, status.Event]
	store    eventstore.Store
}

// Create adds a status. Its id is a slug of the name in upper case.
func (c Statuses) Create(ctx context.Context, o Origin, cmd status.Create) (Result, error) {
	var about subject
	return c.statuses.doAbout(ctx, o, "status.create", o.Workspace, &about, func(_ context.Context, s status.State) ([]status.Event, error) {
		cmd := cmd // for another decision the id may be another
		if id, ok := s.Lookup(cmd.Name); ok && cmd.Status == "" {
			cmd.Status = id
		} else if cmd.Status == "" {
			cmd.Status = status.ID(strings.ToUpper(freeSlug(cmd.Name, func(id string) bool { _, used := s.Lookup(id); return used })))
		}
		about.id = string(cmd.Status)
		return cmd.Decide(s)
	})
}

// Change does some things to a status: all of them, as one decision, or none.
func (c Statuses) Change(ctx context.Context, o Origin, changes ...func(status.State) ([]status.Event, error)) (Result, error) {
	return c.statuses.do(ctx, o, "status.change", o.Workspace, together(changes))
}

// Archive takes a status out of use. If chats or contacts have it or had it, it has to
// be remapped.
//
// Whoever gives something a status notes that in the stream of the statuses first, so
// that nothing gets one that is being archived. What had it before such notes were
// taken is found in the log.
func (c Statuses) Archive(ctx context.Context, o Origin, cmd status.Archive) (Result, error) {
	if cmd.RemapTo == "" {
		used := false
		err := c.statuses.with(ctx, o.Workspace, func(s status.State) error {
			item, known := s.Get(cmd.Status)
			used = !known || item.Used || item.Archived
			return nil
		})
		if err == nil && !used {
			cmd.InUse, err = c.wasGiven(ctx, o.Workspace, cmd.Status)
		}
		if err != nil {
			return Result{}, err
		}
	}
	return c.statuses.do(ctx, o, "status.archive", o.Workspace, decides(cmd.Decide))
}

// Restore takes an archived status back into use.
func (c Statuses) Restore(ctx context.Context, o Origin, cmd status.Restore) (Result, error) {
	return c.statuses.do(ctx, o, "status.restore", o.Workspace, decides(cmd.Decide))
}

// wasGiven returns what had a status first, a chat or a contact; "" if nothing ever did.
func (c Statuses) wasGiven(ctx context.Context, workspace string, id status.ID) (status.Holder, error) {
	q := eventstore.AllQuery{Categories: []string{"chat", "contact"}, Types: []string{
		contact.Added{}.EventType(), contact.StatusSet{}.EventType(),
		chat.Opened{}.EventType(), chat.StatusSet{}.EventType(), chat.Closed{}.EventType(), chat.Reopened{}.EventType(),
	}}
	for r, err := range c.store.ReadAll(ctx, q) {
		if err != nil {
			return "", fmt.Errorf("%w: look for chats with a status: %w", ErrUnavailable, err)
		}
		if r.IsMark() {
			continue
		}
		var given struct {
			Status status.ID `json:"status"`
		}
		if err := json.Unmarshal(r.Data, &given); err != nil {
			return "", fmt.Errorf("decode %s: %w", r.Type, err)
		}
		if given.Status != id {
			continue
		}
		meta, err := eventstore.DecodeMetadata(r)
		if err != nil {
			return "", err
		}
		if meta.Workspace == workspace {
			if r.Category() == "contact" {
				return status.Contacts, nil
			}
			return status.Chats, nil
		}
	}
	return "", nil
}

// give decides which status a chat gets that has another one at present: the one
// with this id or name, or of those that choose gives for none. What the chat shows
// already is no event. The first time that a status is given is noted before.
func (c Statuses) give(ctx context.Context, o Origin, chatState chat.State, nameOrID string, choose func(status.State) status.Item, decide func(status.Item) ([]chat.Event, error)) ([]chat.Event, error) {
	var item status.Item
	shown := false
	err := c.statuses.with(ctx, o.Workspace, func(s status.State) error {
		if nameOrID == "" {
			item = choose(s)
		} else if found, ok := s.Find(nameOrID); ok {
			item = found
		} else {
			return status.ErrNotFound
		}
		shown = chatState.Status != string(item.ID) && s.Resolve(status.ID(chatState.Status)) == item.ID
		return nil
	})
	if err != nil {
		return nil, err
	}
	events, err := decide(item)
	if err != nil || len(events) == 0 || shown {
		return nil, err
	}
	return events, c.use(ctx, o, item, status.Chats)
}

// use notes the first time that a status is given to a chat, or to a contact.
func (c Statuses) use(ctx context.Context, o Origin, item status.Item, of status.Holder) error {
	if item.Noted(of) {
		return nil
	}
	once := ids.Command("use status", o.Workspace, string(item.ID), string(of)) // whoever is first
	_, err := c.statuses.do(ctx, o.part(once), "status.use", o.Workspace, decides(status.Use{Status: item.ID, Of: of}.Decide))
	return err
}

// find returns the status with this id or name.
func (c Statuses) find(ctx context.Context, workspace, nameOrID string) (item status.Item, err error) {
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		found, ok := s.Find(nameOrID)
		if !ok {
			return status.ErrNotFound
		}
		item = found
		return nil
	})
	return item, err
}

// initial returns the status that new and reopened chats get.
func (c Statuses) initial(ctx context.Context, workspace string) (item status.Item, err error) {
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		item = s.Default()
		return nil
	})
	return item, err
}

// closing returns the status to close a chat with.
func (c Statuses) closing(ctx context.Context, workspace, nameOrID string) (item status.Item, err error) {
	if nameOrID != "" {
		return c.find(ctx, workspace, nameOrID)
	}
	err = c.statuses.with(ctx, workspace, func(s status.State) error {
		item = s.FirstClosed()
		return nil
	})
	return item, err
}

package bulk

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/text"
)

// Request asks for a job.
type Request struct {
	Workspace string
	Action    Action
	Target    string   // chats, contacts or orders
	IDs       []string // the items, or nil if a filter chooses them
	Filter    []byte   // JSON; nil if IDs name the items
	Except    []string
	Status    string
	Agent     string
	Tags      []string
	Reason    string
	Untouched time.Time // if set: leave alone what anything happened to after it
	By        string
	At        time.Time
}

// Decide implements the command.
func (c Request) Decide(s State) ([]Event, error) {
	if s.Phase != "" {
		return nil, nil // the same id: the same request
	}
	for _, check := range []func() error{c.checkSelection, c.checkParameters, func() error { return reasonText.Check(c.Reason) }} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if c.By == "" {
		return nil, ErrBy
	}
	e := Requested{
		Workspace: c.Workspace, Action: c.Action, Target: c.Target, Filter: json.RawMessage(c.Filter),
		Status: c.Status, Agent: c.Agent, Tags: slices.Clone(c.Tags), Reason: c.Reason, Untouched: c.Untouched, By: c.By, At: c.At,
		IDs: distinct(c.IDs), Except: distinct(c.Except),
	}
	return []Event{e}, nil
}

func distinct(ids []string) []string {
	list := slices.Clone(ids)
	slices.Sort(list)
	return slices.Compact(list)
}

func (c Request) checkSelection() error {
	switch {
	case !slices.Contains([]filter.Target{filter.Chats, filter.Contacts, filter.Orders}, filter.Target(c.Target)):
		return ErrTarget
	case !Takes(filter.Target(c.Target), c.Action):
		return ErrTargetAction
	case (len(c.IDs) > 0) == (c.Filter != nil):
		return ErrSelection
	case len(c.IDs) > MaxIDs:
		return ErrTooManyIDs
	case len(c.Except) > MaxIDs:
		return ErrTooManyExcept
	case slices.ContainsFunc(append(slices.Clone(c.IDs), c.Except...), func(id string) bool { return id == "" || len(id) > 200 || !text.Clean(id) }):
		return ErrID
	}
	f, err := filter.Parse(filter.Target(c.Target), c.Filter)
	if err == nil && c.Action == Restore {
		err = f.OfDeleted()
	}
	return InSelection(err)
}

// Takes reports whether an action can be done to what a target has. Of an action that
// there is not, checkParameters tells.
func Takes(t filter.Target, a Action) bool {
	switch t {
	case filter.Contacts:
		return a != Close
	case filter.Orders:
		return !slices.Contains([]Action{Close, SetStatus, Delete, Restore}, a)
	case filter.Chats:
	}
	return true
}

// InSelection returns a refusal of a filter as one of a selection.
func InSelection(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	return f.At("selection." + f.Field)
}

// checkParameters refuses what the action lacks, and what it does not take.
func (c Request) checkParameters() error {
	status, agent, tags := c.Status != "", c.Agent != "", len(c.Tags) > 0
	wants := func(s, a, t bool) error {
		switch {
		case status && !s:
			return ErrParameter.At("status")
		case agent && !a:
			return ErrParameter.At("agent")
		case tags && !t:
			return ErrParameter.At("tags")
		}
		return nil
	}
	switch c.Action {
	case Close:
		return wants(true, false, false)
	case SetStatus:
		if !status {
			return ErrStatus
		}
		return wants(true, false, false)
	case Assign:
		if !agent {
			return ErrAgent
		}
		return wants(false, true, false)
	case Tag, Untag:
		if !tags || len(c.Tags) > MaxTags {
			return ErrTags
		}
		return wants(false, false, true)
	case Unassign, Delete, Restore:
		return wants(false, false, false)
	}
	return ErrAction
}

// Selection is the items of a job.
type Selection struct {
	IDs       []string
	Revisions []int64 // that each had; -1 of what does not exist
	Position  int64   // of the log, that this reflects
}

// Freeze records the selection, or why there can be none.
type Freeze struct {
	Selection
	Refused *fault.Error
	At      time.Time
}

// Decide implements the command. A selection that was frozen already stays.
func (c Freeze) Decide(s State) ([]Event, error) {
	switch {
	case s.Phase == "":
		return nil, ErrNotFound
	case s.Phase != Selecting:
		return nil, nil
	case c.Refused != nil:
		return []Event{SelectionRefused{Code: c.Refused.Code, Reason: c.Refused.Msg, At: c.At}}, nil //nolint:nilerr // the job is told
	case len(c.IDs) > MaxItems:
		return []Event{SelectionRefused{Code: ErrTooMany.Code, Reason: ErrTooMany.Msg, At: c.At}}, nil
	}
	var events []Event
	for i := 0; i < len(c.IDs); i += ChunkSize {
		end := min(i+ChunkSize, len(c.IDs))
		events = append(events, Selected{Chunk: len(events), IDs: c.IDs[i:end], Revisions: c.Revisions[i:end]})
	}
	events = append(events, Frozen{Items: len(c.IDs), Chunks: len(events), Position: c.Position, At: c.At})
	if len(c.IDs) == 0 {
		events = append(events, Completed{Attempt: 1, At: c.At})
	}
	return events, nil
}

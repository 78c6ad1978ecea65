package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/chatledger/chatledger/domain/bulk"
	"github.com/chatledger/chatledger/domain/fault"
	"github.com/chatledger/chatledger/domain/filter"
	"github.com/chatledger/chatledger/domain/internal/domaintest"
)

type past = []bulk.Event

func TestCatalogue(t *testing.T) { domaintest.Catalogue(t, bulk.Events) }

func at(n int) time.Time { return time.Unix(int64(n), 0).UTC() }

func request(change func(*bulk.Request)) bulk.Request {
	r := bulk.Request{Workspace: "acme", Action: bulk.Close, Target: "chats", Filter: []byte(`{}`), By: "sue", At: at(1)}
	if change != nil {
		change(&r)
	}
	return r
}

func TestDecisions(t *testing.T) {
	requested := bulk.Requested{Workspace: "acme", Action: bulk.Close, Target: "chats", Filter: json.RawMessage(`{}`), By: "sue", At: at(1)}
	selected := bulk.Selected{IDs: []string{"a", "b"}, Revisions: []int64{1, 2}}
	frozen := bulk.Frozen{Items: 2, Chunks: 1, Position: 7, At: at(2)}
	running := past{requested, selected, frozen}
	items := []bulk.Item{{ID: "a", Outcome: bulk.Done, Revision: 2}, {ID: "b", Outcome: bulk.Conflict, Code: "x"}}
	worked := bulk.Worked{Attempt: 1, Counts: map[bulk.Outcome]int{bulk.Done: 1, bulk.Conflict: 1}, Items: items, At: at(3)}
	finished := append(past{}, append(running, worked, bulk.Completed{Attempt: 1, At: at(3)})...)
	cancelling := append(past{}, append(running, bulk.CancelRequested{By: "sue", At: at(3)})...)
	cancelled := append(past{}, append(cancelling, bulk.Stopped{At: at(3)})...)
	undoing := append(past{}, append(finished, bulk.UndoRequested{Items: 1, By: "sue", At: at(4)})...)
	reversed := bulk.Reversed{Counts: map[bulk.Outcome]int{bulk.Touched: 1}, Items: []bulk.Item{{ID: "a", Outcome: bulk.Touched}}, At: at(5)}
	undone := append(past{}, append(undoing, reversed, bulk.UndoCompleted{At: at(5)})...)
	rejected := past{requested, bulk.SelectionRefused{Code: "x", Reason: "y", At: at(2)}}
	record := bulk.Record{Phase: bulk.Running, Attempt: 1, Items: items, At: at(3)}
	cancel, retry, undo := bulk.Cancel{By: "sue", At: at(3)}, bulk.Retry{By: "sue", At: at(4)}, bulk.Undo{By: "sue", At: at(4)}
	many := make([]string, bulk.MaxIDs+1)
	for i := range many {
		many[i] = fmt.Sprint("id", i)
	}
	domaintest.Run(t, bulk.Evolve, []domaintest.Case[bulk.State, bulk.Event]{
		{Name: "request", When: request(nil), Then: past{requested}},
		{Name: "request again", Given: running, When: request(nil)},
		{Name: "request of nothing", When: request(func(r *bulk.Request) { r.Filter = nil }), Err: bulk.ErrSelection},
		{Name: "request of ids and a filter", When: request(func(r *bulk.Request) { r.IDs = []string{"a"} }), Err: bulk.ErrSelection},
		{Name: "request of too many ids", When: request(func(r *bulk.Request) { r.Filter, r.IDs = nil, many }), Err: bulk.ErrTooManyIDs},
		{Name: "request with too many exceptions", When: request(func(r *bulk.Request) { r.Except = many }), Err: bulk.ErrTooManyExcept},
		{Name: "request of no id", When: request(func(r *bulk.Request) { r.Filter, r.IDs = nil, []string{""} }), Err: bulk.ErrID},
		{Name: "request of ids, twice", When: request(func(r *bulk.Request) { r.Filter, r.IDs = nil, []string{"b", "a", "b"} }), Then: past{func() bulk.Requested {
			e := requested
			e.Filter, e.IDs = nil, []string{"a", "b"}
			return e
		}()}},
		{Name: "request about cars", When: request(func(r *bulk.Request) { r.Target = "cars" }), Err: bulk.ErrTarget},
		{Name: "close contacts", When: request(func(r *bulk.Request) { r.Target = "contacts" }), Err: bulk.ErrTargetAction},
		{Name: "delete orders", When: request(func(r *bulk.Request) { r.Target, r.Action = "orders", bulk.Delete }), Err: bulk.ErrTargetAction},
		{Name: "burn orders", When: request(func(r *bulk.Request) { r.Target, r.Action = "orders", "burn" }), Err: bulk.ErrAction},
		{Name: "request of the unknown", When: request(func(r *bulk.Request) { r.Action = "burn" }), Err: bulk.ErrAction},
		{Name: "restore by a filter", When: request(func(r *bulk.Request) { r.Action = bulk.Restore }), Then: past{func() bulk.Requested {
			e := requested
			e.Action = bulk.Restore
			return e
		}()}},
		{Name: "set no status", When: request(func(r *bulk.Request) { r.Action = bulk.SetStatus }), Err: bulk.ErrStatus},
		{Name: "assign to nobody", When: request(func(r *bulk.Request) { r.Action = bulk.Assign }), Err: bulk.ErrAgent},
		{Name: "tag with nothing", When: request(func(r *bulk.Request) { r.Action = bulk.Tag }), Err: bulk.ErrTags},
		{Name: "close with a tag", When: request(func(r *bulk.Request) { r.Tags = []string{"vip"} }), Err: bulk.ErrParameter.At("tags")},
		{Name: "delete at length", When: request(func(r *bulk.Request) { r.Action, r.Reason = bulk.Delete, strings.Repeat("x", 1001) }), Err: bulk.ErrReasonLong},
		{Name: "request by nobody", When: request(func(r *bulk.Request) { r.By = "" }), Err: bulk.ErrBy},

		{Name: "freeze", Given: past{requested}, When: bulk.Freeze{Selection: bulk.Selection{IDs: selected.IDs, Revisions: selected.Revisions, Position: 7}, At: at(2)}, Then: past{selected, frozen}},
		{Name: "freeze again", Given: running, When: bulk.Freeze{Selection: bulk.Selection{IDs: []string{"c"}, Revisions: []int64{1}}}},
		{Name: "freeze nothing", Given: past{requested}, When: bulk.Freeze{At: at(2)}, Then: past{bulk.Frozen{At: at(2)}, bulk.Completed{Attempt: 1, At: at(2)}}},
		{
			Name: "freeze too much", Given: past{requested}, When: bulk.Freeze{Selection: bulk.Selection{IDs: make([]string, bulk.MaxItems+1)}, At: at(2)},
			Then: past{bulk.SelectionRefused{Code: bulk.ErrTooMany.Code, Reason: bulk.ErrTooMany.Msg, At: at(2)}},
		},
		{
			Name: "freeze what cannot be chosen", Given: past{requested}, When: bulk.Freeze{Refused: filter.ErrField, At: at(2)},
			Then: past{bulk.SelectionRefused{Code: filter.ErrField.Code, Reason: filter.ErrField.Msg, At: at(2)}},
		},
		{Name: "freeze what was never asked for", When: bulk.Freeze{}, Err: bulk.ErrNotFound},

		{Name: "record the last chunk", Given: running, When: record, Then: past{worked, bulk.Completed{Attempt: 1, At: at(3)}}},
		{Name: "record twice", Given: finished, When: record},
		{Name: "record what is under way at a cancel", Given: cancelling, When: record, Then: past{worked}},
		{Name: "record after that", Given: cancelled, When: record},

		{Name: "cancel", Given: running, When: cancel, Then: past{bulk.CancelRequested{By: "sue", At: at(3)}}},
		{Name: "cancel a selection", Given: past{requested}, When: cancel, Then: past{bulk.CancelRequested{By: "sue", At: at(3)}}},
		{Name: "cancel twice", Given: cancelling, When: cancel},
		{Name: "cancel what was cancelled", Given: cancelled, When: cancel},
		{Name: "cancel too late", Given: finished, When: cancel, Err: bulk.ErrFinished},
		{Name: "cancel an undo", Given: undoing, When: cancel, Err: bulk.ErrUndoing},
		{Name: "cancel what was refused", Given: rejected, When: cancel, Err: bulk.ErrRejected},
		{Name: "cancel nothing", When: cancel, Err: bulk.ErrNotFound},
		{Name: "stop", Given: cancelling, When: bulk.Stop{At: at(3)}, Then: past{bulk.Stopped{At: at(3)}}},
		{Name: "stop what runs", Given: running, When: bulk.Stop{At: at(3)}},

		{Name: "retry", Given: finished, When: retry, Then: past{bulk.RetryRequested{Attempt: 2, Items: 1, By: "sue", At: at(4)}}},
		{Name: "retry what runs", Given: running, When: retry, Err: bulk.ErrRunning},
		{Name: "retry what went well", Given: append(past{requested, selected, frozen}, bulk.Worked{Attempt: 1, Counts: map[bulk.Outcome]int{bulk.Done: 2}}, bulk.Completed{Attempt: 1}), When: retry, Err: bulk.ErrNothingFailed},
		{Name: "retry what was cancelled", Given: cancelled, When: retry, Err: bulk.ErrCancelled},
		{Name: "retry what is undone", Given: undone, When: retry, Err: bulk.ErrUndoing},
		{Name: "retry what was refused", Given: rejected, When: retry, Err: bulk.ErrRejected},
		{Name: "retry nothing", When: retry, Err: bulk.ErrNotFound},

		{Name: "undo", Given: finished, When: undo, Then: past{bulk.UndoRequested{Items: 1, By: "sue", At: at(4)}}},
		{Name: "undo twice", Given: undoing, When: undo},
		{Name: "undo what runs", Given: running, When: undo, Err: bulk.ErrRunning},
		{Name: "undo what is being cancelled", Given: cancelling, When: undo, Err: bulk.ErrRunning},
		{Name: "undo what did nothing", Given: cancelled, When: undo, Err: bulk.ErrNothingDone},
		{Name: "undo what was refused", Given: rejected, When: undo, Err: bulk.ErrRejected},
		{Name: "undo nothing", When: undo, Err: bulk.ErrNotFound},
		{
			Name: "record an undo", Given: undoing, When: bulk.Record{Phase: bulk.Undoing, Attempt: 1, Items: reversed.Items, At: at(5)},
			Then: past{reversed, bulk.UndoCompleted{At: at(5)}},
		},
	})
}

func TestRequestNamesWhatIsWrongInTheFilter(t *testing.T) {
	_, err := request(func(r *bulk.Request) { r.Filter = []byte(`{"not":{"field":"x","op":"eq","value":1}}`) }).Decide(bulk.State{})
	var f *fault.Error
	if !errors.As(err, &f) || !errors.Is(err, filter.ErrField) || f.Field != "selection.filter.not.field" {
		t.Errorf("%v at %+v", err, f)
	}
	_, err = request(func(r *bulk.Request) {
		r.Action, r.Target, r.Filter = bulk.Restore, "contacts", []byte(`{"not":{"field":"attributes.size","op":"exists"}}`)
	}).Decide(bulk.State{})
	if !errors.As(err, &f) || !errors.Is(err, filter.ErrDeleted) || f.Field != "selection.filter.not.field" {
		t.Errorf("%v at %+v", err, f)
	}
}

// However a job is driven, each chunk is worked once in each attempt, and the job
// comes to an end.
func TestEveryChunkOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s bulk.State
		do := func(c domaintest.Command[bulk.State, bulk.Event]) { s = domaintest.Do(t, bulk.Evolve, s, c) }
		do(request(nil))
		n := rapid.IntRange(0, 3*bulk.ChunkSize).Draw(t, "items")
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		do(bulk.Freeze{Selection: bulk.Selection{IDs: ids, Revisions: make([]int64, n)}})
		worked := map[string]int{}
		for range 40 {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				do(bulk.Cancel{By: "sue"})
			case 1:
				do(bulk.Retry{By: "sue"})
			case 2:
				do(bulk.Undo{By: "sue"})
			default:
				chunk, ok := s.Next()
				if s.Phase == bulk.Cancelling {
					do(bulk.Stop{})
				} else if ok {
					key := fmt.Sprint(s.Phase, s.Attempt, chunk)
					outcome := rapid.SampledFrom([]bulk.Outcome{bulk.Done, bulk.Conflict, bulk.NoChange}).Draw(t, "outcome")
					r := bulk.Record{Phase: s.Phase, Attempt: s.Attempt, Chunk: chunk, Items: []bulk.Item{{ID: "x", Outcome: outcome}}}
					do(r)
					do(r)
					worked[key]++
				}
			}
			if _, more := s.Next(); s.Phase == bulk.Running && !more || s.Phase == bulk.Undoing && !more {
				t.Fatalf("%s with nothing to do", s.Phase)
			}
		}
		for key, times := range worked {
			if times != 1 {
				t.Fatalf("%s was worked %d times", key, times)
			}
		}
	})
}

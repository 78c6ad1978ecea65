package scripted

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chatledger/chatledger/domain/customview"
	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/internal/viewscript"
)

// Trial says what to try a definition on.
type Trial struct {
	Workspace  string
	Definition customview.Definition
	After      eventstore.Position // begin behind it
	Events     int                 // that are given to the script at most
	Time       time.Duration       // that it may take
}

// Tried is what became of it. Nothing of it is stored.
type Tried struct {
	Rows     []viewscript.Row // as they are then, in the order in which they were first put
	Events   int              // that the script took
	Position eventstore.Position
	End      bool // the log was read to its end
	Took     time.Duration
	Logged   []string // by console.log
	Failure  Failure  // the zero Failure if there was none
}

// triedRows bounds the rows of a trial.
const triedRows = 20_000

// Try runs a definition over a part of the log.
func Try(ctx context.Context, cfg Config, t Trial) (out Tried, err error) {
	cfg.setDefaults()
	began := cfg.Now()
	out.Position = t.After
	rows, at := map[cacheKey]json.RawMessage{}, map[cacheKey]int{}
	get := func(_ context.Context, table, key string) (json.RawMessage, error) {
		return rows[cacheKey{table, key}], nil
	}
	var order []viewscript.Row
	for out.Events < t.Events && !out.End && cfg.Now().Sub(began) < t.Time && len(order) < triedRows {
		b, err := readBatch(ctx, cfg.Store, t.Workspace, t.Definition.Types, out.Position, min(cfg.Batch, t.Events-out.Events))
		if err != nil {
			return out, err
		}
		rep := viewscript.Report{}
		if len(b.events) > 0 {
			if rep, err = cfg.Scripts.Run(ctx, t.Definition, b.events, get); err != nil {
				return out, fmt.Errorf("run script: %w", err)
			}
		}
		for _, r := range rep.Rows {
			k := cacheKey{r.Table, r.Key}
			rows[k] = r.Data
			if n, known := at[k]; known {
				order[n] = r
			} else {
				at[k], order = len(order), append(order, r)
			}
		}
		out.Events += rep.Applied
		out.Logged = append(out.Logged, rep.Logged...)
		if rep.Failure != nil {
			bad := b.events[rep.Applied]
			out.Failure = failureAt(bad, rep.Failure.Kind, rep.Failure.Message, cfg.Now().UnixMicro())
			out.Failure.Line, out.Failure.Column = rep.Failure.Line, rep.Failure.Column
			out.Position = eventstore.Position(bad.Position - 1)
			break
		}
		out.Position, out.End = b.end, b.last
	}
	for _, r := range order {
		if r.Data != nil {
			out.Rows = append(out.Rows, r)
		}
	}
	out.Took = cfg.Now().Sub(began)
	return out, nil
}

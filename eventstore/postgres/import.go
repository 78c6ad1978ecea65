package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/chatledger/chatledger/eventstore"
)

var _ eventstore.Importer = (*Store)(nil)

// Import implements eventstore.Importer.
//
// It does not go through the writer, whose transactions put the appends of many
// streams into an order of their own.
func (s *Store) Import(ctx context.Context, after eventstore.Position, events []eventstore.Recorded) (eventstore.Position, error) {
	for i, e := range events {
		if err := eventstore.Validate(e.Stream, e.Revision-1, []eventstore.Event{e.Event}); err != nil {
			return 0, err
		}
		if !utf8.ValidString(e.Type) || strings.ContainsRune(e.Type, 0) {
			return 0, fmt.Errorf("%w: %s: type of event %d is not text", eventstore.ErrInvalid, e.Stream, i)
		}
	}
	op, cancel := s.operation(ctx)
	defer cancel()
	head := after
	err := pgx.BeginFunc(op, s.pool, func(tx pgx.Tx) (err error) {
		head, err = importInto(op, tx, after, events)
		return err
	})
	if err != nil {
		return 0, s.failed(ctx, "import events", err)
	}
	s.growth.advance(head)
	s.tellOthers()
	return head, nil
}

// The lock that appends hold, too. It must come first: what follows it then sees every
// earlier commit.
const (
	lockSQL = "SELECT pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0))"
	endsSQL = `
		SELECT n.name, b.position, (SELECT max(e.revision) FROM events e WHERE e.origin = b.position)
		FROM unnest($1::text[]) n(name)
		CROSS JOIN LATERAL (SELECT e.position FROM events e WHERE e.stream = n.name AND e.revision = 0) b`
)

func importInto(ctx context.Context, tx pgx.Tx, after eventstore.Position, events []eventstore.Recorded) (head eventstore.Position, err error) {
	if _, err := tx.Exec(ctx, lockSQL); err != nil {
		return 0, fmt.Errorf("lock the log: %w", err)
	}
	if err := tx.QueryRow(ctx, headSQL).Scan(&head); err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	if head != after {
		return 0, fmt.Errorf("the log ends at position %d, not at %d: %w", head, after, eventstore.ErrConflict)
	}
	ends, err := endsOf(ctx, tx, events)
	if err != nil {
		return 0, err
	}
	origins := make([]int64, len(events))
	for i, e := range events {
		at, ok := ends[e.Stream]
		if !ok {
			at = place{origin: int64(head) + int64(i) + 1, revision: eventstore.NoStream}
		}
		if e.Revision != at.revision+1 {
			return 0, &eventstore.ConflictError{Stream: e.Stream, Want: e.Revision - 1, Got: at.revision}
		}
		origins[i] = at.origin
		ends[e.Stream] = place{at.origin, e.Revision}
	}
	columns := []string{"position", "stream", "revision", "id", "type", "recorded_at", "data", "meta", "origin"}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"events"}, columns, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
		e := &events[i]
		return []any{
			int64(head) + int64(i) + 1, e.Stream, int64(e.Revision),
			pgtype.UUID{Bytes: e.ID, Valid: true},
			e.Type,
			e.Time, notNull(e.Data), notNull(e.Meta), origins[i],
		}, nil
	}))
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == uniqueViolation {
		return 0, fmt.Errorf("an event is there already: %w: %w", eventstore.ErrConflict, err)
	}
	if err != nil {
		return 0, fmt.Errorf("copy events: %w", err)
	}
	return head + eventstore.Position(len(events)), nil
}

// endsOf returns where those streams end that are there already.
func endsOf(ctx context.Context, tx pgx.Tx, events []eventstore.Recorded) (map[string]place, error) {
	seen, names := make(map[string]bool, len(events)), make([]string, 0, len(events))
	for i := range events {
		if !seen[events[i].Stream] {
			seen[events[i].Stream] = true
			names = append(names, events[i].Stream)
		}
	}
	rows, err := tx.Query(ctx, endsSQL, names)
	if err != nil {
		return nil, fmt.Errorf("look up streams: %w", err)
	}
	ends, name, at := make(map[string]place, len(names)), "", place{}
	if _, err = pgx.ForEachRow(rows, []any{&name, &at.origin, &at.revision}, func() error {
		ends[name] = at
		return nil
	}); err != nil {
		return nil, fmt.Errorf("look up streams: %w", err)
	}
	return ends, nil
}

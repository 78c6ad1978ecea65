-- +goose Up

-- append_one as it is in 00002_origin.sql, but what is hardly ever needed is in
-- statements of its own: each look into a table that a plan has costs some
-- microseconds, even if it is not taken. So does a statement, hence the lock is
-- taken by an expression.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION append_one(
    last_position bigint,
    last_id       uuid,
    at_origin     bigint,
    at_revision   bigint,
    name          text,
    event_id      uuid,
    event_type    text,
    event_data    bytea,
    event_meta    bytea
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
BEGIN
    IF pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0)) IS NULL THEN
        RETURN NULL; -- never: it returns void
    END IF;

    IF at_origin = 0 THEN
        IF EXISTS (SELECT FROM events e WHERE e.stream = name AND e.revision = 0) THEN
            RETURN CASE WHEN EXISTS (SELECT FROM events e WHERE e.position = last_position AND e.id = last_id) THEN -1 ELSE -2 END;
        END IF;
    END IF;

    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta, origin)
    SELECT h.position + 1, name, at_revision, event_id, event_type, clock_timestamp(), event_data, event_meta,
           CASE WHEN at_origin > 0 THEN at_origin ELSE h.position + 1 END
    FROM (SELECT e.position, e.id FROM events e ORDER BY e.position DESC LIMIT 1) h
    WHERE h.position = last_position AND h.id = last_id;
    IF FOUND THEN
        RETURN last_position;
    END IF;

    -- Another process has appended, or this is another log.
    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta, origin)
    SELECT h.position + 1, name, at_revision, event_id, event_type, clock_timestamp(), event_data, event_meta,
           CASE WHEN at_origin > 0 THEN at_origin ELSE h.position + 1 END
    FROM (SELECT e.position FROM events e ORDER BY e.position DESC LIMIT 1) h
    WHERE EXISTS (SELECT FROM events e WHERE e.position = last_position AND e.id = last_id)
    RETURNING position - 1 INTO head;
    RETURN coalesce(head, -2);
END
$$;
-- +goose StatementEnd

-- +goose Up

-- Gives each stream a number, so that its two indexes hold numbers instead of
-- names, and appends a fast way: see README.md. The number of a stream is the
-- position of its first event; the index events_stream finds it by name.
--
-- The table stays the same one, since its oid is part of the store's id, and it
-- is written anew in one go: an UPDATE would leave it twice as large.
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = on;

DROP FUNCTION append_events;

ALTER TABLE events
    DROP CONSTRAINT events_stream_revision_key,
    DROP CONSTRAINT events_stream_id_key,
    ADD COLUMN origin bigint; -- position of the stream's first event

CREATE TABLE origins AS SELECT stream, position FROM events WHERE revision = 0;
ALTER TABLE origins ADD PRIMARY KEY (stream);

-- +goose StatementBegin
CREATE FUNCTION origin_of(name text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT o.position FROM origins o WHERE o.stream = name);
END
$$;
-- +goose StatementEnd

ALTER TABLE events ALTER COLUMN origin TYPE bigint USING origin_of(stream);

DROP FUNCTION origin_of;
DROP TABLE origins;

ALTER TABLE events
    ALTER COLUMN origin SET NOT NULL,
    ADD UNIQUE (origin, revision),
    ADD UNIQUE (origin, id);
CREATE UNIQUE INDEX events_stream ON events (stream) WHERE revision = 0;

-- All three functions begin with an advisory lock that is held until the commit, so
-- positions are taken, and become visible, one transaction after the other. It
-- must be the first statement: those after it have snapshots that include every
-- earlier commit.

-- append_known adds events to streams whose ends the caller knows, and returns
-- the position before the first of them. The indexes are the check: if a stream
-- is not at its end any more, or an event is in it already, that is a
-- unique_violation. It returns, and adds nothing,
--   -1  if one of the streams in fresh exists
--   -2  if the caller's last event is not in this log: what it knows is of another
--
-- origins are those of the streams; -n stands for the position of event n of
-- this call, with which a stream begins.
-- +goose StatementBegin
CREATE FUNCTION append_known(
    last_position bigint,
    last_id       uuid,
    fresh         text[], -- streams that begin with this call
    -- one element for each event
    origins       bigint[],
    revisions     bigint[],
    names         text[], -- of the stream
    ids           uuid[],
    types         text[],
    datas         bytea[],
    metas         bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head    bigint;
    head_id uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0));

    SELECT e.position, e.id INTO head, head_id FROM events e ORDER BY e.position DESC LIMIT 1;
    IF head IS NULL THEN
        head := 0;
    END IF;
    IF last_position > 0 AND (head <> last_position OR head_id <> last_id) THEN
        IF NOT EXISTS (SELECT FROM events e WHERE e.position = last_position AND e.id = last_id) THEN
            RETURN -2;
        END IF;
    END IF;
    IF cardinality(fresh) > 0 THEN
        -- Not a join: it must look into the index for each of them, whatever is believed of the table's size.
        IF EXISTS (SELECT FROM unnest(fresh) f(name) WHERE (SELECT e.position FROM events e WHERE e.stream = f.name AND e.revision = 0) > 0) THEN
            RETURN -1;
        END IF;
    END IF;

    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta, origin)
    SELECT head + u.ordinal, u.name, u.revision, u.id, u.type, clock_timestamp(), u.data, u.meta,
           CASE WHEN u.origin > 0 THEN u.origin ELSE head - u.origin END
    FROM (
        SELECT generate_series(1, cardinality(ids)) AS ordinal, unnest(origins) AS origin, unnest(revisions) AS revision,
               unnest(names) AS name, unnest(ids) AS id, unnest(types) AS type, unnest(datas) AS data, unnest(metas) AS meta
    ) u;
    RETURN head;
END
$$;
-- +goose StatementEnd

-- append_one is append_known for one event: a third of its cost, most of which
-- is arrays. The origin of a stream that begins is 0. The log must not be empty.
-- +goose StatementBegin
CREATE FUNCTION append_one(
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
    PERFORM pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0));

    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta, origin)
    SELECT h.position + 1, name, at_revision, event_id, event_type, clock_timestamp(), event_data, event_meta,
           CASE WHEN at_origin > 0 THEN at_origin ELSE h.position + 1 END
    FROM (SELECT e.position, e.id FROM events e ORDER BY e.position DESC LIMIT 1) h
    WHERE (h.position = last_position AND h.id = last_id
           OR EXISTS (SELECT FROM events e WHERE e.position = last_position AND e.id = last_id))
      AND (at_origin > 0 OR NOT EXISTS (SELECT FROM events e WHERE e.stream = name AND e.revision = 0))
    RETURNING position - 1 INTO head;
    IF head IS NOT NULL THEN
        RETURN head;
    END IF;
    RETURN CASE WHEN EXISTS (SELECT FROM events e WHERE e.position = last_position AND e.id = last_id) THEN -1 ELSE -2 END;
END
$$;
-- +goose StatementEnd

-- append_events adds several appends to the log in one go and answers for each
-- of them, in order. No stream may occur twice among the appends of one call; a
-- second call in the same transaction sees what the first one added.
--
-- want is -1 if the stream must not exist, -2 if it does not matter. result is
--   0  stored; at_* is where the last event is
--   1  all events were there already; at_* is where the last of them is
--   2  refused; at_revision is the stream's actual revision
-- at_origin is the stream's number, 0 if it does not exist; at_end its revision.
-- +goose StatementBegin
CREATE FUNCTION append_events(
    -- one element for each append
    streams  text[],
    wants    bigint[],
    firsts   int[],    -- index of its first event, from 1
    counts   int[],    -- of its events
    -- one element for each event
    owners   int[],    -- index of its append, from 1
    ordinals int[],    -- its place in the append, from 1
    names    text[],   -- the stream again: indexing streams would be quadratic
    ids      uuid[],
    types    text[],
    datas    bytea[],
    metas    bytea[]
) RETURNS TABLE (result int, at_revision bigint, at_position bigint, at_origin bigint, at_end bigint)
LANGUAGE plpgsql AS $$
DECLARE
    head      bigint;
    results   int[];
    revisions bigint[];
    positions bigint[];
    origins   bigint[];
    ends      bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0));

    SELECT coalesce(max(e.position), 0) INTO head FROM events e;

    SELECT array_agg(t.result ORDER BY t.n),
           array_agg(CASE t.result WHEN 0 THEN t.revision + t.count WHEN 1 THEN t.known_revision ELSE t.revision END ORDER BY t.n),
           array_agg(CASE t.result WHEN 0 THEN head + t.taken WHEN 1 THEN t.known_position ELSE 0 END ORDER BY t.n),
           array_agg(CASE WHEN t.origin IS NOT NULL THEN t.origin WHEN t.result = 0 THEN head + t.taken - t.count + 1 ELSE 0 END ORDER BY t.n),
           array_agg(CASE t.result WHEN 0 THEN t.revision + t.count ELSE t.revision END ORDER BY t.n)
    INTO results, revisions, positions, origins, ends
    FROM (
        SELECT d.*, sum(CASE d.result WHEN 0 THEN d.count ELSE 0 END) OVER (ORDER BY d.n) AS taken
        FROM (
            SELECT a.n, a.count, o.origin, h.revision, k.revision AS known_revision, k.position AS known_position,
                   CASE WHEN k.count = a.count THEN 1
                        WHEN k.count > 0 OR a.want <> -2 AND a.want <> h.revision THEN 2
                        ELSE 0 END AS result
            FROM unnest(streams, wants, firsts, counts) WITH ORDINALITY AS a(stream, want, first, count, n)
            CROSS JOIN LATERAL (
                SELECT (SELECT e.position FROM events e WHERE e.stream = a.stream AND e.revision = 0) AS origin
            ) o
            CROSS JOIN LATERAL (
                SELECT coalesce((SELECT e.revision FROM events e WHERE e.origin = o.origin ORDER BY e.revision DESC LIMIT 1), -1) AS revision
            ) h
            CROSS JOIN LATERAL (
                SELECT count(*) AS count, max(e.revision) AS revision, max(e.position) AS position
                FROM unnest(ids[a.first : a.first + a.count - 1]) AS i(id)
                CROSS JOIN LATERAL (SELECT k.revision, k.position FROM events k WHERE k.origin = o.origin AND k.id = i.id OFFSET 0) e
                WHERE h.revision >= 0
            ) k
        ) d
    ) t;

    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta, origin)
    SELECT positions[u.owner] - counts[u.owner] + u.ordinal,
           u.name,
           revisions[u.owner] - counts[u.owner] + u.ordinal,
           u.id, u.type, clock_timestamp(), u.data, u.meta,
           origins[u.owner]
    FROM (
        SELECT unnest(owners) AS owner, unnest(ordinals) AS ordinal, unnest(names) AS name,
               unnest(ids) AS id, unnest(types) AS type, unnest(datas) AS data, unnest(metas) AS meta
    ) u
    WHERE results[u.owner] = 0;

    RETURN QUERY SELECT * FROM unnest(results, revisions, positions, origins, ends);
END
$$;
-- +goose StatementEnd

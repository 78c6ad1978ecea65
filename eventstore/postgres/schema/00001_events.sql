-- +goose Up

-- The log. Names compare by their bytes, so that no locale update can ever
-- break an index. data and meta are bytea because they are read back exactly as
-- they were written, whatever they are; readable_events shows them as text.
CREATE TABLE events (
    position    bigint      NOT NULL PRIMARY KEY,
    stream      text        NOT NULL COLLATE "C",
    revision    bigint      NOT NULL,
    id          uuid        NOT NULL,
    type        text        NOT NULL COLLATE "C",
    recorded_at timestamptz NOT NULL,
    data        bytea       NOT NULL,
    meta        bytea       NOT NULL,
    UNIQUE (stream, revision),
    UNIQUE (stream, id)
);

-- Names this log together with the server it is on: see README.md.
CREATE TABLE store (
    only_row boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    id       uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO store DEFAULT VALUES;

CREATE VIEW readable_events AS
SELECT position, stream, revision, id, type, recorded_at,
       convert_from(data, 'UTF8') AS data,
       convert_from(meta, 'UTF8') AS meta
FROM events;

-- append_events adds several appends to the log in one go and answers for each
-- of them, in order. No stream may occur twice among the appends of one call; a
-- second call in the same transaction sees what the first one added.
--
-- want is -1 if the stream must not exist, -2 if it does not matter. result is
--   0  stored; at_* is where the last event is
--   1  all events were there already; at_* is where the last of them is
--   2  refused; at_revision is the stream's actual revision
--
-- The advisory lock is held until the commit, so positions are taken, and
-- become visible, one transaction after the other. It must be the first
-- statement: those after it have snapshots that include every earlier commit.
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
) RETURNS TABLE (result int, at_revision bigint, at_position bigint)
LANGUAGE plpgsql AS $$
DECLARE
    head      bigint;
    results   int[];
    revisions bigint[];
    positions bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('chatledger.eventstore ' || current_schema(), 0));

    SELECT coalesce(max(e.position), 0) INTO head FROM events e;

    SELECT array_agg(t.result ORDER BY t.n),
           array_agg(CASE t.result WHEN 0 THEN t.revision + t.count WHEN 1 THEN t.known_revision ELSE t.revision END ORDER BY t.n),
           array_agg(CASE t.result WHEN 0 THEN head + t.taken WHEN 1 THEN t.known_position ELSE 0 END ORDER BY t.n)
    INTO results, revisions, positions
    FROM (
        SELECT d.*, sum(CASE d.result WHEN 0 THEN d.count ELSE 0 END) OVER (ORDER BY d.n) AS taken
        FROM (
            SELECT a.n, a.count, h.revision, k.revision AS known_revision, k.position AS known_position,
                   CASE WHEN k.count = a.count THEN 1
                        WHEN k.count > 0 OR a.want <> -2 AND a.want <> h.revision THEN 2
                        ELSE 0 END AS result
            FROM unnest(streams, wants, firsts, counts) WITH ORDINALITY AS a(stream, want, first, count, n)
            CROSS JOIN LATERAL (
                SELECT coalesce((SELECT e.revision FROM events e WHERE e.stream = a.stream ORDER BY e.revision DESC LIMIT 1), -1) AS revision
            ) h
            CROSS JOIN LATERAL (
                SELECT count(*) AS count, max(e.revision) AS revision, max(e.position) AS position
                FROM unnest(ids[a.first : a.first + a.count - 1]) AS i(id)
                JOIN events e ON e.stream = a.stream AND e.id = i.id
                WHERE h.revision >= 0
            ) k
        ) d
    ) t;

    INSERT INTO events (position, stream, revision, id, type, recorded_at, data, meta)
    SELECT positions[v.owner] - counts[v.owner] + v.ordinal,
           v.name,
           revisions[v.owner] - counts[v.owner] + v.ordinal,
           v.id, v.type, clock_timestamp(), v.data, v.meta
    FROM unnest(owners, ordinals, names, ids, types, datas, metas) AS v(owner, ordinal, name, id, type, data, meta)
    WHERE results[v.owner] = 0;

    RETURN QUERY SELECT * FROM unnest(results, revisions, positions);
END
$$;
-- +goose StatementEnd

-- Events side by side in blocks, instead of a row and three index entries for
-- each. Opening a log that has rows in the old table events moves them: see
-- convert.go, which drops that table and types when it is done.

DROP VIEW readable_events;
DROP INDEX events_revision;
DROP INDEX events_id;

-- Events that were recorded together. A block fills a page at most, unless it
-- is one large event.
CREATE TABLE blocks (
	last        INTEGER NOT NULL PRIMARY KEY, -- position of its last event
	events      INTEGER NOT NULL,             -- how many it holds; positions have no holes
	recorded_at INTEGER NOT NULL,             -- microseconds since 1970, UTC
	heads       BLOB NOT NULL, -- the ids, 16 bytes each, and how to take the body apart: block.go
	body        TEXT NOT NULL  -- JSON: [[stream, revision, type, data, meta], …]; with a sixth
	                           -- element, if it was recorded so many microseconds later
) STRICT;

-- Where the events of a stream are. A run has up to 64 of them, one after the
-- other: the position and four bytes that tell most ids apart.
CREATE TABLE runs (
	stream   INTEGER NOT NULL, -- streams.id
	revision INTEGER NOT NULL, -- of the first event in the run
	events   BLOB NOT NULL,    -- index.go
	PRIMARY KEY (stream, revision)
) STRICT, WITHOUT ROWID;

-- Up to here runs has every event. Behind it, it has some, and readers look
-- into the blocks themselves.
CREATE TABLE indexed (
	id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	position INTEGER NOT NULL
) STRICT;
INSERT INTO indexed (id, position) VALUES (1, 0);

-- For people: an event a row, with everything spelled out.
CREATE VIEW readable_events AS
SELECT b.last - b.events + 1 + e.key AS position,
	e.value ->> 0 AS stream, e.value ->> 1 AS revision, e.value ->> 2 AS type,
	strftime('%Y-%m-%dT%H:%M:%fZ', (b.recorded_at + coalesce(e.value ->> 5, 0)) / 1e6, 'unixepoch') AS recorded_at,
	lower(hex(substr(b.heads, 1 + 16 * e.key, 16))) AS id,
	nullif(e.value -> 3, 'null') AS data, nullif(e.value -> 4, 'null') AS meta
FROM blocks b, json_each(CASE WHEN json_valid(b.body) THEN b.body ELSE '[]' END) e;

-- The log. Rows are only ever added, in the order of their positions.

-- What this file is, such as its store id.
CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Event types, named once. There are as many as the code has.
CREATE TABLE types (
	id   INTEGER NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;

-- A stream's number is the position of its first event: it needs no counter,
-- and the streams in use lie side by side in the indexes of events. A stream's
-- revision is the last one in events_revision, so an append updates no row.
CREATE TABLE streams (
	name TEXT NOT NULL PRIMARY KEY,
	id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	position    INTEGER NOT NULL PRIMARY KEY, -- 1, 2, 3 … without holes
	type        INTEGER NOT NULL,
	stream      INTEGER NOT NULL,
	revision    INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC
	id          BLOB NOT NULL,    -- 16 bytes
	name        TEXT NOT NULL,    -- the stream's, so that a scan looks nothing up
	meta        TEXT,             -- JSON
	data        TEXT              -- JSON; last, because it may overflow the page
) STRICT;

CREATE UNIQUE INDEX events_revision ON events (stream, revision);
CREATE UNIQUE INDEX events_id ON events (stream, id);

-- For people: the same with everything spelled out.
CREATE VIEW readable_events AS
SELECT e.position, e.name AS stream, e.revision, t.name AS type,
	strftime('%Y-%m-%dT%H:%M:%fZ', e.recorded_at / 1e6, 'unixepoch') AS recorded_at,
	lower(hex(e.id)) AS id, e.data, e.meta
FROM events e JOIN types t ON t.id = e.type;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    workspace  TEXT NOT NULL,
    role       TEXT NOT NULL,
    agent      TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_workspace ON tokens (workspace, created_at, id);

CREATE TABLE channel_secrets (
    channel      TEXT PRIMARY KEY,
    verify_token TEXT NOT NULL,
    app_secret   TEXT NOT NULL,
    access_token TEXT NOT NULL,
    graph_url    TEXT NOT NULL,
    updated_at   BIGINT NOT NULL
);

CREATE TABLE checkpoints (
    consumer TEXT PRIMARY KEY,
    store    TEXT NOT NULL,
    position BIGINT NOT NULL,
    epoch    BIGINT NOT NULL,
    saved_at BIGINT NOT NULL
);

CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    epoch    BIGINT NOT NULL,
    beat     BIGINT NOT NULL,
    released BIGINT NOT NULL
);

CREATE TABLE parked (
    reactor   TEXT NOT NULL,
    position  BIGINT NOT NULL,
    stream    TEXT NOT NULL,
    event     TEXT NOT NULL,
    type      TEXT NOT NULL,
    keys      TEXT NOT NULL,
    error     TEXT NOT NULL,
    attempts  BIGINT NOT NULL,
    parked_at BIGINT NOT NULL,
    retry     BIGINT NOT NULL,
    PRIMARY KEY (reactor, position)
);

CREATE TABLE parked_keys (
    reactor  TEXT NOT NULL,
    key      TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (reactor, key, position)
);

CREATE TABLE attempts (
    reactor     TEXT NOT NULL,
    position    BIGINT NOT NULL,
    state       TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (reactor, position)
);

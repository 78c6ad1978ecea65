CREATE TABLE timers (
    reactor   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    due       BIGINT NOT NULL,
    workspace TEXT NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (reactor, kind, subject)
);
CREATE INDEX timers_by_due ON timers (reactor, due, kind, subject);

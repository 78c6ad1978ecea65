ALTER TABLE timers ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
DROP INDEX timers_by_due;
CREATE INDEX timers_by_due ON timers (reactor, due, position, kind, subject);

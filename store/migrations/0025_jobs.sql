-- +goose Up
-- What the daemons say of their jobs, for the status page and "intouchd jobs":
-- the ledger (runs) has what was done for whom, this has when it comes next.
CREATE TABLE jobs (
    name     {{KEY}} PRIMARY KEY,
    schedule TEXT NOT NULL,              -- cron expression, or "minute", "always", "never"
    owners   BIGINT NOT NULL DEFAULT 0,  -- managers for whom it is done; 0: the house
    next_run BIGINT NOT NULL DEFAULT 0,
    started  BIGINT NOT NULL DEFAULT 0,  -- the last round
    finished BIGINT NOT NULL DEFAULT 0,
    outcome  TEXT NOT NULL DEFAULT '',
    detail   TEXT NOT NULL DEFAULT '',
    panics   BIGINT NOT NULL DEFAULT 0,  -- ever
    asked    BIGINT NOT NULL DEFAULT 0,  -- when somebody asked for a run by hand that waits
    held_until BIGINT NOT NULL DEFAULT 0 -- a daemon runs it
);

-- Days that are not what their weekday says, of calendars that are fetched by
-- the clock: one that does not answer stays as it was.
CREATE TABLE holidays (
    source  {{KEY}} NOT NULL, -- an address of the settings
    day     TEXT NOT NULL,
    working BOOLEAN NOT NULL,
    name    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (source, day)
);

-- +goose Down
-- Forward only.

-- +goose Up
-- Addresses of other programs that are told what happens. The secret signs
-- what is sent, so it is kept as it is.
CREATE TABLE webhooks (
    id         {{ID}},
    url        {{KEY}} NOT NULL UNIQUE,
    events     TEXT NOT NULL, -- JSON
    secret     TEXT NOT NULL,
    created    BIGINT NOT NULL,
    disabled   BIGINT NOT NULL DEFAULT 0,
    wait_until BIGINT NOT NULL DEFAULT 0, -- nothing is sent before: it does not answer
    troubles   BIGINT NOT NULL DEFAULT 0, -- one after the other
    sent       BIGINT NOT NULL DEFAULT 0,
    failed     BIGINT NOT NULL DEFAULT 0, -- given up
    last_sent  BIGINT NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT ''
);

-- What waits to be sent. What was taken, or given up, is no longer here. No
-- reference: a letter that is filed must not fail for a webhook that somebody
-- removes at this moment.
CREATE TABLE deliveries (
    id         {{ID}},
    webhook_id BIGINT NOT NULL,
    event_id   {{KEY}} NOT NULL,
    body       TEXT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    next_try   BIGINT NOT NULL,
    created    BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_try);

-- +goose Down
-- Forward only.

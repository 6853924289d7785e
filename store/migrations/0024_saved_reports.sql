-- +goose Up
-- Reports that people keep under a name, with their parameters, and who is
-- mailed them when. They are computed with the rights of their owner.
CREATE TABLE saved_reports (
    id         {{ID}},
    owner_id   BIGINT NOT NULL REFERENCES managers (id),
    name       {{KEY}} NOT NULL,
    report     TEXT NOT NULL,
    params     TEXT NOT NULL,   -- as the query of the page of the report
    schedule   TEXT NOT NULL,   -- cron, in the owner's zone; '' for never
    since      BIGINT NOT NULL, -- when that schedule was set: slots before it are nobody's
    attach     TEXT NOT NULL,   -- xlsx, csv or ''
    send_empty BOOLEAN NOT NULL,
    nightly    BOOLEAN NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    UNIQUE (owner_id, name)
);

-- To whom: a manager, whose address may change, or an address.
CREATE TABLE saved_report_recipients (
    report_id  BIGINT NOT NULL REFERENCES saved_reports (id),
    manager_id BIGINT REFERENCES managers (id),
    address    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX saved_report_recipients_report ON saved_report_recipients (report_id);

-- What was given up lately: a failed mail's next_try is the end of its last try.
CREATE INDEX outbox_failed ON outbox (next_try) WHERE state = 'failed';

-- +goose Down
-- Forward only.

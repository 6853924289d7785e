-- +goose Up
-- The mailbox into whose Sent folder a copy goes once the mail was delivered;
-- '' none.
ALTER TABLE outbox ADD COLUMN copy_to {{KEY}} NOT NULL DEFAULT '';

-- Copies that are due there: written with the mail's delivery, gone when the
-- mailbox has them.
CREATE TABLE sent_copies (
    id         BIGINT PRIMARY KEY,     -- the mail's
    mailbox    {{KEY}} NOT NULL,
    message_id TEXT NOT NULL,
    bytes      {{BYTES}} NOT NULL,
    sent       BIGINT NOT NULL
);
CREATE INDEX sent_copies_mailbox ON sent_copies (mailbox, id);

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

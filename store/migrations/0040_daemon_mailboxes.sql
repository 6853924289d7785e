-- +goose Up
-- Which mailboxes each daemon has in its settings, as a JSON array of their
-- names, and its hash, so that others read it once only. Mailboxes are shared
-- out among those that have them. '': a daemon of an older version, which is
-- taken to have all.
ALTER TABLE daemons ADD COLUMN mailboxes TEXT NOT NULL DEFAULT '';
ALTER TABLE daemons ADD COLUMN mailboxes_hash TEXT NOT NULL DEFAULT '';

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

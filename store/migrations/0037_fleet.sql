-- +goose Up
-- Daemons that are alive on this database, each until it says so again. What
-- one of them holds (mailboxes.lease_owner) is anybody's once it is gone.
CREATE TABLE daemons (
    id    {{KEY}} NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

-- +goose Up
-- Whether mails leave. A copy of the database, restored or made by hand, holds
-- mails that the original has sent or will send: nothing leaves it until
-- somebody answers for it (intouchd outbox arm).
CREATE TABLE outbox_lock (
    id    BIGINT PRIMARY KEY,  -- 1, the only row
    home  TEXT NOT NULL,       -- where the database was when it was last answered for
    why   {{KEY}} NOT NULL,    -- '' mails leave, else the reason
    since BIGINT NOT NULL
);

-- Whose mail it is: the owner of the run that wrote it, 0 the house.
ALTER TABLE outbox ADD COLUMN owner_id BIGINT NOT NULL DEFAULT 0;
-- When it is given up.
ALTER TABLE outbox ADD COLUMN until BIGINT NOT NULL DEFAULT 0;
UPDATE outbox SET until = created + 172800;
CREATE INDEX outbox_failed_owner ON outbox (owner_id, id) WHERE state = 'failed';

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

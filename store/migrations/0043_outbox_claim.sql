-- +goose Up
-- Until when a daemon has a mail in its hands: next_try, which a claim puts off,
-- does not tell that from one that waits for its next try, and who had it tried
-- again in that moment had it sent twice.
ALTER TABLE outbox ADD COLUMN claimed_until BIGINT NOT NULL DEFAULT 0;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

-- +goose Up
-- Saved filters are filled in batches: filling is the last item that was
-- looked at, as in entries, '' before the first; NULL when all were.
ALTER TABLE collections ADD COLUMN filling TEXT;

-- Secret addresses at which a calendar is read without a login. The secret
-- itself is nowhere: who knows the database cannot read the calendar by it.
CREATE TABLE feeds (
    secret_hash   {{KEY}} PRIMARY KEY, -- SHA-256, hex
    collection_id BIGINT NOT NULL UNIQUE REFERENCES collections (id),
    made          BIGINT NOT NULL,
    used          BIGINT NOT NULL DEFAULT 0 -- when it was last read, to the hour
);

-- +goose Down
-- Forward only.

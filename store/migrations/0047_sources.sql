-- +goose Up
-- The contacts of a client that name a lead source, in their order: the reports
-- of sources find the first one and the next without the table.
DROP INDEX contacts_source;
CREATE INDEX contacts_source ON contacts (client_id, start_at, source_id) WHERE source_id IS NOT NULL;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

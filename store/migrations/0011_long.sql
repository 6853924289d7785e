-- +goose Up

-- Entries of more than a week, which are few: a stretch of time asks for the
-- others by when they begin.
CREATE INDEX entries_long ON entries (collection_id, begins) WHERE ends - begins > 604800;

-- +goose Down
-- Forward only.

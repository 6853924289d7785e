-- +goose Up
-- Calendars that people make in their calendar programs: what is put into one
-- carries its label (design.md, "a calendar is a saved filter").
CREATE TABLE labels (
    item          {{KEY}} NOT NULL, -- as in entries
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    PRIMARY KEY (item, collection_id)
){{NO_ROWID}};
CREATE INDEX labels_collection ON labels (collection_id);

-- +goose Down
-- Forward only.

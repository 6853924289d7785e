-- +goose Up
-- The entry was put here by a program that moves by PUT and DELETE: the DELETE
-- of where it was before is no cancelling.
ALTER TABLE entries ADD COLUMN moved BOOLEAN NOT NULL DEFAULT FALSE;

-- What calendar programs have left on the resources of a manager beside the
-- calendars (RFC 4918 section 4): property is "namespace name", value the whole
-- element. An item's stay with it wherever it is moved.
CREATE TABLE dead_properties (
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    resource   {{KEY}} NOT NULL, -- an item as in entries, else caldav's word for it
    property   {{KEY}} NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (manager_id, resource, property)
){{NO_ROWID}};

-- +goose Down
-- Forward only.

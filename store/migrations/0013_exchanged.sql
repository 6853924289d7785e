-- +goose Up
-- Which state of a record an accounting system sent last: files may come in
-- any order, and the newest state stays.
CREATE TABLE exchanged (
    record {{KEY}} PRIMARY KEY, -- "order ID", "document ID", "client ID"
    number BIGINT NOT NULL,     -- the other system's version of the record; 0: not said
    formed BIGINT NOT NULL      -- when the file was made; 0: not said
){{NO_ROWID}};

-- +goose Down
-- Forward only.

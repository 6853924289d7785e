-- +goose Up
-- Merging: two clients became one, or contacts with free text a client's. What
-- each did stands here until it is undone, and stays as its trace.
CREATE TABLE merges (
    id         {{ID}},
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL, -- client, text
    client_id  BIGINT NOT NULL, -- who stays. No reference: undoing may remove a client that registering made
    gone_id    BIGINT, -- of a merged client: its id, which no client gets again
    gone       TEXT NOT NULL, -- its name, or the free text
    manager_id BIGINT,
    origin     TEXT NOT NULL,
    did        TEXT NOT NULL, -- JSON: what the client that stays got
    undone     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX merges_client ON merges (client_id);
CREATE INDEX merges_gone ON merges (gone_id);

-- Rows that a merge gave to another client, changed or made.
CREATE TABLE merge_rows (
    merge_id BIGINT NOT NULL REFERENCES merges (id),
    what     {{KEY}} NOT NULL, -- the table, or what was done there
    record   {{KEY}} NOT NULL, -- the row's key
    was      TEXT NOT NULL DEFAULT '', -- JSON: what the row said before, or the whole row where it was taken away
    PRIMARY KEY (merge_id, what, record)
){{NO_ROWID}};

-- Where the records of merged clients lead: an import by the key, a letter or
-- a page by the number.
CREATE TABLE merged_clients (
    gone_id     BIGINT PRIMARY KEY,
    external_id {{KEY}} UNIQUE, -- NULL: it had none, or the client that stays took it
    client_id   BIGINT NOT NULL REFERENCES clients (id)
);
CREATE INDEX merged_clients_client ON merged_clients (client_id);

-- Contacts of nobody registered yet, to find those with the same free text.
CREATE INDEX contacts_free_text ON contacts (client_text) WHERE client_id IS NULL AND client_text <> '';

-- +goose Down
-- Forward only.

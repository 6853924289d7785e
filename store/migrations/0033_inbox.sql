-- +goose Up
-- Open questions that somebody has answered with "leave it as it is".
CREATE TABLE settled (
    what       {{KEY}} NOT NULL, -- unlinked, source, clients
    one        BIGINT NOT NULL,  -- a contact; a client; the lesser of two clients
    other      BIGINT NOT NULL,  -- the greater of two clients, else 0
    manager_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (what, one, other)
){{NO_ROWID}};

-- Contacts whose client nobody has said.
CREATE INDEX contacts_loose ON contacts (created) WHERE client_id IS NULL;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

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
CREATE INDEX contacts_loose ON contacts (client_id, created) WHERE client_id IS NULL;

-- Who wrote of late, whoever's mailbox it was.
CREATE INDEX senders_last ON senders (last);

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

-- +goose Up
-- Programs of others (integrations): a token each, of which only the hash is
-- kept, and what the token opens.
CREATE TABLE integrations (
    id         {{ID}},
    name       {{KEY}} NOT NULL UNIQUE,
    token_hash {{KEY}} NOT NULL UNIQUE, -- SHA-256, hex
    scopes     TEXT NOT NULL,           -- JSON
    created    BIGINT NOT NULL,         -- the token
    revoked    BIGINT NOT NULL DEFAULT 0,
    used       BIGINT NOT NULL DEFAULT 0 -- when the token last opened something, to the hour
);

-- Which integration changed it.
ALTER TABLE history ADD COLUMN integration_id BIGINT REFERENCES integrations (id);

-- Answers that a repeated request gets again (Idempotency-Key), and while
-- status is 0 the claim of the request that is being worked on.
CREATE TABLE idempotency (
    integration_id BIGINT NOT NULL REFERENCES integrations (id),
    idempotency_key {{KEY}} NOT NULL,
    request        TEXT NOT NULL, -- SHA-256 of method, target and body, hex
    at             BIGINT NOT NULL,
    status         BIGINT NOT NULL DEFAULT 0,
    header         TEXT NOT NULL DEFAULT '{}', -- JSON
    body           {{BYTES}},
    PRIMARY KEY (integration_id, idempotency_key)
){{NO_ROWID}};
CREATE INDEX idempotency_at ON idempotency (at);

-- Contacts are known by other systems' keys, too.
ALTER TABLE contacts ADD COLUMN external_id {{KEY}};
CREATE UNIQUE INDEX contacts_external ON contacts (external_id) WHERE external_id IS NOT NULL;

-- What has changed since: of each kind that integrations read.
ALTER TABLE persons ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
UPDATE persons SET changed = created;
UPDATE documents SET changed = (SELECT cl.changed FROM clients cl WHERE cl.id = documents.client_id); -- no better is known
CREATE INDEX clients_changed ON clients (changed);
CREATE INDEX persons_changed ON persons (changed);
CREATE INDEX deals_changed ON deals (changed);
CREATE INDEX documents_changed ON documents (changed);
CREATE INDEX contacts_changed ON contacts (changed);

-- +goose Down
-- Forward only.

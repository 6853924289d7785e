-- +goose Up
-- What lists of a manager's contacts are read by, copied from the contact:
-- its client, when it begins, and as what a calendar lists it: 'open', 'done' of what is no
-- captured letter, or not. Of a million contacts a manager has 10,000, of
-- 200 clients and with 150 open ones: each list looked up all of them.
ALTER TABLE contact_managers ADD COLUMN client_id BIGINT;
ALTER TABLE contact_managers ADD COLUMN start_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE contact_managers ADD COLUMN listed {{KEY}};
UPDATE contact_managers SET (client_id, start_at, listed) = (SELECT c.client_id, c.start_at, CASE
    WHEN c.state IN ('planned', 'postponed') THEN 'open'
    WHEN c.state = 'done' AND c.message_key = '' THEN 'done' END FROM contacts c WHERE c.id = contact_managers.contact_id);
DROP INDEX contact_managers_manager;
CREATE INDEX contact_managers_client ON contact_managers (manager_id, client_id, contact_id);
CREATE INDEX contact_managers_listed ON contact_managers (manager_id, listed, start_at, contact_id) WHERE listed IS NOT NULL;
-- Whose deals' clients a manager may know of.
CREATE INDEX deals_manager_client ON deals (manager_id, client_id);

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

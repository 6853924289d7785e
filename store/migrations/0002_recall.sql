-- +goose Up
-- Mailboxes are read newest letters first, so a cursor has two ends: all
-- letters from first_uid to last_uid have an outcome. Folders of before were
-- read from the oldest on: nothing is left below.
ALTER TABLE folders ADD COLUMN first_uid BIGINT NOT NULL DEFAULT 1;
-- Registrations up to here have been looked up in the folder.
ALTER TABLE folders ADD COLUMN registered BIGINT NOT NULL DEFAULT 0;

-- Addresses and domains in the order in which they became somebody's: the past
-- letters of each are looked up once in every folder.
CREATE TABLE registrations (
    id    {{ID}},
    kind  {{KEY}} NOT NULL, -- email, domain
    value {{KEY}} NOT NULL,
    at    BIGINT NOT NULL
);

-- Letters that have an outcome, or should have one, and are to be decided anew.
CREATE TABLE recalls (
    folder_id    BIGINT NOT NULL REFERENCES folders (id),
    uid_validity BIGINT NOT NULL,
    uid          BIGINT NOT NULL,
    PRIMARY KEY (folder_id, uid_validity, uid)
){{NO_ROWID}};

-- What a letter of unknown people answers: hashes of Message-IDs, or of the
-- bare subject. Letters come newest first, so what is answered may be captured
-- later, and the answer belongs to its client then (rules.md section 3, 6).
CREATE TABLE answers (
    answered     {{KEY}} NOT NULL,
    folder_id    BIGINT NOT NULL REFERENCES folders (id),
    uid_validity BIGINT NOT NULL,
    uid          BIGINT NOT NULL,
    PRIMARY KEY (answered, folder_id, uid_validity, uid)
){{NO_ROWID}};
CREATE INDEX answers_letter ON answers (folder_id, uid_validity, uid);

-- What is planned with a client, without passing over all of its letters.
CREATE INDEX contacts_open_client ON contacts (client_id) WHERE state IN ('planned', 'postponed');

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

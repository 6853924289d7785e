-- +goose Up
-- What the remaining rules of capture need (rules.md section 3), and the
-- dropbox: letters that managers send or forward to the program itself.

-- Blocked by hand ("intouchd block add"). The table blocked holds what the
-- settings say and is written anew whenever they change.
CREATE TABLE blocked_by_hand (
    value {{KEY}} PRIMARY KEY,
    added BIGINT NOT NULL
);

-- A letter of a private thread: its text is shown only to the managers who
-- took part, and of the thread's later letters none is kept.
ALTER TABLE contacts ADD COLUMN private BOOLEAN NOT NULL DEFAULT FALSE;

-- A letter that a folder includes although nobody knows its sender has one
-- contact without a client. NULLs are all different in contacts_letter.
CREATE UNIQUE INDEX contacts_letter_alone ON contacts (message_key) WHERE message_key <> '' AND client_id IS NULL;

-- The addresses of such letters, so that a client registered later finds them.
CREATE TABLE unlinked (
    address    {{KEY}} NOT NULL,
    domain     {{KEY}} NOT NULL,
    contact_id BIGINT NOT NULL REFERENCES contacts (id),
    PRIMARY KEY (address, contact_id)
);
CREATE INDEX unlinked_domain ON unlinked (domain);
CREATE INDEX unlinked_contact ON unlinked (contact_id);

-- Which words of which letter to the dropbox have been obeyed: a letter that
-- is delivered twice, or seen again after a re-sync, acts once.
CREATE TABLE dropbox_acts (
    message_key {{KEY}} NOT NULL, -- of the letter that the manager sent
    word        {{KEY}} NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (message_key, word)
);

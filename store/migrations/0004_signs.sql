-- +goose Up
-- What letters say beside their text (issue 3): invitations become meetings
-- (RFC 5546), bounces are noted on the letter that came back (RFC 3464),
-- auto-replies tell until when a person is away. Letters are read newest first
-- and mailboxes in any order, so a CANCEL may come before its REQUEST, a bounce
-- before its letter: each message is kept under its own key, and what is shown
-- is worked out from all of them, the same whatever came first.

-- A meeting that was mailed, for each of its clients.
CREATE TABLE invitations (
    uid             {{KEY}} NOT NULL, -- iTIP UID
    client_id       BIGINT NOT NULL REFERENCES clients (id),
    contact_id      BIGINT REFERENCES contacts (id), -- NULL: no REQUEST has been seen
    sequence        BIGINT NOT NULL DEFAULT -1, -- of the newest REQUEST, -1: none
    stamp           BIGINT NOT NULL DEFAULT 0,
    cancel_sequence BIGINT NOT NULL DEFAULT -1, -- of the newest CANCEL, -1: none
    cancel_stamp    BIGINT NOT NULL DEFAULT 0,
    cancelled       BOOLEAN NOT NULL DEFAULT FALSE, -- the CANCEL has taken effect on the contact
    message_key     {{KEY}} NOT NULL DEFAULT '', -- letter of the newest REQUEST
    said            TEXT NOT NULL DEFAULT '{}', -- JSON: what it said, to tell a manager's edit from the organizer's
    PRIMARY KEY (uid, client_id)
);
CREATE INDEX invitations_letter ON invitations (message_key, client_id) WHERE message_key <> '';
CREATE INDEX invitations_contact ON invitations (contact_id);

-- Single occurrences of a series that were moved or cancelled.
CREATE TABLE invitation_occurrences (
    uid        {{KEY}} NOT NULL,
    client_id  BIGINT NOT NULL REFERENCES clients (id),
    occurrence {{KEY}} NOT NULL, -- RECURRENCE-ID: RFC 3339 in UTC, or a day
    sequence   BIGINT NOT NULL,
    stamp      BIGINT NOT NULL,
    cancelled  BOOLEAN NOT NULL,
    span       TEXT NOT NULL, -- where it was moved
    PRIMARY KEY (uid, client_id, occurrence)
);

-- Answers to invitations (METHOD:REPLY), the newest of each attendee.
CREATE TABLE invitation_answers (
    uid     {{KEY}} NOT NULL,
    address {{KEY}} NOT NULL,
    answer  TEXT NOT NULL, -- accepted, declined, tentative
    stamp   BIGINT NOT NULL,
    PRIMARY KEY (uid, address)
);

-- Letters that came back, the newest report for each recipient.
CREATE TABLE bounces (
    message_key {{KEY}} NOT NULL, -- of the letter that came back
    address     {{KEY}} NOT NULL, -- '': the report names nobody
    status      TEXT NOT NULL, -- RFC 3463, '' unknown
    reason      TEXT NOT NULL,
    failed      BOOLEAN NOT NULL, -- FALSE: still being tried
    dead        BOOLEAN NOT NULL, -- the address itself is to blame, for good
    at          BIGINT NOT NULL,
    PRIMARY KEY (message_key, address)
);

-- What is shown of all this on a contact, JSON.
ALTER TABLE contacts ADD COLUMN signs TEXT NOT NULL DEFAULT '[]';

-- The last time that mail to an address came back for good, and that mail came
-- from it: the later one counts.
ALTER TABLE person_points ADD COLUMN bounced BIGINT NOT NULL DEFAULT 0;
ALTER TABLE person_points ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;

-- A person's return date, and when the letter was written that said it.
ALTER TABLE persons ADD COLUMN away_until TEXT NOT NULL DEFAULT '';
ALTER TABLE persons ADD COLUMN away_said BIGINT NOT NULL DEFAULT 0;

-- +goose Down
-- Forward only.

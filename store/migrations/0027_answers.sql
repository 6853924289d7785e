-- +goose Up
-- What signs the links in mails and makes their reply addresses. One row; made
-- once, kept secret.
CREATE TABLE mail_key (
    id     BIGINT PRIMARY KEY,
    secret {{BYTES}} NOT NULL
);

-- Links that were used: each acts once. Gone when they would have expired.
CREATE TABLE used_links (
    token   {{KEY}} NOT NULL PRIMARY KEY, -- its hash
    at      BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX used_links_expires ON used_links (expires);

-- What the numbers of a mail stand for, by the token that answers to it carry.
CREATE TABLE answer_sheets (
    token      {{KEY}} NOT NULL PRIMARY KEY,
    manager_id BIGINT NOT NULL REFERENCES managers (id) ON DELETE CASCADE,
    subject    TEXT NOT NULL,
    targets    TEXT NOT NULL, -- JSON
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL
);
CREATE INDEX answer_sheets_expires ON answer_sheets (expires);
CREATE INDEX answer_sheets_manager ON answer_sheets (manager_id);

-- Answers by mail, each acted on once; what became of them is told until told.
CREATE TABLE replies (
    id          {{ID}},
    message_key {{KEY}} NOT NULL UNIQUE,
    manager_id  BIGINT NOT NULL REFERENCES managers (id) ON DELETE CASCADE,
    sheet       {{KEY}} NOT NULL,
    address     {{KEY}} NOT NULL, -- that it came from
    message_id  TEXT NOT NULL,
    subject     TEXT NOT NULL,
    results     TEXT NOT NULL, -- JSON
    at          BIGINT NOT NULL,
    told        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX replies_untold ON replies (id) WHERE told = 0;
CREATE INDEX replies_day ON replies (manager_id, at);

-- Kinds of mail that a manager does not want.
CREATE TABLE unsubscribed (
    manager_id BIGINT NOT NULL REFERENCES managers (id) ON DELETE CASCADE,
    kind       {{KEY}} NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (manager_id, kind)
);

-- +goose Down
-- Forward only.

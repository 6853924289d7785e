-- +goose Up
-- Cards that a manager's address-book programs put. With a person: what we do
-- not know of that person (photo, notes, addresses) is given back from here.
-- Without one: a card of the manager's own, of somebody who is at no client.
CREATE TABLE cards (
    id         {{ID}},
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    person_id  BIGINT REFERENCES persons (id),
    name       {{KEY}} NOT NULL, -- last part of its address
    uid        {{KEY}} NOT NULL,
    bytes      {{BYTES}} NOT NULL,
    UNIQUE (manager_id, name),
    UNIQUE (manager_id, uid),
    UNIQUE (manager_id, person_id)
);

-- A manager's address books, as far as a program has asked for them.
CREATE TABLE books (
    id         {{ID}},
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    name       {{KEY}} NOT NULL, -- persons, all
    change     BIGINT NOT NULL DEFAULT 0,
    oldest     BIGINT NOT NULL DEFAULT 0, -- the last tombstone that was dropped
    epoch      BIGINT NOT NULL,
    seen       BIGINT NOT NULL DEFAULT 0, -- the card_marks that book_changes has
    shown      TEXT NOT NULL DEFAULT '', -- what its cards were rendered for: RenewAll's mark, zone, language
    UNIQUE (manager_id, name)
);

-- The last change of each card of a book.
CREATE TABLE book_changes (
    book_id   BIGINT NOT NULL REFERENCES books (id),
    name      {{KEY}} NOT NULL,
    client_id BIGINT NOT NULL, -- whose person it is, 0: an own card
    etag      {{KEY}} NOT NULL, -- '': gone
    change    BIGINT NOT NULL,
    changed   BIGINT NOT NULL,
    PRIMARY KEY (book_id, name)
){{NO_ROWID}};
CREATE INDEX book_changes_change ON book_changes (book_id, change);
CREATE INDEX book_changes_client ON book_changes (client_id, book_id);
CREATE INDEX book_changes_gone ON book_changes (changed) WHERE etag = '';

-- When something last changed that the cards of a client's persons show, by
-- the setting "cards", which counts such changes. client_id refers to clients;
-- PostgreSQL would lock that row to check it, after the one that all wait for.
CREATE TABLE card_marks (
    client_id BIGINT PRIMARY KEY,
    change    BIGINT NOT NULL
);
CREATE INDEX card_marks_change ON card_marks (change);

-- +goose Down
-- Forward only.

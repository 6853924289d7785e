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

-- The last change of each card of a manager's address book.
CREATE TABLE book_changes (
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    name       {{KEY}} NOT NULL,
    etag       {{KEY}} NOT NULL, -- '': gone
    change     BIGINT NOT NULL,
    PRIMARY KEY (manager_id, name)
){{NO_ROWID}};

-- +goose Down
-- Forward only.

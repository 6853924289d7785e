-- +goose Up
-- Entries of address books that were brought in (vCard, Thunderbird, ...): what
-- each said last, whose person it is, and what of that person it gave. A person
-- that was merged into another one is such an entry of the book "persons", with
-- its own number as key.
CREATE TABLE book_entries (
    id         {{ID}},
    book       {{KEY}} NOT NULL,
    key        {{KEY}} NOT NULL,          -- of the entry in its book
    state      {{KEY}} NOT NULL,          -- taken, offered, refused
    person_id  BIGINT REFERENCES persons (id), -- taken: whose it is
    merged     BIGINT NOT NULL DEFAULT 0, -- taken: when it was merged into a person who was there; 0: it made the person
    merged_by  BIGINT REFERENCES managers (id), -- NULL: the program
    why        {{KEY}} NOT NULL DEFAULT '', -- offered: the reason
    client_id  BIGINT REFERENCES clients (id), -- offered: the client that was found
    double_id  BIGINT REFERENCES persons (id), -- offered: who it may be
    manager_id BIGINT REFERENCES managers (id), -- whose book it is, NULL: nobody's
    said       TEXT NOT NULL,
    gave       TEXT NOT NULL DEFAULT '{}', -- what of the person comes from here
    kept       TEXT NOT NULL DEFAULT '{}', -- of a merged person: what else undoing brings back
    changed    BIGINT NOT NULL,
    UNIQUE (book, key)
);
CREATE INDEX book_entries_person ON book_entries (person_id);
CREATE INDEX book_entries_state ON book_entries (state, id);

-- A person that was merged keeps its row and its key, and is shown nowhere.
ALTER TABLE persons ADD COLUMN merged_into BIGINT REFERENCES persons (id);

-- Pairs of persons that somebody said are two.
CREATE TABLE persons_apart (
    one   BIGINT NOT NULL REFERENCES persons (id),
    other BIGINT NOT NULL REFERENCES persons (id), -- the greater number
    PRIMARY KEY (one, other)
){{NO_ROWID}};

-- +goose Down
-- Forward only.

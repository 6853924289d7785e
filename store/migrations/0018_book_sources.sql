-- +goose Up
-- How far address books on CardDAV servers have been read.
CREATE TABLE card_books (
    url   {{KEY}} PRIMARY KEY,
    token TEXT NOT NULL -- to ask the server with for what has changed since
);

CREATE TABLE card_etags (
    url  {{KEY}} NOT NULL, -- of the book
    path {{KEY}} NOT NULL, -- of the card on its server
    etag TEXT NOT NULL,
    PRIMARY KEY (url, path)
){{NO_ROWID}};

-- Who takes part in captured letters and is no person yet, by each name that
-- the letters show. They are offered as entries of the book "mail".
CREATE TABLE correspondents (
    address {{KEY}} NOT NULL,
    name    {{KEY}} NOT NULL, -- "" where a letter shows none
    letters BIGINT NOT NULL,
    last    BIGINT NOT NULL,
    PRIMARY KEY (address, name)
){{NO_ROWID}};

-- Letters that were captured before are counted by the program: the contact
-- counted last, and the last one to count.
INSERT INTO settings (name, value) SELECT 'correspondents', '[0,' || COALESCE(MAX(id), 0) || ']' FROM contacts;

-- +goose Down
-- Forward only.

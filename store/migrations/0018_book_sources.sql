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

-- +goose Down
-- Forward only.

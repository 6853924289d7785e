-- +goose Up
-- Whoever was erased on request, so that no mailbox, import or address book
-- brings them back by itself: hashes of addresses, phones and keys, with a key of
-- this database. Nothing can be read from them; who has the whole database can
-- try whether an address is among them. A person who was erased is merged into itself:
-- contacts that count it stay, and nothing shows it.
CREATE TABLE erased (
    hash {{KEY}} PRIMARY KEY,
    at   BIGINT NOT NULL
){{NO_ROWID}};

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

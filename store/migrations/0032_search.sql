-- +goose Up
-- The words by which clients, persons, deals and contacts are found: what
-- store/search.go makes of their names, addresses, telephones, numbers and
-- subjects. The words alone, folded by us (ascii takes them as they are); what is shown is read from the rows themselves.
{{SQLITE}}CREATE VIRTUAL TABLE search_clients USING fts5 (words, content = '', contentless_delete = 1, detail = none, prefix = '2 3 4', tokenize = 'ascii');
{{SQLITE}}CREATE VIRTUAL TABLE search_persons USING fts5 (words, content = '', contentless_delete = 1, detail = none, prefix = '2 3 4', tokenize = 'ascii');
{{SQLITE}}CREATE VIRTUAL TABLE search_deals USING fts5 (words, content = '', contentless_delete = 1, detail = none, prefix = '2 3 4', tokenize = 'ascii');
{{SQLITE}}CREATE VIRTUAL TABLE search_contacts USING fts5 (words, content = '', contentless_delete = 1, detail = none, prefix = '2 3 4', tokenize = 'ascii');
{{POSTGRES}}CREATE TABLE search_clients (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
{{POSTGRES}}CREATE TABLE search_persons (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
{{POSTGRES}}CREATE TABLE search_deals (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
{{POSTGRES}}CREATE TABLE search_contacts (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
{{POSTGRES}}CREATE INDEX search_clients_words ON search_clients USING GIN (words);
{{POSTGRES}}CREATE INDEX search_persons_words ON search_persons USING GIN (words);
{{POSTGRES}}CREATE INDEX search_deals_words ON search_deals USING GIN (words);
{{POSTGRES}}CREATE INDEX search_contacts_words ON search_contacts USING GIN (words);

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

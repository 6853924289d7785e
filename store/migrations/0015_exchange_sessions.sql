-- +goose Up
-- The exchange that an accounting system drives over HTTP (issue 5 point 2).
-- All of it is in rows, so that any daemon behind a balancer answers the next
-- request, and a restart in the middle loses nothing. integration_id is of
-- integrations, which the next migration makes.
CREATE TABLE exchange_sessions (
    token_hash     {{KEY}} PRIMARY KEY, -- SHA-256 of the cookie, hex
    integration_id BIGINT NOT NULL,
    began          BIGINT NOT NULL,
    seen           BIGINT NOT NULL,         -- last request, to the minute
    version        TEXT NOT NULL DEFAULT '' -- of CommerceML, as agreed on; '': the other program is too old to ask
){{NO_ROWID}};
CREATE INDEX exchange_sessions_integration ON exchange_sessions (integration_id, seen);

-- A file on its way (receiving, waiting, importing), and afterwards the record
-- of what became of it (done, failed).
CREATE TABLE exchange_files (
    id             {{ID}},
    integration_id BIGINT NOT NULL,
    session        {{KEY}} NOT NULL,             -- token_hash; the session may be gone
    name           TEXT NOT NULL,
    state          {{KEY}} NOT NULL,
    created        BIGINT NOT NULL,
    seen           BIGINT NOT NULL,              -- last part
    size           BIGINT NOT NULL DEFAULT 0,    -- bytes of the parts that came whole
    held           BIGINT NOT NULL DEFAULT 0,    -- bytes in exchange_chunks
    part           BIGINT NOT NULL DEFAULT 0,    -- number of the part that may write: an older one that hangs may not
    last_part      TEXT NOT NULL DEFAULT '',     -- SHA-256, hex: the same part sent again is known by it
    claim          BIGINT NOT NULL DEFAULT 0,    -- number of the claim that imports it
    claimed_until  BIGINT NOT NULL DEFAULT 0,
    started        BIGINT NOT NULL DEFAULT 0,    -- the first import
    finished       BIGINT NOT NULL DEFAULT 0,
    report         TEXT NOT NULL DEFAULT '{}',   -- JSON: ExchangeReport
    refused        {{BYTES}}                     -- papers that were refused, as CommerceML
);
CREATE INDEX exchange_files_open ON exchange_files (state, id) WHERE state IN ('receiving', 'waiting', 'importing');
CREATE INDEX exchange_files_session ON exchange_files (session, id);
CREATE INDEX exchange_files_held ON exchange_files (integration_id) WHERE held > 0;

CREATE TABLE exchange_chunks (
    file_id BIGINT NOT NULL REFERENCES exchange_files (id),
    at      BIGINT NOT NULL, -- offset in the file
    body    {{BYTES}} NOT NULL,
    PRIMARY KEY (file_id, at)
);

-- +goose Down
-- Forward only.

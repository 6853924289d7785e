-- +goose Up
-- Mailboxes that are opened with tokens instead of passwords (issue 3 point 7).
-- version is the number of the claim that wrote the tokens, claims the number
-- of the last one that was given out: a renewal that comes back late, after a
-- later claim has written, is recognised by it. issuer is the endpoint and the
-- client that the refresh token belongs to: it is sent nowhere else.
CREATE TABLE oauth_tokens (
    mailbox_id    BIGINT PRIMARY KEY REFERENCES mailboxes (id),
    issuer        TEXT NOT NULL,
    refresh_token TEXT NOT NULL,
    access_token  TEXT NOT NULL,
    expires       BIGINT NOT NULL, -- of the access token; 0: not known
    version       BIGINT NOT NULL,
    claims        BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL DEFAULT 0
);

-- When a mailbox could not be read for the last time; 0 while it can. Beside
-- error_since it tells a login that has been failing for an hour from one that
-- failed once before the daemon was stopped, and from a folder that is missing.
ALTER TABLE mailboxes ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX mailboxes_failing ON mailboxes (failed_at) WHERE failed_at > 0;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

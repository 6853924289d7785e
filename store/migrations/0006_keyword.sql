-- +goose Up
-- Letters that bear a keyword of ours in their mailbox, as it was last looked
-- at: one that got it, or lost it, is decided anew.
CREATE TABLE keyworded (
    folder_id    BIGINT NOT NULL REFERENCES folders (id),
    uid_validity BIGINT NOT NULL,
    keyword      {{KEY}} NOT NULL,
    uid          BIGINT NOT NULL,
    PRIMARY KEY (folder_id, uid_validity, keyword, uid)
){{NO_ROWID}};

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

-- +goose Up
-- When the text of a letter was dropped, since it is older than texts are kept;
-- 0: it was not.
ALTER TABLE letter_texts ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

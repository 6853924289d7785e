-- +goose Up
-- The entry was put here by a program that moves by PUT and DELETE: the DELETE
-- of where it was before is no cancelling.
ALTER TABLE entries ADD COLUMN moved BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
-- Forward only.

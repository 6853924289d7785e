-- +goose Up
-- Reports ask for the contacts of a period.
CREATE INDEX contacts_start ON contacts (start_at);

-- +goose Down
-- Forward only.

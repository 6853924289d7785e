-- +goose Up
-- What a first pass of 20,000 letters showed (issue 3): each batch looked
-- through all contacts for one that is private, and each letter wrote a NULL
-- into the index of deals.
CREATE INDEX contacts_private ON contacts (thread) WHERE private;
DROP INDEX contacts_deal;
CREATE INDEX contacts_deal ON contacts (deal_id) WHERE deal_id IS NOT NULL;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

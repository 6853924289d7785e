-- +goose Up
-- Whether the accounting system says what of a deal has been shipped and paid.
-- An order without planned dates has no event that could say so.
ALTER TABLE deals ADD COLUMN shipment_known BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE deals ADD COLUMN payment_known BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE deals SET shipment_known = FALSE WHERE id IN (SELECT deal_id FROM deal_events WHERE kind = 'shipment' AND NOT known);
UPDATE deals SET payment_known = FALSE WHERE id IN (SELECT deal_id FROM deal_events WHERE kind = 'payment' AND NOT known);

-- What documents say of every deal is added up from the index alone.
DROP INDEX documents_deal;
CREATE INDEX documents_deal ON documents (deal_id, currency, kind, amount);

-- Deals without a manager of their own are the client's.
CREATE INDEX deals_manager ON deals (manager_id);

-- +goose Down
-- Forward only.

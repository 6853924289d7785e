-- +goose Up
-- Reports ask for what lies in a period.
CREATE INDEX contacts_start ON contacts (start_at);
CREATE INDEX documents_date ON documents (date);
CREATE INDEX deals_date ON deals (date);

-- Payments that have not come.
CREATE INDEX deal_events_unpaid ON deal_events (deal_id) WHERE kind = 'payment' AND covered < amount AND state = 'planned';

-- Lead sources of a client, each valid from its contact on.
CREATE INDEX contacts_source ON contacts (client_id, start_at) WHERE source_id IS NOT NULL;

-- +goose Down
-- Forward only.

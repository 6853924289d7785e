-- +goose Up
-- The tax that a document's sum contains, in its currency; NULL: not known.
ALTER TABLE documents ADD COLUMN tax BIGINT;

-- Reports add up what lies in a period from the indexes alone: the rows are
-- long (letters), and each would be a page of its own to read.
DROP INDEX contacts_start;
CREATE INDEX contacts_start ON contacts (start_at, state, kind, direction, client_id, manager_id, minutes, estimated, importance, source_id, dismissed);
DROP INDEX documents_date;
CREATE INDEX documents_date ON documents (date, kind, client_id, deal_id, currency, amount, cost, tax);
DROP INDEX deals_date;
CREATE INDEX deals_date ON deals (date, status, client_id, manager_id, source_id, currency, amount);

-- Whether something was a client's first.
DROP INDEX deals_client;
CREATE INDEX deals_client ON deals (client_id, date, status);
DROP INDEX documents_client;
CREATE INDEX documents_client ON documents (client_id, date, kind);

-- What each client owed on a day.
DROP INDEX settlements_client;
CREATE INDEX settlements_client ON settlements (client_id, currency, date, amount);

-- Payments that have not come whole, whatever became of the event.
CREATE INDEX deal_events_short ON deal_events (deal_id) WHERE kind = 'payment' AND covered < amount;

-- +goose Down
-- Forward only.

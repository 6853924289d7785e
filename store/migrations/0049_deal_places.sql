-- +goose Up
-- What lists of deals and their events are read by. listed_to: up to which day a
-- calendar lists events of the deal: that of its last one, 'open' while one is planned
-- or postponed. Of 2,000 deals of a manager 70 are open and 300 end in this month or
-- later: each list asked all 2,000 for their events, each month all events of the
-- house's month for their deals. shipped and paid: what its documents of its currency
-- add up to, which a report on open deals added up for each of them.
ALTER TABLE deals ADD COLUMN listed_to {{KEY}} NOT NULL DEFAULT '';
ALTER TABLE deals ADD COLUMN shipped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deals ADD COLUMN paid BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deal_events_listed ON deal_events (deal_id, (CASE WHEN expected <> '' AND expect_set >= due_set THEN expected ELSE due END), state);
UPDATE deals SET
    listed_to = COALESCE((SELECT CASE WHEN MAX(CASE WHEN e.state IN ('planned', 'postponed') THEN 1 ELSE 0 END) = 1 THEN 'open'
        ELSE MAX(CASE WHEN e.expected <> '' AND e.expect_set >= e.due_set THEN e.expected ELSE e.due END) END FROM deal_events e WHERE e.deal_id = deals.id), ''),
    shipped = (SELECT COALESCE(SUM(CASE x.kind WHEN 'shipment' THEN x.amount WHEN 'return' THEN -x.amount ELSE 0 END), 0) FROM documents x WHERE x.deal_id = deals.id AND x.currency = deals.currency),
    paid = (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = deals.id AND x.currency = deals.currency AND x.kind = 'payment');
DROP INDEX deal_events_deal;
DROP INDEX deal_events_open;
CREATE INDEX deals_listed ON deals (manager_id, listed_to);
DROP INDEX deals_unmanaged;
CREATE INDEX deals_unmanaged ON deals (client_id, open_next, listed_to) WHERE manager_id IS NULL;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

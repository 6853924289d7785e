-- +goose Up
-- The day of an open deal's next event, 2200-12-31 where none has a day; '' when
-- the deal is not open. A page of open deals is read in this order: adding up
-- the documents of 200,000 deals for each page took 1.5 s.
ALTER TABLE deals ADD COLUMN open_next TEXT NOT NULL DEFAULT '';
UPDATE deals SET open_next = CASE
    WHEN status = 'cancelled' THEN ''
    WHEN amount > (SELECT COALESCE(SUM(CASE x.kind WHEN 'shipment' THEN x.amount WHEN 'return' THEN -x.amount ELSE 0 END), 0) FROM documents x WHERE x.deal_id = deals.id AND x.currency = deals.currency)
      OR amount > (SELECT COALESCE(SUM(CASE x.kind WHEN 'payment' THEN x.amount ELSE 0 END), 0) FROM documents x WHERE x.deal_id = deals.id AND x.currency = deals.currency)
    THEN COALESCE((SELECT MIN(CASE WHEN e.expected <> '' AND e.expect_set >= e.due_set THEN e.expected ELSE e.due END) FROM deal_events e
        WHERE e.deal_id = deals.id AND e.state IN ('planned', 'postponed') AND CASE WHEN e.expected <> '' AND e.expect_set >= e.due_set THEN e.expected ELSE e.due END <> ''), '2200-12-31')
    ELSE '' END;
CREATE INDEX deals_open ON deals (open_next, date, id) WHERE open_next <> '';

-- +goose Down
-- Forward only.

-- +goose Up
-- What a manager's list, week and month are read by: the open events of a deal,
-- the events of a day, a manager's open deals and those that are the client's
-- manager's, and the contacts that are no captured letters. From other indexes the whole house's
-- were read, for 0.1 s.
CREATE INDEX deal_events_open ON deal_events (deal_id, (CASE WHEN expected <> '' AND expect_set >= due_set THEN expected ELSE due END)) WHERE state IN ('planned', 'postponed');
CREATE INDEX deal_events_day ON deal_events ((CASE WHEN expected <> '' AND expect_set >= due_set THEN expected ELSE due END), state, deal_id);
CREATE INDEX deals_unmanaged ON deals (client_id, open_next) WHERE manager_id IS NULL;
DROP INDEX deals_manager;
CREATE INDEX deals_manager ON deals (manager_id, open_next);
CREATE INDEX contacts_written ON contacts (start_at, state) WHERE message_key = '';
-- The same as contacts_client_open.
DROP INDEX contacts_open_client;

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

-- +goose Up
-- When each manager is to be reminded of an item next: "alarm" is the moment
-- that its alarm means, "at" the minute when the mail goes, which is later
-- where the manager's quiet hours hold it back. What was reminded of and has no
-- later alarm has no row.
CREATE TABLE reminders (
    item       {{KEY}} NOT NULL, -- c12, e7
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    alarm      BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (item, manager_id)
){{NO_ROWID}};
CREATE INDEX reminders_due ON reminders (manager_id, at);

-- What a manager wants otherwise than the settings say: JSON, {"quiet": "20:00-08:00"}.
ALTER TABLE managers ADD COLUMN reminders TEXT NOT NULL DEFAULT '{}';

-- A manager's own working hours, "09:00-18:00"; "" is as the settings say.
ALTER TABLE managers ADD COLUMN work_hours TEXT NOT NULL DEFAULT '';

-- What calendars brought without a client, for the digests.
CREATE INDEX contacts_unlinked ON contacts (created) WHERE client_id IS NULL AND origin = 'calendar';

-- +goose Down
-- Forward only.

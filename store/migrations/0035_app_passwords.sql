-- +goose Up
-- Passwords of devices: each opens the calendars and address books of its
-- manager, and no page.
CREATE TABLE app_passwords (
    id         {{ID}},
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    name       TEXT NOT NULL,               -- of the device
    hash       {{KEY}} NOT NULL UNIQUE,     -- SHA-256, hex
    created    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL DEFAULT 0,
    used       BIGINT NOT NULL DEFAULT 0,   -- when it last opened something, to the hour
    used_from  TEXT NOT NULL DEFAULT ''     -- and the address
);
CREATE INDEX app_passwords_manager ON app_passwords (manager_id);

-- Where managers have logged in: strangers who guess a password slow nobody
-- down there.
CREATE TABLE login_places (
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    place      {{KEY}} NOT NULL, -- IPv4 address, or the /64 of an IPv6 one
    last       BIGINT NOT NULL,  -- to the day
    PRIMARY KEY (manager_id, place)
){{NO_ROWID}};

-- Counts how often a manager ended all sessions, to which they are bound.
ALTER TABLE managers ADD COLUMN sessions_ended BIGINT NOT NULL DEFAULT 0;

-- The log of changes by who made them, and of one kind.
CREATE INDEX history_manager ON history (manager_id, id);
CREATE INDEX history_kind ON history (what, id);

-- +goose Down
-- Forward only.

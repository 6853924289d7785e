-- +goose Up
-- Classification (rules.md section 5). A row is written when a client's position
-- becomes another one: on a day it is that of its newest row up to that day.
-- client_id refers to clients, and still tells of one that was merged.
CREATE TABLE classifications (
    client_id BIGINT NOT NULL,
    day       {{KEY}} NOT NULL,
    abc       TEXT NOT NULL,
    stage     TEXT NOT NULL,
    xyz       TEXT NOT NULL,
    amount    BIGINT NOT NULL, -- by which it was sorted: see the run
    PRIMARY KEY (client_id, day)
){{NO_ROWID}};
CREATE INDEX classifications_day ON classifications (day);

-- The days that were classified, and by which settings (JSON).
CREATE TABLE classification_runs (
    day      {{KEY}} PRIMARY KEY,
    settings TEXT NOT NULL,
    report   TEXT NOT NULL -- JSON: how many of each, what was not added
){{NO_ROWID}};

-- given_stage is what people or files say. It is shown until there is a sale
-- (stage_found): what documents say counts more.
ALTER TABLE clients ADD COLUMN given_stage TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN stage_found BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE clients SET given_stage = stage;
CREATE INDEX clients_abc ON clients (abc, folded, id);
CREATE INDEX clients_stage ON clients (stage, folded, id);

-- What the rules of keeping in touch have planned: each occasion once. The ids
-- are a trace: a merge may take the contact away.
CREATE TABLE planned_by_rule (
    occasion   {{KEY}} PRIMARY KEY, -- "cadence 7 2026-11-25", "birthday 12 2026-12-01", "worsened 7 2026-11-25"
    rule       {{KEY}} NOT NULL,
    day        {{KEY}} NOT NULL, -- when it was planned
    manager_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL
){{NO_ROWID}};
CREATE INDEX planned_by_rule_day ON planned_by_rule (day, rule);

-- Whether something is planned with a client is asked for all clients each
-- night, and whenever one changes.
CREATE INDEX contacts_client_open ON contacts (client_id) WHERE state IN ('planned', 'postponed');
CREATE INDEX contacts_cadence ON contacts (client_id) WHERE origin = 'cadence';
CREATE INDEX persons_birthday ON persons (birthday) WHERE birthday <> '';

-- +goose Down
-- Forward only.

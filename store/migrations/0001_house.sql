-- +goose Up
-- The house of issue 2: people, clients, contacts, deals, calendars,
-- mailboxes, the run ledger and the outbox. {{ID}}, {{BYTES}}, {{KEY}} and
-- {{NO_ROWID}} are the only words that differ between the engines (dialect.go). Times are
-- BIGINT UTC seconds, days ISO text, money BIGINT minor units.

-- Figures of the whole installation: the version of the address directory,
-- the company's own domains.
CREATE TABLE settings (
    name  {{KEY}} PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE managers (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    login       {{KEY}} NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL,
    time_zone   TEXT NOT NULL,
    language    TEXT NOT NULL,
    password    TEXT NOT NULL DEFAULT '', -- argon2id, PHC text
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);

-- Addresses of ours. A letter among them only is internal.
CREATE TABLE manager_addresses (
    address    {{KEY}} PRIMARY KEY,
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    position   BIGINT NOT NULL
);
CREATE INDEX manager_addresses_manager ON manager_addresses (manager_id);

-- Failed logins by "login|ip" and "ip": shared by all daemons.
CREATE TABLE login_failures (
    name     {{KEY}} PRIMARY KEY,
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL
);

CREATE TABLE sources (
    id          {{ID}},
    external_id {{KEY}} NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    campaign    TEXT NOT NULL DEFAULT '',
    medium      TEXT NOT NULL DEFAULT '',
    from_date   TEXT NOT NULL DEFAULT '',
    to_date     TEXT NOT NULL DEFAULT '',
    cost        BIGINT NOT NULL DEFAULT 0,
    currency    TEXT NOT NULL DEFAULT ''
);

CREATE TABLE clients (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    name        TEXT NOT NULL,
    folded      {{KEY}} NOT NULL, -- lower case, for search and sorting: LIKE folds no Cyrillic
    core        {{KEY}} NOT NULL, -- folded without legal form and quotes, to find a client in a title
    importance  TEXT NOT NULL,
    abc         TEXT NOT NULL DEFAULT '',
    stage       TEXT NOT NULL DEFAULT '',
    xyz         TEXT NOT NULL DEFAULT '',
    manager_id  BIGINT REFERENCES managers (id),
    source_id   BIGINT REFERENCES sources (id),
    attributes  TEXT NOT NULL DEFAULT '{}',
    created     BIGINT NOT NULL,
    changed     BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX clients_folded ON clients (folded);
CREATE INDEX clients_core ON clients (core);
CREATE INDEX clients_manager ON clients (manager_id);

-- A client's domains, addresses and phones; kind says which.
CREATE TABLE client_points (
    client_id BIGINT NOT NULL REFERENCES clients (id),
    kind      {{KEY}} NOT NULL, -- domain, email, phone
    value     {{KEY}} NOT NULL,
    position  BIGINT NOT NULL,
    PRIMARY KEY (client_id, kind, value)
){{NO_ROWID}};
CREATE INDEX client_points_value ON client_points (kind, value);

CREATE TABLE persons (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    client_id   BIGINT NOT NULL REFERENCES clients (id),
    name        TEXT NOT NULL,
    position    TEXT NOT NULL DEFAULT '',
    birthday    TEXT NOT NULL DEFAULT '',
    created     BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX persons_client ON persons (client_id);

CREATE TABLE person_points (
    person_id BIGINT NOT NULL REFERENCES persons (id),
    kind      {{KEY}} NOT NULL, -- email, phone
    value     {{KEY}} NOT NULL,
    position  BIGINT NOT NULL,
    PRIMARY KEY (person_id, kind, value)
){{NO_ROWID}};
CREATE INDEX person_points_value ON person_points (kind, value);

-- Addresses and domains that are never captured.
CREATE TABLE blocked (
    value {{KEY}} PRIMARY KEY
);

CREATE TABLE deals (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    number      {{KEY}} NOT NULL,
    date        TEXT NOT NULL,
    client_id   BIGINT NOT NULL REFERENCES clients (id),
    manager_id  BIGINT REFERENCES managers (id),
    amount      BIGINT NOT NULL,
    currency    TEXT NOT NULL,
    cost        BIGINT, -- NULL: unknown
    status      TEXT NOT NULL DEFAULT '',
    source_id   BIGINT REFERENCES sources (id),
    created     BIGINT NOT NULL,
    changed     BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX deals_client ON deals (client_id);
CREATE INDEX deals_number ON deals (number);

CREATE TABLE deal_events (
    id          {{ID}},
    uid         {{KEY}} NOT NULL UNIQUE,
    external_id {{KEY}} UNIQUE, -- NULL: made from ship_due or pay_due of the deal
    deal_id     BIGINT NOT NULL REFERENCES deals (id),
    kind        TEXT NOT NULL,
    due         TEXT NOT NULL DEFAULT '',
    due_set     BIGINT NOT NULL,
    due_before  TEXT NOT NULL DEFAULT '', -- what the order said until due_set
    expected    TEXT NOT NULL DEFAULT '',
    expect_set  BIGINT NOT NULL DEFAULT 0,
    amount      BIGINT NOT NULL,
    covered     BIGINT NOT NULL DEFAULT 0,
    known       BOOLEAN NOT NULL,
    state       TEXT NOT NULL,
    postponed   BIGINT NOT NULL DEFAULT 0,
    completed   BIGINT NOT NULL DEFAULT 0,
    note        TEXT NOT NULL DEFAULT '',
    changed     BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX deal_events_deal ON deal_events (deal_id);
CREATE INDEX deal_events_moved ON deal_events (expect_set);
CREATE INDEX deal_events_due_moved ON deal_events (due_set) WHERE due_before <> '';

CREATE TABLE documents (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    kind        TEXT NOT NULL,
    number      TEXT NOT NULL,
    date        TEXT NOT NULL,
    deal_id     BIGINT REFERENCES deals (id),
    client_id   BIGINT NOT NULL REFERENCES clients (id),
    amount      BIGINT NOT NULL,
    currency    TEXT NOT NULL,
    cost        BIGINT
);
CREATE INDEX documents_deal ON documents (deal_id);
CREATE INDEX documents_client ON documents (client_id, date);

CREATE TABLE lines (
    id          {{ID}},
    external_id {{KEY}} UNIQUE,
    deal_id     BIGINT REFERENCES deals (id),
    document_id BIGINT REFERENCES documents (id),
    item        TEXT NOT NULL,
    article     TEXT NOT NULL DEFAULT '',
    quantity    TEXT NOT NULL DEFAULT '',
    unit        TEXT NOT NULL DEFAULT '',
    price       BIGINT NOT NULL DEFAULT 0,
    amount      BIGINT NOT NULL DEFAULT 0,
    cost        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX lines_deal ON lines (deal_id);
CREATE INDEX lines_document ON lines (document_id);

-- Movements of debt, one a document; positive: the client owes us more.
CREATE TABLE settlements (
    document_id BIGINT PRIMARY KEY REFERENCES documents (id),
    client_id   BIGINT NOT NULL REFERENCES clients (id),
    deal_id     BIGINT,
    date        TEXT NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT NOT NULL
);
CREATE INDEX settlements_client ON settlements (client_id);

CREATE TABLE contacts (
    id           {{ID}},
    uid          {{KEY}} NOT NULL,
    component    TEXT NOT NULL DEFAULT 'VEVENT', -- as which it was written
    kind         TEXT NOT NULL,
    direction    TEXT NOT NULL,
    state        TEXT NOT NULL,
    importance   TEXT NOT NULL,
    client_id    BIGINT REFERENCES clients (id),
    client_text  TEXT NOT NULL DEFAULT '',
    manager_id   BIGINT REFERENCES managers (id),
    deal_id      BIGINT REFERENCES deals (id),
    source_id    BIGINT REFERENCES sources (id),
    subject      TEXT NOT NULL,
    bare_subject {{KEY}} NOT NULL DEFAULT '', -- of a letter, folded: rule 6
    body         TEXT NOT NULL,
    start_at     BIGINT NOT NULL DEFAULT 0, -- 0: no time
    end_at       BIGINT NOT NULL DEFAULT 0,
    first_day    TEXT NOT NULL DEFAULT '', -- whole days
    last_day     TEXT NOT NULL DEFAULT '',
    recurrence   TEXT NOT NULL DEFAULT '',
    minutes      BIGINT NOT NULL DEFAULT 0,
    estimated    BOOLEAN NOT NULL DEFAULT FALSE,
    thread       {{KEY}} NOT NULL DEFAULT '',
    message_key  {{KEY}} NOT NULL DEFAULT '',
    attachments  TEXT NOT NULL DEFAULT '[]',
    dismissed    BOOLEAN NOT NULL DEFAULT FALSE, -- a letter that needs no answer
    origin       TEXT NOT NULL,
    created      BIGINT NOT NULL,
    changed      BIGINT NOT NULL,
    completed    BIGINT NOT NULL DEFAULT 0,
    postponed    BIGINT NOT NULL DEFAULT 0,
    version      BIGINT NOT NULL DEFAULT 1
);
-- One letter is one contact for each of its clients, in however many mailboxes.
CREATE UNIQUE INDEX contacts_letter ON contacts (message_key, client_id) WHERE message_key <> '';
CREATE INDEX contacts_client ON contacts (client_id, start_at);
CREATE INDEX contacts_deal ON contacts (deal_id);
CREATE INDEX contacts_thread ON contacts (thread, start_at);
CREATE INDEX contacts_subject ON contacts (bare_subject, start_at);
CREATE INDEX contacts_uid ON contacts (uid);
CREATE INDEX contacts_open ON contacts (state, start_at) WHERE state IN ('planned', 'postponed');

-- Who took part; the responsible manager is among them.
CREATE TABLE contact_managers (
    contact_id BIGINT NOT NULL REFERENCES contacts (id),
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    PRIMARY KEY (contact_id, manager_id)
){{NO_ROWID}};
CREATE INDEX contact_managers_manager ON contact_managers (manager_id, contact_id);

CREATE TABLE contact_persons (
    contact_id BIGINT NOT NULL REFERENCES contacts (id),
    person_id  BIGINT NOT NULL REFERENCES persons (id),
    address    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (contact_id, person_id)
){{NO_ROWID}};
CREATE INDEX contact_persons_person ON contact_persons (person_id);

-- The whole text of captured letters, once for all contacts of a letter.
CREATE TABLE letter_texts (
    message_key {{KEY}} PRIMARY KEY,
    message_id  TEXT NOT NULL,
    full_text   TEXT NOT NULL,
    parties     TEXT NOT NULL -- addresses, JSON: rule 6
);

CREATE TABLE history (
    id         {{ID}},
    at         BIGINT NOT NULL,
    what       {{KEY}} NOT NULL, -- contact, client, deal, event, manager
    what_id    BIGINT NOT NULL,
    manager_id BIGINT,
    origin     TEXT NOT NULL,
    verb       TEXT NOT NULL,
    changes    TEXT NOT NULL -- JSON: field → [old, new]
);
CREATE INDEX history_what ON history (what, what_id, id);

-- Calendars: saved filters. shows is the one manager whose items it may show
-- (NULL: anybody's), so that a changed item finds its calendars by index.
CREATE TABLE collections (
    id          {{ID}},
    manager_id  BIGINT NOT NULL REFERENCES managers (id),
    slug        {{KEY}} NOT NULL,
    kind        TEXT NOT NULL,
    shows       BIGINT REFERENCES managers (id),
    filter      TEXT NOT NULL,
    component   TEXT NOT NULL,
    name        TEXT, -- NULL: the default in the owner's language
    color       TEXT,
    description TEXT,
    position    BIGINT,
    time_zone   TEXT NOT NULL DEFAULT '',
    props       TEXT NOT NULL DEFAULT '{}',
    change      BIGINT NOT NULL DEFAULT 0,
    epoch       BIGINT NOT NULL,
    oldest      BIGINT NOT NULL DEFAULT 0,
    UNIQUE (manager_id, slug)
);
CREATE INDEX collections_shows ON collections (shows);

-- One row is one resource as it is served, or the tombstone of one (gone).
-- item is 'c' and the contact's id, or 'e' and the event's.
CREATE TABLE entries (
    collection_id BIGINT NOT NULL REFERENCES collections (id),
    name          {{KEY}} NOT NULL,
    item          {{KEY}} NOT NULL,
    uid           {{KEY}} NOT NULL,
    etag          TEXT NOT NULL,
    version       BIGINT NOT NULL DEFAULT 0, -- of the record when it was rendered
    former        TEXT NOT NULL DEFAULT '', -- earlier ETags of the same version of the record
    change        BIGINT NOT NULL,
    gone          BOOLEAN NOT NULL DEFAULT FALSE,
    begins        BIGINT NOT NULL DEFAULT 0, -- for time ranges; both 0: always
    ends          BIGINT NOT NULL DEFAULT 0,
    turns         BIGINT NOT NULL DEFAULT 0, -- when time alone changes it; 0: never
    stays         BIGINT NOT NULL DEFAULT 0, -- lingers here until then
    changed       BIGINT NOT NULL,
    size          BIGINT NOT NULL DEFAULT 0,
    bytes         {{BYTES}},
    PRIMARY KEY (collection_id, name)
);
CREATE INDEX entries_change ON entries (collection_id, change);
CREATE INDEX entries_item ON entries (item, collection_id);
CREATE INDEX entries_uid ON entries (collection_id, uid);
CREATE INDEX entries_time ON entries (collection_id, begins);
CREATE INDEX entries_gone ON entries (changed) WHERE gone;
CREATE INDEX entries_turns ON entries (turns) WHERE turns > 0;

-- What a calendar program of a manager last put for an item.
CREATE TABLE overlays (
    item       {{KEY}} NOT NULL,
    manager_id BIGINT NOT NULL REFERENCES managers (id),
    component  TEXT NOT NULL,
    bytes      {{BYTES}} NOT NULL,
    PRIMARY KEY (item, manager_id, component)
);

CREATE TABLE mailboxes (
    id           {{ID}},
    name         {{KEY}} NOT NULL UNIQUE,
    manager_id   BIGINT REFERENCES managers (id),
    last_success BIGINT NOT NULL DEFAULT 0,
    last_error   TEXT NOT NULL DEFAULT '',
    error_since  BIGINT NOT NULL DEFAULT 0,
    letters      BIGINT NOT NULL DEFAULT 0, -- outcomes recorded
    captured     BIGINT NOT NULL DEFAULT 0,
    -- Room for issue 9: who follows it, and the token that fences writes.
    lease_owner  TEXT NOT NULL DEFAULT '',
    lease_token  BIGINT NOT NULL DEFAULT 0,
    lease_until  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE folders (
    id           {{ID}},
    mailbox_id   BIGINT NOT NULL REFERENCES mailboxes (id),
    name         {{KEY}} NOT NULL,
    uid_validity BIGINT NOT NULL,
    last_uid     BIGINT NOT NULL DEFAULT 0,
    mod_seq      BIGINT NOT NULL DEFAULT 0,
    UNIQUE (mailbox_id, name)
);

-- Every letter seen, with its one outcome.
CREATE TABLE letters (
    folder_id    BIGINT NOT NULL REFERENCES folders (id),
    uid_validity BIGINT NOT NULL,
    uid          BIGINT NOT NULL,
    message_key  {{KEY}} NOT NULL,
    message_id   TEXT NOT NULL,
    date         BIGINT NOT NULL,
    outcome      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    PRIMARY KEY (folder_id, uid_validity, uid)
){{NO_ROWID}};
CREATE INDEX letters_key ON letters (message_key);

-- Unknown people who write to us, per manager of the mailbox (0: shared).
CREATE TABLE senders (
    address    {{KEY}} NOT NULL,
    manager_id BIGINT NOT NULL,
    name       TEXT NOT NULL,
    letters    BIGINT NOT NULL,
    first      BIGINT NOT NULL,
    last       BIGINT NOT NULL,
    subject    TEXT NOT NULL,
    PRIMARY KEY (address, manager_id)
);
CREATE INDEX senders_manager ON senders (manager_id, last);

CREATE TABLE runs (
    job      {{KEY}} NOT NULL,
    owner_id BIGINT NOT NULL,
    slot     {{KEY}} NOT NULL,
    started  BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    outcome  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (job, owner_id, slot)
);
CREATE INDEX runs_started ON runs (started);

CREATE TABLE outbox (
    id         {{ID}},
    key        {{KEY}} NOT NULL UNIQUE,
    message_id TEXT NOT NULL,
    mail_from  TEXT NOT NULL,
    rcpt_to    TEXT NOT NULL,
    subject    TEXT NOT NULL,
    bytes      {{BYTES}} NOT NULL,
    state      {{KEY}} NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    next_try   BIGINT NOT NULL,
    last_error TEXT NOT NULL DEFAULT '',
    created    BIGINT NOT NULL,
    sent_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON outbox (next_try) WHERE state = 'queued';

-- +goose Down
-- Forward only: a daemon that is older than its database refuses to start.

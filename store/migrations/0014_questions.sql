-- +goose Up
-- Rows of other systems that lack something or do not add up.
CREATE TABLE questions (
    id     {{ID}},
    kind   {{KEY}} NOT NULL, -- of the record: deal, event, line, document
    key    {{KEY}} NOT NULL, -- the other system's key of the record
    reason {{KEY}} NOT NULL,
    lacks  {{KEY}} NOT NULL DEFAULT '', -- what answers it when it comes: "deal KEY", "rate USD"; '' nothing by itself
    detail TEXT NOT NULL,               -- JSON, by reason
    row    TEXT NOT NULL,               -- JSON of the row to apply; '' it is taken, the question only notes something
    given  TEXT NOT NULL,               -- the row as it came
    file   TEXT NOT NULL,
    line   BIGINT NOT NULL,
    at     BIGINT NOT NULL
);
CREATE INDEX questions_record ON questions (kind, key);
CREATE INDEX questions_lacks ON questions (lacks, id);

-- What currencies are worth in that of the accounts.
CREATE TABLE rates (
    currency {{KEY}} NOT NULL,
    date     {{KEY}} NOT NULL,
    rate     BIGINT NOT NULL, -- of per units, in hundred-millionths
    per      BIGINT NOT NULL,
    PRIMARY KEY (currency, date)
){{NO_ROWID}};

-- Documents whose currency is not their deal's: a new rate changes what they
-- cover.
ALTER TABLE documents ADD COLUMN foreign_sum BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE documents SET foreign_sum = TRUE
    WHERE deal_id IS NOT NULL AND currency <> (SELECT d.currency FROM deals d WHERE d.id = documents.deal_id);
CREATE INDEX documents_foreign ON documents (deal_id) WHERE foreign_sum;

-- +goose Down
-- Forward only.

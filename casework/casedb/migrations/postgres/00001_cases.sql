-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC, 0 for none.

-- The last number given in an ROC year.
CREATE TABLE case_number (
    year BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);

CREATE TABLE case_record (
    id              TEXT   NOT NULL PRIMARY KEY,
    number          TEXT   NOT NULL UNIQUE,
    year            BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    title           TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    status_us       BIGINT NOT NULL,
    owner           TEXT   NOT NULL,
    opened_us       BIGINT NOT NULL,
    opened_by       TEXT   NOT NULL,
    knowledge_us    BIGINT NOT NULL,
    closed_us       BIGINT NOT NULL,
    source          TEXT   NOT NULL, -- JSON of casework.Source
    package         TEXT   NOT NULL, -- id of the hand-over package, '' for none
    incident        TEXT   NOT NULL, -- JSON of the snapshot as it was hashed, '' for none
    incident_sha256 TEXT   NOT NULL,
    search          TEXT   NOT NULL, -- lower case, what the text filter looks through
    version         BIGINT NOT NULL,
    UNIQUE (year, seq)
);
CREATE UNIQUE INDEX case_record_package ON case_record (package) WHERE package <> '';
CREATE INDEX case_record_opened ON case_record (opened_us, id);

CREATE TABLE case_exhibit (
    id        TEXT   NOT NULL PRIMARY KEY,
    case_id   TEXT   NOT NULL REFERENCES case_record (id),
    n         BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    file      TEXT   NOT NULL,
    size      BIGINT NOT NULL,
    sha256    TEXT   NOT NULL,
    records   BIGINT NOT NULL,
    first_us  BIGINT NOT NULL,
    last_us   BIGINT NOT NULL,
    added_us  BIGINT NOT NULL,
    added_by  TEXT   NOT NULL,
    origin    TEXT   NOT NULL,
    UNIQUE (case_id, n)
);

CREATE TABLE case_note (
    id      TEXT   NOT NULL PRIMARY KEY,
    case_id TEXT   NOT NULL REFERENCES case_record (id),
    time_us BIGINT NOT NULL,
    author  TEXT   NOT NULL,
    text    TEXT   NOT NULL
);
CREATE INDEX case_note_case ON case_note (case_id, time_us);

CREATE TABLE case_change (
    id      TEXT   NOT NULL PRIMARY KEY,
    case_id TEXT   NOT NULL REFERENCES case_record (id),
    time_us BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    args    TEXT   NOT NULL -- JSON object
);
CREATE INDEX case_change_case ON case_change (case_id, time_us);

-- Snapshot and exhibits are evidence: no program changes them, not even ours.
-- +goose StatementBegin
CREATE FUNCTION case_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER case_snapshot_stays BEFORE UPDATE OF id, number, year, seq, opened_us, opened_by, source, package, incident, incident_sha256 ON case_record
    FOR EACH ROW EXECUTE FUNCTION case_refuse('number, origin and snapshot of a case never change');
CREATE TRIGGER case_exhibit_stays BEFORE UPDATE ON case_exhibit
    FOR EACH ROW EXECUTE FUNCTION case_refuse('an exhibit never changes');
CREATE TRIGGER case_exhibit_kept BEFORE DELETE ON case_exhibit
    FOR EACH ROW EXECUTE FUNCTION case_refuse('an exhibit is never deleted');
CREATE TRIGGER case_record_kept BEFORE DELETE ON case_record
    FOR EACH ROW EXECUTE FUNCTION case_refuse('a case is never deleted');
CREATE TRIGGER case_change_stays BEFORE UPDATE ON case_change
    FOR EACH ROW EXECUTE FUNCTION case_refuse('the history of a case never changes');
CREATE TRIGGER case_change_kept BEFORE DELETE ON case_change
    FOR EACH ROW EXECUTE FUNCTION case_refuse('the history of a case never changes');
CREATE TRIGGER case_record_not_emptied BEFORE TRUNCATE ON case_record
    FOR EACH STATEMENT EXECUTE FUNCTION case_refuse('a case is never deleted');
CREATE TRIGGER case_exhibit_not_emptied BEFORE TRUNCATE ON case_exhibit
    FOR EACH STATEMENT EXECUTE FUNCTION case_refuse('an exhibit is never deleted');
CREATE TRIGGER case_change_not_emptied BEFORE TRUNCATE ON case_change
    FOR EACH STATEMENT EXECUTE FUNCTION case_refuse('the history of a case never changes');

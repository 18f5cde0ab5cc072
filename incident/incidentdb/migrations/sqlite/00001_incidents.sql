-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC, 0 for none.

CREATE TABLE incident_record (
    id          TEXT    NOT NULL PRIMARY KEY,
    engine_id   TEXT    NOT NULL, -- what the engine calls it now, '' for one split off by a person
    engine_sum  TEXT    NOT NULL, -- SHA-256 of the computation it was taken from
    own         TEXT    NOT NULL, -- JSON of incident.Incident: the computation, less what was split off
    doc         TEXT    NOT NULL, -- the same with what was merged in; '' when nothing was
    head        TEXT    NOT NULL, -- JSON of what a list shows
    search      TEXT    NOT NULL, -- lower case, what the text filter looks through
    severity    INTEGER NOT NULL,
    agencies    TEXT    NOT NULL, -- ',H01,H02,'
    first_us    BIGINT  NOT NULL,
    last_us     BIGINT  NOT NULL,
    state       TEXT    NOT NULL,
    state_us    BIGINT  NOT NULL,
    owner       TEXT    NOT NULL,
    version     BIGINT  NOT NULL, -- people's changes
    revision    BIGINT  NOT NULL, -- computations that changed something
    merged_into TEXT    NOT NULL, -- '' when it stands alone
    merged_by   TEXT    NOT NULL, -- login name, 'citywall' for the engine
    absorbed    BOOLEAN NOT NULL, -- the engine has its content under the other one
    split_from  TEXT    NOT NULL,
    split       TEXT    NOT NULL, -- JSON of Selection
    created_us  BIGINT  NOT NULL,
    computed_us BIGINT  NOT NULL
);
CREATE INDEX incident_record_last ON incident_record (merged_into, last_us, id);
CREATE INDEX incident_record_severity ON incident_record (merged_into, severity, last_us, id);
CREATE INDEX incident_record_engine ON incident_record (engine_id);
CREATE INDEX incident_record_split ON incident_record (split_from);

-- Every name the engine ever had for a record.
CREATE TABLE incident_alias (
    engine_id TEXT NOT NULL PRIMARY KEY,
    record_id TEXT NOT NULL REFERENCES incident_record (id)
);
CREATE INDEX incident_alias_record ON incident_alias (record_id);

-- What a computation is recognised by.
CREATE TABLE incident_key (
    key       TEXT NOT NULL,
    record_id TEXT NOT NULL REFERENCES incident_record (id),
    PRIMARY KEY (key, record_id)
);
CREATE INDEX incident_key_record ON incident_key (record_id);

CREATE TABLE incident_note (
    id        TEXT   NOT NULL PRIMARY KEY,
    record_id TEXT   NOT NULL REFERENCES incident_record (id),
    time_us   BIGINT NOT NULL,
    author    TEXT   NOT NULL,
    text      TEXT   NOT NULL
);
CREATE INDEX incident_note_record ON incident_note (record_id, time_us);

CREATE TABLE incident_change (
    id        TEXT   NOT NULL PRIMARY KEY,
    record_id TEXT   NOT NULL REFERENCES incident_record (id),
    time_us   BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    what      TEXT   NOT NULL,
    args      TEXT   NOT NULL -- JSON object
);
CREATE INDEX incident_change_record ON incident_change (record_id, time_us);

CREATE TABLE incident_case (
    package   TEXT   NOT NULL PRIMARY KEY,
    record_id TEXT   NOT NULL REFERENCES incident_record (id),
    sha256    TEXT   NOT NULL,
    time_us   BIGINT NOT NULL,
    by_user   TEXT   NOT NULL
);
CREATE INDEX incident_case_record ON incident_case (record_id);

-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC; 0 is none.

CREATE TABLE duty_person (
    id       TEXT   NOT NULL PRIMARY KEY,
    doc      TEXT   NOT NULL  -- JSON of duty.Person
);

CREATE TABLE duty_shift (
    id       TEXT   NOT NULL PRIMARY KEY,
    begin_us BIGINT NOT NULL,
    end_us   BIGINT NOT NULL,
    person   TEXT   NOT NULL,
    post     TEXT   NOT NULL
);
CREATE INDEX duty_shift_end ON duty_shift (end_us);
CREATE UNIQUE INDEX duty_shift_once ON duty_shift (person, post, begin_us);

CREATE TABLE duty_alarm (
    id        TEXT    NOT NULL PRIMARY KEY,
    subject   TEXT    NOT NULL UNIQUE,
    round     INTEGER NOT NULL,
    severity  INTEGER NOT NULL,
    title     TEXT    NOT NULL, -- JSON: language -> line
    path      TEXT    NOT NULL,
    agencies  TEXT    NOT NULL, -- JSON
    raised_us BIGINT  NOT NULL,
    acked_by  TEXT    NOT NULL,
    acked_us  BIGINT  NOT NULL,
    ended_us  BIGINT  NOT NULL,
    planned   INTEGER NOT NULL,
    reached   INTEGER NOT NULL,
    version   BIGINT  NOT NULL
);
CREATE INDEX duty_alarm_raised ON duty_alarm (raised_us, id);

CREATE TABLE duty_call (
    id       TEXT    NOT NULL PRIMARY KEY,
    alarm    TEXT    NOT NULL,
    round    INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    person   TEXT    NOT NULL,
    channel  TEXT    NOT NULL,
    addr     TEXT    NOT NULL,
    due_us   BIGINT  NOT NULL,
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    next_us  BIGINT  NOT NULL,
    at_us    BIGINT  NOT NULL,
    error    TEXT    NOT NULL
);
CREATE INDEX duty_call_alarm ON duty_call (alarm, round, step);
CREATE INDEX duty_call_next ON duty_call (state, next_us);

CREATE TABLE duty_note (
    id       TEXT   NOT NULL PRIMARY KEY,
    time_us  BIGINT NOT NULL,
    author   TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    taken_by TEXT   NOT NULL,
    taken_us BIGINT NOT NULL
);
CREATE INDEX duty_note_time ON duty_note (time_us, id);

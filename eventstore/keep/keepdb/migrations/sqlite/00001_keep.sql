-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC; 0 is none.

CREATE TABLE keep_hold (
    id             TEXT   NOT NULL PRIMARY KEY,
    case_no        TEXT   NOT NULL,
    from_us        BIGINT NOT NULL,
    to_us          BIGINT NOT NULL,
    reason         TEXT   NOT NULL,
    made_by        TEXT   NOT NULL,
    created_us     BIGINT NOT NULL,
    released_us    BIGINT NOT NULL,
    released_by    TEXT   NOT NULL,
    release_reason TEXT   NOT NULL
);

CREATE TABLE keep_notice (
    id      TEXT   NOT NULL PRIMARY KEY,
    at_us   BIGINT NOT NULL,
    doc     TEXT   NOT NULL, -- JSON of mishap.Mishap
    seen_us BIGINT NOT NULL,
    seen_by TEXT   NOT NULL
);

CREATE TABLE keep_backup (
    id     TEXT   NOT NULL PRIMARY KEY,
    at_us  BIGINT NOT NULL,
    doc    TEXT   NOT NULL -- JSON of keep.Backup
);

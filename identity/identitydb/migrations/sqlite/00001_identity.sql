-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC, 0 for none.

CREATE TABLE identity_realm (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    realm TEXT   NOT NULL
);

CREATE TABLE identity_user (
    name       TEXT   NOT NULL PRIMARY KEY,
    shown      TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    agencies   TEXT   NOT NULL, -- JSON array
    disabled   BOOLEAN NOT NULL,
    password   TEXT   NOT NULL, -- Argon2id in PHC form, '' for none
    created_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    login_us   BIGINT NOT NULL,
    version    BIGINT NOT NULL
);

CREATE TABLE identity_session (
    id         TEXT   NOT NULL PRIMARY KEY,
    secret     TEXT   NOT NULL UNIQUE, -- SHA-256
    user_name  TEXT   NOT NULL REFERENCES identity_user (name),
    begun_us   BIGINT NOT NULL,
    seen_us    BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    agent      TEXT   NOT NULL
);
CREATE INDEX identity_session_user ON identity_session (user_name);

CREATE TABLE identity_link (
    secret     TEXT   NOT NULL PRIMARY KEY, -- SHA-256
    user_name  TEXT   NOT NULL REFERENCES identity_user (name),
    expires_us BIGINT NOT NULL
);

CREATE TABLE identity_token (
    id         TEXT   NOT NULL PRIMARY KEY,
    secret     TEXT   NOT NULL UNIQUE, -- SHA-256
    kind       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    agency     TEXT   NOT NULL,
    zone       TEXT   NOT NULL,
    user_name  TEXT   NOT NULL, -- '' for a sender
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT NOT NULL,
    revoked_us BIGINT NOT NULL
);

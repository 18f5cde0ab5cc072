-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Rules that are switched off now. What was is in the audit log.
CREATE TABLE detect_off (
    id     TEXT   NOT NULL PRIMARY KEY,
    title  TEXT   NOT NULL,
    hash   TEXT   NOT NULL, -- of the rule as it was then
    actor  TEXT   NOT NULL,
    at_us  BIGINT NOT NULL, -- microseconds since 1970 in UTC
    reason TEXT   NOT NULL
);

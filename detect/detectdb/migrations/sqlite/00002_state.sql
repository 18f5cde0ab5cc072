-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What detectors remember between events, as of a place in the stream.
CREATE TABLE detect_state (
    name        TEXT   NOT NULL PRIMARY KEY,
    seq         BIGINT NOT NULL, -- highest position in the stream that is in it
    received_us BIGINT NOT NULL, -- latest receipt of an event in it, microseconds since 1970 in UTC
    doc         TEXT   NOT NULL  -- JSON
);

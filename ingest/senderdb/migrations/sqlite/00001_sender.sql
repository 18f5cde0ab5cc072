-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

CREATE TABLE sender (
    name    TEXT   NOT NULL PRIMARY KEY,
    doc     TEXT   NOT NULL, -- JSON of sender.Sender
    version BIGINT NOT NULL
);

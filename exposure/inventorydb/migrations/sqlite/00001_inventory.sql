-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

CREATE TABLE inventory_machine (
    agency  TEXT   NOT NULL, -- of the sources that saw it
    addr    TEXT   NOT NULL,
    last_us BIGINT NOT NULL,
    doc     TEXT   NOT NULL, -- JSON of inventory.Machine
    PRIMARY KEY (agency, addr)
);

CREATE TABLE inventory_talk (
    id      TEXT   NOT NULL PRIMARY KEY, -- agency, networks, port
    last_us BIGINT NOT NULL,
    doc     TEXT   NOT NULL -- JSON of inventory.Talk
);

CREATE TABLE inventory_drawing (
    id       TEXT   NOT NULL PRIMARY KEY,
    name     TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    at_us    BIGINT NOT NULL,
    doc      TEXT   NOT NULL, -- JSON of drawing.Version without its topology
    topology TEXT   NOT NULL -- JSON of asset.Topology
);
CREATE INDEX inventory_drawing_state ON inventory_drawing (state, at_us);

CREATE TABLE inventory_note (
    subject TEXT   NOT NULL PRIMARY KEY,
    doc     TEXT   NOT NULL, -- JSON of inventory.Note
    version BIGINT NOT NULL
);

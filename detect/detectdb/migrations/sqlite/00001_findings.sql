-- SPDX-FileCopyrightText: 2026 The Citywall Authors
-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Times are microseconds since 1970 in UTC.

-- The newest form of every rule that ever fired.
CREATE TABLE detect_rule (
    id      TEXT   NOT NULL PRIMARY KEY,
    doc     TEXT   NOT NULL, -- JSON of detect.Rule
    seen_us BIGINT NOT NULL  -- newest finding with this form
);

CREATE TABLE detect_finding (
    id      TEXT    NOT NULL PRIMARY KEY,
    time_us BIGINT  NOT NULL,
    level   INTEGER NOT NULL,
    rule_id TEXT    NOT NULL,
    step    TEXT    NOT NULL,
    host    TEXT    NOT NULL,
    agency  TEXT    NOT NULL,
    search  TEXT    NOT NULL, -- lower case, what the text filter looks through
    doc     TEXT    NOT NULL  -- JSON of detect.Finding
);
-- Counts and histograms are answered from this index alone, without the documents.
CREATE INDEX detect_finding_time ON detect_finding (time_us, id, level, rule_id, host, agency);
CREATE INDEX detect_finding_level ON detect_finding (level, time_us, id);
CREATE INDEX detect_finding_rule ON detect_finding (rule_id, time_us);
CREATE INDEX detect_finding_host ON detect_finding (host, time_us);

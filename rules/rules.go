// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package rules is Citywall's own rule pack, in Sigma format and in our own
// words, one folder for each part of an attack. README.md says how a rule is
// written and what its `citywall:` block means.
//
// It promises that every rule has a test beside it with at least one event that
// must fire and one look-alike that must not. It holds files only: package
// detect/sigma reads them.
package rules

import "embed"

// FS holds the pack: FOLDER/NAME.yml with its tests FOLDER/NAME.test.txt.
//
//go:embed */*.yml */*.test.txt
var FS embed.FS

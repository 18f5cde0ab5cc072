// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !cgo || noduckdb

package main

const storeEngine = "ClickHouse alone: this build has no DuckDB"

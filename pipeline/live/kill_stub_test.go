// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !cgo || noduckdb

package live

const childEnv = "CITYWALL_TEST_CHILD"

// child has no durable store in this build; the kill test is not in it either.
func child() {}

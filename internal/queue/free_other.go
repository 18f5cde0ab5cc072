// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin && !freebsd

package queue

// freeBytes does not know; MaxBytes alone bounds the queue here.
func freeBytes(string) (int64, bool) { return 0, false }

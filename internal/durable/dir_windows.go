// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package durable

// SyncDir does nothing: Windows has no call to flush a folder, and NTFS
// journals names on its own.
func SyncDir(string) error { return nil }

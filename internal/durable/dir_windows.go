// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// SyncDir does nothing: Windows has no call to flush a folder, and NTFS
// journals names on its own.
func SyncDir(string) error { return nil }

// syncFile makes the bytes of a file durable. Windows flushes only what is
// open for writing; a file that nobody may write was synced by the one who
// made it so.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

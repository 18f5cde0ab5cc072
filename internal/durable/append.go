// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Appender adds to the end of a file and syncs before it says so. It is for
// one goroutine.
type Appender struct {
	f      *os.File
	size   int64
	broken error // set by the first write or sync that failed; nothing is written after it
}

// OpenAppend opens the file at path for appending, creating it when missing.
func OpenAppend(path string, perm fs.FileMode) (*Appender, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return nil, fmt.Errorf("open for appending: %w", err)
	}
	fail := func(err error) (*Appender, error) {
		return nil, errors.Join(fmt.Errorf("open %s for appending: %w", path, err), f.Close())
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return fail(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fail(err)
	}
	return &Appender{f: f, size: size}, nil
}

// Append writes b and syncs. After an error the appender refuses further
// writes: when a sync fails the kernel may have dropped the pages, and only a
// new look at the file (opening it again) tells what is there.
func (a *Appender) Append(b []byte) error {
	if a.broken != nil {
		return fmt.Errorf("append: an earlier write failed: %w", a.broken)
	}
	if _, err := a.f.WriteAt(b, a.size); err != nil {
		a.broken = err
		return fmt.Errorf("append: %w", err)
	}
	if err := a.f.Sync(); err != nil {
		a.broken = err
		return fmt.Errorf("append: %w", err)
	}
	a.size += int64(len(b))
	return nil
}

// Size returns the bytes that are known to be durable.
func (a *Appender) Size() int64 { return a.size }

// ReadAt implements io.ReaderAt, also while another goroutine appends.
func (a *Appender) ReadAt(b []byte, off int64) (int, error) { return a.f.ReadAt(b, off) }

// Truncate cuts the file to size and syncs.
func (a *Appender) Truncate(size int64) error {
	if err := errors.Join(a.f.Truncate(size), a.f.Sync()); err != nil {
		a.broken = err
		return fmt.Errorf("truncate: %w", err)
	}
	a.size = size
	return nil
}

// Close closes the file.
func (a *Appender) Close() error { return a.f.Close() }

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"io"

	"citywall/internal/fault"
)

// Copy gives the log to f as it is at one moment, file by file, while it goes
// on being written: the entries, and the heads that sign them. What else lies
// in its folder follows from them and is made again when a copy is opened.
func (l *Log) Copy(f func(name string, r io.Reader) error) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fault.New(fault.Unavailable, "the audit log of realm %s is closed", l.realm)
	}
	// Both are appended to under mu, so their lengths belong together.
	entries := io.NewSectionReader(l.entries, 0, l.entries.Size())
	heads := io.NewSectionReader(l.heads, 0, l.heads.Size())
	l.mu.Unlock()
	if err := f(entriesFile, entries); err != nil {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	if err := f(headsFile, heads); err != nil {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	return nil
}

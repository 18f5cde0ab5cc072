// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"citywall/internal/mishap"
)

// Check implements eventstore.Keeper. DuckDB keeps no checksums of the pages of
// a Parquet file: a bit that turned over in the middle of one reads as another
// value and no question fails. Only the hash that was listed at sealing tells.
func (s *Store) Check(ctx context.Context) (more bool, err error) {
	s.sealing.Lock() // so that no file goes meanwhile
	defer s.sealing.Unlock()
	s.mu.Lock()
	files := slices.Clone(s.files)
	s.mu.Unlock()
	files, _ = s.whole(files)
	if len(files) == 0 {
		return false, nil
	}
	s.badMu.Lock()
	left := slices.DeleteFunc(slices.Clone(files), func(f file) bool { return s.checked[f.path] })
	if len(left) == 0 { // what was left of the round is gone
		clear(s.checked)
		left = files
	}
	f := left[0]
	s.checked[f.path] = true // also when it cannot be read now: the others must have their turn
	more = len(left) > 1
	if !more {
		clear(s.checked)
	}
	s.badMu.Unlock()
	if !s.look(f) {
		return more, nil
	}
	sum, _, err := hashFile(s.path(filepath.FromSlash(f.path)))
	if err != nil {
		return more, fmt.Errorf("check %s: %w", f.path, err)
	}
	if sum != f.sha {
		s.setApart(f, mishap.FileDamaged)
	}
	return more, ctx.Err()
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// migrate brings an older hot file to the layout of this program, and reports
// whether there is a new file to connect to. It writes a new file beside the
// old one and exchanges them at the end; the old one stays as the backup. A
// newer layout is refused.
//
//	1  without sealing; DuckDB's oldest storage format
//	2  progress, going; sealed and hot know more; zstd
func (s *Store) migrate(ctx context.Context) (moved bool, err error) {
	have, err := s.checkLayout(ctx)
	if err != nil || have == 0 || have == layout {
		return false, err
	}
	next := s.path(fileName + ".next")
	if err := errors.Join(remove(next), remove(next+".wal")); err != nil {
		return false, err
	}
	if _, err := s.w.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return false, fmt.Errorf("migrate: %w", err)
	}
	if err := s.copyLayout1(ctx, next); err != nil {
		return false, fmt.Errorf("migrate to layout %d: %w", layout, err)
	}
	if err := s.disconnect(); err != nil {
		return false, fmt.Errorf("migrate: %w", err)
	}
	for _, wal := range []string{s.path(fileName + ".wal"), next + ".wal"} {
		if there, err := exists(wal); err != nil || there {
			return false, errors.Join(err, fault.New(fault.Unavailable, "migrate: %s is still there after closing; start again", wal))
		}
	}
	backup := fmt.Sprintf("%s.before-%d.%s.backup", s.path(fileName), layout, s.opt.Now().UTC().Format("20060102T150405.000"))
	if err := os.Link(s.path(fileName), backup); err != nil {
		return false, fmt.Errorf("migrate: keep the old file: %w", err)
	}
	if err := os.Rename(next, s.path(fileName)); err != nil {
		return false, fmt.Errorf("migrate: %w", err)
	}
	return true, durable.SyncDir(s.dir)
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyLayout1 writes the new file from one of layout 1.
func (s *Store) copyLayout1(ctx context.Context, next string) error {
	var from string
	if err := s.w.QueryRowContext(ctx, "SELECT current_database()").Scan(&from); err != nil {
		return err
	}
	old, err := s.texts(ctx, "SELECT name FROM hot ORDER BY name")
	if err != nil {
		return err
	}
	from = `"` + from + `".main.`
	now := s.opt.Now().UTC().Truncate(time.Microsecond)
	steps := append([]string{"ATTACH '" + next + "' AS next", "USE next"}, setUp...)
	steps = append(
		steps,
		"INSERT INTO meta SELECT * FROM "+from+"meta WHERE \"key\" <> 'layout'",
		fmt.Sprintf("INSERT INTO meta VALUES ('layout', '%d')", layout),
		"INSERT INTO applied SELECT * FROM "+from+"applied",
		"INSERT INTO names SELECT name FROM "+from+"names ORDER BY rowid",
		"INSERT INTO hot SELECT name, day, "+timeText(now)+", FALSE FROM "+from+"hot",
	)
	for _, t := range old {
		steps = append(
			steps, createTable(t), `INSERT INTO "`+t+`" SELECT * FROM `+from+`"`+t+`"`,
			`UPDATE progress SET seq = 1, events = events + (SELECT count(*) FROM "`+t+`"), committed = `+timeText(now),
		)
	}
	steps = append(steps, "CHECKPOINT next", "USE "+strings.TrimSuffix(from, "."), "DETACH next")
	for _, q := range steps {
		if _, err := s.w.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%.60s: %w", q, err)
		}
	}
	return nil
}

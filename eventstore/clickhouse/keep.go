// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"citywall/eventstore"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

// scattered is the id of the partition of all days that have none of their own.
const scattered = "scattered"

// Days implements eventstore.Keeper: one for each partition. Nothing is hot,
// because a part of ClickHouse never changes. Rows that stay hidden count too.
func (s *Store) Days(ctx context.Context) ([]eventstore.Day, error) {
	byPart := map[uint32]*eventstore.Day{}
	day := func(part uint32) *eventstore.Day {
		if byPart[part] == nil {
			byPart[part] = dayOf(part)
		}
		return byPart[part]
	}
	if err := s.cl.all(ctx); err != nil {
		return nil, storeFault("list days", err)
	}
	for _, n := range s.cl.nodes {
		rows, err := n.conn.Query(ctx, "SELECT toUInt32(partition), sum(rows), sum(bytes), count(), max(modification_time) FROM system.parts WHERE active AND database = '"+
			s.opt.Database+"' AND table = 'events_local' GROUP BY partition")
		if err != nil {
			return nil, storeFault("list days", err)
		}
		for rows.Next() {
			var part uint32
			var events, bytes, files uint64
			var changed time.Time
			if err := rows.Scan(&part, &events, &bytes, &files, &changed); err != nil {
				return nil, storeFault("list days", fmt.Errorf("%w, %w", err, rows.Close()))
			}
			d := day(part)
			d.Sealed, d.Bytes, d.Files = d.Sealed+int64(events), d.Bytes+int64(bytes), d.Files+int(files)
			if changed.After(d.LastSealed) {
				d.LastSealed = changed.UTC()
			}
		}
		if err := rows.Close(); err != nil {
			return nil, storeFault("list days", err)
		}
	}
	if err := s.each(ctx, false, "SELECT part, count() FROM "+s.opt.Database+".events WHERE case_id != '' GROUP BY part", nil, func(scan func(...any) error) error {
		var part uint32
		var n uint64
		if err := scan(&part, &n); err != nil {
			return err
		}
		day(part).Cased = int64(n)
		return nil
	}); err != nil {
		return nil, storeFault("list days", err)
	}
	if d := byPart[0]; d != nil {
		err := s.each(ctx, false, "SELECT min(us), max(us) FROM "+s.opt.Database+".events WHERE part = 0", nil, func(scan func(...any) error) error {
			var from, to int64
			if err := scan(&from, &to); err != nil {
				return err
			}
			d.First, d.Last = time.UnixMicro(from).UTC().Truncate(24*time.Hour), time.UnixMicro(to).UTC().Truncate(24*time.Hour)
			return nil
		})
		if err != nil {
			return nil, storeFault("list days", err)
		}
	}
	out := make([]eventstore.Day, 0, len(byPart))
	for _, d := range byPart {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b eventstore.Day) int {
		if c := a.First.Compare(b.First); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

func dayOf(part uint32) *eventstore.Day {
	if part == 0 {
		return &eventstore.Day{ID: scattered}
	}
	t := time.Date(int(part/10000), time.Month(part/100%100), int(part%100), 0, 0, 0, 0, time.UTC)
	return &eventstore.Day{ID: t.Format(time.DateOnly), First: t, Last: t}
}

// Check implements eventstore.Keeper. There is nothing to do: ClickHouse
// verifies a checksum of every block it reads.
func (s *Store) Check(context.Context) (more bool, err error) { return false, nil }

// Seal implements eventstore.Keeper. There is nothing to do.
func (s *Store) Seal(context.Context, time.Time) ([]eventstore.Sealed, error) { return nil, nil }

// LetGo implements eventstore.Keeper: it drops a partition on every shard. Done
// half, it can be done again.
func (s *Store) LetGo(ctx context.Context, id string) error {
	part := uint32(0)
	if id != scattered {
		t, err := time.Parse(time.DateOnly, id)
		if err != nil {
			return fault.New(fault.Invalid, "let a day go: %q is no day like 2026-10-20, nor %s", id, scattered)
		}
		part = dayNumber(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cl.all(ctx); err != nil {
		return storeFault("let a day go", err)
	}
	var cased uint64
	if err := s.each(ctx, false, fmt.Sprintf("SELECT count() FROM %s.events WHERE part = %d AND case_id != ''", s.opt.Database, part), nil, func(scan func(...any) error) error {
		return scan(&cased)
	}); err != nil {
		return storeFault("let a day go", err)
	}
	if cased > 0 {
		return fault.New(fault.Conflict, "let %s go: it holds %d events of exhibits", id, cased)
	}
	return storeFault("let a day go", s.cl.onAll(func(n *node) error {
		return n.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.events_local DROP PARTITION %d", s.opt.Database, part))
	}))
}

// Mishaps implements eventstore.Keeper. What is amiss with its disks is told by
// the cluster's own watch.
func (s *Store) Mishaps() []mishap.Mishap { return nil }

var _ eventstore.Keeper = (*Store)(nil)

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package inventorydb keeps the inventory of one realm: machines and traffic
// that were seen, drawings that were handed in, and what people wrote of both.
//
// It promises that what it returned is as it was saved last, that of the
// drawings of one name at most one counts, and that two people who change a
// note at once are told so. It never looks at an event and judges nothing.
package inventorydb

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citywall/exposure/inventory"
	"citywall/internal/db"
)

//go:embed migrations
var migrations embed.FS

// Store is the inventory of one realm. It is safe for concurrent use.
type Store struct {
	d   *db.DB
	now func() time.Time
}

// Open migrates and opens the tables of the inventory in d.
func Open(ctx context.Context, d *db.DB, now func() time.Time) (*Store, error) {
	if err := d.Migrate(ctx, "inventory", migrations); err != nil {
		return nil, err
	}
	return &Store{d: d, now: now}, nil
}

type machineRow struct {
	bun.BaseModel `bun:"table:inventory_machine,alias:m"`

	Agency string `bun:"agency,pk"`
	Addr   string `bun:"addr,pk"`
	LastUS int64  `bun:"last_us"`
	Doc    string `bun:"doc"`
}

type talkRow struct {
	bun.BaseModel `bun:"table:inventory_talk,alias:t"`

	ID     string `bun:"id,pk"`
	LastUS int64  `bun:"last_us"`
	Doc    string `bun:"doc"`
}

// perInsert is how many rows one statement writes, perTurn how many are written
// before other writers get their turn.
const (
	perInsert = 200
	perTurn   = 2000
)

func talkID(t inventory.Talk) string {
	return fmt.Sprintf("%s %s %s %d", t.Agency, t.From, t.To, t.Port)
}

// Save writes what changed, in parts: when it fails, some of it may be kept.
// Writing it again does no harm.
func (s *Store) Save(ctx context.Context, c inventory.Changes) error {
	for part := range slices.Chunk(c.Machines, perTurn) {
		rows := make([]machineRow, 0, len(part))
		for _, m := range part {
			doc, err := json.Marshal(m)
			if err != nil {
				return fmt.Errorf("save the inventory: %w", err)
			}
			rows = append(rows, machineRow{Agency: db.Text(m.Agency), Addr: m.Addr.String(), LastUS: m.Last.UnixMicro(), Doc: db.Text(string(doc))})
		}
		err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			for some := range slices.Chunk(rows, perInsert) {
				if _, err := tx.NewInsert().Model(&some).On("CONFLICT (agency, addr) DO UPDATE").Set("doc = EXCLUDED.doc").Set("last_us = EXCLUDED.last_us").Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return db.Err("save the inventory", err)
		}
	}
	for part := range slices.Chunk(c.Talks, perTurn) {
		rows := make([]talkRow, 0, len(part))
		for _, t := range part {
			doc, err := json.Marshal(t)
			if err != nil {
				return fmt.Errorf("save the inventory: %w", err)
			}
			rows = append(rows, talkRow{ID: db.Text(talkID(t)), LastUS: t.Last.UnixMicro(), Doc: db.Text(string(doc))})
		}
		err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			for some := range slices.Chunk(rows, perInsert) {
				if _, err := tx.NewInsert().Model(&some).On("CONFLICT (id) DO UPDATE").Set("doc = EXCLUDED.doc").Set("last_us = EXCLUDED.last_us").Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return db.Err("save the inventory", err)
		}
	}
	return nil
}

// Load returns all that was seen, the newest first. A record that cannot be
// read hides no other; how many there were comes back too.
func (s *Store) Load(ctx context.Context) (c inventory.Changes, damaged int, err error) {
	var ms []machineRow
	if err := s.d.NewSelect().Model(&ms).Order("last_us DESC", "addr").Scan(ctx); err != nil {
		return c, 0, db.Err("load the inventory", err)
	}
	for _, r := range ms {
		var m inventory.Machine
		if err := json.Unmarshal([]byte(r.Doc), &m); err != nil {
			damaged++
			continue
		}
		c.Machines = append(c.Machines, m)
	}
	var ts []talkRow
	if err := s.d.NewSelect().Model(&ts).Order("last_us DESC", "id").Scan(ctx); err != nil {
		return c, 0, db.Err("load the inventory", err)
	}
	for _, r := range ts {
		var t inventory.Talk
		if err := json.Unmarshal([]byte(r.Doc), &t); err != nil {
			damaged++
			continue
		}
		c.Talks = append(c.Talks, t)
	}
	return c, damaged, nil
}

// Forget takes out what was last seen before t.
func (s *Store) Forget(ctx context.Context, t time.Time) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*machineRow)(nil)).Where("last_us < ?", t.UnixMicro()).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewDelete().Model((*talkRow)(nil)).Where("last_us < ?", t.UnixMicro()).Exec(ctx)
		return err
	})
	return db.Err("forget old machines", err)
}

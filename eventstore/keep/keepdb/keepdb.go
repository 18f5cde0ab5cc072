// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package keepdb keeps holds, notices and the list of backups in the city's
// records. They lie there, not with the events, so that the loss of a file of
// events can never end a hold.
//
// It promises that a hold is never changed but for its release, once, and never
// deleted. It decides nothing.
package keepdb

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/eventstore/keep"
	"citywall/internal/db"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

//go:embed migrations
var migrations embed.FS

// Store is safe for concurrent use.
type Store struct {
	d   *db.DB
	now func() time.Time
}

// Open migrates and opens the tables in d.
func Open(ctx context.Context, d *db.DB, now func() time.Time) (*Store, error) {
	if err := d.Migrate(ctx, "keep", migrations); err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Store{d, now}, nil
}

// Bounds of what is read; older notices and backups stay in the table.
const (
	maxNotices = 500
	maxBackups = 100
)

type holdRow struct {
	bun.BaseModel `bun:"table:keep_hold,alias:h"`

	ID            string `bun:"id,pk"`
	CaseNo        string `bun:"case_no"`
	FromUS        int64  `bun:"from_us"`
	ToUS          int64  `bun:"to_us"`
	Reason        string `bun:"reason"`
	MadeBy        string `bun:"made_by"`
	CreatedUS     int64  `bun:"created_us"`
	ReleasedUS    int64  `bun:"released_us"`
	ReleasedBy    string `bun:"released_by"`
	ReleaseReason string `bun:"release_reason"`
}

type noticeRow struct {
	bun.BaseModel `bun:"table:keep_notice,alias:n"`

	ID     string `bun:"id,pk"`
	AtUS   int64  `bun:"at_us"`
	Doc    string `bun:"doc"`
	SeenUS int64  `bun:"seen_us"`
	SeenBy string `bun:"seen_by"`
}

type backupRow struct {
	bun.BaseModel `bun:"table:keep_backup,alias:b"`

	ID   string `bun:"id,pk"`
	AtUS int64  `bun:"at_us"`
	Doc  string `bun:"doc"`
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func (r *holdRow) hold() keep.Hold {
	return keep.Hold{
		ID: r.ID, Case: r.CaseNo, From: time.UnixMicro(r.FromUS).UTC(), To: moment(r.ToUS), Reason: r.Reason, By: r.MadeBy, Created: moment(r.CreatedUS),
		Released: moment(r.ReleasedUS), ReleasedBy: r.ReleasedBy, ReleaseReason: r.ReleaseReason,
	}
}

// Holds implements keep.Records: all of them, newest first.
func (s *Store) Holds(ctx context.Context) ([]keep.Hold, error) {
	var rows []holdRow
	if err := s.d.NewSelect().Model(&rows).OrderExpr("created_us DESC, id DESC").Scan(ctx); err != nil {
		return nil, db.Err("list holds", err)
	}
	out := make([]keep.Hold, 0, len(rows))
	for i := range rows {
		out = append(out, rows[i].hold())
	}
	return out, nil
}

// AddHold implements keep.Records.
func (s *Store) AddHold(ctx context.Context, h keep.Hold) (keep.Hold, error) {
	r := holdRow{
		ID: uuid.Must(uuid.NewV7()).String(), CaseNo: db.Text(h.Case), FromUS: h.From.UnixMicro(), ToUS: micros(h.To), Reason: db.Text(h.Reason),
		MadeBy: h.By, CreatedUS: s.now().UnixMicro(),
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	})
	return r.hold(), db.Err("add a hold", err)
}

// ReleaseHold implements keep.Records. A hold that was released is a conflict.
func (s *Store) ReleaseHold(ctx context.Context, id, by, reason string) (keep.Hold, error) {
	var r holdRow
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		if r.ReleasedUS != 0 {
			return fault.New(fault.Conflict, "the hold for case %s was released by %s already", r.CaseNo, r.ReleasedBy)
		}
		r.ReleasedUS, r.ReleasedBy, r.ReleaseReason = s.now().UnixMicro(), by, db.Text(reason)
		_, err := tx.NewUpdate().Model(&r).Column("released_us", "released_by", "release_reason").WherePK().Exec(ctx)
		return err
	})
	return r.hold(), db.Err("release a hold", err)
}

// Notices implements keep.Records: the newest, unseen ones first.
func (s *Store) Notices(ctx context.Context) ([]keep.Notice, error) {
	var rows []noticeRow
	err := s.d.NewSelect().Model(&rows).OrderExpr("CASE WHEN seen_us = 0 THEN 0 ELSE 1 END, at_us DESC, id DESC").Limit(maxNotices).Scan(ctx)
	if err != nil {
		return nil, db.Err("list notices", err)
	}
	out := make([]keep.Notice, 0, len(rows))
	for _, r := range rows {
		n := keep.Notice{ID: r.ID, Seen: moment(r.SeenUS), SeenBy: r.SeenBy}
		if err := json.Unmarshal([]byte(r.Doc), &n.Mishap); err != nil {
			return nil, fmt.Errorf("read notice %s: %w", r.ID, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// AddNotice implements keep.Records. One that stands there unseen is not
// repeated.
func (s *Store) AddNotice(ctx context.Context, m mishap.Mishap) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("record a notice: %w", err)
	}
	r := noticeRow{ID: uuid.Must(uuid.NewV7()).String(), AtUS: m.At.UnixMicro(), Doc: string(doc)}
	return db.Err("record a notice", s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var open []noticeRow
		if err := tx.NewSelect().Model(&open).Where("seen_us = 0").Scan(ctx); err != nil {
			return err
		}
		for _, o := range open {
			var x mishap.Mishap
			if err := json.Unmarshal([]byte(o.Doc), &x); err == nil && x.Kind == m.Kind && x.Where == m.Where && len(x.Args) == len(m.Args) && sameArgs(x.Args, m.Args) {
				return nil
			}
		}
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	}))
}

func sameArgs(a, b map[string]string) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// SeeNotice implements keep.Records.
func (s *Store) SeeNotice(ctx context.Context, id, by string) error {
	return db.Err("see a notice", s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r noticeRow
		if err := tx.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		if r.SeenUS != 0 {
			return nil
		}
		r.SeenUS, r.SeenBy = s.now().UnixMicro(), by
		_, err := tx.NewUpdate().Model(&r).Column("seen_us", "seen_by").WherePK().Exec(ctx)
		return err
	}))
}

// Backups implements keep.Records, newest first.
func (s *Store) Backups(ctx context.Context) ([]keep.Backup, error) {
	var rows []backupRow
	if err := s.d.NewSelect().Model(&rows).OrderExpr("at_us DESC, id DESC").Limit(maxBackups).Scan(ctx); err != nil {
		return nil, db.Err("list backups", err)
	}
	out := make([]keep.Backup, 0, len(rows))
	for _, r := range rows {
		var b keep.Backup
		if err := json.Unmarshal([]byte(r.Doc), &b); err != nil {
			return nil, fmt.Errorf("read backup %s: %w", r.ID, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// AddBackup implements keep.Records.
func (s *Store) AddBackup(ctx context.Context, b keep.Backup) error {
	if b.ID == "" {
		b.ID = uuid.Must(uuid.NewV7()).String()
	}
	doc, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("note a backup: %w", err)
	}
	r := backupRow{ID: b.ID, AtUS: b.At.UnixMicro(), Doc: string(doc)}
	return db.Err("note a backup", s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	}))
}

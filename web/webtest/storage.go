// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"citywall/backup"
	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/eventstore/keep/keepdb"
	"citywall/internal/db"
	"citywall/internal/disk"
	"citywall/internal/keys"
	"citywall/internal/mishap"
	"citywall/web/desk"
)

// store keeps the events of a site.
type store interface {
	eventstore.Keeper
	Backup(ctx context.Context, a eventstore.Archive) error
}

// storage seals what is due, holds days for two cases of which one is over, and
// has had its clock set back.
func (s *Site) storage(t testing.TB, ctx context.Context, d *db.DB, events store, own *keys.Ring) *desk.Storage {
	t.Helper()
	now := func() time.Time { return Now.Add(time.Duration(s.ahead.Load())) }
	records, err := keepdb.Open(ctx, d, now)
	must(t, err)
	cfg := keep.Defaults()
	cfg.Days = 180
	k, err := keep.New(cfg, keep.Parts{
		Store: events, Records: records, Room: &disk.Watch{Dir: s.Dir, Config: disk.Defaults(), Now: now}, Now: now, Log: slog.New(slog.DiscardHandler),
		Elapsed: func() time.Duration { return time.Duration(s.ahead.Load()) },
		Act: func(ctx context.Context, _, _, _ string, _ map[string]string, f func(context.Context) error) error {
			return f(ctx)
		},
	})
	must(t, err)
	_, err = events.Seal(ctx, now()) // the days that have ended
	must(t, err)
	day := Now.UTC().Truncate(24 * time.Hour)
	_, err = k.AddHold(ctx, keep.Hold{Case: "115-0007", From: day.AddDate(0, 0, -3), To: day, Reason: "地檢署函請保全市立醫院相關紀錄", By: "chen.yj"})
	must(t, err)
	over, err := k.AddHold(ctx, keep.Hold{Case: "114-0311", From: day.AddDate(-1, 0, 0), To: day.AddDate(-1, 0, 7), Reason: "法院調閱", By: "chen.yj"})
	must(t, err)
	_, err = k.ReleaseHold(ctx, over.ID, "chen.yj", "判決確定")
	must(t, err)
	must(t, records.AddNotice(ctx, mishap.New(mishap.ClockBack, "citywall", now().Add(-2*time.Hour), "by", "1h0m0s")))
	target := filepath.Join(s.Dir, "backups")
	return &desk.Storage{Keeper: k, BackupDir: target, Backup: func(ctx context.Context, dir, by string, say func(backup.Progress)) (keep.Backup, error) {
		if dir == "" {
			dir = target
		}
		res, err := backup.Create(ctx, dir, backup.Options{Program: "test", Sign: own.Sign, Now: now(), Progress: say}, func(ctx context.Context, w *backup.Writer) error {
			return events.Backup(ctx, w.Under("events"))
		})
		b := keep.Backup{At: now(), Dir: res.Dir, Bytes: res.Bytes, Copied: res.Copied, Files: res.Files, By: by}
		if err != nil {
			b.Error = err.Error()
			return b, err
		}
		return b, k.AddBackup(ctx, b)
	}}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"citywall/audit"
	"citywall/backup"
	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/internal/db"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

// makeBackup copies the whole data folder into dir, "" for the configured one,
// while everything goes on. by is who asked for it; say is told how far it is.
//
// What was acknowledged to a sender before it begins is in it. The order does
// that: the queue's acknowledgements are held back, then the store is copied,
// then the queue. Records are copied before the files they name, because files
// are written first and never taken away.
func (a *App) makeBackup(ctx context.Context, dir, by string, say func(backup.Progress)) (keep.Backup, error) {
	if !a.backing.TryLock() {
		return keep.Backup{}, fault.New(fault.Busy, "another backup is being made; wait for it")
	}
	defer a.backing.Unlock()
	dir, err := a.backupDir(dir)
	if err != nil {
		return keep.Backup{}, err
	}
	b := keep.Backup{At: a.now().UTC(), Dir: dir, By: by}
	act := audit.Act{Actor: self, Action: "storage.backup", Object: "backup", Detail: map[string]string{"dir": dir, "by": by + "@city"}}
	err = a.police.audit.Do(ctx, act, func(ctx context.Context) error { // the city's entry is the asker's
		release := a.pipeline.HoldAcks()
		defer release(context.WithoutCancel(ctx))
		o := backup.Options{Program: a.version, Sign: a.city.keys.Sign, Now: b.At, Progress: say}
		res, err := backup.Create(ctx, dir, o, a.addParts)
		b.Bytes, b.Copied, b.Files = res.Bytes, res.Copied, res.Files
		if res.Dir != "" {
			b.Dir = res.Dir
		}
		return err
	})
	if err != nil {
		b.Error = err.Error()
	}
	return b, errors.Join(err, a.keeper.AddBackup(context.WithoutCancel(ctx), b))
}

// backupDir returns where a backup goes. It may not lie in what it copies.
func (a *App) backupDir(dir string) (string, error) {
	if dir == "" {
		dir = a.cfg.Backup.Dir
	}
	if dir == "" {
		return "", fault.New(fault.Invalid, "say where the backup goes: a folder, or backup.dir in %s", ConfigName)
	}
	if !filepath.IsAbs(dir) {
		return "", fault.New(fault.Invalid, "the backup's folder must be an absolute path, not %q", dir)
	}
	dir = filepath.Clean(dir)
	if rel, err := filepath.Rel(a.data.dir, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", fault.New(fault.Invalid, "the backup's folder %s lies in the data folder: name one outside, best on another disk", dir)
	}
	return dir, nil
}

func (a *App) addParts(ctx context.Context, w *backup.Writer) error {
	for _, step := range []func(context.Context, *backup.Writer) error{a.addRecords, a.addEvents, a.addFiles, a.addQueue, a.addAudit} {
		if err := step(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) addRecords(ctx context.Context, w *backup.Writer) error {
	for _, r := range []realm{a.city, a.police} {
		if r.db.Engine() != db.SQLite {
			w.Note(fmt.Sprintf("The records of realm %s lie in %s and are not in this backup: back them up with pg_dump or archived WAL, at the same time.", r.name, r.db.Path()))
			continue
		}
		name := string(r.name) + ".db"
		full, err := w.Path(name)
		if err != nil {
			return err
		}
		if err := r.db.Backup(ctx, full); err != nil {
			return err
		}
		if err := w.Took(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) addEvents(ctx context.Context, w *backup.Writer) error {
	k, ok := a.events.(eventstore.Backuper)
	if !ok {
		w.Note("The events lie in an engine of their own and are not in this backup.")
		return nil
	}
	return k.Backup(ctx, w.Under("events"))
}

// addFiles adds everything that stands in the folder as plain files: what has
// its own way is left out, and what nobody knows is taken along.
func (a *App) addFiles(ctx context.Context, w *backup.Writer) error {
	return w.Tree(ctx, "", a.data.dir, func(rel string, d fs.DirEntry) bool {
		top, _, _ := strings.Cut(rel, "/")
		switch {
		case top == "lock", top == "citywall.sock", top == "events", top == "queue", top == "audit":
			return true
		case strings.Contains(top, ".db"): // records, their logs, copies made before a migration
			return true
		}
		return strings.HasSuffix(rel, ".tmp") && strings.HasPrefix(d.Name(), ".") // half-written
	})
}

func (a *App) addQueue(ctx context.Context, w *backup.Writer) error {
	name := "queue/" + queue.RestoreName
	full, err := w.Path(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = a.queue.Export(ctx, f)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := w.Took(ctx, name); err != nil {
		return err
	}
	blobs, err := a.queue.Blobs()
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, b := range blobs {
		if err := w.Add(ctx, "queue/blobs/"+filepath.Base(b), b); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return w.Tree(ctx, "queue/dead", a.data.path("queue", "dead"), nil)
}

func (a *App) addAudit(ctx context.Context, w *backup.Writer) error {
	for _, r := range []realm{a.city, a.police} {
		dir := "audit/" + string(r.name)
		taken := map[string]bool{"hashes": true, "offsets": true} // made again from the entries
		err := r.audit.Copy(func(name string, from io.Reader) error {
			taken[name] = true
			return w.Copy(ctx, dir+"/"+name, from)
		})
		if err != nil {
			return err
		}
		err = w.Tree(ctx, dir, a.data.path("audit", string(r.name)), func(rel string, _ fs.DirEntry) bool { return taken[rel] })
		if err != nil {
			return err
		}
	}
	return nil
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package senderdb keeps the registered senders of one realm.
//
// It promises that a sender it returned is as it was written last, and that two
// people who change one at once are told so. It never looks at what a sender
// sends: that is pipeline/live.
package senderdb

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citywall/ingest/sender"
	"citywall/internal/db"
	"citywall/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Store is the senders of one realm. It is safe for concurrent use.
type Store struct {
	d   *db.DB
	now func() time.Time
}

// Open migrates and opens the table of senders in d.
func Open(ctx context.Context, d *db.DB, now func() time.Time) (*Store, error) {
	if err := d.Migrate(ctx, "sender", migrations); err != nil {
		return nil, err
	}
	return &Store{d: d, now: now}, nil
}

type row struct {
	bun.BaseModel `bun:"table:sender,alias:s"`

	Name    string `bun:"name,pk"`
	Doc     string `bun:"doc"`
	Version int64  `bun:"version"`
}

func (r row) sender() (sender.Sender, error) {
	var s sender.Sender
	if err := json.Unmarshal([]byte(r.Doc), &s); err != nil {
		return s, fmt.Errorf("sender %s: %w", r.Name, err)
	}
	s.Version = r.Version
	return s, nil
}

// maxSenders bounds the register.
const maxSenders = 100_000

// Put registers a sender (Version 0) or changes the one at Version. What was
// registered when and by whom stays.
func (s *Store) Put(ctx context.Context, actor string, x sender.Sender) (sender.Sender, error) {
	x.Name, x.Agency, x.Contact, x.Note = db.Text(x.Name), db.Text(x.Agency), db.Text(x.Contact), db.Text(x.Note)
	if err := x.Check(); err != nil {
		return x, err
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r row
		err := db.Err("", tx.NewSelect().Model(&r).Where("name = ?", x.Name).Scan(ctx))
		switch {
		case fault.Is(err, fault.NotFound):
			n, err := tx.NewSelect().Model((*row)(nil)).Count(ctx)
			switch {
			case err != nil:
				return err
			case n >= maxSenders:
				return fault.New(fault.Invalid, "there are %d senders already", n)
			case x.Version != 0:
				return fault.New(fault.NotFound, "there is no sender %q any more", x.Name)
			}
			x.Created, x.CreatedBy = s.now().UTC(), actor
		case err != nil:
			return err
		case x.Version == 0:
			return fault.New(fault.Conflict, "a sender %q is registered already", x.Name)
		case r.Version != x.Version:
			return fault.New(fault.Conflict, "sender %q was changed meanwhile: load it again", x.Name)
		default:
			old, err := r.sender()
			if err != nil {
				return err
			}
			x.Created, x.CreatedBy = old.Created, old.CreatedBy
		}
		x.Version++
		doc, err := json.Marshal(x)
		if err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&row{Name: x.Name, Doc: string(doc), Version: x.Version}).
			On("CONFLICT (name) DO UPDATE").Set("doc = EXCLUDED.doc").Set("version = EXCLUDED.version").Exec(ctx)
		return err
	})
	return x, db.Err("register sender "+x.Name, err)
}

// Drop takes a sender off the register. What it sent stays.
func (s *Store) Drop(ctx context.Context, name string) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*row)(nil)).Where("name = ?", name).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			return fault.New(fault.NotFound, "no sender %q is registered", name)
		}
		return err
	})
	return db.Err("take sender "+name+" off the register", err)
}

// Get returns a sender.
func (s *Store) Get(ctx context.Context, name string) (sender.Sender, error) {
	var r row
	if err := s.d.NewSelect().Model(&r).Where("name = ?", name).Scan(ctx); err != nil {
		return sender.Sender{}, db.Err("sender "+name, err)
	}
	return r.sender()
}

// List returns all senders by name. A record that cannot be read hides no
// other: what is wrong with it comes back beside the rest.
func (s *Store) List(ctx context.Context) ([]sender.Sender, error) {
	var rows []row
	if err := s.d.NewSelect().Model(&rows).Order("name").Scan(ctx); err != nil {
		return nil, db.Err("list senders", err)
	}
	var out []sender.Sender
	var bad error
	for _, r := range rows {
		x, err := r.sender()
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		out = append(out, x)
	}
	return out, bad
}

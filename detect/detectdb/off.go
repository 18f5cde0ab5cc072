// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citywall/internal/db"
	"citywall/internal/fault"
)

// Off says that a rule is switched off: it gives no findings.
type Off struct {
	ID     string    `json:"id"`    // of the rule
	Title  string    `json:"title"` // as it was then
	Hash   string    `json:"hash"`  // likewise
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

type offRow struct {
	bun.BaseModel `bun:"table:detect_off,alias:o"`

	ID     string `bun:"id,pk"`
	Title  string `bun:"title"`
	Hash   string `bun:"hash"`
	Actor  string `bun:"actor"`
	AtUS   int64  `bun:"at_us"`
	Reason string `bun:"reason"`
}

// maxReason bounds a reason, in bytes.
const maxReason = 2000

// Validate reports what a switch lacks.
func (o Off) Validate() error {
	switch {
	case o.ID == "" || len(o.ID) > 200:
		return fault.New(fault.Invalid, "switch a rule off: a rule without an id cannot be switched off")
	case strings.TrimSpace(o.Reason) == "":
		return fault.New(fault.Invalid, "switching a rule off needs a reason: say why, so that the next person can judge whether it still holds")
	case len(o.Reason) > maxReason:
		return fault.New(fault.Invalid, "the reason is %d bytes long; at most %d are kept", len(o.Reason), maxReason)
	}
	return nil
}

// SwitchOff keeps that a rule is off. One that is off already is a conflict.
func (s *Store) SwitchOff(ctx context.Context, o Off) error {
	if err := o.Validate(); err != nil {
		return err
	}
	row := offRow{ID: db.Text(o.ID), Title: db.Text(o.Title), Hash: o.Hash, Actor: o.By, AtUS: o.At.UnixMicro(), Reason: db.Text(strings.TrimSpace(o.Reason))}
	var n int64
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	if err != nil {
		return db.Err("switch a rule off", err)
	}
	if n == 0 {
		return fault.New(fault.Conflict, "the rule %s is switched off already", o.ID)
	}
	return nil
}

// SwitchOn forgets that a rule is off. One that is on is a conflict.
func (s *Store) SwitchOn(ctx context.Context, id string) error {
	var n int64
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*offRow)(nil)).Where("id = ?", db.Text(id)).Exec(ctx)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	if err != nil {
		return db.Err("switch a rule on", err)
	}
	if n == 0 {
		return fault.New(fault.Conflict, "the rule %s is not switched off", id)
	}
	return nil
}

// ListOff returns the rules that are off, by id.
func (s *Store) ListOff(ctx context.Context) ([]Off, error) {
	var rows []offRow
	if err := s.d.NewSelect().Model(&rows).Order("id").Scan(ctx); err != nil {
		return nil, db.Err("list rules that are off", err)
	}
	out := make([]Off, len(rows))
	for i, r := range rows {
		out[i] = Off{ID: r.ID, Title: r.Title, Hash: r.Hash, By: r.Actor, At: at(r.AtUS), Reason: r.Reason}
	}
	return out, nil
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package inventorydb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/asset"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/internal/db"
	"citywall/internal/fault"
)

type drawingRow struct {
	bun.BaseModel `bun:"table:inventory_drawing,alias:d"`

	ID       string        `bun:"id,pk"`
	Name     string        `bun:"name"`
	State    drawing.State `bun:"state"`
	AtUS     int64         `bun:"at_us"`
	Doc      string        `bun:"doc"`
	Topology string        `bun:"topology"`
}

func (r drawingRow) version() (drawing.Version, error) {
	var v drawing.Version
	if err := json.Unmarshal([]byte(r.Doc), &v); err != nil {
		return v, fmt.Errorf("drawing %s: %w", r.ID, err)
	}
	v.State = r.State
	if r.Topology != "" {
		if err := json.Unmarshal([]byte(r.Topology), &v.Drawing.Topology); err != nil {
			return v, fmt.Errorf("drawing %s: %w", r.ID, err)
		}
	}
	return v, nil
}

func document(v drawing.Version) (string, error) {
	v.Drawing.Topology = asset.Topology{}
	b, err := json.Marshal(v)
	return db.Text(string(b)), err
}

// Limits of what is kept of drawings.
const (
	maxTopology = 32 << 20 // bytes of one
	maxDrawings = 1000
)

// PutDrawing keeps a drawing that actor handed in, as a proposal.
func (s *Store) PutDrawing(ctx context.Context, actor string, v drawing.Version) (drawing.Version, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return v, fmt.Errorf("keep the drawing: %w", err)
	}
	v.ID, v.State, v.By, v.At = id.String(), drawing.Proposed, actor, s.now().UTC()
	top, err := json.Marshal(v.Drawing.Topology)
	if err != nil {
		return v, fmt.Errorf("keep the drawing: %w", err)
	}
	if len(top) > maxTopology {
		return v, fault.New(fault.Invalid, "the drawing takes more than %d bytes: divide it", maxTopology)
	}
	doc, err := document(v)
	if err != nil {
		return v, fmt.Errorf("keep the drawing: %w", err)
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*drawingRow)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		if n >= maxDrawings { // who decided what stays in the audit log
			old := tx.NewSelect().Model((*drawingRow)(nil)).Column("id").Where("state NOT IN (?, ?)", drawing.Accepted, drawing.Proposed).Order("at_us").Limit(int64(n - maxDrawings + 1))
			res, err := tx.NewDelete().Model((*drawingRow)(nil)).Where("id IN (?)", old).Exec(ctx)
			if err != nil {
				return err
			}
			if gone, err := res.RowsAffected(); err != nil || gone == 0 {
				return fault.New(fault.Invalid, "there are %d drawings already: refuse or retire some", n)
			}
		}
		_, err = tx.NewInsert().Model(&drawingRow{ID: v.ID, Name: db.Text(v.Name), State: v.State, AtUS: v.At.UnixMicro(), Doc: doc, Topology: db.Text(string(top))}).Exec(ctx)
		return err
	})
	return v, db.Err("keep the drawing", err)
}

// Decide brings a drawing to another state. One that is accepted replaces the
// accepted one of its name.
func (s *Store) Decide(ctx context.Context, actor, id string, to drawing.State) (v drawing.Version, err error) {
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r drawingRow
		if err := tx.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		if v, err = r.version(); err != nil {
			return err
		}
		if !v.State.May(to) {
			return fault.New(fault.Conflict, "the drawing is %s; it cannot become %s", v.State, to)
		}
		if to == drawing.Accepted {
			if _, err := tx.NewUpdate().Model((*drawingRow)(nil)).Set("state = ?", drawing.Replaced).Where("name = ?", r.Name).Where("state = ?", drawing.Accepted).Exec(ctx); err != nil {
				return err
			}
		}
		v.State, v.DecidedBy, v.DecidedAt = to, actor, s.now().UTC()
		doc, err := document(v)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*drawingRow)(nil)).Set("state = ?", to).Set("doc = ?", doc).Where("id = ?", id).Exec(ctx)
		return err
	})
	return v, db.Err("decide about the drawing", err)
}

// Drawing returns a drawing with its topology.
func (s *Store) Drawing(ctx context.Context, id string) (drawing.Version, error) {
	var r drawingRow
	if err := s.d.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
		return drawing.Version{}, db.Err("drawing", err)
	}
	return r.version()
}

// Drawings returns all drawings without their topologies, the newest first.
func (s *Store) Drawings(ctx context.Context) ([]drawing.Version, error) {
	return s.drawings(ctx, s.d.NewSelect().Model((*drawingRow)(nil)).Column("id", "name", "state", "at_us", "doc").Order("at_us DESC", "id DESC"))
}

// Accepted returns the drawings that count, with their topologies, the newest
// first.
func (s *Store) Accepted(ctx context.Context) ([]drawing.Version, error) {
	return s.drawings(ctx, s.d.NewSelect().Model((*drawingRow)(nil)).Where("state = ?", drawing.Accepted).Order("at_us DESC", "id DESC"))
}

func (s *Store) drawings(ctx context.Context, q *bun.SelectQuery) ([]drawing.Version, error) {
	var rows []drawingRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, db.Err("drawings", err)
	}
	out := make([]drawing.Version, 0, len(rows))
	for _, r := range rows {
		v, err := r.version()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

type noteRow struct {
	bun.BaseModel `bun:"table:inventory_note,alias:n"`

	Subject string `bun:"subject,pk"`
	Doc     string `bun:"doc"`
	Version int64  `bun:"version"`
}

const maxNotes = 100_000

// PutNote writes a note (Version 0) or changes the one at Version.
func (s *Store) PutNote(ctx context.Context, actor string, n inventory.Note) (inventory.Note, error) {
	n.Subject, n.Owner, n.Contact = db.Text(n.Subject), db.Text(n.Owner), db.Text(n.Contact)
	if err := n.Check(); err != nil {
		return n, err
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r noteRow
		err := db.Err("", tx.NewSelect().Model(&r).Where("subject = ?", n.Subject).Scan(ctx))
		switch {
		case fault.Is(err, fault.NotFound):
			c, err := tx.NewSelect().Model((*noteRow)(nil)).Count(ctx)
			if err != nil {
				return err
			}
			if c >= maxNotes {
				return fault.New(fault.Invalid, "there are %d notes already", c)
			}
		case err != nil:
			return err
		}
		if r.Version != n.Version {
			return fault.New(fault.Conflict, "owner or contact was changed meanwhile: load it again")
		}
		n.Version, n.By, n.At = n.Version+1, actor, s.now().UTC()
		doc, err := json.Marshal(n)
		if err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&noteRow{Subject: n.Subject, Doc: string(doc), Version: n.Version}).
			On("CONFLICT (subject) DO UPDATE").Set("doc = EXCLUDED.doc").Set("version = EXCLUDED.version").Exec(ctx)
		return err
	})
	return n, db.Err("write owner and contact", err)
}

// Notes returns all notes.
func (s *Store) Notes(ctx context.Context) ([]inventory.Note, error) {
	var rows []noteRow
	if err := s.d.NewSelect().Model(&rows).Order("subject").Scan(ctx); err != nil {
		return nil, db.Err("notes", err)
	}
	out := make([]inventory.Note, 0, len(rows))
	for _, r := range rows {
		var n inventory.Note
		if err := json.Unmarshal([]byte(r.Doc), &n); err != nil {
			return nil, fmt.Errorf("note on %s: %w", r.Subject, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casedb

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/casework"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Edit is what may be changed of a case. Nil fields stay.
type Edit struct {
	Title *string
	Owner *string // "" for nobody
}

// change runs f on a case that stands at version.
func (s *Store) change(ctx context.Context, op, actor, id string, version int64, f func(context.Context, bun.Tx, *caseRow) error) (casework.Case, error) {
	if actor == "" {
		return casework.Case{}, fault.New(fault.Invalid, "%s: nobody does it", op)
	}
	var out casework.Case
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := caseOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.Version != version {
			return fault.New(fault.Conflict, "case %s was changed meanwhile: load it again", r.Number)
		}
		if err := f(ctx, tx, &r); err != nil {
			return err
		}
		r.Version++
		if _, err := tx.NewUpdate().Model(&r).Column("title", "owner", "status", "status_us", "closed_us", "search", "version").WherePK().Exec(ctx); err != nil {
			return err
		}
		out, err = r.toCase()
		return err
	})
	if err != nil {
		return casework.Case{}, db.Err(op, err)
	}
	return out, nil
}

// Change edits title or owner. version is the one the actor saw.
func (s *Store) Change(ctx context.Context, actor, id string, version int64, e Edit) (casework.Case, error) {
	return s.change(ctx, "edit case", actor, id, version, func(ctx context.Context, tx bun.Tx, r *caseRow) error {
		if e.Title != nil {
			title := strings.TrimSpace(db.Text(*e.Title))
			if title == "" || len(title) > maxTitle {
				return fault.New(fault.Invalid, "a case needs a title of at most %d bytes", maxTitle)
			}
			if title != r.Title {
				if err := s.note(ctx, tx, r.ID, actor, "title", "before", r.Title, "after", title); err != nil {
					return err
				}
				r.Title = title
				r.Search += "\n" + strings.ToLower(title)
			}
		}
		if e.Owner != nil && *e.Owner != r.Owner {
			what := "owner"
			if *e.Owner == "" {
				what = "nobody"
			}
			r.Owner = db.Text(*e.Owner)
			return s.note(ctx, tx, r.ID, actor, what, "owner", r.Owner)
		}
		return nil
	})
}

// SetStatus moves a case; see casework.Moves. reason is required for closing
// and for opening again.
func (s *Store) SetStatus(ctx context.Context, actor, id string, version int64, to casework.Status, reason string) (casework.Case, error) {
	reason = strings.TrimSpace(reason)
	if len(reason) > maxText {
		return casework.Case{}, fault.New(fault.Invalid, "the reason is longer than %d bytes", maxText)
	}
	return s.change(ctx, "move case", actor, id, version, func(ctx context.Context, tx bun.Tx, r *caseRow) error {
		from := casework.Status(r.Status)
		if !slices.Contains(casework.Moves(from), to) {
			return fault.New(fault.Invalid, "a case that is %s cannot become %q", from, to)
		}
		if reason == "" && (to == casework.Closed || from == casework.Closed) {
			return fault.New(fault.Invalid, "closing a case, or opening it again, needs a reason")
		}
		now := s.now().UnixMicro()
		r.Status, r.StatusUS, r.ClosedUS = string(to), now, 0
		if to == casework.Closed {
			r.ClosedUS = now
		}
		what := "status"
		if reason != "" {
			what = "status_because"
		}
		return s.note(ctx, tx, r.ID, actor, what, "from", string(from), "to", string(to), "reason", reason)
	})
}

// AddNote adds a remark.
func (s *Store) AddNote(ctx context.Context, actor, id, text string) (casework.Note, error) {
	text = strings.TrimSpace(db.Text(text))
	switch {
	case actor == "":
		return casework.Note{}, fault.New(fault.Invalid, "note on a case: nobody writes it")
	case text == "":
		return casework.Note{}, fault.New(fault.Invalid, "the note is empty")
	case len(text) > maxText:
		return casework.Note{}, fault.New(fault.Invalid, "the note is longer than %d bytes", maxText)
	}
	u, err := uuid.NewV7()
	if err != nil {
		return casework.Note{}, err
	}
	n := noteRow{ID: u.String(), TimeUS: s.now().UnixMicro(), Author: db.Text(actor), Text: text}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := caseOf(ctx, tx, id)
		if err != nil {
			return err
		}
		n.CaseID = r.ID
		if _, err := tx.NewInsert().Model(&n).Exec(ctx); err != nil {
			return err
		}
		return s.note(ctx, tx, r.ID, actor, "note")
	})
	if err != nil {
		return casework.Note{}, db.Err("note on a case", err)
	}
	return noteOf(n), nil
}

// AddExhibit records a file that is in the case's folder. A closed case takes
// none.
func (s *Store) AddExhibit(ctx context.Context, actor, id string, x casework.Exhibit) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := caseOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.Status == string(casework.Closed) {
			return fault.New(fault.Conflict, "case %s is closed: open it again first", r.Number)
		}
		if _, err := tx.NewInsert().Model(rowOf(r.ID, x)).Exec(ctx); err != nil {
			return err
		}
		return s.note(ctx, tx, r.ID, actor, "exhibit", "n", strconv.Itoa(x.N), "name", x.Name, "sha", x.SHA256)
	})
	return db.Err("add exhibit", err)
}

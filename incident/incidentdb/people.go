// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/identity"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// maxText bounds a reason and a note, in bytes.
const maxText = 16 << 10

// change runs f on a record that stands at version, and returns it as it is
// afterwards. f says what happened by notes and by changing the row.
func (s *Store) change(ctx context.Context, op, actor, id string, version int64, reason string, f func(context.Context, bun.Tx, *recordRow) error) (Record, error) {
	if actor == "" {
		return Record{}, fault.New(fault.Invalid, "%s: nobody does it", op)
	}
	if len(reason) > maxText {
		return Record{}, fault.New(fault.Invalid, "the reason is longer than %d bytes", maxText)
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := recordOf(ctx, tx, id)
		if err != nil {
			return err
		}
		id = r.ID
		if r.Version != version {
			return fault.New(fault.Conflict, "the incident was changed meanwhile: load it again")
		}
		if err := f(ctx, tx, &r); err != nil {
			return err
		}
		r.Version++
		if _, err := tx.NewUpdate().Model(&r).WherePK().Exec(ctx); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return Record{}, db.Err(op, err)
	}
	return s.Get(ctx, s.whole(), id)
}

// whole is the scope of the whole realm.
func (s *Store) whole() identity.Scope { return identity.Scope{Realm: s.realm} }

func standsAlone(r *recordRow) error {
	if r.MergedInto != "" {
		return fault.New(fault.Conflict, "the incident was merged into %s: change that one", r.MergedInto)
	}
	return nil
}

// SetState moves an incident; see Moves. reason is required for closing.
// version is the one the actor saw.
func (s *Store) SetState(ctx context.Context, actor, id string, version int64, to incident.State, reason string) (Record, error) {
	return s.change(ctx, "move incident", actor, id, version, reason, func(ctx context.Context, tx bun.Tx, r *recordRow) error {
		if err := standsAlone(r); err != nil {
			return err
		}
		from := incident.State(r.State)
		if !slices.Contains(Moves(from), to) {
			return fault.New(fault.Invalid, "an incident that is %s cannot become %q", from, to)
		}
		if to == incident.Closed && strings.TrimSpace(reason) == "" {
			return fault.New(fault.Invalid, "closing an incident needs a reason")
		}
		r.State, r.StateUS = string(to), s.now().UnixMicro()
		what := "state"
		if strings.TrimSpace(reason) != "" {
			what = "state_because"
		}
		return s.note(ctx, tx, r.ID, actor, what, "from", string(from), "to", string(to), "reason", reason)
	})
}

// SetOwner gives an incident to a user; "" to nobody.
func (s *Store) SetOwner(ctx context.Context, actor, id string, version int64, owner string) (Record, error) {
	return s.change(ctx, "assign incident", actor, id, version, "", func(ctx context.Context, tx bun.Tx, r *recordRow) error {
		if err := standsAlone(r); err != nil {
			return err
		}
		what := "owner"
		if owner == "" {
			what = "nobody"
		}
		r.Owner = db.Text(owner)
		return s.note(ctx, tx, r.ID, actor, what, "owner", owner)
	})
}

// AddNote adds a remark. It needs no version: remarks do not collide.
func (s *Store) AddNote(ctx context.Context, actor, id, text string) (Note, error) {
	text = strings.TrimSpace(db.Text(text))
	switch {
	case actor == "":
		return Note{}, fault.New(fault.Invalid, "note on an incident: nobody writes it")
	case text == "":
		return Note{}, fault.New(fault.Invalid, "the note is empty")
	case len(text) > maxText:
		return Note{}, fault.New(fault.Invalid, "the note is longer than %d bytes", maxText)
	}
	u, err := uuid.NewV7()
	if err != nil {
		return Note{}, err
	}
	n := noteRow{ID: u.String(), TimeUS: s.now().UnixMicro(), Author: db.Text(actor), Text: text}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := recordOf(ctx, tx, id)
		if err != nil {
			return err
		}
		n.RecordID = r.ID
		if _, err := tx.NewInsert().Model(&n).Exec(ctx); err != nil {
			return err
		}
		return s.note(ctx, tx, r.ID, actor, "note")
	})
	if err != nil {
		return Note{}, db.Err("note on an incident", err)
	}
	return noteOf(n), nil
}

func noteOf(n noteRow) Note {
	return Note{ID: n.ID, Time: at(n.TimeUS), Author: n.Author, Text: n.Text}
}

// Merge makes id a part of into. Later computations of either are shown in
// into.
func (s *Store) Merge(ctx context.Context, actor, id string, version int64, into string, reason string) (Record, error) {
	var root recordRow
	_, err := s.change(ctx, "merge incidents", actor, id, version, reason, func(ctx context.Context, tx bun.Tx, r *recordRow) error {
		if err := standsAlone(r); err != nil {
			return err
		}
		to, err := recordOf(ctx, tx, into)
		if err != nil {
			return err
		}
		if root, err = rootOf(ctx, tx, to); err != nil {
			return err
		}
		if root.ID == r.ID {
			return fault.New(fault.Invalid, "an incident cannot be merged into itself")
		}
		r.MergedInto, r.MergedBy = root.ID, db.Text(actor)
		if err := s.note(ctx, tx, r.ID, actor, "merged", "into", root.ID, "reason", reason); err != nil {
			return err
		}
		if err := s.note(ctx, tx, root.ID, actor, "merged_in", "other", r.ID, "reason", reason); err != nil {
			return err
		}
		return s.relink(ctx, tx, r, root.ID)
	})
	if err != nil {
		return Record{}, err
	}
	return s.Get(ctx, s.whole(), root.ID)
}

// relink writes the merge of r before the records above are shown anew, and
// counts a change of them.
func (s *Store) relink(ctx context.Context, tx bun.Tx, r *recordRow, root string) error {
	if _, err := tx.NewUpdate().Model(r).Column("merged_into", "merged_by").WherePK().Exec(ctx); err != nil {
		return err
	}
	if _, err := tx.NewRaw("UPDATE incident_record SET version = version + 1 WHERE id = ?", root).Exec(ctx); err != nil {
		return err
	}
	return s.show(ctx, tx, root)
}

// Unmerge takes a merged incident out again.
func (s *Store) Unmerge(ctx context.Context, actor, id string, version int64, reason string) (Record, error) {
	return s.change(ctx, "take incident out", actor, id, version, reason, func(ctx context.Context, tx bun.Tx, r *recordRow) error {
		if r.MergedInto == "" {
			return fault.New(fault.Conflict, "the incident is not merged into another")
		}
		if r.Absorbed {
			return fault.New(fault.Conflict, "the two have become one by what was found since: split the hosts or findings off instead")
		}
		up := r.MergedInto
		r.MergedInto, r.MergedBy = "", ""
		if err := s.note(ctx, tx, r.ID, actor, "taken_out", "of", up, "reason", reason); err != nil {
			return err
		}
		if err := s.note(ctx, tx, up, actor, "took_out", "other", r.ID, "reason", reason); err != nil {
			return err
		}
		return s.relink(ctx, tx, r, up)
	})
}

// Split moves a selection into an incident of its own, for this and all later
// computations, and returns the new record.
func (s *Store) Split(ctx context.Context, actor, id string, version int64, sel Selection, reason string) (Record, error) {
	slices.Sort(sel.Hosts)
	slices.Sort(sel.Findings)
	sel.Hosts, sel.Findings = slices.Compact(sel.Hosts), slices.Compact(sel.Findings)
	child := ""
	_, err := s.change(ctx, "split incident", actor, id, version, reason, func(ctx context.Context, tx bun.Tx, r *recordRow) error {
		if err := standsAlone(r); err != nil {
			return err
		}
		if parts, err := partsOf(ctx, tx, r.ID); err != nil {
			return err
		} else if slices.ContainsFunc(parts, func(p recordRow) bool { return !p.Absorbed }) {
			return fault.New(fault.Conflict, "other incidents are merged into this one: take them out first")
		}
		in, err := r.own()
		if err != nil {
			return err
		}
		rest, out := carve(in, sel)
		if empty(out) {
			return fault.New(fault.Invalid, "nothing of the incident is selected")
		}
		if empty(rest) || len(rest.Hops)+len(rest.Steps)+len(rest.Findings) == 0 {
			return fault.New(fault.Invalid, "everything of the incident is selected: nothing would be left")
		}
		c, err := s.splitRecord(r, sel, out)
		if err != nil {
			return err
		}
		child = c.ID
		if _, err := tx.NewInsert().Model(&c).Exec(ctx); err != nil {
			return err
		}
		doc, err := json.Marshal(rest)
		if err != nil {
			return fmt.Errorf("split incident %s: %w", r.ID, err)
		}
		r.Own = string(doc)
		if _, err := tx.NewUpdate().Model(r).Column("own").WherePK().Exec(ctx); err != nil {
			return err
		}
		for _, x := range []struct {
			id string
			in incident.Incident
		}{{r.ID, rest}, {c.ID, out}} {
			if err := setKeys(ctx, tx, x.id, keys(x.in)); err != nil {
				return err
			}
			if err := s.show(ctx, tx, x.id); err != nil {
				return err
			}
		}
		if err := s.note(ctx, tx, r.ID, actor, "split", "other", c.ID, "reason", reason); err != nil {
			return err
		}
		if err := s.note(ctx, tx, c.ID, actor, "split_off", "of", r.ID, "reason", reason); err != nil {
			return err
		}
		*r, err = recordOf(ctx, tx, r.ID) // as show left it
		return err
	})
	if err != nil {
		return Record{}, err
	}
	return s.Get(ctx, s.whole(), child)
}

func (s *Store) splitRecord(r *recordRow, sel Selection, out incident.Incident) (recordRow, error) {
	u, err := uuid.NewV7()
	if err != nil {
		return recordRow{}, err
	}
	now := s.now().UnixMicro()
	out.ID = u.String()
	doc, err := json.Marshal(out)
	if err != nil {
		return recordRow{}, fmt.Errorf("split incident %s: %w", r.ID, err)
	}
	rule, err := json.Marshal(sel)
	if err != nil {
		return recordRow{}, fmt.Errorf("split incident %s: %w", r.ID, err)
	}
	return recordRow{ID: out.ID, Own: string(doc), State: r.State, StateUS: now, Owner: r.Owner, Version: 1, Revision: 1,
		SplitFrom: r.ID, Split: string(rule), CreatedUS: now, ComputedUS: r.ComputedUS}, nil
}

// LinkCase records that the incident was handed over.
func (s *Store) LinkCase(ctx context.Context, id string, l CaseLink) error {
	if l.Package == "" {
		return fault.New(fault.Invalid, "link incident to a package: it has no id")
	}
	if l.Time.IsZero() {
		l.Time = s.now()
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := recordOf(ctx, tx, id)
		if err != nil {
			return err
		}
		k := caseRow{Package: db.Text(l.Package), RecordID: r.ID, SHA256: db.Text(l.SHA256), TimeUS: l.Time.UnixMicro(), ByUser: db.Text(l.By)}
		if _, err := tx.NewInsert().Model(&k).Exec(ctx); err != nil {
			return err
		}
		return s.note(ctx, tx, r.ID, l.By, "handed_over", "package", l.Package)
	})
	return db.Err("link incident to a package", err)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dutydb

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/duty"
	"citywall/internal/db"
	"citywall/internal/fault"
)

type personRow struct {
	bun.BaseModel `bun:"table:duty_person,alias:p"`

	ID  string `bun:"id,pk"`
	Doc string `bun:"doc"`
}

type shiftRow struct {
	bun.BaseModel `bun:"table:duty_shift,alias:s"`

	ID      string `bun:"id,pk"`
	BeginUS int64  `bun:"begin_us"`
	EndUS   int64  `bun:"end_us"`
	Person  string `bun:"person"`
	Post    string `bun:"post"`
}

func (r shiftRow) shift() duty.Shift {
	return duty.Shift{ID: r.ID, Begin: at(r.BeginUS), End: at(r.EndUS), Person: r.Person, Post: duty.Post(r.Post)}
}

type noteRow struct {
	bun.BaseModel `bun:"table:duty_note,alias:n"`

	ID      string `bun:"id,pk"`
	TimeUS  int64  `bun:"time_us"`
	Author  string `bun:"author"`
	Body    string `bun:"body"`
	TakenBy string `bun:"taken_by"`
	TakenUS int64  `bun:"taken_us"`
}

func (r noteRow) note() duty.Note {
	return duty.Note{ID: r.ID, Time: at(r.TimeUS), Author: r.Author, Text: r.Body, TakenBy: r.TakenBy, TakenAt: at(r.TakenUS)}
}

// Limits of what people write.
const (
	maxPeople = 2000
	maxShift  = 48 * time.Hour
	maxNote   = 64 << 10 // bytes
	maxLine   = 500      // bytes
)

// PutPerson adds or changes a person.
func (s *Store) PutPerson(ctx context.Context, p duty.Person) error {
	p.ID, p.Name, p.Mail = strings.TrimSpace(db.Text(p.ID)), strings.TrimSpace(db.Text(p.Name)), strings.TrimSpace(p.Mail)
	p.Phone, p.Note = strings.TrimSpace(db.Text(p.Phone)), strings.TrimSpace(db.Text(p.Note))
	switch {
	case p.ID == "" || len(p.ID) > 64 || strings.ContainsAny(p.ID, " \t\r\n/:,"):
		return fault.New(fault.Invalid, "a person needs a short name of at most 64 bytes without spaces, slashes, colons and commas")
	case p.Name == "":
		return fault.New(fault.Invalid, "a person needs a name")
	case len(p.Name) > maxLine || len(p.Phone) > maxLine || len(p.Note) > maxLine:
		return fault.New(fault.Invalid, "name, phone and note of a person have at most %d bytes each", maxLine)
	case p.Mail == "" && p.Phone == "":
		return fault.New(fault.Invalid, "a person needs a mail address or a telephone number to be called at")
	}
	if p.Mail != "" {
		a, err := mail.ParseAddress(p.Mail)
		if err != nil {
			return fault.New(fault.Invalid, "%q is no mail address", p.Mail)
		}
		p.Mail = a.Address
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("person %s: %w", p.ID, err)
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*personRow)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		if n >= maxPeople {
			return fault.New(fault.Invalid, "there are %d people already", n)
		}
		_, err = tx.NewInsert().Model(&personRow{ID: p.ID, Doc: string(doc)}).On("CONFLICT (id) DO UPDATE").Set("doc = EXCLUDED.doc").Exec(ctx)
		return err
	})
	return db.Err("write person "+p.ID, err)
}

// DropPerson removes a person who stands on no coming shift.
func (s *Store) DropPerson(ctx context.Context, id string) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*shiftRow)(nil)).Where("person = ? AND end_us > ?", id, us(s.now())).Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return fault.New(fault.Conflict, "%s stands on %d shifts to come: remove those first", id, n)
		}
		res, err := tx.NewDelete().Model((*personRow)(nil)).Where("id = ?", id).Exec(ctx)
		return gone(res, err, "person "+id)
	})
	return db.Err("remove person "+id, err)
}

// AddShifts adds shifts, all or none. A shift that is there already is no
// error.
func (s *Store) AddShifts(ctx context.Context, shifts []duty.Shift) error {
	if len(shifts) == 0 || len(shifts) > 1000 {
		return fault.New(fault.Invalid, "add 1 to 1000 shifts at once, not %d", len(shifts))
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, x := range shifts {
			switch {
			case x.Post != duty.OnDuty && x.Post != duty.Lead:
				return fault.New(fault.Invalid, "the post of a shift is duty or lead, not %q", x.Post)
			case x.Begin.IsZero() || !x.End.After(x.Begin) || x.End.Sub(x.Begin) > maxShift:
				return fault.New(fault.Invalid, "a shift ends after it begins, within %d hours", int(maxShift.Hours()))
			}
			n, err := tx.NewSelect().Model((*personRow)(nil)).Where("id = ?", x.Person).Count(ctx)
			if err != nil {
				return err
			}
			if n == 0 {
				return fault.New(fault.Invalid, "there is no person %q: add them first", x.Person)
			}
			r := shiftRow{ID: uuid.Must(uuid.NewV7()).String(), BeginUS: us(x.Begin), EndUS: us(x.End), Person: x.Person, Post: string(x.Post)}
			if _, err := tx.NewInsert().Model(&r).On("CONFLICT (person, post, begin_us) DO UPDATE").Set("end_us = EXCLUDED.end_us").Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return db.Err("add shifts", err)
}

// DropShift removes a shift.
func (s *Store) DropShift(ctx context.Context, id string) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*shiftRow)(nil)).Where("id = ?", id).Exec(ctx)
		return gone(res, err, "shift")
	})
	return db.Err("remove the shift", err)
}

func gone(res interface{ RowsAffected() (int64, error) }, err error, what string) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, "there is no such %s", what)
	}
	return err
}

// Roster returns all people, and the shifts that touch [from, to).
func (s *Store) Roster(ctx context.Context, from, to time.Time) (duty.Roster, error) {
	r, err := s.read(ctx, s.d, from, to)
	return r, db.Err("read the roster", err)
}

// roster returns what Plan may ask for at now: a day back and a day on.
func (s *Store) roster(ctx context.Context, tx bun.IDB, now time.Time) (duty.Roster, error) {
	return s.read(ctx, tx, now.AddDate(0, 0, -1), now.AddDate(0, 0, 2))
}

func (s *Store) read(ctx context.Context, d bun.IDB, from, to time.Time) (duty.Roster, error) {
	var r duty.Roster
	var people []personRow
	if err := d.NewSelect().Model(&people).Order("id").Scan(ctx); err != nil {
		return r, err
	}
	for _, x := range people {
		var p duty.Person
		if err := json.Unmarshal([]byte(x.Doc), &p); err != nil {
			return r, fmt.Errorf("person %s: %w", x.ID, err)
		}
		r.People = append(r.People, p)
	}
	var shifts []shiftRow
	if err := d.NewSelect().Model(&shifts).Where("end_us > ? AND begin_us < ?", us(from), us(to)).Order("begin_us", "post", "person").Scan(ctx); err != nil {
		return r, err
	}
	for _, x := range shifts {
		r.Shifts = append(r.Shifts, x.shift())
	}
	return r, nil
}

// AddNote leaves a note for the next shift.
func (s *Store) AddNote(ctx context.Context, author, body string) (duty.Note, error) {
	body = strings.TrimSpace(db.Text(body))
	if body == "" || len(body) > maxNote {
		return duty.Note{}, fault.New(fault.Invalid, "a hand-over note has 1 to %d bytes", maxNote)
	}
	r := noteRow{ID: uuid.Must(uuid.NewV7()).String(), TimeUS: us(s.now()), Author: author, Body: body}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	})
	return r.note(), db.Err("write the note", err)
}

// TakeNote signs that the reader has taken over. Who signs first stands; the
// author cannot.
func (s *Store) TakeNote(ctx context.Context, reader, id string) (duty.Note, error) {
	var r noteRow
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		switch {
		case r.TakenBy != "":
			return fault.New(fault.Conflict, "%s has taken over already", r.TakenBy)
		case r.Author == reader:
			return fault.New(fault.Invalid, "the next shift signs the note, not its author")
		}
		r.TakenBy, r.TakenUS = reader, us(s.now())
		_, err := tx.NewUpdate().Model(&r).Column("taken_by", "taken_us").WherePK().Exec(ctx)
		return err
	})
	return r.note(), db.Err("take over", err)
}

// Notes returns up to n notes, newest first, before a note's id when it is
// given.
func (s *Store) Notes(ctx context.Context, n int, before string) ([]duty.Note, error) {
	if n < 1 || n > 500 {
		return nil, fault.New(fault.Invalid, "list notes: limit %d is not in 1..500", n)
	}
	var rows []noteRow
	sel := s.d.NewSelect().Model(&rows).Order("time_us DESC", "id DESC").Limit(int64(n))
	if before != "" {
		sel = sel.Where("(time_us, id) < (SELECT time_us, id FROM duty_note WHERE id = ?)", before)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, db.Err("list notes", err)
	}
	out := make([]duty.Note, len(rows))
	for i, r := range rows {
		out[i] = r.note()
	}
	return out, nil
}

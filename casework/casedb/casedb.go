// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package casedb keeps the records of cases, in the police realm's database.
//
// It promises case numbers without gaps, snapshots and exhibits that the
// database itself refuses to change, a change lock, and a history of every
// change. The files of a case are exhibit's.
//
// Its readers take no scope: whoever may see cases (identity.CaseRead) may see
// them; a case is never part of an agency.
package casedb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/casework"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Store is the records of cases. It is safe for concurrent use.
type Store struct {
	d      *db.DB
	scheme casework.Scheme
	now    func() time.Time
}

// Open migrates and opens the tables of cases in d.
func Open(ctx context.Context, d *db.DB, scheme casework.Scheme) (*Store, error) {
	if err := scheme.Validate(); err != nil {
		return nil, err
	}
	if err := d.Migrate(ctx, "casework", migrations); err != nil {
		return nil, err
	}
	if err := d.TextIndex(ctx, "case_record", "search"); err != nil {
		return nil, err
	}
	return &Store{d: d, scheme: scheme, now: time.Now}, nil
}

type caseRow struct {
	bun.BaseModel `bun:"table:case_record,alias:c"`

	ID             string `bun:"id,pk"`
	Number         string `bun:"number"`
	Year           int    `bun:"year"`
	Seq            int    `bun:"seq"`
	Title          string `bun:"title"`
	Status         string `bun:"status"`
	StatusUS       int64  `bun:"status_us"`
	Owner          string `bun:"owner"`
	OpenedUS       int64  `bun:"opened_us"`
	OpenedBy       string `bun:"opened_by"`
	KnowledgeUS    int64  `bun:"knowledge_us"`
	ClosedUS       int64  `bun:"closed_us"`
	Source         string `bun:"source"`
	Package        string `bun:"package"`
	Incident       string `bun:"incident"`
	IncidentSHA256 string `bun:"incident_sha256"`
	Search         string `bun:"search"`
	Version        int64  `bun:"version"`
}

type exhibitRow struct {
	bun.BaseModel `bun:"table:case_exhibit,alias:e"`

	ID      string `bun:"id,pk"`
	CaseID  string `bun:"case_id"`
	N       int    `bun:"n"`
	Kind    string `bun:"kind"`
	Name    string `bun:"name"`
	File    string `bun:"file"`
	Size    int64  `bun:"size"`
	SHA256  string `bun:"sha256"`
	Records int64  `bun:"records"`
	FirstUS int64  `bun:"first_us"`
	LastUS  int64  `bun:"last_us"`
	AddedUS int64  `bun:"added_us"`
	AddedBy string `bun:"added_by"`
	Origin  string `bun:"origin"`
}

type noteRow struct {
	bun.BaseModel `bun:"table:case_note,alias:n"`

	ID     string `bun:"id,pk"`
	CaseID string `bun:"case_id"`
	TimeUS int64  `bun:"time_us"`
	Author string `bun:"author"`
	Text   string `bun:"text"`
}

type changeRow struct {
	bun.BaseModel `bun:"table:case_change,alias:h"`

	ID     string `bun:"id,pk"`
	CaseID string `bun:"case_id"`
	TimeUS int64  `bun:"time_us"`
	Actor  string `bun:"actor"`
	What   string `bun:"what"`
	Args   string `bun:"args"`
}

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (r *caseRow) toCase() (casework.Case, error) {
	c := casework.Case{ID: r.ID, Number: r.Number, Title: r.Title, Status: casework.Status(r.Status), StatusSince: at(r.StatusUS), Owner: r.Owner,
		Opened: at(r.OpenedUS), OpenedBy: r.OpenedBy, KnowledgeAt: at(r.KnowledgeUS), ClosedAt: at(r.ClosedUS),
		IncidentSHA256: r.IncidentSHA256, Version: r.Version}
	if err := json.Unmarshal([]byte(r.Source), &c.Source); err != nil {
		return c, fmt.Errorf("read case %s: %w", r.Number, err)
	}
	return c, nil
}

// New is a case to be written. Its files are in place.
type New struct {
	ID          string // UUIDv7, under which its files lie
	Title       string
	Owner       string
	OpenedBy    string
	KnowledgeAt time.Time // zero: now
	Source      casework.Source
	Incident    *incident.Incident
	Exhibits    []casework.Exhibit
}

// Limits of what people write, in bytes.
const (
	maxTitle = 500
	maxText  = 16 << 10
)

// Create writes a case and gives it the next number of its year, both or
// neither. A package that was imported before is a conflict that names its
// case.
func (s *Store) Create(ctx context.Context, n New) (casework.File, error) {
	r, err := s.newRow(n)
	if err != nil {
		return casework.File{}, err
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if r.Package != "" {
			var number string
			err := tx.NewRaw("SELECT number FROM case_record WHERE package = ?", r.Package).Scan(ctx, &number)
			if err == nil {
				return fault.New(fault.Conflict, "the package was imported before: it is case %s", number)
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if err := tx.NewRaw("INSERT INTO case_number (year, last) VALUES (?, 1) ON CONFLICT (year) DO UPDATE SET last = case_number.last + 1 RETURNING last",
			r.Year).Scan(ctx, &r.Seq); err != nil {
			return err
		}
		r.Number = s.scheme.Number(r.Year, r.Seq)
		r.Search = search(r, n.Incident)
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		for _, x := range n.Exhibits {
			if _, err := tx.NewInsert().Model(rowOf(r.ID, x)).Exec(ctx); err != nil {
				return err
			}
		}
		return s.note(ctx, tx, r.ID, n.OpenedBy, "opened")
	})
	if err != nil {
		return casework.File{}, db.Err("open case", err)
	}
	return s.Get(ctx, r.ID)
}

func (s *Store) newRow(n New) (caseRow, error) {
	title := strings.TrimSpace(db.Text(n.Title))
	switch {
	case n.ID == "":
		return caseRow{}, fault.New(fault.Invalid, "open case: it has no id")
	case title == "" || len(title) > maxTitle:
		return caseRow{}, fault.New(fault.Invalid, "a case needs a title of at most %d bytes", maxTitle)
	case n.OpenedBy == "":
		return caseRow{}, fault.New(fault.Invalid, "open case: nobody opens it")
	case !slices.Contains([]casework.SourceKind{casework.FromHandover, casework.FromInvestigation, casework.FromReport}, n.Source.Kind):
		return caseRow{}, fault.New(fault.Invalid, "open case: %q is no source of a case", n.Source.Kind)
	case n.Source.Kind == casework.FromHandover && n.Source.Package == "":
		return caseRow{}, fault.New(fault.Invalid, "open case: the package it was handed over in has no id")
	}
	src, err := json.Marshal(n.Source)
	if err != nil {
		return caseRow{}, fmt.Errorf("open case: %w", err)
	}
	now := s.now()
	r := caseRow{ID: n.ID, Year: casework.ROCYear(now), Title: title, Status: string(casework.Open), StatusUS: now.UnixMicro(), Owner: db.Text(n.Owner),
		OpenedUS: now.UnixMicro(), OpenedBy: db.Text(n.OpenedBy), KnowledgeUS: us(n.KnowledgeAt), Source: string(src), Package: db.Text(n.Source.Package), Version: 1}
	if r.KnowledgeUS == 0 {
		r.KnowledgeUS = r.OpenedUS
	}
	if n.Incident != nil {
		doc, err := json.Marshal(n.Incident)
		if err != nil {
			return caseRow{}, fmt.Errorf("open case: %w", err)
		}
		sum := sha256.Sum256(doc)
		r.Incident, r.IncidentSHA256 = string(doc), hex.EncodeToString(sum[:])
	}
	return r, nil
}

func rowOf(caseID string, x casework.Exhibit) *exhibitRow {
	return &exhibitRow{ID: x.ID, CaseID: caseID, N: x.N, Kind: string(x.Kind), Name: db.Text(x.Name), File: db.Text(x.File), Size: x.Size, SHA256: x.SHA256,
		Records: x.Records, FirstUS: us(x.First), LastUS: us(x.Last), AddedUS: us(x.Added), AddedBy: db.Text(x.AddedBy), Origin: db.Text(x.Origin)}
}

func exhibitOf(r exhibitRow) casework.Exhibit {
	return casework.Exhibit{ID: r.ID, N: r.N, Kind: casework.ExhibitKind(r.Kind), Name: r.Name, File: r.File, Size: r.Size, SHA256: r.SHA256,
		Records: r.Records, First: at(r.FirstUS), Last: at(r.LastUS), Added: at(r.AddedUS), AddedBy: r.AddedBy, Origin: r.Origin}
}

// search joins what a person may look for, folded.
func search(r caseRow, in *incident.Incident) string {
	parts := []string{r.ID, r.Number, r.Title, r.Owner, r.Package}
	if in != nil {
		parts = append(parts, in.ID, in.Entry.Vector)
		for _, h := range in.Hosts {
			parts = append(parts, h.Host)
			for _, a := range h.Addresses {
				parts = append(parts, a.String())
			}
		}
		for _, a := range in.Accounts {
			parts = append(parts, a.Account.String())
		}
		for _, x := range in.Suspicious {
			parts = append(parts, x.Addr.String())
		}
	}
	const most = 64 << 10
	s := strings.ToLower(strings.Join(parts, "\n"))
	return db.Text(s[:min(len(s), most)])
}

// note writes an entry of the history.
func (s *Store) note(ctx context.Context, tx bun.Tx, id, actor, what string, pairs ...string) error {
	args := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = db.Text(pairs[i+1])
	}
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	u, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(&changeRow{ID: u.String(), CaseID: id, TimeUS: s.now().UnixMicro(), Actor: db.Text(actor), What: what, Args: string(b)}).Exec(ctx)
	return err
}

func caseOf(ctx context.Context, q bun.IDB, id string) (caseRow, error) {
	var r caseRow
	err := q.NewSelect().Model(&r).Where("id = ? OR number = ?", db.Text(id), db.Text(id)).Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fault.New(fault.NotFound, "there is no case %q", id)
	}
	return r, err
}

// Get returns a case with everything in it; id may be its number. A snapshot
// that is not what was hashed is an unavailable error: nobody may work on it.
func (s *Store) Get(ctx context.Context, id string) (casework.File, error) {
	r, err := caseOf(ctx, s.d, id)
	if err != nil {
		return casework.File{}, db.Err("read case", err)
	}
	f := casework.File{Exhibits: []casework.Exhibit{}, Notes: []casework.Note{}, History: []casework.Change{}}
	if f.Case, err = r.toCase(); err != nil {
		return f, err
	}
	if r.IncidentSHA256 != "" {
		if sum := sha256.Sum256([]byte(r.Incident)); hex.EncodeToString(sum[:]) != r.IncidentSHA256 {
			return f, fault.New(fault.Unavailable, "the incident snapshot of case %s was changed: its SHA-256 is not the recorded %s; restore police.db from a backup", r.Number, r.IncidentSHA256)
		}
		f.Incident = new(incident.Incident)
		if err := json.Unmarshal([]byte(r.Incident), f.Incident); err != nil {
			return f, fmt.Errorf("read snapshot of case %s: %w", r.Number, err)
		}
	}
	var xs []exhibitRow
	if err := s.d.NewSelect().Model(&xs).Where("case_id = ?", r.ID).Order("n").Scan(ctx); err != nil {
		return f, db.Err("read exhibits", err)
	}
	for _, x := range xs {
		f.Exhibits = append(f.Exhibits, exhibitOf(x))
	}
	var ns []noteRow
	if err := s.d.NewSelect().Model(&ns).Where("case_id = ?", r.ID).Order("time_us", "id").Scan(ctx); err != nil {
		return f, db.Err("read notes of a case", err)
	}
	for _, n := range ns {
		f.Notes = append(f.Notes, noteOf(n))
	}
	var hs []changeRow
	if err := s.d.NewSelect().Model(&hs).Where("case_id = ?", r.ID).Order("time_us", "id").Scan(ctx); err != nil {
		return f, db.Err("read history of a case", err)
	}
	for _, h := range hs {
		c := casework.Change{Time: at(h.TimeUS), Actor: h.Actor, What: h.What}
		if err := json.Unmarshal([]byte(h.Args), &c.Args); err != nil {
			return f, fmt.Errorf("read history of case %s: %w", r.Number, err)
		}
		f.History = append(f.History, c)
	}
	return f, nil
}

func noteOf(n noteRow) casework.Note {
	return casework.Note{ID: n.ID, Time: at(n.TimeUS), Author: n.Author, Text: n.Text}
}

// Has reports whether there is a case with this id.
func (s *Store) Has(ctx context.Context, id string) (bool, error) {
	ok, err := s.d.NewSelect().Model((*caseRow)(nil)).Where("id = ?", db.Text(id)).Exists(ctx)
	return ok, db.Err("look for case", err)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package docket opens cases: files first, then the record with its number, so
// that a numbered case always has its exhibits.
//
// It promises that an opening that fails uses no number and leaves no half
// case, and that what a kill leaves behind is found at the next start. It never
// decides who may open one.
package docket

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/exhibit"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/fault"
)

// New is a case to be opened.
type New struct {
	Title       string
	Owner       string
	OpenedBy    string
	KnowledgeAt time.Time // zero: now
	Source      casework.Source
	Incident    *incident.Incident             // snapshot; nil when there is none
	Events      iter.Seq2[*event.Event, error] // original records; nil when there are none
	Findings    iter.Seq2[detect.Finding, error]
	Files       []File
}

// File is a file that comes along.
type File struct {
	Kind   casework.ExhibitKind
	Name   string // for people; what is safe of it becomes the end of the file's name
	Origin string // where it came from, in words
	Open   func() (io.ReadCloser, error)
}

// Docket is the cases of the police realm: records and files. Its readers and
// small changes are the store's.
type Docket struct {
	*casedb.Store
	Vault *exhibit.Vault
}

// Open opens a case. Files become exhibits in their order, then the findings,
// then the original records.
func (d *Docket) Open(ctx context.Context, n New) (_ casework.File, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return casework.File{}, err
	}
	draft, err := d.Vault.Begin(id.String())
	if err != nil {
		return casework.File{}, err
	}
	defer func() { err = errors.Join(err, draft.Discard()) }()
	for _, f := range n.Files {
		if err := addFile(ctx, draft, n.OpenedBy, f); err != nil {
			return casework.File{}, err
		}
	}
	origin := string(n.Source.Kind)
	if n.Source.Package != "" {
		origin = "package " + n.Source.Package
	}
	if n.Findings != nil {
		w := exhibit.What{Name: "findings.jsonl", Origin: origin, By: n.OpenedBy}
		if _, err := draft.AddFindings(ctx, w, n.Findings); err != nil {
			return casework.File{}, err
		}
	}
	if n.Events != nil {
		w := exhibit.What{Name: "events.jsonl", Origin: origin, By: n.OpenedBy}
		if _, err := draft.AddEvents(ctx, w, n.Events); err != nil {
			return casework.File{}, err
		}
	}
	if err := draft.Commit(); err != nil {
		return casework.File{}, err
	}
	f, err := d.Create(ctx, casedb.New{ID: id.String(), Title: n.Title, Owner: n.Owner, OpenedBy: n.OpenedBy, KnowledgeAt: n.KnowledgeAt,
		Source: n.Source, Incident: n.Incident, Exhibits: draft.Exhibits()})
	if err == nil {
		return f, nil
	}
	// The record may be there although reading it back failed; only a case
	// that is not in the records may lose its files.
	if has, herr := d.Has(context.WithoutCancel(ctx), id.String()); herr != nil || has {
		return casework.File{}, errors.Join(err, herr)
	}
	return casework.File{}, errors.Join(err, draft.Withdraw())
}

func addFile(ctx context.Context, draft *exhibit.Draft, by string, f File) error {
	r, err := f.Open()
	if err != nil {
		return fault.New(fault.Invalid, "open %s: %w", f.Name, err)
	}
	defer r.Close()
	_, err = draft.Add(ctx, what(by, f), r)
	return err
}

func what(by string, f File) exhibit.What {
	k := f.Kind
	if k == "" || k == casework.ExhibitEvents || k == casework.ExhibitFindings {
		k = casework.ExhibitFile // bytes from outside are never taken for records
	}
	return exhibit.What{Kind: k, Name: f.Name, Origin: f.Origin, By: by}
}

// AddFile adds an exhibit to a case that is not closed.
func (d *Docket) AddFile(ctx context.Context, actor, caseID string, f File) (casework.Exhibit, error) {
	c, err := d.Get(ctx, caseID)
	if err != nil {
		return casework.Exhibit{}, err
	}
	if c.Status == casework.Closed {
		return casework.Exhibit{}, fault.New(fault.Conflict, "case %s is closed: open it again first", c.Number)
	}
	r, err := f.Open()
	if err != nil {
		return casework.Exhibit{}, fault.New(fault.Invalid, "open %s: %w", f.Name, err)
	}
	defer r.Close()
	return d.Vault.Add(ctx, c.ID, what(actor, f), r, func(x casework.Exhibit) error {
		return d.AddExhibit(ctx, actor, c.ID, x)
	})
}

// Strays returns the folders that belong to no case: what a kill left of one
// that was being opened. They are for a person to look at; nothing deletes
// them.
func (d *Docket) Strays(ctx context.Context) ([]string, error) {
	return d.Vault.Strays(func(id string) (bool, error) { return d.Has(ctx, id) })
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package docket opens cases: files first, then the record with its number, so
// that a numbered case always has its exhibits.
//
// It promises that an opening that fails leaves no number used and no half
// case. It never decides who may open one.
package docket

import (
	"context"
	"io"
	"iter"
	"time"

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
	Name   string // for people; also its base name in the folder when that is a safe one
	Origin string
	Open   func() (io.ReadCloser, error)
}

// Docket is the cases of the police realm: records and files.
type Docket struct {
	*casedb.Store
	Vault *exhibit.Vault
}

// Open opens a case.
func (d *Docket) Open(ctx context.Context, n New) (casework.File, error) {
	return casework.File{}, fault.New(fault.Unavailable, "opening cases is not built yet")
}

// AddFile adds an exhibit to a case.
func (d *Docket) AddFile(ctx context.Context, actor, caseID string, f File) (casework.Exhibit, error) {
	return casework.Exhibit{}, fault.New(fault.Unavailable, "adding exhibits is not built yet")
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package casedb keeps the records of cases, in the police realm's database.
//
// It promises case numbers without gaps, snapshots that never change, a change
// lock, and a history of every change. The files of a case are exhibit's.
package casedb

import (
	"context"

	"citywall/casework"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Sort is the order of a list.
type Sort string

// Orders.
const (
	Newest Sort = "newest" // by opening; the default
	Oldest Sort = "oldest"
	Number Sort = "number"
)

// Query selects cases. Zero fields select all.
type Query struct {
	Statuses []casework.Status
	Owner    string
	Text     string // number, title, hosts, addresses, notes; case ignored
	Year     int    // ROC year of the number
	Sort     Sort
	Limit    int    // 1..500; 0 means 50
	After    string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Cases []casework.Case
	Next  string // cursor, "" at the end
}

// Edit is what may be changed of a case. Nil fields stay.
type Edit struct {
	Title *string
	Owner *string // "" for nobody
}

// Store is the records of cases. It is safe for concurrent use.
//
// Its readers take no scope: whoever may see cases (identity.CaseRead) may see
// them; a case is never part of an agency.
type Store struct{}

var errPending = fault.New(fault.Unavailable, "case records are not built yet")

// Open migrates and opens the tables of cases in d.
func Open(ctx context.Context, d *db.DB, scheme casework.Scheme) (*Store, error) {
	return nil, errPending
}

// List returns one page.
func (s *Store) List(ctx context.Context, q Query) (Page, error) { return Page{}, errPending }

// Get returns a case with everything in it; id may be its number.
func (s *Store) Get(ctx context.Context, id string) (casework.File, error) {
	return casework.File{}, errPending
}

// Change edits title or owner.
func (s *Store) Change(ctx context.Context, actor, id string, version int64, e Edit) (casework.Case, error) {
	return casework.Case{}, errPending
}

// SetStatus moves a case; see casework.Moves. reason is required for closing
// and for opening again.
func (s *Store) SetStatus(ctx context.Context, actor, id string, version int64, to casework.Status, reason string) (casework.Case, error) {
	return casework.Case{}, errPending
}

// AddNote adds a remark.
func (s *Store) AddNote(ctx context.Context, actor, id, text string) (casework.Note, error) {
	return casework.Note{}, errPending
}

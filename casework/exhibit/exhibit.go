// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package exhibit keeps the files of cases under DATA/cases/<id>/: what came
// with a hand-over, the original records of an investigation, reports.
//
// It promises that a file is written once, synced and hashed before it counts,
// that the folder's manifest names every file with its SHA-256, that Verify
// finds every change, and that records of a case are read only with a scope
// that names the case. It never puts them into the city's event store.
package exhibit

import (
	"context"
	"io"

	"citywall/casework"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// Vault is the files of all cases. It is safe for concurrent use.
type Vault struct{}

var errPending = fault.New(fault.Unavailable, "exhibits are not built yet")

// Open opens or creates the folder DATA/cases.
func Open(dir string) (*Vault, error) { return nil, errPending }

// File opens an exhibit's bytes for reading.
func (v *Vault) File(ctx context.Context, caseID string, e casework.Exhibit) (io.ReadCloser, error) {
	return nil, errPending
}

// Event returns one record of the case sc.Case names.
func (v *Vault) Event(ctx context.Context, sc identity.Scope, id event.ID) (*event.Event, error) {
	return nil, errPending
}

// Search returns a page of the case's records.
func (v *Vault) Search(ctx context.Context, sc identity.Scope, q eventstore.Query) (eventstore.Page, error) {
	return eventstore.Page{}, errPending
}

// Findings returns the findings of the case sc.Case names, by time.
func (v *Vault) Findings(ctx context.Context, sc identity.Scope) ([]detect.Finding, error) {
	return nil, errPending
}

// Problem is one thing wrong with a case's folder.
type Problem struct {
	File string // name in the folder
	What string // a sentence
}

// Verify reads every file of a case and compares it with the manifest and with
// the exhibits that the case's record names.
func (v *Vault) Verify(ctx context.Context, caseID string, es []casework.Exhibit) ([]Problem, error) {
	return nil, errPending
}

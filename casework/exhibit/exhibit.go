// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package exhibit keeps the files of cases under DATA/cases/<id>/: what came
// with a hand-over, the original records of an investigation, reports.
//
//	manifest.json            what the folder holds, with SHA-256
//	001-1f3a9c02-name.jsonl  number, first digits of the hash, name
//
// It promises that a file is written once, synced and hashed before it counts,
// that a case's folder appears whole or not at all, that Verify finds every
// change, and that records of a case are read only with a scope that names the
// case. It never puts them into the city's event store, and it never deletes
// what a manifest names.
package exhibit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"citywall/casework"
	"citywall/internal/canon"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

const (
	manifestFile   = "manifest.json"
	manifestFormat = "citywall-case/1"
	maxManifest    = 16 << 20 // bytes
)

// manifest is the canonical JSON in manifest.json.
type manifest struct {
	Format string  `json:"format"`
	Case   string  `json:"case"`
	Files  []entry `json:"files"` // in the order of their numbers
}

type entry struct {
	ID      string               `json:"id"`
	N       int                  `json:"n"`
	Kind    casework.ExhibitKind `json:"kind"`
	File    string               `json:"file"`
	Size    int64                `json:"size"`
	SHA256  string               `json:"sha256"`
	Records int64                `json:"records,omitempty"`
}

// Vault is the files of all cases. It is safe for concurrent use.
type Vault struct {
	dir string
	now func() time.Time

	mu sync.Mutex // held while a manifest is changed
}

// Open opens or creates the folder DATA/cases.
func Open(dir string) (*Vault, error) {
	if err := durable.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	return &Vault{dir: dir, now: time.Now}, nil
}

// folder returns the case's folder. An id that is no UUID is no part of a
// path.
func (v *Vault) folder(caseID string) (string, error) {
	u, err := uuid.Parse(caseID)
	if err != nil || u.String() != caseID {
		return "", fault.New(fault.NotFound, "there is no case %q", caseID)
	}
	return filepath.Join(v.dir, caseID), nil
}

func (v *Vault) manifest(caseID string) (manifest, string, error) {
	dir, err := v.folder(caseID)
	if err != nil {
		return manifest{}, "", err
	}
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return m, dir, fault.New(fault.NotFound, "case %s has no files", caseID)
	}
	if err == nil && m.Case != caseID {
		err = fmt.Errorf("it is of case %s", m.Case)
	}
	if err != nil {
		return m, dir, fault.New(fault.Unavailable, "the manifest of case %s cannot be read: %w", caseID, err)
	}
	return m, dir, nil
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return m, err
	}
	if len(b) > maxManifest {
		return m, fmt.Errorf("it is longer than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, err
	}
	if again, err := canon.Marshal(m); err != nil || string(again) != string(b) {
		return m, fmt.Errorf("it was not written by Citywall")
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("its format is %q, this program knows %q", m.Format, manifestFormat)
	}
	for _, e := range m.Files {
		if e.File != filepath.Base(e.File) || e.File == manifestFile || strings.HasPrefix(e.File, ".") {
			return m, fmt.Errorf("it names the file %q", e.File)
		}
	}
	return m, nil
}

// File opens an exhibit's bytes for reading.
func (v *Vault) File(_ context.Context, caseID string, e casework.Exhibit) (io.ReadCloser, error) {
	m, dir, err := v.manifest(caseID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(m.Files, func(x entry) bool { return x.ID == e.ID })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "case %s has no exhibit %s", caseID, e.ID)
	}
	f, err := os.Open(filepath.Join(dir, m.Files[i].File))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "exhibit %d of case %s: %w", m.Files[i].N, caseID, err)
	}
	return f, nil
}

// Problem is one thing wrong with a case's folder.
type Problem struct {
	File string // name in the folder
	What string // a sentence
}

// Verify reads every file of a case and compares it with the manifest and with
// the exhibits that the case's record names. It finds what is changed, missing
// or there without being named.
func (v *Vault) Verify(ctx context.Context, caseID string, es []casework.Exhibit) ([]Problem, error) {
	dir, err := v.folder(caseID)
	if err != nil {
		return nil, err
	}
	var ps []Problem
	say := func(file, format string, args ...any) {
		ps = append(ps, Problem{file, fmt.Sprintf(format, args...)})
	}
	m, err := readManifest(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(es) == 0:
		return nil, nil // a case without files
	case err != nil:
		say(manifestFile, "the manifest cannot be read: %v", err)
	case m.Case != caseID:
		say(manifestFile, "it is the manifest of case %s", m.Case)
	}
	named := map[string]bool{manifestFile: true}
	for _, e := range m.Files {
		if !slices.ContainsFunc(es, func(x casework.Exhibit) bool { return entryOf(x) == e }) {
			say(e.File, "the manifest names it as no exhibit of the case's record does")
		}
	}
	for _, x := range es {
		named[x.File] = true
		if !slices.Contains(m.Files, entryOf(x)) {
			say(x.File, "exhibit %d is not in the manifest as it is in the case's record", x.N)
		}
		if x.File != filepath.Base(x.File) {
			say(x.File, "exhibit %d has a path for a name", x.N)
			continue
		}
		size, sum, err := hashFile(ctx, filepath.Join(dir, x.File))
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			say(x.File, "exhibit %d is missing", x.N)
		case err != nil:
			say(x.File, "exhibit %d cannot be read: %v", x.N, err)
		case size != x.Size || sum != x.SHA256:
			say(x.File, "exhibit %d was changed: %d bytes with SHA-256 %s, recorded %d bytes with %s", x.N, size, sum, x.Size, x.SHA256)
		}
	}
	des, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("verify case %s: %w", caseID, err)
	}
	for _, d := range des {
		if !named[d.Name()] {
			say(d.Name(), "it lies in the folder and is no exhibit")
		}
	}
	return ps, nil
}

func entryOf(x casework.Exhibit) entry {
	return entry{ID: x.ID, N: x.N, Kind: x.Kind, File: x.File, Size: x.Size, SHA256: x.SHA256, Records: x.Records}
}

// Strays returns what lies in the folder of cases and belongs to none of the
// known ones: what a kill left of a case that was being opened.
func (v *Vault) Strays(known func(caseID string) (bool, error)) ([]string, error) {
	des, err := os.ReadDir(v.dir)
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	var out []string
	for _, d := range des {
		ok := false
		if _, err := v.folder(d.Name()); err == nil {
			if ok, err = known(d.Name()); err != nil {
				return nil, err
			}
		}
		if !ok {
			out = append(out, d.Name())
		}
	}
	return out, nil
}

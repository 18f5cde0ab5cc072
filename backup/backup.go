// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package backup writes, verifies and restores copies of a data folder.
//
//	TARGET/20261124T120000Z/manifest.json   every file with size and SHA-256
//	                        manifest.sig    Ed25519 over the manifest's bytes
//	                        data/…          the files, as they stand in the data folder
//
// It promises that a backup appears under its name whole or not at all, that
// one byte changed anywhere is found by Verify, that Restore writes into an
// empty or new folder only, which appears whole or not at all, and that a file
// an earlier backup in the same target has already is linked to it instead of
// stored again. Backups can be deleted in any order.
//
// What the parts of a data folder are, and in which order they must be read so
// that they fit together, is their owner's knowledge (app). A backup holds the
// keys and the cases of both realms in the clear: its folder must be guarded
// as the data folder is.
package backup

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Names in a backup.
const (
	manifestFile  = "manifest.json"
	signatureFile = "manifest.sig"
	dataDir       = "data"
	partialSuffix = ".partial"
)

// format is the version of the manifest.
const format = 1

// nameLayout names backups by when they were begun, so that their names sort.
const nameLayout = "20060102T150405Z"

// Manifest lists what is in a backup.
type Manifest struct {
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"` // when it was begun: what was acknowledged before is in it
	Program string    `json:"program"` // version that made it
	Notes   []string  `json:"notes,omitempty"`
	Files   []File    `json:"files"` // by path
}

// File is one of them.
type File struct {
	Path   string `json:"path"` // below data/, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Progress is how far a backup or its reading has come.
type Progress struct {
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	File  string `json:"file"` // the one that was just done
}

// Options are what Create is told.
type Options struct {
	Program  string
	Sign     ed25519.PrivateKey
	Now      time.Time
	Progress func(Progress) // may be nil
}

// Result is what Create made.
type Result struct {
	Dir    string // of the backup
	Bytes  int64  // of all files
	Copied int64  // of them, those that were not there already
	Files  int
}

// Writer takes the files of one backup. It is for one goroutine.
type Writer struct {
	dir    string // the partial folder
	base   string // data folder whose files are linked, "" for none
	before map[string]File
	m      Manifest
	have   map[string]bool
	res    Result
	say    func(Progress)
}

// Create makes a backup in target, a folder for backups of one data folder. add
// hands it the files.
func Create(ctx context.Context, target string, o Options, add func(context.Context, *Writer) error) (res Result, err error) {
	if err := durable.Mkdir(target); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := sweep(target); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	w := &Writer{m: Manifest{Format: format, Created: o.Now.UTC(), Name: o.Now.UTC().Format(nameLayout), Program: o.Program}, have: map[string]bool{}, say: o.Progress}
	if w.say == nil {
		w.say = func(Progress) {}
	}
	final := filepath.Join(target, w.m.Name)
	if _, err := os.Lstat(final); err == nil {
		return res, fault.New(fault.Conflict, "backup: %s is there already; wait a second", final)
	}
	if err := w.earlier(target); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	w.dir = filepath.Join(target, "."+w.m.Name+partialSuffix)
	if err := durable.Mkdir(filepath.Join(w.dir, dataDir)); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(w.dir))
		}
	}()
	if err := add(ctx, w); err != nil {
		return res, err
	}
	if err := w.finish(o.Sign); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(w.dir, final); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	w.res.Dir = final
	return w.res, durable.SyncDir(target)
}

// sweep removes what an interrupted backup left: nothing in it was ever called
// a backup.
func sweep(target string) error {
	es, err := os.ReadDir(target)
	if err != nil {
		return err
	}
	for _, e := range es {
		if strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), partialSuffix) {
			if err := os.RemoveAll(filepath.Join(target, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// earlier finds the newest backup of the target, whose files may be linked.
func (w *Writer) earlier(target string) error {
	names, err := List(target)
	if err != nil || len(names) == 0 {
		return err
	}
	dir := filepath.Join(target, names[len(names)-1])
	m, _, err := readManifest(dir)
	if err != nil { // a damaged one is no help; verify will say so
		return nil
	}
	w.base, w.before = filepath.Join(dir, dataDir), map[string]File{}
	for _, f := range m.Files {
		w.before[f.Path] = f
	}
	return nil
}

// List returns the names of the backups in a target, oldest first.
func List(target string) ([]string, error) {
	es, err := os.ReadDir(target)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range es {
		if _, err := time.Parse(nameLayout, e.Name()); err == nil && e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Path returns where name's file belongs, for a part that writes it itself and
// then calls Took. Its folder is made.
func (w *Writer) Path(name string) (string, error) {
	if !fs.ValidPath(name) || name == "." {
		return "", fault.New(fault.Invalid, "backup: %q is no path of a file", name)
	}
	if w.have[name] {
		return "", fmt.Errorf("backup: %s comes twice", name)
	}
	full := filepath.Join(w.dir, dataDir, filepath.FromSlash(name))
	return full, durable.Mkdir(filepath.Dir(full))
}

// Took adds the file that lies at Path.
func (w *Writer) Took(ctx context.Context, name string) error {
	full := filepath.Join(w.dir, dataDir, filepath.FromSlash(name))
	f, err := os.Open(full)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, &reader{ctx, f})
	if err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	return w.enter(File{name, n, hex.EncodeToString(h.Sum(nil))}, full, false)
}

// Copy adds what r gives.
func (w *Writer) Copy(ctx context.Context, name string, r io.Reader) error {
	full, err := w.Path(name)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := durable.Create(full, 0o600, io.TeeReader(&reader{ctx, r}, h))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return w.enter(File{name, n, hex.EncodeToString(h.Sum(nil))}, full, false)
}

// Add adds a file as it is now.
func (w *Writer) Add(ctx context.Context, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	return w.Copy(ctx, name, f)
}

// Fixed adds a file that never changes, of which size and hash are known. If an
// earlier backup has it, it is not even read.
func (w *Writer) Fixed(ctx context.Context, name, from, sum string, size int64) error {
	full, err := w.Path(name)
	if err != nil {
		return err
	}
	want := File{name, size, sum}
	if w.before[name] == want {
		if i, err := os.Stat(filepath.Join(w.base, filepath.FromSlash(name))); err == nil && i.Size() == size {
			if err := os.Link(filepath.Join(w.base, filepath.FromSlash(name)), full); err == nil {
				return w.enter(want, full, true)
			}
		}
	}
	if err := w.Add(ctx, name, from); err != nil {
		return err
	}
	if got := w.m.Files[len(w.m.Files)-1]; got != want {
		return fault.New(fault.Unavailable, "backup: %s holds %d bytes with hash %s; %d with %s were sealed: it is damaged", from, got.Size, got.SHA256, size, sum)
	}
	return nil
}

// Tree adds all regular files below dir as name/…; skip leaves out by path
// below dir. Files that go meanwhile are left out.
func (w *Writer) Tree(ctx context.Context, name, dir string, skip func(rel string, d fs.DirEntry) bool) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		rel = filepath.ToSlash(rel)
		if rel != "." && skip != nil && skip(rel, d) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		err = w.Add(ctx, path.Join(name, rel), p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// Note leaves a sentence for whoever restores.
func (w *Writer) Note(s string) { w.m.Notes = append(w.m.Notes, s) }

// Under returns a view of w for a part whose names lie below a folder.
func (w *Writer) Under(dir string) Part { return Part{w, dir} }

// Part is a Writer for one folder.
type Part struct {
	w   *Writer
	dir string
}

// Add is Writer.Add below the folder.
func (p Part) Add(ctx context.Context, name, from string) error {
	return p.w.Add(ctx, path.Join(p.dir, name), from)
}

// Fixed is Writer.Fixed below the folder.
func (p Part) Fixed(ctx context.Context, name, from, sum string, size int64) error {
	return p.w.Fixed(ctx, path.Join(p.dir, name), from, sum, size)
}

// enter lists a file. One that an earlier backup has is linked to it.
func (w *Writer) enter(f File, full string, linked bool) error {
	if w.have[f.Path] {
		return fmt.Errorf("backup: %s comes twice", f.Path)
	}
	if !linked && f.Size > 0 && w.before[f.Path] == f {
		old := filepath.Join(w.base, filepath.FromSlash(f.Path))
		tmp := full + ".link"
		if i, err := os.Stat(old); err == nil && i.Size() == f.Size && os.Link(old, tmp) == nil {
			if err := os.Rename(tmp, full); err != nil {
				return errors.Join(fmt.Errorf("backup: %w", err), os.Remove(tmp))
			}
			linked = true
		}
	}
	w.have[f.Path] = true
	w.m.Files = append(w.m.Files, f)
	w.res.Files, w.res.Bytes = w.res.Files+1, w.res.Bytes+f.Size
	if !linked {
		w.res.Copied += f.Size
	}
	w.say(Progress{w.res.Files, w.res.Bytes, f.Path})
	return nil
}

// finish writes manifest and signature and syncs the folders.
func (w *Writer) finish(key ed25519.PrivateKey) error {
	slices.SortFunc(w.m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	b, err := json.MarshalIndent(w.m, "", " ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	sig, err := signManifest(b, key)
	if err != nil {
		return err
	}
	if err := durable.Replace(filepath.Join(w.dir, manifestFile), 0o600, b); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(w.dir, signatureFile), 0o600, sig)
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

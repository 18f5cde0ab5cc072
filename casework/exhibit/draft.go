// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"citywall/casework"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/canon"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

// Draft is the folder of a case that is being opened. Nobody sees it before
// Commit. It is for one goroutine.
type Draft struct {
	v    *Vault
	id   string
	tmp  string
	m    manifest
	es   []casework.Exhibit
	done bool
}

// Begin begins the folder of a new case.
func (v *Vault) Begin(caseID string) (*Draft, error) {
	dir, err := v.folder(caseID)
	if err != nil {
		return nil, fault.New(fault.Invalid, "begin case: %q is no id", caseID)
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil, fault.New(fault.Conflict, "case %s has files already", caseID)
	}
	tmp, err := os.MkdirTemp(v.dir, ".new-"+caseID+"-")
	if err != nil {
		return nil, fmt.Errorf("begin case: %w", err)
	}
	return &Draft{v: v, id: caseID, tmp: tmp, m: manifest{Format: manifestFormat, Case: caseID, Files: []entry{}}}, nil
}

// What is said of a file when it is added.
type What struct {
	Kind   casework.ExhibitKind
	Name   string // for people
	Origin string // where it came from, in words
	By     string // who adds it
}

// Add writes a file.
func (d *Draft) Add(ctx context.Context, w What, r io.Reader) (casework.Exhibit, error) {
	x, err := d.v.write(ctx, d.tmp, len(d.m.Files)+1, w, func(f io.Writer) (counted, error) {
		_, err := io.Copy(f, &reader{ctx, r})
		return counted{}, err
	})
	if err != nil {
		return x, err
	}
	d.m.Files = append(d.m.Files, entryOf(x))
	d.es = append(d.es, x)
	return x, nil
}

// AddEvents writes original records, one a line.
func (d *Draft) AddEvents(ctx context.Context, w What, es iter.Seq2[*event.Event, error]) (casework.Exhibit, error) {
	w.Kind = casework.ExhibitEvents
	return d.addLines(ctx, w, func(f io.Writer) (c counted, err error) {
		for e, err := range es {
			if err != nil {
				return c, err
			}
			line, err := EncodeEvent(e)
			if err != nil {
				return c, err
			}
			if err := c.line(ctx, f, line); err != nil {
				return c, err
			}
			if eventstore.Timed(e.Time) {
				c.see(e.Time.UTC())
			}
		}
		return c, nil
	})
}

// AddFindings writes findings, one a line.
func (d *Draft) AddFindings(ctx context.Context, w What, fs iter.Seq2[detect.Finding, error]) (casework.Exhibit, error) {
	w.Kind = casework.ExhibitFindings
	return d.addLines(ctx, w, func(f io.Writer) (c counted, err error) {
		for x, err := range fs {
			if err != nil {
				return c, err
			}
			line, err := EncodeFinding(x)
			if err != nil {
				return c, err
			}
			if err := c.line(ctx, f, line); err != nil {
				return c, err
			}
			c.see(x.Time)
		}
		return c, nil
	})
}

func (d *Draft) addLines(ctx context.Context, w What, write func(io.Writer) (counted, error)) (casework.Exhibit, error) {
	x, err := d.v.write(ctx, d.tmp, len(d.m.Files)+1, w, write)
	if err != nil {
		return x, err
	}
	d.m.Files = append(d.m.Files, entryOf(x))
	d.es = append(d.es, x)
	return x, nil
}

// counted is what was seen while records were written.
type counted struct {
	n           int64
	first, last time.Time
}

func (c *counted) line(ctx context.Context, f io.Writer, b []byte) error {
	if c.n%1000 == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	c.n++
	_, err := f.Write(b)
	return err
}

func (c *counted) see(t time.Time) {
	if c.first.IsZero() || t.Before(c.first) {
		c.first = t
	}
	if t.After(c.last) {
		c.last = t
	}
}

// Exhibits returns what was added.
func (d *Draft) Exhibits() []casework.Exhibit { return d.es }

// Commit gives the folder its name, whole and synced. A case without files
// gets no folder.
func (d *Draft) Commit() error {
	if len(d.m.Files) == 0 {
		return d.Discard()
	}
	if err := writeManifest(d.tmp, d.m); err != nil {
		return fmt.Errorf("open case: %w", err)
	}
	dir, err := d.v.folder(d.id)
	if err != nil {
		return err
	}
	// Rename replaces an empty folder, and fails on one that has files.
	if err := os.Rename(d.tmp, dir); err != nil {
		return fmt.Errorf("open case: %w", err)
	}
	d.done = true
	return durable.SyncDir(d.v.dir)
}

// Discard removes what Commit did not publish. After Commit it does nothing.
func (d *Draft) Discard() error {
	if d.done {
		return nil
	}
	d.done = true
	if err := os.RemoveAll(d.tmp); err != nil {
		return fmt.Errorf("discard files of a case: %w", err)
	}
	return nil
}

// Withdraw removes the folder of a case whose record could not be written. It
// is for the one who has just committed the draft.
func (d *Draft) Withdraw() error {
	dir, err := d.v.folder(d.id)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("withdraw files of a case: %w", err)
	}
	return durable.SyncDir(d.v.dir)
}

// Add adds a file to a case that is there. record is called with the exhibit
// when the file is durable and before the manifest names it; its error leaves
// the folder as it was.
func (v *Vault) Add(ctx context.Context, caseID string, w What, r io.Reader, record func(casework.Exhibit) error) (casework.Exhibit, error) {
	dir, err := v.folder(caseID)
	if err != nil {
		return casework.Exhibit{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		m, err = manifest{Format: manifestFormat, Case: caseID, Files: []entry{}}, durable.Mkdir(dir)
	}
	if err != nil {
		return casework.Exhibit{}, fault.New(fault.Unavailable, "add exhibit to case %s: %w", caseID, err)
	}
	x, err := v.write(ctx, dir, len(m.Files)+1, w, func(f io.Writer) (counted, error) {
		_, err := io.Copy(f, &reader{ctx, r})
		return counted{}, err
	})
	if err != nil {
		return x, err
	}
	if err := record(x); err != nil {
		return casework.Exhibit{}, errors.Join(err, os.Remove(filepath.Join(dir, x.File)))
	}
	m.Files = append(m.Files, entryOf(x))
	if err := writeManifest(dir, m); err != nil {
		return x, fault.New(fault.Unavailable, "exhibit %d of case %s is recorded, but the manifest could not be written: %w", x.N, caseID, err)
	}
	return x, nil
}

// write writes one file into dir, synced and hashed, under its final name.
func (v *Vault) write(ctx context.Context, dir string, n int, w What, fill func(io.Writer) (counted, error)) (x casework.Exhibit, err error) {
	if err := ctx.Err(); err != nil {
		return x, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return x, err
	}
	f, err := os.CreateTemp(dir, ".adding-*")
	if err != nil {
		return x, fmt.Errorf("write exhibit: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	size := &counter{}
	c, err := fill(io.MultiWriter(f, sum, size))
	if err != nil {
		return x, fmt.Errorf("write exhibit %d: %w", n, err)
	}
	if err = f.Chmod(0o400); err != nil {
		return x, fmt.Errorf("write exhibit: %w", err)
	}
	if err = f.Sync(); err != nil {
		return x, fmt.Errorf("write exhibit: %w", err)
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	x = casework.Exhibit{ID: id.String(), N: n, Kind: w.Kind, Name: strings.ToValidUTF8(w.Name, "\ufffd"),
		File: fmt.Sprintf("%03d-%s-%s", n, hash[:8], safeName(w.Name)), Size: size.n, SHA256: hash,
		Records: c.n, First: c.first, Last: c.last, Added: v.now().UTC().Truncate(time.Microsecond), AddedBy: w.By, Origin: w.Origin}
	if err = durable.Publish(f.Name(), filepath.Join(dir, x.File)); err != nil {
		return x, fmt.Errorf("write exhibit: %w", err)
	}
	if err := f.Close(); err != nil {
		return x, fmt.Errorf("write exhibit: %w", err)
	}
	return x, nil
}

func writeManifest(dir string, m manifest) error {
	b, err := canon.Marshal(m)
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, manifestFile), 0o600, b)
}

// safeName makes a file name of what a person or a package calls a file:
// letters, digits, dots, dashes. No path survives it.
func safeName(s string) string {
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	s = strings.Map(func(r rune) rune {
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, s)
	s = strings.Trim(s, ".")
	for len(s) > 120 { // bytes; a name of 255 is what file systems take
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:] // the end says what kind of file it is
	}
	if s == "" {
		return "file"
	}
	return s
}

func hashFile(ctx context.Context, path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, &reader{ctx, f})
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

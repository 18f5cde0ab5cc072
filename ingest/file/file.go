// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package file reads evidence from files, folders, archives and standard input:
// it walks, unpacks, hashes, recognises and decodes.
//
// It promises one order (paths as given, folders by name), the SHA-256 of every
// source before its first event, a Stat for everything it met including what it
// could not read and why, and bounds against archives made to explode. It never
// writes near the evidence: large members are spooled to the temporary folder
// and removed.
package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
)

// Options of one reading.
type Options struct {
	Realm    asset.Realm
	Agency   string
	Exhibit  string
	Zone     *time.Location     // for times without a zone
	Carve    bool               // also deleted EVTX records
	CSV      *format.CSVMapping // for CSV without a known header
	Stdin    io.Reader          // read for the path "-"
	Progress func(Progress)     // may be nil; called at most once per source and 16 MiB
}

// Progress says how far a reading is.
type Progress struct {
	File  string
	Done  int64 // bytes of the given files, compressed size
	Total int64
}

// Stat is what became of one source.
type Stat struct {
	File    string
	Inner   string // member of an archive
	SHA256  string // of the decoded bytes: the file, or the member
	Format  string // "" when unknown
	Size    int64
	Problem string // a sentence why it was not, or not wholly, read; "" when it was
	format.Stats
}

// Bounds on archives.
const (
	maxNesting  = 4       // archives within archives
	maxRatio    = 2000    // expanded to compressed size, beyond ...
	ratioFrom   = 1 << 30 // ... this expanded size, bytes
	maxMembers  = 200_000 // members of one archive
	memorySpool = 32 << 20
)

// Read decodes all paths and calls emit for every event, file by file. The
// error is for a path that does not exist, emit and ctx; a source that cannot
// be read is in its Stat.
func Read(ctx context.Context, paths []string, opt Options, emit format.Emit) ([]Stat, error) {
	r := reader{opt: opt, emit: emit}
	type item struct {
		path string
		size int64
	}
	var items []item
	for _, p := range paths {
		if p == "-" {
			items = append(items, item{path: p})
			continue
		}
		if _, err := os.Stat(p); err != nil {
			return nil, fmt.Errorf("open the evidence: %w", err)
		}
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				r.stats = append(r.stats, Stat{File: path, Problem: err.Error()})
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if i, err := d.Info(); err == nil && i.Mode().IsRegular() {
				items = append(items, item{path, i.Size()})
				r.total += i.Size()
			}
			return nil
		})
		if err != nil {
			return r.stats, err
		}
	}
	for _, it := range items {
		if err := ctx.Err(); err != nil {
			return r.stats, err
		}
		if err := r.path(ctx, it.path, it.size); err != nil {
			return r.stats, err
		}
		r.done += it.size
		r.progress(it.path, 0)
	}
	return r.stats, nil
}

type reader struct {
	opt         Options
	emit        format.Emit
	stats       []Stat
	done, total int64
	buf         []byte // of one small file, or a piece of a large one
}

func (r *reader) progress(name string, extra int64) {
	if r.opt.Progress != nil {
		r.opt.Progress(Progress{name, r.done + extra, r.total})
	}
}

// source is bytes that can be read from the start again.
type source struct {
	file, inner string
	size        int64
	mod         time.Time
	at          io.ReaderAt
	sha         string // "" until known
}

func (s *source) reader() *io.SectionReader { return io.NewSectionReader(s.at, 0, s.size) }

func (r *reader) path(ctx context.Context, p string, size int64) error {
	if p == "-" {
		in := r.opt.Stdin
		if in == nil {
			return errors.New("standard input is not available here")
		}
		sp, err := newSpool(in, -1)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		defer sp.Close()
		return r.source(ctx, &source{file: "-", size: sp.size, at: sp.at, sha: sp.sha}, 0)
	}
	f, err := os.Open(p)
	if err != nil {
		r.stats = append(r.stats, Stat{File: p, Problem: err.Error()})
		return nil
	}
	defer f.Close()
	var mod time.Time
	if i, err := f.Stat(); err == nil {
		mod, size = i.ModTime(), i.Size()
	}
	return r.source(ctx, &source{file: p, size: size, mod: mod, at: f}, 0)
}

// source looks at the first bytes and unpacks or decodes.
func (r *reader) source(ctx context.Context, s *source, depth int) error {
	head := make([]byte, 4096)
	n, err := s.at.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		r.stats = append(r.stats, Stat{File: s.file, Inner: s.inner, Size: s.size, Problem: err.Error()})
		return nil
	}
	head = head[:n]
	if open := archiveOf(head); open != nil {
		if depth >= maxNesting {
			r.stats = append(r.stats, Stat{File: s.file, Inner: s.inner, Size: s.size, Problem: fmt.Sprintf("archives nested more than %d deep: unpack it by hand", maxNesting)})
			return nil
		}
		return open(r, ctx, s, depth)
	}
	return r.decode(ctx, s, head)
}

func (r *reader) decode(ctx context.Context, s *source, head []byte) error {
	st := Stat{File: s.file, Inner: s.inner, Size: s.size}
	f, ok := ingest.Recognise(head)
	if !ok && r.opt.CSV != nil && bytes.IndexByte(head, ',') > 0 {
		f, ok = ingest.ByName("csv")
	}
	if s.size == 0 {
		st.Problem = "empty"
	} else if !ok {
		st.Problem = "not a log of a known format"
	}
	if st.Problem != "" {
		r.stats = append(r.stats, st)
		return nil
	}
	read, err := r.hash(s)
	if err != nil {
		st.Problem = fmt.Sprintf("read for its hash: %v", err)
		r.stats = append(r.stats, st)
		return nil
	}
	st.SHA256, st.Format = s.sha, f.Name
	src := format.Source{
		Realm: r.opt.Realm, Agency: r.opt.Agency, Name: display(s), File: s.file, Inner: s.inner, SHA256: s.sha,
		Exhibit: r.opt.Exhibit, Zone: r.opt.Zone, Carve: r.opt.Carve, CSV: r.opt.CSV, NotAfter: s.mod,
	}
	var emitErr error
	stats, err := f.Decode(ctx, &counting{r: read, step: func(n int64) { r.progress(s.file, min(n, s.size)) }}, src, func(e *event.Event) error {
		emitErr = r.emit(e)
		return emitErr
	})
	st.Stats = stats
	if emitErr != nil {
		return emitErr
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		st.Problem = err.Error()
	}
	r.stats = append(r.stats, st)
	return nil
}

// inMemory is the size up to which a file is read once, for its hash and for
// its records; a larger one is read twice.
const inMemory = 4 << 20

// hash makes sure that the hash of s is known, and returns its bytes from the
// start.
func (r *reader) hash(s *source) (io.Reader, error) {
	if s.sha != "" {
		return s.reader(), nil
	}
	h := sha256.New()
	if s.size <= inMemory {
		r.buf = slices.Grow(r.buf[:0], int(s.size))[:s.size]
		n, err := io.ReadFull(s.reader(), r.buf)
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		h.Write(r.buf[:n])
		s.sha = hex.EncodeToString(h.Sum(nil))
		return bytes.NewReader(r.buf[:n]), nil
	}
	r.buf = slices.Grow(r.buf[:0], 256<<10)
	if _, err := io.CopyBuffer(h, s.reader(), r.buf[:cap(r.buf)]); err != nil {
		return nil, err
	}
	s.sha = hex.EncodeToString(h.Sum(nil))
	return s.reader(), nil
}

func display(s *source) string {
	if s.inner == "" {
		return s.file
	}
	return s.file + "!" + s.inner
}

// counting reports progress every 16 MiB.
type counting struct {
	r       io.Reader
	n, last int64
	step    func(int64)
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n-c.last >= 16<<20 {
		c.last = c.n
		c.step(c.n)
	}
	return n, err
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package watch follows files and folders and puts what is written there on the
// queue: text line by line as it grows, everything else (EVTX, archives) whole
// once nothing changes it any more.
//
// It promises that every complete line goes on the queue, over rotation by
// renaming, by copying and truncating, and by compressing, and over restarts;
// that an offset is saved only after the queue has acknowledged what lies
// before it; and that a line read twice after a kill has the same event id,
// which follows from the stream's saved name and the line's offset. A rotated
// copy whose bytes were read already is not read again. Files of which less than
// 256 bytes were read are too alike to be known as copies.
//
// Format is recognised by content. Lines that mean nothing without a header
// (Zeek, CSV) travel with it.
//
// It never writes to a watched folder, never follows a symbolic link inside
// one, and reads nothing but regular files.
package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

const (
	settle        = 100 * time.Millisecond // after the system told of a change: more are coming
	retryMin      = 500 * time.Millisecond // while the queue is full
	retryMax      = 5 * time.Second
	readRotated   = 10 * time.Minute // a renamed file may still be written to
	keepOpen      = 5 * time.Minute  // a handle, without growth
	saveEvery     = time.Second      // offsets: what a kill makes us read again has the same ids
	maxNotes      = 20
	maxWatched    = 4096 // folders the system is asked to watch; the rest is polled
	maxCandidates = 100_000
)

// Parts is what a watcher needs of the house.
type Parts struct {
	Publish  func(ctx context.Context, ms ...queue.Message) error
	PutBlob  func(ctx context.Context, r io.Reader) (queue.Blob, error)
	DropBlob func(b queue.Blob) error
	Now      func() time.Time // nil: time.Now
}

// Watcher watches one path of the configuration.
type Watcher struct {
	cfg   Config
	parts Parts
	state string // file of saved offsets
	log   *slog.Logger

	// Only Run and what it calls touch these.
	files []*file
	gone  []*kept
	dirty bool // state on disk is older than files and gone
	saved time.Time
	buf   []byte

	mu sync.Mutex // guards st
	st Stats
}

// Stats is what a watcher has done since it started.
type Stats struct {
	Path    string   `json:"path"`
	Source  string   `json:"source"`
	Files   int      `json:"files"`   // known now
	Records int64    `json:"records"` // lines on the queue
	Bytes   int64    `json:"bytes"`   // of them
	Whole   int64    `json:"whole"`   // files put on the queue whole
	Cut     int64    `json:"cut"`     // lines longer than a record may be, passed on in pieces
	Copies  int64    `json:"copies"`  // rotated copies that were recognised
	Behind  int64    `json:"behind"`  // bytes that are written and not on the queue
	Blocked bool     `json:"blocked"` // waiting for the queue
	Notes   []string `json:"notes"`   // what could not be read and why, the last 20
}

// file is one that is there, or was a moment ago.
type file struct {
	kept
	f        *os.File  // open while it grows
	size     int64     // at the last look
	mod      time.Time // at the last look
	changed  time.Time // when size or mod last changed, by our clock
	tail     bool      // its end was reached before: what comes now is new
	detached bool      // its path is another file's or nobody's
	seen     bool      // in the pass under way
	start    []byte    // of a new file, until it is known that no other begins alike
	failed   string    // the last error, so that it is noted once
}

// New reads the saved offsets from dir, which all watchers share.
func New(cfg Config, dir string, parts Parts, log *slog.Logger) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if parts.Now == nil {
		parts.Now = time.Now
	}
	if err := durable.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("watch %s: %w", cfg.Path, err)
	}
	sum := sha256.Sum256([]byte(cfg.Path + "\x00" + cfg.source()))
	w := &Watcher{
		cfg: cfg, parts: parts, log: log.With("watch", cfg.Path), buf: make([]byte, passBytes),
		state: filepath.Join(dir, hex.EncodeToString(sum[:8])+".json"),
	}
	w.st.Path, w.st.Source = cfg.Path, cfg.source()
	saved, err := loadState(w.state)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", cfg.Path, err)
	}
	for _, k := range saved {
		if k.Gone.IsZero() {
			w.files = append(w.files, &file{kept: *k, size: -1})
		} else {
			w.gone = append(w.gone, k)
		}
	}
	return w, nil
}

// Run watches until ctx ends. It returns an error only when offsets cannot be
// saved: going on would read everything again at the next start.
func (w *Watcher) Run(ctx context.Context) error {
	wake, stop := w.notices(ctx)
	defer stop()
	defer w.closeAll()
	wait := retryMin
	for {
		more, err := w.pass(ctx)
		if ctx.Err() != nil {
			return w.save()
		}
		pause := w.cfg.Poll
		switch {
		case fault.Is(err, fault.Busy) || fault.Is(err, fault.Unavailable):
			pause, wait = wait, min(2*wait, retryMax)
		case err != nil:
			return err
		default:
			wait = retryMin
			if more {
				continue
			}
		}
		w.setBlocked(err != nil)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
			timer.Reset(settle)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		timer.Stop()
	}
}

// pass looks at everything once. more means that some file has more to read
// than one pass takes.
func (w *Watcher) pass(ctx context.Context) (more bool, err error) {
	strange, err := w.reconcile(w.list())
	if err != nil {
		return false, err
	}
	more, busy := w.readAll(ctx, w.files)
	fresh, err := w.welcome(strange)
	if err != nil {
		return false, err
	}
	if busy == nil {
		var m bool
		m, busy = w.readAll(ctx, fresh)
		more = more || m
	}
	var behind int64
	for _, f := range w.files {
		if !f.Whole {
			behind += max(0, f.size-f.Offset)
		}
	}
	w.mu.Lock()
	w.st.Files, w.st.Behind = len(w.files), behind
	w.mu.Unlock()
	if w.parts.Now().Sub(w.saved) >= saveEvery {
		if err := w.save(); err != nil {
			return false, err
		}
	}
	return more && busy == nil, busy
}

// readAll gives each of files its turn. busy is the queue's answer when it had
// no room.
func (w *Watcher) readAll(ctx context.Context, files []*file) (more bool, busy error) {
	for _, f := range slices.Clone(files) {
		var m bool
		var err error
		if f.Whole {
			err = w.whole(ctx, f)
		} else {
			m, err = w.follow(ctx, f)
		}
		more = more || m
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err == nil:
			f.failed = ""
		case fault.Is(err, fault.Busy), fault.Is(err, fault.Unavailable):
			return false, err
		default:
			w.fail(f, err)
		}
	}
	return more, nil
}

func (w *Watcher) save() error {
	if !w.dirty {
		return nil
	}
	now := w.parts.Now()
	w.gone = slices.DeleteFunc(w.gone, func(k *kept) bool { return now.Sub(k.Gone) > forgetAfter })
	all := slices.Clone(w.gone)
	for _, f := range w.files {
		k := f.kept
		all = append(all, &k)
	}
	if err := saveState(w.state, w.cfg.Path, all); err != nil {
		return fmt.Errorf("watch %s: %w", w.cfg.Path, err)
	}
	w.dirty, w.saved = false, w.parts.Now()
	return nil
}

// Stats returns what was done so far.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.st
	s.Notes = slices.Clone(s.Notes)
	return s
}

func (w *Watcher) count(f func(*Stats)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.st)
}

func (w *Watcher) setBlocked(v bool) { w.count(func(s *Stats) { s.Blocked = v }) }

// fail notes what went wrong with a file, once.
func (w *Watcher) fail(f *file, err error) {
	if f.failed == err.Error() {
		return
	}
	f.failed = err.Error()
	w.note("%s: %v", f.Path, err)
}

func (w *Watcher) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.log.Warn("watch: " + text)
	w.count(func(s *Stats) {
		s.Notes = append(s.Notes, text)
		if len(s.Notes) > maxNotes {
			s.Notes = slices.Delete(s.Notes, 0, 1)
		}
	})
}

func (w *Watcher) closeAll() {
	for _, f := range w.files {
		f.close()
	}
}

func (f *file) close() {
	if f.f != nil {
		f.f.Close() // opened for reading: nothing to lose
		f.f = nil
	}
}

// candidate is a file as the folder shows it.
type candidate struct {
	path     string
	fi       fs.FileInfo
	dev, ino uint64
}

// list returns the regular files of the configured path, by name, and whether
// all of it could be read.
func (w *Watcher) list() (out []candidate, whole bool) {
	whole = true
	bad := func(err error) { w.noteOnce(err); whole = false }
	add := func(path string, fi fs.FileInfo) {
		if fi.Mode().IsRegular() && len(out) < maxCandidates {
			c := candidate{path: path, fi: fi}
			c.dev, c.ino = ident(fi)
			out = append(out, c)
		}
	}
	paths := []string{w.cfg.Path}
	if w.cfg.isPattern() {
		paths, _ = filepath.Glob(w.cfg.Path) // Validate has tried the pattern
	}
	for _, p := range paths {
		fi, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it may come
		}
		if err != nil {
			bad(err)
			continue
		}
		if !fi.IsDir() {
			add(p, fi)
			continue
		}
		root, err := filepath.EvalSymlinks(p) // WalkDir does not follow the path itself
		if err != nil {
			bad(err)
			continue
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			shown := p + path[len(root):]
			if err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					bad(err)
				}
				return nil
			}
			if d.IsDir() {
				if path != root && !w.cfg.Recursive {
					return fs.SkipDir
				}
				return nil
			}
			if d.Type().IsRegular() && w.cfg.wanted(d.Name()) {
				if fi, err := d.Info(); err == nil { // else it has just gone
					add(shown, fi)
				}
			}
			return nil
		})
		if err != nil {
			bad(err)
		}
	}
	return out, whole
}

// noteOnce keeps a folder that cannot be read from filling the notes.
func (w *Watcher) noteOnce(err error) {
	w.mu.Lock()
	known := slices.Contains(w.st.Notes, err.Error())
	w.mu.Unlock()
	if !known {
		w.note("%v", err)
	}
}

// notices asks the system to tell of changes. Without it, or beyond what it can
// watch, Poll finds them a little later.
func (w *Watcher) notices(ctx context.Context) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		w.log.Info("watch: the system tells of no changes; polling", "err", err)
		return wake, func() {}
	}
	for _, d := range w.folders() {
		if err := fw.Add(d); err != nil {
			w.log.Info("watch: polling", "folder", d, "err", err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ev, ok := <-fw.Events:
				if !ok {
					return
				}
				if w.cfg.Recursive && ev.Has(fsnotify.Create) {
					if fi, err := os.Lstat(ev.Name); err == nil && fi.IsDir() {
						_ = fw.Add(ev.Name) // else it is polled
					}
				}
				select {
				case wake <- struct{}{}:
				default:
				}
			case err, ok := <-fw.Errors:
				if !ok {
					return
				}
				w.log.Info("watch: the system missed changes; polling finds them", "err", err)
			}
		}
	})
	return wake, func() { fw.Close(); wg.Wait() }
}

// folders are those in which changes are to be told.
func (w *Watcher) folders() []string {
	p := w.cfg.Path
	fi, err := os.Stat(p)
	if err != nil || !fi.IsDir() {
		return []string{filepath.Dir(p)}
	}
	out := []string{p}
	if w.cfg.Recursive {
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && path != p && len(out) < maxWatched {
				out = append(out, path)
			}
			return nil
		})
	}
	return out
}

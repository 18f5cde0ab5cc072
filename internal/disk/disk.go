// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package disk watches the room that a folder has: what its file system leaves
// free, and what the folder itself may use at most.
//
// It promises one answer to everyone who asks within a second, and that an
// answer of "full" ends by itself when there is room again. It never deletes
// anything to make room. Where the operating system does not tell, there is
// always room.
package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"citywall/internal/fault"
)

// Config is what an operator may change.
type Config struct {
	Budget int64   `yaml:"budget"` // bytes the data folder may use at most; 0: as much as the disk has
	Warn   float64 `yaml:"warn"`   // part of the budget or disk that is in use when a warning is shown
}

// Defaults returns the configuration nobody made.
func Defaults() Config { return Config{Warn: 0.85} }

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Budget < 0:
		return fault.New(fault.Invalid, "disk.budget is %d: it must not be negative", c.Budget)
	case c.Budget > 0 && c.Budget < 1<<30:
		return fault.New(fault.Invalid, "disk.budget is %d: it must be 0 or at least %d (1 GiB)", c.Budget, 1<<30)
	case !(c.Warn > 0 && c.Warn < 1):
		return fault.New(fault.Invalid, "disk.warn is %v: it must lie between 0 and 1", c.Warn)
	}
	return nil
}

// Level is how bad it is.
type Level string

// Levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // more is used than Config.Warn says
	Full Level = "full" // nothing more is accepted
)

// Room is what was found.
type Room struct {
	Level Level     `json:"level"`
	Total int64     `json:"total"` // bytes of the budget, or of the file system; 0 unknown
	Free  int64     `json:"free"`  // bytes of the file system that may still be used
	Used  int64     `json:"used"`  // bytes of the folder; 0 when there is no budget and nobody counted
	Left  int64     `json:"left"`  // bytes that may still be written: the smaller of the two
	At    time.Time `json:"at"`
}

// Watch looks at one folder.
type Watch struct {
	Dir  string
	Keep int64 // bytes that must stay free; fewer is full
	Config
	Now func() time.Time // nil: time.Now

	mu     sync.Mutex
	room   Room
	err    error
	looked time.Time // monotonic
	used   time.Time // when the folder was last counted
}

// Looking at the file system is one call, counting a folder is many.
const (
	lookEvery  = time.Second
	countEvery = 15 * time.Second
)

// Check returns a busy error while there is no room.
func (w *Watch) Check() error {
	_, err := w.Look()
	return err
}

// Look returns the room, at most a second old, and a busy error when there is
// none.
func (w *Watch) Look() (Room, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.looked.IsZero() && time.Since(w.looked) < lookEvery {
		return w.room, w.err
	}
	w.looked = time.Now()
	now := w.Now
	if now == nil {
		now = time.Now
	}
	used := w.room.Used
	if w.Budget > 0 && (w.used.IsZero() || time.Since(w.used) >= countEvery) {
		n, err := Used(w.Dir)
		if err == nil {
			used, w.used = n, time.Now()
		}
	}
	total, free, known := space(w.Dir)
	w.room, w.err = w.judge(total, free, used, known), nil
	w.room.At = now().UTC()
	if w.room.Level == Full {
		w.err = w.full()
	}
	return w.room, w.err
}

func (w *Watch) judge(total, free, used int64, known bool) Room {
	r := Room{Level: OK, Total: total, Free: free, Used: used, Left: free - w.Keep}
	inUse := total - free
	if w.Budget > 0 {
		if left := w.Budget - used; !known || left < r.Left {
			r.Left = left
		}
		r.Total, inUse = w.Budget, used
	} else if !known {
		return Room{Level: OK}
	}
	switch {
	case r.Left <= 0:
		r.Level, r.Left = Full, 0
	case r.Total > 0 && float64(inUse) >= w.Warn*float64(r.Total):
		r.Level = Warn
	}
	return r
}

func (w *Watch) full() error {
	if w.Budget > 0 && w.room.Used >= w.Budget {
		return fault.New(fault.Busy, "the data folder uses %d bytes of the %d that disk.budget allows it; let days go or raise the budget, then send again", w.room.Used, w.Budget)
	}
	return fault.New(fault.Busy, "the disk has %d bytes free and %d are kept back; make room, then send again", w.room.Free, w.Keep)
}

// Used returns the bytes of the files in dir. Files that go meanwhile count for
// nothing.
func Used(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += i.Size()
		}
		return err
	})
	return n, err
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package keep decides how long events are kept: it has days sealed when their
// late events have had their time, lets days go that are older than the
// retention, and lists what holds forbid to delete.
//
// It promises that a day which any hold covers, which holds events of a case's
// exhibits, or which was added to within the retention is never deleted; that
// a deletion is written into the audit log before it happens; that when holds
// cannot be read nothing is deleted; that a clock that was set back deletes
// nothing early and one that jumped ahead deletes nothing for a day; and that
// deletions come one at a time, with minutes between them, so that a retention
// set by mistake can be taken back.
//
// There is one function that deletes, letGo. It deletes whole days only. It
// never deletes to make room: a full disk is said, not solved (internal/disk).
package keep

import (
	"context"
	"time"

	"citywall/eventstore"
	"citywall/internal/disk"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

// Config is what an operator may change.
type Config struct {
	SealAfter time.Duration `yaml:"seal_after"` // after the end of a UTC day: so long late events are waited for
	Days      int           `yaml:"days"`       // events are kept so many days; 0: for ever
}

// Defaults returns the configuration nobody made: nothing is deleted until
// somebody says so.
func Defaults() Config { return Config{SealAfter: 6 * time.Hour} }

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	switch {
	case c.SealAfter < time.Minute || c.SealAfter > 14*24*time.Hour:
		return fault.New(fault.Invalid, "keep.seal_after is %v: it must lie between 1m and 336h", c.SealAfter)
	case c.Days < 0 || c.Days > 36500:
		return fault.New(fault.Invalid, "keep.days is %d: it must be 0 (for ever) or a number of days", c.Days)
	}
	return nil
}

// Hold forbids the deletion of days.
type Hold struct {
	ID      string    `json:"id"`
	Case    string    `json:"case"`        // number of the case, as the police or the court calls it
	From    time.Time `json:"from"`        // first UTC day, midnight
	To      time.Time `json:"to,omitzero"` // last UTC day, included; zero: without end
	Reason  string    `json:"reason"`
	By      string    `json:"by"`
	Created time.Time `json:"created"`

	Released      time.Time `json:"released,omitzero"` // zero: in force
	ReleasedBy    string    `json:"released_by,omitempty"`
	ReleaseReason string    `json:"release_reason,omitempty"`
}

// Limits of a hold's texts, bytes.
const (
	maxCase   = 200
	maxReason = 2000
)

// Validate reports what is missing.
func (h Hold) Validate() error {
	switch {
	case h.Case == "" || len(h.Case) > maxCase:
		return fault.New(fault.Invalid, "a hold names its case, in at most %d bytes", maxCase)
	case h.Reason == "" || len(h.Reason) > maxReason:
		return fault.New(fault.Invalid, "a hold needs a reason, in at most %d bytes", maxReason)
	case !eventstore.Timed(h.From) || !h.From.Equal(h.From.UTC().Truncate(24*time.Hour)):
		return fault.New(fault.Invalid, "a hold begins on a day: give it as 2026-10-20")
	case !h.To.IsZero() && (!eventstore.Timed(h.To) || !h.To.Equal(h.To.UTC().Truncate(24*time.Hour))):
		return fault.New(fault.Invalid, "a hold ends on a day, or not at all")
	case !h.To.IsZero() && h.To.Before(h.From):
		return fault.New(fault.Invalid, "the hold ends on %s, before it begins on %s", h.To.Format(time.DateOnly), h.From.Format(time.DateOnly))
	}
	return nil
}

// Covers reports whether the hold is in force for any day of d.
func (h Hold) Covers(d eventstore.Day) bool {
	return h.Released.IsZero() && !d.Last.Before(h.From) && (h.To.IsZero() || !d.First.After(h.To))
}

// Notice is a mishap that is kept until somebody has seen it.
type Notice struct {
	ID string `json:"id"`
	mishap.Mishap
	Seen   time.Time `json:"seen,omitzero"`
	SeenBy string    `json:"seen_by,omitempty"`
}

// Backup is one that was made, or tried.
type Backup struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Dir    string    `json:"dir"`
	Bytes  int64     `json:"bytes"`  // of all files in it
	Copied int64     `json:"copied"` // of them, those that an earlier backup did not have
	Files  int       `json:"files"`
	By     string    `json:"by"`
	Error  string    `json:"error,omitempty"` // why it failed
}

// Records is *keepdb.Store.
type Records interface {
	Holds(ctx context.Context) ([]Hold, error)
	AddHold(ctx context.Context, h Hold) (Hold, error)
	ReleaseHold(ctx context.Context, id, by, reason string) (Hold, error)
	Notices(ctx context.Context) ([]Notice, error)
	AddNotice(ctx context.Context, m mishap.Mishap) error
	SeeNotice(ctx context.Context, id, by string) error
	Backups(ctx context.Context) ([]Backup, error)
	AddBackup(ctx context.Context, b Backup) error
}

// Day is a day of the store and what becomes of it.
type Day struct {
	eventstore.Day
	Held []string  `json:"held"`           // cases of the holds that keep it
	Goes time.Time `json:"goes,omitzero"`  // when it may be deleted at the earliest; zero: never
	Seal time.Time `json:"seals,omitzero"` // when it is sealed at the earliest; zero: it is
}

// State is all of it, for people.
type State struct {
	Room    disk.Room     `json:"room"`
	Keep    int           `json:"keep_days"`  // Config.Days
	After   time.Duration `json:"seal_after"` // Config.SealAfter
	Days    []Day         `json:"days"`       // oldest first
	Holds   []Hold        `json:"holds"`      // newest first
	Notices []Notice      `json:"notices"`    // newest first
	Backups []Backup      `json:"backups"`    // newest first
	Trouble string        `json:"trouble,omitempty"`
	Paused  bool          `json:"paused"` // no day is deleted: the clock jumped
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"context"
	"time"

	"citywall/internal/mishap"
)

// Day is what a store holds of one UTC day, or of a file of scattered days.
type Day struct {
	ID          string    `json:"id"`        // what LetGo takes: "2026-10-20", or the name of a file of scattered days
	First       time.Time `json:"first"`     // first and last UTC day in it, midnight; they differ for scattered days only
	Last        time.Time `json:"last"`      //
	Hot         int64     `json:"hot"`       // events that still lie in hot tables
	Sealed      int64     `json:"sealed"`    // events in files that never change again
	Files       int       `json:"files"`     // of them
	Bytes       int64     `json:"bytes"`     // of the sealed files
	HotBytes    int64     `json:"hot_bytes"` // of the hot tables, about
	Cased       int64     `json:"cased"`     // events that belong to a case's exhibits: the day stays
	LastSealed  time.Time `json:"last_sealed,omitzero"`
	Unavailable int64     `json:"unavailable"` // sealed events whose file is missing or damaged
}

// Sealed is what one sealing did.
type Sealed struct {
	ID     string
	Events int64
	Files  []string // relative to the store
	Bytes  int64
}

// Backuper is a store whose events lie in the data folder and are backed up
// with it.
type Backuper interface {
	// Backup adds one consistent state of the store to a, while it goes on
	// being used. Its counterpart is the opening of a folder that holds these
	// files.
	Backup(ctx context.Context, a Archive) error
}

// Archive takes the files of a backup.
type Archive interface {
	// Fixed adds a file that never changes again; its hash was taken when it
	// was made. name has slashes and lies below the store's folder.
	Fixed(ctx context.Context, name, path, sha256 string, size int64) error
	// Add adds a file as it is now.
	Add(ctx context.Context, name, path string) error
}

// Keeper is a store whose days can be sealed and let go. Package keep decides
// which and when; nobody else calls Seal or LetGo.
type Keeper interface {
	Store
	// Days lists what is kept, oldest first.
	Days(ctx context.Context) ([]Day, error)
	// Seal makes every day that ended by due, and whose hot tables are older
	// than that, unchangeable. Events that arrive for such a day later are
	// sealed by a later call. An engine that needs no sealing does nothing.
	Seal(ctx context.Context, due time.Time) ([]Sealed, error)
	// Check compares the next sealed file with what was sealed, and sets it
	// apart, with a mishap, when it differs. It returns whether others wait
	// to be compared in this round; the call after the last begins a new round.
	// An engine whose reads verify checksums does nothing.
	Check(ctx context.Context) (more bool, err error)
	// LetGo deletes all events of one sealed day, or of one file of scattered
	// days. It refuses with a conflict what still has hot events, and what
	// holds events of a case's exhibits. It does not know of holds: that is
	// its caller's part.
	LetGo(ctx context.Context, id string) error
	// Mishaps lists what was found amiss since the store was opened.
	Mishaps() []mishap.Mishap
}

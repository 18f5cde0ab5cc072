// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package mishap is how a part that keeps things says what it found amiss:
// where, what was lost or is in doubt, and what a person can do.
//
// It promises that every kind has a sentence in both languages. It never
// decides what to do about a mishap; whoever met it has already done what is
// safe, and nothing was deleted.
package mishap

import (
	"sort"
	"strconv"
	"time"

	"citywall/internal/text"
)

// Kind names what happened.
type Kind string

// Kinds. Where is the file or folder; the args that the sentences need stand
// behind each.
const (
	CommitsLost  Kind = "commits_lost"  // n, batches, from, to: committed, and not in the store that was opened
	WALDamaged   Kind = "wal_damaged"   // aside: the log of the hot file was damaged and read up to there
	HotLost      Kind = "hot_lost"      // n, of, from, to, aside: the hot file is gone or damaged
	FileStray    Kind = "file_stray"    // aside: a file of sealed events that no list names
	FileMissing  Kind = "file_missing"  // n, day: a sealed file is gone
	FileDamaged  Kind = "file_damaged"  // n, day: a sealed file is not what was sealed
	FileUnread   Kind = "file_unread"   // why, aside: a file met while the list was rebuilt is no sealed file
	Rebuilt      Kind = "rebuilt"       // n, files: the list of sealed files was made again from the folders
	QueueLost    Kind = "queue_lost"    // packs, n, from, to: accepted from senders, and gone from the queue
	QueueDamaged Kind = "queue_damaged" // aside: the queue's files cannot be opened
	ClockBack    Kind = "clock_back"    // by: the clock was set back
	ClockAhead   Kind = "clock_ahead"   // by: the clock jumped ahead
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		CommitsLost, WALDamaged, HotLost, FileStray, FileMissing, FileDamaged, FileUnread, Rebuilt,
		QueueLost, QueueDamaged, ClockBack, ClockAhead,
	}
}

// Mishap is one of them.
type Mishap struct {
	Kind  Kind              `json:"kind"`
	Where string            `json:"where"`
	At    time.Time         `json:"at"` // when it was found
	Args  map[string]string `json:"args,omitempty"`
}

// New returns a mishap; pairs are names and values of its args.
func New(k Kind, where string, at time.Time, pairs ...string) Mishap {
	m := Mishap{Kind: k, Where: where, At: at.UTC(), Args: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Args[pairs[i]] = pairs[i+1]
	}
	return m
}

// Text says what happened, where, and what to do.
func (m Mishap) Text(l text.Lang) string {
	pairs := []string{"where", m.Where}
	names := make([]string, 0, len(m.Args))
	for n := range m.Args {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		pairs = append(pairs, n, m.Args[n])
	}
	return text.T(l, "mishap."+string(m.Kind), pairs...)
}

// Loss reports whether something that was acknowledged is gone.
func (m Mishap) Loss() bool {
	switch m.Kind {
	case CommitsLost, HotLost, FileMissing, FileDamaged, QueueLost:
		return true
	}
	return false
}

// Num writes a count.
func Num(n int64) string { return strconv.FormatInt(n, 10) }

// Time writes a moment as sentences show it: UTC, to the second, "?" when it
// is not known.
func Time(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

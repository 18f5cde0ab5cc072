// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package audit keeps one append-only log per realm of every act of a person
// or of Citywall: an entry before the act, its outcome after it.
//
// It promises that an act whose entry could not be made durable does not
// happen, that the entries form an RFC 6962 tree whose heads are signed, that
// every change of a byte, and every entry taken out that a signed head counts,
// is found by Verify, and that an act whose outcome nobody saw is marked so
// when the log is opened again. It never deletes or rewrites an entry, and it
// does not decide who may act: that is identity.
package audit

import (
	"context"
	"crypto/ed25519"
	"time"

	"citywall/asset"
	"citywall/internal/fault"
)

// Act is what somebody is about to do.
type Act struct {
	Actor  string            // login name, "citywall" for the program itself
	Action string            // as identity.Action, or an own dotted word
	Object string            // what it is done to: "incident/018f…", "user/chen"
	Reason string            // in the actor's words, "" when none was asked for
	Detail map[string]string // parameters worth keeping; never a secret
}

// Phase tells an intent from its outcome.
type Phase string

// Phases of an entry.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
)

// Results of an outcome.
const (
	Done    = "done"
	Failed  = "failed"
	Panic   = "panic"   // the act panicked
	Unknown = "unknown" // the process ended before the outcome was written
)

// Entry is one line of the log. On disk it is canonical JSON (RFC 8785).
type Entry struct {
	Seq    uint64            `json:"seq"` // from 0, without gaps
	Time   time.Time         `json:"time"`
	Realm  asset.Realm       `json:"realm"`
	Actor  string            `json:"actor"`
	Action string            `json:"action"`
	Object string            `json:"object,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	Phase  Phase             `json:"phase"`
	Ref    *uint64           `json:"ref,omitempty"`    // outcome: Seq of its intent
	Result string            `json:"result,omitempty"` // outcome: done, failed, panic, unknown
	Error  string            `json:"error,omitempty"`  // outcome: why it failed
}

// Head is a signed tree head.
type Head struct {
	Size uint64    // entries covered
	Root [32]byte  // RFC 6962 root over them
	Time time.Time // of signing
	Note string    // the signed note (C2SP checkpoint): what is printed and mailed
}

// Query selects entries. Zero fields select all.
type Query struct {
	Actor    string
	Action   string // exact, or a prefix that ends with "." or "*"
	Object   string // exact, or a prefix that ends with "/" or "*"
	Text     string // anywhere in the entry, case ignored
	Phase    Phase
	From, To time.Time // To exclusive
	Limit    int       // 1..1000; 0 means 100
	Before   string    // cursor of the page before
}

// Page is a page of entries, newest first.
type Page struct {
	Entries []Entry
	Next    string // cursor, "" at the end
}

// Proof shows that an entry is in the log. It stands alone: with the realm's
// public key anybody can check it.
type Proof struct {
	Seq   uint64     `json:"seq"`
	Line  string     `json:"line"`  // the entry's bytes, without the newline
	Path  [][32]byte `json:"path"`  // RFC 6962 audit path, leaf to root
	Head  string     `json:"head"`  // signed note
	Realm string     `json:"realm"` // of the log
}

// Report says what Verify found.
type Report struct {
	Entries    uint64    // entries read and right
	Heads      int       // signed heads checked
	Head       Head      // the newest
	Unfinished []uint64  // intents whose outcome is unknown or missing
	First      time.Time // of the first and last entry
	Last       time.Time
	Broken     []string // where it breaks, a sentence each; empty: whole
	Warnings   []string // e.g. entries that no head covers yet, fragments moved aside
}

// OK reports whether the log is whole.
func (r Report) OK() bool { return len(r.Broken) == 0 }

// Log is the open log of one realm. It is safe for concurrent use; one process
// may have it open.
type Log struct{}

var errPending = fault.New(fault.Unavailable, "the audit log is not built yet")

// Open opens or begins the log in dir (…/audit/city). Intents that the last
// process left without an outcome get the outcome "unknown", and the opening
// itself is an entry.
func Open(dir string, realm asset.Realm, key ed25519.PrivateKey) (*Log, error) {
	return nil, errPending
}

// Do writes the intent durably, then calls f, then writes its outcome, also
// when f panics. When the intent cannot be written f is not called.
func (l *Log) Do(ctx context.Context, a Act, f func(context.Context) error) error {
	return errPending
}

// DoDetail is Do for acts whose outcome has details worth keeping: what was
// created, how many rows left the house.
func (l *Log) DoDetail(ctx context.Context, a Act, f func(context.Context) (map[string]string, error)) error {
	return errPending
}

// List returns entries newest first.
func (l *Log) List(ctx context.Context, q Query) (Page, error) { return Page{}, errPending }

// Get returns one entry.
func (l *Log) Get(ctx context.Context, seq uint64) (Entry, error) { return Entry{}, errPending }

// Head returns the newest signed head.
func (l *Log) Head() Head { return Head{} }

// Prove returns the proof that entry seq is in the log, under the newest head.
func (l *Log) Prove(ctx context.Context, seq uint64) (Proof, error) { return Proof{}, errPending }

// Verify reads the whole log. known are notes of earlier heads kept elsewhere
// (printed, mailed): the log must still contain them.
func (l *Log) Verify(ctx context.Context, known ...string) (Report, error) {
	return Report{}, errPending
}

// Close releases the files.
func (l *Log) Close() error { return nil }

// Verify is Log.Verify for a log that nobody has open, or that another process
// has: it only reads.
func Verify(ctx context.Context, dir string, realm asset.Realm, key ed25519.PublicKey, known ...string) (Report, error) {
	return Report{}, errPending
}

// CheckProof returns the entry that p proves, or why it proves nothing.
func CheckProof(p Proof, realm asset.Realm, key ed25519.PublicKey) (Entry, Head, error) {
	return Entry{}, Head{}, errPending
}

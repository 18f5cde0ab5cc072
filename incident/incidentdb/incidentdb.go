// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package incidentdb keeps the incidents of one realm: what the engine
// computed, and beside it what people decided.
//
// It promises that saving the same computation twice changes nothing, that
// state, owner, notes, merges and splits survive every later computation, also
// when the engine gives an incident another id, that two people who change one
// incident at once are told so, and that every change is in the history. It
// never computes: that is correlate.
package incidentdb

import (
	"context"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/identity"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Record is an incident as people meet it.
type Record struct {
	ID         string            `json:"id"` // stays, whatever the engine calls it later
	Incident   incident.Incident `json:"incident"`
	State      incident.State    `json:"state"`
	StateSince time.Time         `json:"state_since"`
	Owner      string            `json:"owner,omitempty"` // login name
	Version    int64             `json:"version"`         // of people's changes: the change lock
	Revision   int64             `json:"revision"`        // of computations that changed something
	Parts      []string          `json:"parts,omitempty"` // records merged into this one
	SplitFrom  string            `json:"split_from,omitempty"`
	MergedInto string            `json:"merged_into,omitempty"`
	Notes      []Note            `json:"notes"`
	Cases      []CaseLink        `json:"cases,omitempty"`
	Created    time.Time         `json:"created"`
	Computed   time.Time         `json:"computed"` // last computation that changed it
}

// Row is an incident in a list: what fits on one line.
type Row struct {
	ID              string                    `json:"id"`
	Title           incident.Reason           `json:"title"`
	Severity        detect.Level              `json:"severity"`
	State           incident.State            `json:"state"`
	Owner           string                    `json:"owner,omitempty"`
	First           time.Time                 `json:"first"`
	Last            time.Time                 `json:"last"`
	FirstCompromise *incident.FirstCompromise `json:"first_compromise,omitempty"`
	Agencies        []string                  `json:"agencies"`
	Hosts           int                       `json:"hosts"` // compromised
	Hops            int                       `json:"hops"`
	Steps           int                       `json:"steps"`
	Findings        int                       `json:"findings"`
	Encrypting      bool                      `json:"encrypting"` // a step of encryption, inhibition or note
	Version         int64                     `json:"version"`
	Revision        int64                     `json:"revision"`
	Created         time.Time                 `json:"created"`
	Computed        time.Time                 `json:"computed"`
}

// Note is a remark of a person.
type Note struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

// CaseLink says that the incident was handed over.
type CaseLink struct {
	Package string    `json:"package"` // id of the hand-over package
	SHA256  string    `json:"sha256"`  // of the package file
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
}

// Change is one entry of an incident's history. What is a text key below
// "incidentdb.change.", Args fill its places.
type Change struct {
	Time  time.Time         `json:"time"`
	Actor string            `json:"actor"` // login name, or "citywall"
	What  string            `json:"what"`
	Args  map[string]string `json:"args,omitempty"`
}

// Sort is the order of a list. Ties are broken by id.
type Sort string

// Orders.
const (
	Newest   Sort = "newest" // by last activity; the default
	Oldest   Sort = "oldest"
	Severest Sort = "severest" // then newest
)

// ListQuery selects incidents. Zero fields select all that are not merged into
// another.
type ListQuery struct {
	States      []incident.State
	MinSeverity detect.Level
	Text        string // hosts, addresses, accounts, rules, notes; case ignored
	Agency      string
	Owner       string
	From, To    time.Time // that were active in between; To exclusive
	Sort        Sort
	Limit       int    // 1..500; 0 means 50
	After       string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Rows []Row
	Next string // cursor, "" at the end
}

// Counts are how many incidents are in each state, merged ones left out.
type Counts map[incident.State]int

// Selection is what a split takes out of an incident.
type Selection struct {
	Findings []string // finding ids
	Hosts    []string // hosts, with the hops that lead to them and their steps
}

// Store is the incidents of one realm. It is safe for concurrent use.
type Store struct{}

var errPending = fault.New(fault.Unavailable, "incident records are not built yet")

// Open migrates and opens the tables of incidents in d.
func Open(ctx context.Context, d *db.DB, realm asset.Realm) (*Store, error) { return nil, errPending }

// Saved is what a Save did.
type Saved struct {
	New     []string // record ids
	Changed []string
}

// Save stores a computation: all incidents the engine holds now. Records it no
// longer mentions stay as they are.
func (s *Store) Save(ctx context.Context, is []incident.Incident) (Saved, error) {
	return Saved{}, errPending
}

// List returns one page.
func (s *Store) List(ctx context.Context, sc identity.Scope, q ListQuery) (Page, error) {
	return Page{}, errPending
}

// Count counts per state.
func (s *Store) Count(ctx context.Context, sc identity.Scope) (Counts, error) {
	return nil, errPending
}

// Get returns one incident or a not-found error. The id may be one that the
// engine gave it once. With a scope of some agencies, what concerns others
// only is taken out.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id string) (Record, error) {
	return Record{}, errPending
}

// History returns the changes of an incident, oldest first.
func (s *Store) History(ctx context.Context, sc identity.Scope, id string) ([]Change, error) {
	return nil, errPending
}

// SetState moves an incident; see Moves. reason is required for closing.
// version is the one the actor saw.
func (s *Store) SetState(ctx context.Context, actor, id string, version int64, to incident.State, reason string) (Record, error) {
	return Record{}, errPending
}

// SetOwner gives an incident to a user; "" to nobody.
func (s *Store) SetOwner(ctx context.Context, actor, id string, version int64, owner string) (Record, error) {
	return Record{}, errPending
}

// AddNote adds a remark. It needs no version: remarks do not collide.
func (s *Store) AddNote(ctx context.Context, actor, id, text string) (Note, error) {
	return Note{}, errPending
}

// Merge makes id a part of into. Later computations of either are shown in
// into.
func (s *Store) Merge(ctx context.Context, actor, id string, version int64, into string, reason string) (Record, error) {
	return Record{}, errPending
}

// Unmerge takes a merged incident out again.
func (s *Store) Unmerge(ctx context.Context, actor, id string, version int64, reason string) (Record, error) {
	return Record{}, errPending
}

// Split moves a selection into an incident of its own, for this and all later
// computations, and returns the new record.
func (s *Store) Split(ctx context.Context, actor, id string, version int64, sel Selection, reason string) (Record, error) {
	return Record{}, errPending
}

// LinkCase records that the incident was handed over.
func (s *Store) LinkCase(ctx context.Context, id string, l CaseLink) error { return errPending }

// Moves returns the states a person may move an incident to from s.
func Moves(s incident.State) []incident.State { return nil }

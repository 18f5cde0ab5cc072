// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package detectdb keeps the findings of one realm and finds them again.
//
// It promises that a finding is stored once however often it is saved, that a
// saved batch survives loss of power, and that every read is bounded by a
// scope. Findings of exhibits lie with their case and are refused here. It
// never changes a finding.
package detectdb

import (
	"context"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Sort is the order of a list. Ties are broken by finding id.
type Sort string

// Orders.
const (
	Newest   Sort = "newest" // the default
	Oldest   Sort = "oldest"
	Severest Sort = "severest" // then newest
)

// Query selects findings. Zero fields select all.
type Query struct {
	From, To time.Time // of Finding.Time; To exclusive
	Rules    []string  // rule ids
	MinLevel detect.Level
	Levels   []detect.Level // exactly these, when given
	Steps    []detect.Step
	Host     string // asset.HostName form
	Agency   string
	Text     string // in title, host, account, address, command, message …; case ignored
	Sort     Sort
	Limit    int    // 1..1000; 0 means 100
	After    string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Findings []detect.Finding
	Next     string // cursor, "" at the end
}

// RuleCount is how often a rule fired.
type RuleCount struct {
	Rule  detect.Rule `json:"rule"`
	Count int64       `json:"count"`
	Hosts int64       `json:"hosts"` // distinct
	First time.Time   `json:"first"`
	Last  time.Time   `json:"last"`
}

// HostCount is how many findings are about a host.
type HostCount struct {
	Host   string       `json:"host"`
	Agency string       `json:"agency,omitempty"`
	Count  int64        `json:"count"`
	Rules  int64        `json:"rules"` // distinct
	Max    detect.Level `json:"max"`
	First  time.Time    `json:"first"`
	Last   time.Time    `json:"last"`
}

// Bucket is one bar of a histogram.
type Bucket struct {
	Start  time.Time `json:"start"`
	Counts [5]int64  `json:"counts"` // by detect.Level
}

// Store is the findings of one realm. It is safe for concurrent use.
type Store struct{}

var errPending = fault.New(fault.Unavailable, "finding records are not built yet")

// Open migrates and opens the tables of findings in d.
func Open(ctx context.Context, d *db.DB, realm asset.Realm) (*Store, error) { return nil, errPending }

// Save stores findings, all or none, and returns how many were new.
func (s *Store) Save(ctx context.Context, fs []detect.Finding) (added int, err error) {
	return 0, errPending
}

// List returns one page.
func (s *Store) List(ctx context.Context, sc identity.Scope, q Query) (Page, error) {
	return Page{}, errPending
}

// Count returns how many findings q selects, pages ignored.
func (s *Store) Count(ctx context.Context, sc identity.Scope, q Query) (int64, error) {
	return 0, errPending
}

// Get returns one finding or a not-found error.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id string) (detect.Finding, error) {
	return detect.Finding{}, errPending
}

// GetAll returns the findings with these ids that the scope shows, by time;
// unknown ids are left out. At most 10,000 ids.
func (s *Store) GetAll(ctx context.Context, sc identity.Scope, ids []string) ([]detect.Finding, error) {
	return nil, errPending
}

// CountByRule counts per rule, most frequent first.
func (s *Store) CountByRule(ctx context.Context, sc identity.Scope, from, to time.Time) ([]RuleCount, error) {
	return nil, errPending
}

// CountByHost counts per host, severest and most frequent first, at most n.
func (s *Store) CountByHost(ctx context.Context, sc identity.Scope, from, to time.Time, n int) ([]HostCount, error) {
	return nil, errPending
}

// Histogram counts per bucket of width and level, empty buckets included. At
// most 2,000 buckets.
func (s *Store) Histogram(ctx context.Context, sc identity.Scope, q Query, width time.Duration) ([]Bucket, error) {
	return nil, errPending
}

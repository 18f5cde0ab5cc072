// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package casework holds the nouns of the police realm: a case (案件), its
// number, its life, its exhibits (證物) and what it was opened from.
//
// It promises plain values and rules that compute: which status follows which,
// what a number looks like. It never stores (casedb), never touches files
// (exhibit) and knows nothing of the city's live estate: a case has its own
// snapshot and its own copies of records.
package casework

import (
	"time"

	"citywall/incident"
	"citywall/internal/text"
)

// Status is where a case stands.
type Status string

// Statuses.
const (
	Open          Status = "open"          // accepted, nobody works on it yet
	Investigating Status = "investigating" // under investigation
	Suspended     Status = "suspended"     // waits for an answer from outside
	Closed        Status = "closed"
)

// Statuses lists them in the order of a case's life.
func Statuses() []Status { return []Status{Open, Investigating, Suspended, Closed} }

// Text returns the status for people.
func (s Status) Text(l text.Lang) string { return text.T(l, "casework.status."+string(s)) }

// SourceKind is what a case was opened from.
type SourceKind string

// Kinds of source.
const (
	FromHandover      SourceKind = "handover"      // an incident handed over by the city realm
	FromInvestigation SourceKind = "investigation" // citywall investigate --case
	FromReport        SourceKind = "report"        // opened by hand, from a victim's report
)

// Text returns the kind of source for people.
func (k SourceKind) Text(l text.Lang) string { return text.T(l, "casework.source."+string(k)) }

// Source says where a case came from.
type Source struct {
	Kind     SourceKind `json:"kind"`
	Package  string     `json:"package,omitempty"`  // handover: id of the package
	SHA256   string     `json:"sha256,omitempty"`   // handover: of the package's manifest
	Signer   string     `json:"signer,omitempty"`   // handover: whose key signed it
	Sender   string     `json:"sender,omitempty"`   // handover: who handed over
	Incident string     `json:"incident,omitempty"` // id of the incident in its realm
	Report   string     `json:"report,omitempty"`   // report: number of the receipt
}

// Case is one case.
type Case struct {
	ID             string    `json:"id"`     // UUIDv7
	Number         string    `json:"number"` // see Scheme; gap-free in its year
	Title          string    `json:"title"`
	Status         Status    `json:"status"`
	StatusSince    time.Time `json:"status_since"`
	Owner          string    `json:"owner,omitempty"` // login name
	Opened         time.Time `json:"opened"`
	OpenedBy       string    `json:"opened_by"`
	KnowledgeAt    time.Time `json:"knowledge_at,omitzero"` // when the police learned of the suspicion: clocks start here
	ClosedAt       time.Time `json:"closed_at,omitzero"`
	Source         Source    `json:"source"`
	IncidentSHA256 string    `json:"incident_sha256,omitempty"` // of the snapshot's bytes; "" without snapshot
	Version        int64     `json:"version"`                   // of the change lock
}

// File is a case with everything that belongs to it.
type File struct {
	Case
	Incident *incident.Incident `json:"incident,omitempty"` // the snapshot, as it was when the case was opened
	Exhibits []Exhibit          `json:"exhibits"`
	Notes    []Note             `json:"notes"`
	History  []Change           `json:"history"`
}

// ExhibitKind is what an exhibit is.
type ExhibitKind string

// Kinds of exhibit.
const (
	ExhibitPackage  ExhibitKind = "package"  // a hand-over package as received
	ExhibitEvents   ExhibitKind = "events"   // records, one JSON object a line
	ExhibitFindings ExhibitKind = "findings" // findings, one JSON object a line
	ExhibitReport   ExhibitKind = "report"   // a report that came along
	ExhibitFile     ExhibitKind = "file"     // any other file
)

// Text returns the kind of exhibit for people.
func (k ExhibitKind) Text(l text.Lang) string { return text.T(l, "casework.exhibit."+string(k)) }

// Exhibit is a file that belongs to a case. It is never changed.
type Exhibit struct {
	ID      string      `json:"id"` // UUIDv7
	N       int         `json:"n"`  // number in the case, from 1
	Kind    ExhibitKind `json:"kind"`
	Name    string      `json:"name"` // for people
	File    string      `json:"file"` // name in the case's folder
	Size    int64       `json:"size"`
	SHA256  string      `json:"sha256"`
	Records int64       `json:"records,omitempty"` // events, findings: lines
	First   time.Time   `json:"first,omitzero"`    // events: of their times
	Last    time.Time   `json:"last,omitzero"`
	Added   time.Time   `json:"added"`
	AddedBy string      `json:"added_by"`
	Origin  string      `json:"origin,omitempty"` // where it came from, in words
}

// Note is a remark of an investigator.
type Note struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

// Change is one entry of a case's history. What is a text key below
// "casework.change.", Args fill its places.
type Change struct {
	Time  time.Time         `json:"time"`
	Actor string            `json:"actor"`
	What  string            `json:"what"`
	Args  map[string]string `json:"args,omitempty"`
}

// Text words the change.
func (c Change) Text(l text.Lang) string {
	pairs := []string{"actor", c.Actor}
	for k, v := range c.Args {
		if k == "from" || k == "to" {
			v = Status(v).Text(l)
		}
		pairs = append(pairs, k, v)
	}
	return text.T(l, "casework.change."+c.What, pairs...)
}

// Moves returns the statuses a case may be moved to from s.
func Moves(s Status) []Status {
	switch s {
	case Open:
		return []Status{Investigating, Suspended, Closed}
	case Investigating:
		return []Status{Suspended, Closed}
	case Suspended:
		return []Status{Investigating, Closed}
	case Closed:
		return []Status{Investigating} // opened again
	}
	return nil
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"io"
	"time"

	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/casework/handover"
	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/ingest/format"
)

// What a desk asks of each capability. The providers have never heard of these.

// Users is *identitydb.Store.
type Users interface {
	Login(ctx context.Context, name, password, addr, agent string) (string, identitydb.Session, error)
	UseLink(ctx context.Context, link, addr, agent string) (string, identitydb.Session, error)
	Session(ctx context.Context, secret string) (identitydb.Session, error)
	Sessions(ctx context.Context, name string) ([]identitydb.Session, error)
	EndSession(ctx context.Context, secret string) error
	EndSessions(ctx context.Context, name string) (int, error)
	CheckToken(ctx context.Context, secret string) (identitydb.Token, identitydb.User, error)
	User(ctx context.Context, name string) (identitydb.User, error)
	Users(ctx context.Context) ([]identitydb.User, error)
	CreateUser(ctx context.Context, u identitydb.User, password string) (identitydb.User, error)
	UpdateUser(ctx context.Context, u identitydb.User) (identitydb.User, error)
	SetPassword(ctx context.Context, name, password string) error
	NewLink(ctx context.Context, name string) (string, time.Time, error)
	Tokens(ctx context.Context) ([]identitydb.Token, error)
	CreateToken(ctx context.Context, t identitydb.Token) (string, identitydb.Token, error)
	RevokeToken(ctx context.Context, id string) error
}

// Findings is *detectdb.Store.
type Findings interface {
	List(ctx context.Context, sc identity.Scope, q detectdb.Query) (detectdb.Page, error)
	Count(ctx context.Context, sc identity.Scope, q detectdb.Query) (int64, error)
	Get(ctx context.Context, sc identity.Scope, id string) (detect.Finding, error)
	GetAll(ctx context.Context, sc identity.Scope, ids []string) ([]detect.Finding, error)
	CountByRule(ctx context.Context, sc identity.Scope, from, to time.Time) ([]detectdb.RuleCount, error)
	Histogram(ctx context.Context, sc identity.Scope, q detectdb.Query, width time.Duration) ([]detectdb.Bucket, error)
}

// Incidents is *incidentdb.Store.
type Incidents interface {
	List(ctx context.Context, sc identity.Scope, q incidentdb.ListQuery) (incidentdb.Page, error)
	Count(ctx context.Context, sc identity.Scope) (incidentdb.Counts, error)
	Get(ctx context.Context, sc identity.Scope, id string) (incidentdb.Record, error)
	History(ctx context.Context, sc identity.Scope, id string) ([]incidentdb.Change, error)
	SetState(ctx context.Context, actor, id string, version int64, to incident.State, reason string) (incidentdb.Record, error)
	SetOwner(ctx context.Context, actor, id string, version int64, owner string) (incidentdb.Record, error)
	AddNote(ctx context.Context, actor, id, text string) (incidentdb.Note, error)
	Merge(ctx context.Context, actor, id string, version int64, into string, reason string) (incidentdb.Record, error)
	Unmerge(ctx context.Context, actor, id string, version int64, reason string) (incidentdb.Record, error)
	Split(ctx context.Context, actor, id string, version int64, sel incidentdb.Selection, reason string) (incidentdb.Record, error)
	LinkCase(ctx context.Context, id string, l incidentdb.CaseLink) error
}

// Cases is *docket.Docket.
type Cases interface {
	List(ctx context.Context, q casedb.Query) (casedb.Page, error)
	Get(ctx context.Context, id string) (casework.File, error)
	Change(ctx context.Context, actor, id string, version int64, e casedb.Edit) (casework.Case, error)
	SetStatus(ctx context.Context, actor, id string, version int64, to casework.Status, reason string) (casework.Case, error)
	AddNote(ctx context.Context, actor, id, text string) (casework.Note, error)
	Open(ctx context.Context, n docket.New) (casework.File, error)
	AddFile(ctx context.Context, actor, caseID string, f docket.File) (casework.Exhibit, error)
}

// Vault is *exhibit.Vault.
type Vault interface {
	File(ctx context.Context, caseID string, e casework.Exhibit) (io.ReadCloser, error)
	Event(ctx context.Context, sc identity.Scope, id event.ID) (*event.Event, error)
	Search(ctx context.Context, sc identity.Scope, q eventstore.Query) (eventstore.Page, error)
	Findings(ctx context.Context, sc identity.Scope) ([]detect.Finding, error)
	Verify(ctx context.Context, caseID string, es []casework.Exhibit) ([]exhibit.Problem, error)
}

// Handover is how the city gives an incident away.
type Handover struct {
	// Export writes a package, signed by the city and sealed to the police.
	Export func(ctx context.Context, w io.Writer, env handover.Envelope, c handover.Content) (handover.Manifest, error)
	// Inbox is the folder in which packages wait for the police realm of the
	// same installation; "" when the police are elsewhere, and the package is
	// carried there.
	Inbox string
	// MaxEvents bounds the original records in a package; 200,000 when zero.
	MaxEvents int
}

// Packages is how the police receive one.
type Packages struct {
	Open   func(ctx context.Context, file string) (*handover.Package, error)
	Import func(ctx context.Context, p *handover.Package, actor, owner, title string) (casework.File, error)
	Inbox  string // folder in which received packages wait; Handover.Inbox when the city is here too
	// MaxSize bounds an uploaded package in bytes; 1 GiB when zero.
	MaxSize int64
}

// Problem is one thing wrong with the files of a case.
type Problem struct {
	File string `json:"file"`
	What string `json:"what"`
}

// SourceState says whether a source delivers.
type SourceState string

// States of a source.
const (
	SourceOK     SourceState = "ok"
	SourceLate   SourceState = "late"   // records arrive, but old ones
	SourceSilent SourceState = "silent" // nothing for longer than usual
	SourceNever  SourceState = "never"  // registered, nothing yet
)

// Source is one sender, folder or file and what arrives from it.
type Source struct {
	Name      string           `json:"name"`
	Agency    string           `json:"agency,omitempty"`
	Transport string           `json:"transport"`          // "syslog-tcp", "http", "folder", …
	Formats   map[string]int64 `json:"formats"`            // decoder → records
	Products  map[string]int64 `json:"products,omitempty"` // "product service" as the records say → records; "": none was recognised
	State     SourceState      `json:"state"`
	Known     bool             `json:"registered"` // on the register of senders, or in the configuration
	Records   int64            `json:"records"`    // decoded since start
	Skipped   int64            `json:"skipped"`
	Damaged   int64            `json:"damaged"`
	Lost      int64            `json:"lost"`            // refused or dropped before the queue, counted
	Rate      float64          `json:"rate"`            // records a second, over the last minute
	Rates     []float64        `json:"rates,omitempty"` // per minute, oldest first, for a small line
	LastSeen  time.Time        `json:"last_seen,omitzero"`
	LastEvent time.Time        `json:"last_event,omitzero"` // newest event time
	Lag       time.Duration    `json:"lag"`                 // median of received minus event time
	Clock     *incident.Clock  `json:"clock,omitempty"`
	Gaps      []format.Gap     `json:"gaps,omitempty"`
	Notes     []string         `json:"notes,omitempty"` // what was damaged, where
}

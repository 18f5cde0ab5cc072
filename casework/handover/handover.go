// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package handover carries an incident from the city realm to the police realm
// as one file: signed by the sender, sealed to the receiver.
//
// It promises that every change of a byte is found before anything of the
// content is used, that only the receiver's key opens a sealed package, that
// sizes are bounded, and that no member's name becomes a path. It never
// decides whether somebody may hand over.
package handover

import (
	"context"
	"crypto/ed25519"
	"io"
	"iter"
	"time"

	"filippo.io/age"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/docket"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/fault"
)

// Content is what is handed over.
type Content struct {
	Incident incident.Incident
	Record   string // id of the incident's record, when it differs from Incident.ID
	Findings iter.Seq2[detect.Finding, error]
	Events   iter.Seq2[*event.Event, error] // the original records, with Raw and Origin
	Reports  map[string][]byte              // file name → report, e.g. "report.html"
}

// Envelope is who hands over to whom and why.
type Envelope struct {
	From   asset.Realm
	To     asset.Realm
	Sender string // shown name and login of the person
	Reason string
	Time   time.Time // zero: now
}

// Manifest names every member of a package. Its canonical JSON is signed.
type Manifest struct {
	Format   string      `json:"format"` // "citywall-handover/1"
	ID       string      `json:"id"`     // UUIDv7 of the package
	Time     time.Time   `json:"time"`
	From     asset.Realm `json:"from"`
	To       asset.Realm `json:"to"`
	Sender   string      `json:"sender"`
	Reason   string      `json:"reason,omitempty"`
	Incident string      `json:"incident"` // id in the sender's realm
	Findings int64       `json:"findings"`
	Events   int64       `json:"events"`
	Members  []Member    `json:"members"` // in the order of the file
}

// Member is one file in the package.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Package is an opened, verified package.
type Package struct {
	Manifest Manifest
	SHA256   string // of the manifest's bytes
	Signer   string // name of the trusted key that signed
	Sealed   bool
	Incident incident.Incident
}

// Trusted is a key whose signature is accepted.
type Trusted struct {
	Name string
	Key  ed25519.PublicKey
}

var errPending = fault.New(fault.Unavailable, "hand-over is not built yet")

// Export writes a package to w, signed with key and sealed to the recipients.
// Without recipients it is signed only.
func Export(ctx context.Context, w io.Writer, env Envelope, c Content, key ed25519.PrivateKey, to ...age.Recipient) (Manifest, error) {
	return Manifest{}, errPending
}

// Open reads and verifies the package in file: seal, signature, every member.
// The package holds temporary files until Close.
func Open(ctx context.Context, file string, trusted []Trusted, ids ...age.Identity) (*Package, error) {
	return nil, errPending
}

// Findings yields the findings of the package.
func (p *Package) Findings() iter.Seq2[detect.Finding, error] { return nil }

// Events yields the original records of the package.
func (p *Package) Events() iter.Seq2[*event.Event, error] { return nil }

// Close removes the temporary files.
func (p *Package) Close() error { return nil }

// Import opens a case from the package. A package that was imported before is
// a conflict that names its case.
func Import(ctx context.Context, d *docket.Docket, p *Package, actor, owner, title string) (casework.File, error) {
	return casework.File{}, errPending
}

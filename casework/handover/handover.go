// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package handover carries an incident from the city realm to the police realm
// as one file: signed by the sender, sealed to the receiver.
//
// It promises that every change of a byte is found before anything of the
// content is used, that only the receiver's key opens a sealed package, that
// sizes are bounded, and that no member's name becomes a path. It never
// decides whether somebody may hand over.
//
// Inside the seal (an age file, https://age-encryption.org/v1) is a tar of
// plain files that any tar reads:
//
//	manifest.json   canonical JSON (package canon): who, what, and every
//	                member below with size and SHA-256
//	manifest.sig    base64 of 4 bytes SHA-256 of the signing key, 64 bytes
//	                Ed25519 over "citywall-handover/1", newline, manifest.json
//	incident.json   the incident
//	findings.jsonl  its findings, one a line
//	events.jsonl    the original records, with raw bytes and origin, one a line
//	report…         reports, as the sender's console wrote them
//
// Of tar there is exactly one way to write these (see container), and every
// other is refused: nothing in the file is without meaning, so nothing can be
// changed unseen.
package handover

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/canon"
	"citywall/internal/fault"
)

// Format is the format of packages that this program writes and reads.
const Format = "citywall-handover/1"

// Names of members.
const (
	manifestName = "manifest.json"
	sigName      = "manifest.sig"
	incidentName = "incident.json"
	findingsName = "findings.jsonl"
	eventsName   = "events.jsonl"
)

// Limits of a package. One that a sender makes beyond them is refused when it
// is made, one that arrives when it is opened.
const (
	maxManifest = 1 << 20
	maxMembers  = 64
	maxReport   = 64 << 20 // also of incident.json
	maxRecords  = 4 << 30  // findings.jsonl and events.jsonl, bytes each
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

// Trusted is a key whose signature is accepted.
type Trusted struct {
	Name string
	Key  ed25519.PublicKey
}

// Fingerprint is what two people compare over the telephone: the first 16
// bytes of SHA-256 of the key, in groups of four hex digits.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	h := hex.EncodeToString(sum[:16])
	var out []string
	for i := 0; i < len(h); i += 4 {
		out = append(out, h[i:i+4])
	}
	return strings.Join(out, " ")
}

func signed(manifest []byte) []byte { return append([]byte(Format+"\n"), manifest...) }

func keyHash(key ed25519.PublicKey) []byte {
	sum := sha256.Sum256(key)
	return sum[:4]
}

func sign(manifest []byte, key ed25519.PrivateKey) []byte {
	pub := key.Public().(ed25519.PublicKey)
	raw := append(keyHash(pub), ed25519.Sign(key, signed(manifest))...)
	return append([]byte(base64.StdEncoding.EncodeToString(raw)), '\n')
}

// verify returns the name of the trusted key that signed the manifest.
func verify(manifest, sig []byte, trusted []Trusted) (string, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(string(sig), "\n"))
	if err != nil || len(raw) != 4+ed25519.SignatureSize || base64.StdEncoding.EncodeToString(raw)+"\n" != string(sig) {
		return "", changed("its signature is not one")
	}
	known := false
	for _, t := range trusted {
		if len(t.Key) != ed25519.PublicKeySize || string(keyHash(t.Key)) != string(raw[:4]) {
			continue
		}
		known = true
		if ed25519.Verify(t.Key, signed(manifest), raw[4:]) {
			return t.Name, nil
		}
	}
	if known {
		return "", changed("the signature does not fit the manifest")
	}
	return "", fault.New(fault.Forbidden,
		"the package is signed with a key that is not trusted here (it begins with %x): compare the sender's fingerprint by telephone, then put its public.json into the folder keys/<realm>/trusted", raw[:4])
}

// changed is the error for a package that is not as it was signed.
func changed(format string, args ...any) error {
	return fault.New(fault.Invalid, "the package was changed or is damaged: %s", fmt.Sprintf(format, args...))
}

// parseManifest reads a manifest whose signature was checked. What is signed
// is trusted to be meant, not to be sane.
func parseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fault.New(fault.Invalid, "the package's manifest: %w", err)
	}
	if m.Format != Format {
		return m, fault.New(fault.Invalid, "the package has the format %q, this program reads %q: ask for one made by an older or newer Citywall", m.Format, Format)
	}
	again, err := canon.Marshal(m)
	if err != nil || string(again) != string(b) {
		return m, fault.New(fault.Invalid, "the package's manifest holds what this program does not know")
	}
	if err := m.check(); err != nil {
		return m, fault.New(fault.Invalid, "the package's manifest: %w", err)
	}
	return m, nil
}

func (m Manifest) check() error {
	switch {
	case m.ID == "" || m.Incident == "" || m.Sender == "" || m.Time.IsZero():
		return fmt.Errorf("it lacks id, incident, sender or time")
	case !m.From.Valid() || !m.To.Valid() || m.From == m.To:
		return fmt.Errorf("it goes from realm %q to realm %q", m.From, m.To)
	case len(m.Members) < 3 || len(m.Members) > maxMembers:
		return fmt.Errorf("%d members", len(m.Members))
	case m.Members[0].Name != incidentName || m.Members[1].Name != findingsName || m.Members[2].Name != eventsName:
		return fmt.Errorf("its members are in another order")
	}
	seen := map[string]bool{manifestName: true, sigName: true}
	for _, x := range m.Members {
		most := int64(maxReport)
		if x.Name == findingsName || x.Name == eventsName {
			most = maxRecords
		}
		switch {
		case !safeName(x.Name) || seen[x.Name]:
			return fmt.Errorf("a member is called %q", x.Name)
		case x.Size < 0 || x.Size > most:
			return fmt.Errorf("member %s has %d bytes, more than %d", x.Name, x.Size, most)
		}
		seen[x.Name] = true
	}
	return nil
}

// safeName reports whether s may be a member's name: letters, digits, dots,
// dashes and underscores, not beginning with a dot.
func safeName(s string) bool {
	return s != "" && len(s) <= 100 && s[0] != '.' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

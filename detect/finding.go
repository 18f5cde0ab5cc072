// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package detect holds the second of the three record types: a Finding says
// that a rule, or a detector, holds some events to matter.
//
// It promises that the same rule over the same events gives the same finding
// id, that a finding names its rule with author and content hash, and that it
// leads back to bytes through its events. It never groups: that is incident.
package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"time"

	"citywall/asset"
	"citywall/event"
)

// Level is a Sigma level.
type Level uint8

// Levels, ordered.
const (
	Informational Level = iota
	Low
	Medium
	High
	Critical
)

var levelNames = [...]string{"informational", "low", "medium", "high", "critical"}

// String returns the Sigma word.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "informational"
}

// ParseLevel reads a Sigma level word.
func ParseLevel(s string) (Level, bool) {
	for i, n := range levelNames {
		if n == s {
			return Level(i), true
		}
	}
	return Informational, false
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(b []byte) error { *l, _ = ParseLevel(string(b)); return nil }

// Rule names the rule that fired.
type Rule struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Author string `json:"author,omitempty"` // DRL 1.1 asks that it is shown with every finding
	Hash   string `json:"hash"`             // SHA-256 of the rule's document, hex
	File   string `json:"file,omitempty"`
	Level  Level  `json:"level"`
	Status string `json:"status,omitempty"`
}

// Step is the meaning of a finding in the course of an attack.
type Step string

// Steps, in the order a course of attack normally has them.
const (
	StepRecon      Step = "recon"        // scan, directory brute force: an attempt, not a success
	StepEntry      Step = "entry"        // exploit, phishing, foreign logon through the boundary
	StepWebShell   Step = "web_shell"    // commands through a web server
	StepExecution  Step = "execution"    // foreign code runs
	StepPersist    Step = "persistence"  // service, task, run key, account
	StepPrivilege  Step = "privilege"    // root, SYSTEM, administrator gained
	StepCredential Step = "credential"   // password cracking, dumping, spraying
	StepDiscovery  Step = "discovery"    // looks around from inside
	StepLateral    Step = "lateral"      // moves to another host
	StepControl    Step = "control"      // command and control
	StepExfil      Step = "exfiltration" // data leaves
	StepEvasion    Step = "evasion"      // security tools off, logs cleared
	StepInhibit    Step = "inhibit"      // shadow copies, backups destroyed
	StepEncrypt    Step = "encryption"   // files are being encrypted
	StepNote       Step = "note"         // a ransom note is written
	StepOther      Step = "other"
)

// Meaning is what correlation needs to know of a rule. Citywall's own rules
// state it in their `citywall:` block; for others it is derived from level and
// ATT&CK tags.
type Meaning struct {
	Step       Step     `json:"step"`
	Technique  string   `json:"technique,omitempty"`  // T1505.003
	Techniques []string `json:"techniques,omitempty"` // all of them
	Subject    string   `json:"subject,omitempty"`    // whom it is about: "host" (default), "src", "dst", "user"
	Observer   bool     `json:"observer,omitempty"`   // the reporting host is not the subject and is not compromised
	Compromise bool     `json:"compromise,omitempty"` // firing means the subject is under foreign control
	Anchor     bool     `json:"anchor,omitempty"`     // an end point that backward search starts from
}

// Matched is one field that made the rule fire.
type Matched struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Pattern string `json:"pattern,omitempty"`
}

// Finding says that events matter.
type Finding struct {
	ID      string         `json:"id"` // 32 hex digits, see NewID
	Realm   asset.Realm    `json:"realm"`
	Agency  string         `json:"agency,omitempty"`
	Rule    Rule           `json:"rule"`
	Meaning Meaning        `json:"meaning"`
	Tags    []string       `json:"tags,omitempty"`
	Time    time.Time      `json:"time"` // of the last event
	Host    string         `json:"host,omitempty"`
	Events  []event.ID     `json:"events"`
	Origins []event.Origin `json:"origins"` // same order as Events
	View    event.View     `json:"view"`    // of the last event
	Matched []Matched      `json:"matched,omitempty"`
	Reasons []string       `json:"reasons,omitempty"` // detectors: their formula with numbers

	// Behaviour is set by detectors that look at many events: what they say is
	// recorded and shown, and correlation does not use it.
	Behaviour bool `json:"behaviour,omitempty"`
}

// NewID is the hash of rule hash and event ids, order of events ignored.
func NewID(ruleHash string, events ...event.ID) string {
	ids := append([]event.ID(nil), events...)
	sort.Slice(ids, func(i, j int) bool { return string(ids[i][:]) < string(ids[j][:]) })
	h := sha256.New()
	h.Write([]byte(ruleHash))
	for _, id := range ids {
		h.Write(id[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// State is what detectors remember between events, as of a place in the stream:
// a process that starts again takes it up and sees what came after once more.
type State struct {
	Seq      uint64    // highest position in the stream that is in it
	Received time.Time // latest receipt of an event in it
	Doc      []byte    // JSON
}

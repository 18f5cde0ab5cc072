// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package exercise is a whole synthetic city with seeded attacks and known
// truth: for the demo, drills, benchmarks and tests. Everything it makes is
// simulated and says so.
//
// It promises that the same seed and options give the same bytes, that what it
// emits has the formats real sources write, and that its truth is exact. It
// never touches a network: sending is the caller's work.
package exercise

import (
	"net/netip"
	"time"
)

// Truth is what really happened. score compares it with incidents. Its times
// are true times, whatever the clocks of the sources say; what stands in the
// records is in Seen.
type Truth struct {
	Scenario    string       `json:"scenario"`
	Seed        uint64       `json:"seed"`
	Knobs       TruthKnobs   `json:"knobs"`
	Begin       time.Time    `json:"begin"` // of the logs
	End         time.Time    `json:"end"`
	Entry       TruthEntry   `json:"entry"`
	Hops        []TruthHop   `json:"hops"`           // moves that are on record
	Lost        []TruthHop   `json:"lost,omitempty"` // moves of which no record is left; by the true time of the deed
	Steps       []TruthStep  `json:"steps"`
	Hosts       []TruthHost  `json:"hosts"`    // compromised, in order
	Accounts    []string     `json:"accounts"` // used by the attacker, domain\name
	Suspicious  []netip.Addr `json:"suspicious"`
	Isolate     []string     `json:"isolate"`  // hosts that should be cut off
	Innocent    []string     `json:"innocent"` // hosts that look busy and must not be accused
	Anchors     []time.Time  `json:"anchors"`  // encryption begins, per encrypted host; each is a step too
	Breakpoints []TruthBreak `json:"breakpoints"`
	Clocks      []TruthClock `json:"clocks,omitempty"` // sources whose clock is wrong by a second and more
}

// TruthKnobs repeats what was asked for.
type TruthKnobs struct {
	Devices int           `json:"devices"`
	Days    int           `json:"days"`
	Dwell   time.Duration `json:"dwell"`
	Rate    float64       `json:"rate"`
	Stealth []Stealth     `json:"stealth,omitempty"`
	Loss    []Loss        `json:"loss,omitempty"`
	Clock   time.Duration `json:"clock,omitempty"`
	Sample  int           `json:"sample,omitempty"`
	CGNAT   bool          `json:"cgnat,omitempty"`
}

// TruthEntry is the way in.
type TruthEntry struct {
	Host     string      `json:"host"`
	Addr     netip.Addr  `json:"addr"`
	Time     time.Time   `json:"time"` // the instant of first compromise
	Kind     string      `json:"kind"` // as incident.Entry.Kind
	Vector   string      `json:"vector"`
	External netip.Addr  `json:"external,omitzero"`
	Seen     []TruthSeen `json:"seen,omitempty"`
}

// TruthSeen says who has something on record, and with which time: the clock
// of the source.
type TruthSeen struct {
	Source   string    `json:"source"`
	Computer string    `json:"computer,omitempty"` // whose record it is, when the source is a collector
	Stamp    time.Time `json:"stamp"`
}

// TruthHop is one move between machines.
type TruthHop struct {
	Time      time.Time   `json:"time"`
	Src       string      `json:"src"` // host name, or address when external
	SrcAddr   netip.Addr  `json:"src_addr"`
	SrcPort   uint16      `json:"src_port,omitempty"` // of its first connection
	Dst       string      `json:"dst"`
	DstAddr   netip.Addr  `json:"dst_addr"`
	DstPort   uint16      `json:"dst_port"`
	User      string      `json:"user"`
	Kind      string      `json:"kind"` // as incident.Hop.Kind
	Technique string      `json:"technique"`
	Seen      []TruthSeen `json:"seen,omitempty"`
}

// TruthStep is a step on one host.
type TruthStep struct {
	Time      time.Time   `json:"time"`
	Host      string      `json:"host"`
	Step      string      `json:"step"` // as detect.Step
	Technique string      `json:"technique"`
	Seen      []TruthSeen `json:"seen,omitempty"`
}

// TruthHost is a compromised host.
type TruthHost struct {
	Host  string     `json:"host"`
	Addr  netip.Addr `json:"addr"`
	First time.Time  `json:"first"`
}

// TruthBreak is a place where the trail must be said to leave sight.
type TruthBreak struct {
	Codes []string   `json:"codes"` // any of them is right; what only lists can tell stands beside BP-UNK
	Host  string     `json:"host"`  // machine, or address outside
	Addr  netip.Addr `json:"addr,omitzero"`
	Port  uint16     `json:"port,omitempty"` // source port, without which a shared address names nobody
	Time  time.Time  `json:"time,omitzero"`
	Why   string     `json:"why"` // a few words for the developer, not for a reader
}

// TruthClock is a clock that is wrong.
type TruthClock struct {
	Source   string        `json:"source"`
	Computer string        `json:"computer,omitempty"`
	Error    time.Duration `json:"error"` // clock minus true time
}

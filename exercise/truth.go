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

// Truth is what really happened. score compares it with incidents.
type Truth struct {
	Scenario   string       `json:"scenario"`
	Seed       uint64       `json:"seed"`
	Begin      time.Time    `json:"begin"` // of the logs
	End        time.Time    `json:"end"`
	Entry      TruthEntry   `json:"entry"`
	Hops       []TruthHop   `json:"hops"`
	Steps      []TruthStep  `json:"steps"`
	Hosts      []TruthHost  `json:"hosts"`    // compromised, in order
	Accounts   []string     `json:"accounts"` // used by the attacker, domain\name
	Suspicious []netip.Addr `json:"suspicious"`
	Isolate    []string     `json:"isolate"`  // hosts that should be cut off
	Innocent   []string     `json:"innocent"` // hosts that look busy and must not be accused
	Anchors    []time.Time  `json:"anchors"`  // encryption begins, per encrypted host
}

// TruthEntry is the way in.
type TruthEntry struct {
	Host     string     `json:"host"`
	Addr     netip.Addr `json:"addr"`
	Time     time.Time  `json:"time"` // the instant of first compromise
	Kind     string     `json:"kind"` // as incident.Entry.Kind
	Vector   string     `json:"vector"`
	External netip.Addr `json:"external"`
}

// TruthHop is one move between machines.
type TruthHop struct {
	Time      time.Time  `json:"time"`
	Src       string     `json:"src"` // host name, or address when external
	SrcAddr   netip.Addr `json:"src_addr"`
	Dst       string     `json:"dst"`
	DstAddr   netip.Addr `json:"dst_addr"`
	DstPort   uint16     `json:"dst_port"`
	User      string     `json:"user"`
	Kind      string     `json:"kind"` // as incident.Hop.Kind
	Technique string     `json:"technique"`
}

// TruthStep is a step on one host.
type TruthStep struct {
	Time      time.Time `json:"time"`
	Host      string    `json:"host"`
	Step      string    `json:"step"` // as detect.Step
	Technique string    `json:"technique"`
}

// TruthHost is a compromised host.
type TruthHost struct {
	Host  string     `json:"host"`
	Addr  netip.Addr `json:"addr"`
	First time.Time  `json:"first"`
}

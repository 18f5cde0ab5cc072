// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package report writes what an investigation found: as JSON, plain text, CSV,
// one HTML file, and Attack Flow 2.0.
//
// All forms are made from one Doc, so that they cannot disagree. It promises
// that equal input gives equal bytes, that nothing from a log becomes markup or
// a spreadsheet formula, and that each statement carries its pointers. It never
// computes: inference is over when a report begins.
package report

import (
	"net/netip"
	"time"

	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/text"
)

// Doc is the investigation document; its JSON form is a contract.
type Doc struct {
	Sources   []Source   `json:"sources"`
	Incidents []Incident `json:"incidents"`
	Findings  Findings   `json:"findings"`
	Baseline  Baseline   `json:"baseline"`
}

// Source is one input.
type Source struct {
	File    string   `json:"file"`
	Inner   *string  `json:"path_in_archive"`
	SHA256  *string  `json:"sha256"`
	Format  *string  `json:"format"`
	Records int64    `json:"records"`
	Damaged int64    `json:"damaged"`
	Skipped int64    `json:"skipped"`
	First   *Stamp   `json:"first"`
	Last    *Stamp   `json:"last"`
	Notes   []string `json:"notes"`
	Clock   *Clock   `json:"clock"`
}

// Clock is a source's estimated clock error.
type Clock struct {
	OffsetSeconds      float64 `json:"offset_s"`
	UncertaintySeconds float64 `json:"uncertainty_s"`
	Pairs              int     `json:"pairs"`
}

// Findings counts what the rules said.
type Findings struct {
	Total  int64       `json:"total"`
	ByRule []RuleCount `json:"by_rule"`
}

// RuleCount is how often one rule fired. The author is named with every rule.
type RuleCount struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Author string `json:"author"`
	Level  string `json:"level"`
	Count  int64  `json:"count"`
	First  *Stamp `json:"first"`
	Last   *Stamp `json:"last"`
}

// Baseline says what "usual" rests on.
type Baseline struct {
	Days float64 `json:"days"`
	Note string  `json:"note"`
}

// Incident is one incident.
type Incident struct {
	ID              string            `json:"id"`
	Severity        string            `json:"severity"`
	SeverityReasons []string          `json:"severity_reasons"`
	Title           string            `json:"title"`
	First           *Stamp            `json:"first"`
	Last            *Stamp            `json:"last"`
	FirstCompromise *FirstCompromise  `json:"first_compromise"`
	Entry           Entry             `json:"entry"`
	Hosts           []Host            `json:"hosts"`
	Accounts        []Account         `json:"accounts"`
	Hops            []Hop             `json:"hops"`
	Steps           []Step            `json:"steps"`
	Suspicious      []Suspect         `json:"suspicious"`
	Breakpoints     []Breakpoint      `json:"breakpoints"`
	Isolate         []Isolate         `json:"isolate"`
	SeparateFrom    []Separate        `json:"separate_from"`
	Parameters      map[string]string `json:"parameters,omitempty"`
}

// FirstCompromise is the interval.
type FirstCompromise struct {
	Host      *string    `json:"host"`
	Address   *string    `json:"address"`
	Earliest  *Stamp     `json:"earliest"` // null when LowerOpen
	Latest    *Stamp     `json:"latest"`
	LowerOpen bool       `json:"lower_open"`
	Statement string     `json:"statement"`
	Evidence  []Evidence `json:"evidence"`
}

// Entry is the way in.
type Entry struct {
	Kind       string  `json:"kind"`
	Vector     *string `json:"vector"`
	Technique  *string `json:"technique"`
	Determined bool    `json:"determined"`
	Statement  string  `json:"statement"`
}

// Host is one host.
type Host struct {
	Host        string   `json:"host"`
	Addresses   []string `json:"addresses"`
	Compromised bool     `json:"compromised"`
	First       *Stamp   `json:"first"`
	Last        *Stamp   `json:"last"`
	Reasons     []string `json:"reasons"`
}

// Account is one account.
type Account struct {
	Account     string   `json:"account"`
	First       *Stamp   `json:"first"`
	Hosts       []string `json:"hosts"`
	Privileged  bool     `json:"privileged"`
	Compromised bool     `json:"compromised"`
	Reasons     []string `json:"reasons"`
}

// Hop is one move between machines. Src and Dst are addresses where the log
// has them, else names.
type Hop struct {
	N         int        `json:"n"`
	Time      Stamp      `json:"time"`
	Last      *Stamp     `json:"last"`
	Count     int        `json:"count"`
	Src       *string    `json:"src"`
	Dst       *string    `json:"dst"`
	SrcHost   *string    `json:"src_host"`
	DstHost   *string    `json:"dst_host"`
	DstPort   *uint16    `json:"dst_port"`
	Proto     *string    `json:"proto"`
	User      *string    `json:"user"`
	Causal    *string    `json:"causal_user"`
	Kind      string     `json:"kind"`
	Technique *string    `json:"technique"`
	Grade     string     `json:"grade"`
	BytesOut  int64      `json:"bytes_out"`
	BytesIn   int64      `json:"bytes_in"`
	Sentence  string     `json:"sentence"`
	Reasons   []string   `json:"reasons"`
	Evidence  []Evidence `json:"evidence"`
}

// Step is a step of compromise that is not a move.
type Step struct {
	Time      Stamp      `json:"time"`
	Last      *Stamp     `json:"last"`
	Host      string     `json:"host"`
	Step      string     `json:"step"`
	What      string     `json:"what"`
	Technique *string    `json:"technique"`
	Rows      int        `json:"rows"`
	Sentence  string     `json:"sentence"`
	Evidence  []Evidence `json:"evidence"`
}

// Suspect is a suspicious address.
type Suspect struct {
	Address  string     `json:"address"`
	First    *Stamp     `json:"first"`
	Last     *Stamp     `json:"last"`
	Hosts    []string   `json:"hosts"`
	Ports    []uint16   `json:"ports"`
	Count    int        `json:"connections"`
	BytesOut int64      `json:"bytes_out"`
	BytesIn  int64      `json:"bytes_in"`
	Before   *Traffic   `json:"before"`
	Reasons  []string   `json:"reasons"`
	Evidence []Evidence `json:"evidence"`
}

// Traffic is the baseline column of a suspicious address.
type Traffic struct {
	Days        float64 `json:"days"`
	Connections int     `json:"connections"`
	BytesOut    int64   `json:"bytes_out"`
	BytesIn     int64   `json:"bytes_in"`
}

// Breakpoint is where the trail leaves sight.
type Breakpoint struct {
	Code      string     `json:"code"`
	Hop       *int       `json:"hop"`
	From      *Stamp     `json:"from"`
	To        *Stamp     `json:"to"`
	Src       *string    `json:"src"`
	SrcPort   *uint16    `json:"src_port"`
	Dst       *string    `json:"dst"`
	DstPort   *uint16    `json:"dst_port"`
	Strength  string     `json:"strength"`
	Statement string     `json:"statement"`
	Evidence  []Evidence `json:"evidence"`
}

// Isolate is the advice to cut off one host.
type Isolate struct {
	Host     string   `json:"host"`
	How      string   `json:"how"`      // now, two_people
	Segments []string `json:"segments"` // it is drawn in
	Contacts []string `json:"contacts"` // whom to call at any hour
	Sentence string   `json:"sentence"`
}

// Separate says why another incident is not this one.
type Separate struct {
	Incident string `json:"incident"`
	Reason   string `json:"reason"`
}

// Evidence is a pointer to bytes.
type Evidence struct {
	File   string  `json:"file"`
	Inner  *string `json:"path_in_archive"`
	SHA256 *string `json:"sha256"`
	Offset int64   `json:"offset"`
	Line   *int64  `json:"line"`
	Record *uint64 `json:"record"`
	Event  string  `json:"event"`
}

// Stamp is a UTC time in RFC 3339 with at least milliseconds.
type Stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s Stamp) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the text of the JSON form.
func (s Stamp) String() string {
	t := time.Time(s).UTC()
	switch ns := t.Nanosecond(); {
	case ns%1_000_000 == 0:
		return t.Format("2006-01-02T15:04:05.000Z")
	case ns%1000 == 0:
		return t.Format("2006-01-02T15:04:05.000000Z")
	}
	return t.Format("2006-01-02T15:04:05.000000000Z")
}

func stamp(t time.Time) *Stamp {
	if t.IsZero() {
		return nil
	}
	s := Stamp(t)
	return &s
}

// opt returns nil for the zero value: unknown is null.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// list returns an empty list rather than null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func ends(e incident.Endpoint) (value, host *string) {
	if e.Addr.IsValid() {
		return opt(e.Addr.String()), opt(e.Host)
	}
	return opt(e.Host), opt(e.Host)
}

func addresses(as []netip.Addr) []string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = a.String()
	}
	return out
}

func evidence(ps []incident.Pointer) []Evidence {
	out := make([]Evidence, len(ps))
	for i, p := range ps {
		o := p.Origin
		file := o.File
		if file == "" {
			file = o.Stream
		}
		out[i] = Evidence{File: file, Inner: opt(o.Inner), SHA256: opt(o.SHA256), Offset: o.Offset, Line: opt(o.Line), Record: opt(o.Record), Event: p.Event.String()}
	}
	return out
}

func reasons(l text.Lang, rs []incident.Reason) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = narrate.Reason(l, r)
	}
	return out
}

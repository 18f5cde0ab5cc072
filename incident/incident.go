// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package incident holds the third of the three record types: findings and
// connections that belong together, the path they took, and what is not known.
//
// Everything here is data that a report, the console and the API show; the
// inference lies in correlate, patientzero and attackpath below. A sentence is
// never stored: package narrate builds it from these records, in both
// languages, so that its numbers can come from nowhere else.
package incident

import (
	"net/netip"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
)

// Grade says how well a hop is founded (attackpath.md §4.5).
type Grade string

// Grades.
const (
	Observed Grade = "observed" // a record of this very connection or logon
	Inferred Grade = "inferred" // two facts imply it
	Assumed  Grade = "assumed"  // needed to close the chain; an investigator must sign it
)

// Pointer leads from a statement to a record.
type Pointer struct {
	Event  event.ID     `json:"event"`
	Origin event.Origin `json:"origin"`
}

// Endpoint is one end of a hop: an address where the log has one, a name where
// it has one.
type Endpoint struct {
	Addr netip.Addr `json:"addr,omitzero"`
	Host string     `json:"host,omitempty"`
}

// Key returns the host name, else the address: what two ends are compared by.
func (e Endpoint) Key() string {
	if e.Host != "" {
		return e.Host
	}
	if e.Addr.IsValid() {
		return e.Addr.String()
	}
	return ""
}

// Hop is one move of the intruder between machines.
type Hop struct {
	N           int           `json:"n"`                     // 1-based, in order of time
	Time        time.Time     `json:"time"`                  // clock of the source corrected
	Original    time.Time     `json:"original,omitzero"`     // as the record has it, when that is another
	Last        time.Time     `json:"last"`                  // last connection folded into this hop
	Count       int           `json:"count"`                 // connections folded into it
	Uncertainty time.Duration `json:"uncertainty,omitempty"` // half width of Time
	Src         Endpoint      `json:"src"`
	Dst         Endpoint      `json:"dst"`
	DstPort     uint16        `json:"dst_port,omitempty"`
	Proto       string        `json:"proto,omitempty"`
	User        asset.Account `json:"user,omitzero"`
	Causal      asset.Account `json:"causal,omitzero"` // who was really at the keyboard, when another
	Kind        string        `json:"kind"`            // c2, rdp, winrm, smb, ssh, wmi, service, task, web, exfiltration, vpn, gpo, ...
	Technique   string        `json:"technique,omitempty"`
	Tactic      string        `json:"tactic,omitempty"`
	Grade       Grade         `json:"grade"`
	BytesOut    int64         `json:"bytes_out"`
	BytesIn     int64         `json:"bytes_in"`
	Score       float64       `json:"score"`    // cost terms summed, for ranking
	Reasons     []Reason      `json:"reasons"`  // terms of the score
	Evidence    []Pointer     `json:"evidence"` // at least one when observed
	Sensors     []string      `json:"sensors,omitempty"`
}

// Reason is a coded fact with its numbers; narrate words it.
type Reason struct {
	Code string            `json:"code"` // e.g. "first_time_pair", "odd_port", "regular_beacon"
	Args map[string]string `json:"args,omitempty"`
	Plus float64           `json:"plus,omitempty"` // contribution to the score
}

// StepEvent is a step of compromise that is not a move between machines.
type StepEvent struct {
	Time      time.Time   `json:"time"`
	Last      time.Time   `json:"last"`
	Host      string      `json:"host"`
	Step      detect.Step `json:"step"`
	What      string      `json:"what"` // title of the rule or detector
	Technique string      `json:"technique,omitempty"`
	Rows      int         `json:"rows"` // records folded into it
	Findings  []string    `json:"findings"`
	Evidence  []Pointer   `json:"evidence"`

	Grade    Grade    `json:"grade,omitempty"`    // observed unless something else is said
	Observer string   `json:"observer,omitempty"` // who saw it, when that is another machine
	Reasons  []Reason `json:"reasons,omitempty"`
}

// FirstCompromise is an interval, with a reason for each end.
type FirstCompromise struct {
	Host      string     `json:"host"`
	Addr      netip.Addr `json:"addr,omitzero"`
	Earliest  time.Time  `json:"earliest,omitzero"` // latest known-good; zero when LowerOpen
	Latest    time.Time  `json:"latest"`            // first observed-bad
	LowerOpen bool       `json:"lower_open"`        // the path meets the start of the logs
	LogsBegin time.Time  `json:"logs_begin"`
	KnownGood Reason     `json:"known_good"` // why Earliest holds, or why it is open
	FirstBad  Reason     `json:"first_bad"`
	Evidence  []Pointer  `json:"evidence"`
}

// Entry is how they came in, when it can be told.
type Entry struct {
	Kind       string   `json:"kind"`   // c2, vpn, rdp, web, mail, usb, supplier, unknown
	Vector     string   `json:"vector"` // address, URL, account: the concrete thing
	Technique  string   `json:"technique,omitempty"`
	Determined bool     `json:"determined"` // false: "entry vector not determined"
	Reasons    []Reason `json:"reasons,omitempty"`
}

// HostState is what an incident says about one host.
type HostState struct {
	Host        string       `json:"host"`
	Addresses   []netip.Addr `json:"addresses"`
	Agency      string       `json:"agency,omitempty"`
	Compromised bool         `json:"compromised"`
	External    bool         `json:"external,omitempty"`
	First       time.Time    `json:"first"`
	Last        time.Time    `json:"last"`
	Roles       []asset.Role `json:"roles,omitempty"`
	Reasons     []Reason     `json:"reasons"`
	Isolate     string       `json:"isolate,omitempty"` // "", "now", "two_people" (protected), "no"
}

// ToCut reports whether the advice is to cut the host off.
func (h HostState) ToCut() bool { return h.Isolate == "now" || h.Isolate == "two_people" }

// ToCut returns the hosts that are to be cut off, with their addresses.
func (in Incident) ToCut() map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	for _, h := range in.Hosts {
		if h.ToCut() {
			out[h.Host] = append(out[h.Host], h.Addresses...)
		}
	}
	return out
}

// AccountState is what an incident says about one account.
type AccountState struct {
	Account     asset.Account `json:"account"`
	First       time.Time     `json:"first"`
	Hosts       []string      `json:"hosts"`
	Privileged  bool          `json:"privileged"`
	Compromised bool          `json:"compromised"`
	Reasons     []Reason      `json:"reasons"`
}

// Suspect is an address worth a question (attackpath.md §6).
type Suspect struct {
	Addr     netip.Addr `json:"address"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	Hosts    []string   `json:"hosts"`
	Ports    []uint16   `json:"ports"`
	Count    int        `json:"count"`
	BytesOut int64      `json:"bytes_out"`
	BytesIn  int64      `json:"bytes_in"`
	Before   *Traffic   `json:"before,omitempty"` // baseline; nil: less than 7 days of history
	After    Traffic    `json:"after"`
	Reasons  []Reason   `json:"reasons"`
	Evidence []Pointer  `json:"evidence"`
}

// Traffic is one column of before/after.
type Traffic struct {
	Days        float64 `json:"days"`
	Connections int     `json:"connections"`
	BytesOut    int64   `json:"bytes_out"`
	BytesIn     int64   `json:"bytes_in"`
}

// Breakpoint (斷點) is where the trail leaves what we can see.
type Breakpoint struct {
	Code     string    `json:"code"` // BP-LOG-GAP, BP-NO-SENSOR, BP-VPS, ... (intel.md)
	Hop      int       `json:"hop"`  // hop number it hangs on, 0: the entry
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Src      Endpoint  `json:"src,omitzero"`
	SrcPort  uint16    `json:"src_port,omitempty"`
	Dst      Endpoint  `json:"dst,omitzero"`
	DstPort  uint16    `json:"dst_port,omitempty"`
	Strength string    `json:"strength"` // confirmed, probable, suspected
	Reasons  []Reason  `json:"reasons"`
	Next     string    `json:"next"` // code of the lawful next step
	Evidence []Pointer `json:"evidence"`
}

// State is the life of an incident.
type State string

// States.
const (
	New       State = "new"
	Triaged   State = "triaged"
	Contained State = "contained"
	Closed    State = "closed"
)

// Incident is findings and connections that belong together.
type Incident struct {
	ID              string            `json:"id"` // UUIDv5 of the earliest finding or hop
	Realm           asset.Realm       `json:"realm"`
	Agencies        []string          `json:"agencies"`
	Title           Reason            `json:"title"` // coded; narrate words it
	Severity        detect.Level      `json:"severity"`
	SeverityReasons []Reason          `json:"severity_reasons"`
	First           time.Time         `json:"first"`
	Last            time.Time         `json:"last"`
	FirstCompromise *FirstCompromise  `json:"first_compromise"`
	Entry           Entry             `json:"entry"`
	Hosts           []HostState       `json:"hosts"`
	Accounts        []AccountState    `json:"accounts"`
	Hops            []Hop             `json:"hops"`
	Alternatives    [][]Hop           `json:"alternatives,omitempty"` // next best paths, at most k-1
	Steps           []StepEvent       `json:"steps"`
	Suspicious      []Suspect         `json:"suspicious"`
	Breakpoints     []Breakpoint      `json:"breakpoints"`
	SeparateFrom    []Separation      `json:"separate_from"`
	Findings        []string          `json:"findings"` // finding ids
	BaselineDays    float64           `json:"baseline_days"`
	Parameters      map[string]string `json:"parameters"` // weights and windows used, for the report
}

// Separation says why another incident is not this one.
type Separation struct {
	Incident string `json:"incident"`
	Reason   Reason `json:"reason"`
}

// SourceStat is one input of an investigation.
type SourceStat struct {
	File    string    `json:"file"`
	Inner   string    `json:"path_in_archive,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
	Format  string    `json:"format"`
	Records int64     `json:"records"`
	Damaged int64     `json:"damaged"`
	Skipped int64     `json:"skipped"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
	Notes   []string  `json:"notes,omitempty"`
	Clock   *Clock    `json:"clock,omitempty"`
}

// Clock is a source's estimated clock error against the best clock.
type Clock struct {
	Offset      time.Duration `json:"offset"`
	Uncertainty time.Duration `json:"uncertainty"`
	Pairs       int           `json:"pairs"` // events seen on both ends that it rests on
}

// RuleCount is how often a rule fired.
type RuleCount struct {
	Rule  detect.Rule `json:"rule"`
	Count int64       `json:"count"`
	First time.Time   `json:"first"`
	Last  time.Time   `json:"last"`
}

// Baseline says what "usual" rests on.
type Baseline struct {
	Days float64 `json:"days"`
	Note Reason  `json:"note"`
}

// Result is all that an investigation found.
type Result struct {
	Sources   []SourceStat `json:"sources"`
	Incidents []Incident   `json:"incidents"`
	Findings  int64        `json:"findings"`
	ByRule    []RuleCount  `json:"by_rule"`
	Baseline  Baseline     `json:"baseline"`

	// Places are, by host, where the machines that are to be cut off are drawn and
	// whom to call: looked up when it is told, kept with no incident.
	Places map[string][]asset.Place `json:"-"`
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package behaviour finds what no single record shows: a host that tries many
// others, an account that goes where it never went or works when it never does, a
// machine that calls home by the clock or sends out far more than ever.
//
// It promises that every detector says its formula with the numbers that made
// it speak, that a baseline says on how many days it rests, that memory is
// bounded (at most 1 GiB when every table is full; what was forgotten is
// counted), and that the same events in the same order give the same findings.
// Time is that of the events; no clock is read. Windows slide, and a source whose
// clock is wrong by more than a window stands in a course of time of its own.
//
// What it cannot do, as far as it is known:
//   - A window that slides in ten parts is up to a tenth shorter than is said.
//   - Two wrong clocks at once about one entity, or one that jumps, make it forget.
//   - A bare name that was seen before any domain had it stays apart from the name
//     with its domain, and so do the accounts of one name in two domains.
//   - Baselines of hosts are by address: where DHCP gives a laptop's address to
//     another, it takes over its past.
//   - Nobody tells it who scans or distributes software on the city's behalf: a
//     scanner speaks up whenever it does much more than on its days before.
//   - A tunnel that hides data in names of the form of fingerprints is told at low,
//     and one below a domain that eight hosts use so not at all.
//   - What a server answers to the outside is no exfiltration to it; only what the
//     house sends on its own account is.
//   - Public addresses of the house count as outside until a firewall shows them on
//     an inner interface, or New was told of them.
//
// It never blocks, never calls a host compromised by itself, and keeps no event:
// only counts, sets and the places of the records that a finding rests on.
package behaviour

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"citywall/detect"
	"citywall/event"
)

// Stats counts what a Set saw.
type Stats struct {
	Events    int64            `json:"events"`
	NoTime    int64            `json:"no_time"`   // events without a time, or of before 1970: passed over
	Forgotten int64            `json:"forgotten"` // entities let go because memory was full
	Findings  map[string]int64 `json:"findings"`  // by detector
}

// Set holds every detector with its state. It is used by one goroutine.
type Set struct {
	ours []netip.Prefix
	ds   []detector
	st   Stats
	r    report
}

// detector looks at events of one kind. Its exported fields are its state, and
// are all that a snapshot keeps of it.
type detector interface {
	name() string
	observe(r *report, e *event.Event, v *event.View)
	forgotten() int64
}

// New returns a Set that has seen nothing. ours are public networks of the house:
// what lies in them is not outside.
func New(ours ...netip.Prefix) *Set {
	s := &Set{ours: ours, ds: detectors(ours)}
	s.st.Findings = map[string]int64{}
	return s
}

// Own exchanges the public networks of the house.
func (s *Set) Own(ours []netip.Prefix) {
	s.ours = ours
	for _, d := range s.ds {
		if h, ok := d.(*house); ok {
			h.ours = ours
		}
	}
}

// Observe shows one event to every detector and returns what they say.
func (s *Set) Observe(e *event.Event) []detect.Finding {
	v := e.View()
	return s.ObserveView(e, &v)
}

// ObserveView is Observe for one whose view is known; of the event it reads time,
// id, origin, realm, agency, product and category only.
func (s *Set) ObserveView(e *event.Event, v *event.View) []detect.Finding {
	s.st.Events++
	if e.Time.Unix() <= 0 { // a clock that was never set says nothing of order either
		s.st.NoTime++
		return nil
	}
	return s.see(e, v)
}

// Asks reports whether any detector looks at records of an action.
func Asks(a event.Action) bool {
	switch a {
	case event.Logon, event.LogonFailed, event.Privilege, event.Service, event.Task, event.Share, event.RPC, event.Flow, event.FlowRefused, event.DNS, event.File, event.Alert:
		return true
	}
	return false
}

func (s *Set) see(e *event.Event, v *event.View) []detect.Finding {
	s.r = report{e: e, v: v}
	for _, d := range s.ds {
		n := len(s.r.out)
		d.observe(&s.r, e, v)
		s.st.Findings[d.name()] += int64(len(s.r.out) - n)
	}
	out := s.r.out
	s.r = report{}
	return out
}

// Stats returns the counts so far.
func (s *Set) Stats() Stats {
	st := s.st
	st.Findings = make(map[string]int64, len(s.st.Findings))
	for k, n := range s.st.Findings {
		st.Findings[k] = n
	}
	for _, d := range s.ds {
		st.Forgotten += d.forgotten()
	}
	return st
}

// snapshotVersion changes when a detector's state changes its meaning.
const snapshotVersion = 2

type snapshot struct {
	Version   int                        `json:"version"`
	Detectors map[string]json.RawMessage `json:"detectors"`
}

// Snapshot returns the state as JSON.
func (s *Set) Snapshot() ([]byte, error) {
	out := snapshot{Version: snapshotVersion, Detectors: map[string]json.RawMessage{}}
	for _, d := range s.ds {
		b, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("snapshot of %s: %w", d.name(), err)
		}
		out.Detectors[d.name()] = b
	}
	return json.Marshal(out)
}

// Restore takes up the state of a snapshot; counts of Stats begin anew. On an
// error the Set stays as it was.
func (s *Set) Restore(b []byte) error {
	var in snapshot
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("restore behaviour: %w", err)
	}
	if in.Version != snapshotVersion {
		return fmt.Errorf("restore behaviour: the snapshot is of version %d, and this program writes %d", in.Version, snapshotVersion)
	}
	ds := detectors(s.ours)
	for _, d := range ds {
		if doc, ok := in.Detectors[d.name()]; ok {
			if err := json.Unmarshal(doc, d); err != nil {
				return fmt.Errorf("restore behaviour: %s: %w", d.name(), err)
			}
		}
	}
	s.ds = ds
	return nil
}

// Kind is what one detector says, as a rule: it stands where a Sigma rule
// stands in a finding.
type Kind struct {
	ID       string // UUID, never changed
	Detector string // who says it, as Stats counts
	Title    string
	Level    detect.Level
	Formula  string // in words and symbols, with its source; part of the hash
	Meaning  detect.Meaning
	Tags     []string // attack.t1046
}

func (k *Kind) rule() detect.Rule {
	h := sha256.Sum256([]byte(k.ID + "\n" + k.Title + "\n" + k.Formula))
	return detect.Rule{ID: k.ID, Title: k.Title, Author: "Citywall", Hash: hex.EncodeToString(h[:]), Level: k.Level, Status: "experimental"}
}

// ref is the place of a record that a finding rests on.
type ref struct {
	ID     event.ID     `json:"id"`
	Origin event.Origin `json:"origin"`
	At     int64        `json:"at"` // second
}

func refOf(e *event.Event) ref { return ref{e.ID, e.Origin, e.Time.Unix()} }

// recent leaves out what lies a window before now.
func recent(refs []ref, now int64, w time.Duration) []ref {
	return slices.DeleteFunc(refs, func(x ref) bool { return now-x.At > int64(w/time.Second) })
}

// maxEvidence bounds the records that one finding points to. Detectors keep the
// first of a series and the last.
const maxEvidence = 16

// keepRef adds the record to the evidence, at most maxEvidence of them.
func keepRef(refs []ref, e *event.Event) []ref {
	if len(refs) < maxEvidence {
		return append(refs, refOf(e))
	}
	copy(refs[maxEvidence/2:], refs[maxEvidence/2+1:])
	refs[maxEvidence-1] = refOf(e)
	return refs
}

// report takes what detectors say of the current event.
type report struct {
	e   *event.Event
	v   *event.View
	out []detect.Finding
}

// find says that k holds now. host is whom it is about (asset.HostName form, or
// an address as text), refs the earlier records that it rests on; the current
// one is added. Each reason is a sentence with numbers.
func (r *report) find(k *Kind, host string, refs []ref, matched []detect.Matched, reasons ...string) {
	f := detect.Finding{
		Realm: r.e.Realm, Agency: r.e.Agency, Rule: k.rule(), Meaning: k.Meaning, Tags: k.Tags,
		Time: r.e.Time, Host: host, View: *r.v, Matched: matched, Reasons: append([]string{k.Formula}, reasons...), Behaviour: true,
	}
	seen := map[event.ID]bool{}
	for _, x := range append(append([]ref(nil), refs...), refOf(r.e)) {
		if !seen[x.ID] {
			seen[x.ID] = true
			f.Events = append(f.Events, x.ID)
			f.Origins = append(f.Origins, x.Origin)
		}
	}
	f.ID = detect.NewID(f.Rule.Hash, f.Events...)
	r.out = append(r.out, f)
}

// day is the number of days since 1970 in UTC.
func day(t time.Time) int32 { return int32(t.Unix() / 86400) }

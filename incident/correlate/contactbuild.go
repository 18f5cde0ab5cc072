// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"
	"strings"

	"citywall/asset"
	"citywall/incident/fact"
)

// evidenceMax bounds the pointers of one contact.
const evidenceMax = 8

// contact builds the contacts of one stretch of rows of one class: attempts
// apart from successes, and what ran on the other side apart from the rest.
func (a *analysis) contact(class string, rs []*row) []*contact {
	var ok, bad []*row
	for _, r := range rs {
		switch r.k.Act {
		case fact.Refused, fact.BadLogon, fact.BadTicket:
			bad = append(bad, r)
		default:
			ok = append(ok, r)
		}
	}
	var out []*contact
	if len(ok) == 0 {
		c := a.fold(class, bad)
		c.refused = true
		return []*contact{c}
	}
	rest := ok
	if class == "smb" || class == "rpc" || class == "logon" {
		for _, x := range a.execs(int(ok[0].src), int(ok[0].dst), ok) {
			if len(x.rows) == 0 {
				continue // it happened over another class of connection
			}
			c := a.fold(x.kind, x.rows)
			c.share, c.exec, c.user, c.write = x.share, cmp.Or(x.detail, x.pipe), cmp.Or(c.user, x.user), x.write
			if x.port != 0 {
				c.port, c.proto = x.port, 6
			}
			c.extra = x.evidence
			out = append(out, c)
			rest = slices.DeleteFunc(slices.Clone(rest), func(r *row) bool { return slices.Contains(x.rows, r) })
		}
	}
	if len(rest) > 0 {
		c := a.fold(class, rest)
		c.refused = a.probe(c)
		out = append(out, c)
	}
	for _, c := range out {
		for _, r := range bad {
			if r.t <= c.first && c.first-r.t <= int64(a.cfg.p.Contact) {
				c.fails += int(r.n)
			}
		}
	}
	return out
}

// fold sums rows up.
func (a *analysis) fold(kind string, rs []*row) *contact {
	c := &contact{kind: kind, rows: rs}
	users := map[asset.Account]int{}
	rows := 0
	for i, r := range rs {
		if i == 0 {
			c.src, c.dst, c.first, c.orig, c.last, c.unc, c.port, c.proto = int(r.src), int(r.dst), r.sharp, r.orig, r.last, r.unc, r.k.Port, r.k.Proto
		}
		if r.sharp < c.first {
			c.first, c.orig, c.unc = r.sharp, r.orig, r.unc
		}
		if c.port == 0 && r.k.Port != 0 {
			c.port, c.proto = r.k.Port, r.k.Proto
		}
		c.last, c.longest = max(c.last, r.last), max(c.longest, r.c.Dur)
		c.out, c.in = c.out+r.out, c.in+r.in
		rows += int(r.n)
		switch r.k.Act {
		case fact.Flow, fact.Refused, fact.BadLogon, fact.BadTicket:
			c.count += int(r.n)
			c.flow = c.flow || r.k.Act == fact.Flow
		case fact.Logon:
			c.logon = true
		}
		if r.k.User != 0 {
			if u := a.st.Account(r.k.User); !u.Machine {
				users[u] += int(r.n)
			}
		}
	}
	if c.count == 0 {
		c.count = rows
	}
	for u, n := range users {
		if m := users[c.user]; n > m || n == m && (c.user.IsZero() || u.String() < c.user.String()) {
			c.user = u
		}
	}
	if strings.HasPrefix(c.kind, "port:") {
		c.kind = "other"
	}
	return c
}

// noSession is how many bytes both ways cannot carry a session of a protocol by
// which machines are administered; firewalls count headers, too.
const noSession = 1500

// probe reports connections that were opened and dropped: nobody logged on and
// a network sensor counted next to nothing.
func (a *analysis) probe(c *contact) bool {
	if c.logon || c.share != "" || !c.flow {
		return false
	}
	switch c.kind {
	case "rdp", "winrm", "ssh", "vnc", "telnet", "smb", "rpc":
	default:
		return false
	}
	if (c.out+c.in)/int64(max(c.count, 1)) >= noSession {
		return false
	}
	for _, id := range c.sensors() {
		if s, ok := a.st.SourceOf(id); ok && s.Watches {
			return true
		}
	}
	return false
}

// keepAt keeps the earliest few pointers, each event once.
func keepAt(list []fact.At, a fact.At) []fact.At {
	if !a.Ptr.Valid() || len(list) >= evidenceMax && a.T >= list[len(list)-1].T {
		return list
	}
	for _, x := range list {
		if x.Ptr.Event == a.Ptr.Event {
			return list
		}
	}
	i, _ := slices.BinarySearchFunc(list, a, func(x, y fact.At) int {
		return cmp.Or(cmp.Compare(x.T, y.T), cmp.Compare(string(x.Ptr.Event[:]), string(y.Ptr.Event[:])))
	})
	list = slices.Insert(list, i, a)
	return list[:min(len(list), evidenceMax)]
}

// exec is something that a connection made the other side run.
type exec struct {
	kind     string
	t        int64
	detail   string // what ran; by its name where a record has one
	pipe     string // over which it was made to run
	share    string
	write    bool
	port     uint16
	user     asset.Account
	rows     []*row
	evidence []fact.At
}

// execs finds what ran on dst because of src: by the session that its records
// name, by pipes and shares that the sensors saw, at the times when a service
// or task was made there.
func (a *analysis) execs(src, dst int, rs []*row) []exec {
	var out []exec
	span := int64(a.cfg.p.Exec)
	cluster := func(t int64) []*row { // rows that belong to what happened at t
		var got []*row
		for _, r := range rs {
			if r.t >= t-span && r.t <= t+span {
				got = append(got, r)
			}
		}
		// Only those without a pause before t: a long visit does not begin anew.
		at := len(got)
		for i, r := range got {
			if r.t > t {
				at = i
				break
			}
		}
		lo := at
		for lo > 0 && (lo == at || got[lo].t-got[lo-1].t <= span/4) {
			lo--
		}
		hi := at
		for hi < len(got) && got[hi].t-got[max(hi-1, 0)].t <= span/4 {
			hi++
		}
		return got[lo:hi]
	}
	add := func(x exec) {
		for i := range out {
			o := &out[i]
			if x.t-o.t <= span && o.t-x.t <= span {
				if rank(x.kind) > rank(o.kind) {
					o.kind, o.port, o.detail = x.kind, x.port, cmp.Or(x.detail, o.detail)
				}
				o.share, o.user, o.pipe = cmp.Or(o.share, x.share), cmp.Or(o.user, x.user), cmp.Or(o.pipe, x.pipe)
				o.detail, o.write = cmp.Or(o.detail, x.detail), o.write || x.write
				o.t = min(o.t, x.t)
				for _, e := range x.evidence {
					o.evidence = keepAt(o.evidence, e)
				}
				for _, r := range x.rows {
					if !slices.Contains(o.rows, r) {
						o.rows = append(o.rows, r)
					}
				}
				return
			}
		}
		out = append(out, x)
	}
	for _, m := range a.pairMarks[pair{src, dst}] {
		x := exec{t: m.t, user: m.user, evidence: m.m.Earliest, rows: cluster(m.t)}
		switch m.label {
		case fact.RemotePipe:
			x.kind, x.port, x.pipe = pipeKind(m.detail)
		case fact.AdminShare:
			x.kind, x.port, x.share = "smb", 445, m.detail
		case fact.AdminWrite:
			x.kind, x.port, x.share, x.write = "smb", 445, m.detail, true
		default:
			continue
		}
		if x.kind != "" {
			add(x)
		}
	}
	for _, m := range a.hostMarks[dst] {
		x := exec{t: m.t, detail: m.detail, evidence: m.m.Earliest}
		switch m.label {
		case fact.ServiceNew:
			x.kind, x.port = "service", 445
		case fact.TaskNew:
			x.kind, x.port = "task", 445
		case fact.WMIChild:
			x.kind, x.port = "wmi", 135
		default:
			continue
		}
		if !a.came(m, src, dst, rs) {
			continue
		}
		x.rows = cluster(m.t)
		add(x)
	}
	slices.SortFunc(out, func(x, y exec) int { return cmp.Compare(x.t, y.t) })
	for i := range out {
		slices.SortFunc(out[i].rows, func(x, y *row) int {
			return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(string(x.c.Ptr.Event[:]), string(y.c.Ptr.Event[:])))
		})
	}
	return out
}

// rank orders kinds by how much they say.
func rank(kind string) int {
	return slices.Index([]string{"", "other", "rpc", "logon", "smb", "transfer", "web", "task", "wmi", "service"}, kind)
}

func pipeKind(pipe string) (kind string, port uint16, detail string) {
	switch {
	case pipe == "wmi":
		return "wmi", 135, "wmi"
	case strings.Contains(pipe, "atsvc"), strings.Contains(pipe, "task"):
		return "task", 445, pipe
	case strings.Contains(pipe, "winreg"):
		return "", 0, "" // reading the registry runs nothing
	}
	return "service", 445, pipe
}

// came reports whether a note on dst came from src: its session was a logon
// from there, or, when nothing names a session, src is the only one that had
// just come, and not merely as a computer that fetches its policy.
func (a *analysis) came(m hostMark, src, dst int, rs []*row) bool {
	if m.m.Sess != 0 {
		key := sessionKey{dst, m.m.Sess}
		if a.atDesktop[key] {
			return false
		}
		if from, ok := a.sessionFrom[key]; ok {
			return from == src
		}
	}
	if m.label == fact.WMIChild || a.toldBetter(dst, m) {
		return false
	}
	came, person, machine := false, false, false
	for _, r := range rs {
		if d := m.t - r.t; d < -1e9 || d > int64(a.cfg.p.Exec)/2 {
			continue
		}
		came = true
		if r.k.User != 0 {
			if a.st.Account(r.k.User).Machine {
				machine = true
			} else {
				person = true
			}
		}
	}
	return came && (person || !machine) && a.soleArrival(dst, m.t, src)
}

// toldBetter reports that another record of the same thing names its session:
// 7045 stands beside 4697.
func (a *analysis) toldBetter(dst int, m hostMark) bool {
	for _, o := range a.hostMarks[dst] {
		if o.label == m.label && o.m.Sess != 0 && abs(o.t-m.t) <= int64(5e9) {
			return true
		}
	}
	return false
}

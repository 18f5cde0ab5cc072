// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"slices"
	"time"

	"citywall/asset"
	"citywall/incident/fact"
)

// row is one record of a connection or logon between two hosts.
type row struct {
	src, dst int
	t, unc   int64 // corrected
	sharp    int64 // the same, by the sensor that tells time best
	orig     int64 // as written by that one
	last     int64 // of a flood
	k        fact.Key
	c        *fact.Conn
	n        int64 // rows it stands for
	out, in  int64
	also     []fact.ID // further sensors of the same connection
	more     []fact.At
	class    string
	joined   bool // a further sighting of an earlier row
}

// contact is a stretch of activity of one kind between two hosts: the edge of
// attackpath.md §2.
type contact struct {
	src, dst int
	kind     string // rdp, winrm, ssh, service, task, wmi, smb, transfer, logon, rpc, web, vpn, gpo, other
	port     uint16
	proto    uint8
	first    int64
	orig     int64
	last     int64
	unc      int64
	longest  int64 // ns, of one connection
	count    int
	out, in  int64
	user     asset.Account
	users    []asset.Account // all persons, sorted
	logon    bool            // a logon record is among the evidence
	flow     bool
	sess     []uint64
	share    string // administrative share touched
	write    bool   // and written to
	exec     string // what ran on the other side, for the reader
	fails    int    // refused attempts just before
	failAt   int64
	refused  bool      // only attempts
	times    []int64   // corrected starts of rows; not of floods
	rows     []fact.At // the same with pointers, for web servers only
	sensors  []fact.ID
	evidence []fact.At
	score    float64
}

// classOf sorts ports into what is done over them.
func classOf(k fact.Key) string {
	switch k.Port {
	case 3389:
		return "rdp"
	case 5985, 5986:
		return "winrm"
	case 22:
		return "ssh"
	case 445, 139:
		return "smb"
	case 135, 593:
		return "rpc"
	case 80, 443, 8080, 8443, 8000, 8888:
		return "web"
	case 5900, 5901:
		return "vnc"
	case 23:
		return "telnet"
	case 0:
		return "logon"
	}
	if k.Port >= 49152 {
		return "dynamic"
	}
	return "other"
}

// rows resolves every series to hosts, corrects the clocks and sorts by ends
// and time. Sessions, tunnels, tickets and switches of credentials go their own
// ways.
func (a *analysis) rows() []row {
	var out []row
	for k, s := range a.st.Series {
		for i := range s.Conns {
			c := &s.Conns[i]
			shift, unc := a.clocks.Fix(c.Sensor)
			t := c.T - shift
			src, dst := a.hosts.Of(k.Src, c.T), a.hosts.Of(k.Dst, c.T)
			if src < 0 || dst < 0 {
				continue
			}
			r := row{src: src, dst: dst, t: t, unc: unc + int64(c.Unc)*1e6, sharp: t, orig: c.T, last: t, k: k, c: c, n: 1, out: c.Out, in: c.In}
			if a.aside(r) || src == dst {
				continue
			}
			out = append(out, r)
		}
		for _, f := range s.Floods(a.st) {
			shift, unc := a.clocks.Fix(f.Sensor)
			src, dst := a.hosts.Of(k.Src, f.First), a.hosts.Of(k.Dst, f.First)
			if src < 0 || dst < 0 || src == dst || k.Act == fact.Ticket || k.Act == fact.Credential || k.Act == fact.VPN {
				continue
			}
			c := &fact.Conn{T: f.First, Out: f.Out, In: f.In, Sensor: f.Sensor, Ptr: f.Earliest[0].Ptr}
			out = append(out, row{src: src, dst: dst, t: f.First - shift, unc: unc, sharp: f.First - shift, orig: f.First, last: f.Last - shift, k: k, c: c, n: f.Count, out: f.Out, in: f.In, more: f.Earliest[1:]})
		}
	}
	slices.SortFunc(out, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.src, y.src), cmp.Compare(x.dst, y.dst), cmp.Compare(x.t, y.t), cmp.Compare(x.k.Act, y.k.Act),
			cmp.Compare(x.k.Port, y.k.Port), cmp.Compare(string(x.c.Ptr.Event[:]), string(y.c.Ptr.Event[:])))
	})
	return out
}

// join marks further sightings of one connection (attackpath.md §3.1): the same
// 5-tuple by another sensor within the window and the clocks' uncertainty. Both
// stay as evidence, the bytes count once, the larger. Hours that were too busy
// to keep row by row are joined by their sums.
func (a *analysis) join(g []row) {
	type tuple struct {
		sport, port uint16
		proto       uint8
	}
	open := map[tuple][]int{}
	window := int64(a.cfg.c.Same)
	for i := range g {
		r := &g[i]
		if r.k.Act != fact.Flow && r.k.Act != fact.Refused || r.c.SPort == 0 && r.n == 1 {
			continue
		}
		k := tuple{r.c.SPort, r.k.Port, r.k.Proto}
		list := open[k]
		match := -1
		for _, j := range list {
			o := &g[j]
			near := max(window, r.unc+o.unc)
			if r.n > 1 || o.n > 1 {
				near = int64(time.Hour)
			}
			if r.t-o.t <= near && (r.n > 1) == (o.n > 1) && o.c.Sensor != r.c.Sensor && !slices.Contains(o.also, r.c.Sensor) {
				match = j
				break
			}
		}
		if match < 0 {
			keep := list[:0]
			for _, j := range list {
				if r.t-g[j].t <= int64(time.Hour) {
					keep = append(keep, j)
				}
			}
			open[k] = append(keep, i)
			continue
		}
		o := &g[match]
		r.joined = true
		o.also = append(o.also, r.c.Sensor)
		o.more = append(append(o.more, fact.At{T: r.orig, Ptr: r.c.Ptr}), r.more...)
		o.out, o.in, o.n, o.last = max(o.out, r.out), max(o.in, r.in), max(o.n, r.n), max(o.last, r.last)
		// Time comes from the sharper of the two; the earlier when both are.
		switch gap := r.sharp - o.sharp; {
		case o.c.Unc >= 500 && r.c.Unc < o.c.Unc/2:
			o.sharp, o.orig, o.unc = r.sharp, r.orig, r.unc
		case r.c.Unc >= 500 && o.c.Unc < r.c.Unc/2:
		default:
			o.unc = max(o.unc, gap)
		}
		if o.k.Act == fact.Refused && r.k.Act == fact.Flow {
			o.k.Act = fact.Flow
		}
	}
}

// visits turns the rows of one pair, in order of time, into contacts.
func (a *analysis) visits(g []row) []contact {
	a.join(g)
	a.classify(g)
	byClass := map[string][]*row{}
	var classes []string
	for i := range g {
		r := &g[i]
		if r.joined {
			continue
		}
		if byClass[r.class] == nil {
			classes = append(classes, r.class)
		}
		byClass[r.class] = append(byClass[r.class], r)
	}
	slices.Sort(classes)
	var out []contact
	for _, class := range classes {
		rs := byClass[class]
		for i := 0; i < len(rs); {
			j, last := i+1, rs[i].last
			for j < len(rs) && rs[j].t-last <= int64(a.cfg.p.Contact) {
				last = max(last, rs[j].last)
				j++
			}
			out = append(out, a.contact(class, rs[i:j])...)
			i = j
		}
	}
	return out
}

// classify settles what each row was part of. A network logon without a port
// belongs to the connection with its source port, else to the nearest one that
// can carry a logon.
func (a *analysis) classify(g []row) {
	var flows []int
	rpc := int64(0)
	for i := range g {
		r := &g[i]
		switch r.class = classOf(r.k); r.k.Act {
		case fact.Share:
			r.class = "smb"
		case fact.BadTicket:
			r.class = "ticket"
		}
		switch r.class {
		case "rpc":
			rpc = r.t
		case "dynamic":
			if r.class = "port"; rpc != 0 && r.t-rpc <= int64(time.Minute) && !a.hosts.List[r.dst].External {
				r.class = "rpc"
			}
		}
		if r.class == "other" || r.class == "port" {
			r.class = "port:" + itoa(int64(r.k.Port)) + "/" + itoa(int64(r.k.Proto))
		}
		if a.hosts.List[r.dst].External && r.class == "web" {
			r.class = "port:" + itoa(int64(r.k.Port)) + "/" + itoa(int64(r.k.Proto)) // each port is a channel of its own
		}
		if !r.joined && r.k.Act == fact.Flow {
			flows = append(flows, i)
		}
	}
	for i := range g {
		r := &g[i]
		if r.class != "logon" {
			continue
		}
		best, dist := -1, int64(10*time.Second)
		for _, j := range near(g, flows, r.t-int64(5*time.Minute), r.t+int64(5*time.Minute)) {
			f := &g[j]
			if r.c.SPort != 0 && f.c.SPort == r.c.SPort {
				best = j
				break
			}
			switch f.class {
			case "smb", "winrm", "rdp", "rpc", "ssh":
				if d := r.t - f.t; r.c.SPort == 0 && d > -int64(3*time.Second) && d < dist {
					best, dist = j, d
				}
			}
		}
		if best >= 0 {
			r.class = g[best].class
		}
	}
}

// near returns the flows with a start in [from, to].
func near(g []row, flows []int, from, to int64) []int {
	lo, _ := slices.BinarySearchFunc(flows, from, func(i int, t int64) int { return cmp.Compare(g[i].t, t) })
	hi := lo
	for hi < len(flows) && g[flows[hi]].t <= to {
		hi++
	}
	return flows[lo:hi]
}

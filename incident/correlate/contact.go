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
	src, dst int32
	n        int32 // records it stands for
	joined   bool  // a further sighting of an earlier row
	sport    uint16
	t, unc   int64 // corrected
	sharp    int64 // the same, by the sensor that tells time best
	orig     int64 // as written by that one
	last     int64 // of a flood
	out, in  int64
	k        fact.Key
	c        *fact.Conn
	ext      *sightings
	class    string
}

// sightings are what other sensors saw of the same connection.
type sightings struct {
	sensors []fact.ID
	at      []fact.At
}

// contact is a stretch of activity of one kind between two hosts: the edge of
// attackpath.md §2.
type contact struct {
	src, dst int
	kind     string // rdp, winrm, ssh, service, task, wmi, smb, logon, rpc, web, other, ...
	port     uint16
	proto    uint8
	refused  bool // only attempts
	logon    bool // a logon record is among the evidence
	flow     bool
	write    bool // something was written to the share
	first    int64
	orig     int64
	last     int64
	unc      int64
	longest  int64 // ns, of one connection
	count    int
	fails    int // refused attempts just before
	out, in  int64
	user     asset.Account
	share    string // administrative share touched
	exec     string // what ran on the other side, for the reader
	rows     []*row
	extra    []fact.At // records that are not rows: what ran, pipes, shares
	past     past
}

// evidence is the earliest few pointers.
func (c *contact) evidence() []fact.At {
	var out []fact.At
	for _, r := range c.rows {
		out = keepAt(out, fact.At{T: r.orig, Ptr: r.c.Ptr})
		if r.ext != nil {
			for _, e := range r.ext.at {
				out = keepAt(out, e)
			}
		}
	}
	for _, e := range c.extra {
		out = keepAt(out, e)
	}
	return out
}

// times are the corrected starts of rows; floods have none.
func (c *contact) times() []int64 {
	out := make([]int64, 0, len(c.rows))
	for _, r := range c.rows {
		if r.n == 1 {
			out = append(out, r.sharp)
		}
	}
	return out
}

// sensors are all that saw it.
func (c *contact) sensors() []fact.ID {
	var out []fact.ID
	add := func(id fact.ID) {
		if id != 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, r := range c.rows {
		add(r.c.Sensor)
		if r.ext != nil {
			for _, id := range r.ext.sensors {
				add(id)
			}
		}
	}
	return out
}

// sessions are those that its logons opened at the destination.
func (c *contact) sessions() []uint64 {
	var out []uint64
	for _, r := range c.rows {
		if r.k.Act == fact.Logon {
			out = append(out, r.c.Sess)
		}
	}
	return out
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

// rows resolves the wanted series to hosts, corrects the clocks and sorts by
// ends and time.
func (a *analysis) rows(want func(src, dst int) bool) []row {
	n := 0
	each := func(f func(k fact.Key, c *fact.Conn, src, dst int, sport uint16)) {
		for k, s := range a.st.Series {
			if apart(k.Act) {
				continue
			}
			for i := range s.Conns {
				c := &s.Conns[i]
				src, sport := a.hosts.From(a.st, k, c, a.cfg.c.MaxSkew)
				if dst := a.hosts.Of(k.Dst, c.T); src >= 0 && dst >= 0 && src != dst && want(src, dst) {
					f(k, c, src, dst, sport)
				}
			}
		}
	}
	each(func(fact.Key, *fact.Conn, int, int, uint16) { n++ })
	out := make([]row, 0, n)
	each(func(k fact.Key, c *fact.Conn, src, dst int, sport uint16) {
		shift, unc := a.clocks.Fix(c.Sensor)
		t := c.T - shift
		out = append(out, row{src: int32(src), dst: int32(dst), sport: sport, t: t, unc: unc + int64(c.Unc)*1e6, sharp: t, orig: c.T, last: t, k: k, c: c, n: 1, out: c.Out, in: c.In})
	})
	for k, s := range a.st.Series {
		if apart(k.Act) {
			continue
		}
		for _, f := range s.Floods(a.st) {
			shift, unc := a.clocks.Fix(f.Sensor)
			src, dst := a.hosts.Of(k.Src, f.First), a.hosts.Of(k.Dst, f.First)
			if a.st.Pool(k.Src) || src < 0 || dst < 0 || src == dst || !want(src, dst) {
				continue
			}
			c := &fact.Conn{T: f.First, Out: f.Out, In: f.In, Sensor: f.Sensor, Ptr: f.Earliest[0].Ptr}
			r := row{src: int32(src), dst: int32(dst), t: f.First - shift, unc: unc, sharp: f.First - shift, orig: f.First, last: f.Last - shift, k: k, c: c, n: int32(min(f.Count, 1<<30)), out: f.Out, in: f.In}
			r.ext = &sightings{at: f.Earliest[1:]}
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.src, y.src), cmp.Compare(x.dst, y.dst), cmp.Compare(x.t, y.t), cmp.Compare(x.k.Act, y.k.Act),
			cmp.Compare(x.k.Port, y.k.Port), cmp.Compare(string(x.c.Ptr.Event[:]), string(y.c.Ptr.Event[:])))
	})
	return out
}

// apart are the acts that are no connection between two hosts; they go their
// own ways (analysis.aside).
func apart(act fact.Act) bool {
	return act == fact.Ticket || act == fact.Credential || act == fact.VPN
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
		if r.k.Act != fact.Flow && r.k.Act != fact.Refused || r.sport == 0 && r.n == 1 {
			continue
		}
		k := tuple{r.sport, r.k.Port, r.k.Proto}
		list := open[k]
		match := -1
		for _, j := range list {
			o := &g[j]
			near := max(window, r.unc+o.unc)
			if r.n > 1 || o.n > 1 {
				near = int64(time.Hour)
			}
			if r.t-o.t <= near && (r.n > 1) == (o.n > 1) && o.c.Sensor != r.c.Sensor && !o.seenBy(r.c.Sensor) {
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
		if o.ext == nil {
			o.ext = &sightings{}
		}
		o.ext.sensors = append(o.ext.sensors, r.c.Sensor)
		o.ext.at = append(o.ext.at, fact.At{T: r.orig, Ptr: r.c.Ptr})
		if r.ext != nil {
			o.ext.at = append(o.ext.at, r.ext.at...)
		}
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

func (r *row) seenBy(id fact.ID) bool { return r.ext != nil && slices.Contains(r.ext.sensors, id) }

// visits turns the rows of one pair, in order of time, into contacts.
func (a *analysis) visits(g []row) []*contact {
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
	var out []*contact
	for _, class := range classes {
		rs := byClass[class]
		for i := 0; i < len(rs); {
			j, last := i+1, rs[i].last
			for j < len(rs) && rs[j].t-last <= int64(a.cfg.p.Contact) && !a.turns(rs[i:], j-i) {
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
			if r.class = "port"; rpc != 0 && r.t-rpc <= int64(time.Minute) && !a.hosts.List[int(r.dst)].External {
				r.class = "rpc"
			}
		}
		if r.class == "other" || r.class == "port" {
			r.class = "port:" + itoa(int64(r.k.Port)) + "/" + itoa(int64(r.k.Proto))
		}
		if a.hosts.List[int(r.dst)].External && r.class == "web" {
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
			if r.sport != 0 && f.sport == r.sport {
				best = j
				break
			}
			switch f.class {
			case "smb", "winrm", "rdp", "rpc", "ssh":
				if d := r.t - f.t; r.sport == 0 && d > -int64(3*time.Second) && d < dist {
					best, dist = j, d
				}
			}
		}
		if best >= 0 {
			r.class = g[best].class
			continue
		}
		for j := i + 1; j < len(g) && g[j].t-r.t <= int64(30*time.Second); j++ {
			// A remote desktop asks for the password over the network first.
			if o := &g[j]; o.k.Act == fact.Logon && o.class == "rdp" && o.k.User == r.k.User {
				r.class = "rdp"
				break
			}
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

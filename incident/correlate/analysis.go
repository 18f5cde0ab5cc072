// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/clean"
	"citywall/incident/fact"
)

// analysis is one answer in the making. Its stages run in the order of
// analyse; each reads what the stages before it filled in.
type analysis struct {
	cfg    filled
	st     *fact.Store
	hosts  *clean.Hosts
	clocks *clean.Clocks

	first, last int64 // of all records, corrected
	days        float64

	bursts    []fact.Burst // findings, clocks corrected
	pairMarks map[pair][]pairMark
	hostMarks map[int][]hostMark

	tickets     map[pair][]ticket
	switches    []attackpath.Switch
	switchesOn  map[int][]attackpath.Switch
	seats       map[int][]attackpath.Session // cache of sessionsOn
	desks       map[int][]attackpath.Session // those of seats at which somebody sat
	logonsFrom  map[int][]seriesOf
	switchDays  map[switchKey][]int64 // when two accounts met on a host
	tunnels     []tunnel
	sessionFrom map[sessionKey]int // network sessions only
	atDesktop   map[sessionKey]bool
	arrivals    map[int][]arrival    // at hosts on which something ran that names no session
	clients     map[int]map[int]bool // who uses a host's shares or logs on to it
	alertedPair map[pair]bool        // a finding names both
	logonsInto  map[int][]seriesOf

	contacts []*contact // by time
	byPair   map[pair][]*contact
	history  *history
	causal   *attackpath.Causal

	signs    map[int][]sign
	badSince map[int]int64
	fires    map[string]map[int][]int64   // by rule and host: on which days
	lost     map[int]bool                 // hosts with a sign of compromise
	guilty   map[seat]deed                // sessions in which the intruder acted
	held     map[int][]attackpath.Session // the same by host
	pushes   map[pushKey][]push           // what was made to run on many machines
	channels []channel
	covert   []covert
	moves    []attackpath.Move
	via      []via // what each move is made of

	seeded  []seed // as traced
	threads []*thread
}

type pair struct{ src, dst int }

type pairMark struct {
	t      int64
	label  fact.Label
	port   uint16
	detail string
	user   asset.Account
	m      *fact.Mark
}

type hostMark struct {
	t      int64
	label  fact.Label
	detail string
	user   asset.Account
	m      *fact.Mark
}

type ticket struct {
	t    int64
	user asset.Account
	at   fact.At
}

// tunnel is a VPN session: outer address, inner address, account.
type tunnel struct {
	outer, inner int
	user         asset.Account
	t, end       int64
	orig, unc    int64
	fails        int // refused attempts from the outer address shortly before
	out, in      int64
	at           []fact.At
	sensor       fact.ID
	news         bool // the account never came from there before
}

type sessionKey struct {
	host int
	id   uint64
}

type arrival struct {
	t   int64
	src int
}

type switchKey struct {
	host     int
	from, to string
}

type seriesOf struct {
	k fact.Key
	s *fact.Series
}

// analyse gives one answer, nil when ctx ends first.
func analyse(ctx context.Context, cfg filled, st *fact.Store) *answer {
	a := begin(cfg, st)
	if !a.run(ctx) {
		return nil
	}
	return &answer{incidents: a.incidents(), clocks: a.clocks.All(), baseline: a.baseline()}
}

func begin(cfg filled, st *fact.Store) *analysis {
	return &analysis{
		cfg: cfg, st: st, pairMarks: map[pair][]pairMark{}, hostMarks: map[int][]hostMark{}, tickets: map[pair][]ticket{}, clients: map[int]map[int]bool{}, alertedPair: map[pair]bool{},
		sessionFrom: map[sessionKey]int{}, atDesktop: map[sessionKey]bool{}, arrivals: map[int][]arrival{}, logonsInto: map[int][]seriesOf{}, logonsFrom: map[int][]seriesOf{}, signs: map[int][]sign{}, badSince: map[int]int64{},
	}
}

// run goes through every stage.
func (a *analysis) run(ctx context.Context) bool {
	for _, stage := range []func(){
		a.clean, a.marks, a.judge, a.hidden, a.aside, a.outside, a.outward, a.bad, a.sessions, a.inside, a.waves, a.inward, a.between, a.policies, a.trace,
	} {
		if stage(); ctx.Err() != nil {
			return false
		}
	}
	return true
}

// clean settles hosts, clocks and the span of the logs.
func (a *analysis) clean() {
	a.hosts = clean.Resolve(a.st, a.cfg.Topology)
	a.clocks = clean.Estimate(a.st, a.hosts, a.cfg.ClockOffsets, a.cfg.c)
	a.st.EachSource(func(id fact.ID, s fact.Source) {
		shift, _ := a.clocks.Fix(id)
		if f := s.First - shift; a.first == 0 || f < a.first {
			a.first = f
		}
		a.last = max(a.last, s.Last-shift)
	})
	a.days = float64(a.last-a.first) / float64(24*time.Hour)
	a.bursts = a.st.Bursts(int64(a.cfg.p.Burst))
	for i := range a.bursts {
		b := &a.bursts[i]
		shift, _ := a.clocks.Fix(b.Sensor)
		b.First, b.Last = b.First-shift, b.Last-shift
		if b.Dense != 0 {
			b.Dense -= shift
		}
	}
	slices.SortStableFunc(a.bursts, func(x, y fact.Burst) int { return cmp.Compare(x.First, y.First) })
}

// marks indexes the notes by host and by pair, in order of time.
func (a *analysis) marks() {
	for k, m := range a.st.Marks {
		shift, _ := a.clocks.Fix(k.Sensor)
		src := a.hosts.Of(k.Src, m.First)
		if src < 0 || a.st.Pool(k.Src) {
			continue
		}
		user := a.st.Account(k.User)
		if k.Dst == 0 {
			a.hostMarks[src] = append(a.hostMarks[src], hostMark{m.First - shift, k.Label, a.st.String(m.Detail), user, m})
			continue
		}
		if dst := a.hosts.Of(k.Dst, m.First); dst >= 0 && dst != src {
			p := pair{src, dst}
			a.pairMarks[p] = append(a.pairMarks[p], pairMark{m.First - shift, k.Label, k.Port, a.st.String(m.Detail), user, m})
		}
	}
	for _, l := range a.hostMarks {
		slices.SortFunc(l, func(x, y hostMark) int {
			return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.label, y.label), cmp.Compare(x.detail, y.detail), cmp.Compare(x.user.String(), y.user.String()))
		})
	}
	for _, l := range a.pairMarks {
		slices.SortFunc(l, func(x, y pairMark) int {
			return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.label, y.label), cmp.Compare(x.port, y.port), cmp.Compare(x.detail, y.detail), cmp.Compare(x.user.String(), y.user.String()))
		})
	}
}

// aside takes what is no connection between two hosts: sessions, tunnels,
// tickets and switches of credentials.
func (a *analysis) aside() {
	needed := map[sessionKey]bool{}
	waiting := map[int]bool{} // hosts on which something ran that names no session
	for h, l := range a.hostMarks {
		for _, m := range l {
			switch {
			case m.m.Sess != 0:
				needed[sessionKey{h, m.m.Sess}] = true
			case m.label == fact.ServiceNew || m.label == fact.TaskNew:
				waiting[h] = true
			}
		}
	}
	from := map[sessionKey]arrival{}
	for k, s := range a.st.Series {
		if k.Act == fact.Logon {
			if h := a.hosts.Of(k.Dst, 0); h >= 0 {
				a.logonsInto[h] = append(a.logonsInto[h], seriesOf{k, s})
				if from := a.hosts.Of(k.Src, 0); from >= 0 && from != h && !a.hosts.List[from].External {
					a.logonsFrom[from] = append(a.logonsFrom[from], seriesOf{k, s})
				}
			}
		}
		class := classOf(k)
		comes := (class == "smb" || class == "rpc" || class == "logon") && (k.Act == fact.Flow || k.Act == fact.Logon || k.Act == fact.Share)
		for i := range s.Conns {
			c := &s.Conns[i]
			src, _ := a.hosts.From(a.st, k, c, a.cfg.c.MaxSkew)
			dst := a.hosts.Of(k.Dst, c.T)
			if src < 0 || dst < 0 {
				continue
			}
			shift, unc := a.clocks.Fix(c.Sensor)
			t := c.T - shift
			switch k.Act {
			case fact.Logon:
				a.arrived(needed, from, sessionKey{dst, c.Sess}, c, src)
			case fact.Ticket:
				if u := a.st.Account(k.User); !u.Machine {
					a.tickets[pair{src, dst}] = append(a.tickets[pair{src, dst}], ticket{t, u, fact.At{T: c.T, Ptr: c.Ptr}})
				}
			case fact.Credential:
				a.switches = append(a.switches, attackpath.Switch{Host: src, T: t, User: a.st.Account(k.User), Target: a.st.Account(c.Target), Dst: dst, Session: c.Sess})
			case fact.VPN:
				a.tunnel(k, c, src, dst, t, unc)
			}
			if comes && src != dst {
				if a.clients[dst] == nil {
					a.clients[dst] = map[int]bool{}
				}
				a.clients[dst][src] = true
				if waiting[dst] {
					a.arrivals[dst] = append(a.arrivals[dst], arrival{t, src})
				}
			}
		}
	}
	for k, x := range from {
		a.sessionFrom[k] = x.src
	}
	for _, l := range a.arrivals {
		slices.SortFunc(l, func(x, y arrival) int { return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.src, y.src)) })
	}
	a.switchDays = map[switchKey][]int64{}
	a.switchesOn = map[int][]attackpath.Switch{}
	for _, x := range a.switches {
		a.switchesOn[x.Host] = append(a.switchesOn[x.Host], x)
		k := switchKey{x.Host, x.User.Name, x.Target.Name}
		a.switchDays[k] = append(a.switchDays[k], x.T)
	}
	a.causal = attackpath.NewCausal(a.sessionsOn, a.switches, func(h int) asset.Account {
		return asset.ParseAccount("", a.hosts.List[h].Owner)
	})
}

// arrived notes where a session that something ran in came from.
func (a *analysis) arrived(needed map[sessionKey]bool, from map[sessionKey]arrival, key sessionKey, c *fact.Conn, src int) {
	if !needed[key] {
		return
	}
	if c.Type == 2 || c.Type == 7 || c.Type == 10 || c.Type == 11 {
		a.atDesktop[key] = true // what is done at a desktop is done there
		return
	}
	if old, ok := from[key]; !ok || c.T < old.t || c.T == old.t && src < old.src {
		from[key] = arrival{c.T, src}
	}
}

func (a *analysis) tunnel(k fact.Key, c *fact.Conn, src, dst int, t, unc int64) {
	x := tunnel{outer: src, inner: dst, user: a.st.Account(k.User), t: t, orig: c.T, unc: unc + int64(c.Unc)*1e6}
	if c.Type == fact.VPNEnd {
		x.t, x.end, x.out, x.in = t-c.Dur, t, c.Out, c.In
	} else {
		x.sensor, x.at = c.Sensor, []fact.At{{T: c.T, Ptr: c.Ptr}}
	}
	a.tunnels = append(a.tunnels, x)
}

// outside builds the contacts with an outside end: bad turns on some of them.
func (a *analysis) outside() {
	a.meet(func(src, dst int) bool { return a.hosts.List[src].External || a.hosts.List[dst].External })
	a.tie()
	a.remember()
}

// inside adds the contacts between our own machines. Ordinary logons and share
// use are the bulk of every log and never a move by themselves: they are looked
// at only where one end is suspect, or something ran.
func (a *analysis) inside() {
	hot := map[int]bool{}
	for h := range a.badSince {
		hot[h] = true
	}
	for h, l := range a.hostMarks {
		for _, m := range l {
			switch m.label {
			case fact.ServiceNew, fact.TaskNew, fact.WMIChild, fact.WinRMChild, fact.PolicyChanged, fact.PolicyApplied:
				hot[h] = true
			}
		}
	}
	able := map[pair]bool{}
	for k, s := range a.st.Series {
		if (k.Act == fact.Flow || k.Act == fact.Logon) && capable(classOf(k)) && len(s.Conns)+len(s.Floods(a.st)) > 0 {
			for i := range s.Conns {
				src, _ := a.hosts.From(a.st, k, &s.Conns[i], a.cfg.c.MaxSkew)
				able[pair{src, a.hosts.Of(k.Dst, s.Conns[i].T)}] = true
			}
		}
	}
	a.meet(func(src, dst int) bool {
		if a.hosts.List[src].External || a.hosts.List[dst].External {
			return false
		}
		p := pair{src, dst}
		return hot[src] || hot[dst] || able[p] || a.pairMarks[p] != nil || a.alertedPair[p] || a.hosts.List[src].Zone == asset.ZoneVPN
	})
	a.remember()
}

// meet turns the wanted rows into contacts.
func (a *analysis) meet(want func(src, dst int) bool) {
	rows := a.rows(want)
	for i := 0; i < len(rows); {
		j := i
		for j < len(rows) && rows[j].src == rows[i].src && rows[j].dst == rows[i].dst {
			j++
		}
		a.contacts = append(a.contacts, a.visits(rows[i:j])...)
		i = j
	}
	slices.SortStableFunc(a.contacts, func(x, y *contact) int {
		return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.src, y.src), cmp.Compare(x.dst, y.dst), cmp.Compare(x.port, y.port), cmp.Compare(x.kind, y.kind))
	})
	a.byPair = map[pair][]*contact{}
	for _, c := range a.contacts {
		p := pair{c.src, c.dst}
		a.byPair[p] = append(a.byPair[p], c)
	}
}

// tie joins the beginnings and ends of tunnels and sorts tickets.
func (a *analysis) tie() {
	for _, l := range a.tickets {
		slices.SortFunc(l, func(x, y ticket) int {
			return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.user.String(), y.user.String()))
		})
	}
	slices.SortFunc(a.tunnels, func(x, y tunnel) int {
		return cmp.Or(cmp.Compare(x.inner, y.inner), cmp.Compare(x.outer, y.outer), cmp.Compare(x.user.String(), y.user.String()), cmp.Compare(x.orig, y.orig), cmp.Compare(x.end, y.end))
	})
	out := a.tunnels[:0]
	for _, x := range a.tunnels {
		if n := len(out) - 1; x.end != 0 && n >= 0 {
			if o := &out[n]; o.inner == x.inner && o.outer == x.outer && o.user == x.user && o.end == 0 && o.t <= x.end {
				o.end, o.out, o.in = x.end, x.out, x.in
				continue
			}
		}
		if x.end == 0 {
			out = append(out, x)
		}
	}
	a.tunnels = out
	slices.SortStableFunc(a.tunnels, func(x, y tunnel) int { return cmp.Compare(x.t, y.t) })
	var refused []*contact
	for _, c := range a.contacts {
		if c.refused && c.kind == "logon" && a.hosts.List[c.src].External {
			refused = append(refused, c)
		}
	}
	seen := map[string]bool{}
	for i := range a.tunnels {
		x := &a.tunnels[i]
		key := x.user.Name + "|" + a.hosts.List[x.outer].Key
		x.news = !seen[key]
		seen[key] = true
		for _, c := range refused {
			if c.src == x.outer && c.first <= x.t && x.t-c.last <= int64(a.cfg.p.Contact) {
				x.fails += c.count
			}
		}
	}
}

// soleArrival reports whether src is the only host that had come to dst just
// before t.
func (a *analysis) soleArrival(dst int, t int64, src int) bool {
	l := a.arrivals[dst]
	i, _ := slices.BinarySearchFunc(l, t-int64(a.cfg.p.Exec)/2, func(x arrival, t int64) int { return cmp.Compare(x.t, t) })
	for ; i < len(l) && l[i].t <= t+1e9; i++ {
		if l[i].src != src {
			return false
		}
	}
	return true
}

// sessionsOn lists who was logged on to a host, in order of time.
func (a *analysis) sessionsOn(h int) []attackpath.Session {
	if l, ok := a.seats[h]; ok {
		return l
	}
	var out []attackpath.Session
	for _, x := range a.logonsInto[h] {
		user := a.st.Account(x.k.User)
		for i := range x.s.Conns {
			c := &x.s.Conns[i]
			shift, _ := a.clocks.Fix(c.Sensor)
			s := attackpath.Session{Host: h, User: user, From: a.hosts.Of(x.k.Src, c.T), T: c.T - shift, ID: c.Sess}
			if s.From == h {
				s.From = -1
			}
			switch c.Type {
			case 2, 7, 10, 11:
				s.Interactive = true
			}
			if end, ok := a.st.SessionEnd(x.k.Dst, c.Sess); ok && end >= c.T {
				s.End = end - shift
			}
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y attackpath.Session) int {
		return cmp.Or(cmp.Compare(x.T, y.T), cmp.Compare(x.ID, y.ID), cmp.Compare(x.From, y.From), cmp.Compare(x.User.String(), y.User.String()))
	})
	out = once(out)
	if a.seats == nil {
		a.seats, a.desks = map[int][]attackpath.Session{}, map[int][]attackpath.Session{}
	}
	a.seats[h] = out
	for _, s := range out {
		if s.Interactive && s.ID != 0 {
			a.desks[h] = append(a.desks[h], s)
		}
	}
	return out
}

// once leaves out sessions without a number where one with a number was opened
// by the same account from the same place at that time: the terminal service
// tells of a logon again.
func once(l []attackpath.Session) []attackpath.Session {
	out := make([]attackpath.Session, 0, len(l))
	for i, s := range l {
		again := func(o attackpath.Session) bool {
			return o.ID != 0 && o.From == s.From && attackpath.Same(o.User, s.User)
		}
		told := false
		if s.ID == 0 {
			for j := i - 1; j >= 0 && s.T-l[j].T <= sitting; j-- {
				told = told || again(l[j])
			}
			for j := i + 1; j < len(l) && l[j].T-s.T <= sitting; j++ {
				told = told || again(l[j])
			}
		}
		if !told {
			out = append(out, s)
		}
	}
	return out
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (a *analysis) baseline() incident.Baseline {
	n := float64(a.history.days)
	b := incident.Baseline{Days: n}
	args := map[string]string{"days": strconv.FormatFloat(n, 'f', 1, 64), "log_days": strconv.FormatFloat(a.days, 'f', 2, 64)}
	switch {
	case n == 0:
		b.Note = incident.Reason{Code: incident.BaselineNone, Args: args}
	case n < a.cfg.p.History:
		b.Note = incident.Reason{Code: incident.BaselineShort, Args: args}
	default:
		b.Note = incident.Reason{Code: incident.BaselineDays, Args: args}
	}
	return b
}

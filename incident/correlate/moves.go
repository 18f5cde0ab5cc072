// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// via is what a move is made of.
type via struct {
	kind     string
	contact  *contact
	channel  int // -1: none
	tunnel   int // -1: none
	port     uint16
	proto    uint8
	t, orig  int64
	unc      int64
	user     asset.Account
	causal   asset.Account
	grade    incident.Grade
	reasons  []incident.Reason
	evidence []fact.At
	deed     bool // its session is tied to a deed
	alike    bool // by the account and its address only
	capable  bool // by it, its user can make the other side do what he wants
	finding  *sign
}

// capable are the kinds of move after which the other machine obeys.
func capable(kind string) bool {
	switch kind {
	case "rdp", "winrm", "ssh", "vnc", "telnet", "service", "task", "wmi", "gpo", "web", "vpn":
		return true
	}
	return false
}

func (a *analysis) addMove(m attackpath.Move, v via) {
	a.moves, a.via = append(a.moves, m), append(a.via, v)
}

// inward adds the ways in from outside: channels that somebody holds the other
// end of, administrative protocols accepted from outside, tunnels, and requests
// to a web server that then showed a web shell.
func (a *analysis) inward() {
	for i := range a.channels {
		if x := &a.channels[i]; x.anomalous && x.score >= sure && (x.telling >= 2 || x.finding != nil) {
			a.addMove(x.move(), via{kind: "c2", channel: i, tunnel: -1, port: x.port, proto: x.proto, t: x.first, orig: x.contacts[0].orig,
				grade: incident.Observed, reasons: x.reasons, evidence: x.evidence, capable: true, finding: x.finding})
		}
	}
	for _, c := range a.contacts {
		if !a.hosts.List[c.src].External || a.hosts.List[c.dst].External || c.refused || !capable(c.kind) && c.share == "" && !c.logon || c.kind == "web" {
			continue
		}
		score, rs := a.lateral(c)
		plus(&score, &rs, a.cfg.w.FromOutside, incident.FromOutside, "address", a.hosts.List[c.src].Key)
		a.addMove(attackpath.Move{From: c.src, To: c.dst, T: c.first, Unc: c.unc, Score: score, Entry: true}, a.viaContact(c, rs))
	}
	a.webEntries()
}

// between scores the contacts of inside hosts. Contacts from an address that
// the VPN gave out, or from one that nobody knows, are ways in: the machine
// behind it is out of sight.
func (a *analysis) between() {
	for _, c := range a.contacts {
		src, dst := &a.hosts.List[c.src], &a.hosts.List[c.dst]
		if src.External || dst.External || c.refused || dst.Zone == asset.ZoneVPN {
			continue
		}
		entry := src.Zone == asset.ZoneVPN || a.stranger(c)
		if !entry && !capable(c.kind) && c.share == "" && !a.worth(c) {
			continue
		}
		if c.kind == "web" || c.kind == "other" && !a.alerted(c) {
			continue
		}
		score, rs := a.lateral(c)
		v := a.viaContact(c, rs)
		if entry {
			if n := a.tunnelOf(c); n >= 0 {
				x := &a.tunnels[n]
				v.tunnel = n
				if x.fails >= 3 {
					plus(&score, &v.reasons, a.cfg.w.AfterFails, incident.AfterFailures, "attempts", itoa(int64(x.fails)))
				}
				if f := round(a.cfg.w.FirstPair*scale(float64(x.t-a.first)/float64(dayNS)), 2); x.news && f > 0 {
					plus(&score, &v.reasons, f, incident.FirstTimePeer, "address", a.hosts.List[x.outer].Key, "account", x.user.String())
				}
			}
		}
		a.addMove(attackpath.Move{From: c.src, To: c.dst, T: c.first, Unc: c.unc, Score: score, Entry: entry}, v)
	}
}

// worth reports whether an ordinary contact deserves a look: its source was bad
// by then, or its destination showed a sign after it.
func (a *analysis) worth(c *contact) bool {
	if t, ok := a.badSince[c.src]; ok && t <= c.last+c.unc {
		return true
	}
	_, ok := a.badSince[c.dst]
	return ok || a.alerted(c)
}

func (a *analysis) alerted(c *contact) bool {
	return a.alertOn(c) != nil
}

func (a *analysis) viaContact(c *contact, rs []incident.Reason) via {
	v := via{kind: c.kind, contact: c, channel: -1, tunnel: -1, port: c.port, proto: c.proto, t: c.first, orig: c.orig, unc: c.unc, user: c.user,
		grade: incident.Observed, reasons: rs, evidence: c.evidence(), capable: capable(c.kind) || c.write || c.kind == "smb" && a.copies(c), finding: a.alertOn(c)}
	d, tied := a.deedOf(c)
	v.deed, v.alike = tied, d.alike
	if v.user.IsZero() {
		if t, ok := a.ticketFor(c); ok {
			v.user = t.user
			v.evidence = keepAt(slices.Clone(v.evidence), t.at)
		}
	}
	if o := a.origin(c, v.user); o.Switch {
		v.causal = o.User
	}
	return v
}

func (a *analysis) origin(c *contact, user asset.Account) attackpath.Origin {
	if user.IsZero() {
		return attackpath.Origin{}
	}
	return a.causal.Of(c.first, user, c.src, c.dst)
}

// ticketFor finds the ticket with which a connection was made: issued to its
// source for its destination, just before or while it began.
func (a *analysis) ticketFor(c *contact) (ticket, bool) {
	var best ticket
	ok := false
	for _, t := range a.tickets[pair{c.src, c.dst}] {
		if t.t >= c.first-int64(time.Minute) && t.t <= c.first+int64(10*time.Second) {
			best, ok = t, true
		}
	}
	if !ok { // a ticket lasts ten hours
		for _, t := range a.tickets[pair{c.src, c.dst}] {
			if t.t <= c.first && c.first-t.t <= int64(10*time.Hour) {
				best, ok = t, true
			}
		}
	}
	return best, ok
}

func (a *analysis) tunnelOf(c *contact) int {
	best := -1
	for i := range a.tunnels {
		if x := &a.tunnels[i]; x.inner == c.src && x.t <= c.first+c.unc+int64(time.Minute) && (x.end == 0 || x.end >= c.first) {
			best = i
		}
	}
	return best
}

// lateral is the score of a contact with its terms (attackpath.md §4.3).
func (a *analysis) lateral(c *contact) (float64, []incident.Reason) {
	w, p := a.cfg.w, c.past
	src, dst := &a.hosts.List[c.src], &a.hosts.List[c.dst]
	score := 0.0
	var rs []incident.Reason
	add := func(weight float64, code string, args ...string) {
		if weight != 0 {
			plus(&score, &rs, weight, code, args...)
		}
	}
	add(w.Bias, incident.Prior)
	days := decimal(round(p.days, 2))
	if p.pair == 0 {
		add(round(w.FirstPair*scale(p.days), 2), incident.FirstTimePair, "days", days)
	}
	if p.kind == 0 {
		add(round(w.NewKind*scale(p.days), 2), incident.NewKind, "kind", c.kind, "days", days)
	}
	if p.lone && p.days < 1 {
		add(round(w.Lone*(1-scale(p.days)), 2), incident.LoneSource)
	}
	if a.stranger(c) {
		add(round(w.NewMachine*scale(p.days), 2), incident.NewMachine, "address", src.Key, "days", days)
	}
	a.habit(c, p, add)
	if src.Has(asset.RoleScanner) {
		add(w.Scan, incident.KnownScanner)
	}
	if a.responder(src.Key) || a.responder(c.user.String()) || a.responder(c.user.Name) {
		add(w.Responder, incident.Responder)
	}
	if o := a.origin(c, c.user); o.Switch {
		before, own := a.switched(c, o.User), ownSecond(o.User, c.user)
		weight := w.Switch * (0.35 + 0.65*scale(p.days)) // without history a switch is news everywhere
		switch {
		case before > 0 || own:
			weight = w.Switch / 8
		case a.heldBy(c) || a.sitsAt(c):
		case !o.Clear || o.How == "recent_logon" || o.How == "owner": // several could be behind it, or nobody was there any more
			weight *= 0.3
		}
		add(round(weight, 2), incident.CredentialSwitch, "from", o.User.String(), "to", c.user.String(), "clear", yes(o.Clear), "days", itoa(int64(before)), "own", yes(own))
	}
	if a.privileged(c) {
		add(w.Privileged, incident.Privileged)
	}
	a.means(c, dst.Has(asset.RoleDC), add)
	if c.fails >= 3 {
		add(w.AfterFails, incident.AfterFailures, "attempts", itoa(int64(c.fails)))
	}
	if s := a.alertOn(c); s != nil {
		add(w.Alert*float64(min(s.level, detect.High)), incident.AlertOnEdge, "alert", s.what, "level", s.level.String())
	}
	if a.heldBy(c) {
		add(w.SourceBad, incident.SourceBad, "since", stamp(a.badSince[c.src]))
	}
	d, deed := a.deedOf(c)
	if deed {
		add(w.Session, incident.SessionDeed, "what", d.what, "on", a.hosts.List[d.host].Key, "steps", itoa(int64(d.steps)))
	}
	if s := a.firstSign(c.dst, c.first, c.unc); s != nil {
		a.lag(s.t-c.first, s.what, deed, add)
	} else if t, ok := a.badSince[c.dst]; ok && t-c.first > int64(a.cfg.p.Course) {
		a.lag(t-c.first, "", deed, add)
	}
	if n := a.harmless(c); n > 0 {
		add(round(w.Harmless*math.Log(float64(n))/math.Log(harmlessMin), 2), incident.HarmlessElsewhere, "hosts", itoa(int64(n)), "what", c.exec)
	}
	return score, rs
}

// heldBy reports that the source of c was under foreign control by then.
func (a *analysis) heldBy(c *contact) bool {
	t, ok := a.badSince[c.src]
	return ok && t <= c.first+c.unc
}

// lag is what the time between a move and the first sign of its destination
// says. Intruders act soon: of such times each doubling is about equally
// common, while honest visits come at any time. So the log-odds fall with the
// logarithm of the time, from DestSign within Params.After to QuietAfter after a
// day, and a little beyond. Of a session that is known to be the intruder's it
// says only that he looked.
func (a *analysis) lag(ns int64, what string, known bool, add func(float64, string, ...string)) {
	w := a.cfg.w
	soon, late := float64(a.cfg.p.After), float64(a.cfg.p.Course)
	share := math.Log(max(float64(ns), soon)/soon) / math.Log(late/soon)
	weight := round(max(w.DestSign+(w.QuietAfter-w.DestSign)*share, w.QuietAfter*4/3), 2)
	if weight > 0 {
		add(weight, incident.DestSign, "sign", what, "after_s", decimal(round(float64(ns)/1e9, 1)))
		return
	}
	if known {
		weight = round(weight*0.3, 2)
	}
	add(weight, incident.QuietAfter, "hours", decimal(round(float64(ns)/float64(time.Hour), 1)))
}

// switched counts the earlier days on which the same two accounts met on the
// source: Hopper asks whether the causal user had that access before.
func (a *analysis) switched(c *contact, causal asset.Account) int {
	days := map[int64]bool{}
	for _, x := range a.switchDays[switchKey{c.src, causal.Name, c.user.Name}] {
		if d := a.day(x); d < a.day(c.first) {
			days[d] = true
		}
	}
	return len(days)
}

// ownSecond reports that the names show one person: adm.chen and chen.
func ownSecond(a, b asset.Account) bool {
	x, y := a.Name, b.Name
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) < 4 || x == y {
		return false
	}
	i := strings.Index(y, x)
	if i < 0 {
		return false
	}
	// The shorter must stand apart: by itself or after a separator.
	edge := func(k int) bool { return k < 0 || k >= len(y) || strings.ContainsRune("._-$@", rune(y[k])) }
	return edge(i-1) && edge(i+len(x))
}

// stranger reports an interactive session from an inside address that has no
// name, no log and no past: a machine that nobody knows, which is as far as the
// trail can be followed.
func (a *analysis) stranger(c *contact) bool {
	src := &a.hosts.List[c.src]
	if !c.past.debut || c.past.days < 1 || src.Name != "" || src.OwnLog || src.External || src.Zone == asset.ZoneVPN {
		return false
	}
	return c.kind == "rdp" || c.kind == "ssh" || c.kind == "winrm" || c.kind == "vnc"
}

// habit lowers what the baseline knows: the pair itself, else what the source
// does with that account to many. Whoever holds the source keeps to its habits
// as he likes, so then they say little.
func (a *analysis) habit(c *contact, p past, add func(float64, string, ...string)) {
	w := a.cfg.w.Habit
	if _, ok := a.deedOf(c); ok {
		w *= 0.3
	} else if a.heldBy(c) || a.sitsAt(c) {
		w *= 0.5
	}
	switch {
	case a.adminPair(c):
		add(round(w, 2), incident.AdminPair)
	case p.pair >= 3:
		add(round(w, 2), incident.Habit, "days", itoa(int64(p.pair)))
	case p.pair > 0:
		add(round(w*(0.5+0.15*float64(p.pair)), 2), incident.Habit, "days", itoa(int64(p.pair)))
	case p.habit > 0 && p.targets >= 5:
		add(round(w, 2), incident.SourceHabit, "targets", itoa(int64(p.targets)), "days", itoa(int64(p.habit)))
	case p.habit > 0 && p.targets >= 2:
		add(round(w*0.7, 2), incident.SourceHabit, "targets", itoa(int64(p.targets)), "days", itoa(int64(p.habit)))
	case p.habit > 0 && !c.user.IsZero():
		add(round(w*0.4, 2), incident.SourceHabit, "targets", itoa(int64(p.targets)), "days", itoa(int64(p.habit)))
	}
}

// means adds what the move can do on the other side.
func (a *analysis) means(c *contact, dc bool, add func(float64, string, ...string)) {
	w := a.cfg.w
	switch {
	case c.kind == "service" || c.kind == "task" || c.kind == "wmi" || c.kind == "winrm":
		add(w.RemoteExec, incident.RemoteExec, "kind", c.kind, "what", c.exec)
		if c.write {
			add(w.AdminShare, incident.AdminShareWrite, "share", c.share)
		}
	case c.write:
		add(w.AdminShare, incident.AdminShareWrite, "share", c.share)
	case c.share != "" && c.in > 5*c.out:
		add(w.Plain, incident.PlainAccess) // it was read, as backups do
	case c.share != "":
		add(w.AdminShare/2, incident.AdminShareOpen, "share", c.share)
	case c.kind == "smb" && a.copies(c):
		add(w.AdminShare, incident.CopyToPeer, "bytes", itoa(c.out))
	case capable(c.kind):
		if (c.kind == "rdp" || c.kind == "ssh" || c.kind == "vnc") && a.offHours(c.first) {
			add(w.OffHours, incident.OffHours, "hour", itoa(int64(time.Unix(0, c.first).In(a.cfg.zone).Hour())))
		}
	case dc && domainPort(c):
		add(w.Domain, incident.DomainService)
	default:
		add(w.Plain, incident.PlainAccess)
	}
}

// domainPort reports what every member asks of a domain controller.
func domainPort(c *contact) bool {
	switch c.port {
	case 0, 53, 88, 123, 135, 139, 389, 445, 464, 636, 3268, 3269:
		return true
	}
	return c.kind == "rpc" || c.port >= 49152
}

// copies reports a large copy to a machine that serves its shares to nobody
// else.
func (a *analysis) copies(c *contact) bool {
	if c.out < megabyte || c.out < 5*c.in {
		return false
	}
	return !a.hosts.List[c.dst].Has(asset.RoleFile) && !a.hosts.List[c.dst].Has(asset.RoleDC) && a.soleClient(c.dst, c.src)
}

// soleClient reports whether nobody but src uses the shares of dst.
func (a *analysis) soleClient(dst, src int) bool {
	return len(a.clients[dst]) == 1 && a.clients[dst][src]
}

func (a *analysis) offHours(t int64) bool {
	at := time.Unix(0, t).In(a.cfg.zone)
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		return true
	}
	return at.Hour() < a.cfg.p.WorkBegin || at.Hour() >= a.cfg.p.WorkEnd
}

func (a *analysis) privileged(c *contact) bool {
	id, ok := a.st.NodeID(fact.Node{Name: a.hosts.List[c.dst].Name})
	if !ok {
		return false
	}
	for _, s := range c.sessions() {
		if a.st.Privileged(id, s) {
			return true
		}
	}
	return false
}

// alertOn is the strongest finding that names both ends of a contact while it
// lasts.
func (a *analysis) alertOn(c *contact) *sign {
	var best *sign
	look := func(host, peer int) {
		for i := range a.signs[host] {
			s := &a.signs[host][i]
			if s.peer != peer || s.t < c.first-int64(time.Minute) || s.t > c.last+int64(time.Minute) || s.level < detect.Low || attempt(s.step) {
				continue
			}
			if best == nil || s.level > best.level {
				best = s
			}
		}
	}
	look(c.dst, c.src)
	look(c.src, c.dst)
	return best
}

// firstSign is the first telling sign of a host soon after t, if it had shown
// none before.
func (a *analysis) firstSign(h int, t, unc int64) *sign {
	from := t - unc - int64(5*time.Second)
	for i := range a.signs[h] {
		s := &a.signs[h][i]
		if attempt(s.step) || s.weight < 1 || s.observer != "" {
			continue
		}
		if s.t < from {
			if from-s.t < int64(a.cfg.p.Course) {
				return nil
			}
			continue
		}
		if s.t <= t+int64(a.cfg.p.Course) {
			return s
		}
		return nil
	}
	return nil
}

func (a *analysis) adminPair(c *contact) bool {
	end := func(want string, h int) bool {
		if want == "*" || asset.HostName(want) == a.hosts.List[h].Key {
			return true
		}
		p, err := netip.ParsePrefix(want)
		for _, x := range a.hosts.List[h].Addrs {
			if err == nil && p.Contains(x) || x.String() == want {
				return true
			}
		}
		return false
	}
	for _, p := range a.cfg.Topology.AdminPairs {
		if end(p.Src, c.src) && end(p.Dst, c.dst) && (p.Account == "*" || p.Account == "" || attackpath.Same(asset.ParseAccount("", p.Account), c.user)) {
			return true
		}
	}
	return false
}

func (a *analysis) responder(name string) bool {
	if name == "" {
		return false
	}
	for _, r := range a.cfg.Responders {
		if asset.HostName(r) == name || asset.ParseAccount("", r).String() == name {
			return true
		}
	}
	return false
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stamp writes a time for an argument of a Reason.
func stamp(t int64) string {
	return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

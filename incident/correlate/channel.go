// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/incident"
	"citywall/incident/attackpath"
	"citywall/incident/fact"
)

// channel is everything between an inside host and one port of an outside
// address.
type channel struct {
	src, dst    int
	port        uint16
	proto       uint8
	contacts    []*contact // in order of time
	first, last int64
	count       int
	out, in     int64
	longest     int64
	times       []int64
	score       float64
	reasons     []incident.Reason
	telling     int // signs that say more than that it is new or rare
	evidence    []fact.At
	sensors     []fact.ID
	upload      int64
	uploadPlain bool
	finding     *sign // the strongest about this very channel
	tool        *sign // of a program for control from afar, just before it began
	anomalous   bool
}

// common are ports that programs of every office use towards the outside.
var common = map[uint16]bool{
	20: true, 21: true, 22: true, 25: true, 53: true, 80: true, 110: true, 123: true, 143: true, 443: true, 465: true, 587: true, 853: true,
	993: true, 995: true, 1194: true, 500: true, 4500: true, 3478: true, 5222: true, 5223: true, 5228: true, 1935: true, 3389: true,
}

// alternate are second ports of the web.
var alternate = map[uint16]bool{8080: true, 8443: true, 8000: true, 8888: true, 8008: true, 4443: true, 8081: true}

// sure is the score from which a channel may be the first that is seen of an
// intrusion.
const sure = 2

// strong is the score from which a channel by itself says that its host is in
// other hands.
const strong = 3

const (
	megabyte = 1 << 20
	exfilMin = 50 * megabyte // attackpath.md §6: what counts as much
)

// outward scores the channels to the outside.
func (a *analysis) outward() {
	index := map[[4]int]int{}
	for _, c := range a.contacts {
		if a.hosts.List[c.src].External || !a.hosts.List[c.dst].External || c.refused || !c.flow || c.proto == 17 && (c.port == 53 || c.port == 123) {
			continue
		}
		k := [4]int{c.src, c.dst, int(c.port), int(c.proto)}
		n, ok := index[k]
		if !ok {
			n = len(a.channels)
			index[k] = n
			a.channels = append(a.channels, channel{src: c.src, dst: c.dst, port: c.port, proto: c.proto, first: c.first})
		}
		x := &a.channels[n]
		x.contacts = append(x.contacts, c)
		x.last, x.count, x.longest = max(x.last, c.last), x.count+c.count, max(x.longest, c.longest)
		x.out, x.in = x.out+c.out, x.in+c.in
		x.times = append(x.times, c.times()...)
		for _, e := range c.evidence() {
			x.evidence = keepAt(x.evidence, e)
		}
		for _, s := range c.sensors() {
			if !slices.Contains(x.sensors, s) {
				x.sensors = append(x.sensors, s)
			}
		}
	}
	visitors := map[int]int{} // inside hosts per outside address
	seen := map[pair]bool{}
	for i := range a.channels {
		x := &a.channels[i]
		if !seen[pair{x.src, x.dst}] {
			seen[pair{x.src, x.dst}] = true
			visitors[x.dst]++
		}
	}
	names := a.namesVisible()
	for i := range a.channels {
		a.weigh(&a.channels[i], visitors[a.channels[i].dst], names)
	}
	a.share()
	slices.SortFunc(a.channels, func(x, y channel) int {
		return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.src, y.src), cmp.Compare(x.dst, y.dst), cmp.Compare(x.port, y.port), cmp.Compare(x.proto, y.proto))
	})
	for i := range a.channels {
		x := &a.channels[i]
		x.anomalous = x.score >= a.cfg.w.Channel && x.telling > 0
		if x.anomalous && x.telling >= 2 && x.score >= strong {
			a.setBad(x.src, x.first)
		}
	}
}

// namesVisible lists the hosts whose questions to a resolver we can see.
func (a *analysis) namesVisible() map[int]bool {
	out := map[int]bool{}
	for h, l := range a.hostMarks {
		for _, m := range l {
			if m.label == fact.Lookup {
				out[h] = true
				break
			}
		}
	}
	return out
}

// plus adds a term to a score.
func plus(score *float64, rs *[]incident.Reason, w float64, code string, args ...string) {
	*score += w
	r := incident.Reason{Code: code, Plus: w}
	for i := 0; i+1 < len(args); i += 2 {
		if r.Args == nil {
			r.Args = map[string]string{}
		}
		r.Args[args[i]] = args[i+1]
	}
	*rs = append(*rs, r)
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

// scale is how much n days of history let one say "never".
func scale(days float64) float64 { return max(0, days) / (max(0, days) + 1) }

func (a *analysis) weigh(x *channel, visitors int, names map[int]bool) {
	w := a.cfg.w
	add := func(weight float64, code string, args ...string) { plus(&x.score, &x.reasons, weight, code, args...) }
	telling := func(weight float64, code string, args ...string) {
		x.telling++
		add(weight, code, args...)
	}
	p := x.contacts[0].past
	add(w.Bias, incident.Prior)
	if f := round(w.FirstPair*scale(p.days), 2); f > 0 {
		add(f, incident.FirstTimePair, "days", decimal(round(p.days, 2)))
	}
	if visitors == 1 && p.days < 1 {
		add(round(w.Lone*(1-scale(p.days)), 2), incident.LoneSource)
	}
	if visitors >= 5 {
		add(w.Popular, incident.Popular, "hosts", itoa(int64(visitors)))
	}
	habit := 0
	for _, c := range x.contacts {
		habit = max(habit, c.past.pair)
	}
	switch {
	case habit >= 3 || a.timetable(x):
		add(w.Habit, incident.Habit, "days", itoa(int64(habit)))
	case p.pair > 0:
		add(w.Habit*0.7, incident.Habit, "days", itoa(int64(p.pair)))
	}
	switch {
	case alternate[x.port]:
		add(w.AltPort, incident.AltPort, "port", itoa(int64(x.port)))
	case !common[x.port]:
		telling(w.OddPort, incident.OddPort, "port", itoa(int64(x.port)))
	}
	addr := a.hosts.List[x.dst].Addr()
	if names[x.src] && a.st.NameOf(addr) == "" {
		f := w.NoName
		if x.first-a.first < int64(time.Hour) {
			f /= 2 // the question may have been asked before the log begins
		}
		telling(f, incident.NoName)
	}
	a.weighMarks(x, telling)
	if med, spread, n := regularity(x.times); n >= 20 && spread < 0.2 {
		telling(w.Regular, incident.RegularBeacon, "median_s", decimal(round(med, 3)), "spread", decimal(round(spread, 3)), "connections", itoa(int64(n+1)))
	}
	if rate := busiest(x.times, int64(10*time.Minute)); rate >= 100 {
		add(w.Busy, incident.Busy, "connections", itoa(int64(rate)), "minutes", "10")
	}
	if x.longest >= int64(10*time.Minute) {
		add(w.Long, incident.LongSession, "seconds", itoa(x.longest/1e9))
	}
	if x.out >= exfilMin && x.out >= 5*x.in && !a.timetable(x) {
		telling(w.Upload, incident.Upload, "bytes", itoa(x.out))
		x.upload = max(x.upload, x.out)
	}
	if s := a.toolBefore(x); s != nil && visitors < 5 {
		x.tool = s
		telling(w.AfterTool, incident.CalledAfterTool, "tool", s.what, "after_s", decimal(round(float64(x.first-s.t)/1e9, 1)))
	}
	a.weighFindings(x, telling)
}

// timetable reports a channel that is used on every day from the first of the
// log on, on each at about the same time and for about the same amount, as
// backups are. What begins later has no such excuse: some steal by the clock.
func (a *analysis) timetable(x *channel) bool {
	if x.first-a.first >= dayNS {
		return false
	}
	type use struct{ at, out int64 }
	days := map[int64]use{}
	for _, c := range x.contacts {
		d := a.day(c.first)
		u, ok := days[d]
		if !ok {
			u.at = c.first
		}
		u.out += c.out
		days[d] = u
	}
	if len(days) < 2 || len(days) < int((x.last-x.first)/dayNS) {
		return false
	}
	first := days[a.day(x.first)]
	for _, u := range days {
		apart := abs(u.at-first.at) % dayNS
		if min(apart, dayNS-apart) > int64(90*time.Minute) || u.out > 6*first.out || first.out > 6*u.out {
			return false
		}
	}
	return true
}

// callsHome is within what time of its first sign a program for control from
// afar calls its maker or its master.
const callsHome = int64(5 * time.Minute)

// toolBefore is the sign of such a program on the source just before the first
// connection of a channel that the source never had before.
func (a *analysis) toolBefore(x *channel) *sign {
	if x.first-a.first < int64(time.Hour) {
		return nil
	}
	for i := range a.signs[x.src] {
		if s := &a.signs[x.src][i]; s.step == detect.StepControl && s.peer < 0 && s.level >= detect.Low && x.first >= s.t-int64(5*time.Second) && x.first-s.t <= callsHome {
			return s
		}
	}
	return nil
}

// weighMarks adds what sensors noted about the very connection.
func (a *analysis) weighMarks(x *channel, telling func(float64, string, ...string)) {
	w := a.cfg.w
	had := map[fact.Label]bool{}
	var uploaded, fetched int64
	for _, m := range a.pairMarks[pair{x.src, x.dst}] {
		if m.port != x.port {
			continue
		}
		switch m.label {
		case fact.HTTPUpload:
			uploaded += m.m.Bytes
		case fact.HTTPBinary:
			fetched += m.m.Bytes
		}
		if !had[m.label] {
			had[m.label] = true
			switch m.label {
			case fact.BadCert:
				telling(w.BadCert, incident.BadCertificate, "verdict", m.detail)
			case fact.BareSNI:
				telling(w.BareSNI, incident.BareSNI)
			case fact.RemoteAlert:
				if a.findingOn(x) != nil {
					break // told as a finding
				}
				telling(w.Alert, incident.AlertOnEdge, "alert", m.detail)
			}
			for _, e := range m.m.Earliest[:1] {
				x.evidence = keepAt(x.evidence, e)
			}
		}
	}
	if uploaded >= megabyte {
		telling(w.Upload, incident.Upload, "bytes", itoa(uploaded))
		x.upload, x.uploadPlain = max(x.upload, uploaded), true
	}
	if fetched > 0 {
		telling(w.Binary, incident.BinaryFetched, "bytes", itoa(fetched))
	}
}

// weighFindings adds the strongest finding about the very connection, and keeps
// it for the technique.
func (a *analysis) weighFindings(x *channel, telling func(float64, string, ...string)) {
	if best := a.findingOn(x); best != nil {
		telling(a.cfg.w.Alert*float64(best.level), incident.AlertOnEdge, "alert", best.what, "level", best.level.String())
		x.finding = best
	}
}

func (a *analysis) findingOn(x *channel) *sign {
	var best *sign
	for i := range a.signs[x.src] {
		s := &a.signs[x.src][i]
		if s.peer != x.dst || s.port != 0 && s.port != x.port || s.level < detect.Low || s.step == detect.StepRecon {
			continue
		}
		if best == nil || s.level > best.level {
			best = s
		}
	}
	return best
}

// share raises channels whose outside address is used by another suspicious
// channel, once.
func (a *analysis) share() {
	w := a.cfg.w
	by := map[int]int{} // address: channels that are suspicious by themselves
	for i := range a.channels {
		if x := &a.channels[i]; x.score >= w.Channel && x.telling >= 1 {
			by[x.dst]++
		}
	}
	for i := range a.channels {
		x := &a.channels[i]
		n := by[x.dst]
		if x.score >= w.Channel && x.telling >= 1 {
			n--
		}
		if n > 0 && x.score > -2 {
			plus(&x.score, &x.reasons, w.SharedBad, incident.SharedAddress, "channels", itoa(int64(n)))
		}
	}
}

// regularity is the median gap in seconds and MAD of gaps over median, with the
// number of gaps. Connections within a second are one call.
func regularity(times []int64) (median, spread float64, n int) {
	t := slices.Clone(times)
	slices.Sort(t)
	var gaps []float64
	for i := 1; i < len(t); i++ {
		gaps = append(gaps, float64(t[i]-t[i-1])/1e9)
	}
	if len(gaps) == 0 {
		return 0, 1, 0
	}
	m := middle(gaps)
	dev := make([]float64, len(gaps))
	for i, g := range gaps {
		dev[i] = math.Abs(g - m)
	}
	if m == 0 {
		return 0, 1, len(gaps)
	}
	return m, middle(dev) / m, len(gaps)
}

func middle(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}

// busiest is the largest number of starts within a window.
func busiest(times []int64, window int64) int {
	t := slices.Clone(times)
	slices.Sort(t)
	best, lo := 0, 0
	for hi := range t {
		for t[hi]-t[lo] > window {
			lo++
		}
		best = max(best, hi-lo+1)
	}
	return best
}

// channelMove makes a channel a way in: whoever holds the other end holds the
// host, at the latest from the first call on.
func (x *channel) move() attackpath.Move {
	return attackpath.Move{From: x.dst, To: x.src, T: x.first, Score: x.score, Entry: true, Effect: true}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// stage is where a script is laid out: moments, and what the intruder does at
// each. The same seed gives the same moments and the same deeds, so a script
// can be laid out twice: once to learn the truth, once to be played.
type stage struct {
	s       *act.Scene
	c       *city.City
	seed    uint64
	r       *rand.Rand // for the layout
	begin   time.Time  // first compromise, before jitter
	dwell   time.Duration
	opt     *Options
	end     time.Time // of the last deed
	truth   *Truth
	beats   []beat
	now     time.Time                // true time of the deed being done
	relayed map[netip.Addr]bool      // outside addresses that are relays of a remote-management tool
	fell    map[*city.Host]time.Time // when a host stops doing its work: encrypted, or its service destroyed
}

// beat is one deed.
type beat struct {
	at time.Time
	do func(t time.Time)
}

// newStage lays out a script on a scene.
func newStage(s *act.Scene, opt Options, play func(*stage)) *stage {
	g := &stage{
		s: s, c: s.City, opt: &opt, seed: opt.Seed, r: rand.New(rand.NewPCG(opt.Seed, 0xa77ac4)), begin: opt.Attack, dwell: opt.Dwell,
		truth: &Truth{Seed: opt.Seed}, relayed: map[netip.Addr]bool{}, fell: map[*city.Host]time.Time{},
	}
	play(g)
	slices.SortStableFunc(g.beats, func(a, b beat) int { return a.at.Compare(b.at) })
	return g
}

// at puts a deed on the timetable. It gets its own source of chance, so that
// deeds do not depend on each other's draws.
func (g *stage) at(t time.Time, do func(r *rand.Rand, t time.Time)) {
	n := uint64(len(g.beats))
	g.beats = append(g.beats, beat{t, func(t time.Time) {
		g.now = t
		do(rand.New(rand.NewPCG(g.seed, 0xbea7<<32+n)), t)
	}})
	if t.After(g.end) {
		g.end = t
	}
}

// when is the moment at a share of the dwell time, give or take 0.8 percent:
// less than half of what lies between two deeds that need each other.
func (g *stage) when(share float64) time.Time {
	return g.begin.Add(time.Duration((share + (g.r.Float64()-0.5)*0.016) * float64(g.dwell)))
}

// hop notes a move. One of which no record is left goes to what is lost.
func (g *stage) hop(seen act.Seen, src, dst act.End, port uint16, user *city.Account, kind, technique string) {
	h := TruthHop{Time: seen.At, Src: src.Key(), SrcAddr: src.Addr, SrcPort: seen.Port, Dst: dst.Key(), DstAddr: dst.Addr, DstPort: port, Kind: kind, Technique: technique, Seen: sightings(seen)}
	if user != nil {
		h.User = user.String()
	}
	same := func(x TruthHop) bool { return x.Src == h.Src && x.Dst == h.Dst && x.Kind == h.Kind }
	if slices.ContainsFunc(g.truth.Hops, same) { // the first connection of a kind between two ends is the move
		return
	}
	lost := slices.IndexFunc(g.truth.Lost, same)
	switch {
	case !seen.IsZero():
		g.truth.Hops = append(g.truth.Hops, h)
		if lost >= 0 { // a later connection of the same move is on record
			g.truth.Lost = slices.Delete(g.truth.Lost, lost, lost+1)
		}
	case lost < 0:
		h.Time = g.now.UTC()
		g.truth.Lost = append(g.truth.Lost, h)
	}
}

// sightings names who has it on record, each sensor or machine once.
func sightings(seen act.Seen) []TruthSeen {
	var out []TruthSeen
	for _, b := range seen.By {
		s := TruthSeen{Source: b.Source.Name, Computer: b.Source.Computer, Stamp: b.Stamp}
		if !slices.ContainsFunc(out, func(x TruthSeen) bool { return x.Source == s.Source && x.Computer == s.Computer }) {
			out = append(out, s)
		}
	}
	return out
}

// step notes a step on a host, if it was recorded.
func (g *stage) step(seen act.Seen, h *city.Host, step, technique string) {
	if seen.IsZero() {
		return
	}
	g.truth.Steps = append(g.truth.Steps, TruthStep{Time: seen.At, Host: h.Key(), Step: step, Technique: technique, Seen: sightings(seen)})
}

// anchor notes that the encryption of a host begins.
func (g *stage) anchor(seen act.Seen, h *city.Host) {
	g.step(seen, h, "encryption", "T1486")
	if !seen.IsZero() {
		g.truth.Anchors = append(g.truth.Anchors, seen.At)
	}
}

// own notes that a host is in the intruder's hands from then on. It is so even
// when no record of the moment is left: then from the true time.
func (g *stage) own(seen act.Seen, h *city.Host) {
	t := seen.At
	if t.IsZero() {
		t = g.now.UTC()
	}
	for _, x := range g.truth.Hosts {
		if x.Host == h.Key() {
			return
		}
	}
	g.truth.Hosts = append(g.truth.Hosts, TruthHost{Host: h.Key(), Addr: h.Addr, First: t})
}

// entry notes the way in: the first time. Time is the moment of the first host,
// as in own.
func (g *stage) entry(seen act.Seen, e TruthEntry) {
	if g.truth.Entry.Host != "" {
		return
	}
	if e.Time = seen.At; seen.IsZero() {
		e.Time = g.now.UTC()
	}
	e.Seen = sightings(seen)
	g.truth.Entry = e
}

// used notes an account in the intruder's hands.
func (g *stage) used(a *city.Account) {
	if !slices.Contains(g.truth.Accounts, a.String()) {
		g.truth.Accounts = append(g.truth.Accounts, a.String())
	}
}

// suspect notes an outside address of the intruder's.
func (g *stage) suspect(a netip.Addr) {
	if !slices.Contains(g.truth.Suspicious, a) {
		g.truth.Suspicious = append(g.truth.Suspicious, a)
	}
}

// outsider draws an address of the documentation ranges that no web site has.
func (g *stage) outsider() netip.Addr {
	for {
		a := netip.AddrFrom4([4]byte{203, 0, 113, byte(2 + g.r.IntN(120))})
		if g.r.IntN(2) == 0 {
			a = netip.AddrFrom4([4]byte{198, 51, 100, byte(125 + g.r.IntN(125))})
		}
		if !slices.Contains(g.truth.Suspicious, a) {
			g.suspect(a)
			return a
		}
	}
}

// word makes a name that means nothing.
func (g *stage) word(n int) string {
	const consonants, vowels = "bcdfghjklmnprstvz", "aeiou"
	var b strings.Builder
	for i := range n {
		if i%2 == 0 {
			b.WriteByte(consonants[g.r.IntN(len(consonants))])
		} else {
			b.WriteByte(vowels[g.r.IntN(len(vowels))])
		}
	}
	return b.String()
}

// seconds is a duration of about n seconds.
func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

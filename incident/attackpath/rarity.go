// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"math"
	"math/bits"
)

// Rarity counts on which days of a clean period something happened. At most
// MaxDays days are told apart; the caller chooses which.
type Rarity struct {
	days  int
	quad  map[quad]uint64
	kinds map[srcKind]uint64
	in    map[int]uint64 // days on which a host was reached by a new peer
	out   map[int]uint64 // days on which a host reached a new peer
	pairs map[[2]int]int // first day of a pair
}

// MaxDays bounds the baseline.
const MaxDays = 64

type quad struct {
	src, dst   int
	user, kind string
}

type srcKind struct {
	src  int
	kind string
}

// NewRarity starts a baseline of that many days.
func NewRarity(days int) *Rarity {
	return &Rarity{
		days: min(days, MaxDays), quad: map[quad]uint64{}, kinds: map[srcKind]uint64{},
		in: map[int]uint64{}, out: map[int]uint64{}, pairs: map[[2]int]int{},
	}
}

// Add notes that it happened on day d, 0 ≤ d < days. Days outside are not of
// the baseline and are passed over.
func (r *Rarity) Add(src, dst int, user, kind string, d int) {
	if d < 0 || d >= r.days {
		return
	}
	bit := uint64(1) << d
	r.quad[quad{src, dst, user, kind}] |= bit
	r.kinds[srcKind{src, kind}] |= bit
	p := [2]int{src, dst}
	if old, ok := r.pairs[p]; !ok || d < old {
		r.pairs[p] = d
	}
}

// Close computes who met new peers when. Call it once after the last Add.
func (r *Rarity) Close() {
	for p, d := range r.pairs {
		r.out[p[0]] |= 1 << d
		r.in[p[1]] |= 1 << d
	}
}

// Days is the length of the baseline.
func (r *Rarity) Days() int { return r.days }

// M is how usual the move is for its source, in (0,1].
func (r *Rarity) M(src, dst int, user, kind string) float64 {
	with := float64(bits.OnesCount64(r.quad[quad{src, dst, user, kind}]))
	all := float64(bits.OnesCount64(r.kinds[srcKind{src, kind}]))
	return (with + 0.5) / (all + 1)
}

// DaysOf is the number of baseline days with this very move.
func (r *Rarity) DaysOf(src, dst int, user, kind string) int {
	return bits.OnesCount64(r.quad[quad{src, dst, user, kind}])
}

// KindDays is the number of baseline days on which src used the kind at all.
func (r *Rarity) KindDays(src int, kind string) int {
	return bits.OnesCount64(r.kinds[srcKind{src, kind}])
}

// Factor is IN(src)·M·OUT(dst) of one move.
func (r *Rarity) Factor(src, dst int, user, kind string) float64 {
	return r.calm(r.in[src]) * r.M(src, dst, user, kind) * r.calm(r.out[dst])
}

func (r *Rarity) calm(news uint64) float64 {
	if r.days == 0 {
		return 1
	}
	n := float64(r.days)
	return max((n-float64(bits.OnesCount64(news)))/n, 0.5/n) // never 0: the root must stay defined
}

// Anomaly is 1 − path^(1/hops) for the factors of a path's moves.
func Anomaly(factors []float64) float64 {
	if len(factors) == 0 {
		return 0
	}
	sum := 0.0
	for _, f := range factors {
		sum += math.Log(f)
	}
	return 1 - math.Exp(sum/float64(len(factors)))
}

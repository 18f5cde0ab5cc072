// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package score

import (
	"slices"
	"time"

	"citywall/asset"
	"citywall/exercise"
	"citywall/incident"
)

// class folds kinds that the same records may be called by: a program copied
// to ADMIN$ and started as a service is one move over one connection, whether
// it is named after the share, the copy or the service.
func class(kind string) string {
	switch kind {
	case "smb", "service", "transfer", "task":
		return "smb"
	case "wmi", "rpc":
		return "wmi"
	}
	return kind
}

// meets reports whether both ends of a found move are those of a true one.
func meets(h incident.Hop, t exercise.TruthHop) bool {
	return end(h.Src, t.Src, t.SrcAddr.String()) && end(h.Dst, t.Dst, t.DstAddr.String())
}

func end(e incident.Endpoint, name, addr string) bool {
	if n := asset.HostName(e.Host); n != "" && (n == name || n == addr) {
		return true
	}
	return e.Addr.IsValid() && e.Addr.String() == addr
}

// near is how far in time a found move may lie from a true one to be it: Near,
// and what the move itself says that it is uncertain by.
func near(h incident.Hop) time.Duration { return Near + h.Uncertainty }

// hops pairs found moves with true ones. Each true move takes the found one of
// its ends and class that is nearest in time and not yet taken. What is left
// over is held against the moves whose records are lost.
func (r *Result) hops(t exercise.Truth, in incident.Incident) {
	taken := make([]bool, len(in.Hops))
	var apart []time.Duration
	var order []int // found index, in true order
	for _, want := range t.Hops {
		if j, d := nearest(in.Hops, taken, want); j >= 0 {
			taken[j] = true
			order, apart = append(order, j), append(apart, d)
		} else {
			r.MissedHops = append(r.MissedHops, want)
		}
	}
	r.HopRecall = ratio(len(order), len(t.Hops))
	real := slices.Clone(taken)
	for _, want := range t.Lost {
		if j, _ := nearest(in.Hops, real, want); j >= 0 {
			real[j] = true
		}
	}
	met, right, good := 0, 0, 0
	r.Graded = map[incident.Grade]Share{}
	for j, h := range in.Hops {
		ends, kind := false, real[j]
		for _, want := range slices.Concat(t.Hops, t.Lost) {
			if meets(h, want) {
				ends = true
				kind = kind || class(h.Kind) == class(want.Kind)
			}
		}
		if ends {
			met++
			if kind {
				right++
			}
		} else if h.Grade == incident.Observed {
			r.Invented++
		}
		g := r.Graded[h.Grade]
		g.Of++
		if real[j] {
			good++
			g.True++
		} else {
			r.ExtraHops = append(r.ExtraHops, h)
		}
		r.Graded[h.Grade] = g
	}
	r.HopPrecision, r.KindRight = ratio(good, len(in.Hops)), ratio(right, met)
	r.Tau = kendall(order)
	if len(order) < 2 && len(t.Hops) >= 2 {
		r.Tau = 0
	}
	if len(apart) > 0 {
		slices.Sort(apart)
		r.HopError = apart[len(apart)/2]
	}
}

// nearest finds the move not taken yet that is want, -1 for none.
func nearest(hops []incident.Hop, taken []bool, want exercise.TruthHop) (int, time.Duration) {
	best, dist := -1, time.Duration(0)
	for j, h := range hops {
		if taken[j] || !meets(h, want) || class(h.Kind) != class(want.Kind) {
			continue
		}
		if d := h.Time.Sub(want.Time).Abs(); d <= near(h) && (best < 0 || d < dist) {
			best, dist = j, d
		}
	}
	return best, dist
}

// kendall is the rank correlation of a sequence with its sorted self:
// concordant minus discordant pairs, over all pairs. Fewer than two give 1.
func kendall(seq []int) float64 {
	n, sum := 0, 0
	for i := range seq {
		for j := i + 1; j < len(seq); j++ {
			n++
			if seq[i] < seq[j] {
				sum++
			} else {
				sum--
			}
		}
	}
	if n == 0 {
		return 1
	}
	return float64(sum) / float64(n)
}

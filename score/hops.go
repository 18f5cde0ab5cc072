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

// hops pairs found moves with true ones. Each true move takes the found one of
// its ends and class that is nearest in time and not yet taken.
func (r *Result) hops(t exercise.Truth, in incident.Incident) {
	taken := make([]bool, len(in.Hops))
	pair := make([]int, len(t.Hops)) // index of the found move, -1 for none
	var apart []time.Duration
	var order []int // found index, in true order
	for i, want := range t.Hops {
		pair[i] = -1
		near := Near + 1
		for j, h := range in.Hops {
			if taken[j] || !meets(h, want) || class(h.Kind) != class(want.Kind) {
				continue
			}
			if d := h.Time.Sub(want.Time).Abs(); d <= Near && d < near {
				near, pair[i] = d, j
			}
		}
		if j := pair[i]; j >= 0 {
			taken[j] = true
			order = append(order, j)
			apart = append(apart, near)
		} else {
			r.MissedHops = append(r.MissedHops, want)
		}
	}
	r.HopRecall = ratio(len(order), len(t.Hops))
	met, right := 0, 0
	for j, h := range in.Hops {
		ends, kind := false, taken[j]
		for _, want := range t.Hops {
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
		if !taken[j] {
			r.ExtraHops = append(r.ExtraHops, h)
		}
	}
	r.HopPrecision, r.KindRight = ratio(len(order), len(in.Hops)), ratio(right, met)
	r.Tau = kendall(order)
	if len(order) < 2 && len(t.Hops) >= 2 {
		r.Tau = 0
	}
	if len(apart) > 0 {
		slices.Sort(apart)
		r.HopError = apart[len(apart)/2]
	}
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

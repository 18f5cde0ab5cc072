// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

// Reach returns the earliest time at which each host can have been reached from
// the given hosts, by moves for which use says so. use is asked once per move
// whose source was reached in time, in order of time.
func (g *Graph) Reach(from map[int]int64, use func(i int, since int64) bool) map[int]int64 {
	got := make(map[int]int64, len(from))
	for h, t := range from {
		got[h] = t
	}
	for n := len(g.order) - 1; n >= 0; n-- {
		i := g.order[n]
		m := &g.moves[i]
		since, ok := got[m.From]
		if m.Entry || !ok || m.T+m.Unc < since || !use(i, since) {
			continue
		}
		if old, ok := got[m.To]; !ok || m.T < old {
			got[m.To] = m.T
		}
	}
	return got
}

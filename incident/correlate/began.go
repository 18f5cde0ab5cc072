// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

// When an intrusion began is known no better than the visits that could have
// been its first. A visit that a record ties to a deed is his. Of several that
// look alike, one is chosen for the path; the interval has to hold them all.

// surelyBegan is the first moment from which somebody was in the thread's hosts
// beyond doubt, 0 when that is where the thread begins: the way in is tied to a
// deed by its own session, or is the only visit of its kind. Else it is the first
// sign of any of the hosts, or the first move that is tied to a deed.
func (a *analysis) surelyBegan(t *thread) int64 {
	sure := int64(0)
	take := func(at int64) {
		if at >= t.began && (sure == 0 || at < sure) {
			sure = at
		}
	}
	for h, since := range t.comp {
		for i := range a.signs[h] {
			if s := &a.signs[h][i]; s.t >= since && !attempt(s.step) && s.weight >= 1 && s.observer == "" && !a.background(s) {
				take(s.t)
				break
			}
		}
	}
	for i := range t.moves {
		if v := &a.via[i]; v.deed && !v.alike {
			take(a.moves[i].T)
		}
	}
	for _, i := range t.entries {
		m, v := &a.moves[i], &a.via[i]
		if m.To != t.root || m.T > t.began+m.Unc {
			continue
		}
		if v.deed && !v.alike || len(a.alike(i, max(sure, m.T))) <= 1 {
			return 0
		}
	}
	if len(t.entries) == 0 && sure == 0 {
		return 0
	}
	return sure
}

// alike are the times up to t at which somebody came as by move i: through a
// tunnel of the same account from the same address, else from the same machine
// in the same way.
func (a *analysis) alike(i int, t int64) []int64 {
	m, v := &a.moves[i], &a.via[i]
	var out []int64
	add := func(at int64) {
		if at > t+m.Unc {
			return
		}
		for _, o := range out {
			if abs(o-at) <= sitting {
				return
			}
		}
		out = append(out, at)
	}
	for _, c := range a.contacts {
		if c.refused || c.dst != m.To || v.contact == nil || c.kind != v.contact.kind {
			continue
		}
		switch {
		case v.tunnel < 0:
			if c.src == m.From {
				add(c.first)
			}
		case c.src == v.contact.src:
			n := a.tunnelAt(c.src, c.first)
			x := &a.tunnels[v.tunnel]
			if n < 0 || a.tunnels[n].outer == x.outer && a.tunnels[n].user == x.user { // without a record of whose tunnel it was, it may have been his
				add(c.first)
			}
		default:
			if n := a.tunnelAt(c.src, c.first); n >= 0 {
				if x := &a.tunnels[v.tunnel]; a.tunnels[n].outer == x.outer && a.tunnels[n].user == x.user {
					add(c.first)
				}
			}
		}
	}
	return out
}

// cameBefore is the earliest visit like way in i before the thread began, 0 for
// none. open reports that such visits go back to where the logs begin, so that
// nobody can say which was the first.
func (a *analysis) cameBefore(t *thread, i int) (first int64, open bool) {
	for _, at := range a.alike(i, t.began) {
		if at < t.began-sitting && (first == 0 || at < first) {
			first = at
		}
	}
	return first, first != 0 && first-a.logsBegin(t.root) < int64(a.cfg.p.KnownGood)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import "time"

// pushKey is one thing that one machine makes others run.
type pushKey struct {
	src  int
	kind string
	user string
	what string
}

type push struct {
	dst int
	t   int64
}

// waves gathers what machines make others run.
func (a *analysis) waves() {
	a.pushes = map[pushKey][]push{}
	for _, c := range a.contacts {
		if k, ok := pushOf(c); ok {
			a.pushes[k] = append(a.pushes[k], push{c.dst, c.first})
		}
	}
}

func pushOf(c *contact) (pushKey, bool) {
	switch c.kind {
	case "service", "task", "wmi", "winrm":
		what := letters(c.exec)
		return pushKey{c.src, c.kind, c.user.Name, what}, what != "" && !c.refused
	}
	return pushKey{}, false
}

// letters leaves out what numbers a version.
func letters(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// harmlessMin is how many unharmed machines begin to say something. Each further
// says it with less doubt: the weight grows with the logarithm.
const harmlessMin = 3

// harmless counts the machines to which the source of c did the same as to its
// destination, and which show nothing of it within a day: software distribution
// reaches the first victim, too. It is 0 unless there are harmlessMin, and more than
// of those that do show something soon. Only machines whose own log was written
// can be said to show nothing.
func (a *analysis) harmless(c *contact) int {
	k, ok := pushOf(c)
	if !ok {
		return 0
	}
	well, ill := map[int]bool{}, map[int]bool{}
	for _, p := range a.pushes[k] {
		if p.dst == c.dst {
			continue
		}
		if t, bad := a.badSince[p.dst]; bad && t >= p.t-int64(time.Minute) && t-p.t <= int64(a.cfg.p.After) {
			ill[p.dst] = true
		} else if a.hosts.List[p.dst].OwnLog && (!bad || t-p.t > int64(a.cfg.p.Course)) {
			well[p.dst] = true
		}
	}
	if len(well) < harmlessMin || len(well) <= len(ill) {
		return 0
	}
	return len(well)
}

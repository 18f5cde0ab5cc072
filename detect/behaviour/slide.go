// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import "time"

// slideParts is into how many parts a window is divided that slides: it is as long
// as said, less at most one part.
const slideParts = 10

// lanes hold what is known of an entity in two courses of time at once: records
// of a source whose clock is wrong by more than a window stand apart and do not
// push out those of the others.
type lanes[T any] struct {
	L    [2]lane[T] `json:"l"`
	Last int        `json:"last,omitempty"` // used last
}

// lane is one course of time.
type lane[T any] struct {
	At int64 `json:"at,omitempty"` // its newest second
	X  *T    `json:"x,omitempty"`
}

// pick returns what is known in the course that second now belongs to, a zero T
// when it begins anew.
func (l *lanes[T]) pick(now int64, w time.Duration) *T {
	best := -1
	for i := range l.L {
		if c := &l.L[i]; c.X != nil && apart(now, c.At) <= w && (best < 0 || apart(now, c.At) < apart(now, l.L[best].At)) {
			best = i
		}
	}
	if best < 0 {
		best = 1 - l.Last
		for i := range l.L { // one that is over, else one that was never used
			if l.L[i].X != nil && l.L[i].At < now {
				best = i
				break
			}
		}
		if l.L[0].X == nil {
			best = 0
		}
		l.L[best] = lane[T]{At: now, X: new(T)}
	}
	l.Last = best
	c := &l.L[best]
	c.At = max(c.At, now)
	return c.X
}

// ring counts in the newest parts of a window.
type ring struct {
	P int64              `json:"p"` // the newest part
	N [slideParts]uint16 `json:"n"`
}

// add counts n in a part and returns the sum of all parts that are not over.
func (r *ring) add(part int64, n int) (sum int) {
	if part-r.P >= slideParts {
		*r = ring{P: part}
	}
	if r.P-part >= slideParts { // too late to count
		n = 0
	}
	for r.P < part {
		r.P++
		r.N[r.P%slideParts] = 0
	}
	c := &r.N[part%slideParts]
	*c = uint16(min(int(*c)+n, 1<<16-1)) //nolint:gosec // bounded
	for _, x := range r.N {
		sum += int(x)
	}
	return sum
}

// sliding is a set of what was seen in the newest parts of a window, each in the
// part in which it was seen first.
type sliding[K comparable] struct {
	P int64       `json:"p"`
	M map[K]int64 `json:"m"`
}

// turn forgets what lies a window before part.
func (s *sliding[K]) turn(part int64) {
	if part <= s.P {
		return
	}
	s.P = part
	for k, p := range s.M {
		if part-p >= slideParts {
			delete(s.M, k)
		}
	}
}

// add reports whether k is new in the window, at most limit at once.
func (s *sliding[K]) add(k K, part int64, limit int) bool {
	s.turn(part)
	if _, ok := s.M[k]; ok || len(s.M) >= limit || s.P-part >= slideParts {
		return false
	}
	if s.M == nil {
		s.M = map[K]int64{}
	}
	s.M[k] = part
	return true
}

// partOf is the number of the part of a window of length w in which a second
// since 1970 lies.
func partOf(now int64, w time.Duration) int64 {
	return now / max(1, int64(w/time.Second)/slideParts)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"slices"
	"strconv"

	"citywall/event"
)

// recentEvents is how many of the last events are known at least.
const recentEvents = 250_000

// recent knows the ids of the last events, so that one that is delivered again
// is not counted, announced or weighed twice. It looks at 64 of their 128 bits:
// among half a million events two agree by chance once in a hundred million.
type recent struct {
	size     int
	now, old map[uint64]struct{}
}

func newRecent(size int) recent { return recent{size: size, now: map[uint64]struct{}{}} }

// add reports whether id is new, and remembers it.
func (r *recent) add(id event.ID) bool {
	k := short(id)
	if _, ok := r.now[k]; ok {
		return false
	}
	_, known := r.old[k]
	if len(r.now) >= r.size {
		r.old, r.now = r.now, make(map[uint64]struct{}, r.size)
	}
	r.now[k] = struct{}{}
	return !known
}

func short(id event.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// shortHex is short of an id in hex.
func shortHex(id string) uint64 {
	n, _ := strconv.ParseUint(id[:min(16, len(id))], 16, 64)
	return n
}

// idSet is a large set of short ids that is filled once.
type idSet []uint64

func (s idSet) sort() { slices.Sort(s) }

func (s idSet) has(id uint64) bool {
	_, ok := slices.BinarySearch(s, id)
	return ok
}

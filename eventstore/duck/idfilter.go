// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// idFilter remembers ids of a hot table: one it does not have is not in the
// table, one it has is almost surely (Bloom filter in blocks of a cache line,
// Putze, Sanders, Singler 2007; 32 bits and 12 probes for an id, so that of ten
// million ids that are not there less than a hundred are taken for known). Asking
// DuckDB instead costs a tenth of the whole ingest.
type idFilter struct {
	layers []idLayer // each twice as large as the one before
	room   int       // ids that the last one still takes
}

type idLayer [][8]uint64

const (
	firstLayer   = 1 << 16 // ids
	idsOfBlock   = 16
	filterMemory = 256 << 20 // bytes of all filters; beyond it tables are asked
)

func (f *idFilter) bytes() int {
	n := 0
	for _, l := range f.layers {
		n += 64 * len(l)
	}
	return n
}

// probes returns the two halves of an id, mixed: ids are hashes, but those that a
// sender chooses need not be.
func probes(k identityKey) (a, b uint64) {
	a, b = binary.LittleEndian.Uint64(k.id[:8]), binary.LittleEndian.Uint64(k.id[8:])
	for _, r := range []byte(k.realm) {
		a = (a ^ uint64(r)) * 0x9e3779b97f4a7c15
	}
	return mix(a ^ bits.RotateLeft64(b, 32)), mix(b + 0x9e3779b97f4a7c15*a)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mask is what an id sets of its block, as 12 places of nine bits.
func mask(a, b uint64) (m [8]uint64) {
	for _, h := range [2]uint64{mix(a), mix(b)} {
		for range 6 {
			m[h>>6&7] |= 1 << (h & 63)
			h >>= 9
		}
	}
	return m
}

func (l idLayer) block(a uint64) int {
	hi, _ := bits.Mul64(a, uint64(len(l)))
	return int(hi)
}

func (f *idFilter) has(k identityKey) bool {
	a, b := probes(k)
	m := mask(a, b)
	for _, l := range f.layers {
		blk := &l[l.block(a)]
		missing := uint64(0)
		for i := range m {
			missing |= m[i] &^ blk[i]
		}
		if missing == 0 {
			return true
		}
	}
	return false
}

func (f *idFilter) add(k identityKey) {
	if f.room == 0 {
		n := firstLayer << len(f.layers)
		f.layers, f.room = append(f.layers, make(idLayer, n/idsOfBlock)), n
	}
	f.room--
	a, b := probes(k)
	m := mask(a, b)
	l := f.layers[len(f.layers)-1]
	blk := &l[l.block(a)]
	for i := range m {
		blk[i] |= m[i]
	}
}

// filterEmpty begins filters anew: for the tables that are empty. Those that are
// not have none, and are asked. The caller holds mu or is Open.
func (s *Store) filterEmpty(ctx context.Context) error {
	s.filters = map[string]*idFilter{}
	for name := range s.tables {
		var n int
		if err := s.w.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM "`+name+`" LIMIT 1)`).Scan(&n); err != nil {
			return fmt.Errorf("look whether %s is empty: %w", name, err)
		}
		if n == 0 {
			s.filters[name] = new(idFilter)
		}
	}
	return nil
}

// remember adds the ids of events that are about to be in a table. Should they
// not get there, a later question is asked in vain.
func (s *Store) remember(table string, events []placed) {
	f := s.filters[table]
	if f == nil {
		return
	}
	for _, p := range events {
		f.add(identityKey{p.e.Realm, p.e.ID})
	}
	total := 0
	for name, f := range s.filters {
		if _, there := s.tables[name]; !there { // sealed, or rolled back
			delete(s.filters, name)
			continue
		}
		total += f.bytes()
	}
	for total > filterMemory {
		// The largest one goes: the days around now are small until they are not.
		var largest string
		for name, f := range s.filters {
			if largest == "" || f.bytes() > s.filters[largest].bytes() || f.bytes() == s.filters[largest].bytes() && name < largest {
				largest = name
			}
		}
		total -= s.filters[largest].bytes()
		delete(s.filters, largest)
	}
}

// suspects tells which events of a batch may be stored already.
type suspects struct {
	s     *Store
	files []file
	days  map[int64]places // of a day, by its Unix time
	all   places           // where events without a time may be
}

// places are where an event may stand.
type places struct {
	tables []string
	files  []file
}

func (s *Store) suspects(files []file) *suspects {
	u := &suspects{s: s, files: files, days: map[int64]places{}}
	for name := range s.tables {
		u.all.tables = append(u.all.tables, name)
	}
	u.all.files = slices.DeleteFunc(slices.Clone(files), func(f file) bool { return f.untimed == 0 })
	return u
}

// may reports whether an event may be stored already.
func (u *suspects) may(p placed, k identityKey, timed bool) bool {
	at := u.all
	if timed {
		at = u.of(p)
	}
	for _, t := range at.tables {
		if f := u.s.filters[t]; f == nil || f.has(k) {
			return true
		}
	}
	return slices.ContainsFunc(at.files, func(f file) bool { return !timed || f.holds(p.when, p.when.Add(1)) })
}

func (u *suspects) of(p placed) places {
	day := dayOf(p.when)
	at, ok := u.days[day.Unix()]
	if !ok {
		end := day.AddDate(0, 0, 1)
		for name, t := range u.s.tables {
			if t.holds(day, end) {
				at.tables = append(at.tables, name)
			}
		}
		for _, f := range u.files {
			if f.holds(day, end) {
				at.files = append(at.files, f)
			}
		}
		u.days[day.Unix()] = at
	}
	return at
}

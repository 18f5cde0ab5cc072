// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"cmp"
	"slices"
	"time"
)

// Act is what kind of record a connection comes from.
type Act uint8

// Acts.
const (
	Flow       Act = iota + 1 // an established connection
	Refused                   // an attempt without success
	Logon                     // accepted at the destination
	BadLogon                  // refused at the destination
	Ticket                    // issued by a DC for a service of the destination
	BadTicket                 // refused by a DC
	Share                     // a share or pipe was used
	Credential                // 4648: other credentials used at the source
	VPN                       // a tunnel came up: outer address to inner address
)

// Key is what rows of one series share.
type Key struct {
	Src, Dst ID // nodes
	User     ID // account; 0 for flows
	Port     uint16
	Proto    uint8 // IP protocol number; 0 unknown
	Act      Act
}

// Conn is one row of a series.
type Conn struct {
	T, Dur  int64 // ns; when it began, how long it took
	Out, In int64 // bytes
	Sess    uint64
	Sensor  ID // who wrote it
	Target  ID // account, when another than the key's was used
	Unc     int32
	SPort   uint16
	Type    uint8 // Windows logon type
	Ptr     Ptr
}

// FloodSum is an hour of a series that was too busy to keep row by row, as one
// sensor saw it.
type FloodSum struct {
	Sensor      ID
	First, Last int64
	Count       int64
	Out, In     int64
	Earliest    []At // up to Pointers
}

// Flood is how many rows of one series are kept of an hour; more collapse.
const Flood = 1024

// Pointers is how many pointers a collapsed fact keeps.
const Pointers = 4

const hour = int64(time.Hour)

type sensorHour struct {
	hour   int64
	sensor ID
}

// Series is all rows between two ends of one kind.
type Series struct {
	Conns  []Conn
	floods map[sensorHour]*FloodSum
	counts map[int64]int // rows per hour, only once there are Flood of them
	full   map[int64]bool
}

func (s *Series) add(c Conn) {
	h := floorHour(c.T)
	if s.full[h] {
		s.flood(h, c)
		return
	}
	s.Conns = append(s.Conns, c)
	switch {
	case s.counts != nil:
		s.counts[h]++
	case len(s.Conns) <= Flood:
		return
	default:
		s.counts = map[int64]int{}
		for i := range s.Conns {
			s.counts[floorHour(s.Conns[i].T)]++
		}
	}
	if s.counts[h] <= Flood {
		return
	}
	if s.full == nil {
		s.full, s.floods = map[int64]bool{}, map[sensorHour]*FloodSum{}
	}
	s.full[h] = true
	kept := s.Conns[:0]
	for _, x := range s.Conns {
		if floorHour(x.T) == h {
			s.flood(h, x)
		} else {
			kept = append(kept, x)
		}
	}
	clear(s.Conns[len(kept):])
	s.Conns = kept
	delete(s.counts, h)
}

func (s *Series) flood(h int64, c Conn) {
	k := sensorHour{h, c.Sensor}
	f := s.floods[k]
	if f == nil {
		f = &FloodSum{Sensor: c.Sensor, First: c.T, Last: c.T}
		s.floods[k] = f
	}
	f.First, f.Last = min(f.First, c.T), max(f.Last, c.T)
	f.Count++
	f.Out += c.Out
	f.In += c.In
	f.Earliest = keep(f.Earliest, At{c.T, c.Ptr}, Pointers)
}

// Floods returns the collapsed hours, ordered by time, then by the name of the
// sensor.
func (s *Series) Floods(st *Store) []FloodSum {
	out := make([]FloodSum, 0, len(s.floods))
	for _, f := range s.floods {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b FloodSum) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(st.String(a.Sensor), st.String(b.Sensor)))
	})
	return out
}

func floorHour(t int64) int64 {
	h := t / hour
	if t < 0 && t%hour != 0 {
		h--
	}
	return h
}

// conn adds a row to its series.
func (s *Store) conn(k Key, c Conn) {
	if k.Src == 0 || k.Dst == 0 || k.Src == k.Dst {
		return
	}
	x := s.series[k]
	if x == nil {
		x = &Series{}
		s.series[k] = x
	}
	x.add(c)
}

// Series returns every series with its key, in no particular order.
func (s *Store) Series(yield func(Key, *Series) bool) {
	for k, x := range s.series {
		if !yield(k, x) {
			return
		}
	}
}

// Days returns the days (since 1970, UTC) on which the series has rows, sorted.
func (s *Series) Days() []int64 {
	seen := map[int64]bool{}
	for i := range s.Conns {
		seen[floorHour(s.Conns[i].T)/24] = true
	}
	for k := range s.floods {
		seen[k.hour/24] = true
	}
	out := make([]int64, 0, len(seen))
	for d := range seen {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package act is what one can do in the city, and the records each act leaves
// with every sensor that sees it: a logon in the logs of the domain controller
// and of the target, the same connection at the firewall, in Zeek and in
// Suricata, a process in Sysmon.
//
// It promises that a benign act and a hostile one of the same kind leave the
// same records, with the clock of each sensor, and that it reports who recorded
// the act and when it really was, which is what truth is made of. It never
// decides who does what: that is exercise/life and the scripts.
package act

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// Scene is where acts take place. It is used by one goroutine.
type Scene struct {
	City *city.City
	// Lost says which records nobody has any more: a source that was never
	// collected, a host that was wiped. Nil means none. A lost record has no
	// stamp, so that what only it showed is in no truth.
	Lost    func(*logs.Record) bool
	Witness bool // keep who saw what, for the truth
	Sample  int  // the core switch exports one packet in so many instead of Zeek's records; 0 for no sampling
	NAT     bool // the edge firewall hides the inside behind a pool, and Suricata listens before it
	out     func(logs.Record)
	hashes  map[string]string // by image
}

// New returns a scene whose records go to out.
func New(c *city.City, out func(logs.Record)) *Scene {
	return &Scene{City: c, out: out, hashes: map[string]string{}}
}

// End is one end of a connection. Host is nil for an outside address or one of
// the VPN pool.
type End struct {
	Addr netip.Addr
	Host *city.Host
}

// On is the end of a machine of the city.
func On(h *city.Host) End { return End{h.Addr, h} }

// Key names the end as truth does.
func (e End) Key() string {
	if e.Host != nil {
		return e.Host.Key()
	}
	return e.Addr.String()
}

// Actor is who does something, and as what.
type Actor struct {
	Account *city.Account
	Host    *city.Host
	Logon   string // LogonId of the session
	Session int    // terminal session
}

// System is the operating system of h.
func System(h *city.Host) Actor { return Actor{Host: h, Logon: "0x3e7"} }

// machine is the account of a computer.
func machine(h *city.Host) *city.Account {
	return &city.Account{Domain: h.Agency.Domain, Name: h.Name + "$", SID: fmt.Sprintf("%s-%d", h.Agency.Domain.SID, 20000+hash(h.Name)%40000), Kind: city.Machine}
}

func hash(s string) uint32 {
	f := fnv.New32a()
	f.Write([]byte(s)) // a hash.Hash never fails
	return f.Sum32()
}

// Seen is what is on record of a deed: when it happened, and who wrote it down.
// Nothing is on record when At is zero.
type Seen struct {
	At   time.Time  // true time of the earliest that was recorded
	Port uint16     // source port of the connection, 0 when there is none
	By   []Sighting // who has it; only with Scene.Witness
}

// Sighting is one record of a deed.
type Sighting struct {
	Source *logs.Source
	Stamp  time.Time // the time in the record, by the clock of its source
}

// IsZero reports whether nothing is on record.
func (s Seen) IsZero() bool { return s.At.IsZero() }

// see adds another record of the same deed.
func (s *Seen) see(o Seen) {
	if s.Port == 0 {
		s.Port = o.Port
	}
	if o.IsZero() {
		return
	}
	if s.IsZero() || o.At.Before(s.At) {
		s.At = o.At
	}
	s.By = append(s.By, o.By...)
}

// emit writes a record; nothing is seen when it is lost.
func (s *Scene) emit(r logs.Record) Seen {
	if s.Lost != nil && s.Lost(&r) {
		return Seen{}
	}
	s.out(r)
	return s.seen(r.Source, r.Stamp)
}

func (s *Scene) seen(src *logs.Source, stamp time.Time) Seen {
	v := Seen{At: stamp.Add(-src.Offset)}
	if s.Witness {
		v.By = []Sighting{{src, stamp}}
	}
	return v
}

// windows writes a Windows event of h, if its logs are collected.
func (s *Scene) windows(r *rand.Rand, t time.Time, h *city.Host, sc *logs.Schema, pairs ...string) Seen {
	if h == nil || h.Logs == nil {
		return Seen{}
	}
	return s.emit(s.event(r, t, h, sc, pairs...))
}

func (s *Scene) event(r *rand.Rand, t time.Time, h *city.Host, sc *logs.Schema, pairs ...string) logs.Record {
	rec := logs.New(h.Logs, sc, t, pairs...)
	n := hash(h.Name)
	switch sc.Channel() {
	case logs.Security:
		rec.PID = 600 + n%40*4 // lsass
	case logs.Sysmon:
		rec.PID, rec.User = 2000+n%200*4, "S-1-5-18"
		rec.Set("UtcTime", logs.SysmonTime(rec.Stamp))
	default:
		rec.PID = 700 + n%90*4
	}
	rec.TID = 100 + r.Uint32N(2200)*4
	return rec
}

// sysmon writes a Sysmon event of h, if it runs there.
func (s *Scene) sysmon(r *rand.Rand, t time.Time, h *city.Host, sc *logs.Schema, pairs ...string) Seen {
	if h == nil || !h.Sysmon {
		return Seen{}
	}
	return s.windows(r, t, h, sc, pairs...)
}

// ms adds milliseconds.
func ms(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Millisecond) }

// between returns a duration in [lo, hi).
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64(hi-lo)))
}

func guid(r *rand.Rand) string { return logs.GUIDOf(r.Uint64(), r.Uint64()) }

func logonID(r *rand.Rand) string { return "0x" + strconv.FormatUint(0x20000+r.Uint64N(0x7fffff), 16) }

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// uid is a Zeek connection id.
func uid(r *rand.Rand) string {
	var b [18]byte
	b[0] = 'C'
	for i := 1; i < len(b); i += 8 {
		n := r.Uint64()
		for j := i; j < min(i+8, len(b)); j++ {
			b[j] = base62[n%62]
			n /= 62
		}
	}
	return string(b[:])
}

func itoa[T ~int | ~int64 | ~uint16 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }

// hashesOf invents the hashes of an image; the same path has the same ones,
// and no real file has any of them.
func (s *Scene) hashesOf(image string) string {
	image = strings.ToLower(image)
	h, ok := s.hashes[image]
	if !ok {
		sum := sha256.Sum256([]byte(image))
		h = fmt.Sprintf("SHA1=%X,MD5=%X,SHA256=%X,IMPHASH=%X", sum[4:24], sum[:16], sum, sum[16:])
		s.hashes[image] = h
	}
	return h
}

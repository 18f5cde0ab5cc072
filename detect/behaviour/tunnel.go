// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	tunnelWindow  = 10 * time.Minute
	tunnelNames   = 40  // distinct names below one domain in a window
	tunnelLength  = 24  // characters before the domain, in the mean
	tunnelEntropy = 3.2 // bits of one character of them, together
	tunnelPairs   = 20_000
	tunnelMost    = 128 // names remembered of one domain in a window
)

var tunnelKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1301", Title: "Names carry data out through DNS", Level: detect.High,
	Formula: "Within 10 minutes a host asks for at least 40 different names below one domain, 24 characters long in the mean, whose characters have at least 3.2 bits",
	Meaning: detect.Meaning{Step: detect.StepExfil, Technique: "T1048.003", Techniques: []string{"T1048.003", "T1071.004"}, Subject: "src"},
	Tags:    []string{"attack.exfiltration", "attack.t1048.003", "attack.command-and-control", "attack.t1071.004"},
}

// tunnel counts the names that each host asks for below each domain.
type tunnel struct {
	Pairs table[burrow] `json:"pairs"`
}

// burrow is one host and one domain in a window that begins with its first name.
type burrow struct {
	From  int64           `json:"from"`
	Names map[uint64]bool `json:"names"` // hashes
	Size  int             `json:"size"`  // characters of the distinct names before the domain
	Chars [38]int         `json:"chars"` // how often each stands in them: a-z, 0-9, hyphen, others
	Told  bool            `json:"told,omitempty"`
	Spoke int64           `json:"spoke,omitempty"`
	Refs  []ref           `json:"refs,omitempty"`
}

const tunnelPause = time.Hour // between two findings of one host and domain

func newTunnel() *tunnel { return &tunnel{Pairs: newTable[burrow](tunnelPairs)} }

func (*tunnel) name() string       { return "tunnel" }
func (s *tunnel) forgotten() int64 { return s.Pairs.Gone }

func (s *tunnel) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.DNS {
		return
	}
	below, domain := splitName(v.Message)
	who := subject(v.SrcHost, v.Src)
	if who == "" {
		who = v.Host
	}
	if below == "" || who == "" {
		return
	}
	x := s.Pairs.make(who + " " + domain)
	now := e.Time.Unix()
	over, late := window(now, x.From, tunnelWindow)
	if x.Names != nil && late {
		return
	}
	if x.Names == nil || over {
		*x = burrow{From: now, Names: map[uint64]bool{}, Spoke: x.Spoke}
	}
	h := hashName(below)
	if x.Names[h] || len(x.Names) >= tunnelMost {
		return
	}
	x.Names[h] = true
	x.Size += len(below)
	for i := range len(below) {
		x.Chars[charClass(below[i])]++
	}
	x.Refs = keepRef(x.Refs, e)
	n := len(x.Names)
	if n < tunnelNames || x.Told || x.Size < tunnelLength*n {
		return
	}
	bits := entropy(x.Chars[:])
	if bits < tunnelEntropy {
		return
	}
	x.Told = true
	if x.Spoke != 0 && apart(now, x.Spoke) < tunnelPause {
		return
	}
	x.Spoke = now
	r.find(&tunnelKind, who, x.Refs, []detect.Matched{{Field: "domain", Value: domain}},
		fmt.Sprintf("%d names below %s in %s, %.0f characters in the mean, %.1f bits each", n, domain, apart(now, x.From), float64(x.Size)/float64(n), bits))
}

// secondLevel are names under country domains below which others register, as
// in com.tw. It is a short list, not the public suffix list: a name under
// another such domain is put together with its neighbours.
var secondLevel = map[string]bool{"com": true, "gov": true, "edu": true, "org": true, "net": true, "idv": true, "co": true, "ac": true, "or": true, "ne": true, "go": true}

// splitName parts a name into what stands before the registered domain, and
// that domain. Names of reverse look-ups and of one label have nothing before.
func splitName(name string) (below, domain string) {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if len(name) > 255 || strings.HasSuffix(name, ".arpa") || strings.ContainsAny(name, " /") {
		return "", ""
	}
	parts := strings.Split(name, ".")
	keep := 2
	if n := len(parts); n >= 3 && len(parts[n-1]) == 2 && secondLevel[parts[n-2]] {
		keep = 3
	}
	if len(parts) <= keep {
		return "", ""
	}
	return strings.Join(parts[:len(parts)-keep], "."), strings.Join(parts[len(parts)-keep:], ".")
}

// hashName is FNV-1a.
func hashName(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func charClass(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return int(c - 'a')
	case c >= '0' && c <= '9':
		return 26 + int(c-'0')
	case c == '-':
		return 36
	}
	return 37
}

// entropy is Shannon's, in bits.
func entropy(counts []int) float64 {
	total, h := 0, 0.0
	for _, n := range counts {
		total += n
	}
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(total)
			h -= p * math.Log2(p)
		}
	}
	return h
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math"
	"slices"
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
	tunnelHeavy   = 1 << 19
	tunnelCommon  = 8   // hosts that ask so below one domain: it is a service of many
	tunnelShape   = 0.9 // share of the names that are fingerprints of files
)

var tunnelKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1301", Detector: "tunnel", Title: "Names carry data out through DNS", Level: detect.High,
	Formula: "Within 10 minutes a host asks for at least 40 different names below one domain, 24 characters long in the mean, whose characters have at least 3.2 bits",
	Meaning: detect.Meaning{Step: detect.StepExfil, Technique: "T1048.003", Techniques: []string{"T1048.003", "T1071.004"}, Subject: "src"},
	Tags:    []string{"attack.exfiltration", "attack.t1048.003", "attack.command-and-control", "attack.t1071.004"},
}

// tunnelHashKind is what antivirus programs do that ask for a file's reputation
// by its fingerprint. Who hides data in names of that form is told so, no louder.
var tunnelHashKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1302", Detector: "tunnel", Title: "Fingerprints are asked for through DNS", Level: detect.Low,
	Formula: "As with data in names (within 10 minutes 40 different names below one domain, 24 characters in the mean, 3.2 bits each), where at least nine of ten have a label of 32, 40 or 64 hexadecimal digits, as look-ups of files by antivirus programs have",
	Meaning: tunnelKind.Meaning, Tags: tunnelKind.Tags,
}

// tunnel counts the names that each host asks for below each domain.
type tunnel struct {
	Pairs   table[string, burrow]   `json:"pairs"`
	Domains table[string, []string] `json:"domains"` // who asks so below a domain, at most tunnelCommon
}

// burrow is one host and one domain.
type burrow struct {
	Lanes lanes[names10] `json:"lanes"`
	Spoke int64          `json:"spoke,omitempty"`
}

// names10 are the names of the newest ten minutes.
type names10 struct {
	Names sliding[uint64]      `json:"names"` // hashes
	Parts [slideParts]nameSums `json:"parts"`
	P     int64                `json:"p"` // the newest part of Parts
	Refs  []ref                `json:"refs,omitempty"`
}

// nameSums adds up the distinct names of one part.
type nameSums struct {
	N      uint16     `json:"n"`
	Size   uint16     `json:"size"`   // characters before the domain
	Prints uint16     `json:"prints"` // names that are fingerprints
	Chars  [38]uint16 `json:"chars"`  // how often each stands in them: a-z, 0-9, hyphen, others
}

const tunnelPause = time.Hour // between two findings of one host and domain

func newTunnel() *tunnel {
	parts := func(x *burrow) (n int) {
		for i := range x.Lanes.L {
			if y := x.Lanes.L[i].X; y != nil {
				n += len(y.Names.M)
			}
		}
		return n
	}
	return &tunnel{Pairs: newHeavy[string](tunnelPairs, tunnelHeavy, parts), Domains: newTable[string, []string](tunnelPairs)}
}

func (*tunnel) name() string       { return "tunnel" }
func (s *tunnel) forgotten() int64 { return s.Pairs.Gone + s.Domains.Gone }

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
	x, had := s.Pairs.load(who + " " + domain)
	defer s.Pairs.settle(x, had)
	now := e.Time.Unix()
	part, y := partOf(now, tunnelWindow), x.Lanes.pick(now, tunnelWindow)
	if !y.Names.add(hashName(below), part, tunnelMost) {
		return
	}
	y.turn(part)
	y.Refs = keepRef(recent(y.Refs, now, tunnelWindow), e)
	y.add(part, below)
	sum := y.sum()
	n := int(sum.N)
	if n < tunnelNames || int(sum.Size) < tunnelLength*n || x.Spoke != 0 && apart(now, x.Spoke) < tunnelPause {
		return
	}
	bits := entropy(sum.Chars[:])
	if bits < tunnelEntropy {
		return
	}
	x.Spoke = now
	// A tunnel has one end in the city, or a few; what a whole fleet asks so is a service.
	askers := s.Domains.make(domain)
	if !slices.Contains(*askers, who) && len(*askers) < tunnelCommon {
		*askers = append(*askers, who)
	}
	if len(*askers) >= tunnelCommon {
		return
	}
	k := &tunnelKind
	if float64(sum.Prints) >= tunnelShape*float64(n) {
		k = &tunnelHashKind
	}
	r.find(k, who, y.Refs, []detect.Matched{{Field: "domain", Value: domain}},
		fmt.Sprintf("%d names below %s within 10 minutes, %.0f characters in the mean, %.1f bits each; %d hosts ask so below it", n, domain, float64(sum.Size)/float64(n), bits, len(*askers)))
}

// turn empties parts that are over.
func (y *names10) turn(part int64) {
	if part-y.P >= slideParts {
		y.Parts, y.P = [slideParts]nameSums{}, part
	}
	for y.P < part {
		y.P++
		y.Parts[y.P%slideParts] = nameSums{}
	}
}

func (y *names10) add(part int64, below string) {
	p := &y.Parts[part%slideParts]
	p.N++
	p.Size += uint16(len(below)) //nolint:gosec // at most 255
	if fingerprint(below) {
		p.Prints++
	}
	for i := range len(below) {
		p.Chars[charClass(below[i])]++
	}
}

func (y *names10) sum() (s nameSums) {
	for i := range y.Parts {
		p := &y.Parts[i]
		if p.N == 0 {
			continue
		}
		s.N += p.N
		s.Size += p.Size
		s.Prints += p.Prints
		for c, n := range p.Chars {
			s.Chars[c] += n
		}
	}
	return s
}

// fingerprint reports whether one label is an MD5, SHA-1 or SHA-256 in
// hexadecimal digits and the others are short.
func fingerprint(below string) bool {
	found := false
	for label := range strings.SplitSeq(below, ".") {
		switch len(label) {
		case 32, 40, 64:
			if found || strings.Trim(label, "0123456789abcdef") != "" {
				return false
			}
			found = true
		default:
			if len(label) > 12 {
				return false
			}
		}
	}
	return found
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
func entropy(counts []uint16) float64 {
	total, h := 0, 0.0
	for _, n := range counts {
		total += int(n)
	}
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(total)
			h -= p * math.Log2(p)
		}
	}
	return h
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"math/rand/v2"
	"time"

	"citywall/exercise/city"
	"citywall/exercise/logs"
)

// kerberos is how far a member's clock may be from its domain's before it can
// no longer log on (RFC 4120 §7.2: five minutes by custom), less a margin.
const kerberos = 4*time.Minute + 40*time.Second

// setClocks puts clocks wrong by up to most. Machines of a domain keep time with
// its controllers, so a wrong controller carries all of them; one in eight has
// besides an error of its own that Kerberos still bears. Sensors, firewalls,
// hypervisors and appliances are each wrong on their own, half of them. At least
// the edge firewall or the core sensor is.
func setClocks(c *city.City, seed uint64, most time.Duration) {
	r := rand.New(rand.NewPCG(seed, 0xc10c4))
	wrong := func(limit time.Duration) time.Duration {
		return time.Duration((2*r.Float64() - 1) * float64(limit)).Round(time.Millisecond)
	}
	shift := map[*city.Domain]time.Duration{}
	for _, d := range []*city.Domain{c.Bureau.Domain, c.Hospital.Domain} {
		if r.IntN(2) == 0 {
			shift[d] = wrong(most)
		}
	}
	alone := []*logs.Source{c.Edge, c.HospitalWall, c.Core, c.Perimeter, c.Flows}
	for _, h := range c.Hosts {
		if h.Syslog != nil {
			alone = append(alone, h.Syslog)
		}
		if h.Logs == nil {
			continue
		}
		d := h.Agency.Domain
		h.Logs.Offset += shift[d]
		if r.IntN(8) == 0 && h != d.DCs[0] && h != d.DCs[1] {
			own := wrong(min(most, kerberos))
			if total := (shift[d] + own).Abs(); total <= most {
				h.Logs.Offset += own
			}
		}
	}
	for i, s := range alone {
		if r.IntN(2) == 0 || i == int(seed%3) {
			s.Offset += wrong(most)
		}
	}
}

// clocks lists the sources whose clock is wrong by a second and more.
func clocks(c *city.City) []TruthClock {
	var out []TruthClock
	add := func(s *logs.Source) {
		if s != nil && s.Offset.Abs() >= time.Second {
			out = append(out, TruthClock{Source: s.Name, Computer: s.Computer, Error: s.Offset})
		}
	}
	for _, s := range []*logs.Source{c.Edge, c.HospitalWall, c.Core, c.Perimeter, c.Flows} {
		add(s)
	}
	for _, h := range c.Hosts {
		add(h.Logs)
		add(h.Syslog)
	}
	return out
}

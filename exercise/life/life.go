// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package life is what goes on in the city on any day: people at work, machines
// on their schedules, administrators, vendors, backups, scans, and the internet
// knocking.
//
// It holds on purpose everything that looks like an attack and is none: a
// policy edited by its administrator, programs pushed as services, gigabytes
// leaving at night, sweeps of ports, remote desktops in the evening, hundreds
// of files made in a minute, the help desk's remote-management tool, guests of
// hypervisors switched off, programs from USB sticks, passwords forgotten. It promises that each actor draws from its own
// seeded source, so that one more actor does not change the others. Nothing
// here is hostile.
package life

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"citywall/exercise/act"
	"citywall/exercise/city"
)

// Actor does something when its time comes, and says when it will act again;
// the zero time means never.
type Actor struct {
	Next time.Time
	Do   func(t time.Time) time.Time
}

// Plan is what the actors need to know.
type Plan struct {
	Scene    *act.Scene
	Seed     uint64
	Begin    time.Time
	End      time.Time
	Attack   time.Time                   // evening of the attack; the weekly sweep falls on it, by chance
	Rate     float64                     // 1 is an ordinary day; less thins out everything that people do
	Vendor   *city.Account               // hospital maintenance company
	Serviced map[*city.Agency]*city.Host // machine of a domain that its administrator looks after every day
	Shared   []netip.Addr                // outside addresses that many people share, those of home workers among them; none for one each
	Down     func(h *city.Host, t time.Time) bool
	actors   []Actor
}

// taipei is where people's clocks are.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// Actors returns everybody, in an order that depends only on the city.
func (p *Plan) Actors() []Actor {
	c := p.Scene.City
	for _, a := range c.People {
		p.person(a)
	}
	for _, h := range c.Hosts {
		switch {
		case !h.Windows():
		case h.Owner != nil:
			p.workstation(h)
		default:
			p.server(h)
		}
	}
	for _, ag := range c.Agencies {
		for _, h := range ag.Medical {
			p.medical(h)
		}
	}
	p.administrators()
	p.vendor()
	p.homeWorkers()
	p.backups()
	p.distribution()
	p.scanner()
	p.monitor()
	p.internet()
	p.mail()
	p.web()
	p.helpdesk()
	p.films()
	p.newcomers()
	p.passwords()
	p.sticks()
	p.hypervisors()
	p.patches()
	p.certificates()
	p.copies()
	p.archive()
	return p.actors
}

// add puts an actor on the list. It gets its own source of chance.
func (p *Plan) add(first func(r *rand.Rand) time.Time, do func(r *rand.Rand, t time.Time) time.Time) {
	r := rand.New(rand.NewPCG(p.Seed, uint64(len(p.actors))+0x11fe<<32))
	a := Actor{Next: first(r)}
	a.Do = func(t time.Time) time.Time { return do(r, t) }
	p.actors = append(p.actors, a)
}

// every makes an actor that acts about every gap, not before the beginning.
func (p *Plan) every(gap time.Duration, do func(r *rand.Rand, t time.Time)) {
	p.add(func(r *rand.Rand) time.Time { return p.Begin.Add(time.Duration(r.Float64() * float64(gap))) },
		func(r *rand.Rand, t time.Time) time.Time {
			do(r, t)
			return t.Add(time.Duration(float64(gap) * (0.6 + 0.8*r.Float64())))
		})
}

// steady is like every, but keeps its rhythm as a program does.
func (p *Plan) steady(gap time.Duration, do func(r *rand.Rand, t time.Time)) {
	p.add(func(r *rand.Rand) time.Time { return p.Begin.Add(time.Duration(r.Float64() * float64(gap))) },
		func(r *rand.Rand, t time.Time) time.Time {
			do(r, t)
			return t.Add(gap + time.Duration(r.NormFloat64()*float64(gap)*0.01))
		})
}

// daily makes an actor that acts once a day at about the given local time on
// the days that want says yes to.
func (p *Plan) daily(hour, minute, jitter int, want func(d time.Time) bool, do func(r *rand.Rand, t time.Time)) {
	next := func(r *rand.Rand, after time.Time) time.Time {
		for d := midnight(after); ; d = d.AddDate(0, 0, 1) {
			t := d.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(r.Int64N(int64(jitter)*60e9+1)))
			if t.After(after) && (want == nil || want(d)) {
				return t
			}
			if d.After(p.End) {
				return time.Time{}
			}
		}
	}
	p.add(func(r *rand.Rand) time.Time { return next(r, p.Begin) }, func(r *rand.Rand, t time.Time) time.Time {
		do(r, t)
		return next(r, midnight(t).AddDate(0, 0, 1))
	})
}

// midnight begins the local day of t.
func midnight(t time.Time) time.Time {
	y, m, d := t.In(taipei).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, taipei)
}

func workday(d time.Time) bool {
	w := d.In(taipei).Weekday()
	return w != time.Saturday && w != time.Sunday
}

// daytime reports whether offices are open.
func daytime(t time.Time) bool {
	h := t.In(taipei).Hour()
	return workday(t) && h >= 8 && h < 18
}

// hour of the local day.
func hour(t time.Time) int { return t.In(taipei).Hour() }

func minutes(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }

// pick returns one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"container/heap"
	"context"
	"fmt"
	"time"

	"citywall/asset"
	"citywall/exercise/act"
	"citywall/exercise/city"
	"citywall/exercise/life"
	"citywall/exercise/logs"
	"citywall/internal/fault"
)

// Scenario is one script.
type Scenario struct {
	Name  string        // what New takes
	Title string        // key of internal/text
	About string        // key of internal/text
	Entry string        // how the intruder comes in: kind of Truth.Entry
	Dwell time.Duration // from first compromise to encryption, by default
	Least time.Duration // shortest dwell it can be played in
	Days  int           // before the day of the attack, by default
	hour  time.Duration // of the local day, of the first compromise
	play  func(*stage)
}

// Scenarios lists the scripts.
func Scenarios() []Scenario {
	const evening, working = 18*time.Hour + 50*time.Minute, 6*time.Hour + 30*time.Minute
	script := func(name, entry string, play func(*stage)) Scenario {
		return Scenario{name, "exercise." + name + ".title", "exercise." + name + ".about", entry, working, 2 * time.Hour, 2, evening, play}
	}
	fast := script("worm", "usb", worm)
	fast.hour, fast.Dwell, fast.Least = 10*time.Hour+20*time.Minute, 25*time.Minute, 5*time.Minute
	trusted := script("supplier", "supplier", supplier)
	trusted.hour, trusted.Dwell = 13*time.Hour+30*time.Minute, 9*time.Hour
	slow := script("insider", "vpn", insider)
	slow.hour, slow.Dwell, slow.Least = 19*time.Hour+30*time.Minute, 4*24*time.Hour+5*time.Hour, 26*time.Hour
	return []Scenario{
		script("hospital", "vpn", hospital),
		script("webshell", "web", webshell),
		script("hypervisor", "vpn", hypervisor),
		script("remotetool", "mail", remotetool),
		trusted, slow, fast,
	}
}

// Play is one exercise, ready to be played any number of times with the same
// result. It is for one goroutine.
type Play struct {
	scenario Scenario
	opt      Options
	city     *city.City
	truth    Truth
	first    *city.Host // compromised
	fell     map[*city.Host]time.Time
	end      time.Time
}

// New prepares an exercise. The scenario is a name of Scenarios.
func New(scenario string, opt Options) (*Play, error) {
	for _, sc := range Scenarios() {
		if sc.Name != scenario {
			continue
		}
		if err := opt.fill(&sc); err != nil {
			return nil, err
		}
		p := &Play{scenario: sc, opt: opt, city: city.New(opt.Seed, opt.Devices)}
		if opt.Clock > 0 {
			setClocks(p.city, opt.Seed, opt.Clock)
		}
		p.rehearse()
		return p, nil
	}
	return nil, fault.New(fault.NotFound, "no exercise named %q", scenario)
}

// rehearse plays the script alone, to nobody, to learn the truth: once whole,
// and once without what is lost.
func (p *Play) rehearse() {
	g := p.perform()
	p.end, p.fell = g.end.Add(after).Truncate(time.Second), g.fell
	p.first = p.city.HostAt(g.truth.Entry.Addr)
	if p.lost() != nil {
		g = p.perform()
	}
	g.finish(&p.opt)
	p.truth = *g.truth
	if p.opt.NoAttack {
		innocent := append(p.truth.Innocent, p.truth.Isolate...)
		p.truth, p.fell = Truth{Seed: p.opt.Seed, Innocent: innocent}, nil
	}
	o := &p.opt
	p.truth.Scenario, p.truth.End, p.truth.Clocks = p.scenario.Name, p.end.UTC(), clocks(p.city)
	p.truth.Knobs = TruthKnobs{o.Devices, o.Days, o.Dwell, o.Rate, o.Stealth, o.Loss, o.Clock, o.Sample, o.CGNAT}
	p.truth.Begin = p.opt.Begin.UTC()
	if from := p.horizon(); from.After(p.opt.Begin) {
		p.truth.Begin = from.UTC()
	}
}

func (p *Play) perform() *stage {
	scene := p.scene(func(logs.Record) {})
	scene.Witness = true
	g := newStage(scene, p.opt, p.scenario.play)
	for _, b := range g.beats {
		b.do(b.at)
	}
	return g
}

// scene is a stage with the sensors that the options leave.
func (p *Play) scene(out func(logs.Record)) *act.Scene {
	s := act.New(p.city, out)
	s.Sample, s.NAT = p.opt.Sample, p.opt.CGNAT
	if p.first != nil { // not in the first rehearsal
		s.Lost = p.lost()
	}
	return s
}

// horizon is when the logs that are left begin; zero when nothing was cut off.
func (p *Play) horizon() time.Time {
	var from time.Time
	if p.opt.lost(LossHorizon) {
		from = p.opt.Attack.Add(p.opt.cut)
	}
	if at := p.end.Add(-kept); p.opt.lost(LossThreeDays) && at.After(from) {
		from = at
	}
	return from
}

// lost says which records the options take away, nil for none.
func (p *Play) lost() func(*logs.Record) bool {
	if len(p.opt.Loss) == 0 && p.opt.Sample == 0 {
		return nil
	}
	gone := map[*logs.Source]bool{}
	if p.opt.lost(LossController) {
		for _, d := range []*city.Domain{p.city.Bureau.Domain, p.city.Hospital.Domain} {
			for _, h := range d.DCs {
				gone[h.Logs] = true
			}
		}
	}
	if p.opt.lost(LossEntry) {
		gone[p.first.Logs] = true
	}
	if p.opt.lost(LossCore) {
		gone[p.city.Flows] = true
	}
	if p.opt.lost(LossCore) || p.opt.Sample > 0 {
		gone[p.city.Core] = true
	}
	from := p.horizon()
	return func(r *logs.Record) bool { return gone[r.Source] || r.Write.Before(from) }
}

// Truth returns what happens. Times are true times: of each move and step the
// earliest moment that any sensor recorded, its clock set right.
func (p *Play) Truth() Truth { return p.truth }

// Options returns the options with defaults filled in.
func (p *Play) Options() Options { return p.opt }

// Topology returns what the bureau has drawn of the city. One device is
// missing from the drawing, as always.
func (p *Play) Topology() asset.Topology { return p.city.Topology() }

// Line is one record as its source sends it.
type Line struct {
	Time      time.Time // when the source sends it; lines come in this order
	Source    string    // registered sender: collector, firewall, sensor
	Agency    string    // code of the agency that owns the source
	Format    string    // decoder: jsonl (Windows, sampled flows), zeek, eve, syslog
	Transport string    // http or syslog
	Bytes     []byte    // without line end; valid until yield returns
}

// Lines plays the exercise. An error of yield stops it and is returned.
func (p *Play) Lines(ctx context.Context, yield func(Line) error) error {
	var buf []byte
	return p.Records(ctx, func(r *logs.Record) error {
		buf = r.Append(buf[:0])
		l := Line{Time: r.Write.UTC(), Source: r.Source.Name, Agency: r.Source.Agency, Format: "jsonl", Transport: "http", Bytes: buf}
		switch r.Source.Kind {
		case logs.FortiGate:
			l.Format, l.Transport = "syslog", "syslog"
		case logs.Zeek:
			l.Format = "zeek"
		case logs.Suricata:
			l.Format = "eve"
		case logs.Syslog:
			l.Format, l.Transport = "syslog", "syslog"
		}
		return yield(l)
	})
}

// Records plays the exercise as records, in the order of writing. The record is
// valid until yield returns.
//
// Actors wait in one queue by the time they want to act, the records they make
// in another by the time they are written; a record is let go once no actor can
// make an earlier one. Memory therefore grows with the number of devices and of
// open connections, not with the length of the exercise.
func (p *Play) Records(ctx context.Context, yield func(*logs.Record) error) error {
	p.city.Forget()
	var out pending
	var now time.Time
	scene := p.scene(func(r logs.Record) {
		if r.Write.Before(now) {
			r.Write = now
		}
		out.add(r)
	})
	var queue actors
	add := func(next time.Time, do func(time.Time) time.Time) {
		if !next.IsZero() && next.Before(p.end) {
			queue = append(queue, turn{next, len(queue), do})
		}
	}
	_, serviced := weakness(p.city, p.opt.Seed, false)
	_, aided := helped(p.city, p.opt.Seed, false)
	plan := life.Plan{Scene: scene, Seed: p.opt.Seed, Begin: p.opt.Begin, End: p.end, Attack: p.opt.Attack, Rate: p.opt.Rate, Vendor: vendorOf(p.city), Serviced: map[*city.Agency]*city.Host{p.city.Hospital: serviced, p.city.Bureau: aided}, Down: p.down}
	if p.opt.CGNAT {
		plan.Shared = city.Shared()
	}
	for _, a := range plan.Actors() {
		add(a.Next, a.Do)
	}
	if !p.opt.NoAttack {
		for _, b := range newStage(scene, p.opt, p.scenario.play).beats {
			add(b.at, func(t time.Time) time.Time { b.do(t); return time.Time{} })
		}
	}
	heap.Init(&queue)
	release := func(until time.Time) error {
		for len(out.list) > 0 && !out.list[0].rec.Write.After(until) {
			r := out.next()
			if r.Write.After(p.end) {
				continue
			}
			if r.Schema.Kind == logs.Windows {
				r.ID = r.Source.RecordID(r.Schema.Channel(), idBase(r.Source.Computer))
			}
			if err := yield(&r); err != nil {
				return err
			}
		}
		return nil
	}
	for n := 0; len(queue) > 0; n++ {
		if n&255 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		q := &queue[0]
		now = q.at
		if err := release(now); err != nil {
			return err
		}
		next := q.do(now)
		if next.IsZero() || !next.Before(p.end) {
			heap.Pop(&queue)
			continue
		}
		if !next.After(now) {
			return fmt.Errorf("exercise %s: an actor stands still at %s", p.scenario.Name, now.Format(time.RFC3339))
		}
		q.at = next
		heap.Fix(&queue, 0)
	}
	return release(p.end)
}

// down reports whether a machine has been encrypted or put out of service by
// then: nobody works on it any more.
func (p *Play) down(h *city.Host, t time.Time) bool {
	at, ok := p.fell[h]
	return ok && !t.Before(at)
}

// idBase is where a host's record ids start: each log has its own past.
func idBase(computer string) uint64 {
	n := uint64(14695981039346656037)
	for i := range len(computer) {
		n = (n ^ uint64(computer[i])) * 1099511628211
	}
	return 1000 + n%900000
}

// turn is an actor waiting for its time.
type turn struct {
	at time.Time
	n  int
	do func(time.Time) time.Time
}

type actors []turn

func (a actors) Len() int { return len(a) }
func (a actors) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return a[i].n < a[j].n
}
func (a actors) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *actors) Push(x any)   { *a = append(*a, x.(turn)) }
func (a *actors) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = turn{} // let the closure go
	*a = old[:len(old)-1]
	return x
}

// pending holds records until they are written, in order of that time and of
// making. It is a heap of its own: through container/heap each record would be
// boxed.
type pending struct {
	list []waiting
	n    uint64
}

type waiting struct {
	rec logs.Record
	n   uint64
}

func (p *pending) less(i, j int) bool {
	if c := p.list[i].rec.Write.Compare(p.list[j].rec.Write); c != 0 {
		return c < 0
	}
	return p.list[i].n < p.list[j].n
}

func (p *pending) add(r logs.Record) {
	p.list = append(p.list, waiting{r, p.n})
	p.n++
	for i := len(p.list) - 1; i > 0; {
		up := (i - 1) / 2
		if !p.less(i, up) {
			return
		}
		p.list[i], p.list[up] = p.list[up], p.list[i]
		i = up
	}
}

func (p *pending) next() logs.Record {
	r := p.list[0].rec
	last := len(p.list) - 1
	p.list[0] = p.list[last]
	p.list[last] = waiting{}
	p.list = p.list[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			return r
		}
		if c+1 < last && p.less(c+1, c) {
			c++
		}
		if !p.less(c, i) {
			return r
		}
		p.list[i], p.list[c] = p.list[c], p.list[i]
		i = c
	}
}

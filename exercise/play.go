// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
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
	Name  string // what New takes
	Title string // key of internal/text
	About string // key of internal/text
	play  func(*stage)
}

// Scenarios lists the scripts.
func Scenarios() []Scenario {
	return []Scenario{
		{"hospital", "exercise.hospital.title", "exercise.hospital.about", hospital},
		{"webshell", "exercise.webshell.title", "exercise.webshell.about", webshell},
	}
}

// Options say what is played. The zero value is the demo.
type Options struct {
	Seed     uint64
	Devices  int           // about how many; 0 means 300; city.Min to city.Max
	Begin    time.Time     // of the logs, a local midnight is best; zero means 2026-03-11 00:00 in Taipei
	Days     int           // whole days before that of the attack; 0 means 2
	Attack   time.Time     // first compromise; zero means about 19:00 local on the day after Days
	Dwell    time.Duration // from first compromise to encryption; 0 means 6 h 30 min
	NoAttack bool          // the same city on the same days, and nothing happens
	Rate     float64       // how busy people and machines are; 0 means 1
	Loss     []Loss        // what nobody has any more
}

// Loss is a part of the records that is missing, as in most real cases
// (attackpath.md §9.4). The truth then holds only what is left on record.
type Loss string

// Losses.
const (
	LossController Loss = "controller" // the domain controllers' logs were never collected
	LossEntry      Loss = "entry"      // the first host was wiped
	LossCore       Loss = "core"       // no sensor at the core switch
	LossHorizon    Loss = "horizon"    // the logs begin half an hour after the first compromise
)

// horizon is how long after the first compromise the logs begin with
// LossHorizon.
const horizon = 30 * time.Minute

// Limits of the options.
const (
	maxDays  = 60
	minDwell = 2 * time.Hour
	maxDwell = 14 * 24 * time.Hour
	after    = 25 * time.Minute // how long the logs go on after the last deed
)

var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// fill sets defaults and refuses what cannot be played.
func (o *Options) fill() error {
	switch {
	case o.Devices == 0:
		o.Devices = 300
	case o.Devices < city.Min || o.Devices > city.Max:
		return fault.New(fault.Invalid, "devices %d: want %d to %d", o.Devices, city.Min, city.Max)
	}
	if o.Days < 0 || o.Days > maxDays {
		return fault.New(fault.Invalid, "days %d: want 0 to %d", o.Days, maxDays)
	}
	if o.Begin.IsZero() {
		o.Begin = time.Date(2026, 3, 11, 0, 0, 0, 0, taipei)
	}
	if o.Days == 0 {
		o.Days = 2
	}
	if o.Attack.IsZero() {
		y, m, d := o.Begin.In(taipei).Date()
		o.Attack = time.Date(y, m, d+o.Days, 18, 50, 0, 0, taipei).Add(time.Duration(o.Seed%1301) * time.Second)
	}
	if o.Attack.Before(o.Begin) {
		return fault.New(fault.Invalid, "attack %s comes before the logs begin", o.Attack.Format(time.RFC3339))
	}
	if o.Dwell == 0 {
		o.Dwell = 6*time.Hour + 30*time.Minute
	}
	if o.Dwell < minDwell || o.Dwell > maxDwell {
		return fault.New(fault.Invalid, "dwell %s: want %s to %s", o.Dwell, minDwell, maxDwell)
	}
	for _, l := range o.Loss {
		switch l {
		case LossController, LossEntry, LossCore, LossHorizon:
		default:
			return fault.New(fault.Invalid, "loss %q: want controller, entry, core or horizon", l)
		}
	}
	if o.Rate == 0 {
		o.Rate = 1
	}
	if o.Rate < 0.01 || o.Rate > 20 {
		return fault.New(fault.Invalid, "rate %g: want 0.01 to 20", o.Rate)
	}
	return nil
}

// Play is one exercise, ready to be played any number of times with the same
// result. It is for one goroutine.
type Play struct {
	scenario Scenario
	opt      Options
	city     *city.City
	truth    Truth
	fell     map[*city.Host]time.Time
	end      time.Time
}

// New prepares an exercise. The scenario is a name of Scenarios.
func New(scenario string, opt Options) (*Play, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	for _, sc := range Scenarios() {
		if sc.Name != scenario {
			continue
		}
		p := &Play{scenario: sc, opt: opt, city: city.New(opt.Seed, opt.Devices)}
		p.rehearse()
		return p, nil
	}
	return nil, fault.New(fault.NotFound, "no exercise named %q", scenario)
}

// rehearse plays the script alone, to nobody, to learn the truth.
func (p *Play) rehearse() {
	scene := act.New(p.city, func(logs.Record) {})
	scene.Lost = p.lost()
	g := newStage(scene, p.opt, p.scenario.play)
	for _, b := range g.beats {
		b.do(b.at)
	}
	g.finish()
	p.end = g.end.Add(after).Truncate(time.Second)
	p.truth, p.fell = *g.truth, g.fell
	if p.opt.NoAttack {
		innocent := append(p.truth.Innocent, p.truth.Isolate...)
		p.truth, p.fell = Truth{Seed: p.opt.Seed, Innocent: innocent}, nil
	}
	p.truth.Scenario, p.truth.Begin, p.truth.End = p.scenario.Name, p.opt.Begin.UTC(), p.end.UTC()
	if slices.Contains(p.opt.Loss, LossHorizon) {
		p.truth.Begin = p.opt.Attack.Add(horizon).UTC()
	}
}

// lost says which records the options take away, nil for none.
func (p *Play) lost() func(*logs.Record) bool {
	if len(p.opt.Loss) == 0 {
		return nil
	}
	first := p.city.Srv.Portal
	if p.scenario.Name == "hospital" {
		_, first = weakness(p.city, p.opt.Seed)
	}
	wiped := map[*logs.Source]bool{}
	for _, l := range p.opt.Loss {
		switch l {
		case LossController:
			for _, d := range []*city.Domain{p.city.Bureau.Domain, p.city.Hospital.Domain} {
				for _, h := range d.DCs {
					wiped[h.Logs] = true
				}
			}
		case LossEntry:
			wiped[first.Logs] = true
		case LossCore:
			wiped[p.city.Core] = true
		}
	}
	var from time.Time
	if slices.Contains(p.opt.Loss, LossHorizon) {
		from = p.opt.Attack.Add(horizon)
	}
	return func(r *logs.Record) bool { return wiped[r.Source] || r.Write.Before(from) }
}

// Truth returns what happens. Times are those of the records: of each move and
// step the earliest stamp that any sensor wrote, by that sensor's clock. What no
// sensor recorded is not in it.
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
	Format    string    // decoder: jsonl, zeek, eve, syslog
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
	scene := act.New(p.city, func(r logs.Record) {
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
	_, serviced := weakness(p.city, p.opt.Seed)
	scene.Lost = p.lost()
	plan := life.Plan{Scene: scene, Seed: p.opt.Seed, Begin: p.opt.Begin, End: p.end, Attack: p.opt.Attack, Rate: p.opt.Rate, Vendor: vendorOf(p.city), Serviced: serviced, Down: p.down}
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

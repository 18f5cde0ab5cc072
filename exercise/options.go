// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"slices"
	"time"

	"citywall/exercise/city"
	"citywall/internal/fault"
)

// Options say what is played. The zero value is the demo.
type Options struct {
	Seed     uint64
	Devices  int           // about how many; 0 means 300; city.Min to city.Max, and what is below city.Smallest gives the smallest city
	Begin    time.Time     // of the logs, a local midnight is best; zero means 2026-03-11 00:00 in Taipei
	Days     int           // whole days before that of the attack; 0 means the script's own, NoDays none
	Attack   time.Time     // first compromise; zero means the script's hour on the day after Days
	Dwell    time.Duration // from first compromise to encryption; 0 means the script's own
	NoAttack bool          // the same city on the same days, and nothing happens
	Rate     float64       // how busy people and machines are; 0 means 1
	Loss     []Loss        // what nobody has any more
	Stealth  []Stealth     // how the intruder hides
	Clock    time.Duration // the largest clock error: some sources and machines are wrong by up to so much; at most MaxClock
	Sample   int           // 0, or the core switch exports one packet in so many (2 to MaxSample) in place of Zeek's records
	CGNAT    bool          // attackers share outside addresses with honest people; the city's own hide behind a pool

	cut time.Duration // of LossHorizon
}

// NoDays asks for an attack on the first day of the logs.
const NoDays = -1

// Loss is a part of the records that is missing, as in most real cases
// (attackpath.md §9.4). They can be combined. The truth then says of each move
// who still has it on record, and lists apart those that nobody has.
type Loss string

// Losses.
const (
	LossController Loss = "controller" // the domain controllers' logs were never collected
	LossEntry      Loss = "entry"      // the first host was wiped
	LossCore       Loss = "core"       // no sensor at the core switch
	LossHorizon    Loss = "horizon"    // the logs begin half an hour after the first compromise, or a twelfth of the dwell time
	LossThreeDays  Loss = "3-days"     // logs are kept for three days only, counted back from the end
)

// Losses lists them.
func Losses() []Loss {
	return []Loss{LossController, LossEntry, LossCore, LossHorizon, LossThreeDays}
}

// Stealth is a habit of an intruder that makes him harder to see.
type Stealth string

// Ways of hiding.
const (
	StealthSlow  Stealth = "slow"        // eight times the dwell time, rare and irregular calls home, no sweeps
	StealthTools Stealth = "own-tools"   // programs of his own in place of the system's well-known ones
	StealthPairs Stealth = "admin-pairs" // moves only where administrators move every day, once he stands there
)

// Stealths lists them.
func Stealths() []Stealth { return []Stealth{StealthSlow, StealthTools, StealthPairs} }

// Limits of the options.
const (
	MaxDays   = 60
	MaxClock  = 10 * time.Minute
	MaxSample = 10_000
	maxDwell  = 14 * 24 * time.Hour
	horizon   = 30 * time.Minute   // of LossHorizon, after the first compromise; a twelfth of the dwell time when that is less
	kept      = 3 * 24 * time.Hour // of LossThreeDays, before the end
	after     = 25 * time.Minute   // how long the logs go on after the last deed
	slower    = 8                  // StealthSlow
)

var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// fill sets the defaults of a script and refuses what cannot be played.
func (o *Options) fill(sc *Scenario) error {
	switch {
	case o.Devices == 0:
		o.Devices = 300
	case o.Devices < city.Min || o.Devices > city.Max:
		return fault.New(fault.Invalid, "devices %d: want %d to %d", o.Devices, city.Min, city.Max)
	}
	switch {
	case o.Days == 0:
		o.Days = sc.Days
	case o.Days == NoDays:
		o.Days = 0
	case o.Days < 0 || o.Days > MaxDays:
		return fault.New(fault.Invalid, "days %d: want 0 to %d", o.Days, MaxDays)
	}
	if o.Begin.IsZero() {
		o.Begin = time.Date(2026, 3, 11, 0, 0, 0, 0, taipei)
	}
	if o.Attack.IsZero() {
		y, m, d := o.Begin.In(taipei).Date()
		o.Attack = time.Date(y, m, d+o.Days, 0, 0, 0, 0, taipei).Add(sc.hour).Add(time.Duration(o.Seed%1301) * time.Second)
	}
	if o.Attack.Before(o.Begin) {
		return fault.New(fault.Invalid, "attack %s comes before the logs begin", o.Attack.Format(time.RFC3339))
	}
	if o.Dwell == 0 {
		o.Dwell = sc.Dwell
		if o.has(StealthSlow) {
			o.Dwell = min(slower*o.Dwell, maxDwell)
		}
	}
	if o.Dwell < sc.Least || o.Dwell > maxDwell {
		return fault.New(fault.Invalid, "dwell %s: want %s to %s", o.Dwell, sc.Least, maxDwell)
	}
	o.cut = min(horizon, sc.Dwell/12, o.Dwell/12)
	for _, l := range o.Loss {
		if !slices.Contains(Losses(), l) {
			return fault.New(fault.Invalid, "loss %q: want some of %v", l, Losses())
		}
	}
	for _, s := range o.Stealth {
		if !slices.Contains(Stealths(), s) {
			return fault.New(fault.Invalid, "stealth %q: want some of %v", s, Stealths())
		}
	}
	if o.Clock < 0 || o.Clock > MaxClock {
		return fault.New(fault.Invalid, "clock error %s: want 0 to %s", o.Clock, MaxClock)
	}
	if o.Sample != 0 && (o.Sample < 2 || o.Sample > MaxSample) {
		return fault.New(fault.Invalid, "sample %d: want 2 to %d, or 0 for whole flows", o.Sample, MaxSample)
	}
	if o.Rate == 0 {
		o.Rate = 1
	}
	if !(o.Rate >= 0.01 && o.Rate <= 20) {
		return fault.New(fault.Invalid, "rate %g: want 0.01 to 20", o.Rate)
	}
	return nil
}

func (o *Options) has(s Stealth) bool { return slices.Contains(o.Stealth, s) }

func (o *Options) lost(l Loss) bool { return slices.Contains(o.Loss, l) }

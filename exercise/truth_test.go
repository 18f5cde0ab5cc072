// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/exercise"
	"citywall/exercise/logs"
)

// sightings are all records of a play, by who wrote them and with which time.
type sightings map[exercise.TruthSeen][]string

// collect plays, and reports besides which of the wanted words no record has.
func collect(t testing.TB, p *exercise.Play, wanted map[string]bool) sightings {
	t.Helper()
	out := sightings{}
	var buf []byte
	err := p.Records(t.Context(), func(r *logs.Record) error {
		buf = r.Append(buf[:0])
		line := strings.ToLower(string(buf))
		k := exercise.TruthSeen{Source: r.Source.Name, Computer: r.Source.Computer, Stamp: r.Stamp}
		out[k] = append(out[k], line)
		if s := r.Get("flow.start"); s != "" { // what such a record is of began then
			at, err := time.Parse("2006-01-02T15:04:05.000000-0700", s)
			if err != nil {
				return err
			}
			k.Stamp = at.UTC()
			out[k] = append(out[k], line)
		}
		for w := range wanted {
			if strings.Contains(line, w) {
				delete(wanted, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shows reports whether one of the sightings is a record that was played and
// speaks of every end: each end is one of several words.
func (s sightings) shows(seen []exercise.TruthSeen, ends ...[]string) bool {
	for _, k := range seen {
		own := strings.ToLower(k.Computer)
		for _, line := range s[exercise.TruthSeen{Source: k.Source, Computer: k.Computer, Stamp: k.Stamp.UTC()}] {
			all := true
			for _, words := range ends {
				all = all && slices.ContainsFunc(words, func(w string) bool { return w != "" && strings.Contains(own+" "+line, strings.ToLower(w)) })
			}
			if all {
				return true
			}
		}
	}
	return false
}

// knobs are the options each script is checked with.
func knobs() map[string]exercise.Options {
	out := map[string]exercise.Options{}
	for seed := range uint64(2) {
		out[fmt.Sprintf("seed %d", seed)] = small(seed)
	}
	with := func(name string, change func(*exercise.Options)) {
		o := small(1)
		o.Rate, o.Devices, o.Days = 0.1, 70, exercise.NoDays
		change(&o)
		out[name] = o
	}
	for _, l := range exercise.Losses() {
		with("loss "+string(l), func(o *exercise.Options) { o.Loss = []exercise.Loss{l} })
	}
	with("losses together", func(o *exercise.Options) {
		o.Loss = []exercise.Loss{exercise.LossController, exercise.LossEntry, exercise.LossCore}
	})
	for _, s := range exercise.Stealths() {
		with("stealth "+string(s), func(o *exercise.Options) { o.Stealth = []exercise.Stealth{s} })
	}
	with("clocks", func(o *exercise.Options) { o.Clock = exercise.MaxClock })
	with("sampled", func(o *exercise.Options) { o.Sample = 100 })
	with("cgnat", func(o *exercise.Options) { o.CGNAT = true })
	with("everything", func(o *exercise.Options) {
		o.Clock, o.Sample, o.CGNAT, o.Stealth = 3*time.Minute, 1000, true, exercise.Stealths()
		o.Loss = []exercise.Loss{exercise.LossController, exercise.LossThreeDays}
	})
	return out
}

// TestTruthIsRecorded looks for each move, step and anchor of the truth in the
// records: one that bears the stamp and the source that the truth names must
// speak of both ends. It holds with any part of the records lost and with
// clocks that are wrong; what nobody has any more is listed as lost.
func TestTruthIsRecorded(t *testing.T) {
	for _, sc := range exercise.Scenarios() {
		for name, opt := range knobs() {
			t.Run(sc.Name+"/"+name, func(t *testing.T) { check(t, sc.Name, opt) })
		}
	}
}

func check(t *testing.T, scenario string, opt exercise.Options) {
	t.Parallel()
	p := play(t, scenario, opt)
	tr := p.Truth()
	drawn, idle := map[string]string{}, map[string]bool{}
	for _, h := range p.Topology().Hosts {
		drawn[h.Name] = h.Addresses[0].String()
	}
	for _, h := range tr.Innocent {
		idle[h] = true
		if a := drawn[h]; a != "" {
			idle[`"`+a+`"`] = true
		}
	}
	s := collect(t, p, idle)
	// What the clock of a source may say besides the true time.
	slack := time.Second + opt.Clock
	for i, h := range tr.Hops {
		src, dst := []string{h.Src, h.SrcAddr.String()}, []string{h.Dst, h.DstAddr.String()}
		if h.Kind == "gpo" { // the record is the machine's own; that the controller gave the order is what truth knows
			src = dst
		}
		if !s.shows(h.Seen, src, dst) {
			t.Errorf("hop %d (%s %s → %s at %s) is in no record of %v", i+1, h.Kind, h.Src, h.Dst, h.Time, h.Seen)
		}
		if i > 0 && h.Time.Before(tr.Hops[i-1].Time) {
			t.Errorf("hop %d is out of order", i+1)
		}
		for _, k := range h.Seen {
			if k.Stamp.Before(h.Time.Add(-slack)) {
				t.Errorf("hop %d at %s is recorded %s before it happens, by %s", i+1, h.Time, h.Time.Sub(k.Stamp), k.Source)
			}
		}
		// A connection that was open when the logs begin is written when it ends, with its old start.
		early := h.Time.Before(tr.Begin) && len(opt.Loss) == 0
		if early || h.Time.After(tr.End) {
			t.Errorf("hop %d at %s lies outside the logs, %s to %s", i+1, h.Time, tr.Begin, tr.End)
		}
	}
	if len(tr.Lost) > 0 && len(opt.Loss) == 0 && opt.Sample == 0 && !opt.CGNAT {
		t.Errorf("moves without a record, though nothing was lost: %+v", tr.Lost)
	}
	addr := map[string]string{}
	for _, h := range tr.Hosts {
		addr[h.Host] = h.Addr.String()
	}
	encrypted := map[time.Time]bool{}
	for _, st := range tr.Steps {
		if !s.shows(st.Seen, []string{st.Host, addr[st.Host]}) {
			t.Errorf("step %s on %s at %s is in no record of %v", st.Step, st.Host, st.Time, st.Seen)
		}
		encrypted[st.Time] = encrypted[st.Time] || st.Step == "encryption"
	}
	for _, a := range tr.Anchors {
		if !encrypted[a] {
			t.Errorf("anchor %s is no step of encryption", a)
		}
	}
	if tr.Hosts[0].Host != tr.Entry.Host || !tr.Hosts[0].First.Equal(tr.Entry.Time) {
		t.Errorf("the first host %v is not the entry %v", tr.Hosts[0], tr.Entry)
	}
	if len(opt.Loss) == 0 && (len(tr.Entry.Seen) == 0 || !s.shows(tr.Entry.Seen, []string{tr.Entry.Host, tr.Entry.Addr.String()})) {
		t.Errorf("the entry is in no record of %v", tr.Entry.Seen)
	}
	if len(tr.Anchors) == 0 || len(tr.Breakpoints) == 0 {
		t.Errorf("%d anchors, %d breakpoints", len(tr.Anchors), len(tr.Breakpoints))
	}
	for _, h := range tr.Innocent {
		if slices.Contains(tr.Isolate, h) {
			t.Errorf("%s is innocent and guilty", h)
		}
		if idle[h] && (drawn[h] == "" || idle[`"`+drawn[h]+`"`]) && len(opt.Loss) == 0 && opt.Sample == 0 {
			t.Errorf("innocent %s (%s) does nothing", h, drawn[h])
		}
	}
}

// TestWholeStories holds each script, nothing hidden and nothing lost, to what
// a whole attack has.
func TestWholeStories(t *testing.T) {
	for _, sc := range exercise.Scenarios() {
		tr := play(t, sc.Name, small(1)).Truth()
		if len(tr.Hops) < 5 || len(tr.Hosts) < 4 || len(tr.Anchors) < 2 || len(tr.Steps) < 10 || len(tr.Innocent) < 15 {
			t.Errorf("%s: only %d hops, %d hosts, %d anchors, %d steps, %d innocents", sc.Name, len(tr.Hops), len(tr.Hosts), len(tr.Anchors), len(tr.Steps), len(tr.Innocent))
		}
		if tr.Entry.Kind != sc.Entry {
			t.Errorf("%s: the way in is %s, the list says %s", sc.Name, tr.Entry.Kind, sc.Entry)
		}
	}
}

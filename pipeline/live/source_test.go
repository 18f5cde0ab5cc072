// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citywall/event"
	"citywall/internal/queue"
)

// desk is a register of sources with a clock that is set by hand.
type register struct {
	*sources
	t       *testing.T
	clock   time.Time
	notices []Notice
	said    []record
	down    bool // nothing can be published
}

// check looks at the sources once.
func (r *register) check() {
	r.sources.check(r.t.Context(), func(_ context.Context, rs []record) error {
		if r.down {
			return errors.New("the queue is full")
		}
		r.said = append(r.said, rs...)
		return nil
	})
}

// heard takes what was said since the last time: "condition change source".
func (r *register) heard() []string {
	var out []string
	for _, x := range r.said {
		out = append(out, string(x.Condition)+" "+x.Change+" "+x.Source)
	}
	r.said = nil
	return out
}

func newRegister(t *testing.T, file string) *register {
	t.Helper()
	r := &register{t: t, clock: time.Date(2026, 10, 20, 8, 0, 30, 0, time.UTC)}
	var err error
	r.sources, err = newSources(Defaults(), file, func() time.Time { return r.clock }, func(n Notice) { r.notices = append(r.notices, n) }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// saw lets n records of lag arrive now.
func (r *register) saw(name string, n int, lag time.Duration, delayed bool) {
	m := &queue.Message{Source: name, Realm: "city", Listener: "syslog-udp", Delayed: delayed}
	for i := range n {
		e := &event.Event{Realm: "city", Source: name, Agency: "A01", Received: r.clock, Time: r.clock.Add(-lag - time.Duration(n-1-i)*time.Millisecond)}
		e.Origin.Format = "syslog"
		r.sources.saw(m, e)
	}
}

func (r *register) one(name string) Source {
	r.t.Helper()
	for _, s := range r.list() {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no source %q", name)
	return Source{}
}

func TestSourceStates(t *testing.T) {
	r := newRegister(t, "")
	for range 20 {
		r.clock = r.clock.Add(20 * time.Second)
		r.saw("fw", 5, 200*time.Millisecond, false)
		r.saw("old", 1, 20*time.Minute, false)
	}
	r.check()
	s := r.one("fw")
	if s.State != SourceOK || s.Usual != 20*time.Second || s.Lag != 200*time.Millisecond || s.Records != 100 {
		t.Errorf("fw: %+v", s)
	}
	if s := r.one("old"); s.State != SourceLate || s.Lag != 20*time.Minute {
		t.Errorf("old: %+v", s)
	}
	if len(r.notices) != 1 || r.notices[0].Source.Name != "old" {
		t.Errorf("notices %+v", r.notices)
	}
	r.clock = r.clock.Add(199 * time.Second)
	if r.check(); r.one("fw").State != SourceOK {
		t.Error("silent too early")
	}
	r.clock = r.clock.Add(2 * time.Second) // more than ten times the usual 20 s
	r.check()
	r.check()
	if s := r.one("fw"); s.State != SourceSilent || len(s.Gaps) != 0 {
		t.Errorf("fw: %+v", s)
	}
	if n := r.notices[len(r.notices)-1]; len(r.notices) != 3 || n.Kind != NoticeSource || n.Source.State != SourceSilent {
		t.Errorf("notices %+v", r.notices)
	}
	back := r.clock.Add(100 * time.Second)
	before := r.one("fw").LastSeen
	r.clock = back
	r.saw("fw", 1, 0, false)
	r.check()
	s = r.one("fw")
	if s.State != SourceOK || len(s.Gaps) != 1 || !s.Gaps[0].FromTime.Equal(before) || !s.Gaps[0].ToTime.Equal(back) || s.Usual != 20*time.Second {
		t.Errorf("fw: %+v", s)
	}
	if n := r.notices[len(r.notices)-1]; n.Source.Name != "fw" || n.Source.State != SourceOK {
		t.Errorf("notices %+v", r.notices)
	}
}

func TestSourceThatBurstsIsNotSilent(t *testing.T) {
	r := newRegister(t, "")
	for range 10 { // once an hour, thousands at once
		r.clock = r.clock.Add(time.Hour)
		r.saw("batch", 500, 30*time.Minute, false)
	}
	r.clock = r.clock.Add(9 * time.Hour)
	if s := r.one("batch"); s.State == SourceSilent {
		t.Errorf("%+v", s)
	}
}

func TestClockOfASource(t *testing.T) {
	for _, c := range []struct {
		name     string
		lags     []time.Duration // of the first record of each arrival
		delayed  bool
		want     bool
		off, unc time.Duration
	}{
		{"ahead by two minutes", repeat(-2*time.Minute, 10), false, true, 2 * time.Minute, 0},
		{"behind by three seconds", repeat(3*time.Second, 10), false, true, -3 * time.Second, 0},
		{"jitter and one outlier", []time.Duration{900e6, 1000e6, 1100e6, 900e6, 1000e6, 1100e6, 1000e6, 40 * time.Minute, 1000e6}, false, true, -time.Second, 0},
		{"spread", []time.Duration{1e9, 2e9, 3e9, 4e9, 5e9, 6e9, 7e9, 8e9, 9e9}, false, true, -5 * time.Second, 2960 * time.Millisecond},
		{"too few", repeat(time.Second, 5), false, false, 0, 0},
		{"hours late says nothing of a clock", repeat(3*time.Hour, 20), false, false, 0, 0},
		{"read from files", repeat(time.Second, 20), true, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegister(t, "")
			for _, lag := range c.lags {
				r.clock = r.clock.Add(10 * time.Second)
				r.saw("s", 3, lag, c.delayed)
			}
			s := r.one("s")
			if (s.Clock != nil) != c.want {
				t.Fatalf("clock %+v", s.Clock)
			}
			if c.want && (s.Clock.Offset != c.off || (s.Clock.Uncertainty-c.unc).Abs() > 200*time.Millisecond || s.Clock.Pairs < enough) {
				t.Errorf("clock %+v, want %v ± %v", s.Clock, c.off, c.unc)
			}
		})
	}
}

func repeat(d time.Duration, n int) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = d
	}
	return out
}

func TestRates(t *testing.T) {
	r := newRegister(t, "")
	start := r.clock
	for r.clock.Sub(start) < 10*time.Minute {
		r.saw("s", 2, 0, false)
		r.clock = r.clock.Add(time.Second)
	}
	s := r.one("s")
	if math.Abs(s.Rate-2) > 0.1 || math.Abs(s.Rates[55]-2) > 0.01 || s.Rates[40] != 0 {
		t.Errorf("rate %.2f, rates %v", s.Rate, s.Rates)
	}
	r.clock = r.clock.Add(2 * time.Hour)
	if s := r.one("s"); s.Rate != 0 || s.Rates[0] != 0 {
		t.Errorf("two hours later: rate %.2f, rates %v", s.Rate, s.Rates)
	}
	r.saw("s", 60, 0, false)
	if s := r.one("s"); s.Rates[59] != 1 || s.Rates[58] != 0 {
		t.Errorf("rates %v", s.Rates)
	}
}

// A source that fell silent before a restart is still known to be silent.
func TestSourcesOutliveTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sources.json")
	r := newRegister(t, file)
	for range 20 {
		r.clock = r.clock.Add(20 * time.Second)
		r.saw("fw", 5, time.Second, false)
	}
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	was := r.one("fw")
	again := newRegister(t, file)
	again.clock = r.clock.Add(time.Hour)
	s := again.one("fw")
	if s.State != SourceSilent || s.Usual != was.Usual || s.Clock == nil || s.Records != 0 || s.Agency != "A01" {
		t.Errorf("%+v", s)
	}
	if again.check(); len(again.notices) != 1 {
		t.Errorf("notices %+v", again.notices)
	}
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSources(Defaults(), file, time.Now, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a broken file was taken for none")
	}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise_test

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/exercise"
	"citywall/exercise/city"
	"citywall/exercise/logs"
	"citywall/internal/text"
)

// quick is a city whose whole exercise plays in a tenth of a second.
func quick(seed uint64) exercise.Options {
	o := small(seed)
	o.Rate, o.Days = 0.3, exercise.NoDays
	return o
}

// TestClocks puts clocks wrong and holds that the truth does not move: each
// move is where it is with right clocks, and its records differ from it by the
// error that the truth lists for their source.
func TestClocks(t *testing.T) {
	moved := 0
	for _, sc := range exercise.Scenarios() {
		opt := quick(6)
		right := play(t, sc.Name, opt).Truth()
		opt.Clock = exercise.MaxClock
		wrong := play(t, sc.Name, opt).Truth()
		if len(right.Clocks) > 0 || len(wrong.Clocks) == 0 {
			t.Fatalf("%s: wrong clocks without the knob: %v, with it: %d", sc.Name, right.Clocks, len(wrong.Clocks))
		}
		off := map[string]time.Duration{}
		for _, c := range wrong.Clocks {
			if c.Error.Abs() > exercise.MaxClock+time.Second {
				t.Errorf("%s: %+v is more than was asked for", sc.Name, c)
			}
			off[c.Source+c.Computer] = c.Error
		}
		if len(right.Hops) != len(wrong.Hops) {
			t.Fatalf("%s: %d moves become %d", sc.Name, len(right.Hops), len(wrong.Hops))
		}
		for i, h := range wrong.Hops {
			if d := h.Time.Sub(right.Hops[i].Time).Abs(); d > time.Second {
				t.Errorf("%s: move %d is moved by %s", sc.Name, i+1, d)
			}
			for _, s := range h.Seen {
				if s.Source == "fw-edge" || s.Source == "fw-hos" { // written at the end
					continue
				}
				e := off[s.Source+s.Computer]
				if d := s.Stamp.Sub(h.Time) - e; d.Abs() > 10*time.Second {
					t.Errorf("%s: move %d at %s has stamp %s by %s, whose clock is wrong by %s", sc.Name, i+1, h.Time, s.Stamp, s.Source+s.Computer, e)
				}
				if e.Abs() > time.Minute {
					moved++
				}
			}
		}
	}
	if moved < 10 {
		t.Errorf("only %d records of moves have a time that is wrong by a minute", moved)
	}
}

// TestSampled compares what a sampling switch exports with what Zeek records of
// the same city: fewer flows, and about the same bytes when multiplied by the
// rate that stands in each record.
func TestSampled(t *testing.T) {
	const rate = 64
	number := func(r *logs.Record, f string) float64 {
		v, err := strconv.ParseFloat(r.Get(f), 64)
		if err != nil {
			return 0 // unset
		}
		return v
	}
	opt := quick(2)
	opt.NoAttack = true
	var bytes, flows float64
	err := play(t, "hospital", opt).Records(t.Context(), func(r *logs.Record) error {
		if r.Schema == logs.Flow {
			t.Fatal("a sampled flow without the knob")
		}
		if r.Schema == logs.ZeekConn {
			flows++
			bytes += number(r, "orig_ip_bytes") + number(r, "resp_ip_bytes")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	opt.Sample = rate
	var sampled, records float64
	err = play(t, "hospital", opt).Records(t.Context(), func(r *logs.Record) error {
		if r.Schema.Kind == logs.Zeek {
			t.Fatalf("Zeek still writes: %s", r.Append(nil))
		}
		if r.Schema == logs.Flow {
			records++
			sampled += number(r, "octets") * rate
			if line := string(r.Append(nil)); !strings.Contains(line, `"sampling_interval":64`) {
				t.Fatalf("no rate in %s", line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if records == 0 || records > flows {
		t.Errorf("%g records of %g connections", records, flows)
	}
	if math.Abs(sampled/bytes-1) > 0.05 {
		t.Errorf("%.4g bytes by sampling, %.4g in truth", sampled, bytes)
	}
}

// TestShared holds that with CGNAT no outside address gives the intruder away,
// and none of Suricata's records names a machine inside; the firewall still can.
func TestShared(t *testing.T) {
	opt := quick(3)
	opt.CGNAT, opt.Rate = true, 1
	p := play(t, "hospital", opt)
	tr := p.Truth()
	if !slices.Contains(city.Shared(), tr.Entry.External) {
		t.Fatalf("the intruder comes from %s", tr.Entry.External)
	}
	if !slices.ContainsFunc(tr.Breakpoints, func(b exercise.TruthBreak) bool {
		return b.Addr == tr.Entry.External && slices.Contains(b.Codes, "BP-CGNAT")
	}) {
		t.Errorf("no breakpoint at the shared address: %+v", tr.Breakpoints)
	}
	honest, joined := map[string]bool{}, 0
	outer := map[string]string{}
	pool := netip.MustParsePrefix("192.0.2.56/30")
	var eve []string
	err := p.Records(t.Context(), func(r *logs.Record) error {
		switch r.Schema {
		case logs.FortiVPNUp:
			if r.Get("user") != "v-ris" {
				honest[r.Get("remip")] = true
			}
		case logs.FortiForward:
			if a := r.Get("transip"); a != "" {
				outer[a+":"+r.Get("transport")] = r.Get("srcip")
			}
		case logs.EveFlow:
			a := netip.MustParseAddr(r.Get("src_ip"))
			if a.IsPrivate() {
				t.Errorf("outside the pool: %s", r.Append(nil))
			}
			if pool.Contains(a) {
				eve = append(eve, a.String()+":"+r.Get("src_port"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range eve {
		if outer[e] != "" {
			joined++
		}
	}
	if len(eve) == 0 || joined*100 < len(eve)*95 { // a port used twice, a session that ends after the logs
		t.Errorf("%d of %d outgoing flows can be joined with the firewall's", joined, len(eve))
	}
	if len(honest) == 0 {
		t.Skip("no home worker in this small city")
	}
	for a := range honest {
		if !slices.Contains(city.Shared(), netip.MustParseAddr(a)) {
			t.Errorf("home worker from %s, an address of his own", a)
		}
	}
}

// TestStealth holds that each way of hiding changes what can be seen, and not
// that the attack happens.
func TestStealth(t *testing.T) {
	play := func(name string, s ...exercise.Stealth) (exercise.Truth, string) {
		opt := quick(4)
		opt.Dwell, opt.Stealth = 0, s
		p := play(t, name, opt)
		var b strings.Builder
		if err := p.Records(t.Context(), func(r *logs.Record) error { b.Write(r.Append(nil)); return nil }); err != nil {
			t.Fatal(err)
		}
		return p.Truth(), b.String()
	}
	open, said := play("hospital")
	for _, w := range []string{"comsvcs.dll, MiniDump", "delete shadows", `Temp\\rclone.exe`, "zam64.sys"} {
		if !strings.Contains(said, w) {
			t.Errorf("nothing says %q though nobody hides", w)
		}
	}
	own, said := play("hospital", exercise.StealthTools)
	for _, w := range []string{"comsvcs.dll, MiniDump", "delete shadows", `Temp\\rclone.exe`, "zam64.sys"} {
		if strings.Contains(said, w) {
			t.Errorf("own tools, and still %q", w)
		}
	}
	if len(own.Hops) != len(open.Hops) || len(own.Anchors) != len(open.Anchors) {
		t.Errorf("own tools change the moves: %d and %d", len(own.Hops), len(open.Hops))
	}
	slow, _ := play("hospital", exercise.StealthSlow)
	if d := slow.End.Sub(slow.Entry.Time); d < 6*open.End.Sub(open.Entry.Time) {
		t.Errorf("slow takes %s", d)
	}
	pairs, _ := play("hospital", exercise.StealthPairs)
	for _, h := range pairs.Hops {
		inside := !strings.Contains(h.Kind, "vpn") && h.Src != pairs.Entry.Host && h.Kind != "c2" && h.Kind != "exfiltration" && h.Kind != "gpo" && !strings.HasPrefix(h.Src, "10.254.")
		if inside && h.Src != "hos-jump01" {
			t.Errorf("only where administrators move, and still %s → %s by %s", h.Src, h.Dst, h.Kind)
		}
	}
}

// TestKnobsAreDescribed holds that each knob has its words.
func TestKnobsAreDescribed(t *testing.T) {
	for _, k := range exercise.Knobs() {
		if !text.Has(text.En, k.About) || !text.Has(text.ZhTW, k.About) || k.Values == "" {
			t.Errorf("knob %s: no words %s", k.Name, k.About)
		}
	}
}

// TestSmallestCity plays each script where there is hardly anybody.
func TestSmallestCity(t *testing.T) {
	for _, sc := range exercise.Scenarios() {
		for seed := range uint64(6) {
			opt := quick(seed)
			opt.Devices = city.Min
			p := play(t, sc.Name, opt)
			if tr := p.Truth(); len(tr.Hops) < 3 || len(tr.Hosts) < 4 || len(tr.Anchors) < 2 {
				t.Errorf("%s seed %d: %d hops, %d hosts, %d anchors", sc.Name, seed, len(tr.Hops), len(tr.Hosts), len(tr.Anchors))
			}
			if seed > 0 {
				continue
			}
			if err := p.Lines(t.Context(), func(exercise.Line) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(city.New(1, city.Min).Hosts); n != city.Smallest {
		t.Errorf("the smallest city has %d machines, not %d", n, city.Smallest)
	}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/event"
	"citywall/exercise"
	"citywall/exercise/city"
	"citywall/exercise/logs"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/text"
)

var update = flag.Bool("update", false, "write the golden file")

// small is a city that plays in a fraction of a second.
func small(seed uint64) exercise.Options {
	return exercise.Options{Seed: seed, Devices: 90, Days: 1, Dwell: 3 * time.Hour}
}

func play(t testing.TB, name string, opt exercise.Options) *exercise.Play {
	t.Helper()
	for _, sc := range exercise.Scenarios() {
		if sc.Name == name && opt.Dwell > 0 {
			opt.Dwell = max(opt.Dwell, sc.Least) // some take days
		}
	}
	p, err := exercise.New(name, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// digest hashes everything that is played, line by line with its sender.
func digest(t testing.TB, p *exercise.Play) string {
	t.Helper()
	h := sha256.New()
	err := p.Lines(t.Context(), func(l exercise.Line) error {
		fmt.Fprintf(h, "%d %s %s %s %s ", l.Time.UnixNano(), l.Source, l.Agency, l.Format, l.Transport)
		h.Write(l.Bytes)
		h.Write([]byte{'\n'})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestSameBytes holds the generator to its seed, within a run and between
// versions: a change of the golden file changes every measured figure, and
// must be meant.
func TestSameBytes(t *testing.T) {
	var got bytes.Buffer
	for _, sc := range exercise.Scenarios() {
		p := play(t, sc.Name, quick(7))
		first := digest(t, p)
		if again := digest(t, p); again != first {
			t.Errorf("%s: the second play of the same value differs", sc.Name)
		}
		if again := digest(t, play(t, sc.Name, quick(7))); again != first {
			t.Errorf("%s: a second value with the same seed differs", sc.Name)
		}
		if other := digest(t, play(t, sc.Name, quick(8))); other == first {
			t.Errorf("%s: seeds 7 and 8 play the same", sc.Name)
		}
		fmt.Fprintf(&got, "%s %s\n", sc.Name, first)
	}
	golden := filepath.Join("testdata", "same-bytes.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("bytes changed; if that is meant, run with -update\ngot:\n%swant:\n%s", got.Bytes(), want)
	}
}

// TestLinesAreRead gives every line to the decoders of the product: each must be
// recognised as what it says it is, carry its time, and come in order.
func TestLinesAreRead(t *testing.T) {
	kinds := map[string]int{}
	for _, sc := range exercise.Scenarios() {
		opt := quick(3)
		if sc.Name == "hospital" { // one with all that a day has
			opt = small(3)
		}
		p := play(t, sc.Name, opt)
		var last time.Time
		n := 0
		err := p.Lines(t.Context(), func(l exercise.Line) error {
			n++
			if l.Time.Before(last) {
				return fmt.Errorf("line %d comes before the one before it", n)
			}
			last = l.Time
			e, err := ingest.Record(l.Bytes, format.Pos{Seq: uint64(n)}, format.Source{Name: l.Source, Agency: l.Agency, Received: l.Time})
			if err != nil {
				return fmt.Errorf("%w\n%s", err, l.Bytes)
			}
			if e.Origin.Format != l.Format {
				return fmt.Errorf("read as %s, want %s\n%s", e.Origin.Format, l.Format, l.Bytes)
			}
			// A connection is written when it is over; clocks differ by less than a second.
			if d := l.Time.Sub(e.Time); d < -time.Second || d > 9*time.Hour {
				return fmt.Errorf("time of record is %s before that of writing\n%s", d, l.Bytes)
			}
			v := e.View()
			kinds[e.Product+" "+string(v.Action)]++
			if e.Product == "windows" && (v.Host+v.Observer == "" || v.EventID == "" || v.Channel == "") {
				return fmt.Errorf("view without host, event id or channel\n%s", l.Bytes)
			}
			if v.Action == event.Flow && (!v.Src.IsValid() || !v.Dst.IsValid() || v.DstPort == 0) {
				return fmt.Errorf("flow without its ends\n%s", l.Bytes)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", sc.Name, err)
		}
	}
	for _, k := range []string{
		"windows logon", "windows logon_failed", "windows logoff", "windows privilege", "windows ticket", "windows credential_use", "windows process", "windows file",
		"windows service", "windows share", "windows script", "windows flow", "zeek flow", "zeek flow_refused", "zeek dns", "zeek http", "zeek ticket", "zeek share", "zeek rpc",
		"suricata flow", "suricata http", "suricata dns", "suricata alert", "fortinet flow", "fortinet flow_refused", "fortinet logon", "fortinet logoff", "fortinet logon_failed",
	} {
		if kinds[k] == 0 {
			t.Errorf("no record of kind %q", k)
		}
	}
}

// TestDemoIsBounded keeps the demo to what can be played within a minute.
func TestDemoIsBounded(t *testing.T) {
	for _, sc := range exercise.Scenarios() {
		for _, key := range []string{sc.Title, sc.About} {
			if !text.Has(text.En, key) || !text.Has(text.ZhTW, key) {
				t.Errorf("%s: no text %s", sc.Name, key)
			}
		}
		if sc.Name != "hospital" && sc.Dwell < 24*time.Hour { // the default, and the longest
			continue
		}
		p := play(t, sc.Name, exercise.Options{Seed: 1})
		n := 0
		if err := p.Lines(t.Context(), func(exercise.Line) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		most := 150_000
		if sc.Dwell > 24*time.Hour { // it takes days
			most = 400_000
		}
		if n < 50_000 || n > most {
			t.Errorf("%s: %d lines, want 50,000 to %d", sc.Name, n, most)
		}
	}
}

// TestLoss holds that a loss takes away what it says and nothing else.
func TestLoss(t *testing.T) {
	count := func(loss ...exercise.Loss) map[string]int {
		opt := small(1)
		opt.Loss = loss
		n := map[string]int{}
		err := play(t, "webshell", opt).Records(t.Context(), func(r *logs.Record) error {
			n[r.Source.Name+" "+r.Source.Computer]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	all := count()
	for loss, gone := range map[exercise.Loss][]string{
		exercise.LossController: {"wec-dib CITY-DC01.city.example", "wec-dib CITY-DC02.city.example", "wec-hos HOS-DC01.hosp.example", "wec-hos HOS-DC02.hosp.example"},
		exercise.LossEntry:      {"wec-civ CIV-PORTAL01.city.example"},
		exercise.LossCore:       {"zeek-core "},
	} {
		left := count(loss)
		for source, n := range all {
			want := n
			if slices.Contains(gone, source) {
				want = 0
			}
			if left[source] != want {
				t.Errorf("loss %s: %d records of %s, want %d of %d", loss, left[source], source, want, n)
			}
		}
	}
}

var errEnough = errors.New("enough")

// TestNothingHappens plays the same city without the attack: it must be the
// same up to the first deed, so that only the attack makes the difference, and
// hold no trace of it after.
func TestNothingHappens(t *testing.T) {
	for _, sc := range exercise.Scenarios() {
		opt := small(5)
		opt.Rate = 0.3
		with := play(t, sc.Name, opt)
		opt.NoAttack = true
		without := play(t, sc.Name, opt)
		if tr := without.Truth(); len(tr.Hops)+len(tr.Hosts)+len(tr.Steps)+len(tr.Suspicious)+len(tr.Anchors) > 0 || len(tr.Innocent) < 10 {
			t.Errorf("%s: truth of no attack is %+v", sc.Name, tr)
		}
		until := with.Options().Attack.Add(-50 * time.Minute)
		head := func(p *exercise.Play) (string, int) {
			h, n := sha256.New(), 0
			err := p.Lines(t.Context(), func(l exercise.Line) error {
				if l.Time.After(until) {
					return errEnough
				}
				n++
				h.Write(l.Bytes)
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Fatalf("%s: the error of yield did not come back: %v", sc.Name, err)
			}
			return fmt.Sprintf("%x", h.Sum(nil)), n
		}
		a, n := head(with)
		b, m := head(without)
		if a != b || n == 0 || n != m {
			t.Errorf("%s: before the attack %d and %d lines, hashes %.8s and %.8s", sc.Name, n, m, a, b)
		}
		traces := append([]string{"delete shadows", "MiniDump", "zam64", `Temp\\rclone`, "DisableRealtimeMonitoring"}, addresses(with)...)
		err := without.Lines(t.Context(), func(l exercise.Line) error {
			for _, w := range traces {
				if bytes.Contains(l.Bytes, []byte(w)) {
					return fmt.Errorf("%q in %.300s", w, l.Bytes)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s without attack: %v", sc.Name, err)
		}
	}
}

// addresses are the intruders' as they stand in JSON; a knocking stranger may
// by chance share one with them in another form.
func addresses(p *exercise.Play) []string {
	var out []string
	for _, a := range p.Truth().Suspicious {
		out = append(out, `"id.resp_h":"`+a.String()+`"`)
	}
	return out
}

// TestUndrawn holds that exactly one device with traffic is missing from the
// drawing besides workstations.
func TestUndrawn(t *testing.T) {
	p := play(t, "hospital", exercise.Options{Seed: 1, Days: 1})
	topo := p.Topology()
	if len(topo.Segments) < 8 || len(topo.AdminPairs) < 6 {
		t.Errorf("drawing has %d segments, %d pairs", len(topo.Segments), len(topo.AdminPairs))
	}
	for _, h := range topo.Hosts {
		if h.Name == "hos-nas01" {
			t.Error("the undrawn device is drawn")
		}
		if len(h.Addresses) == 0 || len(h.Roles) == 0 {
			t.Errorf("%s has no address or role", h.Name)
		}
	}
	seen := false
	err := p.Lines(t.Context(), func(l exercise.Line) error {
		seen = seen || bytes.Contains(l.Bytes, []byte(`"id.resp_h":"10.2.1.77","id.resp_p":445`))
		return nil
	})
	if err != nil || !seen {
		t.Errorf("undrawn device has no traffic (%v)", err)
	}
}

// TestOptions refuses what cannot be played, and says why.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  exercise.Options
		kind fault.Kind
	}{
		{"flood", exercise.Options{}, fault.NotFound},
		{"hospital", exercise.Options{Devices: 3}, fault.Invalid},
		{"hospital", exercise.Options{Devices: 2_000_000}, fault.Invalid},
		{"hospital", exercise.Options{Days: -2}, fault.Invalid},
		{"hospital", exercise.Options{Dwell: time.Minute}, fault.Invalid},
		{"hospital", exercise.Options{Rate: -1}, fault.Invalid},
		{"hospital", exercise.Options{Loss: []exercise.Loss{"memory"}}, fault.Invalid},
		{"webshell", exercise.Options{Attack: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}, fault.Invalid},
	} {
		if _, err := exercise.New(c.name, c.opt); !fault.Is(err, c.kind) {
			t.Errorf("New(%s, %+v) = %v, want kind %s", c.name, c.opt, err, c.kind)
		}
	}
}

// TestAnyOptions plays cities of any size, length, start and knobs for a while,
// twice: order and readability must not depend on them, and the same options
// must give the same truth and the same bytes.
func TestAnyOptions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		opt := exercise.Options{
			Seed: rapid.Uint64().Draw(rt, "seed"), Devices: rapid.IntRange(city.Min, 150).Draw(rt, "devices"), Days: rapid.IntRange(1, 3).Draw(rt, "days"),
			Begin: time.Unix(rapid.Int64Range(1.6e9, 1.9e9).Draw(rt, "begin"), 0),
			Dwell: time.Duration(rapid.IntRange(120, 1500).Draw(rt, "dwell")) * time.Minute,
			Rate:  rapid.Float64Range(0.05, 0.4).Draw(rt, "rate"),
		}
		some := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
		for _, l := range exercise.Losses() {
			if some("loss " + string(l)) {
				opt.Loss = append(opt.Loss, l)
			}
		}
		for _, s := range exercise.Stealths() {
			if some("stealth " + string(s)) {
				opt.Stealth = append(opt.Stealth, s)
			}
		}
		if some("clock") {
			opt.Clock = time.Duration(rapid.IntRange(1, 600).Draw(rt, "error")) * time.Second
		}
		if some("sample") {
			opt.Sample = rapid.IntRange(2, 2000).Draw(rt, "rate")
		}
		opt.CGNAT = some("cgnat")
		sc := rapid.SampledFrom(exercise.Scenarios()).Draw(rt, "scenario")
		opt.Dwell = max(opt.Dwell, sc.Least)
		p, err := exercise.New(sc.Name, opt)
		if err != nil {
			rt.Fatal(err)
		}
		tr := p.Truth()
		if tr.Entry.Host == "" || tr.Entry.Time.Before(opt.Begin) || sc.Entry != "usb" && tr.End.Before(tr.Entry.Time.Add(opt.Dwell)) { // a worm is done when nothing is left
			rt.Fatalf("truth: begin %s entry %+v end %s", tr.Begin, tr.Entry, tr.End)
		}
		for _, h := range tr.Hops {
			if !h.SrcAddr.IsValid() || !h.DstAddr.IsValid() || h.Time.Before(tr.Entry.Time.Add(-5*time.Minute)) {
				rt.Fatalf("hop %+v, entry %+v", h, tr.Entry)
			}
		}
		first := head(rt, p, &opt)
		again, err := exercise.New(sc.Name, opt)
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(again.Truth(), tr) {
			rt.Fatal("the same options have another truth")
		}
		if other := head(rt, again, &opt); other != first {
			rt.Fatal("the same options play other bytes")
		}
	})
}

// head plays the first lines, which must be in order and readable, and returns
// their hash.
func head(rt *rapid.T, p *exercise.Play, opt *exercise.Options) string {
	var last time.Time
	n, sum := 0, sha256.New()
	err := p.Lines(context.Background(), func(l exercise.Line) error {
		if n++; n > 300 {
			return errEnough
		}
		if l.Time.Before(last) || l.Time.Before(opt.Begin) {
			return fmt.Errorf("line %d of %s is out of order", n, l.Source)
		}
		last = l.Time
		sum.Write(l.Bytes)
		_, err := ingest.Record(l.Bytes, format.Pos{}, format.Source{Received: l.Time})
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		rt.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// TestCancel holds that a play stops when it is told to.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := play(t, "hospital", small(1)).Lines(ctx, func(exercise.Line) error {
		if n++; n == 100 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n > 20_000 {
		t.Errorf("after cancelling at line 100: %d lines, error %v", n, err)
	}
}

// BenchmarkLines measures the whole generator: lines/s and the most memory in
// use at any time, for the demo and for a whole working day of 18,000 devices.
func BenchmarkLines(b *testing.B) {
	for _, devices := range []int{300, 18_000} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			p := play(b, "hospital", exercise.Options{Seed: 1, Devices: devices})
			until := p.Options().Begin.Add(24 * time.Hour)
			b.ReportAllocs()
			lines, size, peak := 0, 0, uint64(0)
			var m runtime.MemStats
			for b.Loop() {
				err := p.Lines(b.Context(), func(l exercise.Line) error {
					if l.Time.After(until) {
						return errEnough
					}
					if lines++; lines%100_000 == 0 {
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapAlloc)
					}
					size += len(l.Bytes)
					return nil
				})
				if err != nil && !errors.Is(err, errEnough) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(lines)/float64(b.N), "lines/op")
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
			b.SetBytes(int64(size / b.N))
		})
	}
}

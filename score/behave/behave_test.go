// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behave

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/exercise"
	"citywall/score/noise"
)

// log prints the table, and reports whether both halves are in it.
func log(t *testing.T, r *Result) {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}

// bar is the least share of a class's steps that a detector must find, of any of
// them when it has no name.
type bar struct {
	step, detector string
	least          float64
}

func held(t *testing.T, r *Result, bars []bar) {
	t.Helper()
	for _, b := range bars {
		switch got := r.Share(b.step, b.detector); {
		case got < 0:
			t.Errorf("no step of %s was played", b.step)
		case got < b.least:
			t.Errorf("%s by %q: %.2f found, at least %.2f is wanted", b.step, b.detector, got, b.least)
		}
	}
}

// TestExercises holds the detectors to what they are for, on simulated days with
// known truth. The bars lie a little below what was measured (docs/BENCHMARKS.md).
// CITYWALL_SEEDS plays everything, with so many seeds.
func TestExercises(t *testing.T) {
	plays := []noise.Play{}
	for _, p := range Plays(1, 7000) {
		switch p.Name() {
		case "hospital/benign-plain/7000", "webshell/benign-small/7000", "hospital/plain/7000", "webshell/plain/7000", "insider/plain/7000", "worm/plain/7000":
			plays = append(plays, p)
		}
	}
	if len(plays) != 6 {
		t.Fatalf("%d plays", len(plays))
	}
	if s := os.Getenv("CITYWALL_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		plays = Plays(n, 7000)
	}
	r, err := Run(t.Context(), plays, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	log(t, &r)
	held(t, &r, []bar{
		{"recon", "alerts", 0.8}, {"entry", "spray", 0.1}, {"discovery", "scan", 0.6}, {"discovery", "", 0.6}, {"lateral", "", 0.1}, {"lateral", "admin-shares", 0.05},
		{"control", "beacon", 0.6}, {"exfiltration", "exfil", 0.9}, {"encryption", "mass-file", 0.9},
	})
	medium := int64(0)
	for _, d := range r.Detectors {
		if d.Level == "high" && d.Benign > 0 {
			t.Errorf("%s: %d findings of level high on honest days", d.Name, d.Benign)
		}
		if d.Level == "medium" {
			medium += d.Benign
		}
		if d.Name != "scan" && d.Name != "edge" && d.True*3 < d.Attack && d.Attack > 20 {
			t.Errorf("%s: only %d of %d findings in attacks are about them", d.Name, d.True, d.Attack)
		}
	}
	if got := r.Per10k(medium); got > 1 {
		t.Errorf("%.2f findings of detectors that can say medium, on 10,000 honest events: at most 1 is wanted", got)
	}
	if r.Undecoded > 0 {
		t.Errorf("%d lines were not understood", r.Undecoded)
	}
}

// The same plays give the same table, however many are played at once.
func TestSameTable(t *testing.T) {
	plays := []noise.Play{
		{Scenario: "worm", Knob: "a", Options: exercise.Options{Seed: 3, Devices: 60, Days: 1}},
		{Scenario: "worm", Knob: "b", Options: exercise.Options{Seed: 4, Devices: 60, Days: 1, NoAttack: true}},
	}
	var tables []string
	for _, workers := range []int{1, 2} {
		r, err := Run(t.Context(), plays, workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := r.Text(&b); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, b.String())
	}
	if tables[0] != tables[1] || !strings.Contains(tables[0], "mass-file") {
		t.Errorf("%s\n%s", tables[0], tables[1])
	}
	if _, err := Run(t.Context(), []noise.Play{{Scenario: "nothing"}}, 1, nil); err == nil {
		t.Error("an unknown script was played")
	}
}

// TestItems makes items by hand: one for each class and machine, one for each move.
func TestItems(t *testing.T) {
	at := time.Date(2026, 3, 13, 12, 0, 0, 0, time.UTC)
	a, b, c := netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.2"), netip.MustParseAddr("203.0.113.9")
	seen := []exercise.TruthSeen{{Source: "x", Stamp: at}}
	items := itemsOf(&exercise.Truth{
		Hosts: []exercise.TruthHost{{Host: "a", Addr: a}, {Host: "b", Addr: b}},
		Steps: []exercise.TruthStep{
			{Time: at, Host: "b", Step: "encryption", Seen: seen}, {Time: at.Add(time.Hour), Host: "b", Step: "encryption", Seen: seen},
			{Time: at, Host: "a", Step: "encryption"}, // on nobody's record
		},
		Hops: []exercise.TruthHop{
			{Time: at, Src: "a", SrcAddr: a, Dst: "b", DstAddr: b, Kind: "rdp"}, {Time: at, Src: "b", SrcAddr: b, Dst: c.String(), DstAddr: c, Kind: "c2"}, {Time: at, Src: "b", SrcAddr: b, Dst: c.String(), DstAddr: c, Kind: "exfiltration"},
		},
	})
	var got []string
	for _, x := range items {
		var names []string
		for n := range x.names {
			names = append(names, n)
		}
		slices.Sort(names)
		got = append(got, x.class+" "+strings.Join(names, ","))
	}
	want := []string{"encryption 10.1.1.2,b", "lateral 10.1.1.1,10.1.1.2,a,b", "control 10.1.1.2,b", "exfiltration 10.1.1.2,b"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !items[0].from.Equal(at.Add(-15*time.Minute)) || !items[0].to.Equal(at.Add(105*time.Minute)) {
		t.Errorf("%s to %s", items[0].from, items[0].to)
	}
}

// TestTotal adds up by hand.
func TestTotal(t *testing.T) {
	by := func(d ...string) map[string]bool {
		m := map[string]bool{}
		for _, x := range d {
			m[x] = true
		}
		return m
	}
	r := total([]bool{true, false, false}, []heard{
		{events: 20_000, said: map[string]int64{"scan": 3}},
		{events: 5_000, undecoded: 1, said: map[string]int64{"scan": 2, "exfil": 1}, true: map[string]int64{"exfil": 1}, items: []item{{class: "control", by: by()}, {class: "exfiltration", by: by("exfil", "beacon")}}},
		{events: 6_000, items: []item{{class: "control", by: by("beacon")}, {class: "control", by: by()}}},
	})
	if r.BenignPlays != 1 || r.BenignEvents != 20_000 || r.AttackPlays != 2 || r.AttackEvents != 11_000 || r.Undecoded != 1 || len(r.Steps) != 2 {
		t.Errorf("%+v", r)
	}
	if s := r.Steps[0]; s.Name != "control" || s.Items != 3 || s.Found != 1 || s.Plays != 2 || s.In != 1 || s.By["beacon"] != 1 {
		t.Errorf("%+v", s)
	}
	if r.Share("control", "") != 1.0/3 || r.Share("exfiltration", "exfil") != 1 || r.Share("exfiltration", "scan") != 0 || r.Share("nothing", "") != -1 || r.Per10k(3) != 1.5 {
		t.Errorf("shares %g %g, %g on 10,000", r.Share("control", ""), r.Share("exfiltration", "exfil"), r.Per10k(3))
	}
}

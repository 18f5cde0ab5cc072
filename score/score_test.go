// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package score

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/exercise"
	"citywall/incident"
	"citywall/internal/text"
)

func truth(t testing.TB, name string, none bool) exercise.Truth {
	t.Helper()
	p, err := exercise.New(name, exercise.Options{Seed: 1, NoAttack: none})
	if err != nil {
		t.Fatal(err)
	}
	return p.Truth()
}

// perfect is the incident that an all-knowing investigator would write.
func perfect(t exercise.Truth) incident.Incident {
	in := incident.Incident{ID: "x", FirstCompromise: &incident.FirstCompromise{
		Host: t.Entry.Host, Addr: t.Entry.Addr, Earliest: t.Entry.Time.Add(-time.Hour), Latest: t.Entry.Time,
	}}
	for i, h := range t.Hops {
		src, dst := incident.Endpoint{Addr: h.SrcAddr}, incident.Endpoint{Addr: h.DstAddr}
		if h.Src != h.SrcAddr.String() {
			src.Host = h.Src
		}
		if h.Dst != h.DstAddr.String() {
			dst.Host = h.Dst
		}
		in.Hops = append(in.Hops, incident.Hop{N: i + 1, Time: h.Time, Src: src, Dst: dst, DstPort: h.DstPort, Kind: h.Kind, Grade: incident.Observed})
	}
	for _, h := range t.Hosts {
		in.Hosts = append(in.Hosts, incident.HostState{Host: h.Host, Addresses: []netip.Addr{h.Addr}, Compromised: true, First: h.First, Isolate: "now"})
	}
	for _, a := range t.Suspicious {
		in.Suspicious = append(in.Suspicious, incident.Suspect{Addr: a})
		in.Hosts = append(in.Hosts, incident.HostState{Host: a.String(), Addresses: []netip.Addr{a}, External: true, Compromised: true, Isolate: "no"})
	}
	return in
}

func failed(r Result) string {
	var out []string
	for _, b := range r.Bars {
		if !b.Pass {
			out = append(out, b.Code)
		}
	}
	return strings.Join(out, " ")
}

// TestBars spoils a perfect answer in one way at a time: exactly the bars that
// look there must fall.
func TestBars(t *testing.T) {
	tr := truth(t, "hospital", false)
	for _, c := range []struct {
		name  string
		spoil func(in *incident.Incident)
		want  string
	}{
		{"perfect", func(*incident.Incident) {}, ""},
		{"names only", func(in *incident.Incident) {
			for i := range in.Hosts {
				in.Hosts[i].Addresses = nil
			}
		}, ""},
		{"open below", func(in *incident.Incident) {
			in.FirstCompromise.Earliest, in.FirstCompromise.LowerOpen = time.Time{}, true
		}, ""},
		{"half a second early", func(in *incident.Incident) { in.FirstCompromise.Latest = tr.Entry.Time.Add(-time.Second / 2) }, ""},
		{"too early", func(in *incident.Incident) { in.FirstCompromise.Latest = tr.Entry.Time.Add(-2 * time.Second) }, "interval"},
		{"too late", func(in *incident.Incident) { in.FirstCompromise.Earliest = tr.Entry.Time.Add(2 * time.Second) }, "interval"},
		{"wrong entry", func(in *incident.Incident) {
			in.FirstCompromise.Host, in.FirstCompromise.Addr = "hos-dc01", netip.MustParseAddr("10.2.1.11")
		}, "entry interval"},
		{"no first compromise", func(in *incident.Incident) { in.FirstCompromise = nil }, "entry interval"},
		{"hosts forgotten", func(in *incident.Incident) {
			for i := range in.Hosts[:len(tr.Hosts)/5] {
				in.Hosts[i].Compromised = false
			}
		}, "host_recall"},
		{"an innocent accused", func(in *incident.Incident) {
			in.Hosts = append(in.Hosts, incident.HostState{Host: tr.Innocent[0], Compromised: true})
		}, "accused"},
		{"many accused", func(in *incident.Incident) {
			for i := range 10 {
				in.Hosts = append(in.Hosts, incident.HostState{Host: "pc" + string(rune('a'+i)), Compromised: true})
			}
		}, "host_precision"},
		{"a move invented", func(in *incident.Incident) {
			in.Hops = append(in.Hops, incident.Hop{Time: tr.End, Src: incident.Endpoint{Host: "hos-dc01"}, Dst: incident.Endpoint{Host: "hos-jump01"}, Kind: "rdp", Grade: incident.Observed})
		}, "invented"},
		{"a move assumed", func(in *incident.Incident) {
			in.Hops = append(in.Hops, incident.Hop{Time: tr.End, Src: incident.Endpoint{Host: "hos-dc01"}, Dst: incident.Endpoint{Host: "hos-jump01"}, Kind: "rdp", Grade: incident.Assumed})
		}, ""},
		{"moves forgotten", func(in *incident.Incident) { in.Hops = in.Hops[:len(in.Hops)*4/5] }, "hop_recall"},
		{"moves an hour off", func(in *incident.Incident) {
			for i := range in.Hops {
				in.Hops[i].Time = in.Hops[i].Time.Add(time.Hour)
			}
		}, "hop_recall hop_precision order"},
		{"service called smb", func(in *incident.Incident) {
			for i := range in.Hops {
				if in.Hops[i].Kind == "service" {
					in.Hops[i].Kind = "smb"
				}
			}
		}, ""},
		{"shuffled", func(in *incident.Incident) {
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(in.Hops), func(i, j int) { in.Hops[i], in.Hops[j] = in.Hops[j], in.Hops[i] })
		}, "order"},
	} {
		in := perfect(tr)
		c.spoil(&in)
		r := Compare(tr, []incident.Incident{in})
		if got := failed(r); got != c.want || r.Pass != (c.want == "") {
			t.Errorf("%s: fallen bars %q, want %q\n%s", c.name, got, c.want, r.Text(text.En))
		}
	}
	if r := Compare(tr, nil); r.Pass || r.HostRecall != 0 || len(r.MissedHosts) != len(tr.Hosts) || len(r.MissedHops) != len(tr.Hops) {
		t.Errorf("no incident at all: %s", r.Text(text.En))
	}
}

// TestPieces: an attack told as two incidents is compared by the larger piece and
// falls for being two, and an incident that accuses only others is a false one.
func TestPieces(t *testing.T) {
	tr := truth(t, "webshell", false)
	small, other := incident.Incident{ID: "s"}, incident.Incident{ID: "o"}
	small.Hosts = []incident.HostState{{Host: tr.Hosts[1].Host, Compromised: true}}
	other.Hosts = []incident.HostState{{Host: "somebody", Compromised: true}}
	r := Compare(tr, []incident.Incident{small, other, perfect(tr)})
	if r.Incident != "x" || r.Pieces != 2 || r.False != 1 || failed(r) != "found" {
		t.Errorf("incident %q, %d pieces, %d false, pass %v", r.Incident, r.Pieces, r.False, r.Pass)
	}
}

// TestQuiet: where nothing happened, only silence about hosts passes.
func TestQuiet(t *testing.T) {
	tr := truth(t, "webshell", true)
	if r := Compare(tr, []incident.Incident{{ID: "scan", Hosts: []incident.HostState{{Host: "198.51.100.9", External: true, Compromised: true}}}}); !r.Pass {
		t.Error(r.Text(text.En))
	}
	r := Compare(tr, []incident.Incident{{ID: "bad", Hosts: []incident.HostState{{Host: tr.Innocent[2], Compromised: true}}}})
	if r.Pass || failed(r) != "quiet accused" || !slices.Equal(r.Accused, tr.Innocent[2:3]) {
		t.Error(r.Text(text.En))
	}
}

// TestKendall holds τ to its definition.
func TestKendall(t *testing.T) {
	for _, c := range []struct {
		seq  []int
		want float64
	}{{nil, 1}, {[]int{4}, 1}, {[]int{1, 2, 3}, 1}, {[]int{3, 2, 1}, -1}, {[]int{1, 3, 2}, 1. / 3}, {[]int{0, 1, 2, 4, 3}, 0.8}} {
		if got := kendall(c.seq); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("kendall(%v) = %g, want %g", c.seq, got, c.want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		seq := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(rt, "seq")
		back := slices.Clone(seq)
		slices.Reverse(back)
		if a, b := kendall(seq), kendall(back); math.Abs(a+b) > 1e-12 || a < -1 || a > 1 {
			rt.Fatalf("τ of %v is %g, reversed %g", seq, a, b)
		}
	})
}

// TestSummarise checks mean and interval against numbers worked by hand:
// 1, 2, 3, 4 has mean 2.5, s = 1.29099, t(3) = 3.182, half width 2.054.
func TestSummarise(t *testing.T) {
	var rs []Result
	for i := range 4 {
		rs = append(rs, Result{Scenario: "hospital", Attack: true, Pass: i > 0, Invented: i + 1, HostRecall: 1})
	}
	s := Summarise(rs)
	if s.Seeds != 4 || s.Passed != 3 {
		t.Errorf("%+v", s)
	}
	for _, m := range s.Measures {
		switch m.Name {
		case "invented":
			if m.Mean != 2.5 || math.Abs(m.Interval[1]-m.Mean-2.054) > 0.001 || m.Min != 1 || m.Max != 4 {
				t.Errorf("%+v", m)
			}
		case "host_recall":
			if m.Mean != 1 || *m.Interval != [2]float64{1, 1} {
				t.Errorf("%+v", m)
			}
		case "pass":
			if m.Mean != 0.75 || m.Interval[1] != 1 {
				t.Errorf("%+v", m)
			}
		}
		for _, l := range []text.Lang{text.En, text.ZhTW} {
			if !text.Has(l, "score.measure."+m.Name) {
				t.Errorf("no text for %s in %s", m.Name, l)
			}
		}
	}
	if Summarise(nil).Seeds != 0 {
		t.Error("nothing to summarise")
	}
}

// TestEveryBarHasWords looks for a text of each bar in both languages.
func TestEveryBarHasWords(t *testing.T) {
	codes := map[string]bool{}
	for _, none := range []bool{true, false} {
		for _, b := range Compare(truth(t, "hospital", none), nil).Bars {
			codes[b.Code] = true
		}
	}
	for c := range codes {
		for _, l := range []text.Lang{text.En, text.ZhTW} {
			if !text.Has(l, "score.bar."+c) {
				t.Errorf("no text for bar %s in %s", c, l)
			}
		}
	}
	if out := Compare(truth(t, "hospital", false), nil).Text(text.ZhTW); strings.Contains(out, "score.") || strings.Contains(out, "{") {
		t.Errorf("unworded text:\n%s", out)
	}
}

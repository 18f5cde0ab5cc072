// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package picture

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/detect"
	"citywall/incident"
	"citywall/incident/incidenttest"
	"citywall/internal/text"
)

var update = flag.Bool("update", false, "rewrite the golden pictures; look at them afterwards")

func link(n int) string { return fmt.Sprintf("#hop-%d", n) }

func TestGolden(t *testing.T) {
	open := incidenttest.Hospital()
	open.FirstCompromise.LowerOpen, open.FirstCompromise.Earliest = true, time.Time{}
	for name, c := range map[string]struct {
		in  incident.Incident
		opt Options
	}{
		"hospital-en":    {incidenttest.Hospital(), Options{Lang: text.En, HopLink: link}},
		"hospital-zh":    {incidenttest.Hospital(), Options{Lang: text.ZhTW, HopLink: link}},
		"hospital-print": {incidenttest.Hospital(), Options{Lang: text.ZhTW, Print: true}},
		"open-end":       {open, Options{Lang: text.En}},
		"empty":          {incident.Incident{}, Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Draw(c.in, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".svg")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; run with -update and look at it", file)
			}
		})
	}
}

// elements counts the elements by class and checks that the picture is
// well-formed and free of what the content security policy refuses.
func elements(t interface{ Fatalf(string, ...any) }, b []byte) (classes map[string]int, ids map[string]int) {
	classes, ids = map[string]int{}, map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "script" || e.Name.Local == "style" {
			t.Fatalf("element %s in the picture", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch {
			case a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on"):
				t.Fatalf("attribute %s in the picture", a.Name.Local)
			case a.Name.Local == "class":
				for c := range strings.FieldsSeq(a.Value) {
					classes[c]++
				}
			case a.Name.Local == "id":
				if ids[a.Value]++; ids[a.Value] > 1 {
					t.Fatalf("id %s twice", a.Value)
				}
			}
		}
	}
}

func TestFoldsTheManyAndKeepsTheStory(t *testing.T) {
	b, err := Draw(incidenttest.Hospital(), Options{Lang: text.En, HopLink: link})
	if err != nil {
		t.Fatal(err)
	}
	classes, ids := elements(t, b)
	for _, want := range []string{">web-reg01<", ">adm-pc07<", ">fs01<", ">dc01<", ">bk01<", ">+30 hosts<", ">+37 hosts<", ">8–37<", ">×30<"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	if classes["hop"] != 8 {
		t.Errorf("%d arrows, want 7 hops and one of 30 folded", classes["hop"])
	}
	if n := strings.Count(string(b), "stroke-dasharray=\"7 4\""); n != 2 { // the hop and the legend
		t.Errorf("%d dashed arrows, want the inferred hop and its legend", n)
	}
	if n := strings.Count(string(b), "stroke-dasharray=\"1 4.5\""); n != 2 {
		t.Errorf("%d dotted arrows, want the assumed hop and its legend", n)
	}
	if ids["path-first"] != 1 || ids["path-hop-5"] != 1 {
		t.Error("the bracket or hop 5 has no id")
	}
	if !bytes.Contains(b, []byte(`data-hops="8 9 10 11`)) {
		t.Error("a folded arrow does not name its hops")
	}
}

// TestFansFoldAndLeadersStay: of many hosts that were reached alike, also when
// each shows many steps, only those that lead on have a lane of their own; an
// address of a VPN pool stands between outside and inside.
func TestFansFoldAndLeadersStay(t *testing.T) {
	in := incident.Incident{Hosts: []incident.HostState{{Host: "198.51.100.7", External: true}, {Host: "10.254.3.120"}, {Host: "dc01", Compromised: true}, {Host: "lead", Compromised: true}}}
	at := incidenttest.At(20, "10:00:00")
	hop := func(src, dst, kind string) {
		at = at.Add(time.Minute)
		in.Hops = append(in.Hops, incident.Hop{N: len(in.Hops) + 1, Time: at, Src: incident.Endpoint{Host: src}, Dst: incident.Endpoint{Host: dst}, Kind: kind, Grade: incident.Observed})
	}
	hop("198.51.100.7", "10.254.3.120", "vpn")
	hop("10.254.3.120", "dc01", "rdp")
	hop("dc01", "lead", "gpo")
	for i := range 20 {
		h := fmt.Sprintf("pc%02d", i)
		in.Hosts = append(in.Hosts, incident.HostState{Host: h, Compromised: true, First: at})
		hop("dc01", h, "gpo")
		for _, s := range []detect.Step{detect.StepExecution, detect.StepEvasion, detect.StepInhibit, detect.StepEncrypt} {
			in.Steps = append(in.Steps, incident.StepEvent{Time: at.Add(time.Second), Host: h, Step: s, What: "x"})
		}
	}
	hop("lead", "bak01", "winrm")
	b, err := Draw(in, Options{Lang: text.En})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">dc01<", ">lead<", ">bak01<", ">10.254.3.120<", ">ON THE WAY<", ">+20 hosts<", ">4–23<"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	if bytes.Contains(b, []byte(">pc07<")) {
		t.Error("one of twenty has a lane of its own")
	}
}

func TestPrintHasNoColour(t *testing.T) {
	b, err := Draw(incidenttest.Hospital(), Options{Print: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{screen.bad, screen.hop, screen.warn} {
		if bytes.Contains(b, []byte(c)) {
			t.Errorf("colour %s in the print view", c)
		}
	}
}

// TestStaysSmall draws incidents of any size and shape: never more than
// MaxNodes drawn things, never markup from a name, the same bytes again.
func TestStaysSmall(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := whole(r)
		b, err := Draw(in, Options{Lang: text.En, Lanes: rapid.IntRange(0, 30).Draw(r, "lanes")})
		if err != nil {
			r.Fatal(err)
		}
		classes, _ := elements(r, b)
		if n := classes["hop"] + classes["step"] + classes["lane"]; n > MaxNodes {
			r.Fatalf("%d hops, steps and lanes", n)
		}
		again, _ := Draw(in, Options{Lang: text.En})
		third, _ := Draw(in, Options{Lang: text.En})
		if !bytes.Equal(again, third) {
			r.Fatal("the same incident gave other bytes")
		}
	})
}

func whole(r *rapid.T) incident.Incident {
	host := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "10.0.0.1", "<script>", "\"'&\x00", ""}), rapid.StringN(1, 12, 40))
	at := func(label string) time.Time {
		return incidenttest.At(1, "00:00:00").Add(time.Duration(rapid.Int64Range(0, int64(30*24*time.Hour)).Draw(r, label)))
	}
	grade := rapid.SampledFrom([]incident.Grade{incident.Observed, incident.Inferred, incident.Assumed, "?"})
	step := rapid.SampledFrom([]detect.Step{detect.StepEntry, detect.StepEncrypt, detect.StepEvasion, "unknown"})
	var in incident.Incident
	for i := range rapid.IntRange(0, 900).Draw(r, "hosts") {
		in.Hosts = append(in.Hosts, incident.HostState{Host: fmt.Sprintf("h%d", i), Compromised: i%3 != 0, External: i%7 == 0, First: at("first"),
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}})
	}
	for i := range rapid.IntRange(0, 700).Draw(r, "hops") {
		in.Hops = append(in.Hops, incident.Hop{N: i + 1, Time: at("hop"), Grade: grade.Draw(r, "grade"),
			Src: incident.Endpoint{Host: host.Draw(r, "src")}, Dst: incident.Endpoint{Host: fmt.Sprintf("h%d", rapid.IntRange(0, 900).Draw(r, "dst"))}})
	}
	for range rapid.IntRange(0, 700).Draw(r, "steps") {
		in.Steps = append(in.Steps, incident.StepEvent{Time: at("step"), Host: host.Draw(r, "host"), Step: step.Draw(r, "step"), What: host.Draw(r, "what")})
	}
	if rapid.Bool().Draw(r, "interval") {
		in.FirstCompromise = &incident.FirstCompromise{Host: "h1", Earliest: at("earliest"), Latest: at("latest"), LowerOpen: rapid.Bool().Draw(r, "open")}
	}
	return in
}

func BenchmarkDraw(b *testing.B) {
	in := incidenttest.Hospital()
	for b.Loop() {
		if _, err := Draw(in, Options{Lang: text.ZhTW}); err != nil {
			b.Fatal(err)
		}
	}
}

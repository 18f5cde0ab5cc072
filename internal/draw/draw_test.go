// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// texts returns the character data of a picture, or fails when it is not
// well-formed XML.
func texts(t interface{ Fatalf(string, ...any) }, b []byte) string {
	d := xml.NewDecoder(bytes.NewReader(b))
	var out strings.Builder
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, b)
		}
		if c, ok := tok.(xml.CharData); ok {
			out.Write(c)
		}
	}
}

func TestAnyTextStaysText(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		hostile := rapid.OneOf(rapid.String(), rapid.Just(`</text><script>alert(1)</script>`), rapid.Just("\x00\xff\u202e\"'&")).Draw(r, "text")
		s := New("p", 10, 10, hostile, hostile)
		s.Group(Class(hostile))
		s.Text(1, 1, hostile)
		s.End()
		b, err := s.Bytes()
		if err != nil {
			r.Fatal(err)
		}
		texts(r, b)
		if n := bytes.Count(b, []byte("<")); n != 2+2+2+2+2 {
			r.Fatalf("the text made markup: %s", b)
		}
	})
}

func TestRefusesWhatThePolicyRefuses(t *testing.T) {
	for _, a := range []Attr{A("style", "fill:red"), A("onclick", "x()"), A("STYLE", ""), A("a b", ""), A("", "x"),
		A("href", "javascript:alert(1)"), A("href", "//elsewhere.example"), A("href", "https://elsewhere.example")} {
		s := New("p", 1, 1, "t", "d")
		s.Rect(0, 0, 1, 1, a)
		if _, err := s.Bytes(); err == nil {
			t.Errorf("attribute %s=%q was accepted", a.Name, a.Value)
		}
	}
	s := New("p", 1, 1, "t", "d")
	s.Group()
	if _, err := s.Bytes(); err == nil {
		t.Error("an open group was accepted")
	}
}

func TestNumbersAreShort(t *testing.T) {
	for f, want := range map[float64]string{0: "0", -0.001: "0", 1: "1", 1.5: "1.5", 2.346: "2.35", 100: "100", -3.10: "-3.1"} {
		if got := N(f); got != want {
			t.Errorf("N(%v) = %q, want %q", f, got, want)
		}
	}
}

func TestFitKeepsBothEnds(t *testing.T) {
	got := Fit("WIN-HOSPITAL-REGISTRATION-07", 12, 120)
	if Width(got, 12) > 120 || !strings.HasPrefix(got, "WIN") || !strings.HasSuffix(got, "07") || !strings.Contains(got, "…") {
		t.Errorf("Fit = %q (%v wide)", got, Width(got, 12))
	}
	if got := Fit("short", 12, 120); got != "short" {
		t.Errorf("Fit changed %q", got)
	}
	if Width("護城", 10) < Width("ab", 10)*1.5 {
		t.Error("full-width characters are not wider")
	}
}

func TestScaleKeepsOrder(t *testing.T) {
	begin := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		gaps := rapid.SliceOfN(rapid.Int64Range(0, 20*24*3600), 1, 60).Draw(r, "gaps")
		slots := make([]Slot, len(gaps))
		at := begin
		for i, g := range gaps {
			at = at.Add(time.Duration(g) * time.Second)
			slots[i] = Slot{Time: at, Room: float64(rapid.IntRange(4, 40).Draw(r, "room"))}
		}
		s := NewScale(slots, 100, 900, time.Hour)
		for i := 1; i < len(slots); i++ {
			if d := s.Slot(i) - s.Slot(i-1); d < (slots[i].Room+slots[i-1].Room)/2-1e-6 {
				r.Fatalf("slots %d and %d are %v apart and need %v", i-1, i, d, (slots[i].Room+slots[i-1].Room)/2)
			}
		}
		a := rapid.Int64Range(0, int64(at.Sub(begin)/time.Second)+1).Draw(r, "a")
		b := rapid.Int64Range(a, a+100000).Draw(r, "b")
		if s.At(begin.Add(time.Duration(a)*time.Second)) > s.At(begin.Add(time.Duration(b)*time.Second)) {
			r.Fatal("an earlier time stands to the right of a later one")
		}
	})
}

func TestChart(t *testing.T) {
	c := Chart{ID: "c", Title: "Findings", Desc: "per minute", Width: 400, Height: 120, Bars: []Bar{
		{Label: "10:00", Tip: "3", Value: 3}, {Value: 0}, {Label: "10:02", Value: 1_000_000, Href: "/search?q=a&b"},
	}}
	b, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	texts(t, b)
	if n := bytes.Count(b, []byte(`class="bar"`)); n != 2 {
		t.Errorf("%d bars drawn, want 2: a zero has none, a small one is still seen", n)
	}
	again, _ := c.Bytes()
	if !bytes.Equal(b, again) {
		t.Error("the same chart gave other bytes")
	}
	c.Bars = []Bar{{Value: 5, Parts: []Part{{4, "level-low", "#00f"}, {0, "level-high", "#f00"}, {1, "level-critical", "#f00"}}}}
	if b, err = c.Bytes(); err != nil || bytes.Count(b, []byte("level-")) != 2 {
		t.Errorf("stacked bar: %v %s", err, b)
	}
	c.Bars = nil
	if b, err = c.Bytes(); err != nil {
		t.Error(err)
	}
	texts(t, b)
	k, err := Spark{ID: "k", Title: "rate", Width: 80, Height: 18, Values: []float64{0, 2, 1}}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	texts(t, k)
}

func TestMarksAndArrows(t *testing.T) {
	s := New("m", 200, 50, "marks", "all")
	seen := map[string]Shape{}
	for i, shape := range []Shape{Dot, Ring, Diamond, Triangle, Up, Square, Cross, Lock} {
		one := New("m", 20, 20, "", "")
		one.Mark(shape, 10, 10, 5, "#000", "#fff")
		b, err := one.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s look alike", shape, other)
		}
		seen[string(b)] = shape
		s.Mark(shape, float64(10+20*i), 10, 5, "#000", "#fff")
	}
	s.Arrow(0, 30, 50, 30, Dashed, "#000")
	s.Arrow(5, 5, 5, 5, Solid, "#000")
	s.Badge(100, 30, "12–40", "#000", "#fff")
	b, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	texts(t, b)
}

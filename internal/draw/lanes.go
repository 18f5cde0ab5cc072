// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"math"
	"sort"
	"time"
)

// Slot asks for a column of a timeline at a time, Room units wide.
type Slot struct {
	Time time.Time
	Room float64
}

// Scale maps slots and times to x. It keeps the order of time but not its
// measure: an attack is days of silence and minutes of work, and on a true
// scale the minutes would be one line. Long silences are named by Gaps.
type Scale struct {
	xs    []float64 // per slot, in the order given
	times []time.Time
	tx    []float64 // x of times
	Gaps  []Gap
	Right float64 // where the last slot ends
}

// Gap is a silence that the scale shortens.
type Gap struct {
	X    float64 // middle
	Room float64
	Span time.Duration
}

// NewScale lays slots, which must be in order of time, between left and right.
// It needs more room than that when the slots do; Right tells.
func NewScale(slots []Slot, left, right float64, silence time.Duration) Scale {
	s := Scale{xs: make([]float64, len(slots))}
	if len(slots) == 0 {
		s.Right = right
		return s
	}
	least := make([]float64, len(slots)) // distance to the slot before
	extra := make([]float64, len(slots))
	need, wish := slots[0].Room/2, 0.0
	for i := 1; i < len(slots); i++ {
		least[i] = (slots[i-1].Room + slots[i].Room) / 2
		d := slots[i].Time.Sub(slots[i-1].Time)
		if d >= silence {
			least[i] += 46 // room for the words of the gap
		}
		extra[i] = 8 * math.Log2(1+math.Max(0, d.Seconds())/10)
		need += least[i]
		wish += extra[i]
	}
	need += slots[len(slots)-1].Room / 2
	k := 0.0
	if wish > 0 {
		k = min(3, max(0, (right-left-need)/wish))
	}
	x := left + slots[0].Room/2
	for i := range slots {
		if i > 0 {
			x += least[i] + k*extra[i]
			if d := slots[i].Time.Sub(slots[i-1].Time); d >= silence {
				s.Gaps = append(s.Gaps, Gap{X: (x + s.xs[i-1]) / 2, Room: x - s.xs[i-1], Span: d})
			}
		}
		s.xs[i] = x
		if n := len(s.times); n == 0 || slots[i].Time.After(s.times[n-1]) {
			s.times, s.tx = append(s.times, slots[i].Time), append(s.tx, x)
		}
	}
	s.Right = x + slots[len(slots)-1].Room/2
	return s
}

// Slot returns the x of the i-th slot.
func (s Scale) Slot(i int) float64 { return s.xs[i] }

// At returns the x of any time, between its neighbours. Times outside the
// slots stand at the ends.
func (s Scale) At(t time.Time) float64 {
	n := len(s.times)
	if n == 0 {
		return 0
	}
	i := sort.Search(n, func(i int) bool { return !s.times[i].Before(t) })
	switch {
	case i == 0:
		return s.tx[0]
	case i == n:
		return s.tx[n-1]
	}
	part := float64(t.Sub(s.times[i-1])) / float64(s.times[i].Sub(s.times[i-1]))
	return s.tx[i-1] + part*(s.tx[i]-s.tx[i-1])
}

// Shape is a mark on a lane. Shapes differ without colour.
type Shape string

// Shapes.
const (
	Dot      Shape = "dot"
	Ring     Shape = "ring"
	Diamond  Shape = "diamond"
	Triangle Shape = "triangle" // points right: comes in
	Up       Shape = "up"       // points up: goes out
	Square   Shape = "square"
	Cross    Shape = "cross"
	Lock     Shape = "lock"
)

// Mark draws a shape of about 2r around x, y. It takes fill and stroke from
// its group; paper is the colour of the ground, for shapes with an inside.
func (s *SVG) Mark(shape Shape, x, y, r float64, ink, paper string) {
	line := []Attr{Class("ink-line"), A("fill", "none"), A("stroke", ink), A("stroke-width", "1.8"), A("stroke-linecap", "round")}
	fill := []Attr{Class("ink"), A("fill", ink)}
	switch shape {
	case Ring:
		s.Circle(x, y, r-1, Class("ring"), A("fill", paper), A("stroke", ink), A("stroke-width", "1.8"))
	case Diamond:
		s.Path(P("").Move(x, y-r-1).To(x+r+1, y).To(x, y+r+1).To(x-r-1, y).Close(), fill...)
	case Triangle:
		s.Path(P("").Move(x-r+1, y-r).To(x+r+1, y).To(x-r+1, y+r).Close(), fill...)
	case Up:
		s.Path(P("").Move(x-r, y+r-1).To(x, y-r-1).To(x+r, y+r-1).Close(), fill...)
	case Square:
		s.Rect(x-r+0.5, y-r+0.5, 2*r-1, 2*r-1, fill...)
	case Cross:
		s.Path(P("").Move(x-r+1, y-r+1).To(x+r-1, y+r-1).Move(x+r-1, y-r+1).To(x-r+1, y+r-1), line...)
	case Lock:
		s.Path(P("").Move(x-r*0.55, y-r*0.1).To(x-r*0.55, y-r*0.55).
			Curve(x-r*0.55, y-r*1.35, x+r*0.55, y-r*1.35, x+r*0.55, y-r*0.55).To(x+r*0.55, y-r*0.1), line...)
		s.Rect(x-r*0.95, y-r*0.15, r*1.9, r*1.25, append(fill, A("rx", "1.2"))...)
	default:
		s.Circle(x, y, r-0.5, fill...)
	}
}

// Stroke is the style of a line.
type Stroke string

// Strokes: a grade is told by the line, never by colour alone.
const (
	Solid  Stroke = ""
	Dashed Stroke = "7 4"
	Dotted Stroke = "1 4.5"
)

// Arrow draws a line with a head at its end. Heads are shapes of their own:
// markers would need ids that clash when two pictures share a page.
func (s *SVG) Arrow(x1, y1, x2, y2 float64, stroke Stroke, ink string, attrs ...Attr) {
	d := math.Hypot(x2-x1, y2-y1)
	if d == 0 {
		return
	}
	ux, uy := (x2-x1)/d, (y2-y1)/d
	const head, half = 8, 4
	bx, by := x2-ux*head, y2-uy*head
	line := append([]Attr{Class("ink-line"), A("stroke", ink), A("stroke-width", "2"), A("fill", "none")}, attrs...)
	if stroke != Solid {
		line = append(line, A("stroke-dasharray", string(stroke)))
	}
	if stroke == Dotted {
		line = append(line, A("stroke-linecap", "round"))
	}
	s.Line(x1, y1, bx, by, line...)
	s.Path(P("").Move(x2, y2).To(bx-uy*half, by+ux*half).To(bx+uy*half, by-ux*half).Close(), Class("ink"), A("fill", ink))
}

// Badge draws a number or short word in a pill around x, y.
func (s *SVG) Badge(x, y float64, label, ink, paper string) {
	w := max(18, Width(label, 11)+9)
	s.Rect(x-w/2, y-9, w, 18, Class("badge"), A("rx", "9"), A("fill", paper), A("stroke", ink), A("stroke-width", "1.6"))
	s.Text(x, y+4, label, Class("badge-text"), A("text-anchor", "middle"), A("font-size", "11"), A("font-weight", "700"), A("fill", ink))
}

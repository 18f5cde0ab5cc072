// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package draw

import "math"

// Bar is one bar of a chart.
type Bar struct {
	Label string // under the axis, "" for none
	Tip   string // the fact in words
	Value float64
	Parts []Part // stacked from below; their sum is Value. Nil: one colour
	Href  string // "" for none
}

// Part is a piece of a stacked bar.
type Part struct {
	Value float64
	Class string
	Fill  string // for a picture that stands alone
}

// Chart is a bar chart. Its table twin is the caller's: it has the facts.
type Chart struct {
	ID     string
	Title  string
	Desc   string
	Width  float64
	Height float64
	Bars   []Bar
	Number func(float64) string // words a value on the axis; nil: N
}

// Bytes draws the chart.
func (c Chart) Bytes() ([]byte, error) {
	const left, right, top, bottom = 44, 6, 8, 20
	s := New(c.ID, c.Width, c.Height, c.Title, c.Desc, Class("chart"))
	word := c.Number
	if word == nil {
		word = N
	}
	high := 0.0
	for _, b := range c.Bars {
		high = max(high, b.Value)
	}
	tick := niceStep(high, 3)
	high = max(tick, math.Ceil(high/tick)*tick)
	w, h := c.Width-left-right, c.Height-top-bottom
	y := func(v float64) float64 { return top + h - v/high*h }
	s.Group(Class("axis"), A("font-size", "10.5"), A("fill", "#5b6774"))
	for v := 0.0; v <= high+tick/2; v += tick {
		s.Line(left, y(v), c.Width-right, y(v), Class("grid"), A("stroke", "#d5dbe1"), A("stroke-width", "1"))
		s.Text(left-6, y(v)+3.5, word(v), A("text-anchor", "end"))
	}
	s.End()
	if len(c.Bars) == 0 {
		return s.Bytes()
	}
	step := w / float64(len(c.Bars))
	gap := min(2, step*0.2)
	s.Group(Class("bars"), A("fill", "#2f6690"))
	for i, b := range c.Bars {
		x := left + float64(i)*step
		if b.Href != "" {
			s.Link(b.Href)
		} else {
			s.Group()
		}
		if b.Tip != "" {
			s.Tip(b.Tip)
		}
		// An invisible column of full height makes small bars easy to hit.
		s.Rect(x, top, step, h, Class("hit"), A("fill", "none"), A("pointer-events", "all"))
		if b.Value > 0 {
			by := min(y(b.Value), top+h-1.5) // one event among millions is still seen
			if b.Parts == nil {
				s.Rect(x+gap/2, by, step-gap, top+h-by, Class("bar"))
			}
			foot := top + h
			for _, p := range b.Parts {
				if p.Value <= 0 {
					continue
				}
				ph := max(1.5, p.Value/b.Value*(top+h-by))
				s.Rect(x+gap/2, foot-ph, step-gap, ph, Class("bar "+p.Class), A("fill", p.Fill))
				foot -= ph
			}
		}
		s.End()
	}
	s.End()
	s.Group(Class("axis"), A("font-size", "10.5"), A("fill", "#5b6774"))
	free := 0.0
	for i, b := range c.Bars {
		if b.Label == "" {
			continue
		}
		x := left + float64(i)*step
		if x < free {
			continue
		}
		lw := Width(b.Label, 10.5)
		if x+lw > c.Width {
			continue
		}
		s.Line(x, top+h, x, top+h+4, Class("grid"), A("stroke", "#d5dbe1"))
		s.Text(x+3, c.Height-6, b.Label)
		free = x + lw + 12
	}
	s.End()
	return s.Bytes()
}

// Spark is a small line without axes, for a table cell.
type Spark struct {
	ID     string
	Title  string // the fact in words: a spark line alone is no information
	Width  float64
	Height float64
	Values []float64
}

// Bytes draws the line.
func (k Spark) Bytes() ([]byte, error) {
	s := New(k.ID, k.Width, k.Height, k.Title, k.Title, Class("spark"))
	if len(k.Values) > 1 {
		high := 0.0
		for _, v := range k.Values {
			high = max(high, v)
		}
		if high == 0 {
			high = 1
		}
		var line P
		dx := (k.Width - 2) / float64(len(k.Values)-1)
		at := func(i int) (float64, float64) {
			return 1 + float64(i)*dx, k.Height - 1.5 - k.Values[i]/high*(k.Height-3)
		}
		for i := range k.Values {
			x, y := at(i)
			if i == 0 {
				line = line.Move(x, y)
				continue
			}
			line = line.To(x, y)
		}
		area := line.To(k.Width-1, k.Height).To(1, k.Height).Close()
		s.Path(area, Class("area"), A("fill", "#2f6690"), A("fill-opacity", "0.15"))
		s.Path(line, Class("line"), A("fill", "none"), A("stroke", "#2f6690"), A("stroke-width", "1.3"))
	}
	return s.Bytes()
}

// niceStep returns 1, 2 or 5 times a power of ten so that about n steps reach
// high. It is never below 1: charts here count things.
func niceStep(high float64, n int) float64 {
	if high <= float64(n) {
		return 1
	}
	raw := high / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if raw <= m*p {
			return m * p
		}
	}
	return 10 * p
}

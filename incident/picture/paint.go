// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package picture

import (
	"fmt"
	"strconv"
	"strings"

	"citywall/incident"
	"citywall/internal/draw"
)

func (p *picture) drawBands() {
	last := laneKind(-1)
	for _, l := range p.plan.lanes {
		if l.kind == last {
			continue
		}
		last = l.kind
		y := l.y - laneHeight/2 - bandHeight
		key := [...]string{"band_external", "band_via", "band_compromised", "band_other"}[l.kind]
		p.Rect(0, y, p.w, bandHeight, draw.Class("band"), draw.A("fill", p.ink.band))
		p.Text(8, y+14, p.t(key), draw.Class("band-text"), draw.A("font-size", "10.5"), draw.A("font-weight", "700"), draw.A("fill", p.ink.soft))
	}
}

func (p *picture) drawAxis() {
	ink := draw.A("fill", p.ink.soft)
	p.Group(draw.Class("axis"), draw.A("font-size", "11"), ink)
	p.Text(8, 16, p.opt.Zone.String(), draw.Class("axis-zone"))
	p.Text(8, 31, p.t("not_to_scale"), draw.A("font-size", "10"))
	day, free := "", 0.0
	for i, it := range p.plan.items {
		x, at := p.scale.Slot(i), it.time.In(p.opt.Zone)
		if d := at.Format("2006-01-02"); d != day {
			day = d
			p.Line(x, 6, x, p.foot, draw.Class("day"), draw.A("stroke", p.ink.faint))
			if lw := draw.Width(d, 11); x+4+lw <= p.w {
				p.Text(x+4, 16, d, draw.A("font-weight", "700"), draw.A("fill", p.ink.ink))
			}
		}
		if it.kind == itemEnd && len(p.plan.items) > 2 {
			continue
		}
		clock := at.Format("15:04:05")
		if lw := draw.Width(clock, 10.5); x+4 > free && x+4+lw <= p.w {
			p.Line(x, 22, x, p.top+4, draw.Class("tick"), draw.A("stroke", p.ink.faint))
			p.Text(x+4, 31, clock, draw.A("font-size", "10.5"))
			free = x + 4 + lw + 8
		}
	}
	p.End()
	p.Group(draw.Class("gaps"), draw.A("font-size", "10"), ink)
	for _, g := range p.scale.Gaps {
		words := p.span(g.Span)
		if draw.Width(words, 10) > g.Room-6 {
			words = draw.Fit(words, 10, g.Room-6)
		}
		p.Rect(g.X-g.Room*0.18, p.top+bandHeight, g.Room*0.36, p.foot-p.top-bandHeight, draw.Class("gap"), draw.A("fill", p.ink.faint), draw.A("fill-opacity", "0.28"))
		p.Text(g.X, p.top+13, words, draw.A("text-anchor", "middle"))
	}
	p.End()
}

func (p *picture) drawLanes() {
	for i, l := range p.plan.lanes {
		p.drawLane(i, l)
	}
}

func (p *picture) drawLane(i int, l lane) {
	name, below := p.laneWords(l)
	class := "lane " + [...]string{"external", "via", "compromised", "other"}[l.kind]
	p.Group(draw.A("id", fmt.Sprintf("%s-lane-%d", p.opt.ID, i)), draw.Class(class), draw.A("data-hosts", strings.Join(firstN(l.hosts, 200), " ")))
	tip := strings.Join(firstN(l.hosts, 40), ", ")
	if n := len(l.hosts); n > 40 {
		tip += " …"
	}
	p.Tip(tip)
	p.Rect(0, l.y-laneHeight/2, labelWidth, laneHeight, draw.Class("lane-label"), draw.A("fill", p.ink.band), draw.A("fill-opacity", "0.01"))
	p.Line(0, l.y+laneHeight/2, p.w, l.y+laneHeight/2, draw.Class("lane-edge"), draw.A("stroke", p.ink.faint), draw.A("stroke-opacity", "0.7"))
	p.Line(labelWidth, l.y, p.w-8, l.y, draw.Class("lane-line"), draw.A("stroke", p.ink.faint))
	if !l.first.IsZero() && len(p.plan.items) > 0 {
		x := p.controlFrom(i, l)
		p.Rect(x, l.y-3, max(3, p.scale.Right-x), 6, draw.Class("control"), draw.A("fill", p.ink.bad), draw.A("fill-opacity", "0.16"))
	}
	ty := l.y + 4
	if below != "" {
		ty = l.y - 1
		p.Text(8, l.y+12.5, draw.Fit(below, 10.5, labelWidth-16), draw.Class("lane-sub"), draw.A("font-size", "10.5"), draw.A("fill", p.ink.soft))
	}
	p.Text(8, ty, draw.Fit(name, 12.5, labelWidth-16), draw.Class("lane-name"), draw.A("font-size", "12.5"), draw.A("font-weight", "600"), draw.A("fill", p.ink.ink))
	p.End()
}

// controlFrom is where the bar of foreign control begins: under the arrow of
// the hop that brought it, when there is one.
func (p *picture) controlFrom(i int, l lane) float64 {
	for k, it := range p.plan.items {
		if it.kind == itemHop && it.to == i && it.time.Equal(l.first) {
			return p.hopX(k, it)
		}
	}
	return p.scale.At(l.first)
}

// hopX is where the line of a hop stands: its number stands beside it, because
// on it, it would hide the grade.
func (p *picture) hopX(i int, it item) float64 { return p.scale.Slot(i) - badgeWidth(it.label())/2 - 1 }

// laneWords returns the two lines of a lane's label.
func (p *picture) laneWords(l lane) (name, below string) {
	if l.folded() {
		key := [...]string{"more_external", "more_external", "more_compromised", "more_other"}[l.kind]
		return p.t(key, "n", strconv.Itoa(len(l.hosts))), l.hosts[0] + " … " + l.hosts[len(l.hosts)-1]
	}
	h := l.state
	var parts []string
	for _, r := range h.Roles {
		parts = append(parts, string(r))
	}
	for _, a := range h.Addresses {
		if s := a.String(); s != h.Host {
			parts = append(parts, s)
		}
	}
	return h.Host, strings.Join(parts, " · ")
}

// drawFirst draws the interval of first compromise as a bracket above the
// lane of its host.
func (p *picture) drawFirst() {
	f := p.in.FirstCompromise
	if f == nil {
		return
	}
	i, ok := p.plan.of[f.Host]
	if !ok {
		return
	}
	y := p.plan.lanes[i].y - 12
	right := p.scale.At(f.Latest)
	left := p.scale.At(f.Earliest)
	open := f.LowerOpen || f.Earliest.IsZero()
	if open {
		left = max(labelWidth+4, right-70)
	}
	left = min(left, right-6)
	p.Group(draw.A("id", p.opt.ID+"-first"), draw.Class("first"))
	from := p.t("open")
	if !open {
		from = p.stamp(f.Earliest)
	}
	p.Tip(p.t("first_tip", "host", f.Host, "from", from, "to", p.stamp(f.Latest)))
	line := []draw.Attr{draw.Class("first-line"), draw.A("fill", "none"), draw.A("stroke", p.ink.bad), draw.A("stroke-width", "2")}
	p.Rect(left, y, right-left, 24, draw.Class("first-area"), draw.A("fill", p.ink.bad), draw.A("fill-opacity", "0.08"))
	p.Path(draw.P("").Move(right-5, y).To(right, y).To(right, y+24).To(right-5, y+24), line...)
	if open {
		p.Arrow(right-5, y, left, y, draw.Dashed, p.ink.bad)
	} else {
		p.Path(draw.P("").Move(left+5, y).To(left, y).To(left, y+24).To(left+5, y+24), line...)
		p.Line(left, y, right, y, append(line, draw.A("stroke-dasharray", "2 3"))...)
	}
	p.End()
}

func (p *picture) drawHop(i int, it item) {
	h := it.hops[0]
	bw := badgeWidth(it.label())
	x := p.hopX(i, it)
	y1, y2 := p.plan.lanes[it.from].y, p.plan.lanes[it.to].y
	id := fmt.Sprintf("%s-hop-%d", p.opt.ID, h.N)
	numbers := make([]string, len(it.hops))
	for k, x := range it.hops {
		numbers[k] = strconv.Itoa(x.N)
	}
	attrs := []draw.Attr{draw.A("id", id), draw.Class("hop grade-" + string(h.Grade)), draw.A("data-hops", strings.Join(firstN(numbers, 400), " ")), at(it)}
	tip := p.hopTip(it)
	if p.opt.HopLink != nil {
		p.Link(p.opt.HopLink(h.N), append(attrs, draw.A("aria-label", tip))...)
	} else {
		p.Group(attrs...)
	}
	p.Tip(tip)
	ink := p.ink.hop
	if it.from == it.to {
		// Between two hosts of one fold: a small loop.
		p.Path(draw.P("").Move(x-6, y1).Curve(x-14, y1-20, x+14, y1-20, x+6, y1), draw.Class("ink-line"), draw.A("fill", "none"), draw.A("stroke", ink), draw.A("stroke-width", "2"))
		p.Badge(x, y1-16, it.label(), ink, p.ink.paper)
		p.End()
		return
	}
	down := 1.0
	if y2 < y1 {
		down = -1
	}
	p.Circle(x, y1, 3, draw.Class("ink"), draw.A("fill", ink))
	p.Arrow(x, y1, x, y2-down*5, stroke(h.Grade), ink)
	// Off the middle of any lane between, where marks and bars are.
	p.Badge(x+bw/2+4, (y1+y2)/2-p.offLane(it), it.label(), ink, p.ink.paper)
	p.End()
}

// offLane is how far the middle of a hop must move to stand between lanes.
func (p *picture) offLane(it item) float64 {
	y := (p.plan.lanes[it.from].y + p.plan.lanes[it.to].y) / 2
	for _, l := range p.plan.lanes {
		if d := y - l.y; d > -laneHeight/3 && d < laneHeight/3 {
			return laneHeight/2 + d
		}
	}
	return 0
}

// at is the moment of an item in milliseconds, for the replay of the console.
func at(it item) draw.Attr {
	return draw.A("data-at", strconv.FormatInt(it.time.UnixMilli(), 10))
}

// badgeWidth is how wide draw.Badge makes a label.
func badgeWidth(label string) float64 { return max(18, draw.Width(label, 11)+9) }

func (p *picture) hopTip(it item) string {
	h := it.hops[0]
	words := fmt.Sprintf("%d  %s  %s → %s", h.N, p.stamp(h.Time), h.Src.Key(), h.Dst.Key())
	if p.opt.Hop != nil {
		words = fmt.Sprintf("%d  %s", h.N, p.opt.Hop(h))
	}
	if n := len(it.hops); n > 1 {
		words += "\n" + p.t("hop_more", "n", strconv.Itoa(n-1), "last", p.stamp(it.hops[n-1].Time))
	}
	return words + " (" + p.t("grade_"+string(h.Grade)) + ")"
}

func (p *picture) drawStep(i int, it item) {
	s := it.steps[0]
	m := marks[shapeRank(s.Step)]
	x, y := p.scale.Slot(i), p.plan.lanes[it.lane].y
	ink := p.ink.ink
	class := "step step-" + m.key
	if m.bad {
		ink, class = p.ink.bad, class+" bad"
	}
	p.Group(draw.A("id", fmt.Sprintf("%s-step-%d", p.opt.ID, i)), draw.Class(class), at(it))
	tip := fmt.Sprintf("%s  %s  %s", p.stamp(s.Time), s.Host, s.What)
	if s.Technique != "" {
		tip += "  " + s.Technique
	}
	n := len(it.steps)
	if n > 1 {
		tip += "\n" + p.t("step_more", "n", strconv.Itoa(n-1), "hosts", strconv.Itoa(hostCount(it.steps)), "last", p.stamp(it.steps[n-1].Time))
	}
	p.Tip(tip)
	if n > 1 {
		label := "×" + strconv.Itoa(n)
		lw := draw.Width(label, 10.5) + 8 // the cross and bold figures are wider than estimated
		p.Rect(x-9-lw/2, y-9, 18+lw, 18, draw.Class("plate"), draw.A("rx", "3"), draw.A("fill", p.ink.paper), draw.A("stroke", ink), draw.A("stroke-width", "1"))
		p.Mark(m.shape, x-lw/2, y, 5.5, ink, p.ink.paper)
		p.Text(x-lw/2+8, y+4, label, draw.Class("plate-text"), draw.A("font-size", "10.5"), draw.A("font-weight", "700"), draw.A("fill", ink))
	} else {
		p.Circle(x, y, 8, draw.Class("plate"), draw.A("fill", p.ink.paper))
		p.Mark(m.shape, x, y, 5.5, ink, p.ink.paper)
	}
	p.End()
}

func hostCount(steps []incident.StepEvent) int {
	seen := map[string]bool{}
	for _, s := range steps {
		seen[s.Host] = true
	}
	return len(seen)
}

// legendItem is one sign and its words.
type legendItem struct {
	words string
	paint func(x, y float64)
	width float64 // of the sign
}

func (p *picture) legendItems() []legendItem {
	var out []legendItem
	used := map[int]bool{}
	grades := map[incident.Grade]bool{}
	for _, it := range p.plan.items {
		for _, s := range it.steps {
			used[shapeRank(s.Step)] = true
		}
		for _, h := range it.hops {
			grades[h.Grade] = true
		}
	}
	for _, g := range []incident.Grade{incident.Observed, incident.Inferred, incident.Assumed} {
		if grades[g] {
			out = append(out, legendItem{p.t("grade_" + string(g)), func(x, y float64) { p.Arrow(x, y, x+34, y, stroke(g), p.ink.hop) }, 34})
		}
	}
	if p.in.FirstCompromise != nil {
		out = append(out, legendItem{p.t("legend_first"), func(x, y float64) {
			p.Path(draw.P("").Move(x+4, y-6).To(x, y-6).To(x, y+6).To(x+4, y+6).Move(x+12, y-6).To(x+16, y-6).To(x+16, y+6).To(x+12, y+6),
				draw.Class("first-line"), draw.A("fill", "none"), draw.A("stroke", p.ink.bad), draw.A("stroke-width", "2"))
		}, 16})
	}
	for i, m := range marks {
		if !used[i] {
			continue
		}
		ink, class := p.ink.ink, "step"
		if m.bad {
			ink, class = p.ink.bad, "step bad"
		}
		out = append(out, legendItem{p.t("step_" + m.key), func(x, y float64) {
			p.Group(draw.Class(class))
			p.Mark(m.shape, x+6, y, 5, ink, p.ink.paper)
			p.End()
		}, 12})
	}
	return out
}

const legendLine = 20

func (p *picture) legendHeight() float64 {
	x, lines := 8.0, 1
	for _, l := range p.legendItems() {
		w := l.width + 7 + draw.Width(l.words, 11) + 18
		if x+w > p.opt.Width { // not the picture's: what is scrolled away explains nothing
			x, lines = 8, lines+1
		}
		x += w
	}
	return float64(lines)*legendLine + 8
}

func (p *picture) drawLegend() {
	p.Group(draw.Class("legend"), draw.A("font-size", "11"), draw.A("fill", p.ink.soft))
	x, y := 8.0, p.foot+24
	for _, l := range p.legendItems() {
		w := l.width + 7 + draw.Width(l.words, 11) + 18
		if x+w > p.opt.Width {
			x, y = 8, y+legendLine
		}
		l.paint(x, y)
		p.Text(x+l.width+7, y+4, l.words)
		x += w
	}
	p.End()
}

func firstN(s []string, n int) []string { return s[:min(n, len(s))] }

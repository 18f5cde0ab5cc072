// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package picture draws the path of an incident over a swim-lane timeline.
//
// One lane per machine, external addresses first, then the compromised hosts
// in the order they fell, then one lane for the others. A hop is an arrow
// between lanes whose line tells its grade: solid observed, dashed inferred,
// dotted assumed. Steps of compromise are marks on a lane; the interval of
// first compromise is a bracket, open where the logs begin too late.
//
// It promises that the same incident gives the same bytes, that the picture
// stays below MaxNodes however large the incident is (what does not fit is
// folded and counted: "+37 hosts"), and that every hop and step has a stable
// id. It never adds a fact: a table with the same rows stands beside it, and
// this package does not draw that.
package picture

import (
	"strconv"
	"strings"
	"time"

	"citywall/incident"
	"citywall/internal/draw"
	"citywall/internal/text"
)

// MaxNodes bounds the hops, marks and lanes of one picture: people cannot read
// more, and browsers slow down.
const MaxNodes = 500

// Options says how to draw. The zero value is a screen picture in English, in
// Taipei time.
type Options struct {
	ID    string // prefix of ids; "path" when empty
	Lang  text.Lang
	Zone  *time.Location
	Print bool    // greys for paper
	Width float64 // least width; 1160 when zero. More hops make it wider.
	Lanes int     // most lanes; 22 when zero

	// Hop words a hop for its tip, from incident/narrate. Nil: ends and time.
	Hop func(incident.Hop) string
	// HopLink is where a hop leads to, "#hop-3" on the console. Nil: no link.
	HopLink func(n int) string
}

// taipei stands here because a picture must not need the zone files of the
// machine; Taipei has had no daylight saving since 1980.
var taipei = time.FixedZone("Asia/Taipei", 8*3600)

// palette is the ink of a picture. A stylesheet overrides it through classes;
// these are for a picture that stands alone.
type palette struct {
	ink, soft, faint, paper, band, bad, warn, hop string
}

var (
	screen = palette{ink: "#1b2530", soft: "#5b6774", faint: "#d5dbe1", paper: "#ffffff", band: "#f4f6f8", bad: "#a8201a", warn: "#8a5a00", hop: "#1d4e79"}
	grey   = palette{ink: "#000000", soft: "#444444", faint: "#cccccc", paper: "#ffffff", band: "#f5f5f5", bad: "#000000", warn: "#444444", hop: "#000000"}
)

// Draw returns the picture as an SVG element.
func Draw(in incident.Incident, opt Options) ([]byte, error) {
	if opt.ID == "" {
		opt.ID = "path"
	}
	if opt.Lang == "" {
		opt.Lang = text.En
	}
	if opt.Zone == nil {
		opt.Zone = taipei
	}
	if opt.Width == 0 {
		opt.Width = 1160
	}
	if opt.Lanes == 0 {
		opt.Lanes = 22
	}
	p := &picture{opt: opt, in: in, ink: screen}
	if opt.Print {
		p.ink = grey
	}
	p.plan = newPlan(in, opt.Lanes)
	p.place()
	return p.draw()
}

type picture struct {
	opt   Options
	in    incident.Incident
	ink   palette
	plan  plan
	scale draw.Scale
	w, h  float64
	top   float64 // first lane begins
	foot  float64 // last lane ends
	*draw.SVG
}

func (p *picture) t(key string, pairs ...string) string {
	return text.T(p.opt.Lang, "picture."+key, pairs...)
}

// Sizes in user units.
const (
	labelWidth = 188
	laneHeight = 38
	bandHeight = 20 // heading of a group of lanes
	headHeight = 40 // dates and clocks
	rightRoom  = 22
)

// place computes lanes' y and the scale of time.
func (p *picture) place() {
	y := float64(headHeight)
	p.top = y
	last := laneKind(-1)
	for i := range p.plan.lanes {
		l := &p.plan.lanes[i]
		if l.kind != last {
			y += bandHeight
			last = l.kind
		}
		l.y = y + laneHeight/2
		y += laneHeight
	}
	p.foot = y
	slots := make([]draw.Slot, len(p.plan.items))
	for i, it := range p.plan.items {
		slots[i] = draw.Slot{Time: it.time, Room: it.room()}
	}
	p.scale = draw.NewScale(slots, labelWidth+26, p.opt.Width-rightRoom, 30*time.Minute)
	p.w = max(p.opt.Width, p.scale.Right+rightRoom)
	p.h = p.foot + 14 + p.legendHeight()
}

func (p *picture) draw() ([]byte, error) {
	class := "path-picture"
	if p.opt.Print {
		class += " print"
	}
	p.SVG = draw.New(p.opt.ID, p.w, p.h, p.t("title"), p.description(), draw.Class(class), draw.A("font-size", "12"), draw.A("fill", p.ink.ink))
	p.Rect(0, 0, p.w, p.h, draw.Class("paper"), draw.A("fill", p.ink.paper))
	p.drawBands()
	p.drawAxis()
	p.drawLanes()
	p.drawFirst()
	for i, it := range p.plan.items {
		if it.kind == itemHop {
			p.drawHop(i, it)
		}
	}
	for i, it := range p.plan.items {
		if it.kind == itemStep {
			p.drawStep(i, it)
		}
	}
	p.drawLegend()
	return p.Bytes()
}

// description is what a screen reader says; the table twin has the rest.
func (p *picture) description() string {
	compromised := 0
	for _, h := range p.in.Hosts {
		if h.Compromised {
			compromised++
		}
	}
	return p.t("desc", "hosts", strconv.Itoa(compromised), "hops", strconv.Itoa(len(p.in.Hops)), "steps", strconv.Itoa(len(p.in.Steps)),
		"from", p.stamp(p.in.First), "to", p.stamp(p.in.Last))
}

func (p *picture) stamp(t time.Time) string {
	return t.In(p.opt.Zone).Format("2006-01-02 15:04:05")
}

// span words a duration with its two largest units.
func (p *picture) span(d time.Duration) string {
	d = d.Round(time.Minute)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	part := func(n int, key string) string {
		if n == 0 {
			return ""
		}
		return p.t(key, "n", strconv.Itoa(n))
	}
	out := []string{part(days, "days"), part(hours, "hours")}
	if days == 0 {
		out = []string{part(hours, "hours"), part(minutes, "minutes")}
	}
	return strings.TrimSpace(strings.Join(out, " "))
}

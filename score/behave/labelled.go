// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behave

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"citywall/detect"
	"citywall/detect/behaviour"
	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/csvlog"
)

// noLabel is what stands in the last column of a row that belongs to no step.
const noLabel = "-"

// quiet stands in the last but one column of rows outside all phases of an attack.
const quiet = "false_positive"

// Labelled reads alerts of several products in one table whose last two columns
// are labels (time,name,ip,host,short,time_label,event_label, as the AIT alert data
// set has them), shows the detectors the rows without these, and holds what they
// say against them. A step is a label on a machine; it is found when a finding
// rests on one of its rows. A benign row has neither label; what the detectors say
// of a row inside a phase that is not labelled counts on neither side.
func Labelled(ctx context.Context, name string, r io.Reader, told func(detect.Finding, string)) (Result, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return Result{}, fmt.Errorf("read %s: %w", name, err)
	}
	var rows bytes.Buffer
	labels := []label{{}} // by line, from 1 on
	for line := range bytes.Lines(all) {
		line = bytes.TrimRight(line, "\r\n")
		i := bytes.LastIndexByte(line, ',')
		j := bytes.LastIndexByte(line[:max(i, 0)], ',')
		if j < 0 {
			return Result{}, fmt.Errorf("read %s: line %d has no labels", name, len(labels))
		}
		labels = append(labels, label{string(line[j+1 : i]), string(line[i+1:])})
		rows.Write(line[:j])
		rows.WriteByte('\n')
	}
	// Rows stand by the scenario's products, not by time.
	var events []*event.Event
	src := format.Source{Name: name, File: name, SHA256: name}
	if _, err := csvlog.Format().Decode(ctx, &rows, src, func(e *event.Event) error {
		events = append(events, e)
		return nil
	}); err != nil {
		return Result{}, fmt.Errorf("read %s: %w", name, err)
	}
	slices.SortStableFunc(events, func(a, b *event.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Origin.Line, b.Origin.Line))
	})
	return hold(events, labels, told)
}

type label struct{ phase, step string }

func hold(events []*event.Event, labels []label, told func(detect.Finding, string)) (Result, error) {
	h := heard{said: map[string]int64{}, true: map[string]int64{}}
	benign := heard{said: map[string]int64{}}
	lines := map[event.ID]label{}
	at := map[string]int{}
	byID := map[event.ID]int{}
	for _, e := range events {
		if e.Origin.Line < 1 || int(e.Origin.Line) >= len(labels) {
			return Result{}, fmt.Errorf("record of line %d: there are %d lines", e.Origin.Line, len(labels)-1)
		}
		l := labels[e.Origin.Line]
		lines[e.ID] = l
		h.events++
		if l.step == noLabel {
			if l.phase == quiet {
				benign.events++
			}
			continue
		}
		v := e.View()
		key := l.step + " " + v.Host
		i, ok := at[key]
		if !ok {
			i = len(h.items)
			at[key] = i
			h.items = append(h.items, item{class: l.step, from: e.Time, by: map[string]bool{}})
		}
		byID[e.ID] = i
	}
	names := detectorNames()
	set := behaviour.New()
	for _, e := range events {
		for _, f := range set.Observe(e) {
			d, what := names[f.Rule.ID], ""
			for _, id := range f.Events {
				if i, ok := byID[id]; ok {
					h.items[i].by[d] = true
					what = h.items[i].class
				}
			}
			last := lines[e.ID]
			switch {
			case what != "":
				h.said[d]++
				h.true[d]++
			case last.phase == quiet:
				benign.said[d]++
				what = "benign"
			default:
				h.said[d]++
				what = "in phase " + last.phase
			}
			if told != nil {
				told(f, what)
			}
		}
	}
	r := total([]bool{false, true}, []heard{h, benign})
	r.AttackEvents = h.events - benign.events
	first := map[string]time.Time{}
	for _, x := range h.items {
		if t, ok := first[x.class]; !ok || x.from.Before(t) {
			first[x.class] = x.from
		}
	}
	slices.SortFunc(r.Steps, func(a, b Step) int { return first[a.Name].Compare(first[b.Name]) })
	return r, nil
}

// Add puts another result to this one.
func (r *Result) Add(o Result) {
	r.BenignPlays += o.BenignPlays
	r.BenignEvents += o.BenignEvents
	r.AttackPlays += o.AttackPlays
	r.AttackEvents += o.AttackEvents
	r.Undecoded += o.Undecoded
	for _, s := range o.Steps {
		i := slices.IndexFunc(r.Steps, func(x Step) bool { return x.Name == s.Name })
		if i < 0 {
			i = len(r.Steps)
			r.Steps = append(r.Steps, Step{Name: s.Name, By: map[string]int{}})
		}
		x := &r.Steps[i]
		x.Items, x.Plays, x.Found, x.In = x.Items+s.Items, x.Plays+s.Plays, x.Found+s.Found, x.In+s.In
		for d, n := range s.By {
			x.By[d] += n
		}
	}
	for _, d := range o.Detectors {
		i := slices.IndexFunc(r.Detectors, func(x Detector) bool { return x.Name == d.Name })
		if i < 0 {
			r.Detectors = append(r.Detectors, d)
			continue
		}
		x := &r.Detectors[i]
		x.Benign, x.Attack, x.True = x.Benign+d.Benign, x.Attack+d.Attack, x.True+d.True
	}
}

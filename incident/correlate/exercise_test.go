// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/detect"
	"citywall/event"
	"citywall/exercise"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest"
	"citywall/ingest/format"
)

// play feeds an exercise through the decoders and the own rule pack, without
// the formats, sources or texts to drop.
func play(t testing.TB, e *correlate.Engine, p *exercise.Play, drop ...string) int {
	t.Helper()
	n := 0
	each(t, p, func(ev *event.Event, fs []detect.Finding) {
		e.Observe(ev, fs)
		n++
	}, drop...)
	return n
}

func each(t testing.TB, p *exercise.Play, f func(*event.Event, []detect.Finding), drop ...string) {
	t.Helper()
	m := pack(t).NewMatcher()
	seq := map[string]int64{}
	err := p.Lines(context.Background(), func(l exercise.Line) error {
		if slices.Contains(drop, l.Format) || slices.Contains(drop, l.Source) {
			return nil
		}
		decoder, ok := ingest.ByName(l.Format)
		if !ok {
			return fmt.Errorf("no format %q", l.Format)
		}
		seq[l.Source]++
		src := format.Source{Realm: "city", Agency: l.Agency, Name: l.Source, Stream: "test", Received: l.Time}
		ev, err := decoder.Record(bytes.Clone(l.Bytes), format.Pos{Offset: seq[l.Source], Line: seq[l.Source], Seq: uint64(seq[l.Source])}, src)
		if err != nil {
			return fmt.Errorf("%s %s: %w", l.Format, l.Bytes, err)
		}
		f(ev, m.Match(ev))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExerciseDump(t *testing.T) {
	scenario := os.Getenv("SC")
	if scenario == "" {
		t.Skip("set SC to a scenario")
	}
	var seed uint64 = 1
	fmt.Sscan(os.Getenv("SEED"), &seed)
	opt := exercise.Options{Seed: seed, NoAttack: os.Getenv("QUIET") != ""}
	fmt.Sscan(os.Getenv("DAYS"), &opt.Days)
	fmt.Sscan(os.Getenv("DEV"), &opt.Devices)
	fmt.Sscan(os.Getenv("RATE"), &opt.Rate)
	opt.Dwell, _ = time.ParseDuration(os.Getenv("DWELL"))
	p, err := exercise.New(scenario, opt)
	if err != nil {
		t.Fatal(err)
	}
	e := correlate.New(correlate.Config{})
	t0 := time.Now()
	n := play(t, e, p, strings.Split(os.Getenv("DROP"), ",")...)
	t1 := time.Now()
	in := e.Incidents(context.Background())
	t.Logf("%d lines, observe %s, incidents %s", n, t1.Sub(t0), time.Since(t1))
	show(t, in)
	correlate.Debug(e)
	correlate.DebugPaths(e, os.Getenv("SEEDHOST"))
	compare(t, p.Truth(), in)
}

// compare prints truth against the incident that has its entry host.
func compare(t testing.TB, truth exercise.Truth, in []incident.Incident) {
	t.Helper()
	var b strings.Builder
	ts := func(x time.Time) string { return x.UTC().Format("01-02T15:04:05.000") }
	fmt.Fprintf(&b, "\ntruth entry %+v\n", truth.Entry)
	got := map[string]incident.Hop{}
	hosts := map[string]bool{}
	for _, i := range in {
		for _, h := range i.Hops {
			got[h.Src.Key()+">"+h.Dst.Key()+">"+h.Kind] = h
		}
		for _, h := range i.Hosts {
			if h.Compromised {
				hosts[h.Host] = true
			}
		}
	}
	used := map[string]bool{}
	for _, h := range truth.Hops {
		k := h.Src + ">" + h.Dst + ">" + h.Kind
		used[k] = true
		g, ok := got[k]
		if !ok {
			fmt.Fprintf(&b, "MISS %s %s -> %s %s %d\n", ts(h.Time), h.Src, h.Dst, h.Kind, h.DstPort)
			continue
		}
		if d := g.Time.Sub(h.Time); d.Abs() > time.Second || h.Technique != g.Technique || h.DstPort != g.DstPort || h.User != g.User.String() {
			fmt.Fprintf(&b, "off %s %s %s/%s %d/%d %q/%q\n", k, d, h.Technique, g.Technique, h.DstPort, g.DstPort, h.User, g.User)
		}
	}
	for k, h := range got {
		if !used[k] {
			fmt.Fprintf(&b, "EXTRA %s %s %s %.2f\n", ts(h.Time), k, h.Grade, h.Score)
		}
	}
	for _, h := range truth.Hosts {
		if !hosts[h.Host] {
			fmt.Fprintf(&b, "MISSHOST %s %s\n", h.Host, ts(h.First))
		}
		delete(hosts, h.Host)
	}
	for h := range hosts {
		fmt.Fprintf(&b, "EXTRAHOST %s\n", h)
	}
	t.Log(b.String())
}

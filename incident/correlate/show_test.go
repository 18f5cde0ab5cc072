// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citywall/incident"
)

// show prints incidents as a person would note them on a sheet of paper.
func show(t testing.TB, list []incident.Incident) {
	t.Helper()
	var b strings.Builder
	ts := func(x time.Time) string { return x.UTC().Format("01-02T15:04:05.000000") }
	for _, in := range list {
		fmt.Fprintf(&b, "\n== %s %s %v  %s .. %s\n", in.Severity, in.Title.Code, in.Title.Args, ts(in.First), ts(in.Last))
		if f := in.FirstCompromise; f != nil {
			fmt.Fprintf(&b, "first: %s %s [%s, %s] open=%v logs=%s good=%v bad=%v\n", f.Host, f.Addr, ts(f.Earliest), ts(f.Latest), f.LowerOpen, ts(f.LogsBegin), f.KnownGood, f.FirstBad)
		}
		fmt.Fprintf(&b, "entry: %+v\n", in.Entry)
		for _, h := range in.Hosts {
			fmt.Fprintf(&b, "host %-18s bad=%-5v ext=%-5v %s %v isolate=%s\n", h.Host, h.Compromised, h.External, ts(h.First), h.Roles, h.Isolate)
		}
		for _, h := range in.Hops {
			fmt.Fprintf(&b, "hop %d %s %s -> %s:%d %s %s %s n=%d out=%d in=%d user=%s causal=%s s=%.2f", h.N, ts(h.Time), h.Src.Key(), h.Dst.Key(), h.DstPort, h.Kind, h.Technique, h.Grade, h.Count, h.BytesOut, h.BytesIn, h.User, h.Causal, h.Score)
			for _, r := range h.Reasons {
				fmt.Fprintf(&b, " %s%+.2g", r.Code, r.Plus)
			}
			b.WriteByte('\n')
		}
		for i, s := range in.Steps {
			if i > 60 {
				fmt.Fprintf(&b, "... %d steps\n", len(in.Steps))
				break
			}
			fmt.Fprintf(&b, "step %s..%s %s %s %q %s rows=%d %s %s\n", ts(s.Time), ts(s.Last), s.Host, s.Step, s.What, s.Technique, s.Rows, s.Grade, s.Observer)
		}
		for _, s := range in.Suspicious {
			fmt.Fprintf(&b, "suspect %s %s..%s %v n=%d out=%d in=%d %d reasons\n", s.Addr, ts(s.First), ts(s.Last), s.Hosts, s.Count, s.BytesOut, s.BytesIn, len(s.Reasons))
		}
		for _, p := range in.Breakpoints {
			fmt.Fprintf(&b, "break %s hop=%d %s->%s %s\n", p.Code, p.Hop, p.Src.Key(), p.Dst.Key(), p.Next)
		}
		fmt.Fprintf(&b, "accounts %v alternatives %d findings %d separate %d\n", in.Accounts, len(in.Alternatives), len(in.Findings), len(in.SeparateFrom))
	}
	t.Log(b.String())
}

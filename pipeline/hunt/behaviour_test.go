// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/internal/text"
)

// refused are contacts that the firewall of one machine refused, twelve from one
// source within a minute, and failed logons of twelve accounts from another.
func refused() (out []*event.Event) {
	for i := range 24 {
		e := &event.Event{
			ID: event.NewID("g", "", uint64(i)), Time: t0.Add(time.Duration(i) * time.Second), Product: "windows", Service: "security",
			Origin: event.Origin{Format: "evtx", File: "b.evtx", Offset: int64(4096 + i), Record: uint64(5000 + i)},
		}
		fields := [][2]string{{"Channel", "Security"}, {"Computer", "SRV1"}, {"EventID", "5157"}, {"SourceAddress", "10.1.1.9"}, {"DestAddress", fmt.Sprintf("10.1.2.%d", i+1)}, {"DestPort", "80"}, {"Protocol", "6"}}
		if i%2 == 1 {
			fields = [][2]string{{"Channel", "Security"}, {"Computer", "DC1"}, {"EventID", "4625"}, {"LogonType", "3"}, {"TargetUserName", fmt.Sprint("user", i)}, {"TargetDomainName", "CITY"}, {"IpAddress", "10.1.1.8"}}
		}
		for _, f := range fields {
			e.Fields.Add(f[0], f[1])
		}
		out = append(out, e)
	}
	return out
}

// With detectors of behaviour a hunt has the lines of rules as without, and
// marked lines besides, the same on every run. Oracle: the hunt without, and the
// runs among each other.
func TestBehaviour(t *testing.T) {
	evs := append(records(1500), refused()...)
	with := func(o *Options) { o.Behaviour, o.Workers = true, 1 }
	plain, one := hunt(t, evs, nil), hunt(t, evs, with)
	turned := slices.Clone(evs)
	slices.Reverse(turned)
	many := hunt(t, turned, func(o *Options) { o.Behaviour, o.Workers, o.Memory = true, 7, 8<<10 })
	for _, f := range Formats {
		for _, p := range Profiles {
			if a, b := written(t, one, f, p), written(t, many, f, p); a != b {
				t.Errorf("%s %s differs: %d and %d bytes", f, p, len(a), len(b))
			}
		}
	}
	var rules, said []string
	for line := range strings.Lines(written(t, one, "jsonl", "standard")) {
		if strings.Contains(line, `"behaviour":true`) {
			said = append(said, line)
		} else {
			rules = append(rules, line)
		}
	}
	if got, want := strings.Join(rules, ""), written(t, plain, "jsonl", "standard"); got != want {
		t.Errorf("lines of rules differ from a hunt without detectors: %d and %d bytes", len(got), len(want))
	}
	all := strings.Join(said, "")
	for _, want := range []string{"A host scans", "One source tries many accounts", `"Reason2":"8 failures of 8 accounts`, `"file":"b.evtx"`, `"rule_author":"Citywall"`} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %s:\n%s", want, all)
		}
	}
	if one.Summary.Behaviour != int64(len(said)) || plain.Summary.Behaviour != 0 || one.Summary.Rows != plain.Summary.Rows+int64(len(said)) {
		t.Errorf("%d lines, the summary has %d", len(said), one.Summary.Behaviour)
	}
	if csv := written(t, one, "csv", "minimal"); strings.Count(csv, "Behaviour: ") != len(said) || strings.Contains(written(t, plain, "csv", "minimal"), "Behaviour") {
		t.Error("CSV does not mark them")
	}
	for _, l := range []text.Lang{text.En, text.ZhTW} {
		var b strings.Builder
		if err := one.Summary.Text(&b, l, time.UTC); err != nil || !strings.Contains(b.String(), "Behaviour:") {
			t.Errorf("%v: the summary does not tell of them: %v", l, err)
		}
	}
	// A filter holds for them too.
	low := hunt(t, evs, func(o *Options) { with(o); o.Filter.Tags = []string{"attack.t1110"} })
	if low.Summary.Behaviour != 1 {
		t.Errorf("%d lines with the tag, want the spray", low.Summary.Behaviour)
	}
	// What was recovered from slack is not shown to them.
	slack := refused()
	for _, e := range slack {
		e.Origin.Carved = true
	}
	if c := hunt(t, slack, with); c.Summary.Behaviour != 0 {
		t.Errorf("%d lines of carved records", c.Summary.Behaviour)
	}
}

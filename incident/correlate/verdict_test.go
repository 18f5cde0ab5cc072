// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"citywall/incident/correlate"
)

// TestVerdictsOnAHost gives verdicts of consoles that name a machine and no
// connection. They are signs on that machine, never on the console, and add up
// with each other; one alone is no incident.
func TestVerdictsOnAHost(t *testing.T) {
	type verdict struct {
		product, category, service string
		pairs                      []string
	}
	tool := verdict{"antivirus", "antivirus", "epo", []string{"Server Name", "console", "Computer", "pc-7", "Signature", "HackTool.Mimikatz", "Threat Name", "HackTool.Mimikatz"}}
	edr := verdict{"defender", "alert", "alert", []string{"computerDnsName", "pc-7.city.example", "severity", "High", "status", "New", "title", "Hands on keyboard"}}
	runs := verdict{"windows", "", "sysmon", []string{"Computer", "pc-7", "Channel", "Microsoft-Windows-Sysmon/Operational", "EventID", "13", "EventType", "SetValue", "Image", `C:\Windows\System32\reg.exe`,
		"TargetObject", `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\Updater`, "Details", `C:\Users\Public\Libraries\upd.exe`}}
	for name, c := range map[string]struct {
		list []verdict
		want string
	}{
		"one alone":                   {[]verdict{tool}, ""},
		"two products":                {[]verdict{tool, edr}, ""},
		"a verdict and what was done": {[]verdict{tool, runs}, "pc-7"},
		"an EDR's, and what was done": {[]verdict{edr, runs}, "pc-7"},
		"all of them":                 {[]verdict{tool, edr, runs}, "pc-7"},
		"what was done, alone":        {[]verdict{runs}, ""},
	} {
		e := &estate{r: rand.New(rand.NewPCG(3, 1)), begin: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), days: 3}
		m := pack(t).NewMatcher()
		eng := correlate.New(correlate.Config{})
		for i, v := range c.list {
			ev := e.add(v.product, v.service, "console", e.begin.Add(time.Duration(50+i)*time.Hour/10), nil, v.pairs...)
			ev.Category = v.category
			fs := m.Match(ev)
			if len(fs) == 0 {
				t.Errorf("%s: no rule speaks of %v", name, v.pairs)
			}
			eng.Observe(ev, fs)
		}
		got := ""
		for _, in := range eng.Incidents(context.Background()) {
			for _, h := range in.Hosts {
				if h.Compromised {
					got += h.Host
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q is called compromised, want %q", name, got, c.want)
		}
	}
}

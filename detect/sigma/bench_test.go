// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"archive/zip"
	"strings"
	"testing"

	"citywall/event"
	"citywall/internal/shared"
	"citywall/rules"
)

// BenchmarkMatchRegression holds the 120 records of the regression cases
// against all of SigmaHQ's rules, decoding left out. It is attack-heavy and
// mostly process creation, so a bad case for the matcher.
func BenchmarkMatchRegression(b *testing.B) {
	e, _ := loadHQ(b, Options{})
	benchmarkMatch(b, e, regressionEvents(b))
}

// BenchmarkMatchPack does the same with Citywall's own pack.
func BenchmarkMatchPack(b *testing.B) {
	e, _, err := Load([]Set{{Name: "citywall", FS: rules.FS}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkMatch(b, e, regressionEvents(b))
}

// TestPackIsIndexed holds Citywall's own rules to what makes them cheap: for the
// kinds of event that come most, each has a text without which it is not tried
// at all. What it costs is measured by BenchmarkMatchPack.
func TestPackIsIndexed(t *testing.T) {
	e, _, err := Load([]Set{{Name: "citywall", FS: rules.FS}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sysmon := func(id string) bucketKey {
		return bucketKey{from: labels{Product: "windows"}, channel: "microsoft-windows-sysmon/operational", eventID: id}
	}
	for _, k := range []bucketKey{
		sysmon("1"), sysmon("3"), sysmon("11"), sysmon("13"), sysmon("22"),
		{from: labels{Product: "windows"}, channel: "security", eventID: "4688"},
		{from: labels{Product: "windows"}, channel: "security", eventID: "5145"},
		{from: labels{Product: "windows"}, channel: "microsoft-windows-powershell/operational", eventID: "4104"},
		{from: labels{Product: "linux", Category: "process_creation", Service: "auditd"}},
		{from: labels{Product: "zeek", Service: "http"}},
	} {
		b := e.newBucket(k)
		if len(b.rules) == 0 {
			t.Errorf("%+v: no rules", k)
		}
		for _, i := range b.index.always {
			t.Errorf("%+v: %s is tried on every event; let it look for a text first", k, e.rules[b.rules[i].rule].File)
		}
	}
}

// BenchmarkLoad reads and compiles SigmaHQ's archive.
func BenchmarkLoad(b *testing.B) {
	MeasureCPU(b, func(int) { loadHQ(b, Options{}) })
}

func benchmarkMatch(b *testing.B, e *Engine, events []*event.Event) {
	m := e.NewMatcher()
	hits := 0
	for _, ev := range events { // builds the buckets
		hits += len(m.Match(ev))
	}
	MeasureCPU(b, func(n int) { m.Match(events[n%len(events)]) })
	b.ReportMetric(float64(hits)/float64(len(events)), "hits/event")
}

func regressionEvents(t testing.TB) []*event.Event {
	z, err := zip.OpenReader(shared.Path(t, "sigma-regression/regression-shared.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out []*event.Event
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".json") {
			out = append(out, jsonRecords(t, readMember(t, &z.Reader, f.Name))...)
		}
	}
	return out
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package patientzero_test

import (
	"testing"
	"time"

	"citywall/incident"
	"citywall/incident/patientzero"
)

var day0 = time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)

func day(d float64) time.Time { return day0.Add(time.Duration(d * 24 * float64(time.Hour))) }

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		name     string
		f        patientzero.Facts
		open     bool
		earliest time.Time
		code     string
	}{
		{"quiet for days: from the last ordinary record", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2.9), Seen: true}, false, day(2.9), incident.QuietBefore},
		{"attempts before: he was still outside when they began", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2.99), AttemptFirst: day(2.95), Attempts: 90}, false, day(2.95), incident.OnlyAttempts},
		{"nothing shows how he came: to the end of the last ordinary day", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2.9), OrdinaryDay: day(2)}, false, day(2), incident.OrdinaryDay},
		{"nothing shows how he came, and no day was ordinary", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2.9)}, true, time.Time{}, incident.NoOrdinaryDay},
		{"the logs have hardly begun", patientzero.Facts{LogsBegin: day(0), FirstBad: day(0.001)}, true, time.Time{}, incident.LogsBeginAt},
		{"the attempts began with the logs", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), AttemptFirst: day(0.5), Attempts: 9000}, true, time.Time{}, incident.LogsBeginAt},
		{"something that had been running was stopped", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), Stopped: true}, true, time.Time{}, incident.RanBefore},
		{"attempts after the first bad moment say nothing", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2), AttemptFirst: day(3.5), Seen: true}, false, day(2), incident.QuietBefore},
		{"visits that look alike, since the logs begin", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(0.1), SameWay: day(0.2), SameWayOpen: true, Seen: true}, true, time.Time{}, incident.LogsBeginAt},
		{"visits that look alike, since the second day's end", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(1.9), SameWay: day(2), Seen: true}, false, day(1.9), incident.QuietBefore},
		{"such visits from the second day on, and no more is known", patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), SameWay: day(1.5), SameWayOpen: true, Seen: true}, true, time.Time{}, incident.CameBefore},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.Quiet = 24 * time.Hour
			got := patientzero.Interval(c.f)
			if got.LowerOpen != c.open || !got.Earliest.Equal(c.earliest) || got.KnownGood.Code != c.code || !got.Latest.Equal(c.f.FirstBad) {
				t.Errorf("%+v", got)
			}
			if !got.LowerOpen && got.Earliest.After(got.Latest) {
				t.Error("the interval is empty")
			}
		})
	}
}

// TestSurely: the upper end is where he is beyond doubt, never before the first
// that may have been he.
func TestSurely(t *testing.T) {
	f := patientzero.Facts{LogsBegin: day(0), FirstBad: day(3), LastGood: day(2.9), Seen: true, Quiet: 24 * time.Hour, Surely: day(3.5)}
	if got := patientzero.Interval(f); !got.Latest.Equal(day(3.5)) || !got.Earliest.Equal(day(2.9)) || got.FirstBad.Code != incident.BeyondDoubt {
		t.Errorf("%+v", got)
	}
	f.Surely = day(2)
	if got := patientzero.Interval(f); !got.Latest.Equal(day(3)) {
		t.Errorf("%+v", got)
	}
}

func TestEntry(t *testing.T) {
	for _, c := range []struct {
		name       string
		w          patientzero.Way
		kind       string
		determined bool
		vector     string
	}{
		{"nothing", patientzero.Way{}, "unknown", false, ""},
		{"a call to the outside is no way in", patientzero.Way{Kind: "c2", From: "192.0.2.1", Port: 443}, "c2", false, "192.0.2.1:443"},
		{"VPN: whose account", patientzero.Way{Kind: "vpn", From: "192.0.2.1", Account: `corp\chen`, Grade: incident.Observed}, "vpn", true, `corp\chen`},
		{"remote desktop", patientzero.Way{Kind: "rdp", From: "192.0.2.1", Grade: incident.Observed}, "rdp", true, "192.0.2.1"},
		{"assumed is not determined", patientzero.Way{Kind: "rdp", From: "192.0.2.1", Grade: incident.Assumed}, "rdp", false, "192.0.2.1"},
		{"a finding says mail", patientzero.Way{Finding: "Program from an attachment", FindTech: "T1566.001"}, "mail", true, "Program from an attachment"},
		{"a finding that says nothing of it", patientzero.Way{Finding: "Shadow copies deleted", FindTech: "T1490"}, "unknown", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := patientzero.Entry(c.w)
			if e.Kind != c.kind || e.Determined != c.determined || e.Vector != c.vector || len(e.Reasons) == 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

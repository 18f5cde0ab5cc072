// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package antivirus_test

import (
	"testing"

	"citywall/event"
	"citywall/ingest/format/antivirus"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "antivirus") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, antivirus.Format()) }

func FuzzSEPM(f *testing.F) { recordtest.FuzzDialect(f, antivirus.SEPM()) }

func FuzzESET(f *testing.F) { recordtest.FuzzDialect(f, antivirus.ESET()) }

// TestPlaso: real logs of exhibits; counts are plaso's, the rest read by eye.
func TestPlaso(t *testing.T) {
	for _, c := range []struct {
		file, service string
		alerts        int
		at            int // the record looked at
		time, message string
		path, user    string
	}{
		{"AccessProtectionLog.txt", "mcafee", 0, 0, "2013-09-27T06:42:26Z", "Blocked by Access Protection rule: Common Standard Protection:Prevent termination of McAfee processes",
			`C:\Program Files (x86)\McAfee\Common Framework\UdaterUI.exe`, `somedomain\someuser`},
		{"OfcUrlf.log", "officescan", 4, 2, "2018-01-23T13:17:02Z", "Malware Accomplice: http://www.eicar.org/download/eicar.com", "", ""},
		{"Symantec.Log", "symantec", 4, 1, "2012-11-30T02:47:29Z", "W32.Changeup!gen33", `D:\Twinkle_Prod$\VM11 XXX\outside\test.exe.txt`, "davnads"},
		{"sav.txt", "sophos", 4, 0, "2010-07-20T10:38:14Z", "LiveProtectTest", `C:\Documents and Settings\Administrator\Desktop\sxl_test_50.com`, ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			r := recordtest.Plaso(t, c.file)
			if r.Format != "antivirus" || int64(len(r.Events)) != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
				t.Fatalf("read as %q, %d events, %d damaged %v; want %d and %d", r.Format, len(r.Events), r.Stats.Damaged, r.Stats.Notes, r.Expected.Data, r.Expected.Warnings)
			}
			alerts := 0
			for _, e := range r.Events {
				if e.Service != c.service {
					t.Errorf("service %q", e.Service)
				}
				if e.View().Action == event.Alert {
					alerts++
				}
			}
			e := r.Events[c.at]
			v := e.View()
			if alerts != c.alerts || e.Time.Format("2006-01-02T15:04:05Z07:00") != c.time || v.Message != c.message || v.File != c.path || v.User.String() != c.user {
				t.Errorf("%d alerts; %s %+v", alerts, e.Time, v)
			}
		})
	}
}

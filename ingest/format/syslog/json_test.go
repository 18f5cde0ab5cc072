// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"testing"

	"citywall/event"
	"citywall/ingest/format"
)

// TestWindowsInside: NXLog's to_json() in an RFC 5424 line is the Windows event
// that any other way gives. The line is written by hand after NXLog's documented
// field names.
func TestWindowsInside(t *testing.T) {
	line := `<14>1 2026-01-02T08:00:01.000000+08:00 dc1.corp.example Microsoft-Windows-Security-Auditing 700 - - {"EventTime":"2026-01-02T08:00:00.500000+08:00","Hostname":"dc1.corp.example","SourceName":"Microsoft-Windows-Security-Auditing","Channel":"Security","EventID":4624,"TargetUserName":"alice","TargetDomainName":"CORP","LogonType":"3","IpAddress":"10.0.0.9","IpPort":"50000","TargetLogonId":"0x3e7"}`
	e, err := record([]byte(line), format.Pos{}, format.Source{NotAfter: bound})
	if err != nil {
		t.Fatal(err)
	}
	v := e.View()
	if e.Product != "windows" || v.Action != event.Logon || v.Host != "dc1" || v.User.String() != `corp\alice` || v.Src.String() != "10.0.0.9" || v.Logon != 3 {
		t.Errorf("product %q, service %q, view %+v\nfields %v", e.Product, e.Service, v, e.Fields)
	}
	if e.Time.Format("15:04:05.000") != "00:00:00.500" || e.Fields.Str("syslog.procid") != "700" {
		t.Errorf("time %s, fields %v", e.Time, e.Fields)
	}
}

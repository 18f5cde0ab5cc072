// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"context"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// TestSameEvent: one logon in the three JSON shapes gives one reading
// (detection.md §5.13).
func TestSameEvent(t *testing.T) {
	shapes := map[string]string{
		"evtx_dump":  `{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing","Guid":"{5}"}},"EventID":4624,"Channel":"Security","Computer":"WS-1.corp.example","EventRecordID":77,"Execution":{"#attributes":{"ProcessID":4}},"TimeCreated":{"#attributes":{"SystemTime":"2026-10-20T01:02:03.1234567Z"}}},"EventData":{"TargetUserName":"alice","TargetDomainName":"CORP","LogonType":10,"IpAddress":"::ffff:10.0.0.9","IpPort":"5000","TargetLogonId":"0x1410"}}}`,
		"separate":   `{"Event":{"Event_attributes":{"xmlns":"x"},"System":{"Provider_attributes":{"Name":"Microsoft-Windows-Security-Auditing"},"EventID":{"#text":4624},"Channel":"Security","Computer":"WS-1","EventRecordID":77,"Execution_attributes":{"ProcessID":4},"TimeCreated_attributes":{"SystemTime":"2026-10-20 01:02:03.1234567 UTC"}},"EventData":{"TargetUserName":"alice","TargetDomainName":"CORP","LogonType":10,"IpAddress":"::ffff:10.0.0.9","IpPort":"5000","TargetLogonId":"0x1410"}}}`,
		"winlogbeat": `{"@timestamp":"2026-10-20T01:02:03.1234567Z","event":{"code":"4624"},"winlog":{"channel":"Security","event_id":"4624","provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"WS-1.corp.example","record_id":77,"process":{"pid":4},"event_data":{"TargetUserName":"alice","TargetDomainName":"CORP","LogonType":"10","IpAddress":"::ffff:10.0.0.9","IpPort":"5000","TargetLogonId":"0x1410"}}}`,
		"nxlog":      `{"EventTime":"2026-10-20 09:02:03.1234567","Hostname":"WS-1.corp.example","EventID":4624,"SourceName":"Microsoft-Windows-Security-Auditing","Channel":"Security","RecordNumber":77,"ProcessID":4,"TargetUserName":"alice","TargetDomainName":"CORP","LogonType":"10","IpAddress":"::ffff:10.0.0.9","IpPort":"5000","TargetLogonId":"0x1410"}`,
	}
	for name, in := range shapes {
		e, err := record([]byte(in), format.Pos{}, format.Source{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Product != "windows" || e.Time.Format(time.RFC3339Nano) != "2026-10-20T01:02:03.1234567Z" || e.Origin.Record != 77 {
			t.Errorf("%s: product %s, time %s, record %d", name, e.Product, e.Time.Format(time.RFC3339Nano), e.Origin.Record)
		}
		if (name == "nxlog") != e.ZoneAssumed {
			t.Errorf("%s: zone assumed %v", name, e.ZoneAssumed)
		}
		for k, want := range map[string]string{"EventID": "4624", "Channel": "Security", "Provider_Name": "Microsoft-Windows-Security-Auditing", "Execution_ProcessID": "4", "TargetLogonId": "0x1410"} {
			if got := e.Fields.Str(k); got != want {
				t.Errorf("%s: %s is %q, want %q", name, k, got, want)
			}
		}
		v := e.View()
		if v.Action != event.Logon || v.User.String() != `corp\alice` || v.Src.String() != "10.0.0.9" || v.Logon != 10 || v.Host != "ws-1" || v.SrcPort != 5000 {
			t.Errorf("%s: view %+v", name, v)
		}
		if sniff([]byte(in)) < 80 {
			t.Errorf("%s: not recognised", name)
		}
	}
}

func TestOddData(t *testing.T) {
	e, err := record([]byte(`{"Event":{"System":{"EventID":{"#attributes":{"Qualifiers":0},"#text":600},"Channel":"Windows PowerShell","Security":{"#attributes":{"UserID":""}},"TimeCreated":{"#attributes":{"SystemTime":"2020-01-01T00:00:00Z"}}},"EventData":{"Data":{"#text":["Registry","Started",""]},"Binary":null},"UserData":{"Root":{"#attributes":{"xmlns":"z"},"Param1":"u"}}}}`), format.Pos{}, format.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := e.Fields.Get("Data"); len(d.List) != 3 {
		t.Errorf("Data: %+v", d)
	}
	if b, there := e.Fields.Get("Binary"); !there || b.Kind != event.Null {
		t.Errorf("Binary: %+v %v", b, there)
	}
	if u, there := e.Fields.Get("Security_UserID"); !there || u.Kind != event.Text {
		t.Errorf("UserID: %+v %v", u, there)
	}
	if e.Fields.Str("EventID") != "600" || e.Fields.Str("EventID_Qualifiers") != "0" || e.Fields.Str("Param1") != "u" {
		t.Errorf("fields %v", e.Fields)
	}
}

func TestGeneric(t *testing.T) {
	e, err := record([]byte(`{"@timestamp":1760000000123,"host":{"name":"H1"},"source":{"ip":"10.0.0.1"},"event":{"module":"edr"}}`), format.Pos{}, format.Source{})
	if err != nil || e.Product != "edr" || e.View().Host != "h1" || e.Time.UnixMilli() != 1760000000123 {
		t.Errorf("%v %+v", err, e)
	}
	if e, err := record([]byte(`{"a":1}`), format.Pos{}, format.Source{}); err != nil || !e.Time.IsZero() {
		t.Errorf("without a time: %v %+v", err, e)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(`{"Event":{"System":{"EventID":1},"EventData":{"Data":[{"#text":"x"}]}}}`)
	f.Add(`{"winlog":{"event_data":{}},"@timestamp":"x"}`)
	f.Add(`{"EventTime":"2026-10-20 09:02:03","SourceName":"s","Channel":"c","EventID":1}`)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		st, err := Format().Decode(context.Background(), strings.NewReader(s), format.Source{}, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || int64(n) != st.Decoded {
			t.Fatalf("%v, %d events, %+v", err, n, st)
		}
	})
}

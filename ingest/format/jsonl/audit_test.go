// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Records are written for these tests after the services' descriptions.

// What rules look into as a whole is kept as text beside its members; lists of
// name and value become fields; a time without a zone is UTC; nothing is lost.
func TestAudit(t *testing.T) {
	taipei := time.FixedZone("", 8*3600)
	src := format.Source{Zone: taipei}
	e, err := record([]byte(`{"CreationTime":"2026-03-13T10:50:00","Operation":"Set-Mailbox","Workload":"Exchange","Parameters":[{"Name":"Identity","Value":"wu"},{"Name":"ForwardingSmtpAddress","Value":"smtp:x@y.example"}],"ExtendedProperties":[{"name":"RequestType","value":"Cmsi:Cmsi"}],"N":1}`), format.Pos{}, src)
	if err != nil {
		t.Fatal(err)
	}
	if e.Product != "m365" || e.Service != "audit" || !e.Time.Equal(time.Date(2026, 3, 13, 10, 50, 0, 0, time.UTC)) || e.ZoneAssumed {
		t.Errorf("%s/%s at %s", e.Product, e.Service, e.Time)
	}
	for n, want := range map[string]string{
		"Parameters":  `[{"Name":"Identity","Value":"wu"},{"Name":"ForwardingSmtpAddress","Value":"smtp:x@y.example"}]`,
		"requesttype": "Cmsi:Cmsi", "Parameters.Name": "Identity, ForwardingSmtpAddress", "N": "1",
	} {
		if got := e.Fields.Str(n); got != want {
			t.Errorf("%s is %q, want %q", n, got, want)
		}
	}
	e, err = record([]byte(`{"eventVersion":"1","eventSource":"s","eventName":"n","eventTime":"2026-03-13T10:50:00Z","requestParameters":{"a":{"b":"Suspended"}},"responseElements":null}`), format.Pos{}, src)
	if err != nil || e.Fields.Str("requestParameters") != `{"a":{"b":"Suspended"}}` || e.Fields.Str("requestParameters.a.b") != "Suspended" {
		t.Errorf("%v %v", err, e.Fields)
	}
	if v, there := e.Fields.Get("responseElements"); !there || v.Kind != event.Null {
		t.Errorf("responseElements %+v %v", v, there)
	}
}

// What only resembles an audit record is a generic one.
func TestNoAudit(t *testing.T) {
	for _, in := range []string{
		`{"eventName":"x","eventTime":"2026-03-13T10:50:00Z"}`,
		`{"time":"2026-03-13T10:50:00Z","operationName":"x","category":"Chat"}`,
		`{"apiVersion":"v1","kind":"Pod","verb":"x"}`,
		`{"action":"x","actor":"y"}`,
		`{"Operation":"x"}`,
	} {
		if e, err := record([]byte(in), format.Pos{}, format.Source{}); err != nil || e.Product != "json" {
			t.Errorf("%s: %v %+v", in, err, e)
		}
	}
}

// A file that puts its records into one object gives each of them, with the way
// back to its bytes; broken ones are counted.
func TestEnvelope(t *testing.T) {
	const one = `{"eventVersion":"1","eventSource":"s","eventName":"n","eventTime":"2026-03-13T10:50:00Z"}`
	for _, in := range []string{
		`{"Records":[` + one + `,` + one + `]}`,
		"\xef\xbb\xbf{\n \"Records\": [\n" + one + ",\n" + one + "\n]\n}\n",
		`{"records":[` + one + `,7,` + one + `]}`,
	} {
		if sniff([]byte(in)) < 60 {
			t.Errorf("%s: not recognised", in)
		}
		n := 0
		st, err := Format().Decode(t.Context(), strings.NewReader(in), format.Source{}, func(e *event.Event) error {
			n++
			if e.Product != "aws" || in[e.Origin.Offset:][:len(one)] != one {
				t.Errorf("%s at %d", e.Product, e.Origin.Offset)
			}
			return nil
		})
		if err != nil || n != 2 || st.Decoded != 2 || st.Damaged != int64(strings.Count(in, ",7,")) {
			t.Errorf("%s: %d events, %+v, %v", in, n, st, err)
		}
	}
	for _, in := range []string{`{"Records":{}}`, `{"Recordset":[`, `[{}]`, `{`, ``} {
		if envelope([]byte(in)) != "" {
			t.Errorf("%s is taken for an envelope", in)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(`{"Records":[{"eventVersion":"1","eventSource":"s","eventName":"n","eventTime":"x","requestParameters":{"a":1}}]}`)
	f.Add(`{"records":[{"CreationTime":"x","Operation":"o","Workload":"w","Parameters":[{"Name":"a","Value":"b"}],"ExtendedProperties":[{"name":"","value":1}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		st, err := Format().Decode(t.Context(), strings.NewReader(s), format.Source{}, func(e *event.Event) error { n++; e.View(); return nil })
		if err != nil || int64(n) != st.Decoded {
			t.Fatalf("%v, %d events, %+v", err, n, st)
		}
	})
}

// Who acted, from where, on what, and how it went, as a person reads it off the
// record.
func TestAuditViews(t *testing.T) {
	for _, c := range []struct{ name, record, want string }{
		{
			"aws", `{"eventVersion":"1","userIdentity":{"type":"IAMUser","userName":"wu","accessKeyId":"AKIA"},"eventTime":"2026-03-13T10:50:00Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","sourceIPAddress":"203.0.113.9","errorMessage":"Failed authentication","responseElements":{"ConsoleLogin":"Failure"}}`,
			`logon_failed failure wu 203.0.113.9 ConsoleLogin "ConsoleLogin Failed authentication"`,
		},
		{
			"aws, a role", `{"eventVersion":"1","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s"},"eventTime":"2026-03-13T10:50:00Z","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket","sourceIPAddress":"AWS Internal","errorCode":"AccessDenied"}`,
			` failure arn:aws:sts::1:assumed-role/r/s invalid IP DeleteBucket "DeleteBucket"`,
		},
		{
			"azure sign-in", `{"time":"2026-03-13T10:50:00Z","operationName":"Sign-in activity","category":"SignInLogs","resultType":"50126","properties":{"userPrincipalName":"wu@city.example","ipAddress":"203.0.113.9","appDisplayName":"Azure Portal"}}`,
			`logon_failed failure city\wu 203.0.113.9 Sign-in activity "Sign-in activity"`,
		},
		{
			"graph sign-in", `{"createdDateTime":"2026-03-13T10:50:00Z","userPrincipalName":"wu@city.example","appDisplayName":"x","conditionalAccessStatus":"success","ipAddress":"203.0.113.9","status":{"errorCode":0}}`,
			`logon success city\wu 203.0.113.9  "x"`,
		},
		{
			"azure audit", `{"activityDateTime":"2026-03-13T10:50:00Z","activityDisplayName":"Delete user","loggedByService":"Core Directory","result":"success","initiatedBy":{"user":{"userPrincipalName":"wu@city.example","ipAddress":"203.0.113.9"}},"targetResources":[{"userPrincipalName":"lin@city.example"}]}`,
			` success city\wu 203.0.113.9 Delete user "Delete user"`,
		},
		{
			"gcp", `{"protoPayload":{"serviceName":"compute.googleapis.com","methodName":"v1.compute.firewalls.delete","authenticationInfo":{"principalEmail":"wu@city.example"},"requestMetadata":{"callerIp":"203.0.113.9"}},"timestamp":"2026-03-13T10:50:00Z"}`,
			`  city\wu 203.0.113.9 v1.compute.firewalls.delete "v1.compute.firewalls.delete"`,
		},
		{
			"okta", `{"published":"2026-03-13T10:50:00.000Z","eventType":"user.session.start","displayMessage":"User login to Okta","actor":{"id":"a","alternateId":"wu@city.example"},"client":{"ipAddress":"203.0.113.9"},"outcome":{"result":"FAILURE"}}`,
			`logon_failed failure city\wu 203.0.113.9 user.session.start "User login to Okta"`,
		},
		{
			"m365", `{"CreationTime":"2026-03-13T10:50:00","Operation":"UserLoggedIn","Workload":"AzureActiveDirectory","ResultStatus":"Success","UserId":"wu@city.example","ClientIP":"203.0.113.9"}`,
			`logon success city\wu 203.0.113.9 UserLoggedIn "UserLoggedIn"`,
		},
		{
			"kubernetes", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"i","verb":"create","requestURI":"/api/v1/pods","user":{"username":"wu"},"sourceIPs":["203.0.113.9"],"requestReceivedTimestamp":"2026-03-13T10:50:00Z"}`,
			`  wu 203.0.113.9 create "create /api/v1/pods"`,
		},
		{
			"github", `{"@timestamp":1773399000000,"_document_id":"d","action":"repo.destroy","actor":"wu","actor_ip":"203.0.113.9","repo":"city/x"}`,
			`  wu 203.0.113.9 repo.destroy "repo.destroy city/x"`,
		},
		{
			"opencanary", `{"dst_host":"10.0.0.1","dst_port":22,"utc_time":"2026-03-13 10:50:00.000000","logdata":{"USERNAME":"root"},"logtype":4002,"node_id":"n","src_host":"203.0.113.9","src_port":4}`,
			`alert   203.0.113.9 4002 "OpenCanary 4002"`,
		},
	} {
		e, err := record([]byte(c.record), format.Pos{}, format.Source{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		v := e.View()
		if got := fmt.Sprintf("%s %s %s %s %s %q", v.Action, v.Outcome, v.User, v.Src, v.EventID, v.Message); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

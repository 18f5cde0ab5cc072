// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// audit is a shape of records in which a cloud service says what was done in it.
// Names stay the service's own; detection's routing tables know them.
type audit struct {
	product, service string
	has              []string            // names that all are there
	is               map[string][]string // names that have one of these values
	time             []string
	whole            []string // objects and lists that are kept as text too, for rules look into them as a whole
	pairs            []string // lists of {name, value} that become fields of that name, in lower case
}

// audits are asked in order; the first that fits is it. Names are from the
// services' own descriptions of their logs.
var audits = []audit{
	{ // AWS CloudTrail record contents
		product: "aws", service: "cloudtrail", has: []string{"eventVersion", "eventSource", "eventName", "eventTime"},
		time: []string{"eventTime"}, whole: []string{"requestParameters", "responseElements"},
	},
	{ // Azure Monitor's stream of Entra ID
		product: "azure", service: "signinlogs", has: []string{"operationName"},
		is:   map[string][]string{"category": {"SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs"}},
		time: []string{"time"}, whole: []string{"properties.networkLocationDetails"},
	},
	{
		product: "azure", service: "auditlogs", has: []string{"operationName"}, is: map[string][]string{"category": {"AuditLogs"}},
		time: []string{"time"}, whole: []string{"properties.targetResources", "properties.initiatedBy", "properties.targetResources.modifiedProperties"},
	},
	{
		product: "azure", service: "riskdetection", is: map[string][]string{"category": {"UserRiskEvents", "ServicePrincipalRiskEvents"}},
		time: []string{"time", "properties.detectedDateTime"},
	},
	{ // and of the activity log
		product: "azure", service: "activitylogs", has: []string{"operationName", "resourceId"},
		is:   map[string][]string{"category": {"Administrative", "Policy", "Security", "Alert", "Autoscale", "Recommendation", "ServiceHealth", "ResourceHealth"}},
		time: []string{"time"},
	},
	{ // Log Analytics' tables
		product: "azure", service: "signinlogs", has: []string{"TimeGenerated"},
		is:   map[string][]string{"Type": {"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs"}},
		time: []string{"TimeGenerated"}, whole: []string{"NetworkLocationDetails"},
	},
	{
		product: "azure", service: "auditlogs", has: []string{"TimeGenerated"}, is: map[string][]string{"Type": {"AuditLogs"}},
		time: []string{"TimeGenerated"}, whole: []string{"TargetResources", "InitiatedBy"},
	},
	{product: "azure", service: "activitylogs", has: []string{"TimeGenerated"}, is: map[string][]string{"Type": {"AzureActivity"}}, time: []string{"TimeGenerated"}},
	{product: "azure", service: "riskdetection", has: []string{"TimeGenerated"}, is: map[string][]string{"Type": {"AADUserRiskEvents", "AADServicePrincipalRiskEvents"}}, time: []string{"TimeGenerated"}},
	{ // Microsoft Graph
		product: "azure", service: "signinlogs", has: []string{"createdDateTime", "conditionalAccessStatus", "appDisplayName"},
		time: []string{"createdDateTime"}, whole: []string{"networkLocationDetails"},
	},
	{
		product: "azure", service: "auditlogs", has: []string{"activityDateTime", "activityDisplayName", "loggedByService"},
		time: []string{"activityDateTime"}, whole: []string{"targetResources", "initiatedBy"},
	},
	{product: "azure", service: "riskdetection", has: []string{"riskEventType", "detectedDateTime"}, time: []string{"activityDateTime", "detectedDateTime"}},
	{product: "azure", service: "activitylogs", has: []string{"eventTimestamp", "operationName.value", "resourceId"}, time: []string{"eventTimestamp"}}, // az monitor activity-log list
	{ // Google Cloud audit logs, in which Google Workspace writes too
		product: "gcp", service: "google_workspace.login", has: []string{"protoPayload.methodName"}, is: map[string][]string{"protoPayload.serviceName": {"login.googleapis.com"}},
		time: []string{"timestamp", "receiveTimestamp"},
	},
	{
		product: "gcp", service: "google_workspace.admin", has: []string{"protoPayload.methodName"}, is: map[string][]string{"protoPayload.serviceName": {"admin.googleapis.com"}},
		time: []string{"timestamp", "receiveTimestamp"}, pairs: []string{"protoPayload.metadata.event.parameter"},
	},
	{product: "gcp", service: "gcp.audit", has: []string{"protoPayload.methodName", "protoPayload.serviceName"}, time: []string{"timestamp", "receiveTimestamp"}},
	{ // the Reports interface of Google Workspace
		product: "gcp", service: "google_workspace.admin", has: []string{"id.time"}, is: map[string][]string{"kind": {"admin#reports#activity"}, "id.applicationName": {"admin"}},
		time: []string{"id.time"}, pairs: []string{"events.parameters"},
	},
	{
		product: "gcp", service: "google_workspace.login", has: []string{"id.time"}, is: map[string][]string{"kind": {"admin#reports#activity"}, "id.applicationName": {"login"}},
		time: []string{"id.time"}, pairs: []string{"events.parameters"},
	},
	{product: "okta", service: "okta", has: []string{"eventType", "published", "actor.id", "outcome.result"}, time: []string{"published"}},
	{ // Office 365 Management Activity interface: times are UTC and do not say so
		product: "m365", service: "audit", has: []string{"Operation", "Workload", "CreationTime"},
		time: []string{"CreationTime"}, whole: []string{"Parameters", "OperationProperties"}, pairs: []string{"ExtendedProperties"},
	},
	{product: "github", service: "audit", has: []string{"action", "actor", "@timestamp", "_document_id"}, time: []string{"@timestamp", "created_at"}},
	{product: "bitbucket", service: "audit", has: []string{"auditType.action", "auditType.category"}, time: []string{"timestamp"}},
	{
		product: "kubernetes", service: "audit", has: []string{"auditID", "verb", "requestURI"}, is: map[string][]string{"apiVersion": {"audit.k8s.io/v1", "audit.k8s.io/v1beta1"}},
		time: []string{"requestReceivedTimestamp", "stageTimestamp"},
	},
	{product: "onelogin", service: "onelogin.events", has: []string{"event_type_id", "account_id", "created_at"}, time: []string{"created_at"}},
	{product: "opencanary", has: []string{"logtype", "node_id", "logdata", "dst_port"}, time: []string{"utc_time", "local_time"}},
}

// auditNames are names of which every audit record has one: other records are
// not looked at further.
var auditNames = func() map[string]bool {
	out := map[string]bool{}
	for i := range audits {
		a := &audits[i]
		if len(a.has) > 0 {
			out[a.has[0]] = true
			continue
		}
		for n := range a.is {
			out[n] = true
		}
	}
	return out
}()

// isAuditName also takes the members of an object of such a name.
func isAuditName(n string) bool {
	first, _, _ := strings.Cut(n, ".")
	return auditNames[n] || auditNames[first]
}

func auditOf(f event.Fields) *audit {
	for i := range audits {
		if audits[i].fits(f) {
			return &audits[i]
		}
	}
	return nil
}

func (a *audit) fits(f event.Fields) bool {
	for _, n := range a.has {
		if _, ok := f.Get(n); !ok && !hasUnder(f, n) {
			return false
		}
	}
	for n, values := range a.is {
		if !slices.Contains(values, f.Str(n)) {
			return false
		}
	}
	return true
}

// hasUnder reports whether f has members of the object n.
func hasUnder(f event.Fields, n string) bool {
	for i := range f {
		if len(f[i].Name) > len(n) && f[i].Name[len(n)] == '.' && f[i].Name[:len(n)] == n {
			return true
		}
	}
	return false
}

// fromAudit reads a record of a known shape.
func fromAudit(e *event.Event, f event.Fields, a *audit) {
	e.Product, e.Service = a.product, a.service
	for _, list := range a.pairs {
		names, _ := f.Get(list + ".name")
		values, _ := f.Get(list + ".value")
		for i, n := range texts(names) {
			if v := texts(values); len(v) == len(texts(names)) { // some have no value, or one under another name
				f.Set(strings.ToLower(n), event.T(v[i]))
			}
		}
	}
	for _, n := range a.whole {
		if _, there := f.Get(n); there {
			continue
		}
		if raw := member(e.Raw, n); raw != nil {
			f.Set(n, event.T(string(raw)))
		}
	}
	e.Fields = f
	for _, n := range a.time {
		s := f.Str(n)
		if s == "" {
			continue
		}
		if t, _, err := format.Time(s, time.UTC); err == nil { // all of these services write UTC
			e.Time, e.TimeRaw = t, s
			return
		}
		if e.TimeRaw == "" {
			e.TimeRaw = s
		}
	}
}

func texts(v event.Value) []string {
	if v.Kind == event.Text {
		return []string{v.Text}
	}
	return v.List
}

// member returns the text of an object or list at a dotted place of a JSON
// object; nil when there is none.
func member(b []byte, at string) []byte {
	for n := range strings.SplitSeq(at, ".") {
		var o map[string]json.RawMessage
		if json.Unmarshal(b, &o) != nil || o[n] == nil {
			return nil
		}
		b = o[n]
	}
	if b[0] != '{' && b[0] != '[' {
		return nil
	}
	return b
}

// envelopes are the members that hold all records of a file: of CloudTrail's in
// S3, and of Azure Monitor's in an event hub.
var envelopes = []string{"Records", "records"}

// envelope returns the member that holds the records of a file which begins with
// head, "" when each record is a line.
func envelope(head []byte) string {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \r\n\t")
	rest, ok := bytes.CutPrefix(head, []byte("{"))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \r\n\t")
	for _, n := range envelopes {
		if r, ok := bytes.CutPrefix(rest, []byte(`"`+n+`"`)); ok {
			if r, ok = bytes.CutPrefix(bytes.TrimLeft(r, " \r\n\t"), []byte(":")); ok && bytes.HasPrefix(bytes.TrimLeft(r, " \r\n\t"), []byte("[")) {
				return n
			}
		}
	}
	return ""
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return format.Stats{}, err
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), r)
	if key := envelope(head[:n]); key != "" {
		return format.Elements(ctx, all, key, func(text []byte, p format.Pos) (*event.Event, error) { return record(text, p, src) }, emit)
	}
	return format.Lines(record)(ctx, all, src, emit)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format/recordtest"
)

// TestCloud: audit records of cloud services, from JSON as the services write it
// to the public rules that must fire. The records are written for this test after
// the services' descriptions of their logs; none was recorded. The oracle is the
// rule's own words.
func TestCloud(t *testing.T) {
	eng := hq(t)
	for _, c := range []struct{ name, record, service, rule string }{
		{
			"cloudtrail", `{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/wu"},"eventTime":"2026-03-13T10:50:00Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketVersioning","awsRegion":"ap-northeast-1","sourceIPAddress":"203.0.113.9","requestParameters":{"bucketName":"b","VersioningConfiguration":{"Status":"Suspended"}},"responseElements":null}`,
			"aws/cloudtrail", "AWS S3 Bucket Versioning Disable",
		},
		{
			"cloudtrail in a file of S3", `{"Records":[{"eventVersion":"1.09","userIdentity":{"type":"Root"},"eventTime":"2026-03-13T10:50:00Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","eventType":"AwsConsoleSignIn"}]}`,
			"aws/cloudtrail", "AWS Root Credentials",
		},
		{
			"activity log, Azure Monitor", `{"time":"2026-03-13T10:50:00.1234567Z","resourceId":"/SUBSCRIPTIONS/X/PROVIDERS/MICROSOFT.NETWORK/DNSZONES/A.TW","operationName":"MICROSOFT.NETWORK/DNSZONES/DELETE","category":"Administrative","resultType":"Success"}`,
			"azure/activitylogs", "Azure DNS Zone Modified or Deleted",
		},
		{
			"activity log, Log Analytics", `{"TimeGenerated":"2026-03-13T10:50:00Z","Type":"AzureActivity","OperationNameValue":"MICROSOFT.NETWORK/DNSZONES/WRITE","CategoryValue":"Administrative"}`,
			"azure/activitylogs", "Azure DNS Zone Modified or Deleted",
		},
		{
			"activity log in an event hub", `{"records":[{"time":"2026-03-13T10:50:00Z","resourceId":"/X","operationName":"MICROSOFT.NETWORK/DNSZONES/A/WRITE","category":"Administrative"}]}`,
			"azure/activitylogs", "Azure DNS Zone Modified or Deleted",
		},
		{
			"directory audit, Azure Monitor", `{"time":"2026-03-13T10:50:00Z","operationName":"Update user","category":"AuditLogs","properties":{"category":"UserManagement","result":"success","activityDisplayName":"Update user","loggedByService":"Core Directory","targetResources":[{"type":"User","userPrincipalName":"wu@city.example","modifiedProperties":[{"displayName":"StrongAuthenticationRequirement","newValue":"[{\"RelyingParty\":\"*\",\"State\":0}]"}]}]}}`,
			"azure/auditlogs", "Multi Factor Authentication Disabled For User Account",
		},
		{
			"directory audit, Graph", `{"activityDateTime":"2026-03-13T10:50:00Z","activityDisplayName":"Delete user","category":"UserManagement","loggedByService":"Core Directory","result":"success","targetResources":[{"type":"User"}]}`,
			"azure/auditlogs", "Account Created And Deleted Within A Close Time Frame",
		},
		{
			"sign-in, Azure Monitor", `{"time":"2026-03-13T10:50:00Z","operationName":"Sign-in activity","category":"SignInLogs","resultType":"50057","resultDescription":"User account is disabled. The account has been disabled by an administrator.","properties":{"createdDateTime":"2026-03-13T10:50:00Z","appDisplayName":"Azure Portal","conditionalAccessStatus":"notApplied"}}`,
			"azure/signinlogs", "Login to Disabled Account",
		},
		{
			"sign-in, Graph", `{"createdDateTime":"2026-03-13T10:50:00Z","appDisplayName":"x","conditionalAccessStatus":"success","authenticationProtocol":"deviceCode","status":{"errorCode":0}}`,
			"azure/signinlogs", "Application Using Device Code Authentication Flow",
		},
		{
			"risk, Graph", `{"id":"1","riskEventType":"unlikelyTravel","riskState":"atRisk","detectedDateTime":"2026-03-13T10:51:00Z","activityDateTime":"2026-03-13T10:50:00Z"}`,
			"azure/riskdetection", "Atypical Travel",
		},
		{
			"google cloud", `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"compute.googleapis.com","methodName":"v1.compute.firewalls.delete"},"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","timestamp":"2026-03-13T10:50:00Z"}`,
			"gcp/gcp.audit", "Google Cloud Firewall Modified or Deleted",
		},
		{
			"google workspace in cloud audit", `{"protoPayload":{"serviceName":"login.googleapis.com","methodName":"google.login.LoginService.suspiciousLogin","metadata":{"event":[{"eventName":"suspicious_login","eventType":"login"}]}},"timestamp":"2026-03-13T10:50:00Z"}`,
			"gcp/google_workspace.login", "Suspicious Login Activity Classified By Google",
		},
		{
			"google workspace, Reports", `{"kind":"admin#reports#activity","id":{"time":"2026-03-13T10:50:00.000Z","applicationName":"admin"},"actor":{"email":"wu@city.example"},"events":[{"type":"DELEGATED_ADMIN_SETTINGS","name":"GRANT_ADMIN_PRIVILEGE","parameters":[{"name":"ROLE_NAME","value":"x"}]}]}`,
			"gcp/google_workspace.admin", "Google Workspace User Granted Admin Privileges",
		},
		{
			"okta", `{"uuid":"u","published":"2026-03-13T10:50:00.000Z","eventType":"user.account.privilege.grant","actor":{"id":"a","alternateId":"wu@city.example"},"outcome":{"result":"SUCCESS"},"target":[{"displayName":"b"}]}`,
			"okta/okta", "Okta Admin Role Assigned to an User or Group",
		},
		{
			"microsoft 365", `{"CreationTime":"2026-03-13T10:50:00","Operation":"Add-FederatedDomain","Workload":"Exchange","ResultStatus":"Success","UserId":"wu@city.example","Parameters":[{"Name":"DomainName","Value":"x.example"}]}`,
			"m365/audit", "New Federated Domain Added - Exchange",
		},
		{
			"microsoft 365 alert", `{"CreationTime":"2026-03-13T10:50:00","Operation":"AlertTriggered","Workload":"SecurityComplianceCenter","Name":"Impossible travel activity","ResultStatus":"Success"}`,
			"m365/audit", "Microsoft 365 - Impossible Travel Activity",
		},
		{
			"github", `{"@timestamp":1773399000000,"_document_id":"d","action":"org.remove_outside_collaborator","actor":"wu","org":"city"}`,
			"github/audit", "Github Outside Collaborator Detected",
		},
		{
			"bitbucket", `{"affectedObjects":[],"auditType":{"action":"Global secret scanning rule deleted","category":"Global administration"},"timestamp":"2026-03-13T10:50:00Z"}`,
			"bitbucket/audit", "Bitbucket Global Secret Scanning Rule Deleted",
		},
		{
			"kubernetes", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"i","verb":"create","requestURI":"/api/v1/namespaces/x/pods","objectRef":{"resource":"pods","namespace":"x"},"requestObject":{"spec":{"volumes":[{"hostPath":{"path":"/"}}]}},"requestReceivedTimestamp":"2026-03-13T10:50:00.000000Z"}`,
			"kubernetes/audit", "Container With A hostPath Mount Created",
		},
		{
			"onelogin", `{"id":1,"account_id":2,"event_type_id":532,"created_at":"2026-03-13T10:50:00.000Z"}`,
			"onelogin/onelogin.events", "OneLogin User Account Locked",
		},
		{
			"opencanary", `{"dst_host":"10.0.0.1","dst_port":22,"local_time":"2026-03-13 10:50:00.000000","utc_time":"2026-03-13 10:50:00.000000","logdata":{"USERNAME":"root"},"logtype":4002,"node_id":"n","src_host":"203.0.113.9","src_port":4}`,
			"opencanary/", "OpenCanary - SSH Login Attempt",
		},
	} {
		f, ok := ingest.Recognise([]byte(c.record + "\n"))
		if !ok {
			t.Errorf("%s: not recognised", c.name)
			continue
		}
		m := eng.NewMatcher()
		n := 0
		st, err := f.Decode(context.Background(), bytes.NewReader([]byte(c.record+"\n")), recordtest.Source, func(e *event.Event) error {
			n++
			if got := e.Product + "/" + e.Service; got != c.service {
				t.Errorf("%s: %s, want %s", c.name, got, c.service)
			}
			if got := e.Time.UTC().Format("2006-01-02 15:04"); got != "2026-03-13 10:50" {
				t.Errorf("%s: time %s", c.name, got)
			}
			var titles []string
			for _, x := range m.Match(e) {
				titles = append(titles, x.Rule.Title)
			}
			if !slices.Contains(titles, c.rule) {
				t.Errorf("%s: %q fire, want %q", c.name, titles, c.rule)
			}
			return nil
		})
		if err != nil || st.Decoded != 1 || n != 1 {
			t.Errorf("%s: %+v %v", c.name, st, err)
		}
	}
}

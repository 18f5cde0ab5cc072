// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/audit"
	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/detect/rulebook"
	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/ingest/sender"
	"citywall/internal/fault"
	"citywall/web/desk"
	"citywall/web/webtest"
)

// calls is every question a desk answers that policies decide about.
var calls = map[string]func(context.Context, *desk.Desk, desk.Who) error{
	"SearchEvents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SearchEvents(ctx, w, desk.Search{})
		return err
	},
	"CountEvents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CountEvents(ctx, w, "", eventstore.Query{})
		return err
	},
	"HistogramEvents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.HistogramEvents(ctx, w, "", eventstore.Query{}, time.Hour)
		return err
	},
	"TopEvents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.TopEvents(ctx, w, "", eventstore.Query{}, "host", 1)
		return err
	},
	"ExportEvents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		return d.ExportEvents(ctx, w, "", "csv", eventstore.Query{}, nil)
	},
	"MaySearch": func(_ context.Context, d *desk.Desk, w desk.Who) error { return d.MaySearch(w) },
	"Event": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Event(ctx, w, event.ID{})
		return err
	},
	"ListFindings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListFindings(ctx, w, detectdb.Query{})
		return err
	},
	"CountFindings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CountFindings(ctx, w, detectdb.Query{})
		return err
	},
	"HistogramFindings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.HistogramFindings(ctx, w, detectdb.Query{}, time.Hour)
		return err
	},
	"Finding": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Finding(ctx, w, "x")
		return err
	},
	"FindingsOf": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.FindingsOf(ctx, w, nil)
		return err
	},
	"ExportFindings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		return d.ExportFindings(ctx, w, "csv", detectdb.Query{}, func(detect.Finding) error { return nil })
	},
	"ListIncidents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListIncidents(ctx, w, incidentdb.ListQuery{})
		return err
	},
	"CountIncidents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CountIncidents(ctx, w)
		return err
	},
	"ExportIncidents": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		return d.ExportIncidents(ctx, w, "csv", incidentdb.ListQuery{}, nil)
	},
	"Incident": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Incident(ctx, w, "x")
		return err
	},
	"IncidentHistory": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.IncidentHistory(ctx, w, "x")
		return err
	},
	"SetState": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SetState(ctx, w, "x", 1, incident.Closed, "")
		return err
	},
	"SetOwner": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SetOwner(ctx, w, "x", 1, "y")
		return err
	},
	"AddNote": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AddNote(ctx, w, "x", "y")
		return err
	},
	"Merge": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Merge(ctx, w, "x", 1, "y", "z")
		return err
	},
	"Unmerge": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Unmerge(ctx, w, "x", 1, "z")
		return err
	},
	"Split": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Split(ctx, w, "x", 1, incidentdb.Selection{Hosts: []string{"h"}}, "z")
		return err
	},
	"Report": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Report(ctx, w, "x", "html")
		return err
	},
	"HandOver": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.HandOver(ctx, w, "x", "y", true)
		return err
	},
	"ListAssets": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListAssets(ctx, w, estate.Query{})
		return err
	},
	"AssetStatus": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AssetStatus(ctx, w)
		return err
	},
	"Asset": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Asset(ctx, w, "x"); return err },
	"Whom":  func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Whom(ctx, w, nil); return err },
	"ListSegments": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListSegments(ctx, w)
		return err
	},
	"ListDifferences": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListDifferences(ctx, w, desk.DifferenceQuery{})
		return err
	},
	"ListDrawings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListDrawings(ctx, w)
		return err
	},
	"Drawing": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Drawing(ctx, w, "x")
		return err
	},
	"ImportDrawing": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ImportDrawing(ctx, w, "x", "y", nil)
		return err
	},
	"DecideDrawing": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.DecideDrawing(ctx, w, "x", "accepted")
		return err
	},
	"NoteAsset": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.NoteAsset(ctx, w, inventory.Note{})
		return err
	},
	"Storage": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Storage(ctx, w); return err },
	"ListDays": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListDays(ctx, w, desk.DayQuery{})
		return err
	},
	"AddHold": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AddHold(ctx, w, keep.Hold{Case: "c", Reason: "r", From: time.Unix(0, 0).UTC()})
		return err
	},
	"ReleaseHold": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ReleaseHold(ctx, w, "x", "r")
		return err
	},
	"Health":    func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Health(ctx, w); return err },
	"SeeNotice": func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.SeeNotice(ctx, w, "x") },
	"MakeBackup": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.MakeBackup(ctx, w, "", nil)
		return err
	},
	"ListSources": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListSources(ctx, w)
		return err
	},
	"ListRules": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListRules(ctx, w, rulebook.Query{})
		return err
	},
	"Rule":          func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Rule(ctx, w, "x"); return err },
	"SwitchRuleOff": func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.SwitchRuleOff(ctx, w, "x", "y") },
	"SwitchRuleOn":  func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.SwitchRuleOn(ctx, w, "x", "y") },
	"ReloadRules":   func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.ReloadRules(ctx, w); return err },
	"TryRule": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.TryRule(ctx, w, desk.RuleTrial{})
		return err
	},
	"Supports": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Supports(ctx, w, "x", 0)
		return err
	},
	"Live":        func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Live(ctx, w); return err },
	"ListSenders": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.ListSenders(ctx, w); return err },
	"SourcePage": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SourcePage(ctx, w, "x")
		return err
	},
	"RegisterSender": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, _, err := d.RegisterSender(ctx, w, sender.Sender{Name: "x", Transport: sender.HTTP})
		return err
	},
	"ChangeSender": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ChangeSender(ctx, w, sender.Sender{Name: "x", Version: 1})
		return err
	},
	"DropSender": func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.DropSender(ctx, w, "x") },
	"Catalogue":  func(_ context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Catalogue(w); return err },
	"Watch":      func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Watch(ctx, w); return err },
	"ListAlarms": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListAlarms(ctx, w, dutydb.Query{})
		return err
	},
	"Alarm": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Alarm(ctx, w, "x"); return err },
	"AckAlarm": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AckAlarm(ctx, w, "x", 1)
		return err
	},
	"OpenAlarms": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.OpenAlarms(ctx, w); return err },
	"Roster": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Roster(ctx, w, time.Time{}, time.Time{})
		return err
	},
	"PutPerson":  func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.PutPerson(ctx, w, duty.Person{}) },
	"DropPerson": func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.DropPerson(ctx, w, "x") },
	"AddShifts":  func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.AddShifts(ctx, w, nil) },
	"DropShift":  func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.DropShift(ctx, w, "x") },
	"Notes": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Notes(ctx, w, 5, "")
		return err
	},
	"AddHandover": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AddHandover(ctx, w, "x")
		return err
	},
	"TakeOver": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.TakeOver(ctx, w, "x")
		return err
	},
	"Inbox": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Inbox(ctx, w); return err },
	"Receive": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.Receive(ctx, w, bytes.NewReader(nil))
		return err
	},
	"OpenPackage": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.OpenPackage(ctx, w, "x")
		return err
	},
	"OpenCaseFrom": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.OpenCaseFrom(ctx, w, "x", "t", "")
		return err
	},
	"ListCases": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListCases(ctx, w, casedb.Query{})
		return err
	},
	"OpenCase": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.OpenCase(ctx, w, "t", "", "")
		return err
	},
	"Case": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.Case(ctx, w, "x"); return err },
	"SetCaseStatus": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SetCaseStatus(ctx, w, "x", 1, casework.Closed, "")
		return err
	},
	"ChangeCase": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ChangeCase(ctx, w, "x", 1, casedb.Edit{})
		return err
	},
	"AddCaseNote": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.AddCaseNote(ctx, w, "x", "y")
		return err
	},
	"CaseReport": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CaseReport(ctx, w, "x", "html")
		return err
	},
	"Exhibit": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, _, err := d.Exhibit(ctx, w, "x", 1)
		return err
	},
	"VerifyCase": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.VerifyCase(ctx, w, "x")
		return err
	},
	"CaseEvent": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CaseEvent(ctx, w, "x", event.ID{})
		return err
	},
	"SearchCase": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.SearchCase(ctx, w, "x", "", eventstore.Query{})
		return err
	},
	"CaseFindings": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CaseFindings(ctx, w, "x")
		return err
	},
	"ListUsers": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.ListUsers(ctx, w); return err },
	"CreateUser": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.CreateUser(ctx, w, identitydb.User{}, "")
		return err
	},
	"UpdateUser": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.UpdateUser(ctx, w, identitydb.User{})
		return err
	},
	"NewLink": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, _, err := d.NewLink(ctx, w, "x")
		return err
	},
	"EndSessions": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.EndSessions(ctx, w, "x")
		return err
	},
	"ListTokens": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.ListTokens(ctx, w); return err },
	"CreateToken": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, _, err := d.CreateToken(ctx, w, identitydb.Token{})
		return err
	},
	"RevokeToken": func(ctx context.Context, d *desk.Desk, w desk.Who) error { return d.RevokeToken(ctx, w, "x") },
	"ListAudit": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ListAudit(ctx, w, audit.Query{})
		return err
	},
	"AuditHead":   func(_ context.Context, d *desk.Desk, w desk.Who) error { _, err := d.AuditHead(w); return err },
	"VerifyAudit": func(ctx context.Context, d *desk.Desk, w desk.Who) error { _, err := d.VerifyAudit(ctx, w); return err },
	"ProveAudit": func(ctx context.Context, d *desk.Desk, w desk.Who) error {
		_, err := d.ProveAudit(ctx, w, 0)
		return err
	},
}

// open are the methods that no policy decides about: signing in and out, one's
// own password, and what anybody may know.
var open = map[string]bool{
	"Login": true, "UseLink": true, "Resume": true, "ByToken": true, "Holds": true, "Logout": true, "ChangePassword": true,
	"Now": true, "Version": true, "Realms": true, "Allowed": true, "AllowedOn": true, "ToCut": true, "ReadQuery": true, "CanSend": true, "CanHandOver": true,
}

// shut are capabilities that panic when anything is asked of them.
type (
	anyUsers      = desk.Users // under another name: the interface has a method Users
	shutUsers     struct{ anyUsers }
	shutEvents    struct{ eventstore.Store }
	shutFindings  struct{ desk.Findings }
	shutIncidents struct{ desk.Incidents }
	shutCases     struct{ desk.Cases }
	shutVault     struct{ desk.Vault }
)

// TestPolicyComesFirst asks everything as somebody who may nothing, of
// capabilities that must not be reached.
func TestPolicyComesFirst(t *testing.T) {
	methods := reflect.TypeFor[*desk.Desk]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if calls[name] == nil && !open[name] {
			t.Errorf("method %s is not in this test", name)
		}
	}
	policy, err := identity.NewPolicy()
	if err != nil {
		t.Fatal(err)
	}
	side := desk.Realm{Users: shutUsers{}, Audit: &audit.Log{}}
	d, err := desk.New(desk.Config{
		Policy: policy,
		City: &desk.City{Realm: side, Events: shutEvents{}, Findings: shutFindings{}, Incidents: shutIncidents{}, Handover: &desk.Handover{},
			Sources: func(context.Context) ([]desk.Source, error) { panic("reached") }, Rules: &rulebook.Book{}},
		Police: &desk.Police{Realm: side, Cases: shutCases{}, Vault: shutVault{}, Packages: &desk.Packages{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []identity.Principal{
		{User: "x", Realm: asset.City, Role: "visitor"}, {User: "x", Realm: asset.Police, Role: "visitor"}, {User: "x", Realm: "moon", Role: identity.SOCLead}, {},
		{User: "x", Realm: asset.City, Role: identity.AgencyAdmin}, // of no agency
	} {
		for name, call := range calls {
			err := func() (err error) {
				defer func() {
					if r := recover(); r != nil {
						err = fmt.Errorf("reached a capability: %v", r)
					}
				}()
				return call(t.Context(), d, desk.Who{Principal: who})
			}()
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s as %+v: %v", name, who, err)
			}
		}
	}
}

// TestEveryChangeIsInTheLog makes changes through the API and looks each one
// up: an intent with who and why, and an outcome.
func TestEveryChangeIsInTheLog(t *testing.T) {
	s := webtest.New(t)
	lead, boss := s.As(t, "chen.yj"), s.As(t, "huang.st")
	box := s.Handed(t)
	kase := s.Opened(t, box[0])
	lead.Send("/api/v1/incidents/"+s.Incident+"/notes", `{"text":"a remark"}`)
	lead.Send("/api/v1/incidents/"+s.Incident+"/state", `{"version":999,"state":"triaged","reason":"too late"}`)
	lead.Get("/api/v1/events?q=&from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z")
	lead.Get("/api/v1/incidents/" + s.Incident + "/report")
	lead.Send("/api/v1/assets/notes", `{"subject":"device/hospital/10.20.33.9","contact":"119","version":0}`)
	lead.Send("/api/v1/assets/drawings/"+s.Drawing+"/state", `{"state":"accepted"}`)
	lead.Do("POST", "/api/v1/assets/drawings?name=new", "application/octet-stream", strings.NewReader("name,address\npc1,10.0.0.1\n"))
	lead.Send("/api/v1/rules/"+webtest.RuleNoisy+"/off", `{"reason":"too noisy"}`)
	lead.Send("/api/v1/rules/"+webtest.RuleOff+"/on", `{"reason":"excluded by a filter now"}`)
	lead.Send("/api/v1/rules/reload", `{}`)
	boss.Send("/api/v1/cases/"+kase+"/notes", `{"text":"a remark"}`)
	boss.Get("/api/v1/cases/" + kase + "/exhibits/1")
	s.Client(t).Send("/api/v1/login", `{"realm":"city","user":"nobody","password":"guess"}`)

	for _, want := range []struct {
		realm                          asset.Realm
		actor, action, object, outcome string
	}{
		{asset.City, "chen.yj", "session.begin", "user/chen.yj", audit.Done},
		{asset.City, "nobody", "session.begin", "user/nobody", audit.Failed},
		{asset.City, "chen.yj", "incident.handover", "incident/" + s.Incident, audit.Done},
		{asset.City, "chen.yj", "incident.note", "incident/" + s.Incident, audit.Done},
		{asset.City, "chen.yj", "incident.triage", "incident/" + s.Incident, audit.Failed},
		{asset.City, "chen.yj", "event.search", "events", audit.Done},
		{asset.City, "chen.yj", "incident.read", "incident/" + s.Incident, audit.Done},
		{asset.City, "chen.yj", "asset.note", "device/hospital/10.20.33.9", audit.Done},
		{asset.City, "chen.yj", "asset.manage", "drawing/" + s.Drawing, audit.Done},
		{asset.City, "chen.yj", "asset.manage", "drawing/new", audit.Done},
		{asset.City, "chen.yj", "rule.switch", "rule/" + webtest.RuleNoisy, audit.Done},
		{asset.City, "chen.yj", "rule.switch", "rule/" + webtest.RuleOff, audit.Done},
		{asset.City, "chen.yj", "rule.manage", "rules", audit.Done},
		{asset.Police, "chang.kh", "case.create", "package/" + box[0], audit.Done},
		{asset.Police, "huang.st", "case.edit", "case/" + kase, audit.Done},
		{asset.Police, "huang.st", "case.evidence", "case/" + kase + "/exhibit/1", audit.Done},
	} {
		log := s.Config.Desk.City.Audit
		if want.realm == asset.Police {
			log = s.Config.Desk.Police.Audit
		}
		p, err := log.List(t.Context(), audit.Query{Actor: want.actor, Action: want.action, Object: want.object, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, in := range p.Entries {
			for _, out := range p.Entries {
				if in.Phase == audit.Intent && out.Phase == audit.Outcome && out.Ref != nil && *out.Ref == in.Seq {
					found = found || out.Result == want.outcome && in.Seq < out.Seq && in.Detail["via"] != "" && in.Detail["address"] != ""
				}
			}
		}
		if !found {
			t.Errorf("the log lacks %+v: %d entries", want, len(p.Entries))
		}
	}
	// What was handed over stands in the outcome; no secret stands anywhere.
	p, err := s.Config.Desk.City.Audit.List(t.Context(), audit.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(p.Entries)
	if !strings.Contains(all, box[0]) {
		t.Error("the package is not named in the log")
	}
	for _, secret := range []string{webtest.Password, "guess", strings.TrimPrefix(lead.Cookie("citywall"), "city.")} {
		if strings.Contains(all, secret) {
			t.Errorf("the secret %q stands in the log", secret)
		}
	}
	for realm, log := range map[string]*audit.Log{"city": s.Config.Desk.City.Audit, "police": s.Config.Desk.Police.Audit} {
		rep, err := log.Verify(t.Context())
		if err != nil || !rep.OK() {
			t.Errorf("%s: %v %v", realm, err, rep.Broken)
		}
	}
}

func TestBarWidth(t *testing.T) {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for span, want := range map[time.Duration]time.Duration{
		time.Minute: 5 * time.Second, time.Hour: 5 * time.Minute, 24 * time.Hour: 30 * time.Minute, 7 * 24 * time.Hour: 6 * time.Hour, 30 * 24 * time.Hour: 24 * time.Hour,
	} {
		if got := desk.BarWidth(day, day.Add(span), 50); got != want {
			t.Errorf("%v: bars of %v, want %v", span, got, want)
		}
	}
	for _, years := range []int{1, 10, 55} {
		to := day.AddDate(years, 0, 0)
		if n := to.Sub(day) / desk.BarWidth(day, to, 50); n > 50 {
			t.Errorf("%d years: %d bars", years, n)
		}
	}
}

// TestAgencyMachines: who administers an agency sees and changes the machines of
// the own agency, and of no other; drawings of the whole network are not shown.
func TestAgencyMachines(t *testing.T) {
	s := webtest.New(t)
	d, err := desk.New(s.Config.Desk)
	if err != nil {
		t.Fatal(err)
	}
	who := func(agency string) desk.Who {
		return desk.Who{Principal: identity.Principal{User: "x", Realm: asset.City, Role: identity.AgencyAdmin, Agencies: []string{agency}}, Via: "test"}
	}
	note := inventory.Note{Subject: "device/hospital/10.20.33.9", Contact: "119"}
	for agency, machines := range map[string]bool{"hospital": true, "education": true, "water": false} {
		p, err := d.ListAssets(t.Context(), who(agency), estate.Query{Limit: 1000})
		if err != nil || machines != (len(p.Devices) > 0) {
			t.Errorf("%s: %d machines, %v", agency, len(p.Devices), err)
		}
		for _, x := range p.Devices {
			if x.Of != agency {
				t.Errorf("%s sees %s of %q", agency, x.ID, x.Of)
			}
		}
		diff, err := d.ListDifferences(t.Context(), who(agency), desk.DifferenceQuery{})
		if err != nil {
			t.Error(err)
		}
		for _, x := range diff.Differences {
			if x.Agency != agency {
				t.Errorf("%s sees a difference of %q", agency, x.Agency)
			}
		}
		if ds, err := d.ListDrawings(t.Context(), who(agency)); err != nil || len(ds) != 0 {
			t.Errorf("%s: %d drawings, %v", agency, len(ds), err)
		}
		if _, err := d.Drawing(t.Context(), who(agency), s.Drawing); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s opens a drawing: %v", agency, err)
		}
		if _, err := d.NoteAsset(t.Context(), who(agency), note); (err == nil) != (agency == "hospital") {
			t.Errorf("%s writes a contact of the hospital: %v", agency, err)
		}
	}
}

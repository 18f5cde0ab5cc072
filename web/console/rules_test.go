// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"citywall/incident/incidenttest"
	"citywall/web/webtest"
)

// wants fails for every text that the page lacks, and for every one after "" that
// it has.
func wants(t *testing.T, what string, a webtest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: %d, want %d\n%.600s", what, a.Status, status, a.Body)
	}
	has := true
	for _, s := range texts {
		if s == "" {
			has = false
		} else if strings.Contains(a.Body, s) != has {
			t.Errorf("%s: %q is there: %v", what, s, !has)
		}
	}
}

// A lead switches a rule off and on with a reason, which everybody who sees rules
// reads; others are not offered the form and are refused.
func TestSwitchRule(t *testing.T) {
	s := webtest.New(t)
	lead, analyst := s.As(t, "chen.yj"), s.As(t, "lin.zh")
	lead.Lang, analyst.Lang = "en", "en"
	page := "/rules/" + webtest.RuleNoisy
	off, on := `action="`+page+`/off"`, `action="`+page+`/on"`
	wants(t, "on", lead.Get(page), 200, off, "Loaded", "", on)
	wants(t, "an analyst's page", analyst.Get(page), 200, "Loaded", "/rules/try?id=", "", off)
	wants(t, "an analyst switches", analyst.Post(page+"/off", url.Values{"reason": {"noise"}}), 403)
	wants(t, "no reason", lead.Post(page+"/off", url.Values{"reason": {""}}), 400)
	if a := lead.Post(page+"/off", url.Values{"reason": {"the <b>backup</b> does it"}}); a.Status != http.StatusSeeOther || a.Header.Get("Location") != page+"?done=rule_off" {
		t.Fatalf("%d %s", a.Status, a.Header.Get("Location"))
	}
	wants(t, "off", analyst.Get(page), 200, "Switched off by chen.yj", "the &lt;b&gt;backup&lt;/b&gt; does it", "", "<b>backup</b>")
	wants(t, "off, in the list", analyst.Get("/rules?state=off"), 200, "Network Logon With A Domain Account", "the &lt;b&gt;backup", "Program In ProgramData", "", "Failed Network Logon")
	wants(t, "off, for the lead", lead.Get(page), 200, on, "", off)
	wants(t, "off twice", lead.Post(page+"/off", url.Values{"reason": {"again"}}), 409)
	wants(t, "read anew", lead.Post("/rules", nil), http.StatusSeeOther)
	wants(t, "still off", lead.Get("/rules?state=off&done=rules_read"), 200, "The rules were read anew.", "Network Logon With A Domain Account")
	wants(t, "on again", lead.Post(page+"/on", url.Values{"reason": {"mended"}}), http.StatusSeeOther)
	wants(t, "on, in the list", analyst.Get("/rules?state=off"), 200, "", "Network Logon With A Domain Account")
	wants(t, "feeds others", lead.Get("/rules/5a3d1c00-0000-4000-8000-000000000002"), 200, "switch off the rules that count its hits", "Many Failed Network Logons", "", "/off\"")
	wants(t, "refused", lead.Get("/rules/5a3d1c00-0000-4000-8000-000000000007"), 200, "Refused", "It counts with a pipe", "", "/off\"")
}

// A rule that is off and then goes from its set is not forgotten: the switch is
// shown, and can be turned.
func TestSwitchedOffAndGone(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	c.Lang = "en"
	s.Missing = "rules/windows/process_creation/svchost_child.yml"
	wants(t, "read anew", c.Post("/rules", nil), http.StatusSeeOther)
	wants(t, "in the list", c.Get("/rules?state=off"), 200, "Program In ProgramData", "No set has this rule any more")
	page := "/rules/" + webtest.RuleOff
	wants(t, "its page", c.Get(page), 200, "No set has this rule any more", `action="`+page+`/on"`, "", "/rules/try?id=")
	if a := c.Post(page+"/on", url.Values{"reason": {"it has gone"}}); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/rules?done=rule_on" {
		t.Errorf("on: %d %s", a.Status, a.Header.Get("Location"))
	}
	wants(t, "forgotten", c.Get(page), 404)
}

// The list is narrowed by state, level and set, ordered, and exported as it is
// shown; rules of Citywall's own have a Chinese title on Chinese pages.
func TestRuleList(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "lin.zh")
	c.Lang = "zh-TW"
	wants(t, "Chinese", c.Get("/rules?set=citywall&text=勒索信"), 200, "寫下勒索信", "citywall", "", "Ransom note written<", "Network Logon")
	wants(t, "by its English title too", c.Get("/rules?text=Ransom+note+written+to+a+share"), 200, "在共用上寫下勒索信")
	wants(t, "level and set", c.Get("/rules?level=low&set=sigma-2026-10-06.zip"), 200, "Failed Network Logon", "Network Logon With", "", "Many Failed Network")
	wants(t, "waiting", c.Get("/rules?state=waiting"), 200, "%Administrators%", "代換字沒有值", "", "Root Account Used")
	wants(t, "wrong state", c.Get("/rules?state=gone"), 400)
	noisiest := c.Get("/rules?sort=noise&set=sigma-2026-10-06.zip").Body
	if a, b := strings.Index(noisiest, "Network Logon With"), strings.Index(noisiest, "Many Failed Network Logons"); a < 0 || b < a {
		t.Errorf("by noise: %d %d", a, b)
	}
	csv := c.Get("/api/v1/rules/export?format=csv&lang=zh-TW&set=citywall&level=high")
	if rows := strings.Count(csv.Body, "\n"); csv.Status != 200 || rows < 50 || !strings.HasPrefix(csv.Body, "\ufeffstate,level,title,") || !strings.Contains(csv.Body, "寫下勒索信") {
		t.Errorf("%d, %d rows: %.200s", csv.Status, rows, csv.Body)
	}
	off := c.Get("/api/v1/rules/export?format=csv&state=off").Body
	if !strings.Contains(off, "chen.yj") || !strings.Contains(off, "醫院資產管理代理程式") || strings.Count(off, "\n") != 2 {
		t.Errorf("switched off: %s", off)
	}
}

func TestTryRule(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "lin.zh")
	c.Lang = "en"
	ev := incidenttest.Hospital().Hops[0].Evidence[1].Event.String()
	const rule = "title: Mine\nlogsource: {product: windows, service: security}\ndetection:\n  sel: {EventID: 4625, TargetUserName|startswith: adm}\n  condition: sel\n"
	wants(t, "form", c.Get("/rules/try?id="+webtest.RuleOff+"&event="+ev), 200, `value="`+webtest.RuleOff+`"`, ev, "", "Result")
	wants(t, "a kept record", c.Post("/rules/try", url.Values{"id": {webtest.RuleOff}, "event": {ev}}), 200, "Matches", "ParentImage", `\svchost.exe`, "category process_creation")
	wants(t, "pasted", c.Post("/rules/try", url.Values{"rule": {rule}, "record": {`{"EventID": 4625, "Channel": "Security", "TargetUserName": "admin<i>"}`}}), 200, "Matches", "Mine", "admin&lt;i&gt;", "startswith", "", "admin<i>")
	wants(t, "no match", c.Post("/rules/try", url.Values{"rule": {rule}, "record": {`{"EventID": 4625, "Channel": "Security"}`}}), 200, "Does not match", "is not in the record")
	wants(t, "another source", c.Post("/rules/try", url.Values{"rule": {rule}, "record": {`{"a": 1}`}}), 200, "Does not match", "none of the sources", "the event&#39;s product is")
	wants(t, "counts hits", c.Post("/rules/try", url.Values{"id": {webtest.RuleCounting}, "event": {ev}}), 200, "Not tried")
	wants(t, "a bad rule stays to be mended", c.Post("/rules/try", url.Values{"rule": {"title: [\nmine"}, "event": {ev}}), 400, "is not correct YAML", "title: [\nmine", ev)
	wants(t, "a bad record", c.Post("/rules/try", url.Values{"rule": {rule}, "record": {"{\"a\": 1,\n\"b\" 2}"}}), 400, "line 2, column 5", "startswith")
	wants(t, "nothing", c.Post("/rules/try", url.Values{}), 400, "There is no record")
	wants(t, "unknown record", c.Post("/rules/try", url.Values{"id": {webtest.RuleOff}, "event": {strings.Repeat("0", 32)}}), 400, strings.Repeat("0", 32))
	wants(t, "long", c.Post("/rules/try", url.Values{"rule": {strings.Repeat("漢", 100_000)}, "record": {"{}"}}), 400, "longer than 256 KiB")
	c.Lang = "zh-TW"
	wants(t, "Chinese", c.Post("/rules/try", url.Values{"rule": {rule}, "record": {`{"EventID": 4625, "Channel": "Security"}`}}), 200, "不符合", "紀錄中沒有此欄位", "全部成立")
	wants(t, "Chinese mistake", c.Post("/rules/try", url.Values{"rule": {"a: b"}, "record": {"{}"}}), 400, "文字中沒有 Sigma 規則")
	wants(t, "an auditor", s.As(t, "kao.audit").Get("/rules/try"), 403)
	admin := s.As(t, "hsu.admin")
	wants(t, "an administrator's own record", admin.Post("/rules/try", url.Values{"id": {webtest.RuleOff}, "record": {`{"a":1}`}}), 200)
	wants(t, "an administrator and a kept record", admin.Post("/rules/try", url.Values{"id": {webtest.RuleOff}, "event": {ev}}), 403)
}

// The page of a finding leads from every record to its bytes, and says which
// fields met the rule.
func TestFindingRecords(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "lin.zh")
	c.Lang = "en"
	page := c.Get("/findings/" + s.Counted)
	wants(t, "counted", page, 200, "Original records", "Byte offset", "Record id", "10.0.0.0/8", "Failed Network Logon", `href="/events/`, "TargetUserName", "event_count", `href="/rules/`+webtest.RuleCounting)
	if n := strings.Count(page.Body, `class="support box"`); n != 4 {
		t.Errorf("%d records, want 4", n)
	}
	wants(t, "of a rule that is not in force", c.Get("/findings/"+incidenttest.Findings()[1].ID), 200, "no longer in force", `href="/events/`, "", "/rules/try", `href="/rules/cw`)
	wants(t, "wrong place", c.Get("/findings/"+s.Counted+"?after=x"), 400)
	wants(t, "beyond the end", c.Get("/findings/"+s.Counted+"?after=1000"), 400)
	other := s.As(t, "wu.mf") // of the hospital, whose records these are
	wants(t, "who administers the agency", other.Get("/findings/"+s.Counted), 200, "10.0.0.0/8")
}

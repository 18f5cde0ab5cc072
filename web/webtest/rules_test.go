// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRulesByKeyboard is a night with a noisy rule, without a mouse: a lead finds
// the noisiest rule, tries it on a record of a finding, switches it off with a
// reason, and switches it on again.
func TestRulesByKeyboard(t *testing.T) {
	s := New(t)
	b := s.Browse(t, "en-US")
	b.Start("/rules?sort=noise")
	b.Until("asked to sign in", `location.pathname === "/login"`)
	b.SignIn(Find("soc_lead"))
	b.Until("the noisiest first", `document.querySelector("tbody .rowlink[href^='/rules/5a3d']") !== null`)
	press := func(what, focus, keys string) {
		t.Helper()
		b.Do(what, chromedp.Focus(chromedp.CSS(focus)), chromedp.KeyEvent(keys))
	}
	press("open the noisiest rule", `.data.cards tr:first-child .rowlink`, "\r")
	b.Until("its page", `location.pathname === "/rules/`+RuleNoisy+`" && document.querySelector('form[action$="/off"]') !== null`)

	press("try it", `a[href^="/rules/try"]`, "\r")
	b.Until("the form has the rule", `document.querySelector('input[name="id"]').value === "`+RuleNoisy+`"`)
	press("write a record", `textarea[name="record"]`, `{"EventID": 4624, "Channel": "Security", "LogonType": 3, "TargetDomainName": "HOSP"}`)
	press("compare", `.tryform .primary`, "\r")
	b.Until("it matches, comparison by comparison", `document.querySelector(".trial.yes") !== null && document.querySelectorAll(".verdict li.yes").length > 4`)
	if got := b.Text(`document.querySelector('textarea[name="record"]').value`); got == "" {
		t.Error("what was written is gone")
	}

	b.Go("/rules/" + RuleNoisy)
	press("say why", `form[action$="/off"] textarea`, "every file server, all day")
	press("switch off", `form[action$="/off"] button`, " ")
	b.Until("off", `document.querySelector(".done") !== null && document.querySelector('form[action$="/on"]') !== null && document.querySelector("main").innerText.includes("every file server, all day")`)
	b.Go("/rules?state=off")
	b.Until("in the list", `[...document.querySelectorAll(".state-cell")].some((e) => e.innerText.includes("every file server, all day"))`)
	b.Go("/rules/" + RuleNoisy)
	press("say why", `form[action$="/on"] textarea`, "an exclusion is in place")
	press("switch on", `form[action$="/on"] button`, "\r")
	b.Until("on", `document.querySelector(".done") !== null && document.querySelector('form[action$="/off"]') !== null`)

	// From a finding to its records, and beside the page to the bytes of one.
	b.Go("/findings/" + s.Counted)
	b.Until("records with what matched", `document.querySelectorAll(".support table").length === 4`)
	press("open a record", `.support a.proof`, "\r")
	b.Until("the record is shown", `!document.getElementById("drawer").hidden && document.querySelector("#drawer .raw") !== null`)
	b.Do("close", chromedp.KeyEvent("\u001b"))
	b.Until("closed, with the focus back", `document.getElementById("drawer").hidden && document.activeElement.classList.contains("proof")`)
	b.SignOut()
}

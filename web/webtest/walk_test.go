// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestWalk is the main job in a real browser: a lead signs in, understands an
// incident, looks at an original record, hands over; an investigator opens a
// case from the package, takes the report, and signs out. Any exception, any
// refused resource and any breach of the content security policy fails it.
func TestWalk(t *testing.T) {
	s := New(t)
	b := s.Browse(t, "en-US")
	b.Start("/incidents/" + s.Incident)
	b.Until("asked to sign in", `location.pathname === "/login"`)
	b.SignIn(Find("soc_lead"))
	b.Until("where they wanted to go", `location.pathname === "/incidents/`+s.Incident+`"`)

	// One selection over picture and table.
	b.Click(`.path-picture [data-hops="3"]`)
	b.Until("the row of the arrow is chosen", `document.getElementById("hop-3").classList.contains("chosen")`)
	b.Click(`#hop-5 .hopno`)
	b.Until("the arrow of the row is chosen", `document.querySelector('.path-picture [data-hops="5"]').classList.contains("chosen") && !document.querySelector('.path-picture [data-hops="3"]').classList.contains("chosen")`)
	b.Do("walk on", chromedp.Focus(chromedp.CSS("#hop-5")), chromedp.KeyEvent("\u0303")) // arrow right
	b.Until("the next hop is chosen", `document.getElementById("hop-6").classList.contains("chosen")`)

	// The original record, beside the page and as a page.
	b.Click(`#hop-1 a.proof:nth-of-type(2)`)
	b.Until("the record is shown", `!document.getElementById("drawer").hidden && document.querySelector("#drawer .raw") !== null`)
	record := b.Text(`document.querySelector("#drawer .raw").textContent`)
	for _, want := range []string{`"EventID":"1"`, "updsvc.exe", "not markup"} {
		if !strings.Contains(record, want) {
			t.Errorf("the original record lacks %s: %s", want, record)
		}
	}
	if n := b.Text(`String(document.querySelectorAll("#drawer b").length + document.querySelector("#drawer .facts").textContent)`); !strings.Contains(n, "4,284") || !strings.Contains(n, "880007") {
		t.Errorf("offset and record id are not shown: %s", n)
	}
	b.Do("close", chromedp.KeyEvent("\u001b"))
	b.Until("closed, with the focus back", `document.getElementById("drawer").hidden && document.activeElement.classList.contains("proof")`)

	// The report is a file.
	name := b.Await(`fetch(document.querySelector('.menu-body a[href*="format=html"]').href).then(async (r) => r.status + " " + r.headers.get("content-disposition") + " " + (await r.text()).length)`)
	if !strings.HasPrefix(name, "200 attachment; filename=incident-") {
		t.Errorf("report: %s", name)
	}

	// Take it over, hand it over.
	b.Click(`.nextstep button.primary`)
	b.Until("taken over", `document.querySelector(".done") !== null && document.querySelector(".badge.state-triaged") !== null`)
	b.Click(`.acts a[href$="/handover"]`)
	b.Until("asked why", `document.querySelector('textarea[name="reason"]') !== null`)
	b.Fill(`textarea[name="reason"]`, "Ransomware at the city hospital; patients are affected.")
	b.Click(`button[value="send"]`)
	b.Until("handed over", `document.querySelector(".done") !== null && document.querySelectorAll(".note.strong").length === 1`)
	b.SignOut()

	// The police.
	b.SignIn(Find("investigator"))
	b.Until("the package waits", `location.pathname === "/cases" && document.querySelectorAll(".waiting li").length === 1`)
	b.Click(`.waiting a.button.primary`)
	b.Until("verified", `document.querySelector(".verified") !== null`)
	b.Click(`form[action$="/open"] button.primary`)
	b.Until("the case is open", `document.querySelector(".done") !== null && document.querySelector(".path-picture") !== null && document.querySelector("h1 .number") !== null`)
	kase := b.Text(`location.pathname`)
	b.Click(`#hop-1 a.proof:nth-of-type(2)`)
	b.Until("the same record", `!document.getElementById("drawer").hidden && document.querySelector("#drawer .raw") !== null`)
	if got := b.Text(`document.querySelector("#drawer .raw").textContent`); got != record {
		t.Errorf("the record in the case is another:\n%s\n%s", got, record)
	}
	b.Do("close", chromedp.KeyEvent("\u001b"))
	b.Click(`form[action$="/verify"] button`)
	b.Until("exhibits are whole", `document.querySelector("#exhibits .done") !== null`)
	name = b.Await(`fetch("/api/v1" + location.pathname.replace(/\/verify$/, "") + "/report?format=html&lang=zh-TW").then(async (r) => r.status + " " + r.headers.get("content-disposition") + " " + (await r.text()).includes("web-reg01"))`)
	if !strings.HasPrefix(name, "200 attachment; filename=case-") || !strings.HasSuffix(name, " true") {
		t.Errorf("report of the case: %s", name)
	}
	// The estate stays shut: these answers are refusals on purpose.
	b.Expect("403")
	for _, p := range []string{"/now", "/incidents/" + s.Incident, "/search?q="} {
		if got := b.Await(`fetch("` + p + `").then((r) => String(r.status))`); got != "403" {
			t.Errorf("an investigator asks for %s: %s", p, got)
		}
	}
	b.Go("/cases")
	b.SignOut()
	b.SignIn(Find("soc_lead"))
	if got := b.Await(`fetch("` + kase + `").then((r) => String(r.status))`); got != "403" {
		t.Errorf("the city's lead asks for the case: %s", got)
	}
	b.SignOut()
}

// TestLivePage watches the page "Now" change without a reload.
func TestLivePage(t *testing.T) {
	s := New(t)
	b := s.Browse(t, "zh-TW")
	b.Start("/login")
	b.SignIn(Find("soc_analyst"))
	b.Until("live", `location.pathname === "/now" && document.querySelector(".livestate.on") !== null && Number(document.getElementById("now").dataset.updates) >= 1`)
	b.Text(`window.mark = "the same page"`)
	c := s.As(t, "chen.yj")
	var rec struct{ Version int64 }
	must(t, json.Unmarshal([]byte(c.Get("/api/v1/incidents/"+s.Incident).Body), &rec))
	if a := c.Send("/api/v1/incidents/"+s.Incident+"/state", fmt.Sprintf(`{"version":%d,"state":"triaged"}`, rec.Version)); a.Status != 200 {
		t.Fatalf("triage: %d %s", a.Status, a.Body)
	}
	s.Forward(3 * time.Second)
	b.Until("the page shows the new state", `document.querySelector(".alarm .badge.state-triaged") !== null`)
	if got := b.Text(`window.mark`); got != "the same page" {
		t.Error("the page was reloaded")
	}
}

// TestKeysAndLink goes by keyboard, and in by a one-time link.
func TestKeysAndLink(t *testing.T) {
	s := New(t)
	users := s.Config.Desk.City.Users
	secret, _, err := users.NewLink(t.Context(), "lin.zh")
	must(t, err)
	b := s.Browse(t, "en-US")
	b.Start("/login/link?realm=city#" + secret)
	b.Until("in by the link", `location.pathname === "/now" && document.querySelector(".me-name") !== null`)
	b.Do("to incidents", chromedp.KeyEvent("g"), chromedp.KeyEvent("i"))
	b.Until("at incidents", `location.pathname === "/incidents"`)
	b.Do("first row", chromedp.KeyEvent("\u0301"), chromedp.KeyEvent("\u0301"))
	b.Until("the second row has the focus", `document.activeElement === document.querySelectorAll("table[data-rows] tbody tr")[1]`)
	b.Do("search", chromedp.KeyEvent("/"))
	b.Until("the box has the focus", `document.activeElement.id === "quick"`)
	b.Fill("#quick", "updsvc.exe") // the driver types "/" too, which a keyboard would not
	b.Do("ask", chromedp.KeyEvent("\r"))
	b.Until("results", `location.pathname === "/search" && document.querySelectorAll(".hits tbody tr").length > 0`)
	b.Do("open", chromedp.KeyEvent("\u0301"), chromedp.KeyEvent("\r"))
	b.Until("a record beside the page", `!document.getElementById("drawer").hidden`)
}

// TestEveryPageIsQuiet opens every page in both languages and themes; the
// console must stay silent.
func TestEveryPageIsQuiet(t *testing.T) {
	s := New(t)
	b := s.Browse(t, "zh-TW")
	b.Start("/login")
	b.SignIn(Find("soc_lead"))
	for _, theme := range []string{"light", "dark"} {
		b.Await(`fetch("/prefs", {method: "POST", redirect: "manual", body: new URLSearchParams({theme: "` + theme + `"})}).then(() => "")`)
		for _, p := range []string{"/now", "/incidents", "/incidents/" + s.Incident, "/incidents/" + s.Incident + "/handover", "/findings", "/search", "/search?q=", "/sources", "/assets", "/assets/differences", "/assets/drawings/" + s.Drawing, "/rules", "/storage", "/users", "/help", "/me"} {
			b.Go(p)
			b.Until(p+" is there", `document.querySelector("main h1") !== null`)
			if wide := b.Text(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wide != "0" {
				t.Errorf("%s is %s px wider than the window: %s", p, wide, b.Text(widest))
			}
		}
	}
}

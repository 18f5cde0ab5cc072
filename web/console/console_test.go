// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"citywall/asset"
	"citywall/incident/incidenttest"
	"citywall/internal/text"
	"citywall/web/console"
	"citywall/web/door"
	"citywall/web/webtest"
)

// element is a tag of a page.
type element struct {
	name  string
	attrs map[string]string
	label bool // inside a <label>
}

// elements reads a page as strictly as HTML allows: every element that is not
// void must be closed in order.
func elements(t *testing.T, page, body string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var out []element
	var open []string
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Errorf("%s: not well-formed: %v", page, err)
			return out
		}
		switch x := tok.(type) {
		case xml.StartElement:
			e := element{name: x.Name.Local, attrs: map[string]string{}, label: slices.Contains(open, "label")}
			for _, a := range x.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			out = append(out, e)
			open = append(open, x.Name.Local)
		case xml.EndElement:
			if n := len(open); n == 0 || open[n-1] != x.Name.Local {
				t.Errorf("%s: </%s> closes <%v>", page, x.Name.Local, open[max(0, n-3):])
				return out
			}
			open = open[:len(open)-1]
		}
	}
}

var (
	rawKey   = regexp.MustCompile(`\bconsole\.[a-z_]+(\.[a-z_]+)*\b`)
	rawPlace = regexp.MustCompile(`\{[a-z_]+\}`)
	tags     = regexp.MustCompile(`(?s)<script.*?</script>|<[^>]*>`)
)

// check holds a page to what every page promises.
func check(t *testing.T, page string, l text.Lang, a webtest.Answer) {
	t.Helper()
	if got := a.Header.Get("Content-Security-Policy"); got != door.Policy {
		t.Errorf("%s: policy %q", page, got)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", page, name, got, want)
		}
	}
	ids := map[string]bool{}
	fors := map[string]bool{}
	var fields []element
	h1 := 0
	for _, e := range elements(t, page, a.Body) {
		if e.name == "style" || e.name == "script" && e.attrs["src"] == "" {
			t.Errorf("%s: inline <%s>", page, e.name)
		}
		for name, v := range e.attrs {
			if name == "style" || strings.HasPrefix(name, "on") {
				t.Errorf("%s: attribute %s on <%s>", page, name, e.name)
			}
			if (name == "href" || name == "src" || name == "action") && (strings.Contains(v, "://") || strings.HasPrefix(v, "//") || strings.HasPrefix(v, "javascript:")) {
				t.Errorf("%s: %s=%q leaves the site", page, name, v)
			}
		}
		if id := e.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("%s: id %q twice", page, id)
			}
			ids[id] = true
		}
		switch e.name {
		case "html":
			if e.attrs["lang"] != string(l) {
				t.Errorf("%s: lang %q, want %q", page, e.attrs["lang"], l)
			}
		case "h1":
			h1++
		case "label":
			fors[e.attrs["for"]] = true
		case "form":
			if e.attrs["method"] == "" {
				t.Errorf("%s: a form without a method", page)
			}
		case "input", "select", "textarea":
			if e.attrs["type"] != "hidden" && !e.label {
				fields = append(fields, e)
			}
		}
	}
	for _, f := range fields {
		if !fors[f.attrs["id"]] && f.attrs["aria-label"] == "" {
			t.Errorf("%s: field %q has no label", page, f.attrs["name"])
		}
	}
	if h1 != 1 {
		t.Errorf("%s: %d headings of the first level", page, h1)
	}
	plain := tags.ReplaceAllString(a.Body, " ")
	if k := rawKey.FindString(plain); k != "" {
		t.Errorf("%s: text key %s is shown", page, k)
	}
	if k := rawPlace.FindString(plain); k != "" {
		t.Errorf("%s: place %s is not filled", page, k)
	}
}

// who may open what. Pages of the other realm are forbidden, not hidden: a
// person who follows a colleague's link should learn why it does not open.
var pages = []struct {
	path string
	ok   []string // roles, "city/…" or "police/…"
}{
	{"/now", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/incidents", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/incidents?state=new&state=closed&severity=low&text=dc01&sort=severest", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/incidents/{incident}", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/incidents/{incident}/handover", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/findings", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/findings?span=7d&level=high&level=critical", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/findings/{finding}", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/search", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/search?q=&span=24h", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/search?q=&from=2026-11-20T08:00&to=2026-11-21T04:00", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/events/{event}", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/sources", []string{"soc_lead", "soc_analyst", "agency_admin", "city/auditor", "city/system_admin"}},
	{"/assets", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets?text=pc&role=file&drawn=no&sort=segment&segment=-", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/devices/{device}", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/segments?sort=seen", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/differences", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/differences?kind=undrawn_host&text=x", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/drawings", []string{"soc_lead", "soc_analyst", "agency_admin", "city/system_admin"}},
	{"/assets/drawings/{drawing}", []string{"soc_lead", "soc_analyst", "city/system_admin"}},
	{"/storage", []string{"soc_lead", "city/system_admin"}},
	{"/storage?state=sealed&text=2026&sort=bytes", []string{"soc_lead", "city/system_admin"}},
	{"/rules", []string{"soc_lead", "soc_analyst", "agency_admin", "city/auditor", "city/system_admin"}},
	{"/rules?state=off&state=refused&level=high&set=citywall&text=x&sort=noise", []string{"soc_lead", "soc_analyst", "agency_admin", "city/auditor", "city/system_admin"}},
	{"/rules/" + webtest.RuleCounting, []string{"soc_lead", "soc_analyst", "agency_admin", "city/auditor", "city/system_admin"}},
	{"/rules/" + webtest.RuleOff, []string{"soc_lead", "soc_analyst", "agency_admin", "city/auditor", "city/system_admin"}},
	{"/rules/try?id=" + webtest.RuleOff, []string{"soc_lead", "soc_analyst", "city/system_admin"}},
	{"/findings/{counted}", []string{"soc_lead", "soc_analyst", "agency_admin"}},
	{"/users", []string{"soc_lead", "city/auditor", "city/system_admin", "police_supervisor", "police/auditor", "police/system_admin"}},
	{"/audit", []string{"city/auditor", "police/auditor"}},
	{"/cases", []string{"investigator", "police_supervisor"}},
	{"/help", []string{"*"}},
	{"/me", []string{"*"}},
}

func TestRolesAndPages(t *testing.T) {
	s := webtest.New(t)
	fill := strings.NewReplacer("{counted}", s.Counted, "{device}", s.Device, "{drawing}", s.Drawing, "{incident}", s.Incident, "{finding}", incidenttest.Findings()[0].ID, "{event}", incidenttest.Hospital().Hops[0].Evidence[0].Event.String())
	for _, p := range webtest.People {
		c := s.As(t, p.Name)
		for _, l := range []text.Lang{text.ZhTW, text.En} {
			c.Lang = string(l)
			for _, page := range pages {
				name := fmt.Sprintf("%s/%s %s %s", p.Realm, p.Role, l, page.path)
				a := c.Get(fill.Replace(page.path))
				may := slices.Contains(page.ok, "*") || slices.Contains(page.ok, string(p.Role)) || slices.Contains(page.ok, string(p.Realm)+"/"+string(p.Role))
				if may != (a.Status == http.StatusOK) || !may && a.Status != http.StatusForbidden {
					t.Errorf("%s: %d, may: %v", name, a.Status, may)
				}
				check(t, name, l, a)
				if part := c.Get(fill.Replace(page.path) + map[bool]string{true: "&", false: "?"}[strings.Contains(page.path, "?")] + "part=1"); strings.Contains(part.Body, "<html") || part.Status != a.Status {
					t.Errorf("%s: a part is a whole page, or answers %d", name, part.Status)
				}
			}
		}
		// The navigation offers exactly what opens.
		for _, href := range regexp.MustCompile(`<li><a href="(/[a-z]+)"`).FindAllStringSubmatch(c.Get("/help").Body, -1) {
			if a := c.Get(href[1]); a.Status != http.StatusOK {
				t.Errorf("%s is offered %s, which answers %d", p.Name, href[1], a.Status)
			}
		}
	}
}

func TestStrangersMeetTheDoor(t *testing.T) {
	s := webtest.New(t)
	c := s.Client(t)
	c.Lang = "en"
	for _, p := range []string{"/login", "/login?to=/incidents", "/login/link?realm=police"} {
		a := c.Get(p)
		if a.Status != http.StatusOK {
			t.Errorf("%s: %d", p, a.Status)
		}
		check(t, p, text.En, a)
	}
	for _, page := range pages {
		if a := c.Get(page.path); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/login") {
			t.Errorf("%s: %d to %q", page.path, a.Status, a.Header.Get("Location"))
		}
	}
	for _, to := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"} {
		a := s.Client(t).Post("/login", url.Values{"realm": {"city"}, "user": {"chen.yj"}, "password": {webtest.Password}, "to": {to}})
		if loc := a.Header.Get("Location"); a.Status != http.StatusSeeOther || loc != "/" {
			t.Errorf("to %q leads to %q (%d)", to, loc, a.Status)
		}
	}
	a := c.Post("/login", url.Values{"realm": {"city"}, "user": {"chen.yj"}, "password": {"wrong"}, "to": {"/"}})
	if a.Status != http.StatusForbidden || !strings.Contains(a.Body, text.T(text.En, "console.login.wrong")) {
		t.Errorf("a wrong password: %d", a.Status)
	}
	check(t, "wrong password", text.En, a)
	// A user of one realm does not exist in the other.
	if a := c.Post("/login", url.Values{"realm": {"police"}, "user": {"chen.yj"}, "password": {webtest.Password}}); a.Status != http.StatusForbidden {
		t.Errorf("the city's lead in the police realm: %d", a.Status)
	}
	if a := c.Post("/login", url.Values{"realm": {"moon"}, "user": {"chen.yj"}, "password": {webtest.Password}}); a.Status != http.StatusForbidden {
		t.Errorf("no realm: %d", a.Status)
	}
}

func TestCookie(t *testing.T) {
	s := webtest.New(t)
	a := s.Client(t).Post("/login", url.Values{"realm": {"city"}, "user": {"chen.yj"}, "password": {webtest.Password}})
	ck := a.Header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Expires="} {
		if !strings.Contains(ck, want) {
			t.Errorf("the session cookie lacks %s: %s", want, ck)
		}
	}
	c := s.As(t, "chen.yj")
	if a := c.Post("/logout", nil); a.Status != http.StatusSeeOther {
		t.Fatalf("sign out: %d", a.Status)
	}
	if a := c.Get("/now"); a.Status != http.StatusSeeOther {
		t.Errorf("after signing out /now answers %d", a.Status)
	}
}

func TestOneTimeLink(t *testing.T) {
	s := webtest.New(t)
	admin := s.As(t, "hsu.admin")
	admin.Lang = "en"
	a := admin.Post("/users", url.Values{"name": {"first.one"}, "shown": {"First One"}, "role": {"soc_analyst"}})
	check(t, "new user", text.En, a)
	m := regexp.MustCompile(`value="http://[^"]*/login/link\?realm=city#([^"]+)"`).FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || m == nil {
		t.Fatalf("no link is shown: %d", a.Status)
	}
	if strings.Contains(admin.Get("/users").Body, m[1]) {
		t.Error("the secret is shown twice")
	}
	c := s.Client(t)
	form := url.Values{"realm": {"city"}, "link": {m[1]}}
	if a := c.Post("/login/link", form); a.Status != http.StatusSeeOther {
		t.Fatalf("the link does not sign in: %d", a.Status)
	}
	if a := c.Get("/now"); a.Status != http.StatusOK {
		t.Errorf("after the link /now answers %d", a.Status)
	}
	if a := s.Client(t).Post("/login/link", form); a.Status != http.StatusForbidden {
		t.Errorf("the link works twice: %d", a.Status)
	}
	if got := console.LinkURL("http://h:1/", "city", "abc"); got != "http://h:1/login/link?realm=city#abc" {
		t.Errorf("LinkURL = %s", got)
	}
}

func TestPreferences(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	if a := c.Post("/prefs", url.Values{"lang": {"en"}, "theme": {"dark"}, "back": {"/incidents?state=new"}}); a.Header.Get("Location") != "/incidents?state=new" {
		t.Errorf("back to %q", a.Header.Get("Location"))
	}
	a := c.Get("/incidents")
	if !strings.Contains(a.Body, `<html lang="en" data-theme="dark" data-realm="city">`) {
		t.Errorf("language or theme was not remembered: %.200s", a.Body)
	}
	if a := c.Post("/prefs", url.Values{"lang": {"zh-TW"}, "theme": {"<script>"}, "back": {"//evil.example"}}); a.Header.Get("Location") != "/" {
		t.Errorf("back to %q", a.Header.Get("Location"))
	}
}

// TestIncidentLife walks an incident through its states by the page's own
// forms.
func TestIncidentLife(t *testing.T) {
	s := webtest.New(t)
	lead := s.As(t, "chen.yj")
	lead.Lang = "en"
	at := "/incidents/" + s.Incident
	version := func() string {
		m := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(lead.Get(at).Body)
		if m == nil {
			t.Fatal("the page offers no change")
		}
		return m[1]
	}
	step := func(path string, form url.Values, done string) {
		t.Helper()
		a := lead.Post(at+path, form)
		if a.Status != http.StatusSeeOther {
			t.Fatalf("%s %v: %d %s", path, form, a.Status, tags.ReplaceAllString(a.Body, " "))
		}
		page := lead.Get(strings.SplitN(a.Header.Get("Location"), "#", 2)[0])
		if done != "" && !strings.Contains(page.Body, text.T(text.En, "console.done."+done)) {
			t.Errorf("%s: the page does not say that it was done", path)
		}
		check(t, at+path, text.En, page)
	}
	stale := version()
	step("/state", url.Values{"version": {stale}, "take": {"1"}, "state": {"triaged"}}, "state")
	if a := lead.Post(at+"/state", url.Values{"version": {stale}, "state": {"contained"}}); a.Status != http.StatusConflict {
		t.Errorf("a change over a colleague's: %d", a.Status)
	}
	body := lead.Get(at).Body
	if !strings.Contains(body, "<b>chen.yj</b>") {
		t.Error("who took it over is not shown")
	}
	step("/note", url.Values{"text": {"<b>called</b> the ward"}}, "")
	if body := lead.Get(at).Body; !strings.Contains(body, "&lt;b&gt;called&lt;/b&gt;") {
		t.Error("a note is not shown as it was written")
	}
	step("/state", url.Values{"version": {version()}, "state": {"contained"}}, "state")
	if a := lead.Post(at+"/state", url.Values{"version": {version()}, "state": {"closed"}}); a.Status != http.StatusBadRequest {
		t.Errorf("closed without a reason: %d", a.Status)
	}
	step("/split", url.Values{"version": {version()}, "host": {"opd-pc09"}, "reason": {"a test machine"}}, "split")
	step("/merge", url.Values{"version": {version()}, "into": {s.IDs[incidenttest.Others()[1].ID]}, "reason": {"one intruder"}}, "merged")
	step("/unmerge", url.Values{"version": {version()}, "reason": {"two"}}, "unmerged")
	step("/owner", url.Values{"version": {version()}, "owner": {"lin.zh"}}, "owner")
	step("/state", url.Values{"version": {version()}, "state": {"closed"}, "reason": {"restored"}}, "state")

	analyst := s.As(t, "lin.zh")
	analyst.Lang = "en"
	if body := analyst.Get(at).Body; strings.Contains(body, `/merge"`) || strings.Contains(body, "/handover\"") {
		t.Error("an analyst is offered what only a lead may")
	}
	if a := analyst.Post(at+"/state", url.Values{"version": {version()}, "state": {"triaged"}, "reason": {"x"}}); a.Status != http.StatusForbidden {
		t.Errorf("an analyst opens a closed incident again: %d", a.Status)
	}
	if a := analyst.Post(at+"/handover", url.Values{"reason": {"x"}, "how": {"send"}}); a.Status != http.StatusForbidden {
		t.Errorf("an analyst hands over: %d", a.Status)
	}
}

func TestNothingFromARecordBecomesMarkup(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	id := incidenttest.Hospital().Steps[3].Evidence[0].Event.String()
	a := c.Get("/events/" + id)
	if strings.Contains(a.Body, "<b>not markup</b>") || !strings.Contains(a.Body, "&lt;b&gt;not markup&lt;/b&gt;") {
		t.Error("a field of a record became markup")
	}
	for _, q := range []string{`"><script>alert(1)</script>`, `' onfocus='x`, "\u202egpj.exe"} {
		for _, p := range []string{"/search?q=", "/incidents?text=", "/findings?text=", "/sources?text=", "/rules?text="} {
			a := c.Get(p + url.QueryEscape(q))
			if strings.Contains(a.Body, "<script>alert") {
				t.Errorf("%s%s came back as markup", p, q)
			}
			elements(t, p+q, a.Body)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	s := webtest.New(t)
	c := s.Client(t)
	n := 0
	err := filepath.WalkDir("static", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if m := regexp.MustCompile(`(https?:)?//[a-z0-9.-]+\.[a-z]{2,}`).FindString(strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")); m != "" {
			t.Errorf("%s refers to %s", p, m)
		}
		a := c.Get("/" + filepath.ToSlash(p))
		if a.Status != http.StatusOK || a.Body != string(b) || a.Header.Get("ETag") == "" || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", p, a.Status, a.Header)
		}
		return nil
	})
	if err != nil || n < 10 {
		t.Fatalf("%d files, %v", n, err)
	}
	for _, p := range []string{"/static/", "/static/../console.go", "/static/nothing.js"} {
		if a := c.Get(p); a.Status == http.StatusOK {
			t.Errorf("%s is served", p)
		}
	}
}

// TestTexts fails when a page asks for a text that is not there, or a text
// stands in the catalogue that no page asks for.
func TestTexts(t *testing.T) {
	var source strings.Builder
	for _, glob := range []string{"*.go", "templates/*.html", "templates/common/*.html"} {
		names, err := filepath.Glob(glob)
		if err != nil || len(names) == 0 {
			t.Fatal(glob, err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, "_test.go") {
				continue
			}
			b, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	src := source.String()
	used := map[string]bool{}
	for _, re := range []string{`[{( ]t "([a-z0-9_.]+)"`, `"console\.([a-z0-9_.]+[a-z0-9_])"`} {
		for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(src, -1) {
			used[m[1]] = true
			if !text.Has(text.En, "console."+m[1]) {
				t.Errorf("console.%s is asked for and not there", m[1])
			}
		}
	}
	// Keys that are put together: their first part.
	parts := []string{}
	for _, re := range []string{`print "([a-z.]+\.)"`, `"console\.([a-z]+\.)"`, `t\("([a-z]+\.)"`} {
		for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(src, -1) {
			parts = append(parts, m[1])
		}
	}
	parts = append(parts, "error.", "done.", "link.wrong", "login.wrong")
	for _, k := range text.Keys(text.En) {
		k, ok := strings.CutPrefix(k, "console.")
		if !ok || used[k] || used[strings.TrimSuffix(k, ".one")] {
			continue
		}
		if !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(k, p) }) {
			t.Errorf("console.%s is there and nobody asks for it", k)
		}
	}
}

func TestRealmsSeeNothingOfEachOther(t *testing.T) {
	s := webtest.New(t)
	for _, p := range webtest.People {
		c := s.As(t, p.Name)
		paths := []string{"/cases", "/cases/x", "/cases/x/events", "/inbox/x"}
		if p.Realm == asset.Police {
			paths = []string{"/now", "/incidents", "/incidents/" + s.Incident, "/findings", "/search?q=", "/events/" + strings.Repeat("0", 32), "/sources", "/rules"}
		}
		for _, path := range paths {
			for _, prefix := range []string{"", "/api/v1"} {
				if prefix != "" && (strings.HasPrefix(path, "/search") || path == "/now" || strings.HasPrefix(path, "/cases/x/")) {
					continue
				}
				if a := c.Get(prefix + path); a.Status != http.StatusForbidden {
					t.Errorf("%s (%s) asks for %s%s: %d", p.Name, p.Role, prefix, path, a.Status)
				}
			}
		}
	}
}

// TestSearchPage asks in the query language, follows every facet to the number
// it promised, and makes mistakes.
func TestSearchPage(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	c.Lang = "en"
	total := func(path string) string {
		t.Helper()
		a := c.Get(path)
		m := regexp.MustCompile(`<p class="total"><b>([0-9,]+)</b>`).FindStringSubmatch(a.Body)
		if a.Status != http.StatusOK || m == nil {
			t.Fatalf("%s: %d", path, a.Status)
		}
		return m[1]
	}
	if n := total("/search?q=" + url.QueryEscape(`event_id:(4624 OR 4625) AND NOT user:svc_backup last:24h`)); n == "0" {
		t.Error("nothing is found")
	}
	base := "/search?q=event_id%3A4624+OR+event_id%3A4625&span=24h"
	page := c.Get(base).Body
	links := regexp.MustCompile(`<li><a href="(/search[^"]+)" title="[^"]*"><span class="fv">([^<]*)</span>.*?<span class="fc">([0-9,]+)</span>`).FindAllStringSubmatch(page, -1)
	if len(links) < 15 {
		t.Fatalf("%d facet values", len(links))
	}
	for _, l := range links {
		if n := total(html.UnescapeString(l[1])); n != l[3] {
			t.Errorf("facet %s promises %s and gives %s", l[2], l[3], n)
		}
	}
	// Pages do not overlap and end.
	seen := map[string]bool{}
	for path, n := base, 0; path != ""; n++ {
		if n > 40 {
			t.Fatal("the pages do not end")
		}
		body := c.Get(path).Body
		for _, m := range regexp.MustCompile(`class="rowlink" href="/events/([0-9a-f]{32})"`).FindAllStringSubmatch(body, -1) {
			if seen[m[1]] {
				t.Errorf("event %s twice", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(body); m != nil {
			path = html.UnescapeString(m[1])
		}
	}
	if want := total(base); strings.ReplaceAll(want, ",", "") != fmt.Sprint(len(seen)) {
		t.Errorf("%d events on all pages, %s in all", len(seen), want)
	}
	for _, wrong := range []string{"(event_id:4625", "host:", `"open`, "last:soon"} {
		for _, l := range []text.Lang{text.En, text.ZhTW} {
			c.Lang = string(l)
			a := c.Get("/search?q=" + url.QueryEscape(wrong))
			if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `id="q-error" role="alert"`) || !strings.Contains(a.Body, `value="`) {
				t.Errorf("%s: %d", wrong, a.Status)
			}
			check(t, "search "+wrong, l, a)
		}
	}
}

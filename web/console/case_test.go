// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"citywall/asset"
	"citywall/identity"
	"citywall/incident/incidenttest"
	"citywall/internal/text"
	"citywall/web/webtest"
)

func TestCasePages(t *testing.T) {
	s := webtest.New(t)
	box := s.Handed(t)
	kase := s.Opened(t, box[0])
	ev := incidenttest.Hospital().Hops[0].Evidence[0].Event.String()
	for _, p := range webtest.People {
		may := p.Realm == asset.Police && (p.Role == identity.Investigator || p.Role == identity.Supervisor)
		c := s.As(t, p.Name)
		for _, l := range []text.Lang{text.ZhTW, text.En} {
			c.Lang = string(l)
			for _, path := range []string{"/cases", "/cases?status=open&text=hospital&sort=number", "/cases/" + kase, "/cases/" + kase + "/events", "/cases/" + kase + "/events?q=", "/cases/" + kase + "/events/" + ev, "/inbox/" + box[1]} {
				a := c.Get(path)
				if may != (a.Status == http.StatusOK) || !may && a.Status != http.StatusForbidden {
					t.Errorf("%s (%s) %s: %d", p.Name, p.Role, path, a.Status)
				}
				check(t, p.Name+" "+path, l, a)
			}
			for _, path := range []string{"/cases/" + kase + "/exhibits/1", "/cases/" + kase + "/report", "/cases/" + kase + "/picture.svg", "/cases/" + kase} {
				if a := c.Get("/api/v1" + path); may != (a.Status == http.StatusOK) {
					t.Errorf("%s (%s) /api/v1%s: %d", p.Name, p.Role, path, a.Status)
				}
			}
		}
		for _, act := range []string{"/note", "/status", "/change", "/verify"} {
			if a := c.Post("/cases/"+kase+act, url.Values{"text": {"x"}, "version": {"1"}, "status": {"nowhere"}}); !may && a.Status != http.StatusForbidden {
				t.Errorf("%s (%s) posts to %s: %d", p.Name, p.Role, act, a.Status)
			}
		}
	}
	body := s.As(t, "chang.kh").Get("/cases/" + kase).Body
	if !strings.Contains(body, "115年") || !strings.Contains(body, "115-刑-000001") {
		t.Error("a case is not written in the ROC calendar")
	}
	if strings.Contains(body, `href="/incidents/`) || strings.Contains(body, `href="/events/`) {
		t.Error("a case links into the city's estate")
	}
}

// TestCaseLife walks a case by the forms of its page.
func TestCaseLife(t *testing.T) {
	s := webtest.New(t)
	kase := "/cases/" + s.Opened(t, s.Handed(t)[0])
	boss, officer := s.As(t, "huang.st"), s.As(t, "chang.kh")
	boss.Lang, officer.Lang = "en", "en"
	version := func(c *webtest.Client) string {
		m := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(c.Get(kase).Body)
		if m == nil {
			t.Fatal("the page offers no change")
		}
		return m[1]
	}
	for _, x := range []struct {
		c      *webtest.Client
		path   string
		form   url.Values
		status int
	}{
		{officer, "/status", url.Values{"status": {"investigating"}}, 303},
		{officer, "/note", url.Values{"text": {"調閱虛擬化平台紀錄"}}, 303},
		{officer, "/change", url.Values{"title": {"市立醫院案"}}, 303},
		{officer, "/change", url.Values{"owner": {"huang.st"}}, 403},
		{boss, "/change", url.Values{"owner": {"nobody.here"}}, 400},
		{boss, "/change", url.Values{"owner": {"huang.st"}}, 303},
		{officer, "/status", url.Values{"status": {"closed"}, "reason": {"done"}}, 403},
		{boss, "/status", url.Values{"status": {"closed"}}, 400},
		{boss, "/status", url.Values{"status": {"closed"}, "reason": {"移送地檢署"}}, 303},
		{boss, "/verify", url.Values{}, 200},
	} {
		x.form.Set("version", version(boss))
		if a := x.c.Post(kase+x.path, x.form); a.Status != x.status {
			t.Errorf("%s %v: %d, want %d", x.path, x.form, a.Status, x.status)
		}
	}
	body := boss.Get(kase).Body
	for _, want := range []string{"市立醫院案", "調閱虛擬化平台紀錄", "移送地檢署", ">closed<"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	check(t, kase, text.En, boss.Get(kase))

	// An exhibit that somebody changed is found.
	var victim string
	err := filepath.WalkDir(filepath.Join(s.Dir, "cases"), func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, "events.jsonl") {
			victim = p
		}
		return err
	})
	if err != nil || victim == "" {
		t.Fatalf("no exhibit of records: %v", err)
	}
	b, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(victim, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(victim, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a := boss.Post(kase+"/verify", nil)
	if a.Status != 200 || !strings.Contains(a.Body, "events.jsonl") || !strings.Contains(a.Body, `role="alert"`) {
		t.Errorf("a changed exhibit is not told of: %d", a.Status)
	}
	check(t, "changed exhibit", text.En, a)
}

// TestCarriedPackage downloads a package and uploads it, as two installations
// would.
func TestCarriedPackage(t *testing.T) {
	s := webtest.New(t)
	lead, officer := s.As(t, "chen.yj"), s.As(t, "chang.kh")
	a := lead.Post("/incidents/"+s.Incident+"/handover", url.Values{"reason": {"請偵辦"}, "how": {"download"}})
	if a.Status != 200 || !strings.Contains(a.Header.Get("Content-Disposition"), ".citywall") {
		t.Fatalf("download: %d %v", a.Status, a.Header)
	}
	send := func(b string) webtest.Answer {
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		f, err := w.CreateFormFile("package", "p.citywall")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return officer.Do("POST", "/inbox", w.FormDataContentType(), &form)
	}
	damaged := []byte(a.Body)
	damaged[len(damaged)/2] ^= 0x10
	if x := send(string(damaged)); x.Status != http.StatusBadRequest {
		t.Errorf("a damaged package: %d", x.Status)
	}
	up := send(a.Body)
	if up.Status != http.StatusSeeOther || !strings.HasPrefix(up.Header.Get("Location"), "/inbox/") {
		t.Fatalf("upload: %d %.300s", up.Status, up.Body)
	}
	if again := send(a.Body); again.Status != http.StatusSeeOther {
		t.Errorf("the same package again: %d", again.Status)
	}
	at, _, _ := strings.Cut(up.Header.Get("Location"), "?")
	page := officer.Get(at)
	check(t, at, text.ZhTW, page)
	open := officer.Post(at+"/open", url.Values{"title": {"市立醫院案"}})
	if open.Status != http.StatusSeeOther || !strings.HasPrefix(open.Header.Get("Location"), "/cases/") {
		t.Fatalf("open: %d %.300s", open.Status, open.Body)
	}
	if x := officer.Post(at+"/open", url.Values{"title": {"市立醫院案"}}); x.Status != http.StatusNotFound {
		t.Errorf("opened twice: %d", x.Status)
	}
	if x := send(a.Body); x.Status == http.StatusSeeOther {
		// It may wait again, but no second case comes of it.
		at, _, _ := strings.Cut(x.Header.Get("Location"), "?")
		if y := officer.Post(at+"/open", url.Values{"title": {"again"}}); y.Status != http.StatusConflict {
			t.Errorf("a second case from one package: %d", y.Status)
		}
	}
	for _, id := range []string{"..%2f..%2fcity", "x", strings.Repeat("a", 36)} {
		if x := officer.Get("/inbox/" + id); x.Status != http.StatusNotFound {
			t.Errorf("package %q: %d", id, x.Status)
		}
	}
}

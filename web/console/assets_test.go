// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"bytes"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"citywall/web/webtest"
)

// TestMachinePage: the links of a machine's page lead where they say, and the
// forms do what they say.
func TestMachinePage(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	page := c.Get("/assets/devices/" + s.Device).Body
	link := regexp.MustCompile(`href="(/search\?[^"]+)"`).FindStringSubmatch(page)
	if link == nil {
		t.Fatal("the page has no way to the records")
	}
	if a := c.Get(html.UnescapeString(link[1])); a.Status != http.StatusOK {
		t.Errorf("%s: %d", link[1], a.Status)
	}
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(page)[1]
	subject := regexp.MustCompile(`name="subject" value="([^"]+)"`).FindStringSubmatch(page)[1]
	if a := c.Post("/assets/notes", url.Values{"subject": {html.UnescapeString(subject)}, "version": {version}, "contact": {"黃 0900-000-099"}}); a.Status != http.StatusSeeOther {
		t.Errorf("write a contact: %d", a.Status)
	}
	if !strings.Contains(c.Get("/assets/devices/"+s.Device).Body, "黃 0900-000-099") {
		t.Error("the contact is not there")
	}
	if a := c.Post("/assets/drawings/"+s.Drawing+"/state", url.Values{"state": {"accepted"}}); a.Status != http.StatusSeeOther {
		t.Errorf("accept: %d", a.Status)
	}
	if !strings.Contains(c.Get("/assets/differences?kind=undrawn_path").Body, "10.20.33.77") {
		t.Error("traffic that the accepted policies do not allow is not named")
	}
}

// TestDrawingUpload: a file that is uploaded is read and previewed, and does not
// count yet.
func TestDrawingUpload(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	upload := func(file string) webtest.Answer {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.WriteField("name", "圖"); err != nil {
			t.Fatal(err)
		}
		f, err := w.CreateFormFile("file", "list.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, file); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return c.Do("POST", "/assets/drawings", w.FormDataContentType(), &b)
	}
	a := upload("name,address\nct-scanner,10.20.33.77\n")
	to := a.Header.Get("Location")
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(to, "/assets/drawings/") {
		t.Fatalf("%d %s", a.Status, to)
	}
	if page := c.Get(to).Body; !strings.Contains(page, "ct-scanner") || !strings.Contains(page, "list.csv") {
		t.Error("the preview does not say what is new")
	}
	if strings.Contains(c.Get("/assets?text=ct-scanner").Body, "10.20.33.77") {
		t.Error("it counts before it is accepted")
	}
	if a := upload("hello"); a.Status != http.StatusBadRequest {
		t.Errorf("no drawing: %d", a.Status)
	}
	if a := s.As(t, "lin.zh").Do("POST", "/assets/drawings", "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nname\r\n--x--\r\n")); a.Status != http.StatusForbidden {
		t.Errorf("an analyst hands in a drawing: %d", a.Status)
	}
}

// TestWhom: an incident's page says whom to call about machines that are to be
// cut off, and names those of which nobody is known.
func TestWhom(t *testing.T) {
	s := webtest.New(t)
	page := s.As(t, "lin.zh").Get("/incidents/" + s.Incident).Body
	_, after, ok := strings.Cut(page, `id="whom"`)
	section, _, _ := strings.Cut(after, "</section>")
	if !ok || !strings.Contains(section, "02-0000-0000") || !strings.Contains(section, "opd-pc01") {
		t.Errorf("nobody is named: %.600s", section)
	}
	if !strings.Contains(section, "bk01") {
		t.Error("bk01, which is on no drawing, is left out")
	}
}

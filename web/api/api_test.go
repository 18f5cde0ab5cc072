// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"citywall/incident"
	"citywall/internal/fault"
	"citywall/web/api"
	"citywall/web/webtest"
)

func TestKindsOfFault(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for _, c := range []struct {
		err    error
		status int
		kind   fault.Kind
	}{
		{fault.New(fault.Invalid, "x"), 400, fault.Invalid},
		{fault.New(api.Unauthenticated, "x"), 401, api.Unauthenticated},
		{fault.New(fault.Forbidden, "x"), 403, fault.Forbidden},
		{fault.New(fault.NotFound, "x"), 404, fault.NotFound},
		{fmt.Errorf("wrapped: %w", fault.New(fault.Conflict, "x")), 409, fault.Conflict},
		{fault.New(fault.Busy, "x"), 429, fault.Busy},
		{fault.New(fault.Unavailable, "x"), 503, fault.Unavailable},
		{&http.MaxBytesError{Limit: 1}, 413, fault.Invalid},
		{context.DeadlineExceeded, 503, fault.Busy},
	} {
		status, p := api.Explain(t.Context(), log, c.err)
		if status != c.status || p.Kind != c.kind {
			t.Errorf("%v: %d %s, want %d %s", c.err, status, p.Kind, c.status, c.kind)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("an error of the caller was logged: %s", logged.String())
	}
	status, p := api.Explain(t.Context(), log, errors.New("password=hunter2 in dsn"))
	if status != 500 || strings.Contains(p.Message, "hunter2") || !strings.Contains(logged.String(), "hunter2") {
		t.Errorf("an inner error: %d %q, log %q", status, p.Message, logged.String())
	}
}

func TestRefusals(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	for _, x := range []struct {
		what, method, path, kind, body string
		status                         int
	}{
		{"no such path", "GET", "/nothing", "", "", 404},
		{"wrong method", "GET", "/login", "", "", 404},
		{"form instead of JSON", "POST", "/incidents/" + s.Incident + "/notes", "application/x-www-form-urlencoded", "text=x", 400},
		{"no object", "POST", "/incidents/" + s.Incident + "/notes", "application/json", "[1]", 400},
		{"two objects", "POST", "/incidents/" + s.Incident + "/notes", "application/json", `{"text":"a"}{"text":"b"}`, 400},
		{"too large", "POST", "/incidents/" + s.Incident + "/notes", "application/json", `{"text":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
	} {
		a := c.Do(x.method, api.Prefix+x.path, x.kind, strings.NewReader(x.body))
		if a.Status != x.status || !strings.Contains(a.Body, `"error"`) {
			t.Errorf("%s: %d %.200s, want %d", x.what, a.Status, a.Body, x.status)
		}
	}
	// A browser that another site sends here.
	for _, site := range []string{"cross-site", "same-site"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+api.Prefix+"/session/end", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", site)
		req.Header.Set("Content-Type", "application/json")
		req.AddCookie(&http.Cookie{Name: "citywall", Value: c.Cookie("citywall")})
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d, want it refused", site, res.StatusCode)
		}
	}
	if a := c.Get(api.Prefix + "/session"); a.Status != 200 {
		t.Error("the refused request ended the session")
	}
}

// TestLive opens the stream, changes something, and waits for the stream to
// say so; then ends the session and waits for the end.
func TestLive(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+api.Prefix+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "citywall", Value: c.Cookie("citywall")})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("content type %q", ct)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	next := func() (name, id, data string) {
		for lines.Scan() {
			l := lines.Text()
			switch {
			case strings.HasPrefix(l, "event: "):
				name = l[7:]
			case strings.HasPrefix(l, "id: "):
				id = l[4:]
			case strings.HasPrefix(l, "data: "):
				data += l[6:]
			case l == "" && name != "":
				return name, id, data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return
	}
	name, id, data := next()
	var live struct{ Counts map[incident.State]int }
	mustJSON(t, data, &live)
	if name != "live" || id == "" || live.Counts[incident.New] != 1 {
		t.Fatalf("first event: %s %s %v", name, id, live.Counts)
	}
	var rec struct{ Version int64 }
	mustJSON(t, c.Get(api.Prefix+"/incidents/"+s.Incident).Body, &rec)
	s.Forward(2 * time.Second) // the desk's answer is a second old at most
	if a := c.Send(api.Prefix+"/incidents/"+s.Incident+"/state", fmt.Sprintf(`{"version":%d,"state":"triaged"}`, rec.Version)); a.Status != 200 {
		t.Fatalf("triage: %d %s", a.Status, a.Body)
	}
	s.Forward(2 * time.Second)
	for live.Counts[incident.New] != 0 {
		_, _, data = next()
		live.Counts = nil
		mustJSON(t, data, &live)
	}
	if a := c.Send(api.Prefix+"/session/end", "{}"); a.Status != 204 {
		t.Fatalf("sign out: %d", a.Status)
	}
	for name != "end" {
		name, _, _ = next()
	}
}

func TestExportsAreSafeToOpen(t *testing.T) {
	s := webtest.New(t)
	c := s.As(t, "chen.yj")
	a := c.Get(api.Prefix + "/events/export?format=csv&from=2026-11-20T18:00:00Z&to=2026-11-20T20:00:00Z")
	if a.Status != 200 || !strings.HasPrefix(a.Body, "\ufeff") || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %.100q %v", a.Status, a.Body, a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.Body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var n struct{ Count int }
	mustJSON(t, c.Get(api.Prefix+"/events/count?from=2026-11-20T18:00:00Z&to=2026-11-20T20:00:00Z").Body, &n)
	if len(rows)-1 != n.Count || n.Count < 60 {
		t.Errorf("%d rows, %d events", len(rows)-1, n.Count)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("a spreadsheet would run %q", cell)
			}
		}
	}
	a = c.Get(api.Prefix + "/events/export?format=ocsf&from=2026-11-20T18:00:00Z&to=2026-11-20T20:00:00Z")
	classes := map[float64]int{}
	for _, l := range strings.Split(strings.TrimSpace(a.Body), "\n") {
		var o map[string]any
		mustJSON(t, l, &o)
		classes[o["class_uid"].(float64)]++
	}
	if sum := classes[3002] + classes[1007] + classes[4001] + classes[0]; sum != n.Count || classes[3002] == 0 {
		t.Errorf("OCSF classes %v of %d events", classes, n.Count)
	}
	a = c.Get(api.Prefix + "/events/export?format=jsonl&from=2026-11-20T18:00:00Z&to=2026-11-20T20:00:00Z")
	lines := strings.Split(strings.TrimSpace(a.Body), "\n")
	if len(lines) != n.Count {
		t.Errorf("%d lines, %d events", len(lines), n.Count)
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("no JSON: %.200s", l)
		}
	}
}

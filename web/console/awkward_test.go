// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/casework"
	"citywall/detect"
	"citywall/eventstore"
	"citywall/eventstore/query"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/incidenttest"
	"citywall/internal/text"
	"citywall/web/desk"
	"citywall/web/door"
)

// execute makes a page over data without a server behind it.
func execute(t testing.TB, s *Server, name string, data any) string {
	t.Helper()
	who := door.Caller{Who: desk.Who{Principal: identity.Principal{User: "x", Name: "X", Realm: asset.City, Role: identity.SOCLead}}}
	b, err := s.execute(text.ZhTW, name, "layout", View{Lang: text.ZhTW, Page: name, Title: name, Who: who, Data: data, can: func(identity.Action) bool { return true }})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(b)
}

// TestEmptyAndHuge shows incidents and cases that hold nothing, and one that
// holds more than anybody reads.
func TestEmptyAndHuge(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{"handover": true, "incident.note": true, "incident.triage": true, "incident.merge": true}
	show := func(in incident.Incident) string {
		st, err := newStory(text.ZhTW, in, nil, "/events/", "/api/v1/incidents/x")
		if err != nil {
			t.Fatal(err)
		}
		return execute(t, s, "incident", incidentData{story: st, Rec: incidentdb.Record{ID: "x", State: incident.New, Incident: in}, Next: "triage", Moves: []incident.State{incident.Triaged}, May: all})
	}
	if b := show(incident.Incident{}); !strings.Contains(b, text.T(text.ZhTW, "console.hops.none")) {
		t.Error("an empty incident does not say that it is empty")
	}
	in := incidenttest.Hospital()
	for i := range 3000 {
		h := in.Hops[i%7]
		h.N = len(in.Hops) + 1
		in.Hops = append(in.Hops, h)
		in.Hosts = append(in.Hosts, incident.HostState{Host: fmt.Sprintf("h%d", i), Compromised: true, First: h.Time, Isolate: "now"})
		in.Steps = append(in.Steps, incident.StepEvent{Time: h.Time, Host: fmt.Sprintf("h%d", i), Step: detect.StepEncrypt, What: "x", Rows: 1})
	}
	b := show(in)
	if n := strings.Count(b, "<tr"); n > 5000 || len(b) > 6<<20 {
		t.Errorf("%d rows, %d bytes for a huge incident", n, len(b))
	}
	if !strings.Contains(b, text.T(text.ZhTW, "console.cutlist", "n", "2,535")) {
		t.Error("what was left out is not said")
	}
	c := execute(t, s, "case", caseData{File: casework.File{Case: casework.Case{ID: "x", Number: "115-刑-000001", Status: casework.Open, Source: casework.Source{Kind: casework.FromReport}}}})
	if !strings.Contains(c, text.T(text.ZhTW, "console.case.noincident")) {
		t.Error("a case without an incident does not say so")
	}
	for name, data := range map[string]any{
		"incidents": incidentsData{}, "findings": findingsData{}, "sources": sourcesData{}, "rules": rulesData{}, "cases": casesData{}, "users": usersData{}, "audit": auditData{},
		"now": nowData{}, "search": searchData{Ran: true},
	} {
		if b := execute(t, s, name, data); !strings.Contains(b, `class="empty"`) && name != "search" {
			t.Errorf("%s: nothing says what to do next", name)
		}
	}
}

// TestHopRuns folds what says the same and nothing else.
func TestHopRuns(t *testing.T) {
	runs := hopRuns(incidenttest.Hospital().Hops)
	if len(runs) != 8 || len(runs[7].Hops) != incidenttest.Encrypted || runs[7].Targets() != incidenttest.Encrypted || runs[7].LastN() != 37 {
		t.Errorf("%d runs: %+v", len(runs), runs[len(runs)-1])
	}
	n := 0
	for _, r := range runs {
		n += len(r.Hops)
	}
	if n != 37 {
		t.Errorf("%d hops in the runs, want 37", n)
	}
}

// TestListsInMemoryArePaged walks the pages of a long list to its end.
func TestListsInMemoryArePaged(t *testing.T) {
	all := make([]int, 2*perPage+7)
	for i := range all {
		all[i] = i
	}
	path, got, pages := "/rules?state=loaded&text=a+b", []int{}, 0
	for path != "" {
		if pages++; pages > 5 {
			t.Fatal("the pages do not end")
		}
		page, next, first := cut(httptest.NewRequestWithContext(t.Context(), "GET", path, nil), all, strconv.Itoa)
		got, path = append(got, page...), next
		if (first != "") != (pages > 1) || first != "" && first != "/rules?state=loaded&text=a+b" {
			t.Errorf("page %d: first is %q", pages, first)
		}
	}
	if !slices.Equal(got, all) || pages != 3 {
		t.Errorf("%d items on %d pages", len(got), pages)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 48_211: "48.2 kB", 999_999: "1000 kB", 41_231_688_192: "41.2 GB", 1_500_000_000_000: "1.50 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("bytes %d: %q, want %q", n, got, want)
		}
	}
	at := time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC) // already New Year in Taipei
	if got := string(roc(text.ZhTW, at)); !strings.Contains(got, "116年1月1日 00:30") || !strings.Contains(got, "UTC 2026-12-31 16:30:00.000") {
		t.Errorf("ROC date: %s", got)
	}
	for name, want := range map[string]string{
		"http:demo/wec-hos/14": "wec-hos", "web-reg01": "web-reg01", `C:\logs\Security.evtx`: "Security.evtx", "1234": "1234", "": "",
		"tcp:01a20eb6-3810-771b-9204-1deb21aa9c4c": "tcp:01a20eb6-3…21aa9c4c",
	} {
		if got := label(name); got != want {
			t.Errorf("label(%q) = %q, want %q", name, got, want)
		}
	}
	// What narrows a query reads back as just that condition, whatever the value.
	for _, q := range []string{"", "a OR b", "last:1h", `host:web1 AND NOT user:x`} {
		for _, value := range []string{"web1", `hosp\wu.yt`, `he said "x"`, "10.0.0.0", "a*b", "a?b", "10.0.0.0/8", ">5", "-", "(x)", "AND", "a b"} {
			text := narrow(q, "message", value)
			got, err := query.Parse(text, time.Now())
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			want := eventstore.Cond{Field: "message", Op: eventstore.Eq, Value: value}
			last := got.Filter
			if and, ok := last.(eventstore.And); ok {
				last = and[len(and)-1]
			}
			if last != eventstore.Filter(want) {
				t.Errorf("%s narrows to %#v", text, last)
			}
		}
	}
}

// TestContrast holds every pair of ink and ground that the pages use to WCAG
// 2.2: 4.5 to 1 for text, in light and dark.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("static/css/base.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllSubmatch(css, -1) {
		name := string(m[1])
		if _, second := light[name]; second {
			name = "police-" + name
		}
		light[name], dark[name] = string(m[2]), string(m[3])
	}
	pairs := [][2]string{}
	for _, ink := range []string{"ink", "ink2", "ink3", "accent", "police-accent", "crit", "high", "med", "low", "info", "good"} {
		for _, ground := range []string{"surface", "raised", "bg"} {
			pairs = append(pairs, [2]string{ink, ground})
		}
	}
	pairs = append(pairs, [2]string{"crit", "crit-soft"}, [2]string{"high", "high-soft"}, [2]string{"med", "med-soft"}, [2]string{"low", "low-soft"}, [2]string{"info", "info-soft"},
		[2]string{"good", "good-soft"}, [2]string{"accent", "accent-soft"}, [2]string{"police-accent", "police-accent-soft"}, [2]string{"ink", "accent-soft"}, [2]string{"ink2", "crit-soft"}, [2]string{"ink", "hover"}, [2]string{"ink2", "hover"})
	for theme, tokens := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			a, b := tokens[p[0]], tokens[p[1]]
			if a == "" || b == "" {
				t.Fatalf("no token %v", p)
			}
			if r := contrast(a, b); r < 4.5 {
				t.Errorf("%s: %s on %s is %.2f to 1", theme, p[0], p[1], r)
			}
		}
		for _, fill := range []string{"accent-fill", "police-accent-fill"} {
			if r := contrast("#ffffff", tokens[fill]); r < 4.5 {
				t.Errorf("%s: white on %s is %.2f to 1", theme, fill, r)
			}
		}
	}
}

func contrast(a, b string) float64 {
	lum := func(hex string) float64 {
		sum := 0.0
		for i, w := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
			if err != nil {
				panic(err) // the pattern above lets nothing else through
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += w * c
		}
		return sum
	}
	x, y := lum(a), lum(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func BenchmarkIncidentPage(b *testing.B) {
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	in := incidenttest.Hospital()
	var out bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		st, err := newStory(text.ZhTW, in, incidenttest.Findings(), "/events/", "/api/v1/incidents/x")
		if err != nil {
			b.Fatal(err)
		}
		out.WriteString(execute(b, s, "incident", incidentData{story: st, Rec: incidentdb.Record{ID: "x", State: incident.New, Incident: in}, Next: "triage", May: map[string]bool{}}))
		b.SetBytes(int64(out.Len()))
		out.Reset()
	}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"citywall/incident/incidenttest"
	"citywall/web/api"
	"citywall/web/webtest"
)

// spec is the document, made strict: what an answer holds and the document
// does not name is an error too.
type spec struct {
	root  map[string]any
	paths map[string]any
	comp  *jsonschema.Compiler
}

func load(t *testing.T) spec {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(api.Document, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	schemas := root["components"].(map[string]any)["schemas"].(map[string]any)
	for name, s := range schemas {
		schemas[name] = flatten(schemas, s.(map[string]any))
	}
	strict(root)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("https://citywall.test/openapi.json", root); err != nil {
		t.Fatal(err)
	}
	return spec{root, root["paths"].(map[string]any), c}
}

// flatten joins the parts of an allOf, so that strict can close the whole.
func flatten(schemas map[string]any, s map[string]any) map[string]any {
	for k, v := range s {
		if m, ok := v.(map[string]any); ok {
			s[k] = flatten(schemas, m)
		}
	}
	all, ok := s["allOf"].([]any)
	if !ok {
		return s
	}
	out := map[string]any{"type": "object", "properties": map[string]any{}}
	var required []any
	for _, x := range all {
		part := x.(map[string]any)
		if ref, ok := part["$ref"].(string); ok {
			part = flatten(schemas, schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any))
		}
		for k, v := range part["properties"].(map[string]any) {
			out["properties"].(map[string]any)[k] = v
		}
		if r, ok := part["required"].([]any); ok {
			required = append(required, r...)
		}
	}
	out["required"] = required
	return out
}

func strict(v any) {
	switch x := v.(type) {
	case map[string]any:
		_, props := x["properties"].(map[string]any)
		_, said := x["additionalProperties"]
		_, typed := x["type"]
		if props && typed && !said {
			x["additionalProperties"] = false
		}
		for _, y := range x {
			strict(y)
		}
	case []any:
		for _, y := range x {
			strict(y)
		}
	}
}

// response finds what the document says of an answer: the schema of its media
// type, by pointer.
func (s spec) response(t *testing.T, method, path string, status int, media string) string {
	t.Helper()
	op := s.paths[path].(map[string]any)[strings.ToLower(method)].(map[string]any)
	at := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + strings.ToLower(method) + "/responses/"
	rs := op["responses"].(map[string]any)
	key := fmt.Sprint(status)
	r, ok := rs[key].(map[string]any)
	if !ok {
		key = "default"
		if r, ok = rs[key].(map[string]any); !ok {
			t.Fatalf("%s %s: status %d is not documented", method, path, status)
		}
	}
	at += key
	if ref, ok := r["$ref"].(string); ok {
		at = ref
		r = s.root["components"].(map[string]any)["responses"].(map[string]any)[strings.TrimPrefix(ref, "#/components/responses/")].(map[string]any)
	}
	content, ok := r["content"].(map[string]any)
	if !ok {
		return "" // no body
	}
	if _, ok := content[media]; !ok {
		t.Fatalf("%s %s: answers %s, documented are %v", method, path, media, content)
	}
	return at + "/content/" + strings.ReplaceAll(media, "/", "~1") + "/schema"
}

func TestEveryRouteIsDocumentedAndTheReverse(t *testing.T) {
	s := load(t)
	var documented []string
	for path, item := range s.paths {
		for method := range item.(map[string]any) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	routes := api.Routes()
	for _, r := range routes {
		if !slices.Contains(documented, r) {
			t.Errorf("%s is not in openapi.yaml", r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(routes, d) {
			t.Errorf("%s is in openapi.yaml and nowhere else", d)
		}
	}
	for path, item := range s.paths {
		for method, op := range item.(map[string]any) {
			names := map[string]bool{}
			ps, _ := op.(map[string]any)["parameters"].([]any)
			for _, p := range ps {
				m := p.(map[string]any)
				if ref, ok := m["$ref"].(string); ok {
					m = s.root["components"].(map[string]any)["parameters"].(map[string]any)[strings.TrimPrefix(ref, "#/components/parameters/")].(map[string]any)
				}
				if m["in"] == "path" {
					names[m["name"].(string)] = true
				}
			}
			for part := range strings.SplitSeq(path, "/") {
				if strings.HasPrefix(part, "{") && !names[strings.Trim(part, "{}")] {
					t.Errorf("%s %s: path parameter %s is not described", method, path, part)
				}
			}
		}
	}
}

// call is one real request.
type call struct {
	op     string // as documented
	who    string // signed in as
	path   string // the concrete path
	body   string // JSON
	status int
}

// TestAnswersAreAsDocumented asks every operation of the document for real and
// holds the answers to their schemas. An operation that is never asked for
// with success fails the test.
func TestAnswersAreAsDocumented(t *testing.T) {
	s := load(t)
	site := webtest.New(t)
	inc := "/incidents/" + site.Incident
	other := "/incidents/" + site.IDs[incidenttest.Others()[0].ID]
	third := site.IDs[incidenttest.Others()[1].ID]
	ev := incidenttest.Hospital().Hops[0].Evidence[0].Event.String()
	fd := incidenttest.Findings()[0].ID
	span := "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z"
	login := fmt.Sprintf(`{"realm":"city","user":"chen.yj","password":%q}`, webtest.Password)

	asked := map[string]bool{}
	clients := map[string]*webtest.Client{}
	do := func(c call) webtest.Answer {
		t.Helper()
		cl := clients[c.who]
		if cl == nil {
			if cl = site.Client(t); c.who != "" {
				cl = site.As(t, c.who)
			}
			clients[c.who] = cl
		}
		method, path, _ := strings.Cut(c.op, " ")
		concrete := path
		if c.path != "" {
			concrete = c.path
		}
		var a webtest.Answer
		switch {
		case method == "GET":
			a = cl.Get(api.Prefix + concrete)
		case path == "/inbox", path == "/assets/drawings":
			a = cl.Do("POST", api.Prefix+concrete, "application/octet-stream", strings.NewReader(c.body))
		default:
			a = cl.Send(api.Prefix+concrete, c.body)
		}
		want := c.status
		if want == 0 {
			want = 200
		}
		if a.Status != want {
			t.Errorf("%s as %q: %d, want %d: %.400s", c.op, c.who, a.Status, want, a.Body)
			return a
		}
		if want < 300 {
			asked[c.op] = true
		}
		media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
		ptr := s.response(t, method, path, a.Status, media)
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached: %q", c.op, a.Header.Get("Cache-Control"))
		}
		if media != "application/json" || ptr == "" {
			return a
		}
		sch, err := s.comp.Compile("https://citywall.test/openapi.json" + ptr)
		if err != nil {
			t.Fatalf("%s: schema: %v", c.op, err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Body))
		if err != nil {
			t.Fatalf("%s: %v: %.200s", c.op, err, a.Body)
		}
		if err := sch.Validate(v); err != nil {
			t.Errorf("%s: the answer is not as documented: %v\n%.600s", c.op, err, a.Body)
		}
		return a
	}
	version := func(a webtest.Answer) string {
		var v struct{ Version int64 }
		if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(v.Version)
	}
	lead, analyst, admin, auditor, police := "chen.yj", "lin.zh", "hsu.admin", "kao.audit", "huang.st"

	for _, c := range []call{
		{op: "GET /version"}, {op: "GET /health"}, {op: "GET /openapi.yaml"}, {op: "GET /openapi.json"},
		{op: "GET /session", status: 401},
		{op: "POST /login", body: login},
		{op: "POST /login", body: `{"realm":"city","user":"chen.yj","password":"wrong"}`, status: 403},
		{op: "POST /login", body: `{"realm":"moon","user":"chen.yj","password":"wrong"}`, status: 404},
		{op: "POST /login", body: `{"realm":"city","user":"chen.yj","pass":"misspelt"}`, status: 400},
		{op: "POST /login/link", body: `{"realm":"city","link":"nothing"}`, status: 403},
		{op: "GET /session", who: lead},
		{op: "GET /events", who: lead, path: "/events?" + span},
		{op: "GET /events", who: lead, path: "/events?from=yesterday", status: 400},
		{op: "GET /events", who: admin, status: 403},
		{op: "GET /events/count", who: lead, path: "/events/count?" + span},
		{op: "GET /events/histogram", who: lead, path: "/events/histogram?width=1h&" + span},
		{op: "GET /events/histogram", who: lead, path: "/events/histogram?width=1ms&" + span, status: 400},
		{op: "GET /events/top", who: lead, path: "/events/top?field=host&" + span},
		{op: "GET /events/export", who: lead, path: "/events/export?" + span},
		{op: "GET /events/{id}", who: lead, path: "/events/" + ev},
		{op: "GET /events/{id}", who: lead, path: "/events/" + strings.Repeat("0", 32), status: 404},
		{op: "GET /events/{id}", who: lead, path: "/events/zz", status: 400},
		{op: "GET /findings", who: lead}, {op: "GET /findings/histogram", who: lead}, {op: "GET /findings/export", who: lead, path: "/findings/export?format=jsonl"},
		{op: "GET /findings/{id}", who: lead, path: "/findings/" + fd},
		{op: "GET /incidents", who: lead}, {op: "GET /incidents/export", who: lead},
		{op: "GET /incidents/{id}", who: lead, path: inc},
		{op: "GET /incidents/{id}", who: police, path: inc, status: 403},
		{op: "GET /incidents/{id}/history", who: lead, path: inc + "/history"},
		{op: "GET /incidents/{id}/findings", who: lead, path: inc + "/findings"},
		{op: "GET /incidents/{id}/picture.svg", who: lead, path: inc + "/picture.svg?print=1"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report?format=json&lang=zh-TW"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report?format=csv"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report?format=text"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report?format=attackflow"},
		{op: "GET /incidents/{id}/report", who: lead, path: inc + "/report?format=docx", status: 400},
		{op: "POST /incidents/{id}/notes", who: lead, path: inc + "/notes", body: `{"text":"seen"}`},
		{op: "GET /sources", who: lead}, {op: "GET /rules", who: lead},
		{op: "GET /rules", who: lead, path: "/rules?state=off,refused&level=high&set=citywall&sort=noise&limit=3&lang=zh-TW"},
		{op: "GET /rules", who: lead, path: "/rules?state=gone", status: 400}, {op: "GET /rules", who: lead, path: "/rules?level=grave", status: 400}, {op: "GET /rules", who: lead, path: "/rules?sort=size", status: 400},
		{op: "GET /rules/export", who: lead, path: "/rules/export?lang=zh-TW"}, {op: "GET /rules/export", who: lead, path: "/rules/export?format=jsonl&state=refused"}, {op: "GET /rules/export", who: police, status: 403},
		{op: "GET /rules/{id}", who: lead, path: "/rules/" + webtest.RuleCounting}, {op: "GET /rules/{id}", who: lead, path: "/rules/" + webtest.RuleOff}, {op: "GET /rules/{id}", who: lead, path: "/rules/nothing", status: 404},
		{op: "POST /rules/{id}/off", who: analyst, path: "/rules/" + webtest.RuleNoisy + "/off", body: `{"reason":"noise"}`, status: 403},
		{op: "POST /rules/{id}/off", who: admin, path: "/rules/" + webtest.RuleNoisy + "/off", body: `{"reason":"noise"}`, status: 403},
		{op: "POST /rules/{id}/off", who: lead, path: "/rules/" + webtest.RuleNoisy + "/off", body: `{"reason":" "}`, status: 400},
		{op: "POST /rules/{id}/off", who: lead, path: "/rules/nothing/off", body: `{"reason":"noise"}`, status: 404},
		{op: "POST /rules/{id}/off", who: lead, path: "/rules/" + webtest.RuleNoisy + "/off", body: `{"reason":"noise"}`, status: 204},
		{op: "POST /rules/{id}/off", who: lead, path: "/rules/" + webtest.RuleNoisy + "/off", body: `{"reason":"noise"}`, status: 409},
		{op: "GET /rules/{id}", who: lead, path: "/rules/" + webtest.RuleNoisy},
		{op: "POST /rules/{id}/on", who: lead, path: "/rules/" + webtest.RuleNoisy + "/on", body: `{"reason":""}`, status: 400},
		{op: "POST /rules/{id}/on", who: lead, path: "/rules/" + webtest.RuleNoisy + "/on", body: `{"reason":"mended"}`, status: 204},
		{op: "POST /rules/{id}/on", who: lead, path: "/rules/" + webtest.RuleNoisy + "/on", body: `{"reason":"mended"}`, status: 409},
		{op: "POST /rules/reload", who: admin, body: `{}`}, {op: "POST /rules/reload", who: analyst, body: `{}`, status: 403},
		{op: "POST /rules/try", who: analyst, body: `{"id":"` + webtest.RuleNoisy + `","record":"{\"EventID\":4624,\"Channel\":\"Security\",\"LogonType\":3}"}`},
		{op: "POST /rules/try", who: lead, body: `{"id":"` + webtest.RuleOff + `","event":"` + ev + `"}`},
		{op: "POST /rules/try", who: lead, body: `{"id":"` + webtest.RuleCounting + `","event":"` + ev + `"}`},
		{op: "POST /rules/try", who: lead, body: `{"rule":"title: t\nlogsource: {product: x}\ndetection: {a: {b: c}, condition: a}","record":"{\"b\":\"c\"}","product":"x"}`},
		{op: "POST /rules/try", who: lead, body: `{"rule":"title: [","record":"{}"}`, status: 400}, {op: "POST /rules/try", who: lead, body: `{"id":"x","record":"{}"}`, status: 404},
		{op: "POST /rules/try", who: lead, body: `{"id":"x","event":"zz"}`, status: 400}, {op: "POST /rules/try", who: admin, body: `{"id":"` + webtest.RuleOff + `","event":"` + ev + `"}`, status: 403},
		{op: "POST /rules/try", who: auditor, body: `{"id":"x","record":"{}"}`, status: 403},
		{op: "GET /findings/{id}/records", who: lead, path: "/findings/" + site.Counted + "/records"}, {op: "GET /findings/{id}/records", who: lead, path: "/findings/" + fd + "/records"},
		{op: "GET /findings/{id}/records", who: lead, path: "/findings/" + site.Counted + "/records?after=99", status: 400}, {op: "GET /findings/{id}/records", who: lead, path: "/findings/nothing/records", status: 404},
		{op: "GET /findings/{id}/records", who: auditor, path: "/findings/" + fd + "/records", status: 403},
		{op: "GET /rules/coverage", who: lead},
		{op: "GET /rules/coverage", who: lead, path: "/rules/coverage?format=svg&lang=zh-TW"},
		{op: "GET /rules/coverage", who: lead, path: "/rules/coverage?format=csv"},
		{op: "GET /rules/coverage", who: lead, path: "/rules/coverage?format=navigator"},
		{op: "GET /rules/coverage", who: lead, path: "/rules/coverage?format=pdf", status: 400},
		{op: "GET /rules/coverage", who: police, status: 403},
	} {
		do(c)
	}

	v := version(do(call{op: "GET /incidents/{id}", who: lead, path: inc}))
	do(call{op: "POST /incidents/{id}/owner", who: lead, path: inc + "/owner", body: `{"version":` + v + `,"owner":"nobody.here"}`, status: 400})
	v = version(do(call{op: "POST /incidents/{id}/owner", who: lead, path: inc + "/owner", body: `{"version":` + v + `,"owner":"chen.yj"}`}))
	do(call{op: "POST /incidents/{id}/state", who: lead, path: inc + "/state", body: `{"version":999,"state":"triaged"}`, status: 409})
	v = version(do(call{op: "POST /incidents/{id}/state", who: lead, path: inc + "/state", body: `{"version":` + v + `,"state":"triaged"}`}))
	split := do(call{op: "POST /incidents/{id}/split", who: lead, path: inc + "/split", body: `{"version":` + v + `,"hosts":["opd-pc07"],"reason":"another matter"}`})
	if !strings.Contains(split.Body, `"split_from"`) {
		t.Errorf("the answer to a split is not the new incident: %.200s", split.Body)
	}
	v = version(do(call{op: "GET /incidents/{id}", who: lead, path: other}))
	do(call{op: "POST /incidents/{id}/merge", who: lead, path: other + "/merge", body: `{"version":` + v + `,"into":"` + third + `","reason":"one intruder"}`})
	v = version(do(call{op: "GET /incidents/{id}", who: lead, path: other}))
	do(call{op: "POST /incidents/{id}/unmerge", who: lead, path: other + "/unmerge", body: `{"version":` + v + `,"reason":"two after all"}`})

	var made struct{ Link, Secret, ID string }

	// The watch.
	do(call{op: "GET /watch", who: lead})
	do(call{op: "GET /watch", who: admin, status: 403})
	do(call{op: "GET /watch", who: police, status: 403})
	var alarms struct {
		Items []struct {
			ID      string
			Version int64
		}
	}
	mustJSON(t, do(call{op: "GET /alarms", who: lead, path: "/alarms?state=open&sort=severest"}).Body, &alarms)
	if len(alarms.Items) != 1 {
		t.Fatalf("%d open alarms, want 1", len(alarms.Items))
	}
	alarm := "/alarms/" + alarms.Items[0].ID
	do(call{op: "GET /alarms", who: lead, path: "/alarms?state=lost", status: 400})
	do(call{op: "GET /alarms/export", who: lead, path: "/alarms/export?format=csv&lang=zh-TW"})
	do(call{op: "GET /alarms/{id}", who: lead, path: alarm})
	do(call{op: "GET /alarms/{id}", who: police, path: alarm, status: 403})
	do(call{op: "POST /alarms/{id}/ack", who: lead, path: alarm + "/ack", body: `{"version":999}`, status: 409})
	do(call{op: "POST /alarms/{id}/ack", who: "lin.zh", path: alarm + "/ack", body: fmt.Sprintf(`{"version":%d}`, alarms.Items[0].Version)})
	do(call{op: "POST /alarms/{id}/ack", who: lead, path: alarm + "/ack", body: fmt.Sprintf(`{"version":%d}`, alarms.Items[0].Version+1), status: 409})
	do(call{op: "POST /people", who: lead, body: `{"id":"wu","name":"吳","mail":"wu@city.example"}`, status: 204})
	do(call{op: "POST /people", who: lead, body: `{"id":"wu","name":"吳"}`, status: 400})
	do(call{op: "POST /people", who: "lin.zh", body: `{"id":"wu","name":"吳","mail":"wu@city.example"}`, status: 403})
	do(call{op: "POST /shifts", who: lead, body: `{"shifts":[{"person":"wu","post":"duty","begin":"2026-12-01T00:00:00Z","end":"2026-12-01T12:00:00Z"}]}`, status: 204})
	do(call{op: "POST /people/{id}/remove", who: lead, path: "/people/wu/remove", body: `{}`, status: 409})
	var roster struct{ Shifts []struct{ ID string } }
	mustJSON(t, do(call{op: "GET /roster", who: lead, path: "/roster?from=2026-12-01T00:00:00Z&to=2026-12-02T00:00:00Z"}).Body, &roster)
	do(call{op: "POST /shifts/{id}/remove", who: lead, path: "/shifts/" + roster.Shifts[0].ID + "/remove", body: `{}`, status: 204})
	do(call{op: "POST /people/{id}/remove", who: lead, path: "/people/wu/remove", body: `{}`, status: 204})
	mustJSON(t, do(call{op: "POST /notes", who: lead, body: `{"text":"a quiet night"}`}).Body, &made)
	do(call{op: "POST /notes/{id}/take", who: lead, path: "/notes/" + made.ID + "/take", body: `{}`, status: 400})
	do(call{op: "POST /notes/{id}/take", who: "lin.zh", path: "/notes/" + made.ID + "/take", body: `{}`})
	do(call{op: "GET /notes", who: "lin.zh"})

	// Senders.
	do(call{op: "GET /catalogue", who: admin})
	do(call{op: "GET /senders", who: admin})
	do(call{op: "GET /senders", who: police, status: 403})
	do(call{op: "GET /sources/{name}", who: lead, path: "/sources/school-fw"})
	do(call{op: "GET /sources/{name}", who: lead, path: "/sources/nobody", status: 404})
	do(call{op: "POST /senders", who: lead, body: `{"name":"fw9","kind":"fortigate","transport":"syslog-udp","address":"10.9.0.1"}`, status: 403})
	do(call{op: "POST /senders", who: admin, body: `{"name":"fw9","kind":"fortigate","transport":"syslog-udp"}`, status: 400})
	do(call{op: "POST /senders", who: admin, body: `{"name":"fw9","kind":"unheard-of","transport":"http"}`, status: 404})
	first := do(call{op: "POST /senders", who: admin, body: `{"name":"fw9","kind":"fortigate","transport":"syslog-udp","address":"10.9.0.1"}`})
	if !strings.Contains(first.Body, `set server \"citywall.city.example\"`) || !strings.Contains(first.Body, `"silence":900000000000`) {
		t.Errorf("the answer lacks the configuration or the product's limit: %.2000s", first.Body)
	}
	token := do(call{op: "POST /senders", who: admin, body: `{"name":"app1","kind":"http","transport":"http"}`})
	mustJSON(t, token.Body, &made)
	if made.Secret == "" || !strings.Contains(token.Body, "Bearer "+made.Secret) {
		t.Errorf("no token in the configuration: %.600s", token.Body)
	}
	if again := do(call{op: "GET /sources/{name}", who: admin, path: "/sources/app1"}); strings.Contains(again.Body, made.Secret) {
		t.Error("the secret is shown a second time")
	}
	do(call{op: "POST /senders/{name}", who: admin, path: "/senders/fw9", body: `{"version":1,"kind":"fortigate","transport":"syslog-tcp","address":"10.9.0.0/24","silence":"1h"}`})
	do(call{op: "POST /senders/{name}", who: admin, path: "/senders/fw9", body: `{"version":1,"transport":"http"}`, status: 409})
	do(call{op: "POST /senders/{name}/drop", who: admin, path: "/senders/fw9/drop", body: `{}`, status: 204})

	// What is kept.
	// The inventory.
	machines := do(call{op: "GET /assets", who: "lin.zh", path: "/assets?sort=name&limit=2"})
	do(call{op: "GET /assets", who: "lin.zh", path: "/assets?sort=weight", status: 400})
	do(call{op: "GET /assets", who: police, status: 403})
	do(call{op: "GET /assets/export", who: lead})
	do(call{op: "GET /assets/export", who: lead, path: "/assets/export?format=jsonl&drawn=no"})
	var found struct {
		Items []struct {
			ID   string
			Note struct{ Subject string }
		}
	}
	mustJSON(t, machines.Body, &found)
	if len(found.Items) == 0 {
		t.Fatal("the seed has no machines")
	}
	do(call{op: "GET /assets/devices/{id}", who: "lin.zh", path: "/assets/devices/" + found.Items[0].ID})
	do(call{op: "GET /assets/devices/{id}", who: "lin.zh", path: "/assets/devices/nothing", status: 404})
	do(call{op: "GET /assets/segments", who: "lin.zh"})
	do(call{op: "GET /assets/whom", who: "lin.zh", path: "/assets/whom?address=10.20.33.5,10.20.32.101"})
	do(call{op: "GET /assets/whom", who: "lin.zh", path: "/assets/whom?address=dc01", status: 400})
	do(call{op: "POST /assets/notes", who: "lin.zh", body: `{"subject":"` + found.Items[0].Note.Subject + `","contact":"119","version":0}`})
	do(call{op: "POST /assets/notes", who: "lin.zh", body: `{"subject":"` + found.Items[0].Note.Subject + `","contact":"110","version":0}`, status: 409})
	do(call{op: "GET /assets/differences", who: "lin.zh", path: "/assets/differences?lang=zh-TW&limit=3"})
	do(call{op: "GET /assets/differences", who: "lin.zh", path: "/assets/differences?kind=colour", status: 400})
	do(call{op: "GET /assets/differences/export", who: lead})
	do(call{op: "GET /assets/drawings", who: "lin.zh"})
	do(call{op: "POST /assets/drawings", who: "lin.zh", path: "/assets/drawings?name=x", body: "name,address\npc1,10.20.1.9\n", status: 403})
	drawn := do(call{op: "POST /assets/drawings", who: lead, path: "/assets/drawings?name=x&file=x.csv", body: "name,address\npc1,10.20.1.9\nsegment\n"})
	do(call{op: "POST /assets/drawings", who: lead, path: "/assets/drawings?name=x", body: "no drawing", status: 400})
	mustJSON(t, drawn.Body, &made)
	do(call{op: "GET /assets/drawings/{id}", who: lead, path: "/assets/drawings/" + made.ID})
	do(call{op: "GET /assets/drawings/{id}", who: lead, path: "/assets/drawings/nothing", status: 404})
	do(call{op: "POST /assets/drawings/{id}/state", who: lead, path: "/assets/drawings/" + made.ID + "/state", body: `{"state":"accepted"}`})
	do(call{op: "POST /assets/drawings/{id}/state", who: lead, path: "/assets/drawings/" + made.ID + "/state", body: `{"state":"refused"}`, status: 409})

	do(call{op: "GET /storage", who: lead})
	do(call{op: "GET /storage", who: admin, path: "/storage?lang=zh-TW"})
	do(call{op: "GET /storage", who: "lin.zh", status: 403})
	do(call{op: "GET /storage", who: police, status: 403})
	do(call{op: "GET /storage/days", who: lead, path: "/storage/days?sort=bytes&limit=2"})
	do(call{op: "GET /storage/days", who: lead, path: "/storage/days?sort=colour", status: 400})
	do(call{op: "GET /storage/days", who: "lee.admin", status: 403})
	do(call{op: "GET /storage/days/export", who: admin})
	do(call{op: "GET /storage/days/export", who: admin, path: "/storage/days/export?format=jsonl&state=hot"})
	hold := do(call{op: "POST /storage/holds", who: lead, body: `{"case":"115-0042","from":"2026-03-01","to":"2026-03-31","reason":"court order"}`})
	mustJSON(t, hold.Body, &made)
	do(call{op: "POST /storage/holds", who: lead, body: `{"case":"115-0042","from":"yesterday","reason":"court order"}`, status: 400})
	do(call{op: "POST /storage/holds", who: admin, body: `{"case":"115-0042","from":"2026-03-01","reason":"court order"}`, status: 403})
	do(call{op: "POST /storage/holds/{id}/release", who: lead, path: "/storage/holds/" + made.ID + "/release", body: `{"reason":""}`, status: 400})
	do(call{op: "POST /storage/holds/{id}/release", who: lead, path: "/storage/holds/" + made.ID + "/release", body: `{"reason":"judgment final"}`})
	do(call{op: "POST /storage/holds/{id}/release", who: lead, path: "/storage/holds/" + made.ID + "/release", body: `{"reason":"again"}`, status: 409})
	var kept struct{ Notices []struct{ ID string } }
	mustJSON(t, do(call{op: "GET /storage", who: lead}).Body, &kept)
	do(call{op: "POST /storage/notices/{id}/seen", who: lead, path: "/storage/notices/" + kept.Notices[0].ID + "/seen", body: `{}`, status: 204})
	do(call{op: "POST /storage/notices/{id}/seen", who: lead, path: "/storage/notices/nothing/seen", body: `{}`, status: 404})
	do(call{op: "POST /storage/backups", who: admin, body: `{}`})
	do(call{op: "POST /storage/backups", who: admin, body: `{"dir":"/etc"}`, status: 403})
	do(call{op: "POST /storage/backups", who: lead, body: `{}`, status: 403})

	// Users, tokens, the audit log.
	do(call{op: "GET /users", who: admin})
	v = version(do(call{op: "POST /users", who: admin, body: `{"name":"new.one","shown":"新進","role":"soc_analyst"}`}))
	do(call{op: "POST /users", who: lead, body: `{"name":"new.two","role":"soc_analyst"}`, status: 403})
	do(call{op: "POST /users/{name}", who: admin, path: "/users/new.one", body: `{"version":` + v + `,"shown":"新進","role":"soc_lead"}`})
	link := do(call{op: "POST /users/{name}/link", who: admin, path: "/users/new.one/link", body: `{}`})
	mustJSON(t, link.Body, &made)
	do(call{op: "POST /login/link", body: `{"realm":"city","link":"` + made.Link + `"}`})
	do(call{op: "POST /login/link", body: `{"realm":"city","link":"` + made.Link + `"}`, status: 403})
	do(call{op: "POST /users/{name}/sessions/end", who: admin, path: "/users/new.one/sessions/end", body: `{}`})
	do(call{op: "POST /tokens", who: admin, body: `{"kind":"ingest","name":"hospital","source":"hosp-winlogbeat","agency":"hospital"}`})
	api1 := do(call{op: "POST /tokens", who: admin, body: `{"kind":"api","name":"wall board","user":"lin.zh"}`})
	mustJSON(t, api1.Body, &made)
	do(call{op: "GET /tokens", who: admin})
	byToken(t, site, made.Secret, 200)
	do(call{op: "POST /tokens/{id}/revoke", who: admin, path: "/tokens/" + made.ID + "/revoke", body: `{}`, status: 204})
	byToken(t, site, made.Secret, 401)
	do(call{op: "GET /audit", who: auditor})
	do(call{op: "GET /audit", who: lead, status: 403})
	do(call{op: "GET /audit/head", who: auditor})
	do(call{op: "POST /audit/verify", who: auditor, body: `{}`})
	do(call{op: "GET /audit/{seq}/proof", who: auditor, path: "/audit/3/proof"})

	// From the city to the police.
	do(call{op: "POST /incidents/{id}/handover", who: "lin.zh", path: inc + "/handover", body: `{"reason":"x","send":true}`, status: 403})
	do(call{op: "POST /incidents/{id}/handover", who: lead, path: inc + "/handover", body: `{"reason":"","send":true}`, status: 400})
	do(call{op: "POST /incidents/{id}/handover", who: lead, path: inc + "/handover", body: `{"reason":"ransomware at a hospital","send":true}`})
	carried := do(call{op: "POST /incidents/{id}/handover", who: lead, path: other + "/handover", body: `{"reason":"data theft"}`})
	received := do(call{op: "POST /inbox", who: police, body: carried.Body})
	do(call{op: "POST /inbox", who: police, body: "no package", status: 400})
	do(call{op: "POST /inbox", who: lead, body: carried.Body, status: 403})
	mustJSON(t, received.Body, &made)
	do(call{op: "GET /inbox/{id}", who: police, path: "/inbox/" + made.ID})
	var box struct{ Items []struct{ ID string } }
	mustJSON(t, do(call{op: "GET /inbox", who: police}).Body, &box)
	if len(box.Items) != 2 {
		t.Fatalf("%d packages wait, want 2", len(box.Items))
	}
	for _, x := range box.Items {
		if x.ID != made.ID {
			mustJSON(t, do(call{op: "POST /inbox/{id}/open", who: police, path: "/inbox/" + x.ID + "/open", body: `{"title":"市立醫院遭勒索"}`}).Body, &made)
		}
	}
	kase := "/cases/" + made.ID
	do(call{op: "GET /cases", who: police})
	do(call{op: "GET /cases", who: lead, status: 403})
	do(call{op: "POST /cases", who: police, body: `{"title":"某公司報案","receipt":"R-1"}`})
	full := do(call{op: "GET /cases/{id}", who: police, path: kase})
	v = version(full)
	v = version(do(call{op: "POST /cases/{id}/status", who: police, path: kase + "/status", body: `{"version":` + v + `,"status":"investigating"}`}))
	do(call{op: "POST /cases/{id}/change", who: police, path: kase + "/change", body: `{"version":` + v + `,"owner":"chang.kh"}`})
	do(call{op: "POST /cases/{id}/notes", who: police, path: kase + "/notes", body: `{"text":"調閱中"}`})
	do(call{op: "POST /cases/{id}/verify", who: police, path: kase + "/verify", body: `{}`})
	do(call{op: "GET /cases/{id}/exhibits/{n}", who: police, path: kase + "/exhibits/1"})
	do(call{op: "GET /cases/{id}/exhibits/{n}", who: police, path: kase + "/exhibits/99", status: 404})
	do(call{op: "GET /cases/{id}/events", who: police, path: kase + "/events?q="})
	do(call{op: "GET /cases/{id}/events/{event}", who: police, path: kase + "/events/" + ev})
	do(call{op: "GET /cases/{id}/findings", who: police, path: kase + "/findings"})
	do(call{op: "GET /cases/{id}/picture.svg", who: police, path: kase + "/picture.svg"})
	do(call{op: "GET /cases/{id}/report", who: police, path: kase + "/report?format=json"})
	do(call{op: "GET /cases/{id}/report", who: lead, path: kase + "/report", status: 403})

	do(call{op: "POST /session/password", who: "lin.zh", body: fmt.Sprintf(`{"old":"wrong","new":%q}`, "another horse 8 staple"), status: 403})
	do(call{op: "POST /session/password", who: "lin.zh", body: fmt.Sprintf(`{"old":%q,"new":%q}`, webtest.Password, "another horse 8 staple"), status: 204})
	do(call{op: "POST /session/end", who: lead, body: `{}`, status: 204})
	do(call{op: "GET /session", who: lead, status: 401})

	asked["GET /live"] = true // TestLive
	for _, r := range api.Routes() {
		if !asked[r] {
			t.Errorf("%s was never answered with success", r)
		}
	}
}

func mustJSON(t *testing.T, s string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), v); err != nil {
		t.Fatalf("%v: %.200s", err, s)
	}
}

func byToken(t *testing.T, s *webtest.Site, token string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+api.Prefix+"/incidents?"+url.Values{"limit": {"1"}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != want {
		t.Errorf("a token got %d, want %d", res.StatusCode, want)
	}
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"html"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"citywall/asset"
	"citywall/incident"
	"citywall/incident/incidenttest"
	"citywall/internal/shared"
	"citywall/internal/text"
)

func result() incident.Result {
	h := incidenttest.Hospital()
	return incident.Result{Sources: []incident.SourceStat{{File: "=cmd|x", Format: "evtx", Records: 12, First: h.First, Last: h.Last}}, Incidents: []incident.Incident{h}}
}

// TestJSONContract checks the keys of the contract, and that unknown is
// null and a list is never null.
func TestJSONContract(t *testing.T) {
	var b bytes.Buffer
	r := result()
	r.Incidents[0].FirstCompromise.LowerOpen = true
	if err := JSON(&b, r, text.En); err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	inc := d["incidents"].([]any)[0].(map[string]any)
	hop := inc["hops"].([]any)[0].(map[string]any)
	for name, c := range map[string]struct {
		obj  map[string]any
		keys string
	}{
		"document":         {d, "sources incidents findings baseline"},
		"source":           {d["sources"].([]any)[0].(map[string]any), "file format records damaged skipped first last"},
		"incident":         {inc, "id severity title first_compromise entry hosts accounts hops steps suspicious breakpoints separate_from"},
		"first_compromise": {inc["first_compromise"].(map[string]any), "host address earliest latest lower_open statement"},
		"entry":            {inc["entry"].(map[string]any), "kind vector technique determined"},
		"host":             {inc["hosts"].([]any)[0].(map[string]any), "host addresses compromised first reasons"},
		"hop":              {hop, "n time src dst src_host dst_host dst_port proto user kind technique grade bytes_out bytes_in sentence evidence"},
		"evidence":         {hop["evidence"].([]any)[0].(map[string]any), "file path_in_archive sha256 offset line record"},
		"step":             {inc["steps"].([]any)[0].(map[string]any), "time host what technique rows evidence"},
		"suspicious":       {inc["suspicious"].([]any)[0].(map[string]any), "address first last hosts bytes_out bytes_in reasons"},
		"findings":         {d["findings"].(map[string]any), "total by_rule"},
		"baseline":         {d["baseline"].(map[string]any), "days note"},
	} {
		for _, k := range strings.Fields(c.keys) {
			if _, ok := c.obj[k]; !ok {
				t.Errorf("%s has no %s", name, k)
			}
		}
	}
	if inc["first_compromise"].(map[string]any)["earliest"] != nil {
		t.Error("earliest is not null although the lower end is open")
	}
	if s := b.String(); strings.Contains(s, ": null,\n      \"hosts\"") || strings.Contains(s, `"notes": null`) {
		t.Error("a list is null")
	}
}

// TestWhomToCall: each report of a host to cut off names its segment and whom to
// call, in the words that narrate's golden file holds.
func TestWhomToCall(t *testing.T) {
	r := result()
	cut := r.Incidents[0].ToCut()
	if len(cut) < 2 {
		t.Fatalf("the hospital advises to cut off %d machines", len(cut))
	}
	hosts := slices.Sorted(maps.Keys(cut))
	r.Places = map[string][]asset.Place{hosts[0]: {{Name: hosts[0], Segment: "ward <7>", Contact: "nurse 02-0000-0007", ContactOf: asset.OfSegment}}}
	for _, l := range []text.Lang{text.En, text.ZhTW} {
		d := New(r, l).Incidents[0]
		if len(d.Isolate) != len(cut) {
			t.Errorf("%s: %d sentences for %d machines", l, len(d.Isolate), len(cut))
		}
		for _, i := range d.Isolate {
			if known := i.Host == hosts[0]; known != strings.Contains(i.Sentence, "02-0000-0007") || known != (len(i.Segments) == 1 && len(i.Contacts) == 1) || i.Segments == nil || i.Contacts == nil {
				t.Errorf("%s: %+v", l, i)
			}
		}
		for _, f := range []string{"text", "html", "json"} {
			var b bytes.Buffer
			if err := Write(&b, r, l, f); err != nil {
				t.Fatal(err)
			}
			if s := html.UnescapeString(b.String()); !strings.Contains(s, "nurse 02-0000-0007") || !strings.Contains(s, "ward <7>") && f != "json" {
				t.Errorf("%s in %s does not say whom to call, or where", f, l)
			}
		}
	}
}

func TestSameBytes(t *testing.T) {
	for _, f := range Formats {
		for _, l := range []text.Lang{text.En, text.ZhTW} {
			var a, b bytes.Buffer
			if err := Write(&a, result(), l, f); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if err := Write(&b, result(), l, f); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) || a.Len() == 0 {
				t.Errorf("%s in %s: two runs differ, or nothing", f, l)
			}
		}
	}
}

// TestHostileText: what a log says stays text in every form.
func TestHostileText(t *testing.T) {
	r := result()
	r.Incidents[0].Hops[0].Dst.Host = `<script>alert(1)</script>`
	r.Incidents[0].Hops[0].User.Name = "=HYPERLINK(1)"
	r.Incidents[0].Steps[0].What = "\x1b[31mred\x07"
	var b bytes.Buffer
	if err := HTML(&b, r, text.En); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "<script") {
		t.Error("a script element in the HTML report")
	}
	b.Reset()
	if err := Text(&b, r, text.En); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07") {
		t.Error("a control character reaches the terminal")
	}
	b.Reset()
	if err := CSV(&b, r, text.En); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, c := range row {
			if c != "" && strings.ContainsRune("=+-@", rune(c[0])) {
				t.Errorf("a formula in the CSV: %q", c)
			}
		}
	}
}

// TestAttackFlowSchema validates our export, and the reference example, against
// the schema of the Attack Flow project and the OASIS schemas it refers to.
func TestAttackFlowSchema(t *testing.T) {
	schema := compile(t)
	var b bytes.Buffer
	if err := AttackFlow(&b, result(), text.En); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(shared.Path(t, "casework/attackflow/attack-flow-example.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{"export": b.Bytes(), "example": example} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		flows, checked := 0, 0
		for _, o := range v.(map[string]any)["objects"].([]any) {
			kind, _ := o.(map[string]any)["type"].(string)
			if !strings.HasPrefix(kind, "attack-") {
				continue
			}
			if kind == "attack-flow" {
				flows++
			}
			checked++
			if err := schema.Validate(o); err != nil {
				t.Errorf("%s: %s: %v", name, kind, err)
			}
		}
		if flows != 1 || checked < 5 {
			t.Errorf("%s: %d flows, %d objects checked", name, flows, checked)
		}
	}
	bad, _ := jsonschema.UnmarshalJSON(strings.NewReader(`{"type":"attack-action","id":"attack-action--x"}`))
	if schema.Validate(bad) == nil {
		t.Error("the schema accepts anything")
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	add := func(url string, r io.Reader) {
		d, err := jsonschema.UnmarshalJSON(r)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if err := c.AddResource(url, d); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
	}
	z, err := zip.OpenReader(shared.Path(t, "casework/attackflow/oasis-open-schemas.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if path.Ext(f.Name) != ".json" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		// The schemas refer to each other under three addresses.
		for _, base := range []string{"http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/", "https://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/", "https://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/master/schemas/"} {
			add(base+f.Name, bytes.NewReader(b))
		}
	}
	f, err := os.Open(shared.Path(t, "casework/attackflow/attack-flow-schema-2.0.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const url = "https://center-for-threat-informed-defense.github.io/attack-flow/schema/attack-flow-schema-2.0.0.json"
	add(url, f)
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

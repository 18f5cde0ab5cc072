// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Every value of 101 real logs against the rendering that lies beside each:
// the fields, and the canonical JSON.
func TestFieldOracle(t *testing.T) {
	logs, renderings := map[string][]byte{}, map[string][]byte{}
	eachMember(t, "sigma-regression/regression-shared.zip", func(name string, data []byte) {
		stem := strings.TrimSuffix(name, path.Ext(name))
		switch path.Ext(name) {
		case ".evtx":
			logs[stem] = data
		case ".json":
			renderings[stem] = data
		}
	})
	var n oracle
	records := 0
	for stem, data := range logs {
		events, st := decodeAll(t, data, format.Source{})
		if st.Damaged > 0 {
			t.Errorf("%s: %d damaged: %q", stem, st.Damaged, st.Notes)
		}
		docs := documents(t, renderings[stem])
		if len(docs) != len(events) {
			t.Errorf("%s: %d events, %d in the rendering", stem, len(events), len(docs))
			continue
		}
		for i, e := range events {
			records++
			n.compare(t, path.Base(stem), e, docs[i])
			raw := documents(t, e.Raw)
			if len(raw) != 1 {
				t.Fatalf("%s: canonical JSON is %d documents", stem, len(raw))
			}
			n.same(t, path.Base(stem), docs[i], raw[0])
		}
	}
	// The reference trims trailing spaces; what it lost is counted so that a
	// loss of ours cannot hide behind the rule.
	if len(logs) != 101 || records != 120 || n.values != 3880 || n.trimmed != 49 {
		t.Errorf("%d logs, %d records, %d values, %d of them trimmed by the reference; want 101, 120, 3880, 49", len(logs), records, n.values, n.trimmed)
	}
}

// documents reads JSON documents that stand one after another.
func documents(t *testing.T, b []byte) []map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	var out []map[string]any
	for {
		var x map[string]any
		err := d.Decode(&x)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
}

type oracle struct{ values, trimmed int }

// compare holds the fields of e to a document: the same names, the same texts,
// and none that the document does not have.
func (o *oracle) compare(t *testing.T, stem string, e *event.Event, doc map[string]any) {
	t.Helper()
	want := map[string]string{}
	ev, _ := doc["Event"].(map[string]any)
	for section, body := range ev {
		if section == "#attributes" { // the namespace of Event
			continue
		}
		m, _ := body.(map[string]any)
		for k, v := range m {
			switch x := v.(type) {
			case map[string]any:
				for _, sub := range []string{"#attributes", "#text"} {
					switch y := x[sub].(type) {
					case nil:
					case map[string]any:
						for a, av := range y {
							want[k+"_"+a] = text(av)
						}
					default:
						want[k] = text(y)
					}
				}
				for leaf, y := range x {
					if !strings.HasPrefix(leaf, "#") && leaf != "xmlns" {
						want[leaf] = text(y)
					}
				}
				if section == "UserData" {
					delete(want, k+"_xmlns")
				}
			case nil:
				if section != "System" {
					want[k] = ""
				}
			default:
				want[k] = text(v)
			}
		}
	}
	for name, w := range want {
		o.values++
		v, ok := e.Fields.Get(name)
		g := v.String()
		switch {
		case !ok:
			t.Errorf("%s record %d: no field %s, want %q", stem, e.Origin.Record, name, w)
		case g == w || sameInstant(g, w) || editedRenderings[w] == g:
		case strings.TrimRight(g, " ") == w:
			o.trimmed++
		default:
			t.Errorf("%s record %d: %s = %q, want %q", stem, e.Origin.Record, name, g, w)
		}
	}
	for _, f := range e.Fields {
		if _, ok := want[f.Name]; !ok && f.Name != WrittenTime {
			t.Errorf("%s record %d: field %s = %q is not in the rendering", stem, e.Origin.Record, f.Name, f.Value.String())
		}
	}
}

func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		if x {
			return "true"
		}
		return "false"
	case []any:
		var s []string
		for _, y := range x {
			s = append(s, text(y))
		}
		return strings.Join(s, ", ")
	case nil:
		return ""
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// same compares two documents value by value, types included.
func (o *oracle) same(t *testing.T, where string, want, got any) {
	t.Helper()
	w, isObject := want.(map[string]any)
	g, _ := got.(map[string]any)
	if !isObject {
		a, b := mustJSON(want), mustJSON(got)
		x, _ := got.(string)
		y, _ := want.(string)
		if a != b && !sameInstant(x, y) && (y == "" || strings.TrimRight(x, " ") != y && editedRenderings[y] != x) {
			t.Errorf("%s: JSON %s, want %s", where, b, a)
		}
		return
	}
	for k := range g {
		if _, ok := w[k]; !ok {
			t.Errorf("%s: JSON has %s, the rendering has not", where, k)
		}
	}
	for k, v := range w {
		if x, ok := g[k]; ok {
			o.same(t, where+"."+k, v, x)
		} else {
			t.Errorf("%s: JSON has no %s", where, k)
		}
	}
}

// editedRenderings are values of the reference that its own log does not hold:
// somebody edited the rendering. The log has only the right-hand side.
var editedRenderings = map[string]string{`C:\Windows\Explorer.exe`: `C:\Windows\Explorer.EXE`}

// sameInstant compares times that are written with more or fewer digits; the
// reference cuts after the microseconds.
func sameInstant(ours, reference string) bool {
	a, err := time.Parse(time.RFC3339Nano, ours)
	if err != nil {
		return false
	}
	b, err := time.Parse(time.RFC3339Nano, reference)
	return err == nil && (a.Equal(b) || a.Truncate(time.Microsecond).Equal(b))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	"citywall/event"
	"citywall/internal/shared"
)

// regressionCase is a line of cases.tsv.
type regressionCase struct {
	name, rule, rulePath, log string
	want                      int  // hits of the rule; at least 1
	stated                    bool // the case says how many, not only "at least one"
}

func regressionCases(t *testing.T) []regressionCase {
	f, err := os.Open(shared.Path(t, "sigma-regression/cases.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []regressionCase
	for _, row := range rows[1:] {
		c := regressionCase{row[0], row[1], row[2], row[3], 1, false}
		if n, err := strconv.Atoi(row[4]); err == nil {
			c.want, c.stated = n, true
		}
		if strings.HasSuffix(c.log, ".evtx") {
			out = append(out, c)
		}
	}
	return out
}

// TestRegressionJSON runs SigmaHQ's cases on their JSON renderings: the rule of
// each case must fire at least match_count times (detection.md §8.5). All other
// rules run as well; hits beyond match_count are reported.
func TestRegressionJSON(t *testing.T) {
	e, _ := loadHQ(t, Options{})
	z, err := zip.OpenReader(shared.Path(t, "sigma-regression/regression-shared.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	cases := regressionCases(t)
	if len(cases) != 101 {
		t.Fatalf("%d cases, want 101", len(cases))
	}
	m := e.NewMatcher()
	strict := 0
	for _, c := range cases {
		b := readMember(t, &z.Reader, c.name+"/"+strings.TrimSuffix(c.log, ".evtx")+".json")
		got := 0
		for _, ev := range jsonRecords(t, b) {
			for _, f := range m.Match(ev) {
				if f.Rule.ID == c.rule {
					got++
				}
			}
		}
		if got < c.want {
			t.Errorf("%s: %d hits, want %d", c.name, got, c.want)
		}
		if got == c.want || got > c.want && !c.stated {
			strict++
		} else {
			t.Logf("%s: %d hits, the case says %d", c.name, got, c.want)
		}
	}
	t.Logf("%d of %d cases strictly equal", strict, len(cases))
}

func readMember(t testing.TB, z *zip.Reader, name string) []byte {
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// jsonRecords reads evtx_dump's JSON: one object or several, each {"Event": …}.
// It knows just enough of the shape for these files.
func jsonRecords(t testing.TB, b []byte) []*event.Event {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var out []*event.Event
	for dec.More() {
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			ev := &event.Event{Product: "windows"}
			for part, sec := range x.(map[string]any)["Event"].(map[string]any) {
				if m, ok := sec.(map[string]any); ok && part != "#attributes" {
					flattenRecord(ev, "", m, part == "UserData")
				}
			}
			sort.Slice(ev.Fields, func(i, j int) bool { return ev.Fields[i].Name < ev.Fields[j].Name })
			out = append(out, ev)
		}
	}
	return out
}

func flattenRecord(ev *event.Event, before string, m map[string]any, leaf bool) {
	for k, v := range m {
		name := before + k
		switch x := v.(type) {
		case nil:
			ev.Fields.Set(name, event.Value{})
		case map[string]any:
			switch {
			case k == "#attributes":
				flattenRecord(ev, before, x, leaf)
			case k == "EventID" && x["#text"] != nil:
				ev.Fields.Set("EventID", event.T(fmt.Sprint(x["#text"])))
			case k == "Data" && x["#text"] != nil:
				flattenRecord(ev, "", map[string]any{"Data": x["#text"]}, leaf)
			case leaf:
				flattenRecord(ev, "", x, leaf)
			default:
				flattenRecord(ev, k+"_", x, leaf)
			}
		case []any:
			l := event.Value{Kind: event.List}
			for _, e := range x {
				l.List = append(l.List, fmt.Sprint(e))
			}
			ev.Fields.Set(name, l)
		default:
			ev.Fields.Set(name, event.T(fmt.Sprint(x)))
		}
	}
}

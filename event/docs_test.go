// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/normalised-view.md anew")

const docsPage = "../docs/normalised-view.md"

// TestDocs holds docs/normalised-view.md to the tables that it is made from.
func TestDocs(t *testing.T) {
	got := normalisedView(t)
	if *update {
		if err := os.WriteFile(docsPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("%s:%d is not what the tables say (go test ./event -run TestDocs -update)\n tables %s\n page   %s", docsPage, i+1, a, b)
		}
	}
}

func normalisedView(t *testing.T) string {
	ms, err := parseMappings(mappingFiles)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(ms, func(a, b *mapping) int { return strings.Compare(a.Product, b.Product) })
	var b strings.Builder
	b.WriteString(`# The normalised view, product by product

<!-- Made from event/mapping/*.yaml by go test ./event -run TestDocs -update. Do not edit. -->

Native fields stay as a source wrote them. The normalised view lies over them: one reading of host, user, process, file, addresses, hash and verb for search, rules that count, inference and export. This page says which
native field each field of the view is read from. ` + "`event/mapping/README.md`" + ` explains the tables; OCSF is made from the view by ` + "`event/ocsf/classes.yaml`" + `.

Rows apply in their order: a later one overrides, a field that says nothing leaves what was there. Of several native fields the first that says something counts.

`)
	for _, m := range ms {
		fmt.Fprintf(&b, "- [%s](#%s)\n", title(m.Product), strings.ReplaceAll(strings.ToLower(title(m.Product)), " ", "-"))
	}
	for _, m := range ms {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| View | From | When |\n|---|---|---|\n", title(m.Product), heading(t, m.Product))
		for _, r := range m.Rows {
			docsRow(&b, r)
		}
	}
	return b.String()
}

func title(product string) string {
	if product == anyProduct {
		return "any other product"
	}
	return product
}

// heading is the comment at the top of the product's file.
func heading(t *testing.T, product string) string {
	names, err := fs.Glob(mappingFiles, "mapping/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := fs.ReadFile(mappingFiles, n)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+strings.ReplaceAll(string(text), `"`, ""), "\nproduct: "+product+"\n") {
			continue
		}
		var out []string
		for l := range strings.SplitSeq(string(text), "\n") {
			c, ok := strings.CutPrefix(l, "#")
			if !ok {
				break
			}
			if c = strings.TrimSpace(c); c != "" && !strings.HasPrefix(c, "SPDX-") {
				out = append(out, c)
			}
		}
		return strings.Join(out, " ")
	}
	return ""
}

func docsRow(b *strings.Builder, r *mappingRow) {
	when := conditionText(r)
	line := func(field, from string) {
		fmt.Fprintf(b, "| %s | %s | %s |\n", field, from, when)
		when = "″" // the same
		if conditionText(r) == "" {
			when = ""
		}
	}
	if r.Action != "" {
		line("**"+string(r.Action)+"**", string(r.Outcome))
	} else if r.Outcome != "" {
		line("outcome", "**"+string(r.Outcome)+"**")
	}
	for _, f := range r.Clear {
		line(f, "*emptied*")
	}
	for _, f := range fieldNames {
		if rd := r.Set[f]; rd != nil {
			line(f, readingText(rd))
		}
	}
}

func conditionText(r *mappingRow) string {
	var out []string
	if len(r.Category) > 0 {
		out = append(out, "category "+strings.Join(r.Category, ", "))
	}
	if len(r.Service) > 0 {
		out = append(out, "service "+strings.Join(r.Service, ", "))
	}
	for _, n := range slices.Sorted(maps.Keys(r.When)) {
		out = append(out, code(n)+" is "+texts(r.When[n]))
	}
	for _, n := range slices.Sorted(maps.Keys(r.Unless)) {
		out = append(out, code(n)+" is not "+texts(r.Unless[n]))
	}
	return strings.Join(out, "; ")
}

func texts(l []string) string {
	var out []string
	for _, t := range l {
		if t == "" {
			t = "empty"
		} else {
			t = code(t)
		}
		out = append(out, t)
	}
	return strings.Join(out, ", ")
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

func readingText(r *reading) string {
	var out []string
	switch {
	case r.Text != "":
		out = append(out, "“"+r.Text+"”")
	case r.View != "":
		out = append(out, r.View+" of the view")
	case r.Join != "":
		out = append(out, code(r.Join))
	case r.Before != "":
		out = append(out, "time less "+r.Before)
	}
	for _, f := range r.From {
		out = append(out, code(f))
	}
	s := strings.Join(out, ", ")
	if r.Domain != "" {
		s += " in " + code(r.Domain)
	}
	if r.Unit != "" {
		s += " (" + r.Unit + ")"
	}
	if r.Take != "" {
		s += ", its " + r.Take
	}
	for _, k := range slices.Sorted(maps.Keys(r.Values)) {
		to := r.Values[k]
		if to == "" {
			to = "nothing"
		}
		s += "; " + code(k) + " is " + to
	}
	return s
}
